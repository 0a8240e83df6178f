"""Full solves at once over TLS, next to other clients: cost, politeness, and time to the answer.

    python -m benchmarks.peers [--quick] [--only NAME]

Every client runs with its own defaults, in a process and a virtual environment of its own, against
the same reference service with the same seeded solve times (log-normal, 6 s on average). A client
that sleeps 10 s between polls runs a second time with shorter waits, by its own setting. Solves
that have no answer 45 s after the start have failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import venv
from pathlib import Path
from typing import Any

import attrs

from benchmarks._reference import ROOT, Reference, reference
from benchmarks._report import Bars, draw_bars, machine, print_table, write_json

SIZES = (500, 2000)
QUICK = (200,)
# Of the solves of one round; what has no answer by then has failed.
SECONDS = 45.0
MEAN = 6.0
OURS = "captcha_async"
FLOOR = "floor"
ROUNDS = ("cold", "learned")


@attrs.frozen(eq=False)
class Client:
    """A package and how it is used."""

    name: str
    package: str
    driver: str
    settings: dict[str, Any] = attrs.Factory(dict)
    extra: str = ""
    rounds: tuple[str, ...] = ("",)
    """Names of the batches that one client solves, one after the other."""


CLIENTS = (
    Client(FLOOR, "", "with_floor", rounds=ROUNDS),
    Client(OURS, "", "with_captcha_async_batch", rounds=ROUNDS),
    Client(f"{OURS}[fast]", "", "with_captcha_async_batch", extra="[fast]", rounds=ROUNDS),
    Client(f"{OURS}, solve", "", "with_captcha_async", rounds=ROUNDS),
    Client("capmonstercloudclient", "capmonstercloudclient", "with_capmonstercloudclient"),
    Client("python3-anticaptcha", "python3-anticaptcha", "with_python3_anticaptcha"),
    Client(
        "python3-anticaptcha, 3 s",
        "python3-anticaptcha",
        "with_python3_anticaptcha",
        {"sleep_time": 3},
    ),
    Client("capmonster-python", "capmonster-python", "with_capmonster_python"),
    Client("unicaptcha", "unicaptcha", "with_unicaptcha"),
)


# -- environments ---------------------------------------------------------------------------------


def environment(client: Client, folder: Path) -> Path:
    """Return the interpreter of the client's own virtual environment; make it if need be."""
    place = folder / (client.package or f"{OURS}{client.extra}")
    python = place / "bin" / "python"
    if not python.exists():
        print(f"installing {place.name} ...", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
        venv.create(place, with_pip=True)
        # Ours as the checkout stands, also when it changes later.
        what = [client.package] if client.package else ["--editable", f"{ROOT}{client.extra}"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *what], check=True)
    if not client.package:
        # As pip does for what it installs; else the first imports would count as work.
        subprocess.run([python, "-m", "compileall", "-q", ROOT / "captcha_async"], check=True)
    return python


# -- measuring ------------------------------------------------------------------------------------


async def measure(client: Client, python: Path, tasks: int) -> list[dict[str, Any]]:
    """Let one client solve its batches, and return what both sides saw."""
    async with reference(tls=True, mean=MEAN) as info:
        process = await start(client, python, info, tasks)
        assert process.stdin is not None
        try:
            rows = []
            for number, label in enumerate(client.rounds, start=1):
                name = f"{client.name}, {label}" if label else client.name
                row = await one_round(process, info, tasks, seed=number)
                rows.append({"client": name, "tasks": tasks, **row})
                show_row(rows[-1])
            return rows
        finally:
            process.stdin.close()
            await process.wait()


async def start(
    client: Client, python: Path, info: Reference, tasks: int
) -> asyncio.subprocess.Process:
    """Start the driver in a process that trusts the reference service."""
    settings = {"in_flight": tasks} if OURS in client.name else client.settings
    return await asyncio.create_subprocess_exec(
        str(python),
        str(ROOT / "benchmarks" / "_peers" / "run.py"),
        *(client.driver, info.url, str(tasks), str(SECONDS), json.dumps(settings)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "SSL_CERT_FILE": str(info.authority), "NO_PROXY": "127.0.0.1"},
    )


async def one_round(
    process: asyncio.subprocess.Process, info: Reference, tasks: int, seed: int
) -> dict[str, Any]:
    """Have one batch solved."""
    assert process.stdin is not None
    assert process.stdout is not None
    # A second batch meets other times of the same distribution, so that nothing is known by heart.
    await info.reset(seed)
    before = await info.statistics()
    process.stdin.write(b"\n")
    try:
        async with asyncio.timeout(2 * SECONDS):
            line = await process.stdout.readline()
    except TimeoutError:
        process.kill()
        line = b""
    if not line:
        return {"error": "it ended, or had to be ended, before it was done"}
    seen = await info.statistics()
    return {**json.loads(line), "service": since(before, seen), "load": os.getloadavg()[0]}


def since(before: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """Take off what the control calls and earlier rounds account for."""
    # Each control call opens a connection of its own.
    connections = seen["connections"] - before["connections"] - 1
    return {**seen, "connections": connections, "cpu": seen["cpu"] - before["cpu"]}


async def run(pythons: dict[Client, Path], sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Measure all clients, at each size in turn."""
    results: list[dict[str, Any]] = []
    for tasks in sizes:
        for client, python in pythons.items():
            results += await measure(client, python, tasks)
    return results


# -- showing --------------------------------------------------------------------------------------

COLUMNS = (
    "client",
    "CPU/solve, ms",
    "CPU/request, ms",
    "memory, MB",
    "connections",
    "polls/solve",
    "early polls",
    "pick-up, s",
    "p95, s",
    "failed",
)


def cells(row: dict[str, Any]) -> list[Any]:
    """Return a row of the table."""
    if "error" in row:
        return [row["client"], *[None] * (len(COLUMNS) - 2), row["tasks"]]
    service, solved = row["service"], row["solved"]
    requests = service["created"] + service["polls"]
    pick_up = row["pick_up"] or {"mean": None, "p95": None}
    return [
        row["client"],
        row["cpu"] / solved * 1000 if solved else None,
        row["cpu"] / requests * 1000 if requests else None,
        row["peak_memory"] / 1e6,
        service["connections"],
        service["polls"] / solved if solved else None,
        service["early_polls"],
        pick_up["mean"],
        pick_up["p95"],
        row["tasks"] - solved,
    ]


def show_row(row: dict[str, Any]) -> None:
    """Tell that a round is done."""
    texts = [
        f"{title} {cell:.4g}"
        for title, cell in zip(COLUMNS, cells(row), strict=True)
        if isinstance(cell, int | float)
    ]
    print(f"{row['tasks']:,} by {row['client']}: {', '.join(texts)}", flush=True)
    for reason, number in row.get("failures", {row.get("error", ""): row["tasks"]}).items():
        print(f"    failed: {number:,} by {reason}", flush=True)


def show(results: list[dict[str, Any]]) -> None:
    """Print a table for each size, and whether the goals are met."""
    for tasks in dict.fromkeys(row["tasks"] for row in results):
        rows = [row for row in results if row["tasks"] == tasks]
        print_table(COLUMNS, [cells(row) for row in rows], f"{tasks:,} at once")
        for line in verdicts(rows):
            print(line)


def verdicts(rows: list[dict[str, Any]]) -> list[str]:
    """Compare with the goals, with the floor, and with the best peer in each respect."""
    # One that fails saves the work of what it did not do.
    done = {row["client"]: row for row in rows if row.get("solved") == row["tasks"]}
    peers = [row for name, row in done.items() if OURS not in name and FLOOR not in name]
    lines: list[str] = []
    for name in (f"{OURS}, ", f"{OURS}, solve, "):
        for label in ROUNDS:
            row = done.get(name + label)
            if row is None:
                return ["captcha_async did not get through"]
            lines += [
                *against_peers(row, peers, f"{name}{label}", 5 if "solve" in name else 6),
                *against_floor(row, done.get(f"{FLOOR}, {label}"), f"{name}{label}"),
                pick_up_of(row, f"{name}{label}"),
            ]
    return lines


def against_peers(
    row: dict[str, Any], peers: list[dict[str, Any]], name: str, cheaper: int
) -> list[str]:
    """Compare with the best peer in CPU and in memory."""
    lines: list[str] = []
    for title, column, goal in (("CPU per solve", 1, cheaper), ("memory", 3, 4)):
        if peers:
            best = min(peers, key=lambda peer: cells(peer)[column])
            ratio = cells(best)[column] / cells(row)[column]
            told = f"1/{ratio:.1f} of {best['client']}'s ({met(ratio >= goal)} 1/{goal})"
            lines.append(f"{name}: {title} {told}")
    return lines


def against_floor(row: dict[str, Any], floor: dict[str, Any] | None, name: str) -> list[str]:
    """Compare the CPU with that of the same job written by hand."""
    if floor is None:
        return []
    ratio = cells(row)[1] / cells(floor)[1]
    return [f"{name}: CPU per solve {ratio:.1f} x the floor ({met(ratio <= 3.5)} 3.5)"]


def pick_up_of(row: dict[str, Any], name: str) -> str:
    """Tell when answers were noticed, and by how many polls."""
    delay, polls = row["pick_up"]["mean"], row["service"]["polls"] / row["solved"]
    fine = delay <= 1.06 and polls <= 2.7 and not row["service"]["early_polls"]
    return f"{name}: picked up after {delay:.2f} s at {polls:.2f} polls ({met(fine)} 1.06 s at 2.7)"


def met(fine: bool) -> str:
    """Say whether a goal is met."""
    return "meets" if fine else "MISSES"


PLOTS = {
    "peers-cost": (
        ("CPU per solve", "ms (logarithmic)", 1, True),
        ("Peak memory", "MB (logarithmic)", 3, True),
    ),
    "peers-delay": (
        ("From ready at the service to ready in the program", "s (logarithmic)", 7, True),
        ("Polls per solve", "", 5, False),
    ),
}


def plot(results: list[dict[str, Any]], folder: Path) -> None:
    """Draw cost and memory, delay and polls; nothing for a client that solved nothing."""
    sizes = list(dict.fromkeys(row["tasks"] for row in results))
    names = dict.fromkeys(row["client"] for row in results if _is_plotted(row["client"]))
    table = {(row["client"], row["tasks"]): cells(row) for row in results if row.get("solved")}
    empty = [None] * len(COLUMNS)
    for file, plots in PLOTS.items():
        bars = [
            Bars(
                title=title,
                unit=unit,
                groups=[f"{size:,} at once" for size in sizes],
                series={
                    name: [table.get((name, size), empty)[column] for size in sizes]
                    for name in names
                },
                logarithmic=logarithmic,
            )
            for title, unit, column, logarithmic in plots
        ]
        draw_bars(folder / f"{file}.svg", *bars)


def _is_plotted(name: str) -> bool:
    return FLOOR not in name and "[fast]" not in name


def main() -> None:
    """Measure, print, write and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 tasks at once")
    parser.add_argument("--only", action="append", metavar="NAME", help="this client, too")
    parser.add_argument("--venvs", type=Path, default=ROOT / "benchmarks" / ".venvs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    clients = [client for client in CLIENTS if not given.only or client.name in given.only]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pythons = {client: environment(client, given.venvs) for client in clients}
    results = asyncio.run(run(pythons, QUICK if given.quick else SIZES))
    show(results)
    # Each result has the versions of its own environment.
    write_json(given.out / "peers.json", {"machine": machine(), "results": results})
    plot(results, given.out)


if __name__ == "__main__":
    main()

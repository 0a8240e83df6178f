"""Writes the tables of numbers in the docs from `benchmarks/*.json`.

python docs/generate_numbers.py            # writes the tables
python docs/generate_numbers.py --check    # fails if one is not up to date
python docs/generate_numbers.py --draw     # draws the plots anew, too; needs matplotlib

A table stands between `<!-- numbers: NAME -->` and `<!-- numbers end -->`; what is said about the
numbers around it is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
RESULTS = DOCS / "benchmarks"
PLACE = re.compile(r"(<!-- numbers: ([\w-]+) -->\n\n).*?(\n\n<!-- numbers end -->)", re.DOTALL)

Row = dict[str, Any]


def read(name: str) -> dict[str, Any]:
    """Return the numbers of a benchmark."""
    numbers: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return numbers


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a table in Markdown; the first *left* columns are flush left."""
    marks = ["---"] * left + ["---:"] * (len(titles) - left)
    lines = [f"| {' | '.join(titles)} |", f"|{'|'.join(marks)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def number(value: float | None) -> str:
    """Return a number to three digits; small ones to two places."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def whole(value: float) -> str:
    """Return a number without places."""
    return f"{value:,.0f}"


# -- next to other clients ------------------------------------------------------------------------

PEERS = {
    "floor, cold": "floor, by hand, cold",
    "floor, learned": "floor, by hand, learned",
    "captcha_async, solve, cold": "captcha_async, `solve`, cold",
    "captcha_async, solve, learned": "captcha_async, `solve`, learned",
    "python3-anticaptcha, 3 s": "the same, sleep_time=3",
}
PEER_TITLES = (
    "client",
    "CPU per solve, ms",
    "CPU per request, ms",
    "memory, MB",
    "connections",
    "polls per solve",
    "early polls",
    "pick-up, s",
    "p95, s",
    "failed",
)


def peers(size: int) -> str:
    """Return the table of one number of solves at once."""
    rows = [row for row in read("peers")["results"] if row["tasks"] == size]
    return table(PEER_TITLES, map(_peer, rows))


def _peer(row: Row) -> list[str]:
    name, solved, service = row["client"], row["solved"], row["service"]
    version = row["versions"].get(name)
    shown = PEERS.get(name, f"{name} {version}" if version else name)
    cpu = [number(row["cpu"] / n * 1000) for n in (solved, service["requests"])] if solved else []
    seen = [number(row["pick_up"][share]) for share in ("mean", "p95")] if solved else []
    return [
        shown,
        *(cpu or ["-", "-"]),
        whole(row["peak_memory"] / 1e6),
        whole(service["connections"]),
        number(service["polls"] / solved if solved else None),
        whole(service["early_polls"]) if solved else "-",
        *(seen or ["-", "-"]),
        whole(row["tasks"] - solved),
    ]


COMPARED = {
    "captcha_async, cold": "captcha-async",
    "capmonstercloudclient": "capmonstercloudclient",
    "python3-anticaptcha": "python3-anticaptcha",
}


def compared() -> str:
    """Return the table of the comparison: the clients that got through 2,000 at once."""
    results = {row["client"]: row for row in read("peers")["results"] if row["tasks"] == 2000}
    rows = [
        [
            shown,
            f"{results[name]['cpu'] / results[name]['solved'] * 1000:.1f} ms",
            f"{results[name]['peak_memory'] / 1e6:.0f} MB",
            f"{results[name]['pick_up']['mean']:.1f} s",
        ]
        for name, shown in COMPARED.items()
    ]
    lost = [name for name, row in results.items() if not row["solved"]]
    if lost:
        rows.append([", ".join(lost), "did not finish", "", ""])
    return table(("Client", "CPU per solve", "Peak memory", "Noticed after"), rows)


# -- the others -----------------------------------------------------------------------------------


def in_flight() -> str:
    """Return the table of many in flight."""
    titles = (
        "tasks",
        "in flight at once",
        "bytes per task in flight",
        "peak memory, MB",
        "CPU per solve, ms",
        "CPU per request, ms",
        "polls per solve",
        "pick-up, s",
        "p95, s",
        "early polls",
        "failed",
    )
    rows = [
        [
            whole(row["tasks"]),
            whole(row["most_in_flight"]),
            whole(row["memory_per_task"]),
            whole(row["peak_memory"] / 1e6),
            number(row["cpu"] / row["solved"] * 1000),
            number(row["cpu"] / row["requests"] * 1000),
            number(row["polls"] / row["solved"]),
            number(row["pick_up"]["mean"]),
            number(row["pick_up"]["p95"]),
            whole(row["service"]["early_polls"]),
            whole(row["failed"]),
        ]
        for row in read("in-flight")["results"]
    ]
    return table(titles, rows, left=0)


MODES = {
    "fixed polling": "polls, 1 s and then every 3 s",
    "polling": "polls, adaptive",
    "callbacks": "callbacks, each over a connection of its own",
    "callbacks, kept": "callbacks, over kept connections",
}


def callbacks() -> str:
    """Return the table of the ways in which answers come."""
    titles = (
        "how answers come",
        "in flight at once",
        "polls per solve",
        "CPU per solve, ms",
        "pick-up, median, ms",
        "p99, ms",
    )
    rows = [
        [
            MODES.get(row["mode"], row["mode"]),
            whole(row["most_in_flight"]),
            _few(row["polls"] / row["solved"]),
            number(row["cpu_ms"]),
            _milliseconds(row["pick_up_p50"]),
            _milliseconds(row["pick_up_p99"]),
        ]
        for row in read("callbacks")["runs"]
    ]
    return table(titles, rows)


def _few(value: float) -> str:
    return f"{value:.1g}" if value < 0.01 else number(value)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f}" if seconds < 0.01 else f"{seconds * 1000:,.0f}"


CLIENTS = {
    "httpx, stock": "httpx {httpx}, stock",
    "captcha_async": "captcha_async's lanes",
    "aiohttp": "aiohttp {aiohttp}",
    "floor": "floor",
}


def transport() -> str:
    """Return the table of one request."""
    numbers = read("transport-asyncio")
    found = {
        (row["client"], row["tls"], row["connections"]): row["cpu_ms"] for row in numbers["results"]
    }
    sizes = sorted({size for _, _, size in found})
    first, *others = sizes
    plural = "" if first == 1 else "s"
    titles = ["client"]
    for kind in ("plain", "TLS"):
        titles += [f"{kind}, {first} connection{plural}", *map(str, others)]
    rows = [
        [
            shown.format(**numbers["machine"]["packages"]),
            *(number(found[name, tls, size]) for tls in (False, True) for size in sizes),
        ]
        for name, shown in CLIENTS.items()
    ]
    return table(titles, rows)


HANDLERS = {
    "off": "none",
    "handler that does nothing": "a function that does nothing",
    "OpenTelemetry, API only": (
        "[OpenTelemetry](how-to/telemetry.md#opentelemetry) without an SDK"
    ),
    "OpenTelemetry, SDK": (
        "OpenTelemetry with its SDK, five spans and all metrics, exported into a list"
    ),
}


def telemetry() -> str:
    """Return the table of the handlers."""
    rows = [[HANDLERS[row[0]], number(row[1]), str(row[2])] for row in read("telemetry")["table"]]
    return table(("`on_event`", "CPU per solve, ms", "ratio"), rows)


JOURNAL = (
    ("loop CPU, %", "CPU of the event loop's thread", "{:.1f} %"),
    ("process CPU, %", "CPU of the process", "{:.1f} %"),
    ("lag p50, ms", "loop late by, median, ms", "{:.2f}"),
    ("lag p99, ms", "p99, ms", "{:.2f}"),
    ("delay p50, ms", "createTask waits, median, ms", "{:.2f}"),
    ("delay p99, ms", "p99, ms", "{:.2f}"),
)


def journal() -> str:
    """Return the table of the journal."""
    results = read("journal")["results"]
    rows = [
        [name, *(form.format(results[name][key]) for key, _, form in JOURNAL)] for name in results
    ]
    return table(("journal", *(title for _, title, _ in JOURNAL)), rows)


def soak() -> str:
    """Return the table of the long run."""
    numbers = read("soak")
    rows = [[name, whole(count)] for name, count in numbers["tasks"].items()]
    for name, seen in numbers["watched"].items():
        ends = f"{seen['half-way']:.0f}, {seen['end']:.0f}"
        rows.append([f"{name}, half-way and at the end", ends])
    rows.append(["not accounted for, or grown", str(len(numbers["wrong"]))])
    return table(("what", f"in {numbers['seconds']:g} s"), rows)


def fleet() -> str:
    """Return the table of processes that solve, alone and together."""
    titles = (
        "processes",
        "shared in",
        "solves/s",
        "refusals",
        "CPU per solve, ms",
        "next to alone",
        "exchanges per solve",
        "least to most",
    )
    results = read("fleet")["solving"]
    alone = {
        (row["case"], row["processes"]): row["cpu"] for row in results if row["place"] == "alone"
    }
    rows = [
        [
            f"{row['processes']}, {row['case']}",
            "nothing" if row["place"] == "alone" else row["place"],
            whole(row["rate"]),
            whole(row["refused"]),
            number(row["cpu"] * 1000),
            f"{(row['cpu'] / alone[row['case'], row['processes']] - 1) * 100:+.0f} %",
            f"{row['exchanges']:.3f}",
            f"{row['fairness']:.2f}",
        ]
        for row in results
    ]
    return table(titles, rows, left=2)


def fleet_store() -> str:
    """Return the table of what one exchange takes, and of the time to stop."""
    numbers = read("fleet")
    rows = [
        [
            f"one exchange, {row['place']}, {row['members']:,} member{'s' * (row['members'] > 1)}",
            _milliseconds(row["seconds"]),
            "",
        ]
        for row in numbers["exchange"]
    ]
    rows += [
        [f"from blow to stop, {row['way']}", *map(_milliseconds, (row["median"], row["p99"]))]
        for row in numbers["stop"]
    ]
    return table(("what", "ms", "p99, ms"), rows)


def fleet_day() -> str:
    """Return the table of the simulated day."""
    titles = (
        "processes",
        "submits/s at most",
        "solves/s",
        "slots used",
        "exchanges/s",
        "least to most",
        "in flight in the killed one",
        "money there",
        "until all is used again, s",
        "above the limit meanwhile",
    )
    rows = [
        [
            whole(row["processes"]),
            "-" if row["rate"] is None else whole(row["rate"]),
            whole(row["solves"]),
            f"{row['used'] * 100:.1f} %",
            whole(row["exchanges"]),
            f"{row['fairness']:.2f}",
            whole(row["lost"]),
            f"${row['at_risk']:.2f}",
            number(row["dent"]),
            whole(row["above"]),
        ]
        for row in read("fleet-day")["results"]
    ]
    return table(titles, rows, left=0)


HOT = {
    "floor": "floor, by hand",
    "captcha_async": "`batch`",
    "captcha_async[fast]": "`batch`, with `[fast]`",
    "captcha_async, solve": "`solve` in tasks",
}


def hot_path() -> str:
    """Return the table of what a solve costs next to the floor."""
    rows: dict[str, dict[tuple[int, str], Row]] = {}
    for row in read("peers")["results"]:
        name, _, told = row["client"].rpartition(", ")
        if name in HOT:
            rows.setdefault(name, {})[row["tasks"], told] = row
    places = [(size, told) for size in (500, 2000) for told in ("cold", "learned")]
    titles = ["", *(f"{size:,}, {told}" for size, told in places), "polls per solve", "pick-up, s"]
    return table(titles, [_hot(name, found, rows["floor"]) for name, found in rows.items()])


def _hot(
    name: str, found: dict[tuple[int, str], Row], floor: dict[tuple[int, str], Row]
) -> list[str]:
    costs = [
        f"{number(_cost(row))} ({_cost(row) / _cost(floor[place]):.1f})"
        for place, row in found.items()
    ]
    both = [found[500, told] for told in ("cold", "learned")]
    polls = " / ".join(number(row["service"]["polls"] / row["solved"]) for row in both)
    late = " / ".join(number(row["pick_up"]["mean"]) for row in both)
    return [HOT[name], *costs, polls, late]


def _cost(row: Row) -> float:
    """Return the CPU of a solve in milliseconds."""
    return float(row["cpu"]) / float(row["solved"]) * 1000


LAYERS = {
    "floor": "floor: bytes by hand",
    "DirectLane": "one lane",
    "LanePool": "the pool of lanes",
    "HttpTransport": "a post of JSON",
    "Api": "the protocol's method",
    "Admission": "the account's gates",
    "Collector": "gap, schedule, books",
    "Watch": "the watch of a batch",
}


def layers() -> str:
    """Return the table of where a poll's time goes."""
    found = {(row["layer"], row["tls"]): row["us"] for row in read("layers")["results"]}
    rows = []
    for layer, shown in LAYERS.items():
        cells = [shown]
        for tls in (False, True):
            cells += [whole(found[layer, tls]), f"{found[layer, tls] / found['floor', tls]:.1f}"]
        rows.append(cells)
    return table(("up to and with", "plain", "x floor", "TLS", "x floor"), rows)


IMPORTS = {
    "httpx": "`import httpx`",
    "package": "`import captcha_async`",
    "client": "`from captcha_async import CaptchaClient`, and a client",
}


def imports() -> str:
    """Return the table of what it costs to start."""
    found = read("imports")
    cpu = {shown: found["imports"][name]["seconds"] for name, shown in IMPORTS.items()}
    first = found["first"]
    loop = first["nothing, asyncio and anyio alone"]["seconds"]
    cpu["then: asyncio and anyio, without a solve"] = loop
    for name, shown in (("plain", "plain HTTP"), ("TLS", "TLS, with the usual roots")):
        cpu[f"then: the first solve, asyncio and anyio included, {shown}"] = first[name]["seconds"]
    cpu["a second solve, plain HTTP"] = first["plain"]["second"]
    httpx = cpu[IMPORTS["httpx"]]
    rows = [[shown, number(s * 1000), f"{s / httpx:.2f}"] for shown, s in cpu.items()]
    return table(("what", "CPU, ms", "x `import httpx`"), rows)


def commands() -> str:
    """Return the table of what the command takes to start."""
    found = read("imports")["commands"]
    typer = found["typer"]["seconds"]
    shown = {"typer": "`python -c 'import typer'`"}
    rows = [
        [
            shown.get(name, f"`captcha-async {name}`"),
            number(row["seconds"] * 1000),
            f"{row['seconds'] / typer:.2f}",
        ]
        for name, row in found.items()
    ]
    return table(("process", "ms", "x typer"), rows)


DEMANDS = {
    "steady": "one in 4 s, by chance",
    "bursts": "ten at once every 1½ minutes",
    "by the hour": "20 minutes of one in 2 s, then 40 of nothing",
    "rare": "one in 5 minutes",
}
STOCKS = ("naive, 3", "naive, 10", "auto")


def stock() -> str:
    """Return the table of tokens in advance."""
    rows = []
    last = ""
    for row in read("stock")["rows"]:
        if row["stock"] in STOCKS:
            demand = DEMANDS[row["demand"]]
            shares = [f"{row[name] * 100:.0f} %" for name in ("at_once", "wasted")]
            rows.append(["" if demand == last else demand, row["stock"], *shares])
            last = demand
    return table(("demand", "stock", "answered at once", "expired, per token used"), rows, left=2)


TABLES: dict[str, Callable[[], str]] = {
    "fleet": fleet,
    "fleet-store": fleet_store,
    "fleet-day": fleet_day,
    "hot-path": hot_path,
    "layers": layers,
    "imports": imports,
    "commands": commands,
    "stock": stock,
    "peers-500": lambda: peers(500),
    "peers-2000": lambda: peers(2000),
    "compared": compared,
    "in-flight": in_flight,
    "callbacks": callbacks,
    "transport": transport,
    "telemetry": telemetry,
    "journal": journal,
    "soak": soak,
}


def page_of(path: Path) -> str:
    """Return a page with the tables of now."""
    text = path.read_text(encoding="utf-8")
    return PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


PAGES: dict[Path, Callable[[], str]] = {
    DOCS / name: lambda name=name: page_of(DOCS / name)  # type: ignore[misc]
    for name in (
        "benchmarks.md",
        "comparison.md",
        "how-to/big-batches.md",
        "how-to/tokens-in-advance.md",
    )
}


def draw() -> None:
    """Draw the plots from the numbers."""
    sys.path.insert(0, str(DOCS.parent))
    from benchmarks import in_flight as many
    from benchmarks import peers as others
    from benchmarks import transport as request

    others.plot(read("peers")["results"], RESULTS)
    many.plot(read("in-flight")["results"], RESULTS / "in-flight.svg")
    results = read("transport-asyncio")["results"]
    names = list(dict.fromkeys(row["client"] for row in results))
    request.plot(results, names, RESULTS / "transport-asyncio.svg")


def main() -> None:
    """Write the pages, or compare them."""
    for path, make in PAGES.items():
        if "--check" not in sys.argv:
            path.write_text(make(), encoding="utf-8")
        elif path.read_text(encoding="utf-8") != make():
            sys.exit(f"{path} is not up to date: run {Path(__file__).name}")
    if "--draw" in sys.argv:
        draw()


if __name__ == "__main__":
    main()

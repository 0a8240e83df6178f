"""What it costs to start: the import with a client, the first solve, and the command.

Each measurement runs in a process of its own and counts its CPU, in environments that hold what pip
installs and nothing else: httpx, too, imports more where rich and click happen to be there. The
modules are compiled, as pip leaves them; the first round, in which that is done, is not counted.
The contestants take turns, and of each the fastest run counts, since what else the machine does
only ever makes a run slower.

    python -m benchmarks.imports [--runs N] [--venvs FOLDER] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks._reference import ROOT, Reference, reference
from benchmarks._report import machine, print_table, write_json
from benchmarks.peers import OURS, Client, environment

GOAL = 1.5
"""Times `import httpx`, and times `import typer`."""
FIRST_GOAL = 0.02
"""Seconds of CPU for the first solve."""

TIMED = """
{before}
import json, time
began = time.process_time()
{code}
print(json.dumps({{"seconds": time.process_time() - began}}))
"""
CLIENT = "from captcha_async import CaptchaClient\nCaptchaClient('0' * 32)"

# asyncio is no part of the library; a program that runs it has imported it, before or after.
FIRST_SOLVE = """
import json, sys, time
from captcha_async import CaptchaClient
client = CaptchaClient("0" * 32, base_url=sys.argv[1])
made = time.process_time()
import asyncio
loaded = time.process_time()
from captcha_async import RecaptchaV2Task

async def solve():
    task = RecaptchaV2Task(website_url="https://example.com", website_key="6Lc_bench")
    async with client:
        for _ in range(2):
            began = time.process_time()
            await client.solve(task)
            yield time.process_time() - began, time.process_time()

async def main():
    return [seen async for seen in solve()]

(_, answered), (second, _) = asyncio.run(main())
print(json.dumps({"seconds": answered - made, "asyncio": loaded - made, "second": second}))
"""


# What no solve can do without: the event loop, and anyio's part for it.
LOOP = """
import asyncio, anyio
async def main():
    await anyio.sleep(0)
asyncio.run(main())
"""


def in_turns(runs: int, ways: Mapping[str, Callable[[], dict[str, float]]]) -> dict[str, Any]:
    """Return the fastest run of each way, after one of each that is not counted."""
    for measure in ways.values():
        measure()
    seen = {name: [measure()] for name, measure in ways.items()}
    for _ in range(runs - 1):
        for name, measure in ways.items():
            seen[name].append(measure())
    return {name: min(found, key=lambda run: run["seconds"]) for name, found in seen.items()}


class Runner:
    """Runs programs in an environment.

    Args:
        python: its interpreter.
        compiled: folder for the compiled modules.
    """

    def __init__(self, python: Path, compiled: Path) -> None:
        self._python = str(python)
        # Nothing of the environment that the benchmark itself runs in.
        ours = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
        self._variables = {
            name: value
            for name, value in os.environ.items()
            if name not in ours and not name.lower().endswith("_proxy")
        }
        self._variables["PYTHONPYCACHEPREFIX"] = str(compiled)

    def run(self, program: str, *arguments: str, **variables: str) -> dict[str, float]:
        """Return what a program prints."""
        text = subprocess.check_output(
            [self._python, "-c", program, *arguments], env={**self._variables, **variables}
        )
        found: dict[str, float] = json.loads(text)
        return found

    def cost(self, code: str, before: str = "") -> Callable[[], dict[str, float]]:
        """Return what measures the CPU of some code, where other code has run *before*."""
        program = TIMED.format(code=code, before=before)
        return lambda: self.run(program)

    def start(self, *arguments: str) -> Callable[[], dict[str, float]]:
        """Return what measures the time of a whole process."""

        def measure() -> dict[str, float]:
            began = time.perf_counter()
            subprocess.run(
                [self._python, *arguments],
                stdout=subprocess.DEVNULL,
                env=self._variables,
                check=True,
            )
            return {"seconds": time.perf_counter() - began}

        return measure

    def path(self, module: str) -> str:
        """Return the file of a module."""
        return str(self.run(f"import json, {module}; print(json.dumps({module}.__file__))"))


def imports(runner: Runner, runs: int) -> dict[str, Any]:
    """Measure the imports."""
    return in_turns(
        runs,
        {
            "httpx": runner.cost("import httpx"),
            "package": runner.cost("import captcha_async"),
            "client": runner.cost(CLIENT),
            "httpx, after asyncio": runner.cost("import httpx", "import asyncio"),
            "client, after asyncio": runner.cost(CLIENT, "import asyncio"),
        },
    )


def trust(info: Reference, runner: Runner, folder: Path) -> dict[str, str]:
    """Return the variables by which a client trusts the service, beside the usual authorities.

    It finds them as it does anywhere, in certifi: to read them is a part of what it costs.
    """
    if info.authority is None:
        return {}
    copied = folder / "trust" / "certifi"
    shutil.copytree(Path(runner.path("certifi")).parent, copied)
    with (copied / "cacert.pem").open("ab") as file:
        file.write(b"\n" + info.authority.read_bytes())
    return {"PYTHONPATH": str(copied.parent)}


async def first_solves(runner: Runner, runs: int, folder: Path) -> dict[str, Any]:
    """Measure the first solve of a process, over plain HTTP and over TLS."""
    async with (
        reference(mean=0.1, sigma=0) as plain,
        reference(tls=True, mean=0.1, sigma=0) as secure,
    ):
        services = {"plain": plain, "TLS": secure}
        trusted = {name: trust(info, runner, folder) for name, info in services.items()}

        def way(name: str, info: Reference) -> Callable[[], dict[str, float]]:
            return lambda: runner.run(FIRST_SOLVE, info.url, **trusted[name])

        ways = {name: way(name, info) for name, info in services.items()}
        ways["nothing, asyncio and anyio alone"] = runner.cost(LOOP, CLIENT)
        return await asyncio.to_thread(in_turns, runs, ways)


def commands(runner: Runner, runs: int) -> dict[str, Any]:
    """Measure the start of the command."""
    module = ("-m", "captcha_async")
    return in_turns(
        runs,
        {
            "typer": runner.start("-c", "import typer"),
            "--version": runner.start(*module, "--version"),
            "--help": runner.start(*module, "--help"),
        },
    )


def show(results: dict[str, Any]) -> None:
    """Print the tables, and whether the goals are met."""
    cells = {name: row["seconds"] for name, row in results["imports"].items()}
    rows = [[name, seconds * 1000] for name, seconds in cells.items()]
    print_table(("import", "CPU, ms"), rows)
    for after in ("", ", after asyncio"):
        ratio = cells[f"client{after}"] / cells[f"httpx{after}"]
        told = "" if after else f" (goal: at most {GOAL})"
        print(f"a client{after}: {ratio:.2f} times import httpx{told}")
    rows = []
    for name, row in results["first"].items():
        parts = [row.get(part) for part in ("seconds", "asyncio", "second")]
        rows.append([name, *(None if part is None else part * 1000 for part in parts)])
    columns = ("first solve", "CPU, ms", "of it import asyncio", "second solve")
    print_table(columns, rows, f"after the client was made (goal: {FIRST_GOAL * 1000:.0f} ms)")
    typer = results["commands"]["typer"]["seconds"]
    rows = [
        [name, row["seconds"] * 1000, f"{row['seconds'] / typer:.2f}"]
        for name, row in results["commands"].items()
    ]
    print_table(("command", "time, ms", "x typer"), rows)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--venvs", type=Path, default=ROOT / "benchmarks" / ".venvs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    pythons = [
        environment(Client(OURS, "", "", extra=extra), given.venvs) for extra in ("", "[cli]")
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, command = (Runner(python, folder / "compiled") for python in pythons)
        results = {
            "imports": imports(plain, given.runs),
            "first": asyncio.run(first_solves(plain, given.runs, folder)),
            "commands": commands(command, given.runs),
        }
        versions = plain.run(VERSIONS)
    show(results)
    write_json(
        given.out / "imports.json", {"machine": {**machine(), "packages": versions}, **results}
    )


VERSIONS = """
import json
from importlib.metadata import version
print(json.dumps({name: version(name) for name in ("httpx", "anyio", "attrs", "orjson")}))
"""


if __name__ == "__main__":
    main()

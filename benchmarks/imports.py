"""What `import captcha_async` and the start of its command cost, next to httpx and typer alone.

Each runs in a process of its own; the fastest of several runs counts, since everything else on the
machine only ever makes a run slower. Usage: python benchmarks/imports.py [runs]
"""

from __future__ import annotations

import subprocess
import sys
import time

GOAL = 1.5
TIMED = """
import time
started = time.perf_counter()
import {module}
print(time.perf_counter() - started)
"""


def measure(module: str, runs: int) -> float:
    """Return the seconds of the fastest import."""
    command = [sys.executable, "-c", TIMED.format(module=module)]
    return min(float(subprocess.check_output(command)) for _ in range(runs))


def start(runs: int, *arguments: str) -> float:
    """Return the seconds of the fastest process."""
    fastest = float("inf")
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        fastest = min(fastest, time.perf_counter() - started)
    return fastest


def main() -> None:
    """Print both costs and their ratio."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    httpx, ours = measure("httpx", runs), measure("captcha_async", runs)
    client = measure("captcha_async._client", runs)
    print(f"import httpx                             {httpx * 1000:6.1f} ms")
    print(f"import captcha_async                     {ours * 1000:6.1f} ms")
    print(f"from captcha_async import CaptchaClient  {client * 1000:6.1f} ms")
    print(f"ratio {ours / httpx:.2f} (goal: at most {GOAL}), with the client {client / httpx:.2f}")
    typer = start(runs, "-c", "import typer")
    print(f"\npython -c 'import typer'                  {typer * 1000:6.1f} ms")
    for option in ("--version", "--help"):
        seconds = start(runs, "-m", "captcha_async", option)
        told = f"captcha-async {option}"
        print(f"{told:<40} {seconds * 1000:6.1f} ms, ratio {seconds / typer:.2f} (at most {GOAL})")


if __name__ == "__main__":
    main()

"""Compares our createTask bodies with those that the services' own SDKs post for the same input.

python tests/foreign [--python PATH]

Without `--python` the SDKs are installed into an environment of their own, `build/foreign`. They
run there, against a recorder on this machine that answers every task with an error; no service is
called. Fails if a body differs in anything but documented aliases.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

from cases import CASES, Case  # noqa: E402

from captcha_async.wire import dump_request  # noqa: E402

SDKS = ("2captcha-python", "anticaptchaofficial", "capmonstercloudclient", "python3-capsolver")
EMPTY = (None, "", 0, False, "0", [], {})


class Recorder(ThreadingHTTPServer):
    """Keeps what is posted, by the number of the call."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.number = -1
        self.bodies: dict[int, Any] = {}

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers every task with an error."""

    def do_POST(self) -> None:
        """Keep a body."""
        recorder = cast("Recorder", self.server)
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/begin":
            recorder.number = json.loads(content)["number"]
        else:
            recorder.bodies.setdefault(recorder.number, read(content))
        refused = {"errorId": 10, "errorCode": "ERROR_ZERO_BALANCE", "errorDescription": "no"}
        reply = b"ERROR_ZERO_BALANCE" if self.path == "/in.php" else json.dumps(refused).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def read(content: bytes) -> dict[str, Any]:
    """Read JSON, or a form."""
    try:
        body: dict[str, Any] = json.loads(content)
    except ValueError:
        return dict(parse_qsl(content.decode(), keep_blank_values=True))
    return body


# -- comparing ------------------------------------------------------------------------------------


def differences(case: Case, posted: Mapping[str, Any] | None) -> Iterator[str]:
    """Tell what the SDK sends otherwise than we do."""
    if posted is None:
        yield "the SDK sent nothing"
        return
    case.service.check(case.task)
    request = dump_request(case.task, case.service)
    ours = {**request.pop("task"), **request}
    theirs = dict(posted.get("task") or posted)
    if case.sdk == "2captcha-python":
        ours, theirs = to_v1(ours, theirs, case)
    ours, theirs = (
        {key: value for key, value in body.items() if key not in case.ignored}
        for body in (ours, theirs)
    )
    for key in sorted({*ours, *theirs}):
        name = case.aliases.get(key, key) if key not in theirs else key
        mine, its = ours.get(key), theirs.get(name)
        if key not in ours and key in (case.aliases.get(other) for other in ours):
            continue
        if not same(mine, its) and not (mine in EMPTY and its in EMPTY):
            yield f"{key}: ours {mine!r:.80}, the SDK's {its!r:.80}"


def to_v1(
    ours: dict[str, Any], theirs: dict[str, Any], case: Case
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bring our body to the form of the older interface: flat, and with another proxy."""
    flat: dict[str, Any] = {}
    for key, value in ours.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        elif key != "type" and not key.startswith("proxy"):
            flat[key] = value
    if "proxyAddress" in ours:
        login = f"{ours['proxyLogin']}:{ours['proxyPassword']}@"
        flat["proxy"] = f"{login}{ours['proxyAddress']}:{ours['proxyPort']}"
        flat["proxytype"] = ours["proxyType"].upper()
    parts = [theirs.pop(name) for name in ("part1", "part2", "part3") if name in theirs]
    if parts:
        theirs["part1"] = parts
    return {case.aliases.get(key, key): value for key, value in flat.items()}, theirs


def same(mine: Any, its: Any) -> bool:
    """Whether two values are the same, also where a form has everything as text."""
    if isinstance(mine, bool) and isinstance(its, str | int):
        return str(int(mine)) == str(int(its) if isinstance(its, bool) else its)
    if isinstance(mine, list) and isinstance(its, str):
        return mine == json.loads(its)
    return mine == its or str(mine) == str(its)


# -- running --------------------------------------------------------------------------------------


def environment() -> Path:
    """Return the Python that has the SDKs, installed if they are not there yet."""
    folder = ROOT / "build" / "foreign"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *SDKS], check=True)
    return python


def record(python: Path) -> dict[int, Any]:
    """Run every call of the SDKs, and return what they posted."""
    recorder = Recorder()
    thread = threading.Thread(target=recorder.serve_forever, daemon=True)
    thread.start()
    try:
        order = {"url": recorder.url, "calls": [{"sdk": case.sdk, **case.call} for case in CASES]}
        subprocess.run(
            [python, HERE / "runner.py"],
            input=json.dumps(order),
            text=True,
            check=True,
            timeout=600,
            # Full of what the SDKs say to being refused.
            stderr=subprocess.DEVNULL,
        )
    finally:
        recorder.shutdown()
        thread.join()
        recorder.server_close()
    return recorder.bodies


def main() -> int:
    """Print what differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", type=Path, help="a Python that has the SDKs")
    python = parser.parse_args().python or environment()
    bodies = record(python)
    wrong = 0
    for number, case in enumerate(CASES):
        found = [*differences(case, bodies.get(number))]
        wrong += bool(found)
        sys.stdout.write(f"{'differs' if found else 'same   '}  {case.name}\n")
        sys.stdout.writelines(f"             {each}\n" for each in found)
    sys.stdout.write(f"\n{len(CASES)} bodies, {wrong} of them differ\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""The walk of one solve, traced: which room calls which, and how deep a poll awaits.

    python tests/walk.py

A room is a folder of the package, or a module beside the folders. An edge is a call from a function
of one room to a function of another; reading a property is none. It goes up if the room that is
called lies above the caller's in the order of `test_layers`.
"""

from __future__ import annotations

import inspect
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import attrs

import captcha_async
from captcha_async import CaptchaClient, FixedPolling, RecaptchaV2Task

ROOT = Path(captcha_async.__file__).parent
TASK = RecaptchaV2Task(website_url="https://example.com", website_key="6Lc-key")

Edge = tuple[str, str, str, str]
"""Room and function that call, room and function that are called."""


@attrs.define
class Walk:
    """What was seen of one solve."""

    edges: set[Edge] = attrs.field(factory=set)
    poll: list[str] = attrs.field(factory=list)
    """The coroutines that await one another for the reply to a poll, the outermost first."""


class _Service(BaseHTTPRequestHandler):
    """Answers the second poll of each task."""

    protocol_version = "HTTP/1.1"
    polls = 0

    def do_POST(self) -> None:
        """Answer createTask and getTaskResult."""
        self.rfile.read(int(self.headers["content-length"]))
        reply: dict[str, Any] = {"errorId": 0}
        if self.path == "/createTask":
            _Service.polls = 0
            reply["taskId"] = 5
        else:
            _Service.polls += 1
            reply["status"] = "ready" if _Service.polls > 1 else "processing"
            if _Service.polls > 1:
                reply["solution"] = {"gRecaptchaResponse": "token"}
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def service() -> Iterator[str]:
    """Serve in a thread, which is not traced."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _place(frame: FrameType) -> tuple[str, str] | None:
    """Return the room and the name of a frame's function, if it is one of the package's."""
    path = Path(frame.f_code.co_filename)
    if ROOT not in path.parents:
        return None
    module = path.relative_to(ROOT).with_suffix("").parts
    return module[0], ".".join((*module, frame.f_code.co_qualname))


def _is_property(name: str) -> bool:
    """Tell whether the function of that name is read, not called."""
    *module, holder, attribute = name.split(".")
    try:
        owner = getattr(import_module(".".join(("captcha_async", *module))), holder)
    except (ImportError, AttributeError):
        return False
    return isinstance(inspect.getattr_static(owner, attribute, None), property)


def _chain(frame: FrameType | None) -> list[str]:
    names: list[str] = []
    while frame is not None:
        place = _place(frame)
        if place is not None and frame.f_code.co_flags & inspect.CO_COROUTINE:
            names.append(place[1])
        frame = frame.f_back
    return names[::-1]


async def trace(url: str) -> Walk:
    """Solve twice, and trace the second solve: connections and models are there then."""
    walk = Walk()

    def look(frame: FrameType, event: str, _: Any) -> None:
        callee = _place(frame) if event == "call" else None
        caller = _place(frame.f_back) if callee and frame.f_back else None
        if callee and caller and callee[0] != caller[0] and not _is_property(callee[1]):
            walk.edges.add((*caller, *callee))
        if callee and callee[1].endswith(".receive"):
            chain = _chain(frame)
            if any("get_task_result" in name for name in chain):
                walk.poll = max(walk.poll, chain, key=len)

    async with CaptchaClient("0" * 32, base_url=url, polling=FixedPolling(0.05, 2)) as client:
        await client.solve(TASK)
        sys.setprofile(look)
        try:
            await client.solve(TASK)
        finally:
            sys.setprofile(None)
    return walk


def main() -> None:
    """Print the walk."""
    with service() as url:
        walk = anyio.run(trace, url)
    for calling, by, called, name in sorted(walk.edges):
        print(f"{calling:12} {by:60} -> {called:12} {name}")
    print(f"\n{len(walk.edges)} calls from room to room; a poll awaits {len(walk.poll)} deep:")
    for depth, name in enumerate(walk.poll, 1):
        print(f"{depth:3} {name}")


if __name__ == "__main__":
    main()

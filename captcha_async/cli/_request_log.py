"""The emulator's request log: a line for each request, and the sum at the end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import anyio
from rich.console import Console
from rich.text import Text

from ..emulator import Emulator, RecordedRequest, Violation

__all__ = ["log_requests", "sum_up"]

LOG_EVERY = 0.1


async def log_requests(emulator: Emulator, log: Console) -> None:
    """Print a line for each request, until cancelled."""
    shown = 0
    while True:
        # Only the last ones are kept, so new ones are told by their number.
        new = emulator.statistics().requests - shown
        if new:
            for request in emulator.requests[-new:]:
                log.print(_line(request))
                for violation in request.violations:
                    log.print(_broken(violation))
        shown += new
        await anyio.sleep(LOG_EVERY)


def sum_up(emulator: Emulator) -> str:
    """Say in a line what happened."""
    seen = emulator.statistics()
    return (
        f"requests {seen.requests}, tasks {seen.created}, solved {seen.solved}, "
        f"failed {seen.failed}, in flight {seen.processing}, rules broken {seen.violations}"
    )


def _line(request: RecordedRequest) -> Text:
    body = request.body if isinstance(request.body, dict) else {}
    task = body.get("task")
    about = task.get("type") if isinstance(task, dict) else body.get("taskId")
    status = "-" if request.status is None else request.status
    told, good = _outcome(request)
    moment = f"{_wall_clock(request.at):%H:%M:%S.%f}"[:-4]
    line = Text(f"{moment}  {request.method:<13} {about or '-':<24} {status:<3} ")
    return line.append(told, "" if good else "yellow")


def _broken(violation: Violation) -> Text:
    return Text(f"{'':13}breaks {violation.rule}: {violation.detail}", "bold red")


def _wall_clock(moment: float) -> datetime:
    """A moment of the event loop's clock as the time of day."""
    return datetime.now().astimezone() - timedelta(seconds=anyio.current_time() - moment)


def _outcome(request: RecordedRequest) -> tuple[str, bool]:
    """What the reply says in a word or two, and whether that is good news."""
    reply: Any = request.reply
    if request.status is None:
        return "no reply", False
    if not isinstance(reply, Mapping):
        return f"{len(reply)} bytes", request.status == 200
    if reply.get("errorCode"):
        return str(reply["errorCode"]), False
    if "balance" in reply:
        return f"balance {reply['balance']}", True
    told = reply.get("status")
    if request.method == "createTask":
        task_id = f"task {reply.get('taskId')}"
        return (f"{task_id} {told}" if told else task_id), True
    return str(told or "done"), True

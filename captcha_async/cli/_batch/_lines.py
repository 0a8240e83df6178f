"""The tasks of `batch`: a file or pipe read line by line, as there is room."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import attrs
import orjson

from ..._journal._record import mark_of
from ...errors import InvalidArgument
from ...services import Service
from ...tasks import Proxy, RawTask, Task
from ...tasks._families import find_model
from ...wire import load_task
from ...wire._task_codec import task_codec
from ._pipes import CHUNK, RawFile, Reader

__all__ = ["BadLine", "Job", "Key", "TaskLines", "count_lines", "parse_line", "split_lines"]

Key = int | str
"""A task's own key, or the number of its line."""

LONGEST_LINE = 32 * 1024 * 1024
"""Bytes; the services take no images of that size."""


class BadLine(ValueError):
    """A line that is no task; the message tells why."""


@attrs.frozen
class Job:
    """A task of the file."""

    line: int
    """Number of its line, from 1."""
    key: Key
    task: Task[Any]
    digest: str | None = None
    """Tells the task from others, where its key is only the number of its line."""


async def split_lines(
    read: Callable[[], Awaitable[bytes | None]],
) -> AsyncGenerator[tuple[int, bytes | None]]:
    """Yield (number, line) from 1 on; None stands for a line that is too long."""
    number, rest, skipping = 1, b"", False
    while chunk := await read():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield number, None if skipping else line
            number, skipping = number + 1, False
        if len(rest) > LONGEST_LINE:
            rest, skipping = b"", True
    if rest or skipping:
        yield number, None if skipping else rest


def count_lines(path: str) -> int:
    """Return how many lines a file has, for those who want to know how far it is."""
    count, last = 0, b"\n"
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def parse_line(
    text: bytes, service: Service, *, send_unknown: bool
) -> tuple[Key | None, Task[Any]]:
    """Return a line's own key, if it has one, and its task.

    Raises:
        BadLine: it is no task that the service takes.
    """
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"it is no JSON: {error.msg}, at column {error.colno}") from None
    if not isinstance(body, dict):
        raise BadLine(f"it is no JSON object but {type(body).__name__}")
    key = body.pop("key", None)
    if key is not None and type(key) not in (int, str):
        raise BadLine(f"key must be a string or a whole number, not {type(key).__name__}")
    try:
        task = _load(body, service)
        service.check(task)
    except InvalidArgument as error:
        raise BadLine(str(error)) from None
    if isinstance(task, RawTask) and not send_unknown:
        raise BadLine(
            f"type {_shown(task.type)} is not known: `captcha-async types` lists what is, and with "
            "--send-unknown it is sent as it is"
        )
    return key, task


def _load(body: dict[str, Any], service: Service) -> Task[Any]:
    if isinstance(body.get("proxy"), str):
        # As lists of proxies have them; on the wire its parts stand in the task.
        proxy = attrs.asdict(Proxy.from_url(body.pop("proxy")))
        body |= {f"proxy{part.title()}": value for part, value in proxy.items() if value}
    task = load_task(body, service)
    model = find_model(task.type) if isinstance(task, RawTask) else None
    # Types that share a name on the wire can also be told by ours.
    return task if model is None or not model.spec.type else task_codec(model).load(body)


def _shown(value: Key) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


class _Keys:
    """The keys so far, to tell when one comes again."""

    def __init__(self) -> None:
        # Keys of the tasks' own; of a string its hash, so that long ones do not add up.
        self._own: set[int] = set()
        # Runs of lines without one: the first of each, and the one after its last.
        self._starts: list[int] = []
        self._stops: list[int] = []

    def add(self, own: Key | None, line: int) -> Key:
        """Return the key of a line.

        Raises:
            BadLine: there was such a key before.
        """
        key = line if own is None else own
        if self._known(key):
            raise BadLine(f"key {_shown(key)} was there before")
        if own is not None:
            self._own.add(_number(own))
        elif self._stops and self._stops[-1] == line:
            self._stops[-1] = line + 1
        else:
            self._starts.append(line)
            self._stops.append(line + 1)
        return key

    def _known(self, key: Key) -> bool:
        if _number(key) in self._own:
            return True
        run = bisect_right(self._starts, key) - 1 if isinstance(key, int) else -1
        return run >= 0 and isinstance(key, int) and key < self._stops[run]


def _number(key: Key) -> int:
    return key if isinstance(key, int) else hash(key)


@attrs.define(eq=False)
class TaskLines:
    """Reads the tasks, and remembers the lines of those that are under way."""

    service: Service
    on_bad: Callable[[int, str], None]
    """Told each bad line with what is wrong."""
    solved: Callable[[Key], str | bool] = lambda _: False
    """Tells whether a key was solved in an earlier run: by the task's digest, if it is known."""
    stop_at_bad: bool = False
    send_unknown: bool = False
    read: int = attrs.field(default=0, init=False)
    """Lines so far, empty ones among them."""
    empty: int = attrs.field(default=0, init=False)
    bad: int = attrs.field(default=0, init=False)
    skipped: int = attrs.field(default=0, init=False)
    """Lines whose task was solved in an earlier run."""
    finished: bool = attrs.field(default=False, init=False)
    """Whether all was read."""
    _keys: _Keys = attrs.field(factory=_Keys, init=False)
    _under_way: dict[Key, Job] = attrs.field(factory=dict, init=False)

    async def pairs(self, file: RawFile) -> AsyncGenerator[tuple[Key, Task[Any]]]:
        """Yield (key, task)."""
        async for number, text in split_lines(Reader(file).read):
            self.read = number
            try:
                job = self._job(number, text)
            except BadLine as error:
                self.refuse(number, str(error))
                if self.stop_at_bad:
                    return
                continue
            if job is not None:
                self._under_way[job.key] = job
                yield job.key, job.task
        self.finished = True

    def refuse(self, number: int, reason: str) -> None:
        """Count a bad line and tell it."""
        self.bad += 1
        self.on_bad(number, reason)

    def ended(self, key: Key) -> Job:
        """Return the job of a key that is under way no more."""
        return self._under_way.pop(key)

    def _job(self, number: int, text: bytes | None) -> Job | None:
        """Return the job of a line; None if there is nothing to do."""
        if text is None:
            raise BadLine(f"it is longer than {LONGEST_LINE} bytes")
        text = text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text
        if not text.strip():
            self.empty += 1
            return None
        own, task = parse_line(text, self.service, send_unknown=self.send_unknown)
        key = self._keys.add(own, number)
        digest = mark_of(task).hex() if own is None else None
        known = self.solved(key)
        if not known:
            return Job(number, key, task, digest)
        if isinstance(known, str) and digest not in (None, known):
            raise BadLine(MOVED)
        self.skipped += 1
        return None


MOVED = (
    "it is not the task that the earlier run had on this line: leave the lines where they were, "
    "or give the tasks keys"
)

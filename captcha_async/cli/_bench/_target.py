"""What a bench measures against: an emulator in another process or in this one, or a service."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

import anyio
import attrs
from anyio.streams.buffered import BufferedByteReceiveStream

from ...emulator import Emulator, serve
from ...errors import TransportError
from ._emulator import make_emulator, observe

__all__ = ["Kind", "RealService", "Target", "open_emulator"]

Kind = Literal["emulator", "in-process", "service"]

LONGEST_LINE = 1 << 20


class Target(Protocol):
    """Where the tasks go."""

    @property
    def url(self) -> str:
        """Its base URL."""
        ...

    @property
    def key(self) -> str:
        """A key that it accepts."""
        ...

    async def reset(self) -> None:
        """Forget everything, before a level."""

    async def observed(self) -> dict[str, Any]:
        """Return what the service saw of the level; see `observe`."""
        ...


@attrs.frozen
class RealService:
    """A service of which nothing is known but its answers."""

    url: str
    key: str = attrs.field(repr=False)

    async def reset(self) -> None:
        """Do nothing: it forgets nothing."""

    async def observed(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


@attrs.frozen
class _Inside:
    """An emulator in this process and on its event loop."""

    url: str
    key: str
    emulator: Emulator

    async def reset(self) -> None:
        self.emulator.reset()

    async def observed(self) -> dict[str, Any]:
        # Its CPU time is this process's own.
        return {**observe(self.emulator), "cpu": None}


@attrs.define
class _Beside:
    """An emulator in a process of its own."""

    process: anyio.abc.Process
    replies: BufferedByteReceiveStream
    url: str = ""
    key: str = ""

    async def reset(self) -> None:
        await self._ask("reset")

    async def observed(self) -> dict[str, Any]:
        return await self._ask("observed")

    async def _ask(self, order: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            await self.process.stdin.send(f"{order}\n".encode())
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise TransportError("The emulator's process has ended.") from None
        return await self.read()

    async def read(self) -> dict[str, Any]:
        """Return the next reply."""
        try:
            line = await self.replies.receive_until(b"\n", LONGEST_LINE)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            raise TransportError("The emulator's process has ended.") from None
        told: dict[str, Any] = json.loads(line)
        return told


@asynccontextmanager
async def open_emulator(
    kind: Kind, service: str, latency: float, seed: int
) -> AsyncGenerator[Target]:
    """Start an emulator and yield it.

    Raises:
        TransportError: its process has ended.
    """
    if kind == "in-process":
        emulator = make_emulator(service, latency, seed)
        async with serve(emulator) as url:
            yield _Inside(url, emulator.api_key, emulator)
        return
    command = [sys.executable, "-m", f"{__package__}._emulator", service]
    async with await anyio.open_process(
        [*command, str(latency), str(seed)], stdin=subprocess.PIPE, stderr=None
    ) as process:
        assert process.stdout is not None
        beside = _Beside(process, BufferedByteReceiveStream(process.stdout))
        started = await beside.read()
        beside.url, beside.key = started["url"], started["key"]
        yield beside

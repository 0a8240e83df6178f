"""A local service that speaks the protocol and keeps its rules: for demos, tests and trying out.

`Emulator` is an ASGI app: mount it in-process with `httpx.ASGITransport(app=emulator)`, or serve it
on a socket with `async with serve(emulator) as base_url`. It solves nothing; it makes answers up.
"""

from __future__ import annotations

from ._bans import BAN_AFTER
from ._emulator import Deliver, Emulator
from ._latency import Latency, LatencyModel
from ._ledger import EmulatedTask
from ._record import Breach, EmulatorStatistics, RecordedRequest, Violation
from ._serve import serve
from ._tokens import IssuedToken

__all__ = [
    "BAN_AFTER",
    "Breach",
    "Deliver",
    "EmulatedTask",
    "Emulator",
    "EmulatorStatistics",
    "IssuedToken",
    "Latency",
    "LatencyModel",
    "RecordedRequest",
    "Violation",
    "serve",
]

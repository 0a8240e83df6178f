"""Carries bytes to the service and back. httpx is known here and nowhere above."""

from __future__ import annotations

from ._departure import Sending
from ._held import Held, stand_alone
from ._http import HttpTransport
from ._lanes import LaneStatistics
from ._turn import Loop, Turn, asyncio_loop

__all__ = [
    "Held",
    "HttpTransport",
    "LaneStatistics",
    "Loop",
    "Sending",
    "Turn",
    "asyncio_loop",
    "stand_alone",
]

"""Carries bytes to the service and back. httpx is known here and nowhere above."""

from __future__ import annotations

from ._departure import Sending
from ._held import Held
from ._http import HttpTransport
from ._lanes import LaneStatistics

__all__ = ["Held", "HttpTransport", "LaneStatistics", "Sending"]

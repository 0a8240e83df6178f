"""The receiver of callbacks: each submission has a URL of its own, where its result is posted."""

from __future__ import annotations

from ._callback import Callback
from ._client_callbacks import ClientCallbacks
from ._receiver import CallbackReceiver
from ._tally import CallbackStatistics

__all__ = ["Callback", "CallbackReceiver", "CallbackStatistics", "ClientCallbacks"]

"""The receiver of callbacks: each submission has a URL of its own, where its result is posted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._callback import Callback
from ._client_callbacks import ClientCallbacks
from ._tally import CallbackStatistics

if TYPE_CHECKING:
    from ._receiver import CallbackReceiver

__all__ = ["Callback", "CallbackReceiver", "CallbackStatistics", "ClientCallbacks"]


def __getattr__(name: str) -> Any:
    # Imported late, with the server: most clients poll.
    if name != "CallbackReceiver":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._receiver import CallbackReceiver

    return CallbackReceiver

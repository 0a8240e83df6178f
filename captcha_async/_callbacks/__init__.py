"""The receiver of callbacks: each submission has a URL of its own, where its result is posted."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._client_callbacks import ClientCallbacks

if TYPE_CHECKING:
    from ._callback import Callback
    from ._receiver import CallbackReceiver
    from ._tally import CallbackStatistics

__all__ = ["Callback", "CallbackReceiver", "CallbackStatistics", "ClientCallbacks"]

# Imported late, with the server: most clients poll.
_HOME = {
    "Callback": "_callback",
    "CallbackReceiver": "_receiver",
    "CallbackStatistics": "_tally",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)

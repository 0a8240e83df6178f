"""Asyncio client for captcha-solving services that speak createTask and getTaskResult."""

from __future__ import annotations

import importlib
import typing

from . import errors, tasks
from .errors import *  # noqa: F403  # the errors' own list says what is public

if typing.TYPE_CHECKING:
    from . import services, wire
    from ._above._attempts import SolveAttempts
    from ._above._stock import Stock, StockStatistics
    from ._account._account import Account
    from ._account._limits import Limits
    from ._account._retry import Retries
    from ._account._semaphore import RateLimitedSemaphore, SemaphoreStatistics
    from ._account._statistics import LatencyStatistics, Statistics
    from ._batch._batch import Batch, BatchProgress
    from ._callbacks import CallbackReceiver, CallbackStatistics
    from ._client import CaptchaClient
    from ._events import (
        AccountBack,
        AccountLost,
        Event,
        FuseBlown,
        FuseClosed,
        PollFailed,
        SubmitFailed,
        TaskAbandoned,
        TaskDropped,
        TaskFailed,
        TaskPolled,
        TaskQueued,
        TaskSolved,
        TaskSubmitted,
        TaskTakenUp,
    )
    from ._journal import Journal, UncertainSubmission
    from ._outcome import Failed, Reported, Solved
    from ._per_loop import ClientPerLoop
    from ._polling._adaptive import AdaptivePolling, LearnedTimes
    from ._polling._schedule import FixedPolling, PollState, Schedule
    from ._ref import TaskId, TaskRef
    from ._sharing._port import ShareStatistics
    from ._solving._choice import Offer
    from ._solving._pending import PendingTask
    from ._transport import LaneStatistics
    from .services import ANTI_CAPTCHA, CAPMONSTER, CAPSOLVER, CAPTCHA69, TWO_CAPTCHA, Service
    from .tasks import *  # noqa: F403  # likewise
    from .wire._account_facts import AccountFacts, Package, QueueStatistics, SpendingSpan

__version__ = "0.1.0"

# Modules by what they hold. A module is imported when one of its names is first used, so that
# whoever needs only a part of the library does not wait for all of it.
_HOLDS = {
    "_polling._adaptive": ("AdaptivePolling", "LearnedTimes"),
    "_batch._batch": ("Batch", "BatchProgress"),
    "_callbacks": ("CallbackReceiver", "CallbackStatistics"),
    "_client": ("CaptchaClient",),
    "_per_loop": ("ClientPerLoop",),
    "_events": (
        "AccountBack",
        "AccountLost",
        "Event",
        "FuseBlown",
        "FuseClosed",
        "PollFailed",
        "SubmitFailed",
        "TaskAbandoned",
        "TaskDropped",
        "TaskFailed",
        "TaskPolled",
        "TaskQueued",
        "TaskSolved",
        "TaskSubmitted",
        "TaskTakenUp",
    ),
    "_journal": ("Journal", "UncertainSubmission"),
    "_above._attempts": ("SolveAttempts",),
    "_above._stock": ("Stock", "StockStatistics"),
    "_account._account": ("Account",),
    "_account._limits": ("Limits",),
    "_account._semaphore": ("RateLimitedSemaphore", "SemaphoreStatistics"),
    "_outcome": ("Failed", "Reported", "Solved"),
    "_solving._choice": ("Offer",),
    "_solving._pending": ("PendingTask",),
    "_polling._schedule": ("FixedPolling", "PollState", "Schedule"),
    "_ref": ("TaskId", "TaskRef"),
    "_sharing._port": ("ShareStatistics",),
    "_account._retry": ("Retries",),
    "_account._statistics": ("LatencyStatistics", "Statistics"),
    "_transport": ("LaneStatistics",),
    "services": ("ANTI_CAPTCHA", "CAPMONSTER", "CAPSOLVER", "CAPTCHA69", "TWO_CAPTCHA", "Service"),
    "tasks": tuple(tasks.__all__),
    "wire._account_facts": ("AccountFacts", "Package", "QueueStatistics", "SpendingSpan"),
}
_HOME = {name: module for module, names in _HOLDS.items() for name in names}

__all__ = [
    "ANTI_CAPTCHA",
    "CAPMONSTER",
    "CAPSOLVER",
    "CAPTCHA69",
    "TWO_CAPTCHA",
    "Account",
    "AccountBack",
    "AccountFacts",
    "AccountLost",
    "AdaptivePolling",
    "Batch",
    "BatchProgress",
    "CallbackReceiver",
    "CallbackStatistics",
    "CaptchaClient",
    "ClientPerLoop",
    "Event",
    "Failed",
    "FixedPolling",
    "FuseBlown",
    "FuseClosed",
    "Journal",
    "LaneStatistics",
    "LatencyStatistics",
    "LearnedTimes",
    "Limits",
    "Offer",
    "Package",
    "PendingTask",
    "PollFailed",
    "PollState",
    "QueueStatistics",
    "RateLimitedSemaphore",
    "Reported",
    "Retries",
    "Schedule",
    "SemaphoreStatistics",
    "Service",
    "ShareStatistics",
    "SolveAttempts",
    "Solved",
    "SpendingSpan",
    "Statistics",
    "Stock",
    "StockStatistics",
    "SubmitFailed",
    "TaskAbandoned",
    "TaskDropped",
    "TaskFailed",
    "TaskId",
    "TaskPolled",
    "TaskQueued",
    "TaskRef",
    "TaskSolved",
    "TaskSubmitted",
    "TaskTakenUp",
    "UncertainSubmission",
    "__version__",
    "errors",
    "services",
    "tasks",
    "wire",
]
__all__ += errors.__all__
__all__ += tasks.__all__


def __getattr__(name: str) -> typing.Any:
    if name in ("services", "wire"):
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Asyncio client for captcha-solving services that speak createTask and getTaskResult."""

from __future__ import annotations

import typing

from . import errors, services, tasks, wire
from ._batch import Batch, BatchProgress
from ._callbacks import CallbackReceiver, CallbackStatistics
from ._client import CaptchaClient
from ._journal import Journal, UncertainSubmission
from ._limits import Limits, RateLimitedSemaphore, SemaphoreStatistics
from ._outcome import Failed, Solved
from ._pending import PendingTask
from ._polling import FixedPolling, Schedule
from ._ref import TaskId, TaskRef
from ._retry import Retries
from ._statistics import LatencyStatistics, Statistics
from .errors import *  # noqa: F403  # the errors' own list says what is public
from .services import ANTI_CAPTCHA, CAPMONSTER, CAPSOLVER, CAPTCHA69, TWO_CAPTCHA, Service

if typing.TYPE_CHECKING:
    from .tasks import *  # noqa: F403  # likewise

__version__ = "0.1.0"

__all__ = [
    "ANTI_CAPTCHA",
    "CAPMONSTER",
    "CAPSOLVER",
    "CAPTCHA69",
    "TWO_CAPTCHA",
    "Batch",
    "BatchProgress",
    "CallbackReceiver",
    "CallbackStatistics",
    "CaptchaClient",
    "Failed",
    "FixedPolling",
    "Journal",
    "LatencyStatistics",
    "Limits",
    "PendingTask",
    "RateLimitedSemaphore",
    "Retries",
    "Schedule",
    "SemaphoreStatistics",
    "Service",
    "Solved",
    "Statistics",
    "TaskId",
    "TaskRef",
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
    # The task models are made when they are first used, because that takes a while for all of them.
    if name in tasks.__all__:
        return getattr(tasks, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Every task type that the library knows, by captcha family, each beside its solution."""

from __future__ import annotations

from ._model import RawSolution, RawTask, Solution, Task
from ._proxy import Proxy, ProxyType
from .image import ImageToTextSolution, ImageToTextTask
from .recaptcha import (
    NoCaptchaTaskProxyless,
    RecaptchaSolution,
    RecaptchaV2EnterpriseTask,
    RecaptchaV2Task,
    RecaptchaV3TaskProxyless,
)
from .turnstile import TurnstileSolution, TurnstileTask

__all__ = [
    "ImageToTextSolution",
    "ImageToTextTask",
    "NoCaptchaTaskProxyless",
    "Proxy",
    "ProxyType",
    "RawSolution",
    "RawTask",
    "RecaptchaSolution",
    "RecaptchaV2EnterpriseTask",
    "RecaptchaV2Task",
    "RecaptchaV3TaskProxyless",
    "Solution",
    "Task",
    "TurnstileSolution",
    "TurnstileTask",
]

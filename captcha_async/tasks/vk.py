"""VK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _encoded as encoded
from . import _fields as f
from . import _structures as more
from ._model import Solution, Task, solution, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["VKCaptchaImageSolution", "VKCaptchaImageTask", "VKCaptchaTask"]


def _steps(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(type(item) is int for item in value):
        raise TypeError("expected a list of whole numbers")
    return tuple(value)


@solution
class VKCaptchaImageSolution(Solution):
    """How far to move VK's slider."""

    best_step: int = f.answer("best_step", show=True)
    """How many steps to go."""
    solution: Sequence[int] = f.answer("solution", decode=_steps, show=True)
    """The steps that were gone."""
    answer: str = f.answer("answer")
    """The same in the form that VK's API wants."""
    preview: str | None = f.answer("preview", default=None)
    """The picture that comes out, in base64."""


@task("VKCaptchaTask", family="vk")
class VKCaptchaTask(Task[TokenSolution]):
    """Solve the captcha of VK's API, through a proxy of yours.

    Source: 2captcha docs, VK Captcha.
    """

    redirect_uri: str = f.url("redirectUri")
    """The URL that VK's API returns with the captcha."""
    user_agent: str = f.text("userAgent")
    """Browser that the solver must present."""
    proxy: Proxy = f.proxy()
    """Proxy of yours to open the page through; the token works from there only."""


@task("VKCaptchaImageTask", family="image", report="image")
class VKCaptchaImageTask(Task[VKCaptchaImageSolution]):
    """Say how far to move the slider of VK's picture.

    Source: 2captcha docs, VK Captcha.
    """

    image: encoded.File = encoded.image("image")
    """The picture."""
    steps: Sequence[int] = more.integers("steps")
    """The steps that `captchaNotRobot.getContent` gives."""

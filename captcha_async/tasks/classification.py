"""Images that capsolver classifies: the answer comes at once, in the reply to createTask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _encoded as encoded
from . import _fields as f
from ._model import Solution, Task, solution, task
from ._puzzle import Point, point_of
from ._rules import needs

__all__ = [
    "AwsWafClassificationSolution",
    "AwsWafClassificationTask",
    "RecaptchaV2ClassificationSolution",
    "RecaptchaV2ClassificationTask",
    "VisionEngineSolution",
    "VisionEngineTask",
]


# What these modules of VisionEngine need besides the image; the list of modules is open.
WITH_BACKGROUND = ("slider_1", "rotate_1", "rotate_2")
WITH_QUESTION = ("shein", "space_detection")


def _indexes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(type(item) is int for item in value):
        raise TypeError("expected a list of whole numbers")
    return tuple(value)


def _place(value: Any) -> Point:
    """A point; some samples have it in a list of its own."""
    nested = isinstance(value, list | tuple) and len(value) == 1
    return point_of(value[0] if nested else value)


@solution
class RecaptchaV2ClassificationSolution(Solution):
    """Which tiles show what was asked for."""

    objects: tuple[int, ...] = f.answer(
        "objects", default=(), decode=_indexes, show=True, empty=True
    )
    """Numbers of the tiles in reading order, from 0; empty for a single tile."""
    has_object: bool | None = f.answer("hasObject", default=None, show=True)
    """Whether it is in the image, for a single tile."""
    size: int | None = f.answer("size", default=None, show=True)
    """3 or 4: tiles in a row."""


@solution
class AwsWafClassificationSolution(Solution):
    """Which images to click, or where; by the question."""

    objects: tuple[int, ...] = f.answer(
        "objects", default=(), decode=_indexes, show=True, empty=True
    )
    """Numbers of the images, from 0, for `aws:grid:…`."""
    box: Point | None = f.answer("box", default=None, decode=_place, show=True)
    """The point, for `aws:toycarcity:…`."""
    distance: float | None = f.answer("distance", default=None, show=True)
    """How far to move, for `bifurcatedzoo`."""


@solution
class VisionEngineSolution(Solution):
    """What the module finds."""

    distance: float | None = f.answer("distance", default=None, show=True)
    """How far to move the slider, in pixels."""
    angle: float | None = f.answer("angle", default=None, show=True)
    """How far to turn, in degrees."""
    text: str | None = f.answer("text", default=None, show=True)
    """What is written."""
    box: Any = f.answer("box", default=None, show=True)
    """A place, as the service sends it."""
    rects: Sequence[Any] | None = f.answer("rects", default=None, show=True)
    """Places, as the service sends them."""


@task("ReCaptchaV2Classification", family="image", report="image")
class RecaptchaV2ClassificationTask(Task[RecaptchaV2ClassificationSolution]):
    """Say which tiles of a reCAPTCHA grid to click, or whether one tile fits.

    Source: capsolver docs, ReCaptchaV2Classification.
    """

    image: encoded.File = encoded.image("image")
    """The whole grid, or one tile."""
    question: str = f.text("question")
    """Google's id of what is looked for, such as `/m/015qff` for traffic lights."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the captcha; it helps."""
    website_key: str | None = f.text("websiteKey", default=None)
    """The widget's site key; it helps."""


@task("AwsWafClassification", family="image", report="image")
class AwsWafClassificationTask(Task[AwsWafClassificationSolution]):
    """Say which images of AWS WAF to click, or where.

    Source: capsolver docs, AwsWafClassification.
    """

    images: Sequence[encoded.File] = encoded.images("images", most=9)
    """Nine images for `aws:grid:…`, one for `aws:toycarcity:…`."""
    question: str = f.text("question")
    """What is asked for, such as `aws:grid:bag`."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the captcha; it helps."""


@task("VisionEngine", family="image", report="image")
class VisionEngineTask(Task[VisionEngineSolution]):
    """Measure a slider's way or an angle, or read an image, by a module of the service.

    Source: capsolver docs, VisionEngine.
    """

    module: str = f.text("module")
    """Which puzzle: `slider_1`, `rotate_1`, `rotate_2`, `shein`, `ocr_gif`, `space_detection`…"""
    image: encoded.File = encoded.image("image")
    """The moving piece, the inner picture, or the only one."""
    image_background: encoded.File | None = encoded.image("imageBackground", default=None)
    """The background, for `slider_1`, `rotate_1` and `rotate_2`."""
    question: str | None = f.text("question", default=None)
    """The instruction, for `shein` and `space_detection`."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the captcha; it helps."""

    def __attrs_post_init__(self) -> None:
        if self.module in WITH_BACKGROUND:
            needs(self, f"module is {self.module!r}", "image_background")
        if self.module in WITH_QUESTION:
            needs(self, f"module is {self.module!r}", "question")

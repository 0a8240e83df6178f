"""Images that people click, draw on, or turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _encoded as encoded
from . import _fields as f
from ._model import S_co, Solution, Task, shared, solution, task
from ._puzzle import Box, CoordinatesSolution, Point, boxes_of, point_of, points_of
from ._rules import at_least_one

__all__ = [
    "BoundingBoxSolution",
    "BoundingBoxTask",
    "ClickSolution",
    "CoordinatesTask",
    "DragAndDropSolution",
    "DragAndDropTask",
    "DrawAroundSolution",
    "DrawAroundTask",
    "GridTask",
    "ImageToCoordinatesSolution",
    "ImageToCoordinatesTask",
    "RotateSolution",
    "RotateTask",
]

NOTHING_FITS = "no_matching_images"
"""What 2captcha answers, in any letter case, where the task allows that nothing fits."""


def _nothing(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() == NOTHING_FITS


def _clicks(value: Any) -> tuple[int, ...]:
    if _nothing(value):
        return ()
    if not isinstance(value, list | tuple) or not all(type(item) is int for item in value):
        raise TypeError("expected a list of whole numbers")
    return tuple(value)


def _boxes(value: Any) -> tuple[Box, ...]:
    return () if _nothing(value) else boxes_of(value)


def _places(value: Any) -> tuple[Point, ...] | tuple[Box, ...]:
    first = value[0] if isinstance(value, list | tuple) and value else ()
    return boxes_of(value) if len(first) == 4 else points_of(value)


def _lines(value: Any) -> tuple[tuple[Point, ...], ...]:
    if not isinstance(value, list | tuple):
        raise TypeError("expected a list of lines")
    return tuple(map(points_of, value))


def _targets(value: Any) -> tuple[Point | None, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError("expected a list of points")
    return tuple(None if item is None else point_of(item) for item in value)


# -- solutions ------------------------------------------------------------------------------------


@solution
class ClickSolution(Solution):
    """Which tiles to click."""

    click: tuple[int, ...] = f.answer(
        "click", "answer", "text", decode=_clicks, show=True, empty=True
    )
    """Numbers of the tiles in reading order, from 1 (2captcha's pages on the tiles of reCAPTCHA and
    FunCaptcha count from 0); empty if nothing fits."""


@solution
class BoundingBoxSolution(Solution):
    """Boxes around what was asked for."""

    boxes: tuple[Box, ...] = f.answer(
        "bounding_boxes", "coordinates", "answer", "text", decode=_boxes, show=True, empty=True
    )
    """The boxes; empty if nothing fits."""


@solution
class ImageToCoordinatesSolution(Solution):
    """Points, or boxes, by the task's mode."""

    coordinates: tuple[Point, ...] | tuple[Box, ...] = f.answer(
        "coordinates", decode=_places, show=True
    )
    """The points or the boxes."""


@solution
class DrawAroundSolution(Solution):
    """Lines around what was asked for."""

    canvas: tuple[tuple[Point, ...], ...] = f.answer("canvas", decode=_lines, show=True)
    """The points of each line, in the order of drawing."""


@solution
class DragAndDropSolution(Solution):
    """Where to drop each part."""

    coordinates: tuple[Point | None, ...] = f.answer(
        "coordinates", decode=_targets, show=True, empty=True
    )
    """A point for each of the task's images; None for one that stays."""


@solution
class RotateSolution(Solution):
    """How far to turn."""

    rotate: float = f.answer("rotate", show=True)
    """Degrees clockwise."""


# -- tasks ----------------------------------------------------------------------------------------


@shared
class InstructedFields(Task[S_co]):
    """What is shown to the workers."""

    body: encoded.File = encoded.image("body", kw_only=False)
    """The image file's content: JPEG, PNG or GIF of at most 600 kB and 1000 pixels a side."""
    comment: str | None = f.text("comment", default=None)
    """What the workers are told."""
    img_instructions: encoded.File | None = encoded.image("imgInstructions", default=None)
    """A picture that tells it, of at most 100 kB."""


@task("GridTask", family="image", report="image")
class GridTask(InstructedFields[ClickSolution]):
    """Say which tiles of a grid to click.

    Source: 2captcha docs, Grid.
    """

    rows: int | None = f.integer("rows", default=None, minimum=1)
    """Rows of the grid."""
    columns: int | None = f.integer("columns", default=None, minimum=1)
    """Columns of the grid."""
    previous_id: str | None = f.text("previousId", default=None)
    """Id of your task before, about the same challenge."""
    img_type: str | None = f.text("imgType", default=None)
    """`recaptcha` or `funcaptcha` to be answered by a machine, much faster; it needs the original
    file and the original instruction in English as `comment`."""
    min_clicks: int | None = f.integer("minClicks", default=None, minimum=1)
    """Fewest clicks."""
    max_clicks: int | None = f.integer("maxClicks", default=None, minimum=1)
    """Most clicks."""
    can_no_answer: bool | None = f.flag("canNoAnswer", default=None, as_number=True)
    """True if perhaps no tile fits; the solution is empty then."""

    def __attrs_post_init__(self) -> None:
        at_least_one(self, "comment", "img_instructions")
        if self.img_type is not None:
            at_least_one(self, "comment")


@task("CoordinatesTask", family="image", report="image")
class CoordinatesTask(InstructedFields[CoordinatesSolution]):
    """Say where in an image to click.

    Sources: 2captcha docs, Coordinates; anti-captcha docs, ImageToCoordinatesTask.
    """

    min_clicks: int | None = f.integer("minClicks", default=None, minimum=1)
    """Fewest clicks; 2captcha only."""
    max_clicks: int | None = f.integer("maxClicks", default=None, minimum=1)
    """Most clicks; 2captcha only."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the image, for anti-captcha's statistics."""


@task("BoundingBoxTask", family="image", report="image")
class BoundingBoxTask(InstructedFields[BoundingBoxSolution]):
    """Draw a box around each object of a kind.

    Sources: 2captcha docs, Bounding Box; anti-captcha docs, ImageToCoordinatesTask.
    """

    can_no_answer: bool | None = f.flag("canNoAnswer", default=None, as_number=True)
    """True if perhaps nothing fits; the solution is empty then. 2captcha only."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the image, for anti-captcha's statistics."""


@task("ImageToCoordinatesTask", family="image", report="image")
class ImageToCoordinatesTask(Task[ImageToCoordinatesSolution]):
    """Point at objects in an image, or draw boxes around them.

    Source: anti-captcha docs, ImageToCoordinatesTask.
    """

    body: encoded.File = encoded.image("body", kw_only=False)
    """The image file's content, at most 500,000 bytes."""
    comment: str | None = f.text("comment", default=None)
    """The instruction in English, such as `select all cars`."""
    mode: str | None = f.text("mode", default=None, values=("points", "rectangles"))
    """What is wanted; points without it."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the image, for the service's statistics."""


@task("DrawAroundTask", family="image", report="image")
class DrawAroundTask(InstructedFields[DrawAroundSolution]):
    """Draw a line around an object.

    Source: 2captcha docs, Draw Around.
    """

    def __attrs_post_init__(self) -> None:
        at_least_one(self, "comment", "img_instructions")


@task("DragAndDropTask", family="image", report="image")
class DragAndDropTask(Task[DragAndDropSolution]):
    """Say where on a background to drop each of some images.

    Source: 2captcha docs, Drag and Drop.
    """

    background: encoded.File = encoded.image("background")
    """The background."""
    images: Sequence[encoded.File] = encoded.images("images")
    """The images to move; the answer has one place for each."""
    comment: str | None = f.text("comment", default=None)
    """What the workers are told."""


@task("RotateTask", family="image", report="image")
class RotateTask(InstructedFields[RotateSolution]):
    """Say how far to turn an image.

    Source: 2captcha docs, Rotate.
    """

    angle: int | None = f.integer("angle", default=None, minimum=1, maximum=360)
    """Degrees of one step."""

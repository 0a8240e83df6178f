"""What image puzzles answer: marked tiles, points, numbers or text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from . import _fields as f
from ._model import Solution, solution

__all__ = [
    "Box",
    "CoordinatesSolution",
    "GridSolution",
    "ImageAnswerSolution",
    "NumbersSolution",
    "Point",
    "PointsSolution",
    "PuzzleAnswer",
    "PuzzleSolution",
    "TextSolution",
]


@attrs.frozen
class Point:
    """A point in an image, in pixels from its upper left corner."""

    x: float
    """Pixels from the left edge."""
    y: float
    """Pixels from the upper edge."""


@attrs.frozen
class Box:
    """A box in an image, in pixels from its upper left corner."""

    x_min: float
    """Pixels to the left side."""
    y_min: float
    """Pixels to the upper side."""
    x_max: float
    """Pixels to the right side."""
    y_max: float
    """Pixels to the lower side."""


PuzzleAnswer = tuple[bool, ...] | tuple[float, ...] | tuple[Point, ...] | str
"""The shapes an answer may have: marked tiles, numbers, points or text."""


def _tiles(value: Any) -> tuple[bool, ...]:
    items = _items(value)
    if not all(item in (0, 1) for item in items):
        raise TypeError("expected a list of true and false")
    return tuple(bool(item) for item in items)


def _numbers(value: Any) -> tuple[float, ...]:
    items = _items(value)
    if not all(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
        raise TypeError("expected a list of numbers")
    return tuple(items)


def _points(value: Any) -> tuple[Point, ...]:
    return tuple(map(_point, _items(value)))


def _point(value: Any) -> Point:
    if not isinstance(value, Mapping):
        raise TypeError("expected a point")
    found = {key.lower(): item for key, item in value.items()}
    return Point(*_numbers([found["x"], found["y"]]))


def points_of(value: Any) -> tuple[Point, ...]:
    """Read a list of points, each an object or a pair of numbers."""
    return tuple(map(point_of, _items(value)))


def point_of(value: Any) -> Point:
    """Read a point, an object or a pair of numbers."""
    if isinstance(value, Mapping):
        return _point(value)
    x, y = _numbers(value)
    return Point(x, y)


def boxes_of(value: Any) -> tuple[Box, ...]:
    """Read a list of boxes, each an object or four numbers: left, upper, right, lower."""
    return tuple(map(_box, _items(value)))


def _box(value: Any) -> Box:
    if isinstance(value, Mapping):
        found = {key.lower(): item for key, item in value.items()}
        return Box(*_numbers([found[key] for key in ("xmin", "ymin", "xmax", "ymax")]))
    left, upper, right, lower = _numbers(value)
    return Box(left, upper, right, lower)


def _text(value: Any) -> str:
    """Text, also where the service sends its characters one by one."""
    if isinstance(value, str):
        return value
    return "".join(str(item) for item in _items(value))


def _items(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value


def _tiles_or_points(value: Any) -> tuple[bool, ...] | tuple[Point, ...]:
    items = _items(value)
    return _points(items) if items and isinstance(items[0], Mapping) else _tiles(items)


def _any(value: Any) -> PuzzleAnswer:
    """Read an answer by its own look; `AnswerType` says Text of a list of digits too."""
    if isinstance(value, str):
        return value
    items = _items(value)
    first = items[0] if items else None
    if isinstance(first, Mapping):
        return _points(items)
    return _tiles(items) if isinstance(first, bool) else _numbers(items)


@solution
class PuzzleSolution(Solution):
    """The answer to a puzzle of any kind."""

    answer: PuzzleAnswer = f.answer("answer", decode=_any, show=True, empty=True)
    """Marked tiles, numbers, points or text."""
    answer_type: str | None = f.answer("metadata.AnswerType", default=None, show=True)
    """What the service calls the answer's shape: Grid, NumericArray, Coordinate or Text."""


@solution
class GridSolution(PuzzleSolution):
    """Which tiles to click."""

    answer: tuple[bool, ...] = f.answer("answer", decode=_tiles, show=True, empty=True)
    """One flag per tile, in reading order."""


@solution
class NumbersSolution(PuzzleSolution):
    """Numbers: degrees, turns or an index."""

    answer: tuple[float, ...] = f.answer("answer", decode=_numbers, show=True)
    """The numbers; the task tells what they count."""


@solution
class PointsSolution(PuzzleSolution):
    """Where to click."""

    answer: tuple[Point, ...] = f.answer("answer", decode=_points, show=True)
    """The points, in the order of the clicks."""


@solution
class TextSolution(PuzzleSolution):
    """What was read or heard."""

    answer: str = f.answer("answer", decode=_text, show=True)
    """The text."""


@solution
class ImageAnswerSolution(PuzzleSolution):
    """Which images to click, or where in each of them."""

    answer: tuple[bool, ...] | tuple[Point, ...] = f.answer(
        "answer", decode=_tiles_or_points, show=True, empty=True
    )
    """One flag or one point per image."""


@solution
class CoordinatesSolution(Solution):
    """Where to click, or where parts belong."""

    coordinates: tuple[Point, ...] = f.answer("coordinates", "answer", decode=points_of, show=True)
    """The points, in the order of the clicks or of the parts."""

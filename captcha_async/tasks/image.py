"""Text in an image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import invalid
from . import _encoded as encoded
from . import _fields as f
from ._model import Solution, Task, solution, task

__all__ = ["ImageToTextSolution", "ImageToTextTask"]


@solution
class ImageToTextSolution(Solution):
    """What is written in the image."""

    text: str = f.answer("text", show=True)
    """The text, or the result of the sum."""


@task("ImageToTextTask", family="image", report="image")
class ImageToTextTask(Task[ImageToTextSolution]):
    """Read the text in an image.

    Sources: CapMonster docs, image-to-text; captcha69 docs, createTask.
    """

    body: bytes | str = encoded.image("body", kw_only=False)
    """The image file's content, at least 100 bytes; text is taken as base64."""
    cap_monster_module: str | None = f.text("capMonsterModule", default=None)
    """Recognition module, such as `yandex` or a user-trained one (an open list)."""
    recognizing_threshold: int | None = f.integer(
        "recognizingThreshold", default=None, minimum=0, maximum=100
    )
    """Least confidence in percent; below it the task ends as `Unsolvable` and is not charged."""
    case: bool | None = f.flag("case", default=None)
    """True if upper and lower case matter."""
    numeric: int | None = f.integer("numeric", default=None, minimum=0, maximum=1)
    """1 for digits only, 0 for other characters too."""
    math: bool | None = f.flag("math", default=None)
    """True to get the result of the sum that the image shows."""

    def __attrs_post_init__(self) -> None:
        if self.math and self.cap_monster_module == "captcha_math":
            raise invalid("math", True, "left out when cap_monster_module is 'captcha_math'")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **options: Any) -> ImageToTextTask:
        """Make a task from an image file; *options* are the other fields.

        Raises:
            OSError: the file cannot be read.
            InvalidArgument: it is no usable image, or an option is wrong.
        """
        return cls(Path(path).read_bytes(), **options)

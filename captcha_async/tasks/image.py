"""Text in an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import invalid
from . import _encoded as encoded
from . import _fields as f
from ._model import Solution, Task, solution, task
from ._solutions import PlainTextSolution, texts

__all__ = [
    "ImageToTextBatchSolution",
    "ImageToTextBatchTask",
    "ImageToTextSolution",
    "ImageToTextTask",
]


@solution
class ImageToTextSolution(PlainTextSolution):
    """What is written in the image."""

    text: str = f.answer("text", show=True)
    """The text, or the result of the sum."""
    confidence: float | None = f.answer("confidence", default=None, show=True)
    """From 0 to 1, if the service tells it."""
    url: str | None = f.answer("url", default=None)
    """Where the service keeps the image, if it tells it."""


@solution
class ImageToTextBatchSolution(Solution):
    """What is written in each of the images."""

    answers: Sequence[str] = f.answer("answers", "answer", decode=texts, show=True)
    """The texts, in the order of the images."""


@task("ImageToTextTask", family="image", report="image")
class ImageToTextTask(Task[ImageToTextSolution]):
    """Read the text in an image.

    Sources: the docs of CapMonster (image-to-text), captcha69, anti-captcha, 2captcha, capsolver.
    """

    body: encoded.File = encoded.image("body", kw_only=False)
    """The image file's content, at least 100 bytes: bytes, base64 text, a `data:` URI, or the
    `Path` of a file that is read at once."""
    cap_monster_module: str | None = f.text("capMonsterModule", default=None)
    """Recognition module, such as `yandex` or a user-trained one (an open list)."""
    recognizing_threshold: int | None = f.integer(
        "recognizingThreshold", default=None, minimum=0, maximum=100
    )
    """Least confidence in percent; below it the task ends as `Unsolvable` and is not charged."""
    case: bool | None = f.flag("case", default=None)
    """True if upper and lower case matter."""
    numeric: int | None = f.integer("numeric", default=None, minimum=0, maximum=4)
    """1 for digits only, 0 for anything. Elsewhere than at CapMonster also 2 for no digits, and at
    2captcha 3 for digits only or letters only, 4 for both together."""
    math: bool | None = f.flag("math", default=None)
    """True to get the result of the sum that the image shows."""
    phrase: bool | None = f.flag("phrase", default=None)
    """True if the text has several words; anti-captcha and 2captcha, as the next three."""
    min_length: int | None = f.integer("minLength", default=None, minimum=0)
    """Least length of the text; 0 for any."""
    max_length: int | None = f.integer("maxLength", default=None, minimum=0)
    """Largest length of the text; 0 for any."""
    comment: str | None = f.text("comment", default=None)
    """What the workers are told, such as `enter the red letters`."""
    img_instructions: encoded.File | None = encoded.image("imgInstructions", default=None)
    """A picture that tells it; 2captcha only."""
    language_pool: str | None = f.text("languagePool", default=None)
    """Language of the workers: `en` or `rn` at anti-captcha, a language's code at 2captcha."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the image; it helps capsolver, and anti-captcha's statistics."""
    score: float | None = f.number("score", default=None, minimum=0, maximum=1)
    """Least confidence, 0.8 to 1; capsolver only."""

    def __attrs_post_init__(self) -> None:
        if self.math and self.cap_monster_module == "captcha_math":
            raise invalid("math", True, "left out when cap_monster_module is 'captcha_math'")
        if self.min_length and self.max_length and self.min_length > self.max_length:
            raise invalid("min_length", self.min_length, f"at most {self.max_length}, max_length")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **options: Any) -> ImageToTextTask:
        """Make a task from an image file; *options* are the other fields.

        Raises:
            OSError: the file cannot be read.
            InvalidArgument: it is no usable image, or an option is wrong.
        """
        return cls(Path(path).read_bytes(), **options)


@task("ImageToTextTask", family="image", report="image")
class ImageToTextBatchTask(Task[ImageToTextBatchSolution]):
    """Read the digits in up to nine images at once.

    Source: capsolver docs, ImageToTextTask.
    """

    images: Sequence[encoded.File] = encoded.images("images", most=9)
    """The image files' content."""
    module: str = f.text("module")
    """The recognition module; `number` is the one that takes several images."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the images."""

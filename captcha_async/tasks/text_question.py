"""Questions in words."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._solutions import PlainTextSolution

__all__ = ["TextCaptchaTask"]


@task("TextCaptchaTask", family="image", report="image")
class TextCaptchaTask(Task[PlainTextSolution]):
    """Answer a question, such as `If tomorrow is Saturday, what day is today?`.

    Source: 2captcha docs, Text.
    """

    comment: str = f.text("comment", kw_only=False)
    """The question, with what has to be known for it."""
    language_pool: str | None = f.text("languagePool", default=None)
    """Language of the workers, such as `en`."""

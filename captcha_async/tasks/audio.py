"""Speech."""

from __future__ import annotations

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, task
from ._solutions import PlainTextSolution

__all__ = ["AudioTask"]


@task("AudioTask", family="image", report="image")
class AudioTask(Task[PlainTextSolution]):
    """Write down what is said in a recording.

    Source: 2captcha docs, Audio.
    """

    body: encoded.File = encoded.file("body", kw_only=False, what="an MP3 file")
    """The content of an MP3 file of at most 1 MB, or its base64 text."""
    lang: str = f.text("lang", values=("en", "fr", "de", "el", "pt", "ru"))
    """The language that is spoken."""

"""Image and audio puzzles of single sites (`ComplexImageTask`, class `recognition`).

Each known puzzle has a task of its own, named after its `metadata.Task`; any other goes through
`ComplexImageRecognitionTask`.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import _encoded as encoded
from . import _fields as f
from ._model import S_co, Task, shared, task
from ._puzzle import GridSolution, NumbersSolution, PointsSolution, PuzzleSolution, TextSolution

__all__ = [
    "BaiduTask",
    "Betpunch3x3RotateTask",
    "BillsAudioTask",
    "Bls3x3Task",
    "ComplexImageRecognitionTask",
    "DliTask",
    "MathSumTask",
    "OoclRotateDoubleNewTask",
    "OoclRotateNewTask",
    "PortugalTextFindIconTask",
    "SheinTask",
]


def _puzzle(name: str) -> dict[str, str]:
    return {"class": "recognition", "metadata.Task": name}


@shared
class PuzzleFields(Task[S_co]):
    """What every puzzle takes besides its files; both are from the official SDKs."""

    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the images were shown to."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the captcha."""


@task("ComplexImageTask", fixed={"class": "recognition"}, family="image", report="image")
class ComplexImageRecognitionTask(PuzzleFields[PuzzleSolution]):
    """Solve a puzzle that has no task of its own here.

    Source: CapMonster docs, ComplexImageTask-Recognition; the list of puzzles is open.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", of="media")
    """The files' content, in the order that the puzzle asks for."""
    task: str = f.text("metadata.Task")
    """The puzzle's name."""
    task_argument: str | None = f.text("metadata.TaskArgument", default=None)
    """What to look for."""
    payload_type: str | None = f.text("metadata.PayloadType", default=None)
    """What the files are, if they are no images."""


@task("ComplexImageTask", fixed=_puzzle("oocl_rotate_new"), family="image", report="image")
class OoclRotateNewTask(PuzzleFields[NumbersSolution]):
    """Turn a circle so that it fits its background; the answer is degrees clockwise.

    Source: CapMonster docs, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=2, most=2)
    """Background and circle."""


@task("ComplexImageTask", fixed=_puzzle("oocl_rotate_double_new"), family="image", report="image")
class OoclRotateDoubleNewTask(PuzzleFields[NumbersSolution]):
    """Turn a ring and a circle so that they fit; the answer is degrees.

    The ring turns counter-clockwise by them, the circle clockwise.

    Source: CapMonster docs, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=3, most=3)
    """Background, ring and circle."""


@task("ComplexImageTask", fixed=_puzzle("betpunch_3x3_rotate"), family="image", report="image")
class Betpunch3x3RotateTask(PuzzleFields[NumbersSolution]):
    """Turn nine tiles; the answer is quarter turns counter-clockwise, 4 for none.

    Source: CapMonster docs, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=9, most=9)
    """The nine tiles, in the page's order."""


@task("ComplexImageTask", fixed=_puzzle("bls_3x3"), family="image", report="image")
class Bls3x3Task(PuzzleFields[GridSolution]):
    """Find the tiles that show a number.

    Source: CapMonster docs, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=9, most=9)
    """The nine tiles."""
    task_argument: str = f.text("metadata.TaskArgument")
    """The number to find, as text."""


@task("ComplexImageTask", fixed=_puzzle("shein"), family="image", report="image")
class SheinTask(PuzzleFields[PointsSolution]):
    """Say where to click, and in which order.

    Source: CapMonster docs, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=1, most=1)
    """The image."""


@task("ComplexImageTask", fixed=_puzzle("baidu"), family="image", report="image")
class BaiduTask(PuzzleFields[NumbersSolution]):
    """Turn an image upright; the answer is degrees clockwise.

    The first tasks may end as `Unsolvable` while the service warms up: try again.

    Source: CapMonster docs, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=1, most=1)
    """The image."""


@task(
    "ComplexImageTask",
    fixed=_puzzle("bills_audio") | {"metadata.PayloadType": "Audio"},
    family="image",
    report="image",
)
class BillsAudioTask(PuzzleFields[TextSolution]):
    """Write down the digits that are spoken.

    Source: CapMonster docs, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images(
        "imagesBase64", least=1, most=1, of="media"
    )
    """The content of one WAV file."""


@task("ComplexImageTask", fixed=_puzzle("dli"), family="image", report="image")
class DliTask(PuzzleFields[TextSolution]):
    """Give the result that an image with text asks for.

    Source: CapMonster docs, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=1, most=1)
    """The image with its text."""


@task("ComplexImageTask", fixed=_puzzle("MathSum"), family="image", report="image")
class MathSumTask(PuzzleFields[TextSolution]):
    """Give the result of a sum.

    Source: CapMonster docs of 2026-08, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=1, most=1)
    """The image."""


@task("ComplexImageTask", fixed=_puzzle("portugal_text_find_icon"), family="image", report="image")
class PortugalTextFindIconTask(PuzzleFields[NumbersSolution]):
    """Find an icon by an instruction in Portuguese; the answer is its position from 1 to 5.

    Source: CapMonster docs of 2026-08, ComplexImageTask-Recognition.
    """

    images_base64: Sequence[encoded.File] = encoded.images("imagesBase64", least=1, most=1)
    """The five icons side by side in one image."""
    task_argument: str = encoded.escaped("metadata.TaskArgument")
    """The instruction, such as `Encontre o(a) avião.`."""

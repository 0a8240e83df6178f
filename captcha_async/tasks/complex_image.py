"""Images of a widget that is clicked by the caller: reCAPTCHA, hCaptcha and FunCaptcha."""

from __future__ import annotations

from collections.abc import Sequence

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, task
from ._puzzle import GridSolution, ImageAnswerSolution
from ._rules import at_least_one, at_most_one

__all__ = [
    "ComplexImageFunCaptchaTask",
    "ComplexImageHCaptchaTask",
    "ComplexImageRecaptchaTask",
]


@task("ComplexImageTask", fixed={"class": "recaptcha"}, family="image", report="image")
class ComplexImageRecaptchaTask(Task[GridSolution]):
    """Say which tiles of a reCAPTCHA grid to click.

    Source: CapMonster docs, recaptcha-click, whose sample spells `websiteUrl` so.
    """

    image_urls: Sequence[str] | None = f.texts("imageUrls", default=None, most=1, urls=True)
    """URL of the image: the whole grid, or one new tile."""
    images_base64: Sequence[encoded.File] | None = encoded.images(
        "imagesBase64", default=None, most=1
    )
    """The image file's content instead."""
    grid: str = f.text("metadata.Grid", values=("4x4", "3x3", "1x1"))
    """Size of the grid."""
    task: str | None = f.text("metadata.Task", default=None)
    """The instruction in English, such as `Click on traffic lights`."""
    task_definition: str | None = f.text("metadata.TaskDefinition", default=None)
    """Google's id of what is looked for, such as `/m/015qff`."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the images were shown to."""
    website_url: str | None = f.url("websiteUrl", default=None)
    """The page that shows the captcha."""

    def __attrs_post_init__(self) -> None:
        at_least_one(self, "image_urls", "images_base64")
        at_least_one(self, "task", "task_definition")


@task(
    "ComplexImageTask",
    fixed={"class": "hcaptcha"},
    family="image",
    report="image",
    historic=True,
)
class ComplexImageHCaptchaTask(Task[ImageAnswerSolution]):
    """Say which images of hCaptcha to click, or where.

    Source: CapMonster docs, hcaptcha-click, deleted in 2025-04; the official SDKs have it still.
    """

    image_urls: Sequence[str] | None = f.texts("imageUrls", default=None, most=18, urls=True)
    """URLs of the images."""
    images_base64: Sequence[encoded.File] | None = encoded.images(
        "imagesBase64", default=None, most=18
    )
    """The image files' content instead."""
    task: str = f.text("metadata.Task")
    """The instruction in English."""
    classes: Sequence[str] | None = f.texts("metadata.Classes", default=None)
    """The words to choose from, in the puzzle that asks for the matching word."""
    example_image_urls: Sequence[str] | None = f.texts(
        "exampleImageUrls", default=None, most=1, urls=True
    )
    """URL of the reference picture."""
    example_images_base64: Sequence[encoded.File] | None = encoded.images(
        "exampleImagesBase64", default=None, most=1
    )
    """The reference picture's content instead."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the images were shown to."""
    website_url: str | None = f.url("websiteUrl", default=None)
    """The page that shows the captcha."""

    def __attrs_post_init__(self) -> None:
        at_least_one(self, "image_urls", "images_base64")
        at_most_one(self, "example_image_urls", "example_images_base64")


@task(
    "ComplexImageTask",
    fixed={"class": "funcaptcha"},
    family="image",
    report="image",
    historic=True,
)
class ComplexImageFunCaptchaTask(Task[GridSolution]):
    """Say which picture of a FunCaptcha image to pick.

    Source: CapMonster docs, funcaptcha-click, deleted in 2024-10; the official SDKs have it still.
    """

    image_urls: Sequence[str] | None = f.texts("imageUrls", default=None, most=1, urls=True)
    """URL of the image."""
    images_base64: Sequence[encoded.File] | None = encoded.images(
        "imagesBase64", default=None, most=1
    )
    """The image file's content instead."""
    task: str = f.text("metadata.Task")
    """The instruction in English."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the image was shown to."""
    website_url: str | None = f.url("websiteURL", default=None)
    """The page that shows the captcha."""

    def __attrs_post_init__(self) -> None:
        at_least_one(self, "image_urls", "images_base64")

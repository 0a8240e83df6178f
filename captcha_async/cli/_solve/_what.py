"""What `solve` is given turned into a task: an image, an address, standard input, or a type."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import attrs

from ...errors import InvalidArgument
from ...services import Service
from ...tasks import ImageToTextTask, Task
from .._batch import _json as json
from .._batch._bad import BadLine
from .._batch._tasks import Reading, parse, typed
from .._exits import USAGE, fail
from .._images import MOST_BYTES, NotAnImage, check_image, image_kind, looks_like, read_image
from .._options import type_names
from .._types._catalogue import fields_of, find_types

__all__ = ["SHORT", "build_task", "complete_what"]

SHORT = {
    "image": "ImageToTextTask",
    "recaptcha-v2": "RecaptchaV2Task",
    "recaptcha-v2-enterprise": "RecaptchaV2EnterpriseTask",
    "recaptcha-v3": "RecaptchaV3TaskProxyless",
    "turnstile": "TurnstileTask",
    "geetest": "GeeTestTask",
    "geetest-v4": "GeeTestV4Task",
    "funcaptcha": "FunCaptchaTask",
    "aws": "AmazonTask",
    "datadome": "DataDomeTask",
    "imperva": "ImpervaTask",
}
SECONDS = 30.0
# Some servers send nothing to a caller who does not say who he is.
AGENT = "captcha-async (command line)"


def complete_what(incomplete: str) -> list[str]:
    """Return the types that a word may become."""
    names = [*SHORT, *type_names()]
    return [name for name in names if name.lower().startswith(incomplete.lower())]


def build_task(what: str, given: Mapping[str, Any], service: Service) -> Task[Any]:
    """Return the task.

    Args:
        what: the first argument.
        given: fields by option, those that were given.
        service: whose names of types and fields are taken as well.
    """
    fields = {name: value for name, (_, value) in given.items()}
    if what == "-":
        return _from_input(given, service)
    if what.lower().startswith(("http://", "https://")):
        return _from_image(_fetch(what), given, service, what)
    if Path(what).is_file():
        return _from_image(_read(Path(what)), given, service, what)
    name = _find(what)
    if name is None:
        _fail_unknown(what)
    _check_options(what, name, given)
    return _load({"type": name, **fields}, service, name)


def _from_input(given: Mapping[str, Any], service: Service) -> Task[Any]:
    if sys.stdin is None:
        fail("standard input is closed", USAGE)
    content = sys.stdin.buffer.read(MOST_BYTES)
    if content.lstrip()[:1] == b"{":
        body = {name: value for name, (_, value) in given.items()}
        return _load({**_object(content), **body}, service, "the task on standard input")
    return _from_image(_checked(content, "standard input"), given, service, "standard input")


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.read(content)
    except ValueError as error:
        fail(f"standard input is no JSON: {error}", USAGE)
    if not isinstance(body, dict):
        fail("standard input is no JSON object", USAGE)
    return body


def _from_image(
    content: bytes, given: Mapping[str, Any], service: Service, where: str
) -> Task[Any]:
    known = fields_of(ImageToTextTask)
    for name, (option, _) in given.items():
        if name not in known:
            fail(f"{option} is not for images", USAGE)
    fields = {name: value for name, (_, value) in given.items()}
    try:
        task = ImageToTextTask(content, **_typed({"type": "ImageToTextTask", **fields}))
        service.check(task)
    except InvalidArgument as error:
        fail(f"{where}: {error}", USAGE)
    return task


def _typed(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in typed(body).items() if name != "type"}


def _load(body: dict[str, Any], service: Service, name: str) -> Task[Any]:
    """Read a task as a line of a table: the values of options are text."""
    try:
        _, task = parse(body, Reading(service, send_unknown=True))
    except BadLine as error:
        cause = error.__cause__
        if isinstance(cause, InvalidArgument):
            raise cause from None
        fail(f"{name}: {error}", USAGE)
    return task


# -- images ---------------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    try:
        return read_image(path)
    except NotAnImage as error:
        fail(f"{path} {error}", USAGE)
    except OSError as error:
        fail(f"{path}: {error.strerror or type(error).__name__}", USAGE)


def _checked(content: bytes, where: str) -> bytes:
    try:
        return check_image(content)
    except NotAnImage as error:
        fail(f"{where} {error}", USAGE)


def _fetch(url: str) -> bytes:
    """Get an image by its address; proxies of the environment are used."""
    request = Request(url, headers={"User-Agent": AGENT})
    try:
        with urlopen(request, timeout=SECONDS) as reply:
            content: bytes = reply.read(MOST_BYTES)
    except HTTPError as error:
        # It holds the reply, which has to be closed.
        with error:
            fail(f"{url}: {error.reason} (HTTP status {error.code})", USAGE)
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        fail(f"{url}: {reason}", USAGE)
    if image_kind(content) is None:
        fail(
            f"{url} is no image but {looks_like(content)}: for a captcha on a page give its type, "
            f"such as `captcha-async solve turnstile --url {url} --key ...`",
            USAGE,
        )
    return content


# -- types ----------------------------------------------------------------------------------------


def _find(what: str) -> str | None:
    """Return the name of the type that is meant."""
    word = what.lower()
    if word in SHORT:
        return SHORT[word]
    plain = word.replace("-", "").replace("_", "")
    names = {name.lower(): name for name in type_names()}
    for each in (word, plain, f"{plain}task"):
        if each in names:
            return names[each]
    found = find_types(what)
    return found[0].spec.type if found else None


def _fail_unknown(what: str) -> NoReturn:
    names = {name.lower(): name for name in (*SHORT, *type_names())}
    near = difflib.get_close_matches(what.lower(), names, 2, cutoff=0.5)
    meant = f"; did you mean {' or '.join(names[each] for each in near)}?" if near else ""
    fail(
        f"{what} is neither an image file nor a task type{meant} "
        "(`captcha-async types` lists them)",
        USAGE,
    )


def _check_options(what: str, name: str, given: Mapping[str, Any]) -> None:
    """Refuse options that the type has no field for, and tell which ones are missing."""
    models = find_types(name)
    known: set[str] = {"proxy"}
    for model in models:
        known |= fields_of(model).keys()
        for wire in fields_of(model).values():
            known |= {".".join(wire.path), wire.path[-1] if wire.path else ""}
    for field, (option, _) in given.items():
        if models and field not in known and not option.startswith("--field"):
            fail(f"{option} is not for {what}", USAGE)
    if len(models) != 1:
        return
    options = {"website_url": "--url (the page)", "website_key": "--key (its site key)"}
    missing = [
        options.get(each.name, f"--field {each.name}=...")
        for each in attrs.fields(cast("type[attrs.AttrsInstance]", models[0]))
        if each.default is attrs.NOTHING and not _is_given(each, given)
    ]
    if missing:
        fail(f"{what} needs {' and '.join(missing)}", USAGE)


def _is_given(field: Any, given: Mapping[str, Any]) -> bool:
    path = field.metadata["wire"].path
    names = {field.name, ".".join(path), path[-1] if path else ""}
    files = {"body": "file", "images_base64": "file"}
    return bool(names & given.keys()) or files.get(field.name) in given

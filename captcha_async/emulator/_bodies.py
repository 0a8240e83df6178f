"""Which task objects the emulator refuses, with which of the service's own error codes.

They are judged by the raw JSON and the service's dialect, whose tables the tests compare with the
documented facts; after that by the models, which know of more rules.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidArgument
from ..services import Service, TypeDialect
from ..services._checks import check_fields
from ..wire import load_task
from ..wire._models import find_codec, has_other_kind
from ..wire._task_codec import TaskCodec
from ._answers import look_up

__all__ = ["refusal"]

Refusal = tuple[str, str]
Task = Mapping[str, Any]

MIN_IMAGE_BYTES = 100
PROXY_KEYS = ("proxyType", "proxyAddress", "proxyPort")
PROXY_TYPES = ("http", "https", "socks4", "socks5")

# What each service answers to a task object that lacks something.
_INVALID = {
    "anti-captcha": "ERROR_INCORRECT_SESSION_DATA",
    "2captcha": "ERROR_BAD_PARAMETERS",
    "capsolver": "ERROR_INVALID_TASK_DATA",
}
_INVALID_IMAGE = {
    "captcha69": "ERROR_IMAGE_BODY_NOT_CORRECT",
    "anti-captcha": "ERROR_IMAGE_TYPE_NOT_SUPPORTED",
    "2captcha": "ERROR_IMAGE_TYPE_NOT_SUPPORTED",
    "capsolver": "ERROR_INVALID_IMAGE",
}
_SMALL_IMAGE = {"captcha69": "ERROR_IMAGE_BODY_NOT_CORRECT", "capsolver": "ERROR_INVALID_IMAGE"}
_BAD_PROXY = {
    "anti-captcha": "ERROR_INCORRECT_SESSION_DATA",
    "2captcha": "ERROR_BAD_PROXY",
    "capsolver": "ERROR_INVALID_TASK_DATA",
}


def refusal(task: Mapping[str, Any], service: Service) -> Refusal | None:
    """Return the error code and description for a bad task object, or None for a good one."""
    if not isinstance(task, Mapping) or not isinstance(task.get("type"), str) or not task["type"]:
        return "ERROR_TASK_ABSENT", "The task object or its type is missing."
    codec = find_codec(task, service, own=False)
    dialect = None if codec is None else service.dialect(codec.model)
    if (
        codec is None
        or dialect is None
        or dialect.withdrawn
        or has_other_kind(task, codec, service)
    ):
        return _unsupported(task)
    problems = [*codec.missing(task), *_wrong(task, codec)]
    if problems:
        image = _INVALID_IMAGE.get(service.name) if problems == ["body"] else None
        return image or _invalid(service), f"Missing or wrong: {', '.join(problems)}."
    return (
        _refuse_images(task, service, dialect)
        or _refuse_proxy(task, service, dialect)
        or _misread(task, service, dialect)
    )


def _unsupported(task: Task) -> Refusal:
    return "ERROR_TASK_NOT_SUPPORTED", f"The task type {task['type']!r} is not supported."


def _invalid(service: Service) -> str:
    return _INVALID.get(service.name, "ERROR_INVALID_TASK")


def _misread(task: Task, service: Service, dialect: TypeDialect) -> Refusal | None:
    """What the models and the dialect say."""
    try:
        check_fields(load_task(task, service, lenient=True), dialect, service.name)
    except InvalidArgument as error:
        return _invalid(service), f"Wrong: {error.field} must be {error.rule}."
    return None


def _wrong(task: Task, codec: TaskCodec) -> list[str]:
    """Keys whose value is of a wrong kind."""
    values = ((key, kind, look_up(task, key)) for key, kind in codec.kinds().items())
    return [key for key, kind, value in values if value is not None and not _fits(kind, value)]


def _fits(kind: str, value: Any) -> bool:
    if kind == "object":
        return isinstance(value, Mapping)
    if kind.startswith("list") and not kind.endswith("as text"):
        return isinstance(value, list)
    if kind == "true or false":
        return value in (True, False, 0, 1)
    if kind == "http(s) URL":
        return isinstance(value, str) and value.lower().startswith(("http://", "https://"))
    return isinstance(value, str | int | float)


def _refuse_images(task: Task, service: Service, dialect: TypeDialect) -> Refusal | None:
    body = look_up(task, "body")
    if body is None:
        return None
    try:
        size = len(base64.b64decode(str(body).rpartition(",")[2], validate=True))
    except (binascii.Error, ValueError, TypeError):
        code = _INVALID_IMAGE.get(service.name, "ERROR_ZERO_CAPTCHA_FILESIZE")
        return code, "body is no base64 text."
    if size < MIN_IMAGE_BYTES:
        code = _SMALL_IMAGE.get(service.name, "ERROR_ZERO_CAPTCHA_FILESIZE")
        return code, f"body holds {size} bytes, fewer than {MIN_IMAGE_BYTES}."
    limit = dialect.limits.get("body", service.max_image_bytes)
    if limit is not None and size > limit:
        return "ERROR_TOO_BIG_CAPTCHA_FILESIZE", f"body holds {size} bytes, more than {limit}."
    return None


def _refuse_proxy(task: Task, service: Service, dialect: TypeDialect) -> Refusal | None:
    keys = PROXY_KEYS if dialect.proxy_type else PROXY_KEYS[1:]
    given = [key for key in keys if look_up(task, key) not in (None, "")]
    code = _BAD_PROXY.get(service.name, "ERROR_PROXY_MISSING")
    # Only the names for a proxy take one; what a service does with it elsewhere is not told.
    wanted = dialect.proxyless is None and dialect.proxied is not None
    if (not given and not wanted) or look_up(task, "proxy"):
        return None
    if len(given) < len(keys):
        missing = [key for key in keys if key not in given]
        return code, f"Missing: {', '.join(missing)}."
    return _refuse_proxy_values(task, service, code)


def _refuse_proxy_values(task: Task, service: Service, code: str) -> Refusal | None:
    kind, port = look_up(task, "proxyType"), look_up(task, "proxyPort")
    if kind is not None and kind not in PROXY_TYPES:
        return code, f"proxyType must be one of {', '.join(PROXY_TYPES)}."
    if port is not None and (not isinstance(port, int) or not 0 <= port <= 65535):
        return code, "proxyPort must be a number from 0 to 65535."
    credentials = f"{look_up(task, 'proxyLogin') or ''}{look_up(task, 'proxyPassword') or ''}"
    if set(credentials) & set(service.forbidden_in_credentials):
        rule = "proxyLogin or proxyPassword holds a character that is not allowed."
        return "ERROR_PROXY_CREDENTIALS_INVALID_CHARACTER", rule
    return None

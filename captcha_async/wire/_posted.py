"""What a callback's body says, in every form that services use. Pure; reads any bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import attrs
import orjson

from .._ref import TaskId
from ._refusals import as_code
from ._replies import read_task_id
from ._values import read_object

__all__ = ["Posted", "read_posted"]

FORM = "application/x-www-form-urlencoded"

# One of them makes an object a reply of getTaskResult's shape.
SHAPE = frozenset({"status", "solution", "errorid", "errorcode"})

MOST_FIELDS = 100


@attrs.frozen
class Posted:
    """A callback that can be read."""

    reply: bytes = attrs.field(repr=False)
    """JSON of getTaskResult's shape."""
    task_id: TaskId | None
    """The task that it names, if it names one."""


def read_posted(content_type: str, body: bytes, query: bytes) -> Posted | None:
    """Return what was posted, or None if it is of no known form.

    The forms are JSON of getTaskResult's shape; the same as form fields; and the pingback, `id`
    and `code`, as JSON, as form fields or in the query of the URL.
    """
    if not body.strip():
        return _read_fields(_form(query))
    json = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    if json or content_type.partition(";")[0].strip().lower() != FORM:
        fields = read_object(body)
        if _has_shape(fields):
            return Posted(body, read_task_id(fields))
        # Not everybody says of a form that it is one.
        return _read_fields(fields) or (None if json else _read_fields(_form(body)))
    return _read_fields(_form(body))


def _read_fields(fields: Mapping[str, Any]) -> Posted | None:
    if _has_shape(fields):
        reply = dict(fields)
    elif (pingback := _pingback(fields)) is not None:
        reply = pingback
    else:
        return None
    try:
        return Posted(orjson.dumps(reply), read_task_id(reply))
    except orjson.JSONEncodeError:
        return None


def _pingback(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    code = fields.get("code")
    if not isinstance(code, str) or not code:
        return None
    refusal = as_code(code)
    if refusal is not None:
        said = {"errorCode": refusal.code.replace("CAPCHA_NOT", "CAPTCHA_NOT")}
        if refusal.description:
            said["errorDescription"] = refusal.description
        return {"errorId": 1, **said, "taskId": fields.get("id")}
    return {"errorId": 0, "status": "ready", "solution": code, "taskId": fields.get("id")}


def _has_shape(fields: Mapping[str, Any]) -> bool:
    return not SHAPE.isdisjoint(map(str.lower, fields))


def _form(text: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(text.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: _value(name, value) for name, value in pairs}


def _value(name: str, value: str) -> Any:
    """An object stands in a form as its JSON."""
    if name.lower() == "solution" and value[:1] == "{":
        return dict(read_object(value.encode("utf-8", "replace"))) or value
    return value

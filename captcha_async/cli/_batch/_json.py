"""JSON read in one way everywhere, also where text holds what no encoding has."""

from __future__ import annotations

import json
from typing import Any

import orjson

__all__ = ["dump", "read"]


def read(text: bytes) -> Any:
    r"""Return the value of a JSON text; half a surrogate pair (`"\ud800"`) is a text like others.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if b"\\u" not in text:
            raise
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise error from None


def dump(value: Any) -> bytes:
    """Return the JSON text of a value, which `read` turns into the same again."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # Services may send what JSON knows and that encoder does not; names may hold surrogates.
        return json.dumps(value, separators=(",", ":")).encode()

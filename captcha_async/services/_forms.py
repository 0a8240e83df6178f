"""Other forms of a value on the wire, from what a model writes to what a service wants and back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import attrs

__all__ = ["FORMS", "Form"]


@attrs.frozen(eq=False, repr=False)
class Form:
    """A way to write a value."""

    write: Callable[[Any], Any]
    """From the model's wire value to the service's."""
    read: Callable[[Any], Any]
    """Back; a value of another form is passed on."""
    lists: bool = False
    """Whether the service's value is a list."""


def _to_pairs(value: Any) -> Any:
    parts = (part.strip().partition("=") for part in str(value).split(";") if part.strip())
    return [{"name": name, "value": content} for name, _, content in parts]


def _from_pairs(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        return value
    return "; ".join(f"{item.get('name')}={item.get('value')}" for item in value)


def _to_html(value: Any) -> Any:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return value


def _from_html(value: Any) -> Any:
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value


FORMS: Mapping[str, Form] = {
    # Cookies as a list of names and values.
    "pairs": Form(_to_pairs, _from_pairs, lists=True),
    # A page as it is, not in base64.
    "html": Form(_to_html, _from_html),
}
"""The forms by name."""

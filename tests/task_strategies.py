"""Hypothesis strategies: any valid task of a model, drawn from the models' own declarations."""

from __future__ import annotations

import string
from functools import cache
from typing import Any

import attrs
import hypothesis
from hypothesis import strategies as st

from captcha_async.errors import InvalidArgument
from captcha_async.tasks import Proxy, Task
from captcha_async.tasks._families import all_models
from captcha_async.tasks._fields import WireField

NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=12)
# No backslash: a text that looks like an escape is read as the letter it stands for.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\\"), min_size=1).filter(str.strip)
URLS = st.builds("https://{}.example/{}?{}=1".format, NAMES, NAMES, NAMES)
FILES = st.binary(min_size=100, max_size=140).map(b"\x89PNG\r\n\x1a\n".__add__)
PAGES = st.binary(min_size=1, max_size=40).map(b"<html>".__add__)


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value."""
    plain: st.SearchStrategy[Any] = st.none() | st.booleans() | st.text()
    plain |= st.integers(-(2**53), 2**53)
    plain |= st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    )


def proxies() -> st.SearchStrategy[Proxy]:
    """Proxies that every service accepts."""
    pairs = st.tuples(NAMES, NAMES) | st.just((None, None))
    return st.builds(
        lambda kind, last, port, pair: Proxy(kind, f"203.0.113.{last}", port, *pair),
        st.sampled_from(["http", "https", "socks4", "socks5"]),
        st.integers(1, 254),
        st.integers(0, 65535),
        pairs,
    )


def _lists(item: st.SearchStrategy[Any], wire: WireField) -> st.SearchStrategy[Any]:
    least, most = int(wire.least or 1), int(wire.most or 3)
    return st.lists(item, min_size=least, max_size=min(most, max(3, least))).map(tuple)


@cache
def _values(wire: WireField) -> st.SearchStrategy[Any]:
    """Valid values of a field."""
    if wire.values:
        return st.sampled_from(wire.values)
    if wire.pattern:
        return st.from_regex(wire.pattern, fullmatch=True)
    least, most = wire.least, wire.most
    objects = st.dictionaries(NAMES, json_values(), max_size=3)
    integers = st.integers(least or 0, most or 2**53)  # type: ignore[arg-type]
    kinds: dict[str, Any] = {
        "text": TEXTS,
        "text, may be empty": st.text(),
        "text, as ASCII with escapes": TEXTS,
        "http(s) URL": URLS,
        "list of texts": _lists(TEXTS, wire),
        "list of http(s) URLs": _lists(URLS, wire),
        "true or false": st.booleans(),
        "whole number": integers,
        "whole number, as text": integers,
        "number": st.floats(least or 0, most or 1),
        "object": objects,
        "JSON object, as text": objects,
        "cookies, as `a=b; c=d`": st.dictionaries(NAMES, NAMES, min_size=1, max_size=3),
        "file in base64": FILES,
        "list of whole numbers": _lists(integers, wire),
        "list of whole numbers, as text": _lists(integers, wire),
        "text or whole number": integers | TEXTS,
        "list of files in base64": _lists(FILES, wire),
        "page in base64": PAGES,
        "proxy": proxies(),
    }
    return kinds[wire.kind]  # type: ignore[no-any-return]


def models_of() -> st.SearchStrategy[type[Task[Any]]]:
    """Any task model."""
    return st.sampled_from(all_models())


@st.composite
def tasks_of(draw: st.DrawFn, model: type[Task[Any]]) -> Task[Any]:
    """Any valid task of a model."""
    given: dict[str, Any] = {}
    for field in attrs.fields(model):  # type: ignore[arg-type]
        # Further keys are what the library does not know of: they cannot be read back.
        if field.name == "extra":
            continue
        if field.default is attrs.NOTHING or draw(st.booleans()):
            given[field.name] = draw(_values(field.metadata["wire"]))
    if model.__name__ == "GeeTestTaskProxyless":
        # Such a name of an operation would make it a GeeTestOperationTask.
        given["challenge"] = draw(st.uuids()).hex
    try:
        return model(**given)
    except InvalidArgument:
        # A rule between fields: only such tasks are left out.
        hypothesis.reject()

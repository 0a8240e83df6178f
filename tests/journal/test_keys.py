"""Keys of batches as text: each is recognised, and none is taken for another."""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import InvalidArgument
from captcha_async._journal._keys import dump_key, dump_old_key, load_key

TEXT = st.text(st.characters(codec=None), max_size=20)
ZONES = st.timezones() | st.none()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=ZONES)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=20)
    | TEXT.filter(lambda text: "\0" not in text).map(Path)
)
KEYS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=8)


def same(one: Any, other: Any) -> bool:
    """Tell whether two keys are one, of one kind throughout (unlike 1 and True, 1 and 1.0)."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same(*pair) for pair in pairs)
    return type(one) is type(other) and repr(one) == repr(other)


@given(KEYS)
def test_a_key_comes_back_as_it_was(key: Any) -> None:
    """Of its kind, and equal to what was given; its text is one that SQLite stores."""
    text = dump_key(key)
    text.encode()
    back = load_key(text)
    assert back == key
    assert type(back) is type(key)


OSLO = ZoneInfo("Europe/Oslo")


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize(
    "moment",
    [
        datetime.datetime(2026, 3, 29, 2, 30, tzinfo=OSLO),
        datetime.datetime(2026, 10, 25, 2, 30, tzinfo=OSLO),
    ],
    ids=["left out", "twice"],
)
def test_a_moment_at_which_clocks_are_changed_comes_back(
    moment: datetime.datetime, fold: int
) -> None:
    """To Python it equals no moment of another zone, so only its own zone will do."""
    key = moment.replace(fold=fold)
    back = load_key(dump_key(key))
    assert back == key
    assert {key: "found"}[back]
    assert (back.fold, back.utcoffset()) == (fold, key.utcoffset())


def test_a_zone_that_is_not_known_here_is_told() -> None:
    """As damage is."""
    with pytest.raises(ValueError, match="no key"):
        load_key('{"moment":["2026-10-25T02:30:00",0,"Nowhere/At_All"]}')


@given(KEYS, KEYS)
def test_no_two_keys_share_a_text(one: Any, other: Any) -> None:
    """Else one would get the answer of the other."""
    if not same(one, other) and dump_key(one) == dump_key(other):
        # Moments are equal in every zone; nothing else is equal without being the same.
        assert one == other


ALIKE = [
    1,
    "1",
    True,
    1.0,
    Decimal(1),
    (1,),
    ("1",),
    "true",
    None,
    "null",
    "",
    (),
    ((),),
    Path("a"),
    "a",
    b"a",
    uuid.UUID(int=1),
    str(uuid.UUID(int=1)),
    datetime.date(2020, 1, 1),
    datetime.datetime(2020, 1, 1),  # noqa: DTZ001 (the kind without a zone)
    "2020-01-01",
    "2020-01-01T00:00:00",
    '{"path":"a"}',
    "\ud83d\ude00",
    "😀",
    "\udce9",
    "\\udce9",
]


def test_keys_that_look_alike_are_told_apart() -> None:
    """Each has a text of its own."""
    assert len({dump_key(key) for key in ALIKE}) == len(ALIKE)


class Colour(enum.Enum):
    """A member is not its value."""

    RED = 1


class Size(enum.IntEnum):
    """A member is its value."""

    LARGE = 1


class Word(str, enum.Enum):  # noqa: UP042 (the older kind)
    """A member is its value."""

    YES = "yes"


class Pair(NamedTuple):
    """It is equal to a tuple."""

    first: int
    second: str


@pytest.mark.parametrize(
    ("key", "plain"), [(Size.LARGE, 1), (Word.YES, "yes"), (Pair(1, "a"), (1, "a"))]
)
def test_what_is_equal_to_a_plain_key_is_that_key(key: Any, plain: Any) -> None:
    """As in a dict."""
    assert dump_key(key) == dump_key(plain)


def deep() -> tuple[Any, ...]:
    """Make a tuple in a tuple in a tuple…"""
    key: tuple[Any, ...] = ()
    for _ in range(100_000):
        key = (key,)
    return key


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        (("a", float("nan")), "a string"),
        (Colour.RED, "the value or the name"),
        ([1, 2], "a list may change"),
        ({"a": 1}, "a dict may change"),
        (frozenset("a"), "a string, a number"),
        (object(), "a string, a number"),
        (Decimal("nan"), "a string, a number"),
        (1j, "a string, a number"),
        (10**5000, "a string, a number"),
        (deep(), "a string, a number"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_a_key_that_cannot_be_recognised_is_refused(key: Any, rule: str) -> None:
    """Before anything is paid, in words about what would do."""
    with pytest.raises(InvalidArgument, match=rule) as caught:
        dump_key(key)
    assert caught.value.field == "key"


@pytest.mark.parametrize(
    "text", ["", "{", '{"uuid":"x"}', '{"date":7}', '{"bytes":[]}', '{"decimal":"x"}']
)
def test_a_damaged_text_is_told(text: str) -> None:
    """As one error, whatever is wrong with it."""
    with pytest.raises(ValueError, match="no key"):
        load_key(text)


@given(TEXT.filter(str.isprintable) | st.integers(-(2**63), 2**64 - 1))
def test_plain_keys_are_as_in_older_files(key: Any) -> None:
    """So that the keys of most batches are the same text in both formats."""
    assert dump_key(key) == orjson.dumps(key).decode()
    assert dump_old_key(key) is None


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (PurePath("a"), '"a"'),
        (uuid.UUID(int=1), f'"{uuid.UUID(int=1)}"'),
        (datetime.date(2020, 1, 1), '"2020-01-01"'),
        (("a", Path("b")), '["a","b"]'),
        (Decimal(1), None),
    ],
)
def test_the_text_of_older_files_is_known(key: Any, text: str | None) -> None:
    """There a path or a UUID was the string."""
    assert dump_old_key(key) == text

"""TaskRef: survives a restart as JSON, and says what is wrong with a text that is none."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async._ref import TaskRef, one_id, unnamed_id

VALID = {"service": "capmonster", "task_id": 1, "task_type": "TurnstileTask", "polls": 2}
IDS = st.one_of(
    st.integers(-(2**63), 2**64 - 1), st.text(st.characters(codec="utf-8")), st.uuids().map(str)
)
# Integers of 64 bits: larger ones are no JSON number to orjson.
TEXTS = st.text(st.characters(codec="utf-8"))


@given(service=TEXTS, task_id=IDS, task_type=TEXTS, polls=st.integers(0, 2**31))
def test_round_trip(service: str, task_id: int | str, task_type: str, polls: int) -> None:
    """What was written is read back, ids of any kind included."""
    ref = TaskRef(service, task_id, task_type, polls)
    assert TaskRef.from_json(ref.to_json()) == ref
    assert TaskRef.from_json(ref.to_json().encode()) == ref


def test_is_one_line() -> None:
    """References can be kept in a file, one a line."""
    assert "\n" not in TaskRef("a\nb", "c\nd", "e").to_json()


def test_polls_may_be_missing() -> None:
    """A reference written by hand needs service, id and type only."""
    text = json.dumps({name: VALID[name] for name in ("service", "task_id", "task_type")})
    assert TaskRef.from_json(text).polls == 0


def test_unknown_fields_are_ignored() -> None:
    """A reference from a later version is still read."""
    assert TaskRef.from_json(json.dumps({**VALID, "later": True})).task_id == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("service", None),
        ("service", 5),
        ("task_id", 1.5),
        ("task_id", True),
        ("task_id", None),
        ("task_type", ["TurnstileTask"]),
        ("polls", "2"),
        ("polls", False),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    """The message names the field, the expected type and the value."""
    with pytest.raises(ValueError, match=rf"{field} must be .*not {value!r}".replace("[", r"\[")):
        TaskRef.from_json(json.dumps({**VALID, field: value}))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"x"', b"\xff"])
def test_other_text_is_refused(text: str | bytes) -> None:
    """What is no JSON object is refused with a ValueError."""
    with pytest.raises(ValueError, match="a task reference must be"):
        TaskRef.from_json(text)


@given(st.one_of(st.binary(), st.text()))
def test_any_text_is_a_reference_or_a_value_error(text: str | bytes) -> None:
    """No input leads to another exception."""
    with contextlib.suppress(ValueError):
        TaskRef.from_json(text)


@pytest.mark.parametrize("polls", [-1, -1000, 2**31 + 1, 1.0, True, None, "3"])
def test_a_count_of_polls_that_cannot_be_is_refused(polls: object) -> None:
    """A negative one would allow more polls than the service does."""
    with pytest.raises(ValueError, match="polls must be"):
        TaskRef("capmonster", 5, "X", polls)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="polls must be"):
        TaskRef.from_json(json.dumps({**VALID, "polls": polls}))


def test_a_field_of_the_wrong_kind_is_refused_by_the_constructor_too() -> None:
    """A reference that was put together by hand is checked as one that was read."""
    for wrong in ((5, 5, "X"), ("a", None, "X"), ("a", True, "X"), ("a", 5, None)):
        with pytest.raises(ValueError, match="must be"):
            TaskRef(*wrong)  # type: ignore[arg-type]


def test_ids_that_name_one_task_are_one() -> None:
    """As text or as a number; it stays as it came, because services may insist on their form."""
    number, text = TaskRef("a", 5, "X"), TaskRef("a", " 5", "X")
    assert number == text
    assert len({number, text}) == 1
    assert text.task_id == " 5"
    assert one_id("5") == one_id(5) == one_id(" 5 ") == 5
    for other in ("05", "5.0", "\u0665", "", "61138bb6-19fb-11ec-a9c8-0242ac110006", "9" * 30):
        assert one_id(other) == other


@given(IDS)
def test_any_id_has_one_key(task_id: int | str) -> None:
    """The key of a key is itself."""
    assert one_id(one_id(task_id)) == one_id(task_id)


@given(st.integers(-(10**19), 10**19) | st.sampled_from([0, -1, 10**18 - 1, 10**18]))
def test_a_number_has_the_key_of_its_text(number: int) -> None:
    """Numbers are decided at once, and to the same end."""
    assert (one_id(number), type(one_id(number))) == (
        one_id(str(number)),
        type(one_id(str(number))),
    )


def test_an_id_that_was_made_here_says_so() -> None:
    """The service cannot be asked for it."""
    assert not TaskRef("a", unnamed_id(), "X").named
    assert TaskRef("a", 5, "X").named
    assert TaskRef("a", "61138bb6-19fb-11ec-a9c8-0242ac110006", "X").named

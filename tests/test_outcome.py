"""Solved: what it tells of a token's life, here and in another process."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import anyio
import attrs
import pytest

from captcha_async import RecaptchaV2Task, Solved, TaskRef, TurnstileTask
from captcha_async.tasks import HCaptchaTask
from captcha_async.tasks._model import Solution
from captcha_async.wire import load_solution


def solved(expires_at: float | None) -> Solved[Solution]:
    """Return an answer with that end."""
    return Solved(
        solution=load_solution("TurnstileTask", {"token": "T"}),
        task=None,
        cost=None,
        elapsed=1.0,
        polls=1,
        ref=TaskRef("capmonster", 5, "TurnstileTask"),
        expires_at=expires_at,
    )


async def test_expiry_is_told_in_both_clocks() -> None:
    """The loop's for this process, UTC for any other."""
    outcome = solved(anyio.current_time() + 120)
    assert outcome.expires_in == pytest.approx(120)
    assert outcome.expires is not None
    assert outcome.expires.tzinfo is UTC
    left = outcome.expires - datetime.now(UTC)
    assert timedelta(seconds=110) < left < timedelta(seconds=121)
    await anyio.sleep(130)
    assert outcome.expires_in == pytest.approx(-10)


async def test_expiry_survives_the_way_to_another_process() -> None:
    """UTC is taken once, and not anew where the answer arrives."""
    outcome = solved(anyio.current_time() + 120)
    await anyio.sleep(60)
    for twin in (pickle.loads(pickle.dumps(outcome)), attrs.evolve(outcome, key=7)):
        assert twin.expires == outcome.expires
    assert attrs.evolve(outcome, key=7).key == 7


async def test_a_token_of_unknown_life_has_no_expiry() -> None:
    """Nothing is made up."""
    outcome = solved(None)
    assert (outcome.expires, outcome.expires_in, outcome.replayed) == (None, None, False)


def test_token_lives_are_the_documented_ones() -> None:
    """reCAPTCHA by CapMonster's docs, the others by their makers'."""
    lives = {model: model.spec.token_life for model in (RecaptchaV2Task, TurnstileTask)}
    assert lives == {RecaptchaV2Task: 60, TurnstileTask: 300}
    assert HCaptchaTask.spec.token_life == 120


def test_the_repr_is_one_short_line_without_the_token() -> None:
    """It is what `print` in a loop over a batch shows."""
    outcome = attrs.evolve(solved(None), key="login", cost=Decimal("0.0013"), ip="203.0.113.9")
    assert repr(outcome) == (
        "<Solved key='login', TurnstileTask 5 at capmonster, TurnstileSolution(token=<hidden str 1>"
        "), 1.0 s, 1 poll, cost 0.0013>"
    )
    assert repr(attrs.evolve(solved(None), replayed=True)).endswith("1 poll, replayed>")

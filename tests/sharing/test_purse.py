"""The money of one process: what it inherits from a process that is gone frees nothing here."""

from __future__ import annotations

from decimal import Decimal

import anyio
import pytest

from captcha_async._sharing._messages import NANO
from captcha_async._sharing._purse import Purse

ONE, TWO = Decimal(1), Decimal(2)


@pytest.fixture
def purse() -> Purse:
    """A purse that was lent 5."""
    purse = Purse(lambda: None, lambda: True, capped=True)
    purse.lent = 5 * NANO
    return purse


def test_what_is_inherited_takes_nothing_and_frees_nothing(purse: Purse) -> None:
    """The store counted it as spent when its process was gone; nothing can be spent twice."""
    purse.inherit(TWO)
    assert (purse.left, purse.open) == (5 * NANO, TWO)
    purse.release(TWO)
    assert (purse.left, purse.open) == (5 * NANO, Decimal(0))


def test_only_what_an_inherited_task_cost_beyond_its_price_is_spent(purse: Purse) -> None:
    """Its price is counted already."""
    purse.inherit(TWO)
    purse.spend(TWO, Decimal(3))
    assert (purse.spent, purse.left) == (1 * NANO, 4 * NANO)
    purse.inherit(TWO)
    purse.spend(TWO, ONE)
    assert (purse.spent, purse.left) == (1 * NANO, 4 * NANO)


def test_own_and_inherited_money_are_the_same_in_the_end(purse: Purse) -> None:
    """In whatever order they are settled, no more can be spent than was lent."""
    purse.inherit(ONE)
    purse.reserve_nowait(ONE)
    purse.spend(ONE, ONE)
    assert purse.left == 4 * NANO
    purse.release(ONE)
    assert purse.left == 5 * NANO
    for _ in range(5):
        purse.reserve_nowait(ONE)
    with pytest.raises(anyio.WouldBlock):
        purse.reserve_nowait(ONE)


def test_what_is_affordable_is_known_without_asking(purse: Purse) -> None:
    """While there may be more under the cap; a price beyond what is left has to be asked for."""
    assert purse.affords(Decimal(5))
    purse.cap, purse.known = 10 * NANO, 9 * NANO
    assert purse.affords(Decimal(6))
    purse.known = 10 * NANO
    assert not purse.affords(Decimal(6))


def test_who_spends_steadily_asks_before_the_money_is_used_up(purse: Purse) -> None:
    """For the next seconds, so that nobody has to wait; who has enough asks for nothing."""
    purse.cap, purse.lent = 1000 * NANO, 10 * NANO
    assert purse.wants(0.0) == (0, 0)
    for _ in range(4):
        purse.reserve_nowait(ONE)
    # Four in two seconds: six for the next three, and that is what is left.
    assert purse.wants(2.0) == (0, 0)
    for _ in range(6):
        purse.reserve_nowait(ONE)
    assert purse.wants(4.0) == (9 * NANO, 0)
    # After a pause it is less and less.
    assert purse.wants(6.0) == (4.5 * NANO, 0)
    assert purse.wants(600.0)[0] < 3 * NANO


def test_near_the_cap_nothing_is_asked_for_ahead(purse: Purse) -> None:
    """What one has in hand, others may need."""
    purse.cap, purse.known = 20 * NANO, 5 * NANO
    purse.wants(0.0)
    for _ in range(5):
        purse.reserve_nowait(ONE)
    assert purse.wants(1.0) == (0, 0)


def test_what_is_asked_again_at_once_is_measured_over_longer(purse: Purse) -> None:
    """One task between two exchanges is no pace."""
    purse.cap = 1000 * NANO
    purse.wants(0.0)
    purse.reserve_nowait(ONE)
    assert purse.wants(0.01) == (0, 0)

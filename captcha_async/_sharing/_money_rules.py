"""The rules for money: what is spent within the window and what is lent out never exceed the cap.

Members are lent money in parts, which get smaller as the cap comes near. All sums only ever grow,
so a report or a grant that is lost, or comes twice, changes nothing. What a dead member was lent
counts as spent. The window is kept in parts, each of which counts until all of it is over.
"""

from __future__ import annotations

from ._messages import SECOND, Report
from ._state import Entry, State

__all__ = ["bury_money", "settle_money", "spent_within"]

PARTS = 60
SCARCE = 5 * SECOND


def spent_within(state: State) -> int:
    """Return what was spent within the window."""
    return sum(state.spent.values())


def settle_money(state: State, entry: Entry, report: Report, *, forgot: bool) -> None:
    """Count what a member has spent, and lend it more if it wants and there is."""
    _turn_over(state)
    if forgot:
        _spend(state, report.known - spent_within(state))
    before = entry.outstanding
    _spend(state, report.spent - entry.spent)
    entry.spent = max(entry.spent, report.spent)
    entry.lent = max(entry.lent, report.lent)
    entry.returned = max(entry.returned, report.returned)
    state.lent += entry.outstanding - before
    if not state.terms.cap or report.money <= 0 or state.now < state.grace:
        return
    rest = state.terms.cap - spent_within(state) - state.lent
    if rest < max(1, report.least):
        state.scarce = state.now + SCARCE
        return
    before = entry.outstanding
    entry.lent += max(report.least, min(report.money, rest // (2 * state.live)))
    state.lent += entry.outstanding - before


def bury_money(state: State, entry: Entry) -> None:
    """Count what a member was lent as spent: it is gone, and may have spent it."""
    _turn_over(state)
    state.lent -= entry.outstanding
    _spend(state, entry.outstanding)
    entry.lent = entry.spent = entry.returned = 0


def _spend(state: State, amount: int) -> None:
    if amount > 0:
        start = state.now // state.width * state.width
        state.spent[start] = state.spent.get(start, 0) + amount


def _turn_over(state: State) -> None:
    """Forget the parts of the window that are over."""
    per = state.terms.per
    width = max(1, per // PARTS)
    if width != state.width:
        # With another window all counts as spent now: rather too long than too short.
        spent, state.width = spent_within(state), width
        state.spent.clear()
        _spend(state, spent)
    for start in [start for start in state.spent if start + width + per <= state.now]:
        del state.spent[start]

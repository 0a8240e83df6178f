"""The rules for slots and rates: max-min fair shares of a pool, by sums that are kept up.

The *level* is the share at which the water stands: what those leave who have all that they want,
divided among those who have not. Nobody who waits for more than the level stays below it; with
fewer slots than members the level is 0, and single slots go round in turn.
"""

from __future__ import annotations

from ._messages import Ask, Mail, Report
from ._state import Entry, Hold, Pool, State

__all__ = ["adapt", "forget", "hand_out", "leave_pools", "share"]

MOST_TURNS = 64
"""Shares that one exchange hands out to others."""


def _capacity(state: State, index: int) -> int:
    """Return the size of a pool; 0 for a rate without a limit."""
    return (state.limit // 1000, state.terms.submits, state.terms.requests)[index]


def _uncount(pool: Pool, hold: Hold) -> None:
    if hold.booked >= hold.want:
        pool.sated -= hold.want
    else:
        pool.thirsty -= 1


def _count(pool: Pool, hold: Hold) -> None:
    if hold.booked >= hold.want:
        pool.sated += hold.want
    else:
        pool.thirsty += 1


def _book(pool: Pool, hold: Hold, booked: int) -> None:
    pool.total += booked - hold.booked
    hold.booked = booked


def adapt(state: State, entry: Entry, report: Report, *, forgot: bool) -> None:
    """Find the account's own limit of slots: one refusal lowers it for all, solves raise it."""
    if forgot and report.capacity:
        state.limit = min(state.limit, report.capacity * 1000)
    solved = report.successes - entry.successes
    entry.successes = report.successes
    most = state.terms.in_flight * 1000
    if report.refused >= 0:
        # What was sent before the last reduction tells nothing new.
        if report.refused == state.epoch:
            state.epoch += 1
            crowd = (state.pools[0].used - entry.holds[0].used + report.crowd) * 1000
            state.limit = max(1000, crowd if crowd < state.limit else state.limit * 9 // 10)
    elif solved > 0 and state.limit < most:
        growth = solved * max(1000, state.limit // 20) * 1000 // state.limit
        state.limit = min(most, state.limit + growth)


def share(
    state: State,
    index: int,
    me: str,
    entry: Entry,
    report: Report,
    mails: list[Mail],
    *,
    forgot: bool,
) -> int:
    """Book what a member has of a pool, and return its share; -1 if there is no limit."""
    pool, hold, ask = state.pools[index], entry.holds[index], report.asks[index]
    capacity = _capacity(state, index)
    if not capacity:
        _let_go(pool, hold, me)
        return -1
    had, acked = max(0, ask.had), report.version >= entry.issued
    bound = had if acked else max(had, hold.most)
    # What was forgotten it has by right, what it kept beyond its lease not.
    right = had if forgot else hold.last if acked else hold.right
    others = len(pool.queue) - (me in pool.queue) > 0
    _uncount(pool, hold)
    level = max(0, capacity - pool.sated) // (pool.thirsty + 1)
    # What it has not seen yet is not taken back before it could be used.
    fair = level if acked else max(level, right)
    target = _target(state, index, hold, ask, right, capacity=capacity, level=fair, others=others)
    hold.most, hold.last, hold.right = max(target, bound), target, max(target, right)
    hold.want = ask.firm
    pool.used += ask.used - hold.used
    hold.used = ask.used
    _book(pool, hold, max(ask.used, target, bound))
    _count(pool, hold)
    # Who has what the level gives does not wait: it grows by itself when nobody else does.
    if target < ask.firm and max(target, ask.used) < max(level, 1):
        if not pool.queue:
            mails.append(Mail("*", f"hungry {index} {level}"))
        pool.queue.setdefault(me)
    else:
        pool.queue.pop(me, None)
    return hand_out(state, index, me, mails) or target


def _target(
    state: State,
    index: int,
    hold: Hold,
    ask: Ask,
    right: int,
    *,
    capacity: int,
    level: int,
    others: bool,
) -> int:
    """Return the share that a member may have before anything is handed out."""
    pool = state.pools[index]
    if state.now < state.grace:
        return min(ask.firm, right)
    room = capacity - (pool.total - hold.booked)
    # More is booked than there is, after a reduction: each comes down to the level, not to nothing.
    most = room if room >= right else max(room, min(level, right))
    target = max(0, min(ask.firm, most))
    if others:
        # Their turn comes first: nobody grows by itself, and who has more than the level shrinks.
        return min(target, level, max(right, ask.used))
    if pool.thirsty:
        # Nobody is below the level. What does not divide evenly goes to who comes first.
        target = min(target, level + 1)
    elif target == ask.firm and room > target:
        target += min(ask.spare, (room - target) // 2)
    return target


def hand_out(state: State, index: int, me: str, mails: list[Mail]) -> int:
    """Give what is free to those who wait, and return the share of *me* if it has got some."""
    pool, capacity = state.pools[index], _capacity(state, index)
    if state.now < state.grace:
        return 0
    mine = turns = 0
    while pool.queue and pool.total < capacity and turns < MOST_TURNS:
        turns += 1
        head = next(iter(pool.queue))
        entry = state.members[head]
        hold = entry.holds[index]
        level = max(0, capacity - pool.sated) // max(1, pool.thirsty)
        free = capacity - pool.total
        give = min(free, hold.want - hold.booked, max(1, level - hold.booked))
        if give > 0:
            _uncount(pool, hold)
            _book(pool, hold, hold.booked + give)
            _count(pool, hold)
            hold.last = hold.booked
            hold.most, hold.right = max(hold.most, hold.last), max(hold.right, hold.last)
            if head == me:
                mine = hold.booked
            else:
                entry.issued = state.version
                mails.append(Mail(head, f"share {state.version} {index} {hold.booked}"))
        del pool.queue[head]
        if hold.booked < min(hold.want, max(level, 1)):
            pool.queue[head] = None
    return mine


def _let_go(pool: Pool, hold: Hold, me: str) -> None:
    """Keep nothing of a member in a pool without a limit."""
    _uncount(pool, hold)
    _drop(pool, hold)
    pool.queue.pop(me, None)
    _count(pool, hold)


def _drop(pool: Pool, hold: Hold) -> None:
    pool.total -= hold.booked
    pool.used -= hold.used
    hold.booked = hold.used = hold.want = hold.most = hold.last = hold.right = 0


def forget(state: State, entry: Entry) -> None:
    """Remove all that a member has in the pools; it waits in none."""
    for pool, hold in zip(state.pools, entry.holds, strict=True):
        _uncount(pool, hold)
        _drop(pool, hold)


def leave_pools(state: State, name: str, entry: Entry, *, slots_kept: bool) -> None:
    """Free what a member has that is gone; what it may have used last stays booked.

    Args:
        state: the account.
        name: the member.
        entry: what it has.
        slots_kept: whether it has left, and what it used then counts for a while. What the dead
            held has been kept for them already, for one lease; of a rate they may have used all.
    """
    for index, (pool, hold) in enumerate(zip(state.pools, entry.holds, strict=True)):
        _uncount(pool, hold)
        pool.queue.pop(name, None)
        kept = hold.used if slots_kept else hold.booked if index else 0
        pool.used += kept - hold.used
        _book(pool, hold, kept)
        hold.used, hold.want = kept, 0
        _count(pool, hold)

"""The rules by which members share an account: one exchange, a report for a grant.

Sans-IO: the state, the time and the report are arguments, the grant and the messages the result.
`exchange.lua` says the same for Redis; tests hold it to what stands here, number by number.

What keeps the account's limits, whatever is lost or late:

- A share is leased. What is booked for a member is never less than it uses or may take, so the sum
  of what is booked bounds what is in flight.
- Shrinking takes two phases: the difference is free when the member has told under the new share.
- A grant that the member may not have seen yet, because the reply or the message is under way or
  lost, counts as held.
- The store's versions are microseconds, so that they go on growing over a store that lost its
  memory; a member that knows more than the store tells it so, and for one lease nobody gets more
  than it had.
"""

from __future__ import annotations

from ._fuse_rules import fuse_facts, settle_fuse
from ._messages import SECOND, Grant, Mail, Report
from ._money_rules import bury_money, settle_money, spent_within
from ._pool_rules import adapt, forget, hand_out, leave_pools, share
from ._state import Entry, State

__all__ = ["MOST_BURIED", "exchange"]

MOST_BURIED = 100
"""Dead members that one exchange sees to."""
AWAY = 2 * SECOND
"""How long members have to come back to a store that was away."""


def exchange(state: State, wall: int, me: str, report: Report) -> tuple[Grant, list[Mail]]:
    """Take in what the member *me* tells, and return what it may do.

    Args:
        state: the account; changed in place.
        wall: the store's clock.
        me: the member's id.
        report: what it tells.
    """
    mails: list[Mail] = []
    before = state.version
    _tick(state, wall, me)
    forgot = _lost_memory(state, before, me, report)
    _bury(state, me)
    entry = _admit(state, me, report)
    adapt(state, entry, report, forgot=forgot)
    shares = [share(state, index, me, entry, report, mails, forgot=forgot) for index in range(3)]
    entry.issued = state.version
    settle_money(state, entry, report, forgot=forgot)
    if state.now + report.pause > max(state.pause, state.now):
        state.pause = state.now + report.pause
        mails.append(Mail("*", f"pause {report.pause}"))
    probe = settle_fuse(state, me, report, mails)
    grant = _grant(state, me, entry, report, shares, probe)
    if report.leaving:
        _leave(state, me, entry, mails)
    return grant, mails


def _tick(state: State, wall: int, me: str) -> None:
    """Let the time go on; a clock that was set back stands still."""
    passed = max(0, wall - state.wall) if state.wall else 0
    state.now = state.now + passed if state.wall else wall
    state.wall = wall
    state.version = max(state.version + 1, state.now)
    entry = state.members.get(me)
    others = state.live - (entry is not None and not entry.gone)
    if others and passed > state.terms.lease // 2:
        # Nobody has reported for long: it was the store that was away, or all of them slept. They
        # get a moment to come back before they count as dead.
        state.grace = max(state.grace, state.now + min(AWAY, state.terms.lease))


def _lost_memory(state: State, before: int, me: str, report: Report) -> bool:
    """Note whether the store has forgotten what the member knows, all of it or the newest part.

    It begins another life then, so that each member that knew the one before tells what it has.

    Args:
        state: the account.
        before: the last version that the store knew of.
        me: the member.
        report: what it tells.
    """
    if not state.born:
        state.born = state.version
        state.grace = state.now + report.terms.settle
    entry = state.members.get(me)
    strange = report.born not in (0, state.born) and (entry is None or entry.life != state.born)
    if report.version > before:
        state.version = max(state.version, report.version + 1)
        state.born = state.version
    elif not strange:
        return False
    state.grace = max(state.grace, state.now + report.terms.lease)
    return True


def _bury(state: State, me: str) -> None:
    """See to those whose lease has ended."""
    if state.now <= state.earliest or state.now < state.grace:
        return
    ended = sorted(
        (entry.expires, name) for name, entry in state.members.items() if entry.expires < state.now
    )
    for _, name in ended[:MOST_BURIED]:
        if name == me:
            continue
        entry = state.members[name]
        if not entry.gone:
            bury_money(state, entry)
            state.live -= 1
            leave_pools(state, name, entry, slots_kept=False)
            _keep_or_drop(state, name, entry)
        else:
            forget(state, entry)
            del state.members[name]
    state.earliest = min((entry.expires for entry in state.members.values()), default=state.now)


def _keep_or_drop(state: State, name: str, entry: Entry) -> None:
    """Keep free what a member that is gone has used last, for as long as it counts."""
    terms = state.terms
    spans = (terms.lease, terms.submits_window, terms.requests_window)
    longest = max(
        (span for span, hold in zip(spans, entry.holds, strict=True) if hold.booked), default=0
    )
    if not longest:
        del state.members[name]
        return
    entry.gone = True
    entry.expires = state.now + longest
    state.earliest = min(state.earliest, entry.expires)


def _admit(state: State, me: str, report: Report) -> Entry:
    """Renew the member's lease; make its entry if there is none."""
    entry = state.members.get(me)
    if entry is None or entry.gone:
        if entry is not None:
            forget(state, entry)
        # What it was lent before counts again if it comes back after its lease: never too little.
        entry = state.members[me] = Entry(successes=report.successes, spent=report.acknowledged)
        state.live += 1
    entry.life = state.born
    entry.joined = report.joined or state.version
    if entry.joined >= state.terms_by:
        state.terms_by = entry.joined
        if not state.limit or state.limit >= state.terms.in_flight * 1000:
            state.limit = report.terms.in_flight * 1000
        state.terms = report.terms
        state.limit = min(state.limit, state.terms.in_flight * 1000)
    entry.expires = state.now + state.terms.lease
    state.earliest = min(state.earliest, entry.expires)
    return entry


def _leave(state: State, me: str, entry: Entry, mails: list[Mail]) -> None:
    bury_money(state, entry)
    state.live -= 1
    leave_pools(state, me, entry, slots_kept=True)
    _keep_or_drop(state, me, entry)
    for index in range(3):
        hand_out(state, index, me, mails)


def _grant(
    state: State,
    me: str,
    entry: Entry,
    report: Report,
    shares: list[int],
    probe: int,
) -> Grant:
    return Grant.of(
        [
            state.now,
            state.version,
            state.born,
            entry.joined,
            state.live,
            *shares,
            *(int(len(pool.queue) - (me in pool.queue) > 0) for pool in state.pools),
            state.terms.submits_window,
            state.terms.requests_window,
            state.terms.lease,
            state.limit // 1000,
            state.epoch,
            int(state.now < state.grace),
            max(0, state.pause - state.now),
            state.terms.cap,
            spent_within(state),
            entry.spent,
            entry.lent,
            int(state.now < state.scarce),
            probe,
            *fuse_facts(state, ""),
            *(fuse_facts(state, report.egress) if report.egress else (0, 0, "")),
        ]
    )

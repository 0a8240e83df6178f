"""What a member tells the store, and what it learns: one report, one grant, and short messages.

All numbers are whole: moments and spans in microseconds, money in billionths (`NANO` to one). So
the rules give the same result in Python and in Lua, where every number is a double.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

__all__ = ["NANO", "POOLS", "REPORT_FIELDS", "SECOND", "Ask", "Grant", "Mail", "Report", "Terms"]

SECOND = 1_000_000
NANO = 1_000_000_000

POOLS = ("slots", "submits", "requests")
"""What is shared alike. A turn of a rate of n per window is a slot that is held for one window."""


@attrs.frozen(kw_only=True)
class Terms:
    """The limits that a member was opened with; those of the newest member hold for all."""

    in_flight: int = 1000
    submits: int = 0
    """createTask calls in any window; 0 for no limit."""
    submits_window: int = SECOND
    requests: int = 0
    """Requests of all kinds in any window; 0 for no limit."""
    requests_window: int = SECOND
    cap: int = 0
    """Most money in any *per*; 0 for no cap."""
    per: int = 3600 * SECOND
    lease: int = 10 * SECOND
    """How long a share is good for without contact."""
    settle: int = 0
    """How long a store that knows nothing of the account gives nothing: it may have lost its
    memory, and members that are there already tell it what they have."""


@attrs.frozen(kw_only=True)
class Ask:
    """One pool in a report."""

    used: int = 0
    """In use now: slots taken, or turns taken within the window."""
    firm: int = 0
    """In use or waited for."""
    spare: int = 0
    """Welcome beyond that, if nobody else needs it."""
    had: int = 0
    """The share that was in force when this was told."""


@attrs.frozen(kw_only=True)
class Report:
    """What a member tells. Sums only ever grow, so that a report may be lost or come twice."""

    version: int = 0
    """Of the last grant that is in force; 0 before the first."""
    born: int = 0
    """Which life of the store that grant was from."""
    joined: int = 0
    """When the member joined, as the store told it; 0 in its first report."""
    leaving: bool = False
    terms: Terms = attrs.field(factory=Terms)
    asks: tuple[Ask, Ask, Ask] = (Ask(), Ask(), Ask())
    successes: int = 0
    """Solves that ended well, ever."""
    refused: int = -1
    """The epoch in which the service had no slot for a task; -1 for none."""
    crowd: int = 0
    """Tasks of this member that were open at that moment."""
    capacity: int = 0
    """Slots of the whole account, as the member knows it; 0 if it does not."""
    spent: int = 0
    """Money spent, ever."""
    acknowledged: int = 0
    """The part of *spent* that the store has told to know."""
    lent: int = 0
    """Money that the store has lent, ever, as far as the member knows."""
    returned: int = 0
    """Money given back unspent, ever."""
    money: int = 0
    """Money that is wanted now; 0 for none."""
    least: int = 0
    """The least amount that is of use."""
    known: int = 0
    """What all had spent within the window, as the member knows it."""
    pause: int = 0
    """How long the service asks all to wait; told once."""
    egress: str = ""
    """The address by which the member goes out, as its user names it."""
    fuse_do: str = ""
    """`blow`, `probe`, `close` or `tell` (what the store has forgotten); empty for nothing."""
    fuse_scope: str = ""
    """Which fuse: empty for the account's, else the egress whose fuse it is."""
    fuse_number: int = 0
    """The state of the fuse that is meant: to be closed, or told; -1 closes any."""
    fuse_span: int = 0
    """The ban window, or what is left of it."""
    fuse_error: str = ""
    """What blew it."""

    def flat(self) -> list[int | str]:
        """Return the numbers and names in the order of `REPORT_FIELDS`, for the script."""
        terms, asks = self.terms, self.asks
        return [
            self.version,
            self.born,
            self.joined,
            int(self.leaving),
            *attrs.astuple(terms),
            *(number for ask in asks for number in attrs.astuple(ask)),
            *attrs.astuple(self, recurse=False)[len(_HEAD) + 2 :],
        ]


_HEAD = ("version", "born", "joined", "leaving")
REPORT_FIELDS: tuple[str, ...] = (
    *_HEAD,
    *(field.name for field in attrs.fields(Terms)),
    *(f"{pool}_{field.name}" for pool in POOLS for field in attrs.fields(Ask)),
    *[field.name for field in attrs.fields(Report)][len(_HEAD) + 2 :],
)
"""The names of what `Report.flat` returns, in its order."""


@attrs.frozen
class Grant:
    """What a member learns. The order of the fields is the script's."""

    now: int
    """The store's clock."""
    version: int
    born: int
    joined: int
    members: int
    slots: int
    """The shares that are in force from now on."""
    submits: int
    """-1 for no limit; so also *requests*."""
    requests: int
    slots_hungry: int
    """1 if others wait for a share of it."""
    submits_hungry: int
    requests_hungry: int
    submits_window: int
    requests_window: int
    lease: int
    """How long the shares are good for, from when the report was sent."""
    capacity: int
    """Slots of the whole account, as found out so far."""
    epoch: int
    """Counts the reductions of *capacity*."""
    grace: int
    """1 while nothing more is given, because the store may have forgotten somebody."""
    pause: int
    cap: int
    spent: int
    """Money spent by all within the window."""
    acknowledged: int
    """The member's own *spent* that is counted."""
    lent: int
    """Money lent to the member, ever."""
    scarce: int
    """1 if somebody was refused money a moment ago: who has some to spare gives it back."""
    probe: int
    """The answer to a probe: 1 go, 0 wait, -1 the fuse is closed."""
    fuse_number: int
    fuse_span: int
    """How long the ban lasts yet."""
    fuse_error: str
    """What blew the account's fuse; empty if it is closed."""
    egress_number: int
    egress_span: int
    egress_error: str

    @classmethod
    def of(cls, values: Sequence[Any]) -> Grant:
        """Make it of its values in order."""
        return cls(*values)

    @property
    def shares(self) -> tuple[int, int, int]:
        """The shares in the order of `POOLS`."""
        return self.slots, self.submits, self.requests

    @property
    def hungry(self) -> tuple[bool, bool, bool]:
        """Whether others wait, in the order of `POOLS`."""
        return bool(self.slots_hungry), bool(self.submits_hungry), bool(self.requests_hungry)


@attrs.frozen
class Mail:
    """A message to one member, or to all.

    What it says: `share VERSION POOL SHARE` (a share has grown), `hungry POOL LEVEL` (somebody
    waits; who has more than this level, or more than it uses, reports), `fuse NUMBER SPAN SCOPE
    ERROR`, `pause SPAN`, `post TOKEN` (a callback, to be fetched).
    """

    to: str
    """The member; `*` for all."""
    text: str = attrs.field(repr=False)

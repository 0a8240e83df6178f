"""Member: one process's part of an account that several processes share."""

from __future__ import annotations

import logging
import secrets
from decimal import Decimal
from hashlib import blake2b
from typing import Literal

import anyio

from .._serving._own_task import OwnTask
from ..errors import AccountUnavailable, ServiceError
from ._callbacks import SharedCallbacks
from ._contact import GOODBYE, Contact
from ._fuse_side import FuseSide
from ._gate import Gate
from ._messages import POOLS, SECOND, Grant, Report, Terms
from ._port import Listener, ShareStatistics
from ._purse import Purse, to_money
from ._records import Records
from ._store import Life, Store, StoreRefused, StoreUnreachable

__all__ = ["Member", "OnOutage"]

logger = logging.getLogger("captcha_async")

OnOutage = Literal["keep", "stop"]

GRACE_BEAT = 0.3
"""Seconds from one exchange to the next while the store gives nothing, and something is wanted."""
USED = 0.9
"""The part of a lease in which its share is used: what is sent at its end takes a while to arrive,
and to be seen."""
FIRST_CONTACT = 3.0
"""Seconds that opening waits for the store at most."""


class Member:
    """What one process holds of a shared account; an `AccountPort`.

    It is made where the account is, and becomes a member when it is opened, so that processes that
    were forked from one are members of their own.

    Args:
        store: where the members meet.
        terms: the limits that this process was started with.
        api_key: the account's key; what proves callbacks genuine is derived from it.
        on_outage: what to do when the lease has ended and the store does not answer: `keep` the
            last share, never more; or `stop`.
        egress: names the address by which this process goes out, if there are several.
    """

    def __init__(
        self,
        store: Store,
        terms: Terms,
        api_key: str,
        *,
        on_outage: OnOutage = "keep",
        egress: str = "",
    ) -> None:
        self._store = store
        self._terms = terms
        self._on_outage = on_outage
        self._egress = egress
        self.listener: Listener = Listener()
        self.id: str = ""
        secret = blake2b(api_key.encode(), person=b"callback tokens").digest()
        self.callbacks: SharedCallbacks = SharedCallbacks(store, secret, self._trouble)
        self.records: Records = Records(store, lambda: self.id, self._trouble, self._life)
        self._contact: Contact | None = None
        self._held: OwnTask[None] | None = None
        # Whether nothing can have been taken before; cleared by the first `_reset`, set again
        # when all that was taken is gone with its event loop.
        self._first = True
        self._reset()

    def _reset(self) -> None:
        """Know nothing: set at opening, but for what was taken before and will be given back."""
        held = 0 if self._first else self.slots.statistics().borrowed
        reserved = Decimal(0) if self._first else self._purse.open
        self._first = False
        terms, ask = self._terms, self.kick
        # The share is used up to this moment; a little later the store may give it away.
        self._lease_end = float("-inf")
        self._failure: StoreUnreachable | StoreRefused | None = None
        self._version = self._born = self._joined = 0
        self._members, self._capacity, self._epoch = 0, terms.in_flight, 0
        self._refused, self._crowd, self._successes = -1, 0, 0
        self._pause = 0.0
        self._grace = False
        self.slots: Gate = Gate(self._in_force, ask)
        self.slots.inherit(held)
        self.submits: Gate = Gate(self._in_force, ask, terms.submits_window / SECOND)
        # What was paid for is asked for during an outage, too.
        self.requests: Gate = Gate(self._kept, ask, terms.requests_window / SECOND)
        self._purse: Purse = Purse(ask, lambda: self._failure is None, capped=terms.cap > 0)
        self._purse.inherit(reserved)
        self._fuse = FuseSide(self._egress, self.kick, self._fuse_changed)
        self.callbacks.reset(self.id)
        self.records.reset()

    def __repr__(self) -> str:
        return f"<Member {self.id or 'not open'} of {self._store!r}>"

    # -- opening and closing ----------------------------------------------------------------------

    async def open(self) -> None:
        """Join; returns when there is a share, or when the store does not answer soon.

        Raises:
            AccountUnavailable: the store answers, and refuses: waiting would not help.
        """
        self.id = secrets.token_hex(8)
        self._reset()
        self._contact = contact = Contact(self._store, self)
        # The one exception to the rule that whoever awaits, works: a lease has to be renewed while
        # nobody waits, and whoever opens an account and whoever closes it may be different tasks.
        self._held = OwnTask(contact.held(), "the shared account")
        try:
            await self._held.__aenter__()
            with anyio.move_on_after(FIRST_CONTACT):
                await contact.tried.wait()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise
        if isinstance(self._failure, StoreRefused):
            error = self._unavailable(self._failure)
            await self.aclose()
            raise error

    async def aclose(self) -> None:
        """Leave; what is not used is free at once. May be called by another task than `open`."""
        contact, held, self._contact, self._held = self._contact, self._held, None, None
        if contact is not None and held is not None:
            self._purse.give_back()
            await self.records.settle(GOODBYE)
            await held.__aexit__(None, None, None)

    def abandon(self) -> None:
        """Forget an event loop that has ended, with the contact and all that was taken in it."""
        self._contact = self._held = None
        self.callbacks.reset("")
        self._first = True

    def kick(self, *, at_once: bool = False) -> None:
        """Have an exchange made soon."""
        if self._contact is not None:
            self._contact.kick(at_once=at_once)

    # -- what the account asks --------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """Counts the reductions of the capacity."""
        return self._epoch

    @property
    def capacity(self) -> int:
        """Slots of the whole account, as found out so far."""
        return self._capacity

    def refused(self, epoch: int, open_tasks: int) -> None:
        """Note that the service had no slot for a task that was sent in that epoch."""
        if epoch == self._epoch:
            self._refused, self._crowd = epoch, open_tasks
            self.kick()

    def succeeded(self) -> None:
        """Note that a solve has ended well."""
        self._successes += 1

    def reserve_nowait(self, price: Decimal) -> None:
        """Set money aside, or raise `anyio.WouldBlock`."""
        self._purse.reserve_nowait(price)

    async def reserve(self, price: Decimal) -> None:
        """Set money aside, or raise `SpendLimitReached`."""
        await self._purse.reserve(price)

    def release(self, price: Decimal) -> None:
        """Return what was set aside."""
        self._purse.release(price)

    def spend(self, reserved: Decimal, cost: Decimal) -> None:
        """Replace what was set aside by the cost."""
        self._purse.spend(reserved, cost)

    @property
    def capped(self) -> bool:
        """Whether there is a cap, by the newest member's limits."""
        return self._purse.capped

    def affords(self, price: Decimal) -> bool:
        """Tell whether there is money for a price, as far as is known."""
        return self._purse.affords(price)

    def inherit(self, price: Decimal) -> None:
        """Take over what a process that is gone has set aside, for a task of it."""
        self._purse.inherit(price)

    def blow(self, error: ServiceError, seconds: float) -> None:
        """Stop the others, too."""
        self._fuse.blow(error, seconds)

    def mend(self, *, by_hand: bool) -> None:
        """Let the others go on, too."""
        self._fuse.mend(by_hand=by_hand)

    async def may_probe(self, seconds: float) -> bool:
        """Return whether this process may send the one probe."""
        if self._failure is not None:
            return False
        return await self._fuse.may_probe(seconds)

    def pause(self, seconds: float) -> None:
        """Have the others wait, too."""
        self._pause = max(self._pause, seconds)
        self.kick()

    def unavailable(self) -> AccountUnavailable | None:
        """Return the error of a wait that has ended without a share because of an outage."""
        granted = self._in_force(anyio.current_time()) and self.slots.statistics().capacity != 0
        if self._failure is None or granted:
            return None
        return self._unavailable(self._failure)

    def _trouble(self) -> AccountUnavailable | None:
        """Return why the store cannot be used now."""
        return None if self._failure is None else self._unavailable(self._failure)

    def _life(self) -> Life | None:
        """Return what is known of the store's life; None if that is nothing, or it may not have
        heard from all yet.
        """
        return None if self._grace or not self._version else Life(self._born, self._version)

    def _unavailable(self, failure: StoreUnreachable | StoreRefused) -> AccountUnavailable:
        text = f"The shared account cannot be used: {failure}; nothing was sent."
        return AccountUnavailable(text, retryable=isinstance(failure, StoreUnreachable))

    def statistics(self) -> ShareStatistics:
        """Return the numbers of now."""
        share = self.slots.statistics().capacity if self._kept(anyio.current_time()) else 0
        return ShareStatistics(
            members=self._members,
            share=share or 0,
            capacity=self._capacity,
            spent=to_money(self._purse.known),
            reachable=self._contact is not None and self._failure is None,
            exchanges=0 if self._contact is None else self._contact.exchanges,
        )

    # -- being in contact -------------------------------------------------------------------------

    def _in_force(self, now: float) -> bool:
        """Whether the share may be used: within the lease, or in an outage if it is kept."""
        return now < self._lease_end or (self._on_outage == "keep" and self._failure is not None)

    def _kept(self, now: float) -> bool:
        return now < self._lease_end or self._failure is not None

    def report(self, *, leaving: bool) -> Report:
        """Return what to tell the store."""
        now = anyio.current_time()
        purse, saying = self._purse, self._fuse.next_saying()
        money, least = (0, 0) if leaving else purse.wants(now)
        return Report(
            version=self._version,
            born=self._born,
            joined=self._joined,
            leaving=leaving,
            terms=self._terms,
            asks=(
                self.slots.ask(now, leaving=leaving),
                self.submits.ask(now, leaving=leaving),
                self.requests.ask(now, leaving=leaving),
            ),
            successes=self._successes,
            refused=self._refused,
            crowd=self._crowd,
            capacity=self._capacity if self._version else 0,
            spent=purse.spent,
            acknowledged=purse.acknowledged,
            lent=purse.lent,
            returned=purse.returned,
            money=money,
            least=least,
            known=purse.known,
            pause=int(self._pause * SECOND),
            egress=self._egress,
            fuse_do="" if saying is None else saying.what,
            fuse_scope="" if saying is None else saying.scope,
            fuse_number=0 if saying is None else saying.number,
            fuse_span=0 if saying is None else int(saying.span * SECOND),
            fuse_error="" if saying is None else saying.error,
        )

    def granted(self, report: Report, grant: Grant, sent: float) -> bool:
        """Take the store's answer; true if telling again frees something for others."""
        was_lost, self._failure = self._failure, None
        self._lease_end = sent + USED * grant.lease / SECOND
        self._members, self._capacity, self._epoch = grant.members, grant.capacity, grant.epoch
        if self._refused < grant.epoch:
            self._refused = -1
        self._purse.granted(grant, self._purse.mark())
        more = self._take_shares(report, grant)
        self._hear_of_fuses(report, grant)
        if int(self._pause * SECOND) <= report.pause:
            self._pause = 0.0
        self._grace = bool(grant.grace)
        if grant.pause:
            self.listener.pause(grant.pause / SECOND)
        if was_lost is not None:
            logger.info("the shared account's store answers again")
            self.listener.back()
        return more

    def _take_shares(self, report: Report, grant: Grant) -> bool:
        gates = (self.slots, self.submits, self.requests)
        self.submits.window = grant.submits_window / SECOND
        self.requests.window = grant.requests_window / SECOND
        if self._born and grant.born != self._born:
            self.records.remind()
        # One exchange follows the other, so that no grant is older than the one before.
        self._born, self._joined = grant.born, self._joined or grant.joined
        more = False
        for gate, hungry in zip(gates, grant.hungry, strict=True):
            gate.hungry = hungry
        if grant.version > self._version:
            self._version = grant.version
            for gate, share, ask in zip(gates, grant.shares, report.asks, strict=True):
                more = gate.grant(share, ask) or more
        for gate in gates:
            gate.wake()
        return more

    def _hear_of_fuses(self, report: Report, grant: Grant) -> None:
        saying = self._fuse.next_saying()
        if saying is not None and saying.what == report.fuse_do:
            self._fuse.said(saying, grant.probe)
        self._fuse.news("", grant.fuse_number, grant.fuse_span, grant.fuse_error)
        if self._egress:
            span = grant.egress_span
            self._fuse.news(self._egress, grant.egress_number, span, grant.egress_error)

    def _fuse_changed(self, error: ServiceError | None, seconds: float) -> None:
        self.listener.fuse(error, seconds)

    async def fetch(self) -> None:
        """Take the callbacks that were handed over."""
        await self.callbacks.fetch(lambda token, body: self.listener.posted(token, body))

    def message(self, text: str) -> None:
        """Take a message of the store or of another member."""
        kind, _, rest = text.partition(" ")
        if kind == "share":
            version, pool, share = map(int, rest.split())
            if version > self._version:
                self._version = version
                self._gate(pool).resize(share)
        elif kind == "hungry":
            pool, level = map(int, rest.split())
            self._gate(pool).others_wait(level)
        elif kind == "fuse":
            number, span, scope, error = rest.split(" ", 3)
            self._fuse.news("" if scope == "-" else scope, int(number), int(span), error)
        elif kind == "pause":
            self.listener.pause(int(rest) / SECOND)
        elif kind == "post":
            self.callbacks.came(rest)

    def _gate(self, pool: int) -> Gate:
        gate: Gate = getattr(self, POOLS[pool])
        return gate

    def lost(self, error: StoreUnreachable | StoreRefused) -> None:
        """Note that the store does not answer."""
        was_lost, self._failure = self._failure, error
        self._purse.wake()
        if isinstance(error, StoreRefused):
            self.records.refused(self._unavailable(error))
        for gate in (self.slots, self.submits, self.requests):
            gate.wake()
        if self.requests.statistics().capacity == 0:
            # Nothing was ever granted; what is paid for is asked for all the same, one by one.
            self.requests.resize(1)
        if was_lost is None:
            logger.warning("the shared account's store does not answer: %s", error)
            self.listener.lost(self._unavailable(error))

    def due(self) -> float:
        """Return the moment at which a turn comes free that others wait for, or a grace may end."""
        due = min(self.submits.due(), self.requests.due())
        if self._grace and self.slots.statistics().waiting:
            due = min(due, anyio.current_time() + GRACE_BEAT)
        return due

    async def keep_records(self) -> None:
        """Write and read records, as long as the store answers."""
        await self.records.run()

    async def hand_over(self) -> None:
        """Give callbacks to others, as long as the store answers."""
        await self.callbacks.run()

    async def now_and_then(self) -> None:
        """Exchange what was learned."""
        for kind, numbers in self.listener.take_learned().items():
            self.listener.learned(kind, await self._store.merge(kind, numbers))

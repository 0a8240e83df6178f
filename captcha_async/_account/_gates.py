"""Gates: all that decides whether a request of an account may go.

`Admission` asks it on the way out and tells it what has come back, and nothing else reaches it.
What need not wait is decided at once, without a trip through the event loop. Of an account that
several processes share, a `Member` holds this process's part; then what happens here is told to the
others, and what happens there is heard.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio

from .._handlers import each
from ..errors import (
    AccountError,
    CaptchaError,
    ClientClosed,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
    SpendLimitReached,
    SubmitUncertain,
    TransportError,
)
from ..services import Service
from ._brake import FAILURES_TO_STOP, OUTAGE_WINDOW, Brake, Trial
from ._fuse import Fuse, FuseChange, RequestKind
from ._limits import Limits
from ._pause import Pause
from ._retry import NextAttempt
from ._semaphore import RateLimitedSemaphore
from ._slots import SharedSlots, Slots
from ._slow_start import SlowStart
from ._spending import Spending
from ._tenant import Tenant

if TYPE_CHECKING:
    from .._events import AccountEvent
    from .._sharing._gate import Gate
    from .._sharing._member import Member

__all__ = ["Gates"]

logger = logging.getLogger("captcha_async")

OUTAGE_AFTER = 60.0
"""Seconds without any reply after which the service is taken to be out of order."""

PRICE_AFTER = 60.0
"""Seconds in which a task that is to tell its type's price is accepted, and somebody awaits it."""

PROBE_AGAIN = 1.0
"""Seconds after which it is asked again whether the probe that another process sends has passed."""


class Gates:
    """The gates of one account, and its clients, who share them.

    Args:
        service: whose account it is.
        limits: what the account may do at once.
        prices: what a task costs, by the name of its model.
        member: this process's part of an account that several processes share.
    """

    def __init__(
        self,
        service: Service,
        limits: Limits,
        prices: Mapping[str, Decimal],
        member: Member | None = None,
    ) -> None:
        self._service = service
        self.member: Member | None = member
        # Whether the member is open: set by `join`, cleared by `part`, and by a new event loop.
        self._is_member = False
        # Made by the first that joins, in an event loop.
        self._joining: anyio.Lock | None = None
        self.fuse: Fuse = Fuse(service.ban_window)
        self.pause: Pause = Pause()
        self.brake: Brake = Brake()
        self.next_attempt: NextAttempt = NextAttempt()
        self.slots: Slots | SharedSlots
        # None if their rate is not limited.
        self.submits: RateLimitedSemaphore | Gate | None = None
        rate = limits.requests_per_second
        if member is None:
            self.slots = Slots(limits.in_flight)
            if limits.submits_per_second is not None:
                self.submits = RateLimitedSemaphore(None, limits.submits_per_second)
        else:
            self.slots, self.submits, rate = SharedSlots(member), member.submits, None
        # As many at once as there are lanes, so that no request ever queues inside httpx. The rate
        # of a shared account is that of `member.requests`.
        self.requests: RateLimitedSemaphore = RateLimitedSemaphore(limits.connections, rate)
        self.start: SlowStart = SlowStart(limits.connections)
        self.spending: Spending = Spending(limits.max_spend, limits.per, prices, member)
        # The clients that have joined and not left.
        self.tenants: dict[Tenant, None] = {}
        # Moment of the first of the requests that had no reply, since there was one.
        self._silent_since: float | None = None
        # The journals that have told what was spent before.
        self._recalled: set[str] = set()
        self._listen()

    def first_to_recall(self, journal: str) -> bool:
        """Tell whether the journal at that path has yet to tell what was spent, and note that."""
        first = journal not in self._recalled
        self._recalled.add(journal)
        return first

    @property
    def open(self) -> int:
        """Accepted tasks of the clients that have not ended."""
        return sum(tenant.open for tenant in self.tenants)

    @property
    def in_use(self) -> bool:
        """Whether something is open, waits, or is on its way."""
        return bool(self.open or self.fuse.guards or self.requests.statistics().borrowed)

    @property
    def is_out(self) -> bool:
        """Whether the service is out of order: no reply came for a while, though it was asked."""
        if isinstance(self.fuse.error, ServiceUnavailable) and self.fuse.state == "open":
            return True
        since = self._silent_since
        return since is not None and anyio.current_time() - since >= OUTAGE_AFTER

    def retry_in(self) -> float | None:
        """Return the seconds until something that has failed is sent again; None if nothing is."""
        try:
            now = anyio.current_time()
        except RuntimeError:
            # Nothing is sent where no event loop runs.
            return None
        if self.fuse.state == "open":
            return max(0.0, self.fuse.until - now)
        if self.brake.is_trying:
            return 0.0
        left = self.next_attempt.left()
        if self.brake.waiting:
            left = 0.0
        return None if left is None else max(left, self.brake.hold, self.pause.until - now)

    async def find_out_price(self, kind: str) -> Decimal:
        """Set the price of a task aside, when the one in flight of its type has told it.

        Raises:
            SpendLimitReached: it does not fit under the cap, or the other one does not end.
        """
        try:
            return await self.spending.reserve(kind, PRICE_AFTER)
        except SpendLimitReached:
            if not any(tenant.awaited for tenant in self.tenants):
                raise
        longest = self._service.poll_times(kind).timeout
        return await self.spending.reserve(kind, longest + PRICE_AFTER)

    # -- what has come back -----------------------------------------------------------------------

    def has_no_slot(self, epoch: int) -> bool:
        """Note that the service had no slot for a task sent in that *epoch* of the slots.

        Returns:
            Whether somebody waits for open tasks of ours, so that waiting for one to end helps.
        """
        self.slots.refused(epoch, self.open)
        return any(tenant.awaited for tenant in self.tenants)

    def note_end(
        self, *, probe: bool, trial: Trial | None, creates: bool, error: BaseException | None
    ) -> None:
        """Note how a request has ended.

        Args:
            probe: whether it was the fuse's probe.
            trial: what it was for the brake.
            creates: whether it was a createTask.
            error: what came in place of an answer.
        """
        if error is None:
            self._silent_since = None
            if probe:
                self._end(probe=True, error=None)
            if creates:
                self.brake.answered()
                self.start.accepted()
            return
        asked = error.retry_after if isinstance(error, CaptchaError) else None
        if asked is not None:
            self.hold_back(asked)
        unanswered = isinstance(error, TransportError | SubmitUncertain)
        answered = isinstance(error, ServiceError | ProtocolError)
        if answered:
            self._silent_since = None
        elif unanswered and self._silent_since is None:
            self._silent_since = anyio.current_time()
        # What a handler of events raises must not leave a trial without its end: so the fuse, which
        # tells of its changes, comes last.
        if creates and unanswered:
            self.brake.failed(trial, uncertain=isinstance(error, SubmitUncertain))
        elif creates and answered:
            self.brake.answered()
            if isinstance(error, AccountError):
                self.start.refused()
        else:
            self.brake.unused(trial)
        self._end(probe=probe, error=error)
        if creates and unanswered:
            self._stop_in_outage()

    def _end(self, *, probe: bool, error: BaseException | None) -> None:
        """Let the fuse know how a request has ended; the handlers of events come last."""
        change = self.fuse.end(probe=probe, error=error)
        if self.member is not None and (change is not None or probe):
            self._tell_others(change, error)
        if change is not None:
            self.tell(change)

    def _stop_in_outage(self) -> None:
        """Open the fuse, if too many createTask calls in a row brought no reply."""
        count = self.brake.uncertain
        if count >= FAILURES_TO_STOP:
            error = ServiceUnavailable(
                f"{count} createTask calls in a row brought no reply, and each may have created a "
                "task: the service, or a gateway before it, is out of order."
            )
            change: FuseChange | None = "blown" if self.fuse.blow(error, OUTAGE_WINDOW) else None
            if self.member is not None and change is not None:
                self.member.blow(error, OUTAGE_WINDOW)
            self.tell(change)

    def hold_back(self, seconds: float) -> None:
        """Hold all requests back, as the service has asked."""
        self.pause.for_seconds(seconds)
        if self.member is not None:
            self.member.pause(seconds)

    def reset_fuse(self) -> None:
        """Close the fuse by hand, for example after topping up the account."""
        # What a handler of events raises must not keep it from the others.
        change = self._close_fuse()
        if self.member is not None:
            self.member.mend(by_hand=True)
        self.tell(change)

    def _close_fuse(self) -> FuseChange | None:
        self.brake.answered()
        return "closed" if self.fuse.reset() else None

    def tell(self, change: FuseChange | None) -> None:
        """Log that the fuse has blown or is closed again, and tell it to all clients."""
        error = self.fuse.error
        told = {"service": self._service.name}
        if change == "blown" and error is not None:
            logger.warning("The fuse has blown, no request leaves: %s", error, extra=told)
        elif change == "closed":
            logger.info("The fuse is closed again.", extra=told)
        else:
            return
        if change == "closed" or error is None:
            self._emit("FuseClosed")
        else:
            self._emit("FuseBlown", error=error)

    def _emit(self, kind: AccountEvent, **details: Any) -> None:
        """Make an event and give it to all clients that listen; without one none is made."""
        listeners = [tenant.events for tenant in self.tenants if tenant.events]
        if listeners:
            # Imported late: most programs have no handler of events.
            from .._events import of_account

            now = anyio.current_time()
            happened = of_account(kind, at=now, service=self._service, **details)
            each(lambda events: events.emit(happened), listeners)

    # -- other processes --------------------------------------------------------------------------

    async def join(self) -> None:
        """Become one of the processes that share the account, if it is shared.

        Raises:
            AccountUnavailable: the store refuses; waiting would not help.
        """
        if self.member is None or self._is_member:
            return
        self._joining = self._joining or anyio.Lock()
        async with self._joining:
            # A client that was closed meanwhile does not need it any more.
            if not self._is_member and self.tenants:
                await self.member.open()
                self.submits = self.member.submits
                self._is_member = True

    async def part(self) -> None:
        """Give this process's share back, once no client is left."""
        if self.member is None or self._joining is None:
            return
        with anyio.CancelScope(shield=True):
            async with self._joining:
                if self._is_member and not self.tenants:
                    self._is_member = False
                    await self.member.aclose()

    def abandon(self) -> None:
        """Forget the membership of an event loop that has ended."""
        if self.member is not None and self._is_member:
            self._is_member = False
            self._joining = None
            self.member.abandon()

    def _listen(self) -> None:
        """Have the member tell what happens in other processes."""
        if self.member is not None:
            listener = self.member.listener
            listener.fuse, listener.pause = self._hear_of_fuse, self.pause.for_seconds
            listener.lost, listener.back = self._lost, self._back
            listener.posted = self._posted

    async def ask_to_probe(self, kind: RequestKind) -> None:
        """Ask whether the probe that was begun may go: one does, of all processes.

        Raises:
            AccountError: another process sends it, or nobody can be asked; nothing was sent.
        """
        if self.member is None:
            return
        allowed = False
        try:
            allowed = await self.member.may_probe(self.fuse.window)
        finally:
            if not allowed:
                self.fuse.put_off(PROBE_AGAIN)
        if not allowed:
            self.fuse.check(kind)

    def _tell_others(self, change: FuseChange | None, error: BaseException | None) -> None:
        """Tell how the fuse has changed here, or that a probe was refused."""
        assert self.member is not None
        if isinstance(error, AccountError):
            self.member.blow(error, self.fuse.until - anyio.current_time())
        elif change == "closed":
            self.member.mend(by_hand=False)

    def _hear_of_fuse(self, error: ServiceError | None, seconds: float) -> None:
        if error is None:
            change = self._close_fuse()
        else:
            change = "blown" if self.fuse.hold(error, seconds) else None
        self.tell(change)

    def _posted(self, token: str, body: bytes) -> None:
        """Give a callback that was handed over to the client whose it is, if it is there."""
        for tenant in self.tenants:
            if tenant.callbacks.posted(token, body):
                return

    def _lost(self, error: CaptchaError) -> None:
        self._emit("AccountLost", error=error)

    def _back(self) -> None:
        self._emit("AccountBack")

    # -- clients and event loops ------------------------------------------------------------------

    def stop(self, tenant: Tenant) -> None:
        """End all that a client waits for: it is closed."""
        stopped = [guard for guard in self.fuse.guards if guard.tenant is tenant]
        closed = "The client is closed; open a new one."
        each(lambda guard: guard.stop(ClientClosed(closed)), stopped)

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self.abandon()
        self.fuse.shift(seconds)
        self.pause.shift(seconds)
        self.brake.shift(seconds)
        self.next_attempt.forget()
        self.slots.semaphore.shift(seconds)
        if self.submits is not None:
            self.submits.shift(seconds)
        self.requests.shift(seconds)
        self.spending.shift(seconds)
        self._silent_since = None

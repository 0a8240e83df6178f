"""Gates: all that decides whether a request of an account may go.

This is the state that may one day live outside of the process, shared by several: `Admission` asks
it on the way out and tells it what has come back, and nothing else reaches it. What need not wait
is decided at once, without a trip through the event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal

import anyio

from .._events import FuseBlown, FuseClosed
from ..errors import (
    CaptchaError,
    ClientClosed,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
    SubmitUncertain,
    TransportError,
)
from ..services import Service
from ._brake import FAILURES_TO_STOP, OUTAGE_WINDOW, Brake
from ._fuse import Fuse, FuseChange
from ._limits import Limits
from ._pause import Pause
from ._semaphore import RateLimitedSemaphore
from ._slots import Slots
from ._spending import Spending
from ._tenant import Tenant

__all__ = ["Gates"]

logger = logging.getLogger("captcha_async")

OUTAGE_AFTER = 60.0
"""Seconds without any reply after which the service is taken to be out of order."""


class Gates:
    """The gates of one account, and its clients, who share them.

    Args:
        service: whose account it is.
        limits: what the account may do at once.
        prices: what a task costs, by the name of its model.
    """

    def __init__(self, service: Service, limits: Limits, prices: Mapping[str, Decimal]) -> None:
        self._service = service
        self.fuse: Fuse = Fuse(service.ban_window)
        self.pause: Pause = Pause()
        self.brake: Brake = Brake()
        self.slots: Slots = Slots(limits.in_flight)
        self.submits: RateLimitedSemaphore = RateLimitedSemaphore(None, limits.submits_per_second)
        # As many at once as there are lanes, so that no request ever queues inside httpx.
        self.requests: RateLimitedSemaphore = RateLimitedSemaphore(
            limits.connections, limits.requests_per_second
        )
        self.spending: Spending = Spending(limits.max_spend, limits.per, prices)
        # The clients that have joined and not left.
        self.tenants: dict[Tenant, None] = {}
        # Moment of the first of the requests that had no reply, since there was one.
        self._silent_since: float | None = None
        # The journals that have told what was spent before.
        self._recalled: set[str] = set()

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
        """Whether something is open, or waits."""
        return bool(self.open or self.fuse.guards)

    @property
    def is_out(self) -> bool:
        """Whether the service is out of order: no reply came for a while, though it was asked."""
        if isinstance(self.fuse.error, ServiceUnavailable) and self.fuse.state == "open":
            return True
        since = self._silent_since
        return since is not None and anyio.current_time() - since >= OUTAGE_AFTER

    # -- what has come back -----------------------------------------------------------------------

    def has_no_slot(self, epoch: int) -> bool:
        """Note that the service had no slot for a task sent in that *epoch* of the slots.

        Returns:
            Whether somebody waits for open tasks of ours, so that waiting for one to end helps.
        """
        self.slots.refused(epoch, self.open)
        return any(tenant.awaited for tenant in self.tenants)

    def note_end(self, *, probe: bool, creates: bool, error: BaseException | None) -> None:
        """Note how a request has ended.

        Args:
            probe: whether it was the fuse's probe.
            creates: whether it was a createTask.
            error: what came in place of an answer.
        """
        asked = error.retry_after if isinstance(error, CaptchaError) else None
        if asked is not None:
            self.pause.for_seconds(asked)
        unanswered = isinstance(error, TransportError | SubmitUncertain)
        answered = error is None or isinstance(error, ServiceError | ProtocolError)
        if answered:
            self._silent_since = None
        elif unanswered and self._silent_since is None:
            self._silent_since = anyio.current_time()
        self.tell(self.fuse.end(probe=probe, error=error))
        if not creates:
            return
        if unanswered:
            self.brake.failed(uncertain=isinstance(error, SubmitUncertain))
            self._stop_in_outage()
        elif answered:
            self.brake.answered()
        else:
            self.brake.unused()

    def _stop_in_outage(self) -> None:
        """Open the fuse, if too many createTask calls in a row brought no reply."""
        count = self.brake.uncertain
        if count >= FAILURES_TO_STOP:
            error = ServiceUnavailable(
                f"{count} createTask calls in a row brought no reply, and each may have created a "
                "task: the service, or a gateway before it, is out of order."
            )
            self.tell("blown" if self.fuse.blow(error, OUTAGE_WINDOW) else None)

    def reset_fuse(self) -> None:
        """Close the fuse by hand, for example after topping up the account."""
        self.brake.answered()
        self.tell("closed" if self.fuse.reset() else None)

    def tell(self, change: FuseChange | None) -> None:
        """Log that the fuse has blown or is closed again, and tell it to all clients."""
        error = self.fuse.error
        if change == "blown" and error is not None:
            logger.warning("The fuse has blown, no request leaves: %s", error)
        elif change == "closed":
            logger.info("The fuse is closed again.")
        else:
            return
        for tenant in list(self.tenants):
            if not tenant.events:
                continue
            now = anyio.current_time()
            if change == "closed" or error is None:
                tenant.events.emit(FuseClosed(at=now, service=self._service))
            else:
                tenant.events.emit(FuseBlown(at=now, service=self._service, error=error))

    # -- clients and event loops ------------------------------------------------------------------

    def stop(self, tenant: Tenant) -> None:
        """End all that a client waits for: it is closed."""
        for guard in list(self.fuse.guards):
            if guard.tenant is tenant:
                guard.stop(ClientClosed("The client is closed; open a new one."))

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self.fuse.shift(seconds)
        self.pause.shift(seconds)
        self.brake.shift(seconds)
        self.slots.semaphore.shift(seconds)
        self.submits.shift(seconds)
        self.requests.shift(seconds)
        self.spending.shift(seconds)
        self._silent_since = None

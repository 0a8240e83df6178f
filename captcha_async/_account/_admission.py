"""The one way out: every request passes the same gates, in the same order.

For every request these are: closed client, fuse, pause; for a task that is to be created slot,
submit rate, money, brake and slow start; then request rate and lane. A rate is one of departures:
whoever was held back after it got its turn waits for a turn again, so that the end of a pause or of
an outage is no burst. What need not be waited for costs no scope and no trip through the event
loop; what has to be waited for ends when the fuse blows.
"""

from __future__ import annotations

from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from ._brake import Trial
from ._fuse import Guard, RequestKind
from ._gates import Gates
from ._semaphore import RateLimitedSemaphore
from ._tenant import Tenant

if TYPE_CHECKING:
    from .._sharing._gate import Gate
    from .._sharing._member import Member

__all__ = ["Admission", "Submission"]


class Submission(Protocol):
    """A task that is to be created, as far as the gates have to know it."""

    type: str
    """Name of the task model, by which its price is known."""
    wants_slot: bool
    """Whether it counts among the tasks in flight of `Limits`."""
    has_slot: bool
    """Whether it holds a slot; given back by `Account.give_back_slot`."""
    reserved: Decimal | None
    """The money set aside for it; the books settle it, once its fate is known."""


class Admission:
    """Lets one request out: `async with gates.admit(kind, tenant):` sends it inside."""

    __slots__ = (
        "_deadline",
        "_error",
        "_gates",
        "_kind",
        "_probe",
        "_started",
        "_submission",
        "_tenant",
        "_trial",
    )

    def __init__(
        self,
        gates: Gates,
        kind: RequestKind,
        tenant: Tenant,
        submission: Submission | None,
        deadline: float,
    ) -> None:
        self._gates = gates
        self._kind: RequestKind = kind
        self._tenant = tenant
        self._submission = submission
        self._deadline = deadline
        # Set on the way in: whether it is the fuse's probe, the brake's trial if it is one, and
        # whether it has a place of the slow start. Set inside: how the request has ended, where
        # what leaves the block tells something else.
        self._probe = False
        self._trial: Trial | None = None
        self._started = False
        self._error: BaseException | None = None

    async def __aenter__(self) -> Self:
        gates, tenant = self._gates, self._tenant
        if gates.member is not None:
            tenant.check()
            await gates.join()
        if tenant.closed or gates.fuse.error is not None:
            tenant.check()
            gates.fuse.check(self._kind)
        if not self._goes_at_once():
            try:
                await self._take_turn()
            except BaseException:
                self._stand_back()
                raise
        if tenant.closed or gates.fuse.error is not None:
            await self._begin()
        tenant.counters.requests += 1
        return self

    def _goes_at_once(self) -> bool:
        """Take a turn at once, if it takes no more than a lane and nothing is held back: most polls
        need not wait for anything.
        """
        gates = self._gates
        return (
            self._submission is None
            and gates.member is None
            and not gates.pause.lasts
            and gates.requests.try_acquire()
        )

    async def _begin(self) -> None:
        """Look again, now that its turn has come, and find out whether it is the fuse's probe."""
        try:
            self._tenant.check()
            self._probe = self._gates.fuse.begin(self._kind)
            if self._probe:
                await self._gates.ask_to_probe(self._kind)
        except BaseException:
            self._release_turn()
            self._stand_back()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        gates = self._gates
        gates.requests.release()
        if gates.member is not None:
            gates.member.requests.release()
        try:
            gates.note_end(
                probe=self._probe,
                trial=self._trial,
                creates=self._submission is not None,
                error=self._error or error,
            )
        finally:
            if self._started:
                gates.start.end()

    def asked_to_wait(self, seconds: float | None) -> None:
        """Note that an answer that is no error asks all requests to wait."""
        if seconds is not None:
            self._gates.hold_back(seconds)

    def blame(self, error: BaseException | None) -> None:
        """Say how the request has ended, if what leaves the block is a cancellation."""
        self._error = error

    async def _take_turn(self) -> None:
        """Take what the request needs, the turn and the lane last."""
        gates, submission = self._gates, self._submission
        while True:
            if gates.pause.lasts:
                with self._guard():
                    await gates.pause.wait(self._deadline)
            if submission is not None and await self._held_back(submission):
                continue
            if not gates.requests.try_acquire():
                await self._wait_for(gates.requests)
            if gates.member is not None:
                await self._take_shared(gates.member)
            if not gates.pause.lasts and (
                submission is None or not gates.brake.holds_back(self._trial)
            ):
                return
            self._release_turn()

    async def _take_shared(self, member: Member) -> None:
        """Take a turn of the processes that share the account, beside the lane."""
        try:
            if not member.requests.try_acquire():
                await self._wait_for(member.requests)
        except BaseException:
            self._gates.requests.release()
            raise

    def _release_turn(self) -> None:
        gates = self._gates
        gates.requests.release()
        if gates.member is not None:
            gates.member.requests.release()

    async def _held_back(self, submission: Submission) -> bool:
        """Take what a task needs; tell whether there was something to wait for after its turn."""
        gates = self._gates
        if submission.wants_slot and not submission.has_slot:
            if not gates.slots.semaphore.try_acquire():
                await self._wait_for(gates.slots.semaphore)
            submission.has_slot = True
        if gates.submits is not None:
            # No slot of it: only the rate counts.
            if not gates.submits.try_acquire():
                await self._wait_for(gates.submits)
            gates.submits.release()
        held_back = False
        if submission.reserved is None:
            submission.reserved = gates.spending.reserve_nowait(submission.type)
            if submission.reserved is None:
                held_back = True
                with self._guard():
                    submission.reserved = await gates.find_out_price(submission.type)
        if gates.brake.holds_back(self._trial):
            self._trial = gates.brake.try_nowait()
            if self._trial is None:
                held_back = True
                with self._guard():
                    self._trial = await gates.brake.wait()
        if not self._started:
            if not gates.start.places.try_acquire():
                held_back = True
                await self._wait_for(gates.start.places)
            self._started = True
            gates.start.begin()
        return held_back

    async def _wait_for(self, semaphore: RateLimitedSemaphore | Gate) -> None:
        with self._guard():
            await semaphore.acquire()

    def _guard(self) -> Guard:
        return self._gates.fuse.guard(self._kind, tenant=self._tenant)

    def _stand_back(self) -> None:
        """Let others have what was taken for a task: this request does not go."""
        submission = self._submission
        if submission is None:
            return
        self._gates.brake.unused(self._trial)
        if self._started:
            self._gates.start.end()
        if submission.reserved is not None:
            self._gates.spending.release(submission.type, submission.reserved)
            submission.reserved = None

"""Submitting a task: attempts at createTask, and what became of each (rules 1 and 2)."""

from __future__ import annotations

import anyio
import attrs

from .._account._retry import Attempts, Retries
from .._transport import Held
from ..errors import CaptchaError, NoSlotAvailable, RateLimited, ServiceError
from ..wire._replies import Created
from ._books import Books
from ._collect import Collector
from ._fate import fate_of
from ._solve import Solve

__all__ = ["KeyTaken", "Refusal", "Submitter"]


MOST_LOST = 3
"""How often the store may break off just when a key is taken; then it is waited for once more."""


class KeyTaken(Exception):
    """Another process has taken the key meanwhile, and nothing was sent: look at it again."""


@attrs.frozen(eq=False, repr=False)
class Refusal:
    """Why a createTask has brought no task."""

    error: CaptchaError
    crowded: bool
    """Whether only our own tasks were in the way, so that waiting for one to end helps."""


class Submitter:
    """Submits one client's tasks."""

    def __init__(self, books: Books, collector: Collector, retries: Retries) -> None:
        self._books = books
        self._collector = collector
        self._retries = retries

    async def submit(self, solve: Solve) -> None:
        """Have *solve* accepted, with further attempts where they cannot cost twice.

        Only a refusal for lack of capacity and a request that was never sent are followed by
        another attempt: in both cases no task exists (rule 1).

        Raises:
            CaptchaError: it was not accepted, or nobody knows whether it was.
        """
        attempts = Attempts(self._retries)
        while (refusal := await self.once(solve)) is not None:
            await self._back_off(solve, attempts, refusal)

    async def once(self, solve: Solve) -> Refusal | None:
        """Send createTask once; again where it may have been refused for its callback.

        Returns:
            Why it was not accepted, or why nobody knows; None if it was.
        """
        # Why it was refused with a callback, if that may have been for the callback.
        blamed: CaptchaError | None = None
        while True:
            if solve.callback is None and solve.callback_url is None:
                solve.callback = solve.tenant.callbacks.expect()
            request = _Request(solve, with_callback=blamed is None)
            lost = 0 if solve.record is None else solve.record.lost
            try:
                if solve.record is not None:
                    # Here, where it holds no lane that the polls need.
                    await solve.record.ready()
                await self._attempt(solve, request)
            except CaptchaError as error:
                if solve.record is not None and lost < solve.record.lost <= MOST_LOST:
                    continue
                if blamed is None and self._may_be_for_callback(solve, error):
                    # Is it the callback, or the service? The reply without it will tell.
                    blamed = error
                    continue
                solve.trouble = error
                return Refusal(error, crowded=self._is_crowded(solve, error, request.epoch))
            if isinstance(blamed, ServiceError):
                solve.tenant.callbacks.give_up(blamed)
            return None

    def _may_be_for_callback(self, solve: Solve, error: CaptchaError) -> bool:
        return (
            solve.callback is not None
            and isinstance(error, ServiceError)
            and solve.tenant.callbacks.refuses(error)
        )

    def _is_crowded(self, solve: Solve, error: CaptchaError, epoch: int) -> bool:
        """Tell whether only our own tasks were in the way, and have the account learn from that."""
        return (
            solve.has_slot
            and isinstance(error, NoSlotAvailable | RateLimited)
            and solve.account.gates.has_no_slot(epoch)
        )

    async def _back_off(self, solve: Solve, attempts: Attempts, refusal: Refusal) -> None:
        """Wait for the next attempt, or raise the error if there is to be none.

        While others wait for open tasks of ours, a refusal of a slot only means that there are too
        many: it gives the slot up, another one is waited for, and it is not counted.
        """
        account = solve.account
        delay = attempts.after(refusal.error, crowded=refusal.crowded)
        if delay is None:
            raise refusal.error
        if refusal.crowded:
            account.give_back_slot(solve)
        account.tell_retry(refusal.error, delay, attempts.made)
        with account.gates.fuse.guard("create", tenant=solve.tenant):
            await anyio.sleep(delay)
        solve.tenant.counters.retries += 1

    async def _attempt(self, solve: Solve, request: _Request) -> None:
        """Send createTask once; what became of it is in the books afterwards."""
        try:
            async with solve.account.admit(
                "create", solve.tenant, solve, deadline=solve.deadline
            ) as admission:
                await self._enter(solve)
                request.begin()
                try:
                    await request.held.run(request.send)
                    request.cut_off = False
                finally:
                    admission.blame(request.error)
                    if request.created is not None:
                        admission.asked_to_wait(request.created.retry_after)
                    self._settle(solve, request)
        except BaseException:
            if solve.accepted:
                # Also if it has its answer already.
                self._books.kept(solve)
            raise
        if request.error is not None:
            if solve.accepted:
                # It was accepted all the same, and only the journal could not take it down.
                self._books.kept(solve)
                if isinstance(request.error, CaptchaError):
                    request.error.ref = solve.ref
            raise request.error

    async def _enter(self, solve: Solve) -> None:
        """Have the journal and the shared records know of the createTask before it is sent."""
        entry = self._books.entered(solve)
        if entry is None and solve.record is None:
            return
        try:
            if solve.record is not None and not await solve.record.begin(solve.type):
                raise KeyTaken
            if entry is not None:
                await entry.begin()
        except BaseException:
            self._books.held_back(solve)
            raise

    def _settle(self, solve: Solve, request: _Request) -> None:
        """Write down what became of a createTask."""
        created = request.created
        if created is None:
            fate = fate_of(left=request.held.held, created=None, error=request.error)
            self._books.refused(solve, fate, request.error, cut_off=request.cut_off)
            return
        if not request.with_callback and solve.callback is not None:
            solve.callback.end(polled=False)
            solve.callback = None
        try:
            self._books.accepted(solve, created, request.sent_at)
        finally:
            if created.solution is not None:
                self._collector.answered(solve, created)


class _Request:
    """One createTask on its way: once it may have left, only its reply or its time-out ends it."""

    def __init__(self, solve: Solve, *, with_callback: bool) -> None:
        self._solve = solve
        self.with_callback = with_callback
        self.held: Held = Held()
        # Moment at which it was begun, or at which the first byte may have left.
        self.sent_at = 0.0
        # Whether its caller was cancelled, or interrupted, before its end.
        self.cut_off = True
        # The slots' epoch then; a refusal tells nothing new about another one.
        self.epoch = 0
        # At most one of them is set, unless the journal could not take the id down.
        self.created: Created | None = None
        self.error: Exception | None = None

    def begin(self) -> None:
        """Note the moment of the beginning."""
        self.sent_at = self._solve.account.now()
        self.epoch = self._solve.account.gates.slots.epoch
        if self._solve.events is not None:
            self._solve.events.started = self.sent_at

    async def send(self) -> None:
        """Send it and read its reply."""
        solve = self._solve
        assert solve.task is not None
        ours = solve.callback if self.with_callback else None
        try:
            self.created = await solve.account.api.create_task(
                solve.task,
                callback_url=solve.callback_url or (None if ours is None else ours.url),
                soft_id=solve.soft_id,
                extra=solve.extra,
                sending=self._sending,
            )
            # Safe before anybody hears of the task.
            task_id, token = self.created.task_id, solve.tenant.callbacks.token_of(ours)
            if solve.entry is not None:
                await solve.entry.accepted(task_id, token)
            if solve.record is not None:
                await solve.record.accepted(solve.ref_of(task_id), token)
        except Exception as error:
            self.error = error

    def _sending(self) -> None:
        self.sent_at = self._solve.account.now()
        self.held.hold()

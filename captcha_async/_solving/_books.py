"""Books: one method for each step of a solve, and nothing else writes what they write.

That is: money, counters, the journal, the events, and which paid tasks nobody waits for. A step is
written at once, so that no cancellation can come between its parts; what a user's handler of events
raises comes last.
"""

from __future__ import annotations

import copy
import logging
from datetime import timedelta
from decimal import Decimal
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from .._account._account import Account
from .._account._tenant import Tenant
from .._clock import utc_now
from .._handlers import Events, each
from .._outcome import Solved
from .._ref import TaskId, TaskRef, one_id
from ..errors import (
    CaptchaError,
    ClientClosed,
    PollLimitReached,
    ServiceError,
    SolveTimeout,
    SubmitUncertain,
    TaskExpired,
    UnreadableSolution,
)
from ..tasks._model import Solution
from ..wire._details import NO_DETAILS, Details
from ..wire._models import spec_of
from ..wire._replies import Created
from ._fate import Fate
from ._late import late
from ._solve import Solve

if TYPE_CHECKING:
    from .._events import Via
    from .._journal import ClientJournal, Entry

__all__ = ["Books", "outcome_of"]

logger = logging.getLogger("captcha_async")
requests = logging.getLogger("captcha_async.requests")

FORGET_AFTER = 3600.0
"""Seconds after which an accepted task that nobody awaits is given up; its result is long gone."""

MOST_EXHAUSTED = 1_000
"""How many failed tasks are remembered."""

MOST_ENDED = 4_000
"""Of how many solved tasks the polls are remembered."""


class Books:
    """The books of one client.

    Args:
        events: whom it tells.
        journal: its journal.
    """

    def __init__(self, events: Events, journal: ClientJournal) -> None:
        self.events = events
        self.journal = journal
        # All by `Solve.name`. The open ones in order of acceptance: each enters when the service
        # has accepted it, and leaves when it ends or is forgotten.
        self._open: dict[TaskId, Solve] = {}
        # Those of them whose id another one had, when the service gave it again, by that id's name.
        self._twins: dict[TaskId, dict[Solve, None]] = {}
        self._twin_numbers = count(2)
        # Paid for, and nobody waits: enters with the last waiter's leaving or with an answer that
        # nobody took, leaves when somebody comes, or when it ends and was open.
        self._orphans: dict[TaskId, Solve] = {}
        # Must not be polled again, so that attaching one cannot start anew (rule 7).
        self._exhausted: dict[TaskId, Solve] = {}
        # (polls, moment of the next one allowed) of the ids of solved tasks: a reference of
        # one may come back, and the gap and the cap hold for it still.
        self._ended: dict[TaskId, tuple[int, float]] = {}

    # -- looking up -------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._open)

    @property
    def open(self) -> tuple[Solve, ...]:
        """Accepted tasks that have not ended."""
        return tuple(self._open.values())

    @property
    def orphans(self) -> tuple[Solve, ...]:
        """Paid tasks whose answer nobody waits for any more."""
        return tuple(self._orphans.values())

    @property
    def uncollected(self) -> tuple[Solve, ...]:
        """The orphans, and what nobody has begun to wait for."""
        waiting = {name: solve for name, solve in self._open.items() if not solve.waiters}
        return tuple({**waiting, **self._orphans}.values())

    def find(self, tenant: Tenant, task_id: TaskId) -> Solve | None:
        """Return the task of that id: open, ended without an answer, or with one not yet taken."""
        name = _name(tenant, task_id)
        return self._find_open(name) or self._exhausted.get(name) or self._orphans.get(name)

    def _find_open(self, name: TaskId) -> Solve | None:
        return self._open.get(name) or next(iter(self._twins.get(name, ())), None)

    # -- the steps, in their order ----------------------------------------------------------------

    def queued(self, solve: Solve) -> None:
        """Somebody wants it solved."""
        if self.events:
            # What was taken up again has events of its own.
            if solve.events is None:
                solve.events = solve.telling(self.events)
            if not solve.accepted:
                solve.events.queued(_task_of(solve))

    def entered(self, solve: Solve) -> Entry | None:
        """Open a line in the journal for a createTask that is about to be sent."""
        if self.journal.journal is not None:
            solve.entry = self.journal.entry(
                solve.type, solve.place, solve.reserved, solve.account.owner
            )
        return solve.entry

    def held_back(self, solve: Solve) -> None:
        """A createTask was not even begun; its line in the journal is gone."""
        if solve.record is not None:
            solve.record.drop()
        self._release(solve)

    def _release(self, solve: Solve) -> None:
        """Return what was set aside for a task that costs nothing."""
        reserved, solve.reserved = solve.reserved, None
        if reserved is not None:
            solve.account.gates.spending.release(solve.type, reserved)

    def _presume(self, solve: Solve) -> None:
        """Count what was set aside as spent: whether it was will never be known."""
        reserved, solve.reserved = solve.reserved, None
        if reserved is not None:
            solve.account.gates.spending.presume(solve.type, reserved)

    def _spend(self, solve: Solve, cost: Decimal | None = None) -> None:
        """Count what it cost; None for what was set aside."""
        reserved, solve.reserved = solve.reserved, None
        if reserved is None:
            reserved = Decimal(0)
        solve.account.gates.spending.spend(solve.type, reserved, cost)

    def refused(self, solve: Solve, fate: Fate, error: Exception | None, *, cut_off: bool) -> None:
        """One createTask has brought no task.

        Args:
            solve: the task.
            fate: what became of the createTask.
            error: why; None if it was not followed to its end.
            cut_off: whether its caller was cancelled, so that nobody will hear of *error*.
        """
        solve.fate = fate
        uncertain = fate is Fate.UNCERTAIN
        # What may have been accepted may cost.
        if uncertain:
            self._presume(solve)
        else:
            self._release(solve)
        if solve.entry is not None:
            if uncertain:
                solve.entry.uncertain()
            else:
                solve.entry.drop()
        if solve.record is not None:
            if uncertain:
                solve.record.uncertain()
            else:
                solve.record.drop()
        if uncertain:
            solve.tenant.counters.uncertain += 1
            if cut_off:
                logger.warning(
                    "A submission was cancelled and no reply came; a task may exist: %s",
                    _task_of(solve).type,
                    extra=solve.told,
                )
        if requests.isEnabledFor(logging.DEBUG):
            said = type(error).__name__ if error else "cancelled"
            requests.debug("createTask of %s: %s", _task_of(solve).type, said, extra=solve.told)
        if solve.events is not None:
            solve.events.submit_failed(_task_of(solve), error)

    def moved(self, solve: Solve, account: Account, tenant: Tenant, *, refused: bool) -> None:
        """It goes to another account.

        Args:
            solve: a task that has not been accepted.
            account: where it goes now.
            tenant: the client, as that account knows it.
            refused: whether the account before has certainly not accepted it.
        """
        if solve.callback is not None:
            solve.callback.end(polled=False)
            solve.callback = None
        solve.tenant.counters.moved += refused
        solve.account, solve.tenant = account, tenant
        if solve.events is not None:
            solve.events.move(account.service)

    def dropped(self, solve: Solve, error: CaptchaError | None) -> None:
        """It will not be created; *error* is None if its caller was cancelled."""
        if solve.callback is not None:
            solve.callback.end(polled=False)
            solve.callback = None
        if solve.events is not None:
            uncertain = solve.uncertain or isinstance(error, SubmitUncertain)
            solve.events.dropped(_task_of(solve), error, uncertain=uncertain)

    def accepted(self, solve: Solve, created: Created, sent_at: float) -> None:
        """The service has created it."""
        self._forget_old(sent_at)
        solve.fate = Fate.ACCEPTED
        solve.born = sent_at
        solve.trouble = None
        self._opened(solve, created.task_id)
        solve.tenant.counters.submitted += 1
        if solve.callback is not None:
            solve.callback.bind(created.task_id)
        if requests.isEnabledFor(logging.DEBUG):
            kind = _task_of(solve).type
            requests.debug("createTask of %s: task %s", kind, solve.task_id, extra=solve.told)
        if solve.events is not None:
            solve.events.submitted(solve.ref, _task_of(solve))

    def taken_up(self, solve: Solve, ref: TaskRef, entry: Entry | None) -> None:
        """It comes from a reference: it was accepted before."""
        solve.born = now = solve.account.now()
        solve.entry = entry
        if entry is not None and entry.reserved is not None:
            spending = solve.account.gates.spending
            solve.reserved = spending.take_over(solve.type, entry.reserved, entry.age)
        gap = solve.account.service.min_poll_gap
        polls, not_before = self._ended.get(_name(solve.tenant, ref.task_id), (0, float("-inf")))
        # Of polls made elsewhere only the number is known: the last may have been just now.
        not_before = max(not_before, now + gap if ref.polls else float("-inf"))
        solve.polled_before(max(polls, ref.polls), not_before)
        self._opened(solve, ref.task_id)
        if self.events:
            solve.events = solve.telling(self.events)
            solve.events.taken_up(ref)

    def _opened(self, solve: Solve, task_id: TaskId) -> None:
        solve.task_id = task_id
        solve.name = solve.id_name = name = _name(solve.tenant, task_id)
        earlier = self._find_open(name)
        if earlier is not None:
            # The service gave an id twice. Each has its own end, and they share their polls.
            solve.same_as = earlier.same_as or earlier
        if earlier is not None or name in self._orphans:
            solve.name = f"{name} ({next(self._twin_numbers)})"
            self._twins.setdefault(name, {})[solve] = None
        self._open[solve.name] = solve
        solve.tenant.open += 1

    def adopted(self, solve: Solve) -> None:
        """Somebody waits for it, one more than before."""
        solve.waiters += 1
        self._orphans.pop(solve.name, None)
        if solve.waiters == 1 and solve.name in self._open:
            solve.tenant.awaited += 1
        if solve.events is not None and not solve.done:
            solve.events.awaited(solve.ref)

    def polled(
        self, solve: Solve, begun: float, status: str | None, error: CaptchaError | None
    ) -> None:
        """It was asked for; neither status nor error if the waiter was cancelled meanwhile."""
        solve.tenant.counters.polls += 1
        solve.status = status or solve.status
        solve.trouble = error
        if solve.entry is not None:
            solve.entry.polled(solve.polls)
        if requests.isEnabledFor(logging.DEBUG):
            said = type(error).__name__ if error else status or "cancelled"
            requests.debug("getTaskResult of task %s: %s", solve.task_id, said, extra=solve.told)
        if solve.events is not None:
            solve.events.polled(solve.ref, begun, status, error)

    def answered(
        self,
        solve: Solve,
        solution: Solution,
        cost: Decimal | None,
        via: Via = "poll",
        details: Details = NO_DETAILS,
    ) -> None:
        """Its answer has come."""
        now = solve.account.now()
        elapsed = now - solve.born
        if solve.entry is not None:
            solve.entry.answered(solution.raw, cost, solve.polls, elapsed, solve.since)
        if solve.record is not None:
            solve.record.answered(solution.raw, cost, solve.polls, elapsed, solve.since)
        life = spec_of(solve.type).token_life
        # The token may have been made right after the service last said that there is none.
        expires_at = None if life is None else solve.born + solve.since + life
        arrived = utc_now()
        solved: Solved[Any] = Solved(
            solution=solution,
            task=solve.task,
            cost=cost,
            elapsed=elapsed,
            polls=solve.polls,
            ref=solve.ref,
            account=solve.tenant.name,
            key=solve.entry.key if solve.key is None and solve.entry is not None else solve.key,
            expires_at=expires_at,
            expires=None if expires_at is None else arrived + timedelta(seconds=expires_at - now),
            arrived=arrived,
            ip=details.ip,
            created=details.created,
            ended=details.ended,
            workers=details.workers,
        )
        self._spend(solve, cost)
        solve.tenant.counters.solved_in(solve.type, elapsed)
        self.solved(solve, solved, via)

    def told(self, solve: Solve, outcome: Solved[Any] | CaptchaError, since: float | None) -> None:
        """Another process has collected it, and tells what came of it.

        Args:
            solve: the task.
            outcome: its answer, or why there is none.
            since: seconds after its submission at which there was no answer yet.
        """
        # Who has collected it has counted what it cost.
        self._release(solve)
        if isinstance(outcome, CaptchaError):
            self.failed(solve, outcome)
            return
        if solve.entry is not None:
            raw = outcome.solution.raw
            solve.entry.answered(raw, outcome.cost, outcome.polls, outcome.elapsed, since)
        self.solved(solve, outcome, "journal")

    def solved(self, solve: Solve, solved: Solved[Any], via: Via) -> None:
        """It has its answer, from now on or, as a journal has it, since long ago."""
        name = solve.id_name
        polls, allowed_at = self._ended.pop(name, (0, solve.next_allowed))
        shared = solve.same_as.polls if solve.same_as is not None else 0
        self._ended[name] = max(polls, solve.polls, shared), max(allowed_at, solve.next_allowed)
        if len(self._ended) > MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        solve.tenant.counters.solved += 1
        self._closed(solve, solved)
        if solve.events is not None:
            solve.events.via = via
            solve.events.ended(solve.ref, solved)

    def failed(self, solve: Solve, error: CaptchaError) -> None:
        """It will never have an answer."""
        error.ref = error.ref or solve.ref
        code = error.code if isinstance(error, ServiceError) else None
        charged = code in solve.account.service.charged_codes
        # A result that nobody got, or nobody can read, was paid for as far as anybody knows.
        lost = isinstance(error, TaskExpired | UnreadableSolution | PollLimitReached)
        if solve.entry is not None:
            cost = solve.reserved if charged or lost else None
            solve.entry.failed(type(error).__name__, cost)
        if solve.record is not None:
            solve.record.failed(type(error).__name__)
        settle = self._spend if charged else self._presume if lost else self._release
        settle(solve)
        self._exhausted[solve.name] = solve
        if len(self._exhausted) > MOST_EXHAUSTED:
            del self._exhausted[next(iter(self._exhausted))]
        solve.tenant.counters.failed += 1
        self._closed(solve, error)
        if solve.events is not None:
            solve.events.ended(solve.ref, error)

    def _closed(self, solve: Solve, outcome: Solved[Any] | CaptchaError) -> None:
        solve.outcome = outcome
        if solve.callback is not None:
            solve.callback.end(polled=solve.polls > 0)
        self._left(solve)
        self._orphans.pop(solve.name, None)

    def _left(self, solve: Solve) -> None:
        """It is not open any more."""
        if self._open.pop(solve.name, None) is not None:
            name = solve.id_name
            if name != solve.name:
                del self._twins[name][solve]
                if not self._twins[name]:
                    del self._twins[name]
            solve.tenant.open -= 1
            if solve.waiters:
                solve.tenant.awaited -= 1

    def abandoned(self, solve: Solve, error: CaptchaError | None) -> None:
        """Somebody waits no more; *error* is what ended the wait before the task has ended."""
        solve.waiters -= 1
        if solve.waiters or solve.done:
            return
        if solve.name in self._open:
            solve.tenant.awaited -= 1
            self._orphans[solve.name] = solve
        self.left_alone(solve, error)

    def left_alone(self, solve: Solve, error: CaptchaError | None) -> None:
        """Tell that nobody waits for it, if that is so, and let other processes collect it."""
        if solve.waiters or solve.done:
            return
        if solve.record is not None:
            solve.record.let_go(solve.polls)
        if solve.events is not None:
            solve.events.abandoned(solve.ref, error)

    def taken(self, solve: Solve) -> None:
        """Its answer has reached whoever asked for it."""
        if solve.has_answer:
            self._orphans.pop(solve.name, None)
            if solve.entry is not None:
                solve.entry.collected()

    def wasted(self, solve: Solve) -> None:
        """Its answer has expired, and nobody has used it."""
        counters = solve.tenant.counters
        counters.wasted += 1
        if isinstance(solve.outcome, Solved) and solve.outcome.cost is not None:
            counters.wasted_cost += solve.outcome.cost
        self._orphans.pop(solve.name, None)
        if solve.entry is not None:
            solve.entry.expired()

    def kept(self, solve: Solve) -> None:
        """It is paid for, and what came of it has not reached anybody."""
        self._orphans[solve.name] = solve

    def _forget_old(self, now: float) -> None:
        """Give up what nobody has waited for, for so long that its result is gone."""
        limit = now - FORGET_AFTER
        # Two at a time keep up with one that is added.
        for solves in (self._open, self._orphans):
            for solve in list(islice(solves.values(), 2)):
                if solve.born < limit and not solve.waiters:
                    self._forgotten(solve)

    def _forgotten(self, solve: Solve) -> None:
        self._left(solve)
        self._orphans.pop(solve.name, None)
        self._presume(solve)
        if solve.callback is not None:
            solve.callback.end(polled=False)
        self.left_alone(solve, None)

    # -- the end of a wait ------------------------------------------------------------------------

    def timed_out(self, solve: Solve, wait: float) -> SolveTimeout:
        """Count a wait that ended at its deadline, and make its error."""
        solve.tenant.counters.timed_out += 1
        return late(solve, wait)

    def close(self) -> None:
        """The client is closed: expect nothing of any task any more."""

        def leave(solve: Solve) -> None:
            if solve.callback is not None:
                solve.callback.end(polled=False)
            error = ClientClosed("The client was closed; nobody waited for the task.")
            self.left_alone(solve, error)

        # A handler of events may attach a task meanwhile.
        each(leave, self.open)


def outcome_of(solve: Solve) -> Solved[Any]:
    """Return the answer of a task that has ended.

    Raises:
        CaptchaError: it failed; a copy for each waiter, so that their tracebacks do not grow into
            one another.
    """
    if isinstance(solve.outcome, Solved):
        return solve.outcome
    assert solve.outcome is not None
    raise copy.copy(solve.outcome) from solve.outcome.__cause__


def _name(tenant: Tenant, task_id: TaskId) -> TaskId:
    # Of nearly all tasks it is the id itself, which takes no further memory.
    name = one_id(task_id)
    return name if tenant.alone else f"{tenant.name} {name}"


def _task_of(solve: Solve) -> Any:
    assert solve.task is not None
    return solve.task

"""Solve: all that is known of one task, from queued to ended. One record, no I/O.

What changes it is in the books (`_books`), but for the polls: their gap and cap are kept by the
record itself, so that nobody can poll too early or too often (rule 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType

import anyio
import attrs

from .._outcome import Solved
from .._polling._schedule import PollState
from .._ref import TaskId, TaskRef
from ..errors import CaptchaError, PollLimitReached
from ..tasks._model import Task
from ._fate import Fate

if TYPE_CHECKING:
    from .._account._account import Account
    from .._account._tenant import Tenant
    from .._callbacks import Callback
    from .._events import SolveEvents
    from .._handlers import Events
    from .._journal import Entry, Place
    from .._sharing._keyed import KeyedEntry

__all__ = ["CLOCK_TICK", "EVER", "Solve"]

EVER = float("inf")

CLOCK_TICK = 1e-6
"""Seconds by which a timer may fire early."""


@attrs.define(eq=False, repr=False)
class Solve:
    """One task on its way.

    It is *queued* until the service has accepted it, then *open* until it has ended: solved, or
    failed for good. A task that is not accepted is *dropped*. What a field is set by is said with
    it; where nothing is said it is set at the start and stays.
    """

    task: Task[Any] | None
    """What is to be solved; None if it was taken up from a reference."""
    type: str
    """Name of the task model."""
    family: str
    account: Account
    """The account that it is at; another one only before it was accepted there."""
    tenant: Tenant
    """The client, as that account knows it."""
    key: Any = None
    """Its key in a batch, or that of a single task."""
    position: int = 0
    """Where it stands in a batch's source."""
    deadline: float = EVER
    """Moment at which the wait for it ends: for all of it, or from its acceptance on."""
    wait: float | None = None
    """The seconds that were asked for all of it; None if only the solving is bounded."""
    callback_url: str | None = None
    soft_id: int | str | None = None
    extra: Mapping[str, Any] | None = None
    """Further keys of createTask's body."""
    wants_slot: bool = False
    tried: tuple[Account, ...] = ()
    """Accounts that earlier tasks of the same solve were at; the others go before."""
    elsewhere: bool = False
    """Whether it may not go to those at all."""

    # -- queued -----------------------------------------------------------------------------------
    has_slot: bool = False
    """Set on the way out (`Admission`), cleared by `Account.give_back_slot`."""
    reserved: Decimal | None = None
    """The money set aside for it: set on the way out, settled by the books."""
    callback: Callback | None = None
    """Where its result is to be posted; made by the first createTask, ended with the task."""
    place: Place | None = None
    """Where it stands in a batch, or among tasks with a key, if others are to know."""
    entry: Entry | None = None
    """Its line in the journal, if there is one; new for each createTask."""
    record: KeyedEntry | None = None
    """Its line in the records of the processes that share the account, if it has a key there."""
    events: SolveEvents | None = None
    """Where to tell what happens to it, if anybody listens."""
    fate: Fate | None = None
    """What became of the last createTask; set by the books."""

    # -- open: set by `Books.accepted` or `Books.taken_up` ----------------------------------------
    task_id: TaskId | None = None
    id_name: TaskId = ""
    """Its id, with the account if there are several; the service may have given the id twice."""
    name: TaskId = ""
    """Under which the books know it while it is open: the same, numbered if another has it."""
    born: float = 0.0
    """Moment of its submission, or of its attachment."""
    same_as: Solve | None = None
    """An earlier one that the service gave the same id; both are polled as one."""
    handle: ReferenceType[Any] | None = None
    """The user's handle, while the user has one."""
    waiters: int = 0
    """How many wait for it; changed by `Books.adopted` and `Books.abandoned`."""
    busy: bool = False
    """Whether somebody polls it, or is about to; others wait for the end of that (`idle`)."""
    idle: anyio.Event | None = None

    # -- its polls: set by `begin_poll` and `end_poll` --------------------------------------------
    polls: int = 0
    allowed_at: float = -EVER
    """Earliest moment of the next poll."""
    last: float = 0.0
    """Age at the end of the last poll."""
    since: float = 0.0
    """Age at which it was last known to be unsolved."""
    number: int = 0
    """Serial number among the tasks that were polled; 0 before the first poll is planned."""
    status: str | None = None
    """What the last poll said."""
    doubted: bool = False
    """Whether the service has said once that there is no such task, and was not believed."""
    doubts: int = 0
    """Polls whose reply was neither an answer, nor "not yet", nor an error."""
    trouble: CaptchaError | None = None
    """Why the last createTask has brought no task, or the last poll no status."""
    turn: int = 0
    """Number of its entry in a watch's heap that counts; 0 if it is in none."""

    # -- ended: set once, by `Books.answered` or `Books.failed` -----------------------------------
    outcome: Solved[Any] | CaptchaError | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.outcome is not None

    @property
    def accepted(self) -> bool:
        """Whether the service has accepted it."""
        return self.task_id is not None

    @property
    def uncertain(self) -> bool:
        """Whether a task may exist of which nobody knows."""
        return self.fate is Fate.UNCERTAIN

    @property
    def allowed(self) -> float:
        """The seconds that the wait for it may take: as asked for, or the service's default."""
        if self.wait is not None:
            return self.wait
        return self.account.service.poll_times(self.type).timeout

    @property
    def has_answer(self) -> bool:
        """Whether the answer is there."""
        return isinstance(self.outcome, Solved)

    @property
    def lacks_slot(self) -> bool:
        """Whether it is in flight for this process, and does not count as such."""
        elsewhere = self.record is not None and not self.record.ours
        return not (self.done or elsewhere or self.has_slot)

    @property
    def ref(self) -> TaskRef:
        """What collects it in another process; there is none before it is accepted."""
        assert self.task_id is not None
        return self.ref_of(self.task_id)

    def ref_of(self, task_id: TaskId) -> TaskRef:
        """Return the reference under an id."""
        service = self.account.service.name
        return TaskRef(service, task_id, self.type, self.polls, self.tenant.mark)

    @property
    def told(self) -> dict[str, object]:
        """What a log record tells of it beside its message (`extra`)."""
        return {
            "service": self.account.service.name,
            "account": self.tenant.name,
            "task_type": self.type,
            "task_id": self.task_id,
            "polls": self.polls,
        }

    @property
    def told_url(self) -> str | None:
        """The callback's URL, as the service was told it."""
        return self.callback_url if self.callback is None else self.callback.url

    def telling(self, events: Events) -> SolveEvents:
        """Make what tells *events* of it."""
        # Imported late: most programs have no handler of events.
        from .._events import SolveEvents

        return SolveEvents(events, self.account.service)

    # -- polls ------------------------------------------------------------------------------------

    def may_poll(self, now: float) -> bool:
        """Tell whether the gap since the last poll is over."""
        allowed_at = self.allowed_at if self.same_as is None else self.same_as.next_allowed
        return now + CLOCK_TICK >= allowed_at

    @property
    def next_allowed(self) -> float:
        """Earliest moment of the next poll."""
        return self.allowed_at if self.same_as is None else self.same_as.next_allowed

    def begin_poll(self, now: float) -> bool:
        """Count a poll that is sent *now*; False if the gap since the last poll is not over.

        Raises:
            PollLimitReached: the service allows no further poll of this task.
        """
        if not self.may_poll(now):
            return False
        if self.same_as is not None:
            self.same_as.begin_poll(now)
        service = self.account.service
        if self.polls >= service.max_polls:
            raise PollLimitReached(
                f"All {service.max_polls} polls that {service.name} allows for a task are used "
                "up; create a new task.",
                polls=self.polls,
                ref=self.ref,
            )
        self.polls += 1
        self.allowed_at = now + service.min_poll_gap
        return True

    def end_poll(self, now: float, *, sent: bool = True, wait: float = 0.0) -> None:
        """Note the end of a poll: the gap is counted from here.

        So it holds at the service too, where a poll arrives at some moment between its start and
        its end.

        Args:
            now: the moment.
            sent: False if the service cannot have seen it; then it does not count.
            wait: seconds that the service asked to wait.
        """
        if self.same_as is not None:
            self.same_as.end_poll(now, sent=sent, wait=wait)
        if not sent:
            self.polls -= 1
        gap = self.account.service.min_poll_gap
        self.allowed_at = now + (gap if gap > wait else wait)
        self.last = now - self.born

    def polled_before(self, polls: int, not_before: float) -> None:
        """Count polls that were made elsewhere, the last of them up to *not_before*."""
        self.polls, self.allowed_at = polls, not_before

    def poll_state(self, deadline: float) -> PollState:
        """Return what the schedule is told of it."""
        # By position, which takes half the time.
        return PollState(
            self.type,
            self.family,
            self.number,
            self.polls,
            self.last,
            self.since,
            deadline - self.born,
            self.task is None,
        )

    def hand_over(self) -> None:
        """Let others find the outcome, or take over the polling."""
        self.busy = False
        if self.idle is not None:
            self.idle.set()
            self.idle = None

    async def wait_idle(self) -> None:
        """Wait until nobody polls it any more."""
        self.idle = self.idle or anyio.Event()
        await self.idle.wait()

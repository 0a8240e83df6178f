"""One callback: its URL, what came of it, and what a task's waiter does with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import anyio

from .._ref import TaskId
from ._tally import Tally

if TYPE_CHECKING:
    from .._sharing._callbacks import SharedCallbacks

__all__ = ["Callback"]

Count = Literal["late", "duplicate", "refused"]


class Callback:
    """The callback of one submission.

    The receiver only puts the body down here and wakes whoever waits; the waiter reads it.

    Args:
        url: what the service is given; it holds the token.
        token: the secret in it.
        verify: whether getTaskResult has to confirm what comes.
        tallies: where it is counted.
        ended: called once, when the callback is not awaited any more.
    """

    __slots__ = (
        "_body",
        "_came",
        "_came_at",
        "_ended",
        "_event",
        "_keeper",
        "_named",
        "_on_arrival",
        "_on_end",
        "_tallies",
        "_task_id",
        "_useful",
        "_useless",
        "resumed",
        "token",
        "url",
        "verify",
    )

    def __init__(
        self,
        url: str,
        token: bytes,
        *,
        verify: bool,
        tallies: tuple[Tally, ...],
        on_end: Callable[[Callback], None],
    ) -> None:
        self.url: str = url
        self.token: bytes = token
        self.verify: bool = verify
        self._tallies = tallies
        self._on_end = on_end
        # Whether its task was taken up from another process, so that nobody knows whether it came.
        self.resumed: bool = False
        # Who keeps the body outside of this process: set when it was handed over, let go with the
        # end of the task.
        self._keeper: SharedCallbacks | None = None
        # Unknown until `bind`, at createTask's reply, which a callback may overtake.
        self._task_id: TaskId | None = None
        # Who waits for a body: a task by the event, made when one waits and dropped when the body
        # is taken; a watch by the function, from `notify` on. Both are let go at the end.
        self._event: anyio.Event | None = None
        self._on_arrival: Callable[[], None] | None = None
        # The body that waits to be read, the task that it names and the moment that it came: put
        # down by `offer` while none is there, gone by `take`, `discard` and `end`.
        self._body: bytes | None = None
        self._named: TaskId | None = None
        self._came_at = 0.0
        # Whether a body ever came: set by `offer`, unset only if it turns out to be another task's.
        self._came = False
        # Whether the last body that was taken is held to be of use; `discard` takes that back.
        self._useful = False
        # Set for good by `discard`: what comes is of no use to this task.
        self._useless = False
        # Set for good by `end`.
        self._ended = False
        for tally in tallies:
            tally.waiting += 1

    def __repr__(self) -> str:
        state = "ended" if self._ended else "arrived" if self.arrived else "awaited"
        return f"<Callback of task {self._task_id} {state}>"

    # -- the receiver's side ----------------------------------------------------------------------

    def offer(self, body: bytes, named: TaskId | None) -> bool:
        """Put a body down; False if it names another task than this one.

        A repeat is taken for granted and changes nothing.
        """
        if named is not None and not self._is_mine(named):
            return False
        if self._body is None and self.awaited:
            self._body, self._named, self._came_at = body, named, anyio.current_time()
            if self._event is not None:
                self._event.set()
            if self._on_arrival is not None:
                self._on_arrival()
        else:
            self.count("duplicate" if self._came else "late")
        self._came = True
        return True

    def keep(self, keeper: SharedCallbacks) -> None:
        """Note that the body is kept outside of this process, until the task has ended."""
        self._keeper = keeper
        self._let_go()

    def _let_go(self) -> None:
        if self._keeper is not None and self._ended:
            self._keeper.forget(self.token.decode())
            self._keeper = None

    def count(self, what: Count) -> None:
        """Count something of this callback, for its receiver and for its client."""
        for tally in self._tallies:
            setattr(tally, what, getattr(tally, what) + 1)

    # -- the client's side ------------------------------------------------------------------------

    @property
    def arrived(self) -> bool:
        """Whether a body waits to be read."""
        return self._body is not None

    @property
    def came_at(self) -> float:
        """Moment of the last body's arrival."""
        return self._came_at

    @property
    def awaited(self) -> bool:
        """Whether the task may still end by it."""
        return not self._useless and not self._ended

    def bind(self, task_id: TaskId) -> None:
        """Tell the id of the task; a body that came before and names another one is dropped."""
        self._task_id = task_id
        if self._body is not None and not self._is_mine(self._named):
            self._body, self._came = None, False
            self.count("refused")

    def notify(self, on_arrival: Callable[[], None]) -> None:
        """Have *on_arrival* called whenever a body comes, until the end.

        This is for a watch, which waits for many at once. It is called by the receiver, in the
        midst of a request: it only notes that there is something to do, and does not raise. A body
        that came before is not told again: see `arrived`.
        """
        self._on_arrival = on_arrival

    async def wait_arrived(self) -> None:
        """Wait until a body is there to be read."""
        if self._body is None:
            if self._event is None:
                self._event = anyio.Event()
            await self._event.wait()

    def take(self) -> bytes | None:
        """Return the body, if one is there; then the next one may come."""
        body, self._body, self._event = self._body, None, None
        self._useful = body is not None
        return body

    def discard(self) -> None:
        """Expect nothing more: what came was of no use."""
        self._useless, self._useful, self._body = True, False, None

    def end(self, *, polled: bool) -> None:
        """Note the end of the task, or that it was given up; *polled* if polls were made for it."""
        if self._ended:
            return
        # The receiver remembers it for a while; whoever waited need not be.
        self._ended, self._body, self._event, self._on_arrival = True, None, None, None
        for tally in self._tallies:
            tally.waiting -= 1
            if self._useful:
                tally.by_callback += 1
            elif polled:
                tally.by_poll += 1
        if self._keeper is not None:
            self._let_go()
        self._on_end(self)

    def _is_mine(self, named: TaskId | None) -> bool:
        # Ids come as numbers and as strings.
        return named is None or self._task_id is None or str(named) == str(self._task_id)

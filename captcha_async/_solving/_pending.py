"""PendingTask: the user's handle of a task that the service has accepted."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, NoReturn, Protocol, TypeVar, final

from .._checks import check_timeout
from .._outcome import Solved
from .._ref import TaskId, TaskRef
from ..tasks._model import Solution, Task
from ._solve import Solve

__all__ = ["PendingTask"]

S_co = TypeVar("S_co", bound=Solution, covariant=True)


class Answers(Protocol):
    """Who gets the answers of accepted tasks."""

    async def result(self, solve: Solve, timeout: float | None) -> Solved[Any]:
        """Wait for the answer, and take it."""
        ...

    async def peek(self, solve: Solve) -> Solved[Any] | None:
        """Poll once at most, and take the answer if it is there."""
        ...


@final
class PendingTask(Generic[S_co]):
    """A task that the service has accepted: `await` it for its answer.

    Made by `submit` and `attach`; there is one for each open task id. It may be awaited by several
    at once, and again after a timeout.
    """

    __slots__ = ("__weakref__", "_answers", "_solve")

    def __init__(self, solve: Solve, answers: Answers) -> None:
        self._solve = solve
        self._answers = answers

    def __repr__(self) -> str:
        solve = self._solve
        state = "solved" if solve.has_answer else "failed" if solve.done else "processing"
        return f"<PendingTask {solve.task_id} {solve.type} {state}, {solve.polls} polls>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a PendingTask belongs to its client: pickle its .ref, and attach that")

    @property
    def task_id(self) -> TaskId:
        """The service's id of the task."""
        assert self._solve.task_id is not None
        return self._solve.task_id

    @property
    def task(self) -> Task[S_co] | None:
        """The task; None if it was taken up from a reference."""
        return self._solve.task

    @property
    def ref(self) -> TaskRef:
        """A reference for `client.attach`, also in another process."""
        return self._solve.ref

    @property
    def polls(self) -> int:
        """Polls made so far."""
        return self._solve.polls

    @property
    def done(self) -> bool:
        """Whether the task has ended, one way or the other."""
        return self._solve.done

    @property
    def has_answer(self) -> bool:
        """Whether the answer is there."""
        return self._solve.has_answer

    def __await__(self) -> Generator[Any, Any, Solved[S_co]]:
        return self.result().__await__()

    async def result(self, timeout: float | None = None) -> Solved[S_co]:
        """Wait for the answer.

        Args:
            timeout: seconds to wait; None for the service's default for this kind of task.

        Raises:
            SolveTimeout: no answer came in time; the task can be awaited again.
            PollLimitReached: the service allows no further poll of this task.
            CaptchaError: the task failed.
        """
        check_timeout(timeout)
        return await self._answers.result(self._solve, timeout)

    async def peek(self) -> Solved[S_co] | None:
        """Return the answer if it is there, or None while the task is processing.

        Makes one poll at most, and none while the service's gap since the last one is not over,
        while the service has asked to wait, or while another waiter is polling.

        Raises:
            CaptchaError: the task failed, or the poll did.
        """
        return await self._answers.peek(self._solve)

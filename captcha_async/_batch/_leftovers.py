"""The facade's part about earlier clients: what they left in the journal."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from .._journal import UncertainSubmission
from .._solving._engine import Engine
from .._solving._pending import PendingTask
from ..errors import invalid
from ._resume import take_up

__all__ = ["Leftovers"]


class Leftovers:
    """The methods of a client about what an earlier one has left."""

    _engine: Engine

    async def resume(self) -> AsyncGenerator[PendingTask[Any]]:
        """Take up what earlier clients with this journal have paid for and not collected.

        ```python
        async for pending in client.resume():
            solved = await pending
        ```

        Makes no request. A task whose result is certainly gone fails with `TaskExpired` when it is
        awaited. Submissions of which nobody knows whether they created a task are not among these:
        see `uncertain`. `Solved.key` tells the key of a task that was in a batch.

        Raises:
            InvalidArgument: the client has no journal.
            JournalError: it cannot be read.
        """
        for record, entry in await self._engine.journal.left_open():
            yield await take_up(self._engine, record, entry)

    async def uncertain(self) -> tuple[UncertainSubmission, ...]:
        """Return the submissions that may have created a task, as the journal has them.

        Their process died, or the network failed, between createTask and its reply. They are never
        sent again by themselves.

        Raises:
            InvalidArgument: the client has no journal.
            JournalError: it cannot be read.
        """
        return await self._engine.journal.uncertain()

    async def forget(self, submission: UncertainSubmission) -> None:
        """Remove an uncertain submission, for example after a look at the account.

        A batch with `resume=True` then solves its key anew.

        Raises:
            InvalidArgument: the client has no journal.
            JournalError: it cannot be written.
        """
        if not isinstance(submission, UncertainSubmission):
            raise invalid("submission", submission, "one of those that uncertain() returns")
        await self._engine.journal.forget(submission.number)

    async def forget_batch(self, name: str = "") -> int:
        """Forget a batch that has ended, so that the same keys are solved anew.

        What was paid for stays in the journal; the stored answers of the batch do not.

        Args:
            name: the batch's name; that of batches without one if it is left out.

        Returns:
            How many keys were forgotten.

        Raises:
            InvalidArgument: the client has no journal; or the batch is running, or something of it
                is paid for and not collected, or uncertain.
            JournalError: it cannot be written.
        """
        if not isinstance(name, str):
            raise invalid("name", name, "a string")
        return await self._engine.journal.forget_batch(name)

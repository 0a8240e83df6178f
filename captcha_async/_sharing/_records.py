"""Shared records of keyed tasks: who runs a key again collects what was paid for, and pays once.

What is written and asked is gathered: while one call to the store is under way, the next ones wait,
and go together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import anyio
import attrs

from .._journal import Place
from ..errors import AccountUnavailable
from ._job import Job
from ._record import Seen, TaskRecord, change_of, key_of, left_of, new_tag, read_of
from ._store import Change, Life, Store, StoreForgot, StoreRefused, StoreUnreachable

__all__ = ["LOOKED", "Records"]

EVER = float("inf")
MOST_UNSAVED = 100_000
"""Records that wait for a store that does not answer; the oldest are given up."""
AT_ONCE = 200
"""Records in one call."""
LONGEST = 60.0
"""Seconds that a submission waits for the store, as for a service that is out of order."""
LOOKED = 15.0
"""Seconds that other questions wait: longer than it gives nothing when it has lost its memory,
which is one lease."""
AGAIN = 0.3
"""Seconds from one look whether the store has settled to the next."""


class Records:
    """The shared records of one account, as one member has them.

    Args:
        store: where they are.
        me: returns the member's id.
        trouble: returns why the store cannot be used now, if it cannot.
        life: returns what the member knows of the store's life; None if the store may have
            forgotten what others have written, so that no key is to be taken yet.
    """

    def __init__(
        self,
        store: Store,
        me: Callable[[], str],
        trouble: Callable[[], AccountUnavailable | None],
        life: Callable[[], Life | None],
    ) -> None:
        self._store = store
        self._me = me
        self._trouble = trouble
        self._life = life
        # {key in the store: what is to be written}, in order; each leaves when it is written.
        self._puts: dict[str, Job[Change]] = {}
        # Those that want an answer; each leaves with that, or with who has asked.
        self._claims: dict[Job[Change], None] = {}
        self._looks: dict[str, Job[str]] = {}
        # What this member has written of tasks that have not ended, by key in the store, and until
        # when the store has it: it is written again when the store has lost its memory. Each leaves
        # with its end, or when the store has it no more: others may have collected it since.
        self._unfinished: dict[str, tuple[Change, float]] = {}
        # Taken over from the dead, and not handed out yet.
        self.adopted: dict[TaskRecord, None] = {}
        # Set when there is something to do; made by each round of `run`.
        self._wanted: anyio.Event | None = None

    @property
    def unsaved(self) -> int:
        """Records that the store does not have yet."""
        return len(self._puts)

    def reset(self) -> None:
        """Begin anew in another event loop, or as another member; what is unsaved stays."""
        self._puts = {key: Job(job.what) for key, job in self._puts.items()}
        self._claims, self._looks = {}, {}
        self._unfinished, self.adopted = {}, {}
        self._wanted = None

    # -- asked and told ---------------------------------------------------------------------------

    async def look(self, place: Place, deadline: float | None = None) -> Seen | None:
        """Return what is known of a key; None if nothing is.

        Raises:
            AccountUnavailable: the store does not answer, at least not before the *deadline*.
        """
        patience = LOOKED
        if deadline is not None:
            patience = max(0.0, min(LONGEST, deadline - anyio.current_time()))
        key = key_of(place)
        job = self._looks.get(key)
        if job is None:
            job = self._looks[key] = Job(key)
            self._wake()
        job.waiters += 1
        try:
            found = await self._answer(job, patience)
        finally:
            job.waiters -= 1
            if not job.waiters and self._looks.get(key) is job:
                del self._looks[key]
        return found if found is None else Seen(read_of(place, found.value), found.living)

    async def claim(
        self,
        record: TaskRecord,
        expected: str,
        patience: float,
        *,
        undo: TaskRecord | None = None,
    ) -> bool:
        """Write a record if there is none, or one with an *expected* tag; tell whether it was.

        Of several who want to, one does. If it is cancelled, or fails, *undo* is written in place
        of the record, or the record is removed.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        change = change_of(record, self._me(), expected)
        job = Job(change)
        self._claims[job] = None
        self._wake()
        try:
            in_the_way = await self._answer(job, patience)
        except BaseException:
            self._claims.pop(job, None)
            if not job.tried:
                pass
            elif undo is None:
                self.forget(record)
            else:
                self.put(undo)
            raise
        if in_the_way is None:
            self._note_unfinished(change)
        return in_the_way is None

    def unavailable(self) -> AccountUnavailable:
        """Return the error of who could not wait any longer for an answer."""
        return _nobody_can_tell(self._trouble())

    async def ready(self) -> None:
        """Wait until the store answers, and remembers all.

        Raises:
            AccountUnavailable: it does not.
        """
        error = self._trouble()
        if error is None and self._life() is not None:
            return
        with anyio.move_on_after(LONGEST):
            while (error := self._trouble()) is not None or self._life() is None:
                if error is not None and not error.retryable:
                    break
                await anyio.sleep(AGAIN)
            else:
                return
        raise _nobody_can_tell(error)

    def put(self, record: TaskRecord) -> None:
        """Write a record, as soon as the store answers, unless another member has taken it over."""
        change = change_of(record, self._me())
        if record.state in ("sending", "open"):
            self._note_unfinished(change)
        else:
            self._unfinished.pop(change.key, None)
        self._put(change)

    def forget(self, record: TaskRecord) -> None:
        """Remove a record: the key is free again."""
        key = key_of(record.place)
        self._unfinished.pop(key, None)
        self._put(Change(key=key, value=None, tag=record.tag))

    async def saved(self, record: TaskRecord, patience: float) -> None:
        """Wait until what was put last under a key is written, or as long as that is of use."""
        job = self._puts.get(key_of(record.place))
        if job is not None and self._trouble() is None:
            with suppress(AccountUnavailable):
                await self._answer(job, patience)

    async def settle(self, patience: float) -> None:
        """Wait until all is written that can be."""
        with anyio.move_on_after(patience):
            while self._puts and self._trouble() is None:
                await next(iter(self._puts.values())).done.wait()

    async def forgotten(self, record: TaskRecord) -> None:
        """Remove a record, and wait for it.

        Raises:
            AccountUnavailable: the store does not answer; it is removed later.
        """
        self.forget(record)
        await self._answer(self._puts[key_of(record.place)], LOOKED)

    async def forgotten_unread(self, key: str) -> None:
        """Remove what nobody takes care of under a key of the store, though it cannot be read.

        Raises:
            AccountUnavailable: the store does not answer; it is removed later, if it was found.
        """
        for found, record in await self.left():
            if found == key and not record.key:
                self._put(Change(key=key, value=None, tag=record.tag))
                await self._answer(self._puts[key], LOOKED)

    async def adopt(self) -> None:
        """Take over what members that are gone have left unfinished.

        What was paid for is in `adopted` then, each with one member; of a createTask that was on
        its way it is noted that nobody knows what became of it. Whoever is cancelled meanwhile
        leaves what was taken over to the next who asks.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        jobs: list[Job[Change]] = []
        for _, record in await self.left():
            if record.state == "open":
                ours = attrs.evolve(record, tag=new_tag(), free=True, adopted=True)
                then = partial(self.adopted.__setitem__, ours, None)
            elif record.state == "sending":
                ours, then = attrs.evolve(record, tag=new_tag(), state="uncertain"), None
            else:
                continue
            job = Job(change_of(ours, self._me(), record.tag), then=then)
            self._claims[job] = None
            jobs.append(job)
        self._wake()
        for job in jobs:
            await self._answer(job, LOOKED)

    async def left(self) -> list[tuple[str, TaskRecord]]:
        """Return what nobody takes care of, because its member is gone or its fate unknown.

        Returns:
            The key in the store, and the record; one that cannot be read is uncertain.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        try:
            found = await self._store.left(self._me())
        except (StoreUnreachable, StoreRefused) as error:
            raise AccountUnavailable(
                f"What others have left cannot be looked for: {error}.",
                retryable=isinstance(error, StoreUnreachable),
            ) from None
        return [(key, left_of(key, value)) for key, value in found]

    def _note_unfinished(self, change: Change) -> None:
        now = anyio.current_time()
        self._unfinished.pop(change.key, None)
        self._unfinished[change.key] = change, now + change.seconds
        # About in the order of their ends: a createTask on its way is soon something else.
        while self._unfinished and next(iter(self._unfinished.values()))[1] <= now:
            del self._unfinished[next(iter(self._unfinished))]

    def _wake(self) -> None:
        if self._wanted is not None:
            self._wanted.set()

    def _put(self, change: Change) -> None:
        earlier = self._puts.pop(change.key, None)
        # After what waits already; whoever waits for the earlier one is told with the last.
        job = Job(change) if earlier is None else earlier
        job.what = change
        self._puts[change.key] = job
        while len(self._puts) > MOST_UNSAVED:
            self._puts.pop(next(iter(self._puts))).end()
        self._wake()

    async def _answer(self, job: Job[Any], patience: float) -> Any:
        if not await job.wait(patience):
            raise _nobody_can_tell(self._trouble())
        return job.found

    # -- done, by the member's contact ------------------------------------------------------------

    async def run(self) -> None:
        """Do what is asked for, as long as the store answers.

        Raises:
            StoreUnreachable: it does not; what was to be done stays.
            StoreRefused: it refuses.
        """
        while True:
            self._wanted = wanted = anyio.Event()
            while self._puts:
                await self._write(dict(islice(self._puts.items(), AT_ONCE)))
            if self._looks:
                await self._read(list(islice(self._looks.values(), AT_ONCE)))
            # The store may lose its memory at any moment, so it is the store that looks at it.
            held_up = bool(self._claims) and not await self._try_claims()
            if not self._puts and not self._looks and (held_up or not self._claims):
                with anyio.move_on_after(AGAIN if held_up else EVER):
                    await wanted.wait()

    async def _write(self, puts: dict[str, Job[Change]]) -> None:
        # As they are now: what is put meanwhile is written later.
        changes = [job.what for job in puts.values()]
        await self._store.change(changes)
        for (key, job), change in zip(puts.items(), changes, strict=True):
            if self._puts.get(key) is job and job.what is change:
                del self._puts[key]
                job.end()

    async def _try_claims(self) -> bool:
        """Have keys taken; False while the store may have forgotten who has them."""
        life = self._life()
        if life is None:
            return False
        jobs = list(islice(self._claims, AT_ONCE))
        earlier = [job.tried for job in jobs]
        for job in jobs:
            job.tried = True
        try:
            known = await self._store.change([job.what for job in jobs], life)
        except StoreForgot:
            for job, tried in zip(jobs, earlier, strict=True):
                job.tried = tried
            return False
        for job, in_the_way in zip(jobs, known, strict=True):
            self._claims.pop(job, None)
            job.end(in_the_way)
        return True

    async def _read(self, jobs: list[Job[str]]) -> None:
        # Who asks from now on is told what will be then.
        for job in jobs:
            self._looks.pop(job.what, None)
        try:
            found = await self._store.look([job.what for job in jobs])
        except BaseException:
            self._looks |= {job.what: job for job in jobs if not job.done.is_set()}
            raise
        for job, one in zip(jobs, found, strict=True):
            job.end(one)

    def refused(self, error: AccountUnavailable) -> None:
        """Tell who waits that the store refuses: waiting would not help."""
        waiting: Iterable[Job[Any]] = (*self._claims, *self._looks.values())
        for job in waiting:
            job.end(error=error)
        self._claims, self._looks = {}, {}

    def remind(self) -> None:
        """Write again what has not ended: the store may have lost its memory."""
        now = anyio.current_time()
        for change, end in list(self._unfinished.values()):
            if now < end and change.key not in self._puts:
                self._put(change)


def _nobody_can_tell(error: AccountUnavailable | None) -> AccountUnavailable:
    why = "The shared account's store does not answer; nothing was sent."
    return AccountUnavailable(
        f"Nobody can tell whether this key was paid for before. {why if error is None else error}",
        retryable=error is None or error.retryable,
    )

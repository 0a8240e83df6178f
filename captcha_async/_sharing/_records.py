"""Shared records of keyed tasks: who runs a key again collects what was paid for, and pays once.

A record begins before createTask is sent, so that a process which is killed at any moment leaves a
trace; it is replaced as the task goes on, and lives as long as a result does.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal

import attrs
import orjson

from .._ref import TaskRef
from ..errors import AccountUnavailable
from ._store import RESULT_LIFE, Store, StoreRefused, StoreUnreachable

__all__ = ["Records", "TaskRecord"]

MOST_UNSAVED = 100_000
"""Records that wait for a store that does not answer; the oldest are given up."""


@attrs.frozen(kw_only=True)
class TaskRecord:
    """What is known of a key."""

    key: str
    state: Literal["sending", "open", "solved"]
    """`sending`: createTask is on its way, or its process was killed then, and nobody can tell
    whether the task was paid for. `open`: paid for. `solved`: the answer is in *answer*."""
    member: str
    """Who has sent it, or has taken it over."""
    ref: TaskRef | None = None
    token: str = ""
    """Its callback's; `kept_callback` has what came meanwhile."""
    answer: bytes = b""
    """What the sender has left as the answer."""

    def dump(self) -> bytes:
        """Return it as JSON."""
        data: dict[str, Any] = {"key": self.key, "state": self.state, "member": self.member}
        if self.ref is not None:
            data["ref"] = self.ref.to_json()
        if self.token:
            data["token"] = self.token
        if self.answer:
            data["answer"] = self.answer.decode()
        return orjson.dumps(data)

    @classmethod
    def load(cls, text: bytes) -> TaskRecord:
        """Read what `dump` has returned."""
        data = orjson.loads(text)
        ref = data.get("ref")
        return cls(
            key=data["key"],
            state=data["state"],
            member=data["member"],
            ref=None if ref is None else TaskRef.from_json(ref),
            token=data.get("token", ""),
            answer=data.get("answer", "").encode(),
        )


class Records:
    """The shared records of one account, as one member has them.

    Args:
        store: where they are.
        me: returns the member's id.
    """

    def __init__(self, store: Store, me: Callable[[], str]) -> None:
        self._store = store
        self._me = me
        # {digest of the key: what is to be written; None to remove it}, in order.
        self._unsaved: dict[str, TaskRecord | None] = {}

    @property
    def unsaved(self) -> int:
        """Records that the store does not have yet."""
        return len(self._unsaved)

    async def begin(self, key: str) -> TaskRecord | None:
        """Take a key, right before its createTask is sent.

        Returns:
            None: nobody has it, so send it. Else what there is already: nothing must be sent.

        Raises:
            AccountUnavailable: nobody can tell whether it was paid for; nothing was sent.
        """
        digest = _digest(key)
        ours = TaskRecord(key=key, state="sending", member=self._me())
        try:
            known = await self._store.claim(digest, ours.dump(), RESULT_LIFE, self._me())
        except (StoreUnreachable, StoreRefused) as error:
            raise AccountUnavailable(
                f"Nobody can tell whether this key was paid for before: {error}; nothing was sent.",
                retryable=isinstance(error, StoreUnreachable),
            ) from None
        return None if known is None else TaskRecord.load(known)

    async def look(self, key: str) -> TaskRecord | None:
        """Return what is known of a key; None if nothing is, or the store does not answer."""
        try:
            known = await self._store.read(_digest(key))
        except (StoreUnreachable, StoreRefused):
            return None
        return None if known is None else TaskRecord.load(known)

    async def accepted(self, key: str, ref: TaskRef, token: str = "") -> None:
        """Note that the task was accepted; never fails, but is done later if the store is away."""
        record = TaskRecord(key=key, state="open", member=self._me(), ref=ref, token=token)
        await self._save(key, record)

    async def solved(self, key: str, ref: TaskRef, answer: bytes) -> None:
        """Note the answer, for as long as a result lives."""
        record = TaskRecord(key=key, state="solved", member=self._me(), ref=ref, answer=answer)
        await self._save(key, record)

    async def drop(self, key: str) -> None:
        """Forget a key whose task was certainly not accepted, or has ended without an answer."""
        await self._save(key, None)

    async def adopt(self) -> list[TaskRecord]:
        """Return what members that are gone have left unfinished; each is given to one member.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        try:
            found = await self._store.adopt(self._me())
        except (StoreUnreachable, StoreRefused) as error:
            raise AccountUnavailable(
                f"What others have left cannot be looked for: {error}.",
                retryable=isinstance(error, StoreUnreachable),
            ) from None
        return [TaskRecord.load(value) for _, value in found]

    async def _save(self, key: str, record: TaskRecord | None) -> None:
        digest = _digest(key)
        # After what waits already, so that the last word on a key is the last one written.
        self._unsaved.pop(digest, None)
        self._unsaved[digest] = record
        while len(self._unsaved) > MOST_UNSAVED:
            del self._unsaved[next(iter(self._unsaved))]
        await self.flush()

    async def flush(self) -> None:
        """Write what waits, as far as the store answers."""
        for digest, record in list(self._unsaved.items()):
            try:
                if record is None:
                    await self._store.remove(digest)
                else:
                    owner = "" if record.state == "solved" else record.member
                    await self._store.write(digest, record.dump(), RESULT_LIFE, owner)
            except (StoreUnreachable, StoreRefused):
                return
            if self._unsaved.get(digest) is record:
                self._unsaved.pop(digest, None)


def _digest(key: str) -> str:
    return "task:" + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

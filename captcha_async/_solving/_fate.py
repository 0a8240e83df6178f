"""Fate: what became of a createTask, decided in one place."""

from __future__ import annotations

from enum import Enum

from ..errors import ProtocolError, ServiceError, SubmitUncertain, TransportError
from ..wire._replies import Created

__all__ = ["Fate", "fate_of"]


class Fate(Enum):
    """What became of a createTask. The services know no idempotency key: two are paid for twice.

    | What happened | Fate | What follows |
    |---|---|---|
    | none of the request left: no connection, a local failure, a cancellation before | unsent | \
it may be sent again, `Retries` times |
    | an error reply: no slot, too fast, unavailable | refused | wait, send it again |
    | an error reply: key, balance, ban | refused | raise, and blow the fuse |
    | an error reply: the task is wrong | refused | raise |
    | a redirect, or a page of a proxy or firewall (4xx) | refused | raise |
    | a reply with an id, or with the answer | accepted | the id is never lost |
    | the first byte may have left, and the connection broke or no reply came in time | uncertain \
| raise `SubmitUncertain` |
    | a gateway's error page, with no reply of the service in it | uncertain | the same |
    | the first byte may have left, and the wait for the reply was cut off | uncertain | the same |
    """

    UNSENT = "unsent"
    """Certainly nothing was sent."""
    REFUSED = "refused"
    """It was sent, and certainly no task was created."""
    ACCEPTED = "accepted"
    """A task exists, and its id is known."""
    UNCERTAIN = "uncertain"
    """A task may exist, and nobody knows."""


def fate_of(*, left: bool, created: Created | None, error: Exception | None) -> Fate:
    """Decide what became of a createTask.

    Args:
        left: whether the first byte of the request may have left.
        created: the reply that accepts the task.
        error: what came in its place; None if neither came, because the call was cut off.
    """
    if created is not None:
        return Fate.ACCEPTED
    if isinstance(error, SubmitUncertain):
        return Fate.UNCERTAIN
    # A reply of no known form that certainly does not come from a service that has accepted.
    if isinstance(error, ServiceError | ProtocolError):
        return Fate.REFUSED
    if isinstance(error, TransportError):
        return Fate.UNCERTAIN if error.sent else Fate.UNSENT
    return Fate.UNCERTAIN if left else Fate.UNSENT

"""The port: what an account asks of wherever its limits are kept, and what it is told from there.

In one process the account keeps them itself; `Member` keeps them with others. All that is called
for each solve is synchronous as long as there is something left of the share.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

import attrs

from ..errors import CaptchaError, ServiceError

__all__ = ["AccountPort", "GatePort", "Listener", "ShareStatistics"]


class GatePort(Protocol):
    """Slots, or turns of a rate; `RateLimitedSemaphore` is one, and `Gate`."""

    def acquire_nowait(self) -> None:
        """Enter at once, or raise `anyio.WouldBlock`."""
        ...

    async def acquire(self) -> None:
        """Enter in turn."""
        ...

    def release(self) -> None:
        """Give a slot back; a turn counts for its window whatever happens."""
        ...


@attrs.frozen(kw_only=True)
class ShareStatistics:
    """What one process knows of the account that it shares."""

    members: int
    """Processes that share the account."""
    share: int
    """Slots that this process may use."""
    capacity: int
    """Slots of the whole account, as found out so far."""
    spent: Decimal
    """Money that all have spent within the window of the cap."""
    reachable: bool
    """Whether the store answers."""
    exchanges: int
    """Round trips to the store so far."""


def _nothing(*_: Any) -> None:
    return None


@attrs.define(kw_only=True)
class Listener:
    """What the account does about what happens elsewhere.

    Each is called in the event loop, has to be quick, and may come again with what is known.
    """

    fuse: Callable[[ServiceError | None, float], None] = _nothing
    """The fuse was blown elsewhere: stop for so many seconds. None: it was closed elsewhere."""
    pause: Callable[[float], None] = _nothing
    """The service asked another process to wait so many seconds."""
    posted: Callable[[str, bytes], None] = _nothing
    """A callback of ours arrived elsewhere: its token and its body."""
    lost: Callable[[CaptchaError], None] = _nothing
    """The store does not answer any more; told once."""
    back: Callable[[], None] = _nothing
    """It answers again."""
    take_learned: Callable[[], dict[str, list[int]]] = dict
    """Return what was learned since the last call, for each kind of task."""
    learned: Callable[[str, list[int]], None] = _nothing
    """Take what all have learned of a kind."""


class AccountPort(Protocol):
    """What may live outside of the process."""

    slots: GatePort
    submits: GatePort
    requests: GatePort
    listener: Listener

    async def open(self) -> None:
        """Begin."""
        ...

    async def aclose(self) -> None:
        """End; what is not used is given back."""
        ...

    @property
    def epoch(self) -> int:
        """Counts the reductions of the capacity; note it when a createTask is sent."""
        ...

    @property
    def capacity(self) -> int:
        """Slots of the account, as found out so far."""
        ...

    def refused(self, epoch: int, open_tasks: int) -> None:
        """Note that the service had no slot for a task that was sent in that epoch."""
        ...

    def succeeded(self) -> None:
        """Note that a solve has ended well."""
        ...

    def reserve_nowait(self, price: Decimal) -> None:
        """Set money aside; `anyio.WouldBlock` if `reserve` has to be asked."""
        ...

    async def reserve(self, price: Decimal) -> None:
        """Set money aside, or raise `SpendLimitReached`."""
        ...

    def release(self, price: Decimal) -> None:
        """Return what was set aside for a task that costs nothing."""
        ...

    def spend(self, reserved: Decimal, cost: Decimal) -> None:
        """Replace what was set aside by the cost, or by itself where that will never be known."""
        ...

    def blow(self, error: ServiceError, seconds: float) -> None:
        """Stop the others, too."""
        ...

    def mend(self, *, by_hand: bool) -> None:
        """Let the others go on, too: a probe has passed, or a human says so."""
        ...

    async def may_probe(self, seconds: float) -> bool:
        """Return whether this process may send the one probe of a window of so many seconds."""
        ...

    def pause(self, seconds: float) -> None:
        """Have the others wait, too."""
        ...

    def unavailable(self) -> CaptchaError | None:
        """Return what a wait for a slot or a turn ends with at its deadline, if that is why."""
        ...

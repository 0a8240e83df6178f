"""The account fuse: after an account error no request leaves until the ban is over (rule 6).

A key that keeps calling with a wrong key, without money or during a ban gets banned for longer. So
the first such answer blows the fuse for all tasks of the account: what is queued fails at once, and
after the ban window a single probe decides whether the rest may follow.
"""

from __future__ import annotations

import copy
from types import TracebackType
from typing import Literal, Protocol, Self

import anyio

from .._handlers import each
from ..errors import AccountError, CaptchaError, InsufficientBalance, ServiceError

__all__ = ["Fuse", "FuseChange", "FuseState", "Guard", "RequestKind", "Waiting"]

FuseState = Literal["closed", "open", "half-open"]
FuseChange = Literal["blown", "closed"]
RequestKind = Literal["create", "poll", "report", "balance"]


class Waiting(Protocol):
    """Something that waits, and must not wait on when the fuse blows."""

    @property
    def kind(self) -> RequestKind:
        """Of the request that is waited for."""
        ...

    @property
    def tenant(self) -> object | None:
        """Whose wait it is."""
        ...

    def stop(self, error: CaptchaError) -> None:
        """End the wait with *error*."""
        ...


class Guard:
    """A wait that ends with an error from outside, or quietly at its deadline.

    Used as a context manager by one task. Inside of it, `busy` may be set for a time in which the
    wait is not to be interrupted; the fuse is then asked by whoever sends the next request.
    """

    __slots__ = ("_error", "_guards", "_scope", "busy", "kind", "tenant")

    def __init__(
        self,
        guards: dict[Waiting, None],
        kind: RequestKind,
        deadline: float,
        tenant: object | None = None,
    ) -> None:
        self._guards = guards
        self._scope = anyio.CancelScope(deadline=deadline)
        # Set by `stop`, at most once that counts: the scope is cancelled then.
        self._error: CaptchaError | None = None
        self.kind: RequestKind = kind
        self.tenant: object | None = tenant
        self.busy: bool = False

    def __enter__(self) -> Self:
        self._scope.__enter__()
        self._guards[self] = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        del self._guards[self]
        swallowed = bool(self._scope.__exit__(kind, error, traceback))
        if self._scope.cancelled_caught and self._error is not None:
            raise self._error
        return swallowed

    def stop(self, error: CaptchaError) -> None:
        """End the wait with *error*."""
        if not self.busy:
            self._error = error
            self._scope.cancel()


class Fuse:
    """One account's fuse.

    Args:
        window: seconds that a ban lasts.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        # What blew it; None while it is closed. Set by `blow`; cleared by a probe that was
        # answered and by `reset`, and by nothing else.
        self.error: ServiceError | None = None
        # Moment from which on one probe may go.
        self._until = float("-inf")
        # Whether that probe is on the wire.
        self._probing = False
        # Everybody who waits and must not wait on when the fuse blows.
        self.guards: dict[Waiting, None] = {}

    def __repr__(self) -> str:
        return f"<Fuse {'closed' if self.error is None else 'blown'}>"

    @property
    def state(self) -> FuseState:
        """`closed` lets everything pass, `open` nothing, `half-open` one probe."""
        if self.error is None:
            return "closed"
        return "open" if self._probing or not self._is_over() else "half-open"

    @property
    def window(self) -> float:
        """Seconds that a ban lasts."""
        return self._window

    @property
    def until(self) -> float:
        """Moment from which on a probe may go, while it is blown."""
        return self._until

    def reset(self) -> bool:
        """Close the fuse, for example after topping up the account; tell whether it was blown."""
        was_blown, self.error = self.error is not None, None
        self._probing = False
        return was_blown

    def blow(self, error: ServiceError, window: float | None = None) -> bool:
        """Open the fuse for the ban window, and fail everything that waits.

        Args:
            error: what it is to be blamed on.
            window: seconds until the probe, if not those of a ban.

        Returns:
            Whether it was closed before.
        """
        seconds = max(self._window if window is None else window, error.retry_after or 0.0)
        return self.hold(error, seconds)

    def hold(self, error: ServiceError, seconds: float) -> bool:
        """Open the fuse for so many *seconds*, and fail everything that waits.

        Returns:
            Whether it was closed before.
        """
        was_closed, self.error = self.error is None, error
        self._until = anyio.current_time() + seconds
        stopped = [guard for guard in self.guards if self._stops(guard.kind)]
        each(lambda guard: guard.stop(self._refusal(error)), stopped)
        return was_closed

    def put_off(self, seconds: float) -> None:
        """Send no probe after all, and none for so many *seconds*."""
        self._probing = False
        self._until = anyio.current_time() + seconds

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self._until += seconds

    def check(self, kind: RequestKind) -> None:
        """Raise what blew the fuse, if it stops requests of this *kind* now."""
        if self.error is not None and self._stops(kind) and self.state == "open":
            raise self._refusal(self.error)

    def guard(
        self, kind: RequestKind, deadline: float = float("inf"), tenant: object | None = None
    ) -> Guard:
        """Wait inside of this: the wait ends with the account error when the fuse blows.

        Args:
            kind: of the request that is waited for.
            deadline: moment at which the wait ends without an error.
            tenant: whose wait it is.
        """
        self.check(kind)
        return Guard(self.guards, kind, deadline, tenant)

    def begin(self, kind: RequestKind) -> bool:
        """Check the fuse for a request that is sent now; tell whether it is the probe.

        Each request that was begun is ended by `end`.
        """
        if self.error is None:
            return False
        self.check(kind)
        probe = self._stops(kind)
        self._probing = self._probing or probe
        return probe

    def end(self, *, probe: bool, error: BaseException | None) -> FuseChange | None:
        """Note how a request has ended: an account error blows the fuse, an answer may close it.

        Args:
            probe: what `begin` returned.
            error: what the request has raised.

        Returns:
            What that has changed.
        """
        if probe:
            self._probing = False
        if isinstance(error, AccountError):
            change: FuseChange | None = "blown" if self.blow(error) else None
        # Any other answer tells that the account is accepted. But an answer to a request that left
        # before the fuse blew proves nothing.
        elif probe and (error is None or isinstance(error, ServiceError)):
            change = "closed" if self.reset() else None
        else:
            change = None
        return change

    def _is_over(self) -> bool:
        """Tell whether the ban window is over; where no event loop runs nobody knows."""
        try:
            return anyio.current_time() >= self._until
        except RuntimeError:
            return False

    def _stops(self, kind: RequestKind) -> bool:
        # Without money no task can be created, but what was paid for may be collected. The same
        # holds where createTask alone has failed again and again.
        return kind == "create" or not (
            isinstance(self.error, InsufficientBalance) or not isinstance(self.error, AccountError)
        )

    def _refusal(self, error: ServiceError) -> ServiceError:
        refusal = copy.copy(error)
        refusal.args = (f"{error.args[0]} No request was sent: the fuse is open.",)
        refusal.ref = None
        refusal.__cause__ = error
        return refusal

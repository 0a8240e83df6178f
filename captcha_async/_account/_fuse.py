"""The account fuse: after an account error no request leaves until the ban is over (rule 6).

A key that keeps calling with a wrong key, without money or during a ban gets banned for longer. So
the first such answer blows the fuse for all tasks of the client: what is queued fails at once, and
after the ban window a single probe decides whether the rest may follow.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, Self

import anyio

from ..errors import AccountError, CaptchaError, ClientClosed, InsufficientBalance, ServiceError

__all__ = ["Fuse", "FuseState", "Guard", "RequestKind"]

FuseState = Literal["closed", "open", "half-open"]
RequestKind = Literal["create", "poll", "report", "balance"]


class Guard:
    """A wait that ends with the account error when the fuse blows, or quietly at its deadline.

    Used as a context manager by one task. Inside of it, `busy` may be set for a time in which the
    wait is not to be interrupted; the fuse is then asked by whoever sends the next request.
    """

    __slots__ = ("_error", "_fuse", "_scope", "busy", "kind")

    def __init__(self, fuse: Fuse, kind: RequestKind, deadline: float) -> None:
        self._fuse = fuse
        self._scope = anyio.CancelScope(deadline=deadline)
        self._error: CaptchaError | None = None
        self.kind: RequestKind = kind
        self.busy: bool = False

    def __enter__(self) -> Self:
        self._scope.__enter__()
        self._fuse.guards[self] = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        del self._fuse.guards[self]
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
        on_blow: told what blew it, when it was closed before.
        on_close: told that it is closed again.
    """

    def __init__(
        self,
        window: float,
        on_blow: Callable[[AccountError], None] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._window = window
        self._on_blow = on_blow
        self._on_close = on_close
        self._error: AccountError | None = None
        self._until = float("-inf")
        self._probing = False
        self._closed: ClientClosed | None = None
        # Everybody who waits and must not wait on when the fuse blows.
        self.guards: dict[Guard, None] = {}

    def __repr__(self) -> str:
        return f"<Fuse {'closed' if self._error is None else 'blown'}>"

    @property
    def state(self) -> FuseState:
        """`closed` lets everything pass, `open` nothing, `half-open` one probe."""
        if self._error is None:
            return "closed"
        return "open" if self._probing or anyio.current_time() < self._until else "half-open"

    @property
    def error(self) -> AccountError | None:
        """What blew the fuse."""
        return self._error

    def reset(self) -> None:
        """Close the fuse by hand, for example after topping up the account."""
        self._mend()
        self._probing = False

    def _mend(self) -> None:
        was_blown, self._error = self._error is not None, None
        if was_blown and self._on_close is not None:
            self._on_close()

    def blow(self, error: AccountError) -> None:
        """Open the fuse for the ban window, and fail everything that waits."""
        if self._error is None and self._on_blow is not None:
            self._on_blow(error)
        self._error = error
        self._until = anyio.current_time() + max(self._window, error.retry_after or 0.0)
        for guard in list(self.guards):
            if self._stops(guard.kind):
                guard.stop(self._refusal(error))

    def close(self) -> None:
        """Stop everything for good: the client was closed."""
        self._closed = ClientClosed("The client is closed; open a new one.")
        for guard in list(self.guards):
            guard.stop(copy.copy(self._closed))

    def check(self, kind: RequestKind) -> None:
        """Raise what blew the fuse, if it stops requests of this *kind* now."""
        if self._closed is not None:
            raise copy.copy(self._closed)
        if self._error is not None and self._stops(kind) and self.state == "open":
            raise self._refusal(self._error)

    def guard(self, kind: RequestKind, deadline: float = float("inf")) -> Guard:
        """Wait inside of this: the wait ends with the account error when the fuse blows.

        Args:
            kind: of the request that is waited for.
            deadline: moment at which the wait ends without an error.
        """
        self.check(kind)
        return Guard(self, kind, deadline)

    @contextmanager
    def request(self, kind: RequestKind) -> Generator[None, None, None]:
        """Send one request inside of this: its outcome blows or closes the fuse."""
        self.check(kind)
        probe = self._error is not None and self._stops(kind)
        self._probing = self._probing or probe
        try:
            yield
        except AccountError as error:
            self.blow(error)
            raise
        except ServiceError:
            # Any other answer tells that the account is accepted.
            self._passed(probe)
            raise
        else:
            self._passed(probe)
        finally:
            if probe:
                self._probing = False

    def _passed(self, probe: bool) -> None:
        # An answer to a request that left before the fuse blew proves nothing.
        if probe:
            self._mend()

    def _stops(self, kind: RequestKind) -> bool:
        # Without money no task can be created, but what was paid for may be collected.
        return kind == "create" or not isinstance(self._error, InsufficientBalance)

    def _refusal(self, error: AccountError) -> AccountError:
        refusal = copy.copy(error)
        refusal.args = (f"{error.args[0]} No request was sent: the fuse is open.",)
        refusal.ref = None
        refusal.__cause__ = error
        return refusal

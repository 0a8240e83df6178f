"""What the service is like at the moment, in words, from what happens to a client's requests."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import attrs

from .. import (
    Event,
    FuseBlown,
    FuseClosed,
    PollFailed,
    SubmitFailed,
    TaskPolled,
    TaskSolved,
    TaskSubmitted,
    errors,
)

__all__ = ["Health", "cause_of"]

# What says that the service was not reached, or did not mean to answer.
TROUBLE = (errors.TransportError, errors.ServiceUnavailable, errors.SubmitUncertain)
# It answers, and wants to be asked less.
BUSY = (errors.NoSlotAvailable, errors.RateLimited)

QUIET = 10.0
"""Seconds without any answer, while tasks wait to be accepted, after which that is told."""
STALE = 15.0
"""Seconds for which a refusal for lack of room is told."""


@attrs.define(eq=False)
class Health:
    """Told every event of a client; says what is going on."""

    ban_window: float = 600.0
    """Seconds that a ban lasts."""
    # Moments on the event loop's clock. What went wrong is forgotten at the next answer.
    _answered: float | None = None
    _bad_since: float | None = None
    _error: BaseException | None = None
    _blown: tuple[errors.ServiceError, float] | None = None
    _busy: tuple[errors.CaptchaError, float] | None = None
    last_error: str = ""
    """The last thing that went wrong, of whatever kind; empty if nothing did."""

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        match event:
            case TaskSubmitted() | TaskPolled() | TaskSolved():
                self._good(event.at)
            case SubmitFailed(error=error) | PollFailed(error=error):
                if error is not None:
                    self._failed(error, event.at)
            case FuseBlown(error=error):
                self._blown = (error, event.at)
                self.last_error = str(error)
            case FuseClosed():
                self._blown = None
            case _:
                pass

    def _good(self, at: float) -> None:
        self._answered, self._bad_since, self._error = at, None, None

    def _failed(self, error: BaseException, at: float) -> None:
        self.last_error = str(error)
        if isinstance(error, TROUBLE):
            self._bad_since = at if self._bad_since is None else self._bad_since
            self._error = error
        elif isinstance(error, errors.ServiceError):
            self._good(at)
            if isinstance(error, BUSY):
                self._busy = (error, at)

    def silence(self, now: float) -> float:
        """Return for how many seconds nothing but failures came; 0 if the last thing was good."""
        return 0.0 if self._bad_since is None else now - self._bad_since

    @property
    def cause(self) -> str:
        """Why the service cannot be reached, in a few words; empty if it can."""
        return "" if self._error is None else cause_of(self._error)

    def words(self, now: float, *, waiting: bool = False) -> tuple[str, str]:
        """Return what is going on, and how bad it is: `good`, `warn` or `bad`.

        Args:
            now: the moment on the event loop's clock.
            waiting: whether tasks wait to be accepted.
        """
        if self._blown is not None:
            return _of_account(*self._blown, self.ban_window, now), "bad"
        if self._error is not None:
            what = "does not answer well" if _answers(self._error) else "unreachable"
            return (
                f"service {what} for {self.silence(now):.0f} s: {self.cause}; trying again",
                "bad",
            )
        if self._busy is not None and now - self._busy[1] < STALE:
            code = getattr(self._busy[0], "code", None) or "too many requests"
            return f"service busy ({code}): trying again", "warn"
        if waiting and self._answered is not None and now - self._answered > QUIET:
            return f"no answer for {now - self._answered:.0f} s", "warn"
        if self._answered is None:
            return ("waiting for the first answer" if waiting else "nothing sent yet"), "good"
        return "service ok", "good"


def _answers(error: BaseException) -> bool:
    return isinstance(error, errors.ServiceUnavailable)


def _of_account(error: errors.ServiceError, at: float, window: float, now: float) -> str:
    if isinstance(error, errors.InsufficientBalance):
        return "out of money: top up the account"
    if isinstance(error, errors.KeyRejected):
        return f"the key is refused ({error.code or error.http_status})"
    left = max(0.0, at + max(window, error.retry_after or 0.0) - now)
    until = datetime.now().astimezone() + timedelta(seconds=left)
    return f"banned until {until:%H:%M} ({error.code or error.http_status})"


def cause_of(error: BaseException) -> str:
    """Return the cause of a failed request in a few words."""
    if isinstance(error, errors.ServiceError):
        return error.code or f"HTTP status {error.http_status}"
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.strerror:
            # asyncio's own says the address as well.
            return _plain(found.strerror)
        if isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
            continue
        found = found.__cause__ or found.__context__
    told = re.search(r"\(([^()]+)\)", str(error))
    return told[1] if told else str(error).partition(";")[0].rstrip(".")


def _plain(text: str) -> str:
    known = {"[Errno": "", "Connect call failed": "connection refused"}
    for start, words in known.items():
        if text.startswith(start) and words:
            return words
    text = re.sub(r"^\[Errno -?\d+\] ", "", text).rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text

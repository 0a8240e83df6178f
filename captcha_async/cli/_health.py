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
    TaskQueued,
    TaskSolved,
    TaskSubmitted,
    errors,
)
from ._messages import sentence

__all__ = ["Health", "cause_of"]

# What says that the service was not reached, or did not mean to answer.
TROUBLE = (errors.TransportError, errors.ServiceUnavailable, errors.SubmitUncertain)
# It answers, and wants to be asked less.
BUSY = (errors.NoSlotAvailable, errors.RateLimited)

QUIET = 10.0
"""Seconds without any answer, while tasks wait to be accepted, after which that is told."""
FIRST_QUIET = 1.5
"""The same before the first answer."""
STALE = 15.0
"""Seconds for which a refusal for lack of room is told."""


@attrs.define(eq=False)
class Health:
    """Told every event of a client; says what is going on."""

    ban_window: float = 600.0
    """Seconds that a ban lasts."""
    # Moments on the event loop's clock. What went wrong is forgotten at the next answer.
    _begun: float | None = None
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
            case TaskQueued():
                self._begun = event.at if self._begun is None else self._begun
            case TaskSubmitted() | TaskPolled() | TaskSolved():
                self._good(event.at)
            case SubmitFailed(error=error) | PollFailed(error=error):
                if error is not None:
                    self._failed(error, event)
            case FuseBlown(error=error):
                self._blown = (error, event.at)
                self.last_error = sentence(error)
            case FuseClosed():
                self._blown = None
            case _:
                pass

    def _good(self, at: float) -> None:
        self._answered, self._bad_since, self._error = at, None, None

    def _failed(self, error: BaseException, event: SubmitFailed | PollFailed) -> None:
        self.last_error = sentence(error)
        if isinstance(error, TROUBLE):
            self._error = error
            if self._bad_since is None:
                # It has been silent since it was asked, unless others got an answer meanwhile.
                self._bad_since = max(event.started, self._answered or event.started)
        elif isinstance(error, errors.ServiceError):
            self._good(event.at)
            if isinstance(error, BUSY):
                self._busy = (error, event.at)

    def silence(self, now: float) -> float:
        """Return for how many seconds nothing but failures came; 0 if the last thing was good."""
        return 0.0 if self._bad_since is None else now - self._bad_since

    @property
    def cause(self) -> str:
        """Why the service cannot be reached, in a few words; empty if it can."""
        return "" if self._error is None else cause_of(self._error)

    def words(
        self, now: float, *, waiting: bool = False, again: float | None = None, over: bool = False
    ) -> tuple[str, str]:
        """Return what is going on, and how bad it is: `good`, `warn` or `bad`.

        Args:
            now: the moment on the event loop's clock.
            waiting: whether tasks wait to be accepted.
            again: seconds until something is sent again, as the client's statistics tell; None if
                nobody knows.
            over: whether nothing is sent any more.
        """
        then = "" if over else _trying_again(again)
        if self._blown is not None:
            return self._of_fuse(*self._blown, now, again, then), "bad"
        if self._error is not None:
            answers = isinstance(self._error, errors.ServiceUnavailable)
            what = "does not answer well" if answers else "unreachable"
            why = f"for {self.silence(now):.0f} s: {self.cause}"
            return f"service {what} {why}{then}", "bad"
        if self._busy is not None and now - self._busy[1] < STALE:
            code = getattr(self._busy[0], "code", None) or "too many requests"
            return f"service busy ({code}){then}", "warn"
        return self._of_silence(now) if waiting else self._at_rest()

    def _of_silence(self, now: float) -> tuple[str, str]:
        """Return what to say while tasks wait."""
        if self._answered is not None:
            quiet = now - self._answered
            return (f"no answer for {quiet:.0f} s", "warn") if quiet > QUIET else self._at_rest()
        quiet = 0.0 if self._begun is None else now - self._begun
        if quiet > FIRST_QUIET:
            return f"no answer yet, for {quiet:.0f} s", "warn"
        return "waiting for the first answer", "good"

    def _at_rest(self) -> tuple[str, str]:
        return ("nothing sent yet" if self._answered is None else "service ok"), "good"

    def _of_fuse(
        self, error: errors.ServiceError, at: float, now: float, again: float | None, then: str
    ) -> str:
        code = error.code or f"HTTP status {error.http_status}"
        if isinstance(error, errors.InsufficientBalance):
            return "out of money: top up the account"
        if isinstance(error, errors.KeyRejected):
            return f"the key is refused ({code})"
        if not isinstance(error, errors.AccountError):
            return f"service out of order: no createTask was answered{then}"
        left = at + max(self.ban_window, error.retry_after or 0.0) - now if again is None else again
        until = datetime.now().astimezone() + timedelta(seconds=max(0.0, left))
        return f"banned until {until:%H:%M} ({code})"


def _trying_again(seconds: float | None) -> str:
    return "; trying again" + ("" if seconds is None else f" in {max(1, round(seconds))} s")


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

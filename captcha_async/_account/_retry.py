"""When a request may be sent again, and how long to wait before."""

from __future__ import annotations

import heapq
import random

import anyio
import attrs

from .. import _checks
from ..errors import CapacityError, CaptchaError, TransportError

__all__ = ["Attempts", "NextAttempt", "Retries"]

_dice = random.Random()


@attrs.frozen(kw_only=True)
class Retries:
    """How often a request is sent that the service has certainly not accepted.

    Whether it may be sent again is not configurable: createTask never is while it could be paid
    for twice. Polls are not counted here, they go on until the deadline.

    Raises:
        InvalidArgument: a value is negative, or there is to be no attempt.
    """

    attempts: int = attrs.field(default=6, validator=_checks.count)
    """Attempts in all, the first one included."""
    backoff: float = attrs.field(default=1.0, validator=_checks.seconds)
    """Seconds before the second attempt; doubled for each further one, with jitter."""
    max_backoff: float = attrs.field(default=30.0, validator=_checks.seconds)
    """Most seconds between two attempts, unless the service asks for more (Retry-After)."""

    def delay(self, attempt: int, jitter: float) -> float:
        """Return the seconds to wait after *attempt* (1 for the first); *jitter* is in [0, 1)."""
        longest = min(self.max_backoff, self.backoff * 2.0 ** min(attempt - 1, 60))
        return longest * (0.5 + 0.5 * jitter)


class Attempts:
    """The attempts at one request; ask `after` whether, and when, another one may follow."""

    __slots__ = ("_crowded", "_retries", "made")

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        # Attempts that count, and those that only found the account's slots taken by ourselves.
        self.made: int = 0
        self._crowded = 0

    def after(
        self, error: CaptchaError, *, crowded: bool = False, harmless: bool = False
    ) -> float | None:
        """Return the seconds to wait before the next attempt; None if there is to be none.

        Args:
            error: why the last attempt has failed.
            crowded: whether only our own tasks were in the way; such an attempt is not counted.
            harmless: whether the request changes nothing, so that it may be sent twice.
        """
        if not _is_passing(error, harmless=harmless):
            return None
        if crowded:
            self._crowded += 1
            return self._delay(self._crowded, error)
        self.made += 1
        worth: int | None = getattr(error, "attempts_worth", None)
        if self.made >= min(self._retries.attempts, worth or self._retries.attempts):
            return None
        return self._delay(self.made, error)

    def _delay(self, number: int, error: CaptchaError) -> float:
        return max(error.retry_after or 0.0, self._retries.delay(number, _dice.random()))


def _is_passing(error: CaptchaError, *, harmless: bool) -> bool:
    """Tell whether the same request may be sent again: it was not accepted, and may be later."""
    if isinstance(error, TransportError):
        return harmless or not error.sent
    # What we have held back ourselves has been told to be too long to wait for.
    return isinstance(error, CapacityError) and getattr(error, "until", None) is None


class NextAttempt:
    """When the next of an account's requests that have failed is sent again."""

    __slots__ = ("_moments",)

    def __init__(self) -> None:
        # Heap of moments; those that are over are dropped. One whose caller was cancelled stays
        # until then.
        self._moments: list[float] = []

    def note(self, delay: float) -> None:
        """Note that a request waits for so many seconds."""
        self.left()
        heapq.heappush(self._moments, anyio.current_time() + delay)

    def left(self) -> float | None:
        """Return the seconds until the next one; None if none waits."""
        now = anyio.current_time()
        while self._moments and self._moments[0] <= now:
            heapq.heappop(self._moments)
        return self._moments[0] - now if self._moments else None

    def forget(self) -> None:
        """Forget them: their event loop is gone."""
        self._moments.clear()

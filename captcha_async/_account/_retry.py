"""When a request may be sent again, and how long to wait before."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import attrs

from ..errors import (
    CapacityError,
    CaptchaError,
    NoSlotAvailable,
    RateLimited,
    TransportError,
    invalid,
)
from ._gateway import Gateway
from ._slots import Lease

__all__ = ["Retrier", "Retries"]

T = TypeVar("T")

logger = logging.getLogger("captcha_async.requests")


def _check_attempts(_: object, __: object, value: object) -> None:
    if type(value) is not int or value < 1:
        raise invalid("attempts", value, "a whole number of at least 1")


def _check_seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise invalid(attribute.name, value, "a number of seconds")


@attrs.frozen(kw_only=True)
class Retries:
    """How often a request is sent that the service has certainly not accepted.

    Whether it may be sent again is not configurable: createTask never is while it could be paid
    for twice. Polls are not counted here, they go on until the deadline.

    Raises:
        InvalidArgument: a value is negative, or there is to be no attempt.
    """

    attempts: int = attrs.field(default=6, validator=_check_attempts)
    """Attempts in all, the first one included."""
    backoff: float = attrs.field(default=1.0, validator=_check_seconds)
    """Seconds before the second attempt; doubled for each further one, with jitter."""
    max_backoff: float = attrs.field(default=30.0, validator=_check_seconds)
    """Most seconds between two attempts, unless the service asks for more (Retry-After)."""

    def delay(self, attempt: int, jitter: float) -> float:
        """Return the seconds to wait after *attempt* (1 for the first); *jitter* is in [0, 1)."""
        longest = min(self.max_backoff, self.backoff * 2.0 ** min(attempt - 1, 60))
        return longest * (0.5 + 0.5 * jitter)


def _is_crowded(error: CaptchaError) -> bool:
    return isinstance(error, NoSlotAvailable | RateLimited)


class Retrier:
    """Sends requests through the gateway, again where that is safe."""

    def __init__(self, gateway: Gateway, retries: Retries) -> None:
        self._gateway = gateway
        self._retries = retries
        self._random = random.Random()

    async def create(self, attempt: Callable[[], Awaitable[T]], lease: Lease | None = None) -> T:
        """Make attempts to create a task.

        Only a refusal for lack of capacity and a request that was never sent are followed by
        another attempt: in both cases no task exists (rule 1).

        Args:
            attempt: sends it once.
            lease: the slot that the task holds. While other tasks of the client are open a refusal
                only means that they are too many: it gives the slot up, waits for another, and is
                not counted.
        """
        number = crowded = 0
        while True:
            epoch = 0 if lease is None else lease.slots.epoch
            try:
                return await attempt()
            except (CapacityError, TransportError) as error:
                if isinstance(error, TransportError) and error.sent:
                    raise
                if lease is not None and _is_crowded(error) and lease.slots.refused(epoch):
                    crowded += 1
                    lease.leave()
                    await self._back_off(crowded, error)
                    await lease.enter()
                else:
                    number += 1
                    if number >= self._worth(error):
                        raise
                    await self._back_off(number, error)
                self._gateway.counters.retries += 1

    async def ask(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make attempts at a request that changes nothing."""
        number = 0
        while True:
            try:
                return await attempt()
            except (CapacityError, TransportError) as error:
                number += 1
                if number >= self._worth(error):
                    raise
                await self._back_off(number, error)

    def _worth(self, error: CapacityError | TransportError) -> int:
        """Return how many attempts in all are to be made at what failed with *error*."""
        worth = getattr(error, "attempts_worth", None)
        return self._retries.attempts if worth is None else min(worth, self._retries.attempts)

    async def _back_off(self, number: int, error: CapacityError | TransportError) -> None:
        asked = getattr(error, "retry_after", None) or 0.0
        delay = max(asked, self._retries.delay(number, self._random.random()))
        logger.debug("attempt %d: %s; again in %.1f s", number, type(error).__name__, delay)
        with self._gateway.fuse.guard("create"):
            await anyio.sleep(delay)

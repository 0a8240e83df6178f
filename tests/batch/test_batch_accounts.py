"""Batches over several accounts: what one of them is in trouble with does not hold the other up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from local import IMAGE_TASK, TOKEN_TASK, several

from captcha_async import ImageToTextTask, Limits, Offer, Solved
from captcha_async.emulator import Emulator, Latency

LANES = 4
MIXED = [TOKEN_TASK, IMAGE_TASK] * 40

Trouble = Callable[[Emulator, str], None]


def hang(emulator: Emulator, method: str) -> None:
    """Let it not reply."""
    emulator.hang(method, times=None)


def pause(emulator: Emulator, method: str) -> None:
    """Let it ask for a pause."""
    emulator.refuse("ERROR_TOO_MUCH_REQUESTS", method, times=None, retry_after=30)


def slow(emulator: Emulator, method: str) -> None:
    """Let it reply late."""
    emulator.delay(20, method, times=None)


def images_second(task: Any, offers: Sequence[Offer]) -> Sequence[Offer]:
    """Prefer the first account, but for images."""
    return offers[::-1] if isinstance(task, ImageToTextTask) else offers


@pytest.mark.parametrize("method", ["createTask", "getTaskResult"])
@pytest.mark.parametrize("trouble", [hang, pause, slow])
async def test_an_account_in_trouble_holds_no_other_up(trouble: Trouble, method: str) -> None:
    """The other one's tasks are solved as soon as without it, though one batch has both."""
    first, second = Emulator(latency=Latency.fixed(5)), Emulator(latency=Latency.fixed(5))
    trouble(first, method)
    settings = [{"name": name, "limits": Limits(connections=LANES)} for name in ("first", "second")]
    async with several(first, second, accounts=settings, strategy=images_second) as client:
        start = anyio.current_time()
        async with client.batch(MIXED, timeout=60) as outcomes:
            ends = [(outcome, anyio.current_time() - start) async for outcome in outcomes]
    images = [
        end
        for outcome, end in ends
        if isinstance(outcome, Solved) and isinstance(outcome.task, ImageToTextTask)
    ]
    assert len(images) == len(MIXED) // 2
    assert max(images) < 10

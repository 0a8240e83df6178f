"""What members have learned of solve times, added up: whole numbers per bin, older ones fade.

A histogram is a list of numbers, in thousandths. When it holds more than `FULL` in all it is
halved, so that what is new counts.
"""

from __future__ import annotations

__all__ = ["FULL", "merged"]

FULL = 2_000_000_000


def merged(known: list[int], news: list[int]) -> list[int]:
    """Add *news* to what is *known*; the longer list gives the length."""
    length = max(len(known), len(news))
    known, news = (numbers + [0] * (length - len(numbers)) for numbers in (known, news))
    numbers = [a + b for a, b in zip(known, news, strict=True)]
    return [number // 2 for number in numbers] if sum(numbers) > FULL else numbers

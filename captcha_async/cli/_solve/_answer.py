"""What came of one captcha: the answer alone, or everything as JSON values."""

from __future__ import annotations

import json
from typing import Any

from ... import Solved
from ...errors import CaptchaError

__all__ = ["answer_of", "describe", "describe_error"]

# Where a type that the library does not know may have its answer.
KEYS = ("text", "token", "gRecaptchaResponse", "cf_clearance")


def answer_of(solved: Solved[Any]) -> str:
    """Return the text or token; the whole solution as JSON where it has neither."""
    solution = solved.solution
    for name in ("text", "token"):
        value = getattr(solution, name, None)
        if isinstance(value, str) and value:
            return value
    for name in KEYS:
        value = solution.raw.get(name)
        if isinstance(value, str) and value:
            return value
    return json.dumps(dict(solution.raw), default=str)


def describe(solved: Solved[Any]) -> dict[str, Any]:
    """Return everything known of a solve."""
    return {
        "answer": answer_of(solved),
        "solution": dict(solved.solution.raw),
        "service": solved.ref.service,
        "task_id": solved.task_id,
        "task_type": solved.ref.task_type,
        "cost": solved.cost,
        "elapsed": round(solved.elapsed, 3),
        "polls": solved.polls,
    }


def describe_error(error: CaptchaError) -> dict[str, Any]:
    """Return everything known of a failure."""
    return {
        "error": type(error).__name__,
        "code": getattr(error, "code", None),
        "message": str(error),
        "task_id": error.task_id,
        "task_type": None if error.ref is None else error.ref.task_type,
        "retryable": error.retryable,
    }

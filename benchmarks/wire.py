"""What the typed models cost, against dicts written by hand and bare orjson.

The body of a RecaptchaV2Task is built and encoded, and its result decoded, both ways; the fastest
of several rounds counts. Usage: python benchmarks/wire.py [rounds]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from timeit import repeat
from typing import Any

import orjson

from captcha_async.tasks import RecaptchaV2Task
from captcha_async.wire import dump_task, load_solution, load_task

CALLS = 5000
URL = "https://example.com/login?next=%2Faccount"
KEY = "6Lcg7CMUAAAAANphynKgn9YAgA4tQ2KI_iqRyTwd"
RESULT = orjson.dumps(
    {
        "errorId": 0,
        "errorCode": None,
        "errorDescription": None,
        "status": "ready",
        "solution": {"gRecaptchaResponse": "03AFcWeA" * 80, "userAgent": "Mozilla/5.0"},
    }
)
BODY = {"type": "RecaptchaV2Task", "websiteURL": URL, "websiteKey": KEY}


def encode_model() -> bytes:
    """Build a task and encode its body."""
    task = RecaptchaV2Task(website_url=URL, website_key=KEY, is_invisible=True)
    return orjson.dumps({"clientKey": "key", "task": dump_task(task)})


def encode_by_hand() -> bytes:
    """Write the same body as a dict."""
    task: dict[str, Any] = {"type": "RecaptchaV2Task", "websiteURL": URL, "websiteKey": KEY}
    task["isInvisible"] = True
    return orjson.dumps({"clientKey": "key", "task": task})


def decode_model() -> str:
    """Decode a result into a typed solution."""
    reply = orjson.loads(RESULT)
    solution: Any = load_solution(RecaptchaV2Task, reply["solution"])
    token: str = solution.token
    return token


def decode_by_hand() -> str:
    """Take the token out of the decoded result."""
    token: str = orjson.loads(RESULT)["solution"]["gRecaptchaResponse"]
    return token


def read_task() -> Any:
    """Read a task object back into its model, as the emulator does."""
    return load_task(BODY)


def measure(function: Callable[[], Any], rounds: int) -> float:
    """Return the microseconds of one call."""
    function()
    return min(repeat(function, number=CALLS, repeat=rounds)) / CALLS * 1e6


def compare(name: str, ours: float, by_hand: float, goal: float) -> None:
    """Print one line."""
    ratio = ours / by_hand
    print(f"{name:24} {ours:6.2f} us  by hand {by_hand:5.2f} us  x{ratio:.1f}  (goal: {goal:g} us)")


def main() -> None:
    """Print the costs and their ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    encoded = measure(encode_model, rounds), measure(encode_by_hand, rounds)
    decoded = measure(decode_model, rounds), measure(decode_by_hand, rounds)
    compare("build and encode a task", *encoded, goal=15)
    compare("decode its result", *decoded, goal=10)
    print(f"{'read a task object':24} {measure(read_task, rounds):6.2f} us")


if __name__ == "__main__":
    main()

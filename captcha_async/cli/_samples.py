"""One example of every task type, for the demo."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

from ..services import Service
from ..tasks import (
    ImageToTextTask,
    NoCaptchaTaskProxyless,
    RecaptchaV2EnterpriseTask,
    RecaptchaV2Task,
    RecaptchaV3TaskProxyless,
    Task,
    TurnstileTask,
)

__all__ = ["SAMPLES", "sample_tasks"]

URL = "https://shop.example/login"
RECAPTCHA_KEY = "6Lexample-site-key-of-the-local-demo-000"
TURNSTILE_KEY = "0x4AAAexample-site-key"


def noise_png(rng: random.Random, size: int = 24) -> bytes:
    """Return a small grey image, as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    # Each row starts with its filter type, 0.
    rows = b"".join(b"\0" + rng.randbytes(size) for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


SAMPLES: dict[type[Task[Any]], Callable[[random.Random], Task[Any]]] = {
    ImageToTextTask: lambda rng: ImageToTextTask(noise_png(rng)),
    RecaptchaV2Task: lambda _: RecaptchaV2Task(website_url=URL, website_key=RECAPTCHA_KEY),
    NoCaptchaTaskProxyless: lambda _: NoCaptchaTaskProxyless(
        website_url=URL, website_key=RECAPTCHA_KEY
    ),
    RecaptchaV2EnterpriseTask: lambda _: RecaptchaV2EnterpriseTask(
        website_url=URL, website_key=RECAPTCHA_KEY
    ),
    RecaptchaV3TaskProxyless: lambda _: RecaptchaV3TaskProxyless(
        website_url=URL, website_key=RECAPTCHA_KEY, page_action="login", min_score=0.3
    ),
    TurnstileTask: lambda _: TurnstileTask(website_url=URL, website_key=TURNSTILE_KEY),
}


def sample_tasks(count: int, seed: int, service: Service) -> list[Task[Any]]:
    """Return *count* tasks, in turn of all types that *service* takes."""
    rng = random.Random(seed)
    makers = [make for model, make in SAMPLES.items() if service.takes(model)]
    return [makers[index % len(makers)](rng) for index in range(count)]

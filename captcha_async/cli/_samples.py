"""One example of every task type, for the demo."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any, cast

import attrs

from .. import tasks
from ..services import Service, TypeDialect
from ..services._dialect import uses_of
from ..tasks import Proxy, Task
from ..tasks._fields import WireField

__all__ = ["sample_models", "sample_task", "sample_tasks"]

URL = "https://shop.example/login"

# What the required fields are given, by their name; any other text is `demo`.
VALUES: dict[str, Any] = {
    "api_server": f"{URL}/api",
    "challenge_url": f"{URL}/challenge",
    "comment": "all cars",
    "min_score": 0.3,
    "redirect_uri": f"{URL}/not_robot_captcha",
    "steps": (5, 19, 14),
    "variables": {"login_input_css": "#login"},
    "api_get_lib": f"{URL}/widget.min.js",
    "captcha_script": f"{URL}/jsapi.js",
    "captcha_url": "https://geo.captcha-delivery.example/captcha/?cid=demo",
    "challenge": "demo0challenge0of0the0local0service",
    "challenge_script": f"{URL}/challenge.js",
    "context": "demo-context",
    "cookie": {"region": "141", "language": "en"},
    "data": "demo-data",
    "datadome_cookie": "datadome=demo",
    "grid": "3x3",
    "gt": "demo0gt0of0the0local0service0000",
    "hcg": "demo-hcg",
    "hct": 1_700_000_000_000,
    "html_page_base64": b"<html><title>Just a moment</title></html>" * 4,
    "incapsula_cookies": {"incap_ses_demo": "1"},
    "incapsula_script_url": "_Incapsula_Resource?SWJIYLWA=demo",
    "iterations": 10_000,
    "iv": "demo-iv",
    "page_action": "managed",
    "page_data": "demo-page-data",
    "prefix": "dlw3kug",
    "proxy": Proxy("http", "8.8.8.8", 8080, "user", "password"),
    "punish_url": f"{URL}/punish?x5secdata=demo",
    "salt": "demo-salt",
    "scene_id": "1ww7426c4",
    "signature": "demo-signature",
    "sw_url": f"{URL}/csw.js",
    "task": "Click on the traffic lights",
    "task_argument": "7",
    "tspd_cookie": {"TSPD_101": "demo"},
    "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "validate_id": "demo-validate-id",
    "w_url": f"{URL}/cw.js",
    "website_key": "6Lexample-site-key-of-the-local-demo-000",
    "website_public_key": "DEMO-PUBLIC-KEY",
    "website_url": URL,
    "widget_url": f"{URL}/widget?hash=demo",
    "yidun_api_server_subdomain": "c.dun.example",
    "yidun_get_lib": f"{URL}/yidun.js",
}

# What a type needs besides, or instead.
MORE: dict[str, dict[str, Any]] = {
    "ComplexImageRecaptchaTask": {"task": VALUES["task"]},
    "ComplexImageRecognitionTask": {"task": "shein"},
    "PazlCaptchaTask": {"task": (15, 24, 4)},
    "GeeTestOperationTask": {"challenge": "AddTypedCredentialItems"},
}
# Those that most people come for go first, so that a short demo shows them.
FIRST = ("ImageToTextTask", "RecaptchaV2Task", "RecaptchaV3TaskProxyless", "TurnstileTask")


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


def sample_models() -> list[type[Task[Any]]]:
    """Return every task model that is in the services' documentation now."""
    names = (*FIRST, *(name for name in tasks.__all__ if name not in FIRST))
    found = (getattr(tasks, name) for name in names)
    return [model for model in found if hasattr(model, "spec") and _is_current(model)]


def _is_current(model: type[Task[Any]]) -> bool:
    return bool(model.spec.type) and not model.spec.historic


def sample_task(
    model: type[Task[Any]], rng: random.Random, service: Service | None = None
) -> Task[Any]:
    """Return a valid task of a type, with what *service* requires."""
    needed = _needed(model, service)
    fields: dict[str, Any] = {}
    for field in attrs.fields(cast("type[attrs.AttrsInstance]", model)):
        if field.default is attrs.NOTHING or field.name in needed:
            fields[field.name] = _value(field.name, field.metadata["wire"], rng)
    return model(**fields | MORE.get(model.__name__, {}))


def _needed(model: type[Task[Any]], service: Service | None) -> set[str]:
    """The fields that a service requires besides the model, one of each group of alternatives."""
    dialect = None if service is None else service.dialect(model)
    uses = uses_of(model, dialect or TypeDialect(None, ""))
    required = {use.name for use in uses.values() if use.required}
    either = {group.partition("|")[0] for group in dialect.either} if dialect else set()
    # Of these some models want one out of two.
    return required | either | ({"comment", "images_base64"} & set(uses))


def _value(name: str, wire: WireField, rng: random.Random) -> Any:
    """A value for a field, by its name or else by its kind."""
    if wire.kind == "file in base64":
        return noise_png(rng)
    if wire.kind == "list of files in base64":
        return [noise_png(rng) for _ in range(int(wire.least or 1))]
    if wire.values and name not in VALUES:
        return wire.values[0]
    return VALUES.get(name, "demo")


def sample_tasks(count: int, seed: int, service: Service) -> list[Task[Any]]:
    """Return *count* tasks, in turn of all types that *service* takes."""
    rng = random.Random(seed)
    models = [model for model in sample_models() if service.takes(model)]
    return [sample_task(models[index % len(models)], rng, service) for index in range(count)]

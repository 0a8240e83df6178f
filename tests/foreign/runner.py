"""Runs calls of the services' own SDKs against a recorder; for the SDKs' environment only.

Reads JSON from standard input: `{"url": …, "calls": [{"sdk": …, …}, …]}`. Before each call it tells
the recorder which one follows. The recorder answers with an error, so that every call ends there.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

# Not there where the rest of the project is checked.
requests: Any = importlib.import_module("requests")


def main() -> None:
    """Run every call."""
    order = json.load(sys.stdin)
    url = order["url"]
    post = requests.post
    redirect(url)
    time.sleep = lambda _: None  # nobody waits for an answer here
    for number, call in enumerate(order["calls"]):
        post(f"{url}/begin", json={"number": number})
        try:
            SDKS[call["sdk"]](call, url)
        except Exception as error:
            # The recorder refuses every task; what else goes wrong shows as a missing body.
            sys.stderr.write(f"{number} {call['sdk']}: {type(error).__name__}: {error}\n"[:300])


def redirect(recorder: str) -> None:
    """Let requests go to the recorder, whatever address an SDK has written down."""
    send = requests.Session.request

    def to_recorder(self: Any, method: str, url: str, **options: Any) -> Any:
        return send(self, method, f"{recorder}{urlsplit(url).path}", **options)

    requests.Session.request = to_recorder


def capmonster(call: dict[str, Any], url: str) -> None:
    """One of CapMonster's request classes."""
    sdk = importlib.import_module("capmonstercloudclient")
    kinds = importlib.import_module("capmonstercloudclient.requests")
    fields = dict(call["fields"])
    if "image_bytes" in fields:
        fields["image_bytes"] = base64.b64decode(fields["image_bytes"])
    if call.get("proxy"):
        proxies = importlib.import_module("capmonstercloudclient.requests.proxy_info")
        fields["proxy"] = proxies.ProxyInfo(**call["proxy"])
    options = sdk.ClientOptions(api_key="key", service_url=url)
    request = getattr(kinds, call["class"])(**fields)
    asyncio.run(sdk.CapMonsterClient(options=options).solve_captcha(request))


def anti_captcha(call: dict[str, Any], _: str) -> None:
    """One of anti-captcha's task classes."""
    module = importlib.import_module(f"anticaptchaofficial.{call['class'].lower()}")
    task = getattr(module, call["class"])()
    task.set_key("key")
    for name, value in call["fields"].items():
        setattr(task, name, value)
    if "body" in call:
        task.solve_and_return_solution(None, body=call["body"])
    else:
        task.solve_and_return_solution()


def two_captcha(call: dict[str, Any], _: str) -> None:
    """One of 2captcha's methods."""
    solver = importlib.import_module("twocaptcha").TwoCaptcha("key")
    getattr(solver, call["method"])(**call["fields"])


def capsolver(call: dict[str, Any], url: str) -> None:
    """One of capsolver's types, whose fields are the caller's own."""
    kinds = importlib.import_module("python3_capsolver.core.enum").CaptchaTypeEnm
    base = importlib.import_module("python3_capsolver.core.base").CaptchaParams
    task = base(api_key="key", captcha_type=kinds(call["type"]), request_url=url)
    task.captcha_handler(task_payload=call["fields"])


SDKS = {
    "capmonstercloudclient": capmonster,
    "anticaptchaofficial": anti_captcha,
    "2captcha-python": two_captcha,
    "python3-capsolver": capsolver,
}


if __name__ == "__main__":
    main()

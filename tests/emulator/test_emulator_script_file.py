"""Scripts as files: every order, and every mistake told by file, entry, field, value and rule."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from emulator_calls import IMAGE, RECAPTCHA, Caller

from captcha_async import InvalidArgument
from captcha_async.emulator import Emulator, Latency
from captcha_async.emulator._script_file import ACTIONS


def make(script: str, tmp_path: Path, name: str = "script.toml") -> Emulator:
    """Return an emulator that follows a script."""
    path = tmp_path / name
    path.write_text(script, encoding="utf-8")
    emulator = Emulator(latency=Latency.fixed(0))
    emulator.load_script(path)
    return emulator


async def test_answers_and_failures_in_their_order(tmp_path: Path) -> None:
    """Orders with a number of times go first, one after the other, whatever they order."""
    emulator = make(
        """
        [[order]]
        fail = "ERROR_CAPTCHA_UNSOLVABLE"
        times = 1

        [[order]]
        answer = { gRecaptchaResponse = "the-token" }
        type = "RecaptchaV2Task"
        times = 1

        [[order]]
        answer = { gRecaptchaResponse = "never" }
        after = inf
        """,
        tmp_path,
    )
    caller = Caller(emulator)
    first, second, third = [await caller.create(RECAPTCHA) for _ in range(3)]
    assert (await caller.poll(first))["errorCode"] == "ERROR_CAPTCHA_UNSOLVABLE"
    assert (await caller.poll(second))["solution"] == {"gRecaptchaResponse": "the-token"}
    assert (await caller.poll(third))["status"] == "processing"
    assert emulator.tasks[third].ready_at == math.inf


async def test_refusals_and_faults(tmp_path: Path) -> None:
    """Every detail of an order reaches the reply."""
    emulator = make(
        """
        [[order]]
        refuse = "ERROR_NO_SLOT_AVAILABLE"
        type = "ImageToTextTask"
        times = 1
        http_status = 429
        retry_after = 7

        [[order]]
        break = 502
        method = "getBalance"
        body = "<h1>Bad Gateway</h1>"
        headers = { X-Edge = "1" }

        [[order]]
        at_once = true
        type = "ImageToTextTask"
        """,
        tmp_path,
    )
    caller = Caller(emulator)
    refused = await caller.call("createTask", task=IMAGE)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    assert (await caller.call("createTask", task=IMAGE)).json()["status"] == "ready"
    broken = await caller.call("getBalance")
    assert (broken.status_code, broken.text) == (502, "<h1>Bad Gateway</h1>")
    assert broken.headers["x-edge"] == "1"
    assert (await caller.call("getBalance")).status_code == 200


def test_every_kind_of_order_in_json(tmp_path: Path) -> None:
    """JSON has the same content; every kind of order is one of the emulator's methods."""
    orders: list[dict[str, Any]] = [
        {"hang": True, "method": "createTask", "times": 2, "effect": True},
        {"delay": 0.5, "times": "always"},
        {"drop_callbacks": 0.1},
        {"delay_callbacks": 3, "share": 0.5},
        {"repeat_callbacks": 2},
        {"early_callbacks": 0.2},
        {"spoil_callbacks": "<html>", "share": 1},
        {"refuse_callbacks": "ERROR_SERVICE_NOT_AVAILABLE"},
    ]
    emulator = make(json.dumps({"order": orders}), tmp_path, "script.json")
    faults = emulator._state.callback_faults
    assert (faults.dropped, faults.delay, faults.times) == (0.1, (3.0, 0.5), (2, 1.0))
    assert (faults.early, faults.body) == (0.2, (b"<html>", 1.0))
    assert faults.refusal == "ERROR_SERVICE_NOT_AVAILABLE"
    hang, delay = emulator._state.script._rules
    assert (hang.method, hang.times, delay.times) == ("createTask", 2, None)


def test_an_empty_script(tmp_path: Path) -> None:
    """No orders, no harm."""
    assert make("", tmp_path)._state.script._rules == []


@pytest.mark.parametrize(
    ("script", "field", "message"),
    [
        ("x", "script", "script.toml: a script must be TOML: "),
        ("[orders]", "key", "script.toml: key must be 'order': a script is a list of those"),
        ("order = 3", "order", "script.toml: order must be a list, in TOML written [[order]]"),
        ("order = [3]", "order", "script.toml, order 1: order must be a table, not 3"),
        (
            "[[order]]\ntimes = 1",
            "keys",
            "script.toml, order 1: keys must be with just one of answer, fail,",
        ),
        (
            "[[order]]\nfail = 'X'\n[[order]]\nfail = 'X'\nanswer = {}",
            "keys",
            "script.toml, order 2: keys must be with just one of",
        ),
        (
            "[[order]]\nfail = 'X'\ntimes = 0",
            "times",
            "order 1 (fail): times must be a whole number of at least 1, or 'always', not 0",
        ),
        (
            "[[order]]\nfail = 'X'\nmethod = 'createTask'",
            "key",
            "key must be one that goes with 'fail' (type, times, after), not 'method'",
        ),
        ("[[order]]\ndrop_callbacks = 2", "drop_callbacks", "must be a number from 0 to 1, not 2"),
        ("[[order]]\ndrop_callbacks = 1\nshare = 1", "key", "goes with 'drop_callbacks' (none)"),
        ("[[order]]\nanswer = 'text'", "answer", "a table of what the solution holds, not 'text'"),
        ("[[order]]\nfail = ''", "fail", "a text that is not empty"),
        ("[[order]]\nbreak = 99", "break", "an HTTP status from 200 to 599, not 99"),
        ("[[order]]\nbreak = 500\nheaders = ['x']", "headers", "a table of header names"),
        ("[[order]]\nbreak = 500\nbody = 3", "body", "body must be a text, not 3"),
        ("[[order]]\nhang = true\neffect = 1", "effect", "effect must be true or false, not 1"),
        ("[[order]]\nhang = false", "hang", "hang must be true, not False"),
        ("[[order]]\ndelay = -1", "delay", "a number of seconds, 0 or more, not -1"),
        ("[[order]]\nrepeat_callbacks = 0", "repeat_callbacks", "at least 1, not 0"),
        (
            "[[order]]\nhang = true\nmethod = 'create'",
            "method",
            "script.toml, order 1 (hang): method must be one of createTask",
        ),
    ],
)
def test_mistakes(script: str, field: str, message: str, tmp_path: Path) -> None:
    """A message is enough to find and correct the entry."""
    with pytest.raises(InvalidArgument) as caught:
        make(script, tmp_path)
    assert caught.value.field == field
    assert message in str(caught.value)


def test_json_mistakes(tmp_path: Path) -> None:
    """The same for the other format."""
    with pytest.raises(InvalidArgument, match=r"script\.json: a script must be JSON"):
        make("{", tmp_path, "script.json")
    with pytest.raises(InvalidArgument, match=r"script\.json: script must be an object"):
        make("[]", tmp_path, "script.json")


def test_a_missing_file(tmp_path: Path) -> None:
    """The operating system's own error."""
    with pytest.raises(FileNotFoundError):
        Emulator().load_script(tmp_path / "none.toml")


def test_the_documented_script(tmp_path: Path) -> None:
    """The example of the reference page is a script, and its table knows every kind of order."""
    page = (Path(__file__).parents[2] / "docs/reference/command-line.md").read_text("utf-8")
    page = page.partition("### Scripts\n")[2].partition("\n## ")[0]
    script = page.partition("```toml\n")[2].partition("```")[0]
    emulator = make(script, tmp_path)
    assert len(emulator._state.script._rules) == script.count("[[order]]") - 1
    for name, action in ACTIONS.items():
        (fields,) = re.findall(rf"^\| `{name}(?: = true)?` \|[^|]*\|(.*)\|$", page, re.MULTILINE)
        assert set(re.findall("`([a-z_]+)`", fields)) == set(action.fields)

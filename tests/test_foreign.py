"""The comparison with the services' own SDKs (`foreign/`): its table is valid, and it can fail.

The comparison itself runs the SDKs in an environment of their own: `python tests/foreign`.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from captcha_async.wire import dump_request

FOLDER = Path(__file__).parent / "foreign"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return one of its modules."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(f"foreign_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, f"foreign_{name}", module)
    spec.loader.exec_module(module)
    return module


def test_every_task_is_one_that_its_service_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that could not be sent would compare nothing."""
    cases = load("cases", monkeypatch).CASES
    assert len(cases) > 100
    for case in cases:
        case.service.check(case.task)
    assert {case.sdk for case in cases} == set(load("__main__", monkeypatch).SDKS)


def test_a_difference_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is missing, another value, and a call that sent nothing."""
    main = load("__main__", monkeypatch)
    case = next(case for case in main.CASES if case.sdk == "anticaptchaofficial")
    body = dump_request(case.task, case.service)
    assert [*main.differences(case, body)] == []
    lacking = {key: value for key, value in body["task"].items() if key != "comment"}
    assert any("comment" in each for each in main.differences(case, {"task": lacking}))
    other = body["task"] | {"type": "OtherTask"}
    assert any("type" in each for each in main.differences(case, {"task": other}))
    more = body["task"] | {"new": "x"}
    assert any("new" in each for each in main.differences(case, {"task": more}))
    assert [*main.differences(case, None)] == ["the SDK sent nothing"]

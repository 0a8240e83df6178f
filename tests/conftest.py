"""Every async test runs on asyncio and on trio, in virtual time unless it is marked `real_time`.

`anyio_mode = "auto"` makes anyio's plugin run every `async def test_…`: no mark is needed.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import hypothesis
import pytest
import trio.testing
from virtual_time import VirtualTimeLoop

VIRTUAL = ["asyncio", "trio"]
REAL = ["asyncio-real", "trio-real"]
if importlib.util.find_spec("uvloop") is not None:
    REAL.append("uvloop-real")

# No deadline: a busy machine is no failure. The fixture check would refuse every async property
# test, since `anyio_backend` is made anew for each test function and not for each example.
hypothesis.settings.register_profile(
    "captcha_async",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("captcha_async")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the backends; a test that parametrises `anyio_backend` itself is left alone."""
    marks = metafunc.definition.iter_markers("parametrize")
    chosen = any("anyio_backend" in str(mark.args[0]) for mark in marks)
    if "anyio_backend" in metafunc.fixturenames and not chosen:
        real = metafunc.definition.get_closest_marker("real_time") is not None
        metafunc.parametrize("anyio_backend", REAL if real else VIRTUAL, indirect=True)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Return the backend's name and options, with a clock of its own for each test."""
    options: dict[str, tuple[str, dict[str, Any]]] = {
        "asyncio": ("asyncio", {"loop_factory": VirtualTimeLoop}),
        "trio": ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}),
        "asyncio-real": ("asyncio", {}),
        "trio-real": ("trio", {}),
        "uvloop-real": ("asyncio", {"use_uvloop": True}),
    }
    return options[request.param]

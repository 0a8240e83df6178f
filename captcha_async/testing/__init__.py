"""pytest plugin: the local service and a client of it as fixtures. pytest loads it by itself.

Everything heavy is imported by the fixtures, so that whoever does not use them pays nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import pytest

if TYPE_CHECKING:
    from .._client import CaptchaClient
    from ..emulator import Emulator, LatencyModel, Violation

__all__ = [
    "captcha_client",
    "captcha_emulator",
    "captcha_emulator_url",
    "run_in_virtual_time",
    "virtual_time",
]

T = TypeVar("T")

MOST_SHOWN = 10
"""Violations that the message of a failed test lists."""

MARKERS = (
    "captcha_emulator(allow=(), **options): the Emulator's options, and rules that may be broken",
    "captcha_client(**options): the CaptchaClient's options",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture
def captcha_emulator(request: pytest.FixtureRequest) -> Generator[Emulator]:
    """Give a local service, new for each test, which solves at once unless told otherwise.

    The test fails if a rule of the service was broken.
    """
    emulator, allowed = _make_emulator(**_options(request, "captcha_emulator"))
    yield emulator
    broken = [found for found in emulator.violations if found.rule not in allowed]
    if broken:
        pytest.fail(_describe(broken), pytrace=False)


@pytest.fixture
def captcha_client(
    request: pytest.FixtureRequest, captcha_emulator: Emulator
) -> Generator[CaptchaClient]:
    """Give an open client of `captcha_emulator`, in the same process: no socket, no network.

    It waits for nothing but the poll gap, and is closed after the test.
    """
    from anyio.from_thread import start_blocking_portal

    from .._account._retry import Retries
    from .._client import CaptchaClient
    from .._polling._schedule import FixedPolling
    from .._transport._in_process import in_process

    defaults: dict[str, Any] = {
        "api_key": captcha_emulator.api_key,
        "service": captcha_emulator.service,
        "http_client": in_process(captcha_emulator),
        # The service's gap is kept all the same.
        "polling": FixedPolling(first=0, interval=0),
        "retries": Retries(backoff=0.01),
    }
    client = CaptchaClient(**defaults | _options(request, "captcha_client"))
    yield client
    # In an event loop of its own, for the test's is gone: a journal has to be waited for.
    with start_blocking_portal() as portal:
        portal.call(client.aclose)


@pytest.fixture
def captcha_emulator_url(captcha_emulator: Emulator) -> Generator[str]:
    """Serve `captcha_emulator` on a local port, in a thread, and give its base URL.

    For programs that cannot be handed a client.
    """
    from anyio.from_thread import start_blocking_portal

    from ..emulator import serve

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(captcha_emulator)) as url,
    ):
        yield url


def virtual_time(backend: str = "asyncio") -> tuple[str, dict[str, Any]]:
    """Return what an `anyio_backend` fixture returns for tests that wait in no time.

    The clock jumps to the next timer instead of waiting for it. Not for tests with real sockets or
    threads: it would run past an answer that is still on its way.

    Args:
        backend: `asyncio` or `trio`.

    Raises:
        InvalidArgument: it is neither.
    """
    from ..errors import invalid

    if backend == "asyncio":
        from ._virtual_time import VirtualTimeLoop

        return "asyncio", {"loop_factory": VirtualTimeLoop}
    if backend == "trio":
        import trio.testing

        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    raise invalid("backend", backend, "'asyncio' or 'trio'")


def run_in_virtual_time(
    function: Callable[..., Awaitable[T]], *arguments: Any, backend: str = "asyncio"
) -> T:
    """Run an async function as `anyio.run` does, in virtual time: for tests without a plugin."""
    import anyio

    name, options = virtual_time(backend)
    return anyio.run(function, *arguments, backend=name, backend_options=options)


def _options(request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    """Return the options of all markers of this name; the one closest to the test counts most."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(name))):
        if marker.args:
            raise pytest.UsageError(f"@pytest.mark.{name} takes keyword arguments only")
        options |= marker.kwargs
    return options


def _make_emulator(
    *, allow: str | Iterable[str] = (), latency: LatencyModel | float = 0, **options: Any
) -> tuple[Emulator, frozenset[str]]:
    """Return an emulator, and the rules that may be broken."""
    from ..emulator import Breach, Emulator, Latency
    from ..errors import invalid

    allowed = frozenset([allow] if isinstance(allow, str) else allow)
    if unknown := allowed - set(get_args(Breach)):
        raise invalid("allow", min(unknown), f"among {', '.join(get_args(Breach))}")
    model = latency if callable(latency) else Latency.fixed(latency)
    return Emulator(latency=model, **options), allowed


def _describe(broken: list[Violation]) -> str:
    lines = [f"the captcha service's rules were broken ({len(broken)} in all):"]
    for found in broken[:MOST_SHOWN]:
        about = "" if found.task_id is None else f", task {found.task_id}"
        lines.append(f"  {found.rule}{about}: {found.detail}")
    rules = sorted({found.rule for found in broken})
    lines.append(f"If that is meant: @pytest.mark.captcha_emulator(allow={rules})")
    return "\n".join(lines)

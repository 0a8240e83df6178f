"""The pytest plugin, in test runs of its own: what its users write, and what they then see."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "how-to" / "testing.md"

HEAD = """
import asyncio
import pytest
from captcha_async import (
    CaptchaClient, ClientClosed, InvalidArgument, RecaptchaV2Task, Retries, TaskRef, Unsolvable,
)

TASK = RecaptchaV2Task(website_url="https://example.com/login", website_key="6Lc-key")
"""


@pytest.fixture(autouse=True)
def home(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the inner runs find the package."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # There pytest would tell each failure a second time, in its summary.
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)


# As a project has them that uses anyio's plugin, whatever else is installed here.
OPTIONS = ("-p", "captcha_async.testing", "-W", "error", "--strict-markers", "-p", "no:asyncio")


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """Run *source* as a test file, in a process of its own."""
    pytester.makepyfile(HEAD + source)
    return pytester.runpytest_subprocess(*OPTIONS, *arguments, timeout=50)


def test_a_crawler_s_tests_solve_script_and_look(pytester: pytest.Pytester) -> None:
    """On asyncio and trio: answers and failures on order, and a record of what was sent."""
    source = """
pytestmark = pytest.mark.anyio

async def test_answers(captcha_client, captcha_emulator):
    captcha_emulator.answer_with({"gRecaptchaResponse": "the-token"})
    assert (await captcha_client.solve(TASK)).solution.token == "the-token"
    (sent,) = captcha_emulator.requests_to("createTask")
    assert sent.body["task"]["websiteKey"] == "6Lc-key"

async def test_failures(captcha_client, captcha_emulator):
    assert captcha_emulator.requests == [], "new for each test"
    captcha_emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    captcha_emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=3)
    with pytest.raises(Unsolvable):
        await captcha_client.solve(TASK)
    solved = await captcha_client.solve(TASK)
    await captcha_client.report_incorrect(solved)
    assert captcha_emulator.tasks[solved.task_id].reported
"""
    run(pytester, source).assert_outcomes(passed=4)


def test_a_broken_rule_fails_the_test(pytester: pytest.Pytester) -> None:
    """Polling too fast and one poll too many are told, unless just that is allowed."""
    source = """
import httpx

def poll(emulator, times):
    async def run():
        transport = httpx.ASGITransport(app=emulator)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            async def call(method, **body):
                body["clientKey"] = emulator.api_key
                return (await http.post(f"/{method}", json=body)).json()
            task = {"type": "RecaptchaV2Task", "websiteURL": "https://a.example", "websiteKey": "k"}
            task_id = (await call("createTask", task=task))["taskId"]
            for _ in range(times):
                await call("getTaskResult", taskId=task_id)
    asyncio.run(run())

def test_too_fast(captcha_emulator):
    poll(captcha_emulator, 15)

def test_too_often(captcha_emulator):
    poll(captcha_emulator, 121)

@pytest.mark.captcha_emulator(allow=["poll-gap"])
def test_meant(captcha_emulator):
    poll(captcha_emulator, 2)

@pytest.mark.captcha_emulator(allow="poll-gap")
def test_another_is_meant(captcha_emulator):
    poll(captcha_emulator, 121)
"""
    result = run(pytester, source)
    result.assert_outcomes(passed=4, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_too_fast*",
            "the captcha service's rules were broken (14 in all):",
            "  poll-gap, task *: 0.* s after the poll before, at least 2 s",
            "If that is meant: @pytest.mark.captcha_emulator(allow=[[]'poll-gap'])",
            "*ERROR at teardown of test_too_often*",
            "If that is meant: @pytest.mark.captcha_emulator(allow=[[]'poll-cap', 'poll-gap'])",
            "*ERROR at teardown of test_another_is_meant*",
            "the captcha service's rules were broken (1 in all):",
            "  poll-cap, task *: poll 121 of a task, at most 120 are allowed",
        ]
    )
    assert len(re.findall(r"^  poll-gap", result.stdout.str(), re.MULTILINE)) == 10 + 10


def test_markers_set_the_options(pytester: pytest.Pytester) -> None:
    """Service, latency, balance and the client's options; the closest marker counts most."""
    source = """
@pytest.mark.captcha_emulator(service="captcha69", latency=5, balance=3)
class TestMarked:
    def test_of_the_class(self, captcha_emulator, captcha_client):
        assert captcha_emulator.service.name == captcha_client.service.name == "captcha69"
        assert asyncio.run(self.peek(captcha_client)) is None

    @pytest.mark.captcha_emulator(latency=lambda rng, task: 0, api_keys="mine")
    def test_of_the_function(self, captcha_emulator, captcha_client):
        assert captcha_emulator.service.name == "captcha69"
        assert captcha_emulator.balance == 3
        assert asyncio.run(self.peek(captcha_client)).polls == 1

    async def peek(self, client):
        return await (await client.submit(TASK)).peek()

@pytest.mark.captcha_client(retries=Retries(attempts=1))
def test_of_the_client(captcha_emulator, captcha_client):
    captcha_emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)
    with pytest.raises(Exception, match="NO_SLOT"):
        asyncio.run(captcha_client.solve(TASK))

@pytest.mark.captcha_emulator(allow=["no-money"], balance=0)
def test_an_empty_account(captcha_client):
    with pytest.raises(Exception, match="ZERO_BALANCE"):
        asyncio.run(captcha_client.solve(TASK))

@pytest.mark.captcha_emulator("captcha69")
def test_in_error_positional(captcha_emulator): ...

@pytest.mark.captcha_emulator(allow=["polling"])
def test_in_error_unknown_rule(captcha_emulator): ...

@pytest.mark.captcha_emulator(patience=1)
def test_in_error_unknown_option(captcha_emulator): ...
"""
    result = run(pytester, source)
    result.assert_outcomes(passed=4, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*@pytest.mark.captcha_emulator takes keyword arguments only*",
            "*allow must be among poll-gap, *, not 'polling'*",
            "*unexpected keyword argument 'patience'*",
        ]
    )
    assert "@pytest.mark.captcha_client(" in run(pytester, "", "--markers").stdout.str()


def test_the_client_is_closed_after_the_test(pytester: pytest.Pytester) -> None:
    """Also where the test has left a task open or closed it itself, or where a loop still runs."""
    source = """
clients = []

def test_left_open(captcha_client):
    clients.append(captcha_client)
    asyncio.run(captcha_client.submit(TASK))

def test_closed_by_itself(captcha_client):
    async def crawl():
        async with captcha_client:
            await captcha_client.solve(TASK)
    asyncio.run(crawl())

@pytest.fixture
def browser():
    # As the synchronous API of Playwright does.
    loop = asyncio.new_event_loop()
    asyncio._set_running_loop(loop)
    yield
    asyncio._set_running_loop(None)
    loop.close()

def test_in_a_running_loop(browser, captcha_client): ...

def test_that_it_is_closed():
    with pytest.raises(ClientClosed):
        asyncio.run(clients[0].solve(TASK))
"""
    run(pytester, source).assert_outcomes(passed=4)


def test_a_client_with_a_journal_or_a_handler_is_closed(pytester: pytest.Pytester) -> None:
    """Everything is written, no thread is left, and handlers hear the end of what was open."""
    source = """
import threading, trio

events = []

@pytest.mark.captcha_client(journal="test.db", on_event=events.append)
@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_left_open(captcha_client, run):
    async def crawl():
        await captcha_client.submit(TASK)
        await captcha_client.solve(TASK)
    run(crawl) if run is trio.run else run(crawl())

def test_that_all_is_over():
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
    assert sum(type(event).__name__ == "TaskAbandoned" for event in events) == 2
"""
    run(pytester, source).assert_outcomes(passed=3)


PROGRAM = """
import asyncio, sys
from captcha_async import CaptchaClient, RecaptchaV2Task

async def main(base_url, key):
    task = RecaptchaV2Task(website_url="https://example.com", website_key="6Lc-key")
    async with CaptchaClient(key, base_url=base_url) as client:
        print((await client.solve(task)).solution.token)

asyncio.run(main(*sys.argv[1:]))
"""


def test_programs_reach_the_emulator_by_its_url(pytester: pytest.Pytester) -> None:
    """A synchronous test runs a program against it; without anyio's pytest plugin, too."""
    pytester.makepyfile(program=PROGRAM)
    source = """
import subprocess, sys

def test_program(captcha_emulator, captcha_emulator_url):
    captcha_emulator.answer_with({"gRecaptchaResponse": "the-token"})
    command = [sys.executable, "program.py", captcha_emulator_url, captcha_emulator.api_key]
    assert subprocess.check_output(command, text=True) == "the-token\\n"
    assert len(captcha_emulator.tasks) == 1
"""
    run(pytester, source, "-p", "no:anyio").assert_outcomes(passed=1)


def test_it_costs_nothing_unless_used(pytester: pytest.Pytester) -> None:
    """A run that uses no fixture imports neither httpx nor client nor emulator."""
    pytester.makepyfile(
        """
        import sys

        def test_imports():
            heavy = {"httpx", "cattrs", "captcha_async._client", "captcha_async.emulator"}
            assert "captcha_async.testing" in sys.modules
            assert not heavy & set(sys.modules)
        """
    )
    result = pytester.runpytest_subprocess("-p", "captcha_async.testing", "-p", "no:anyio")
    result.assert_outcomes(passed=1)


ASYNC_TEST = """
async def test_async(captcha_client):
    assert (await captcha_client.solve(TASK)).polls == 1

@pytest.mark.parametrize("number", range(4))
async def test_many(captcha_client, captcha_emulator, number):
    await asyncio.gather(*(captcha_client.solve(TASK) for _ in range(10)))
    assert len(captcha_emulator.tasks) == 10
"""


@pytest.mark.parametrize(
    ("plugin", "arguments"),
    [
        (
            "pytest_asyncio",
            "-p asyncio -p no:anyio -W default -o asyncio_mode=auto",
        ),
        ("xdist", "-o anyio_mode=auto -k not\\ trio -n 2"),
    ],
)
def test_other_plugins_get_along_with_it(
    plugin: str, arguments: str, pytester: pytest.Pytester
) -> None:
    """The fixtures are synchronous, so that whatever runs async tests can have them."""
    if importlib.util.find_spec(plugin) is None:
        pytest.skip(f"{plugin} is not installed")
    result = run(pytester, ASYNC_TEST, *shlex.split(arguments))
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 5


def test_the_tests_of_the_docs_pass(pytester: pytest.Pytester) -> None:
    """The tests that the page shows are run as they stand there."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    blocks = [block for block in blocks if "def test_" in block]
    assert blocks
    for number, block in enumerate(blocks):
        source = f"from captcha_async import *\n{block}"
        pytester.path.joinpath(f"test_{number}.py").write_text(source, encoding="utf-8")
    result = pytester.runpytest_subprocess(*OPTIONS, timeout=50)
    assert result.ret == 0, result.stdout.str()


def test_time_can_be_virtual(pytester: pytest.Pytester) -> None:
    """A solve of ten minutes passes at once, on both backends and without a plugin."""
    source = """
import anyio
from captcha_async.testing import run_in_virtual_time, virtual_time

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return virtual_time(request.param)

@pytest.mark.captcha_emulator(latency=600)
@pytest.mark.captcha_client(polling=None)
@pytest.mark.anyio
async def test_long(captcha_client):
    solved = await captcha_client.solve(TASK, timeout=900)
    assert solved.elapsed >= 600

def test_by_hand():
    async def wait(seconds):
        begun = anyio.current_time()
        await anyio.sleep(seconds)
        return anyio.current_time() - begun
    for backend in ("asyncio", "trio"):
        assert run_in_virtual_time(wait, 5000, backend=backend) >= 5000
    with pytest.raises(InvalidArgument):
        virtual_time("curio")
"""
    # The run is ended after less than a minute: in real time this could not pass.
    run(pytester, source).assert_outcomes(passed=3)

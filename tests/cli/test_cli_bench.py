"""`captcha-async bench`: measuring, showing, and spending no money by accident."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from command_line import KEY, run, served
from local import TOKEN_TASK, joined
from rich.console import Console

from captcha_async import TransportError
from captcha_async.cli._bench import _plot
from captcha_async.cli._bench._plot import draw
from captcha_async.cli._bench._run import Level, Plan, Run, Slots
from captcha_async.cli._bench._target import open_emulator
from captcha_async.cli._bench._view import notes, print_table, progress
from captcha_async.emulator import Emulator, Latency
from captcha_async.services import CAPMONSTER

ROOT = Path(__file__).parents[2]
TASK = {"type": "RecaptchaV2Task", "websiteURL": "https://example.com/", "websiteKey": "6Lc"}
PAID = ("--levels", "1,2", "--tasks", "2", "--max-spend", "1")


@pytest.fixture
def emulator() -> Emulator:
    """Return a service that answers within the first poll."""
    return Emulator(api_keys=KEY, latency=Latency.fixed(0.0), price="0.01")  # type: ignore[arg-type]


@pytest.fixture
def base_url(emulator: Emulator) -> Generator[str]:
    """Serve the emulator from a thread with an event loop of its own."""
    with served(emulator) as url:
        yield url


@pytest.fixture
def task_file(tmp_path: Path) -> str:
    """Return the path of a task object."""
    path = tmp_path / "task.json"
    path.write_text(json.dumps(TASK))
    return str(path)


def level(number: int, **changes: Any) -> Level:
    """Return a level's numbers."""
    values: dict[str, Any] = {
        "level": number,
        "solved": 1000 * number,
        "failed": 0,
        "seconds": 20.0,
        "solved_per_second": 0.3 * number,
        "p50": 3.1,
        "p95": 5.2,
        "p99": 7.3,
        "polls_per_task": 1.25,
        "cpu_ms_per_solve": 1.5,
        "cpu_share": 0.2,
        "target_cpu_share": 0.3,
        "pick_up_p50": 0.5,
        "pick_up_p95": 1.5,
        "violations": 0,
        "spent": "0",
        "errors": {},
    }
    return Level(**values | changes)


def finished(*levels: Level) -> Run:
    """Return a run that is over."""
    run = Run(Plan(tuple(each.level for each in levels), 20.0, None, TOKEN_TASK), CAPMONSTER)
    run.done = list(levels)
    return run


# -- measuring ------------------------------------------------------------------------------------


def test_a_sweep_over_an_emulator_in_another_process() -> None:
    """By default the emulator has a process of its own; standard output is one JSON object."""
    result = run("bench", "--levels", "1,3", "--tasks", "3", "--latency", "0", "--json", "-")
    assert result.exit_code == 0, result.stderr
    assert "an emulator in a process of its own" in result.stderr
    told = json.loads(result.stdout)
    assert (told["target"], told["service"], told["interrupted"]) == (
        "emulator",
        "capmonster",
        False,
    )
    assert [each["level"] for each in told["levels"]] == [1, 3]
    for each in told["levels"]:
        assert (each["solved"], each["failed"], each["violations"]) == (3, 0, 0)
        assert 0 < each["p50"] <= each["p95"] <= each["p99"] < each["seconds"] + 0.1
        assert each["polls_per_task"] == 1
        assert 0 <= each["pick_up_p50"] <= each["pick_up_p95"]
        assert each["target_cpu_share"] is not None


def test_a_sweep_in_this_process(tmp_path: Path) -> None:
    """The output says that the core is shared; the table has a line for each level."""
    path = tmp_path / "numbers.json"
    result = run(
        *("bench", "--target", "in-process", "--levels", "2", "--seconds", "0.2"),
        *("--latency", "0", "--service", "captcha69", "--json", str(path)),
    )
    assert result.exit_code == 0, result.stderr
    assert "shares the core" in result.stderr
    assert "level 2: " in result.stderr
    head, _, line = result.stdout.splitlines()
    assert head.split()[:2] == ["level", "solved"]
    assert line.split()[0] == "2"
    (told,) = json.loads(path.read_text())["levels"]
    assert (told["solved"], told["target_cpu_share"]) == (2, None)


async def test_the_rate_counts_neither_start_nor_end() -> None:
    """Four slots that solve without a pause solve four tasks in the time of one."""
    emulator = Emulator(latency=Latency.fixed(5.0), balance=1000)
    plan = Plan((4,), 60.0, None, TOKEN_TASK)
    async with joined(emulator) as client:
        slots = Slots(client, plan, 4)
        await slots.run()
        took = sum(slots.times) / len(slots.times)
    assert slots.rate == pytest.approx(4 / took, rel=0.01)
    assert anyio.current_time() - slots.started >= 60
    assert slots.begun == len(slots.times) == emulator.statistics().solved
    assert emulator.violations == []


async def test_a_level_of_failures_ends() -> None:
    """Nobody waits half a minute for a service that answers nothing but errors."""
    emulator = Emulator()
    emulator.refuse("ERROR_CAPTCHA_UNSOLVABLE")
    async with joined(emulator) as client:
        slots = Slots(client, Plan((3,), 1e9, None, TOKEN_TASK), 3)
        await slots.run()
    assert 20 <= slots.failed <= 22
    assert slots.errors == {"Unsolvable": slots.failed}


async def test_trouble_with_the_account_ends_it() -> None:
    """No slot goes on with a key that is refused."""
    emulator = Emulator()
    async with joined(emulator, api_key="wrong") as client:
        slots = Slots(client, Plan((3,), 1e9, None, TOKEN_TASK), 3)
        await slots.run()
    assert type(slots.stopped).__name__ == "KeyRejected"
    # The others are cancelled, or refused as well, whichever comes first.
    assert 1 <= slots.failed <= 3
    assert len(emulator.requests) <= 3


def test_failures_have_an_exit_code(emulator: Emulator, base_url: str, task_file: str) -> None:
    """1, and the errors by their class."""
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    result = run("bench", "--base-url", base_url, "--task", task_file, *PAID, "--yes")
    assert result.exit_code == 1
    assert "level 1: 1 Unsolvable" in result.stdout


async def test_an_emulator_that_dies() -> None:
    """The level ends with an error of the library, and no wait without end."""
    async with open_emulator("emulator", "capmonster", 0.0, 0) as target:
        assert await target.observed() == {
            "pick_up_p50": None,
            "pick_up_p95": None,
            "violations": 0,
            "cpu": pytest.approx(0.0, abs=20),
        }
        target.process.kill()  # type: ignore[attr-defined]
        await target.process.wait()  # type: ignore[attr-defined]
        with pytest.raises(TransportError, match="process has ended"):
            await target.observed()


def test_the_emulator_s_process_ends_with_its_parent() -> None:
    """Without a word, also if an answer has no reader any more."""
    command = [sys.executable, "-m", "captcha_async.cli._bench._emulator", "capmonster", "0", "0"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert "url" in json.loads(process.stdout.readline())
        process.stdout.close()
        process.stdin.write("observed\n")
        process.stdin.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


# -- money ----------------------------------------------------------------------------------------


def test_a_real_service_is_not_paid_without_a_yes(
    emulator: Emulator, base_url: str, task_file: str
) -> None:
    """The most that it can cost is told first, and nothing is sent."""
    arguments = ("bench", "--base-url", base_url, "--task", task_file, *PAID, "--price", "0.01")
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"at most 4 paid tasks, 0.04 in money at capmonster, {base_url}" in result.stderr
    assert "add --yes" in result.stderr
    assert emulator.requests == []
    result = run(*arguments, "--yes")
    assert result.exit_code == 0, result.stderr
    assert "at most 4 paid tasks" in result.stderr
    assert "the real service" in result.stderr
    assert emulator.statistics().created == 4


@pytest.mark.parametrize(
    ("left_out", "says"),
    [
        ("--task", "give --task too"),
        ("--tasks", "give --tasks too"),
        ("--max-spend", "give --max-spend too"),
    ],
)
def test_what_a_real_service_needs(left_out: str, says: str, task_file: str) -> None:
    """Everything that bounds the cost has to be said."""
    options = {"--task": task_file, "--tasks": "2", "--max-spend": "1", "--levels": "1"}
    del options[left_out]
    given = [word for pair in options.items() for word in pair]
    result = run("bench", "--target", "service", *given, "--yes", key=None)
    assert result.exit_code == 2
    assert says in result.stderr


def test_the_spending_cap_ends_it(emulator: Emulator, base_url: str, task_file: str) -> None:
    """With a price the cap is exact, over all levels together."""
    result = run(
        *("bench", "--base-url", base_url, "--task", task_file, "--levels", "1,2"),
        *("--tasks", "2", "--max-spend", "0.03", "--price", "0.01", "--yes"),
    )
    assert result.exit_code == 1
    assert "spending cap" in result.stderr
    assert emulator.statistics().spent == Decimal("0.03")


def test_without_a_price_the_first_level_tells_it(
    emulator: Emulator, base_url: str, task_file: str
) -> None:
    """What the service charged in one level bounds the next one."""
    result = run(
        *("bench", "--base-url", base_url, "--task", task_file, "--levels", "1,2"),
        *("--tasks", "2", "--max-spend", "0.03", "--yes"),
    )
    assert "without --price the cap of 0.03 can be passed by up to 2 tasks" in result.stderr
    assert emulator.statistics().spent == Decimal("0.03")


def test_a_wrong_key_costs_nothing(emulator: Emulator, base_url: str, task_file: str) -> None:
    """The key is tried before the first task is paid for."""
    result = run(
        "bench", "--base-url", base_url, "--task", task_file, *PAID, "--yes", key="s3cret-key"
    )
    assert result.exit_code == 3
    assert "s3cret-key" not in result.output
    assert emulator.requests_to("createTask") == []


def test_an_interrupted_bench_of_a_service_says_what_is_lost(
    base_url: str, task_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was in flight may have been paid for, and nobody collects it."""

    async def interrupt(slots: Slots) -> None:
        slots.begun = 2
        raise KeyboardInterrupt

    monkeypatch.setattr(Slots, "run", interrupt)
    result = run("bench", "--base-url", base_url, "--task", task_file, *PAID, "--yes")
    assert result.exit_code == 130
    assert "interrupted after 0 of 2 levels; 2 tasks in flight may have been" in result.stderr


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--levels", "1,x"], "--levels must be whole numbers such as 1,10,100, not '1,x'"),
        (["--levels", "0"], "--levels must be"),
        (["--levels", "1,50", "--tasks", "20"], "--tasks must be at least the highest level, 50"),
        (["--target", "moon"], "--target must be one of emulator, in-process, service"),
        (["--target", "emulator", "--base-url", "http://x"], "--base-url goes with"),
        (["--service", "nobody"], "capmonster, captcha69"),
        (["--max-spend", "much"], "--max-spend must be a positive amount such as 0.05"),
        (["--price", "-1"], "--price must be a positive amount"),
        (["--task", "no-such-file.json"], "no-such-file.json: No such file"),
        (["--plot", "plot.pdf"], "--plot must be a file that ends in .svg or .png"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str) -> None:
    """Exit code 2 and one sentence that says what to change; nothing is measured."""
    result = run("bench", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "must be JSON"),
        ("{}", "type must be"),
        ('{"type": "ImageToTextTask"}', "body must be"),
    ],
)
def test_a_bad_task_file(content: str, says: str, tmp_path: Path) -> None:
    """The task is checked before anything starts."""
    path = tmp_path / "task.json"
    path.write_text(content)
    result = run("bench", "--task", str(path))
    assert result.exit_code == 2
    assert says in result.stderr


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named before anything is measured."""
    monkeypatch.setattr(_plot.importlib.util, "find_spec", lambda _: None)
    result = run("bench", "--plot", "plot.svg")
    assert result.exit_code == 2
    assert "pip install 'captcha-async[bench]'" in result.stderr


# -- showing --------------------------------------------------------------------------------------


def test_the_table_fits_a_terminal() -> None:
    """Nothing is cut at 80 columns, and what is worth knowing stands below."""
    out = io.StringIO()
    done = finished(
        level(1, p50=None, p95=None, p99=None, pick_up_p50=None),
        level(
            2000, target_cpu_share=0.97, violations=3, errors={"Unsolvable": 2, "TaskExpired": 1}
        ),
    )
    print_table(done, Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert "…" not in out.getvalue()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert lines[2].split()[4:7] == ["-", "-", "-"]
    assert (
        lines[4:]
        == notes(done)
        == [
            "level 2000: 1 TaskExpired, 2 Unsolvable",
            "level 2000: 3 rules of the service broken",
            "level 2000: the emulator's process used 97% of a core and may set the pace",
        ]
    )


async def test_the_progress_on_a_terminal() -> None:
    """The table grows, with a line that says what goes on now."""
    out = io.StringIO()
    going = finished(level(1))
    going.current = None
    async with progress(going, Console(file=out, force_terminal=True, width=100)) as show:
        await anyio.sleep(0.5)
        show(level(1))
        async with joined(Emulator()) as client:
            going.current = Slots(client, going.plan, 7)
            await anyio.sleep(0.5)
    assert "starting" in out.getvalue()
    assert "level 7: 0 s (begins tasks for 20 s)  in flight 0  solved 0" in out.getvalue()


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_plot(suffix: str, tmp_path: Path) -> None:
    """Percentiles and throughput over concurrency, with units; no point without solves."""
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot.{suffix}"
    draw(path, [level(1), level(10), level(100, solved=0, p50=None)], "the title")
    content = path.read_bytes()
    if suffix == "png":
        assert content.startswith(b"\x89PNG")
        return
    text = content.decode()
    for words in ("the title", "seconds", "solves per second", "concurrency", "95th percentile"):
        assert words in text
    draw(path, [level(1), level(10), level(100, solved=0, p50=None)], "the title")
    assert path.read_bytes() == content


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
def test_numbers_that_cannot_be_written() -> None:
    """The table is there all the same."""
    result = run(
        *("bench", "--target", "in-process", "--levels", "1", "--tasks", "1", "--latency", "0"),
        *("--json", "/dev/full"),
    )
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "solves/s" in result.stdout


@pytest.mark.parametrize("option", ["--json", "--plot"])
@pytest.mark.parametrize("place", ["none/x.svg", "folder.svg"])
def test_a_place_where_no_file_can_be(option: str, place: str, tmp_path: Path) -> None:
    """It is told before anything is measured, or paid for."""
    (tmp_path / "folder.svg").mkdir()
    result = run("bench", option, str(tmp_path / place))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{option} must be a file in a folder that exists" in result.stderr


def test_a_task_that_is_nested_too_deeply(tmp_path: Path) -> None:
    """It is told like any other file that is no JSON."""
    path = tmp_path / "task.json"
    path.write_text("[" * 100_000)
    result = run("bench", "--target", "service", "--task", str(path))
    assert result.exit_code == 2
    assert "must be JSON" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupted_bench_gives_the_levels_done() -> None:
    """Ctrl-C leads to the numbers so far and 130, and no emulator is left behind."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "captcha_async", "bench", "--levels", "1,2,3"),
            *("--tasks", "3", "--latency", "0.3", "--json", "-"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        assert any(line.startswith("level 1:") for line in process.stderr)
        # The whole group, as a terminal does it.
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    told = json.loads(out)
    assert process.returncode == 130
    assert told["interrupted"]
    assert [each["level"] for each in told["levels"]] == [1]
    assert errors == "captcha-async: interrupted after 1 of 3 levels\n"
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)

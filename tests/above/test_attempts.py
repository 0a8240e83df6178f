"""Attempts: a new task when one brought nothing, and the loop that a crawler writes."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from local import TOKEN_TASK, joined, several

from captcha_async import (
    CaptchaClient,
    FixedPolling,
    InvalidArgument,
    Limits,
    SolveTimeout,
    SpendLimitReached,
    UnreadableSolution,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency

UNSOLVABLE = "ERROR_CAPTCHA_UNSOLVABLE"


def made(**options: Any) -> Emulator:
    """Make a service that takes reports of right and of wrong answers."""
    return Emulator("2captcha", latency=Latency.fixed(5), **options)


def reports(emulator: Emulator) -> list[str]:
    """Return the reports in the order of their arrival."""
    names = ("reportCorrect", "reportIncorrect")
    return [request.path[1:] for request in emulator.requests if request.path[1:] in names]


# -- solve(attempts=) -----------------------------------------------------------------------------


async def test_a_new_task_is_made_when_one_proves_unsolvable() -> None:
    """As often as was allowed, and no more."""
    emulator = made()
    emulator.fail_with(UNSOLVABLE, times=2)
    async with joined(emulator) as client:
        assert (await client.solve(TOKEN_TASK, attempts=3)).solution.token
        assert client.statistics().failed == 2
        emulator.fail_with(UNSOLVABLE, times=3)
        with pytest.raises(Unsolvable):
            await client.solve(TOKEN_TASK, attempts=3)
    assert emulator.statistics().created == 6


async def test_an_unreadable_answer_is_tried_anew() -> None:
    """It has been paid for all the same, and without attempts it is in the error."""
    emulator = made()
    emulator.answer_with({"something": "else"}, times=1)
    async with joined(emulator) as client:
        assert (await client.solve(TOKEN_TASK, attempts=2)).solution.token
        emulator.answer_with({"something": "else"}, times=1)
        with pytest.raises(UnreadableSolution):
            await client.solve(TOKEN_TASK)


@pytest.mark.parametrize("code", ["ERROR_PROXY_CONNECTION_FAILED", "ERROR_NO_SUCH_CAPCHA_ID"])
async def test_other_errors_are_not_tried_anew(code: str) -> None:
    """A new task would meet the same, or be a second payment without need."""
    emulator = made()
    emulator.fail_with(code)
    async with joined(emulator) as client:
        with pytest.raises(Exception, match=code):
            await client.solve(TOKEN_TASK, attempts=3)
    assert emulator.statistics().created == 1


async def test_one_deadline_holds_over_all_attempts() -> None:
    """The second one has the time that the first has left."""
    emulator = made()
    emulator.fail_with(UNSOLVABLE, after=40)
    async with joined(emulator) as client:
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, attempts=9, timeout=60)
        assert anyio.current_time() == pytest.approx(60, abs=0.1)
    assert emulator.statistics().created == 2


async def test_attempts_stop_at_the_spending_cap() -> None:
    """Each costs where the service charges for it."""
    emulator = made()
    emulator.answer_with({"something": "else"})
    limits = Limits(max_spend="0.002", prices={"RecaptchaV2Task": "0.001"})
    async with joined(emulator, limits=limits) as client:
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK, attempts=9)
    assert emulator.statistics().created == 2


async def test_the_next_attempt_is_made_at_another_account() -> None:
    """If there is one; and at the first again when all were tried."""
    first, second = made(), Emulator("capmonster")
    first.fail_with(UNSOLVABLE, times=2)
    second.fail_with(UNSOLVABLE, times=1)
    async with several(first, second) as client:
        assert (await client.solve(TOKEN_TASK, attempts=4)).account == "2captcha"
        # A failed solve is nothing against the account.
        assert (await client.solve(TOKEN_TASK)).account == "2captcha"
    assert first.statistics().created == 4
    assert second.statistics().created == 1


async def test_wrong_numbers_of_attempts_are_refused() -> None:
    """Before anything is sent."""
    async with joined(made()) as client:
        for wrong in (0, -1, 1.5, True, None):
            with pytest.raises(InvalidArgument, match="attempts"):
                await client.solve(TOKEN_TASK, attempts=wrong)  # type: ignore[arg-type]
            with pytest.raises(InvalidArgument, match="attempts"):
                client.attempts(TOKEN_TASK, wrong)  # type: ignore[arg-type]


# -- the loop -------------------------------------------------------------------------------------


async def crawl(client: CaptchaClient, takes: int, attempts: int = 3) -> str | None:
    """Submit a form that takes the answer of that number."""
    number = 0
    async with client.attempts(TOKEN_TASK, attempts, timeout=180) as tried:
        async for solved in tried:
            number += 1
            token = solved.solution.token
            if number == takes:
                return token
    return None


async def test_leaving_by_break_means_right_and_going_round_wrong() -> None:
    """Both are reported, in the order in which they happened."""
    emulator = made()
    async with joined(emulator) as client:
        assert await crawl(client, takes=3)
        assert reports(emulator) == ["reportIncorrect", "reportIncorrect", "reportCorrect"]
        assert emulator.statistics().created == 3


async def test_when_no_answer_is_taken_the_loop_ends() -> None:
    """All are reported as wrong."""
    emulator = made()
    async with joined(emulator) as client:
        assert await crawl(client, takes=0) is None
    assert reports(emulator) == ["reportIncorrect"] * 3


async def test_return_means_right() -> None:
    """It leaves the loop as break does."""
    emulator = made()

    async def submit(client: CaptchaClient) -> str:
        async with client.attempts(TOKEN_TASK, 3) as attempts:
            async for solved in attempts:
                return solved.account
        return ""

    async with joined(emulator) as client:
        assert await submit(client) == "2captcha"
    assert reports(emulator) == ["reportCorrect"]


async def test_an_exception_means_neither() -> None:
    """It comes out as itself, and is reported as nothing."""
    emulator = made()
    async with joined(emulator) as client:

        async def stumble() -> None:
            async with client.attempts(TOKEN_TASK, 3) as attempts:
                async for _ in attempts:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await stumble()
        with anyio.move_on_after(8):
            async with client.attempts(TOKEN_TASK, 3) as attempts:
                async for _ in attempts:
                    await anyio.sleep_forever()
    assert reports(emulator) == []


async def test_an_unsolvable_task_is_an_attempt() -> None:
    """The loop goes on with the next; if the last one fails, that is raised."""
    emulator = made()
    emulator.fail_with(UNSOLVABLE, times=2)
    async with joined(emulator) as client:
        assert await crawl(client, takes=1)
        assert reports(emulator) == ["reportCorrect"]
        emulator.fail_with(UNSOLVABLE, times=3)
        with pytest.raises(Unsolvable):
            await crawl(client, takes=1)
    assert emulator.statistics().created == 6


async def test_the_time_runs_from_the_beginning_of_the_block() -> None:
    """It is one deadline for all attempts, and for what the crawler does between them."""
    async with joined(made(), polling=FixedPolling(first=6, interval=5)) as client:
        made_before = client.attempts(TOKEN_TASK, 9, timeout=30)
        await anyio.sleep(100)
        begun = anyio.current_time()

        async def go_round() -> None:
            async with made_before as attempts:
                async for _ in attempts:
                    await anyio.sleep(1)

        with pytest.raises(SolveTimeout):
            await go_round()
        assert anyio.current_time() - begun == pytest.approx(30, abs=0.1)


async def test_a_report_never_holds_the_crawler_up() -> None:
    """A service that does not answer reports costs two seconds at the end, and no error."""
    emulator = made()
    for method in ("reportCorrect", "reportIncorrect"):
        emulator.hang(method, times=None)
    async with joined(emulator, polling=FixedPolling(first=6, interval=5)) as client:
        begun = anyio.current_time()
        await crawl(client, takes=1)
        alone = anyio.current_time() - begun
        begun = anyio.current_time()
        await crawl(client, takes=2)
        assert anyio.current_time() - begun <= 2 * alone
        assert client.account.gates.requests.statistics().borrowed == 0


@pytest.mark.parametrize("code", ["ERROR_KEY_DOES_NOT_EXIST", "ERROR_DUPLICATE_REPORT", None])
async def test_a_report_never_raises(code: str | None) -> None:
    """Whether it is refused, or cannot be sent."""
    emulator = made()
    for method in ("reportCorrect", "reportIncorrect"):
        if code is None:
            emulator.break_http(method, times=None, status=500)
        else:
            emulator.refuse(code, method)
    async with joined(emulator) as client:
        assert await crawl(client, takes=1)


async def test_where_no_report_is_taken_none_is_sent() -> None:
    """CapMonster takes reports of wrong answers only."""
    emulator = Emulator("capmonster", latency=Latency.fixed(5))
    async with joined(emulator) as client:
        assert await crawl(client, takes=2)
    sent = [request.path for request in emulator.requests if "report" in request.path]
    assert sent == ["/reportIncorrectTokenCaptcha"]
    assert emulator.violations == []


async def test_reports_go_where_each_answer_came_from() -> None:
    """The second attempt is made at the other account."""
    first, second = made(), Emulator("capmonster")
    async with several(first, second) as client:
        assert await crawl(client, takes=2)
    assert reports(first) == ["reportIncorrect"]
    assert second.statistics().created == 1


async def test_attempts_are_opened_first_and_once() -> None:
    """Whoever forgets is told what to write."""
    async with joined(made()) as client:
        attempts = client.attempts(TOKEN_TASK, 1)
        with pytest.raises(RuntimeError, match=r"async with client\.attempts"):
            await anext(attempts)
        async with attempts:
            assert repr(attempts) == "<SolveAttempts: 0 of 1 made>"
        with pytest.raises(RuntimeError, match="entered once"):
            await attempts.__aenter__()


async def test_a_cancellation_at_any_moment_loses_nothing() -> None:
    """Every created task was handed out, has failed, or is an orphan; no slot is kept."""
    emulator = made()
    for method in ("createTask", "getTaskResult", "reportIncorrect"):
        emulator.delay(0.4, method)
    async with joined(emulator) as client:
        known = set[Any]()
        for step in range(70):
            with anyio.move_on_after(step * 0.3):
                async with client.attempts(TOKEN_TASK, 3) as attempts:
                    async for solved in attempts:
                        known.add(solved.task_id)
        known |= {orphan.task_id for orphan in client.orphans}
        assert known == set(emulator.tasks)
        assert client.account.gates.slots.semaphore.statistics().borrowed == 0
        assert client.account.gates.requests.statistics().borrowed == 0

"""Typed uses of the public API: read by type checkers, never run."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

import httpx

from captcha_async import (
    CAPMONSTER,
    Account,
    AccountFacts,
    CaptchaClient,
    CaptchaError,
    ClickSolution,
    ClientPerLoop,
    Failed,
    FixedPolling,
    GridTask,
    ImageToTextSolution,
    ImageToTextTask,
    Limits,
    Offer,
    PendingTask,
    Proxy,
    QueueStatistics,
    QueueTimeout,
    RateLimitedSemaphore,
    RawSolution,
    RawTask,
    RecaptchaSolution,
    RecaptchaV2Task,
    Retries,
    Service,
    Solution,
    Solved,
    SolveTimeout,
    SpendingSpan,
    Statistics,
    Task,
    TaskRef,
    TurnstileSolution,
    TurnstileTask,
    wire,
)

URL, KEY = "https://example.com", "site-key"


async def solve_is_typed_in_its_task(client: CaptchaClient) -> None:
    """The solution's type follows from the task's."""
    image = await client.solve(ImageToTextTask(b"..."))
    assert_type(image, Solved[ImageToTextSolution])
    assert_type(image.solution.text, str)
    assert_type(image.cost, Decimal | None)
    assert_type(image.elapsed, float)
    assert_type(image.polls, int)
    assert_type(image.task_id, int | str)
    keyed = await client.solve(ImageToTextTask(b"..."), key=("order", 17), attempts=2)
    assert_type(keyed, Solved[ImageToTextSolution])

    token = await client.solve(RecaptchaV2Task(website_url=URL, website_key=KEY), timeout=120)
    assert_type(token.solution, RecaptchaSolution)
    assert_type(token.solution.token, str)
    assert_type(token.solution.cookies, Mapping[str, str] | None)

    tiles = await client.solve(GridTask(Path("grid.png"), comment="cars", extra={"new": 1}))
    assert_type(tiles.solution, ClickSolution)
    assert_type(tiles.solution.click, tuple[int, ...])

    raw = await client.solve(RawTask("NewTask", {"websiteURL": URL}, proxy=None))
    assert_type(raw.solution, RawSolution)
    assert_type(raw.solution.raw, Mapping[str, Any])


async def batches_are_typed_in_their_tasks(
    client: CaptchaClient, tasks: list[TurnstileTask]
) -> None:
    """An outcome is a value of one of two types."""
    async with client.batch(tasks, max_in_flight=10) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Solved[TurnstileSolution] | Failed)
    assert_type(await client.solve_all(tasks), list[Solved[TurnstileSolution] | Failed])
    async with client.batch((task.website_url, task) for task in tasks) as keyed:
        async for outcome in keyed:
            assert_type(outcome, Solved[TurnstileSolution] | Failed)
    by_name = {task.website_url: task for task in tasks}
    assert_type(await client.solve_all(by_name), list[Solved[TurnstileSolution] | Failed])


async def pending_tasks_are_typed_too(client: CaptchaClient) -> None:
    """`submit` carries the type on; `attach` cannot know it."""
    pending = await client.submit(TurnstileTask(website_url=URL, website_key=KEY))
    assert_type(pending, PendingTask[TurnstileSolution])
    assert_type(await pending, Solved[TurnstileSolution])
    assert_type(await pending.result(timeout=5), Solved[TurnstileSolution])
    assert_type(await pending.peek(), Solved[TurnstileSolution] | None)
    assert_type(pending.ref, TaskRef)

    attached = client.attach(TaskRef.from_json(pending.ref.to_json()))
    assert_type(attached, PendingTask[Any])


async def a_task_of_any_type(client: CaptchaClient, task: Task[Solution]) -> Solution:
    """Code that does not care for the type takes and gives the bases."""
    narrow: Task[RecaptchaSolution] = RecaptchaV2Task(website_url=URL, website_key=KEY)
    wide: Task[Solution] = narrow
    return (await client.solve(wide or task)).solution


async def what_stands_above_one_call(client: CaptchaClient) -> None:
    """Tasks of several types give answers of as many, and each is told apart."""
    token = RecaptchaV2Task(website_url=URL, website_key=KEY)
    image = ImageToTextTask(b"...")
    mixed: list[Task[RecaptchaSolution | ImageToTextSolution]] = [token, image]
    for outcome in await client.solve_all(mixed):
        if isinstance(outcome, Failed):
            assert_type(outcome.error, CaptchaError)
        else:
            assert_type(outcome.solution.answer, str)
            assert_type(outcome.account, str)
    async with client.attempts(token, 3, timeout=180) as attempts:
        async for solved in attempts:
            assert_type(solved, Solved[RecaptchaSolution])
    async with client.stock(token, ready="auto") as tokens:
        assert_type(await tokens.get(timeout=5), Solved[RecaptchaSolution])
    async with client.stock({"login": token}) as tokens:
        assert_type(await tokens.get("login"), Solved[RecaptchaSolution])
    assert_type(await client.submit(token, key="order-17"), PendingTask[RecaptchaSolution])
    assert_type(await client.lookup("order-17"), PendingTask[Any] | None)
    assert_type(await client.balances(), dict[str, Decimal | CaptchaError])
    CaptchaClient(accounts=[Account("key"), Account("key", service="2captcha")], hedge=0.99)


def by_name(task: Task[Any], offers: Sequence[Offer]) -> Iterable[Offer]:
    """A strategy is a plain function."""
    return sorted(offers, key=lambda offer: offer.account)


async def the_rest_of_the_client(client: CaptchaClient, solved: Solved[Any]) -> None:
    """Every other method."""
    assert_type(await client.balance(), Decimal)
    await client.report_incorrect(solved)
    assert_type(await client.user_agent(), str)
    assert_type(client.statistics(), Statistics)
    assert_type(client.statistics().latencies.p95, float | None)
    assert_type(client.orphans, tuple[PendingTask[Any], ...])
    assert_type(client.service, Service)
    await client.aclose()


async def construction(http_client: httpx.AsyncClient) -> None:
    """Every argument of the client."""
    async with CaptchaClient() as client:
        assert_type(client, CaptchaClient)
    CaptchaClient(
        "key",
        service=CAPMONSTER.evolve(base_url="https://mirror.example"),
        base_url="https://mirror.example",
        limits=Limits(in_flight=10, submits_per_second=5, requests_per_second=20, connections=4),
        polling=FixedPolling(first=1, interval=3),
        retries=Retries(attempts=3),
        http_client=http_client,
    )
    CaptchaClient("key", proxy="http://proxy:8080", ssl_context=ssl.create_default_context())


async def errors(client: CaptchaClient, task: Task[Solution]) -> TaskRef | None:
    """What an error tells is typed."""
    try:
        await client.solve(task)
    except QueueTimeout as error:
        assert_type(error.retryable, bool)
    except SolveTimeout as error:
        assert_type(error.polls, int)
        assert_type(error.last_status, str | None)
        assert_type(error.ref, TaskRef)
        assert_type(await client.attach(error.ref), Solved[Any])
    except CaptchaError as error:
        assert_type(error.task_id, int | str | None)
        assert_type(error.retryable, bool)
        return error.ref
    return None


async def the_semaphore() -> None:
    """It is public, and an async context manager."""
    semaphore = RateLimitedSemaphore(10, rate=100, per=60.0, burst=5)
    async with semaphore:
        assert_type(semaphore.statistics().borrowed, int)


def the_wire() -> None:
    """Models to JSON objects and back."""
    proxy = Proxy.from_url("http://login:password@10.0.0.7:8080")
    task = RecaptchaV2Task(website_url=URL, website_key=KEY, proxy=proxy)
    assert_type(wire.dump_task(task), dict[str, Any])
    assert_type(wire.load_task({"type": "RecaptchaV2Task"}), Task[Any])
    assert_type(wire.load_solution("RecaptchaV2Task", {"token": "t"}), Solution)


async def facts_of_an_account_are_typed(client: CaptchaClient, pending: PendingTask[Any]) -> None:
    """So is what only some services tell."""
    assert_type(await client.account_facts(), AccountFacts)
    assert_type(await client.queue_statistics(6), QueueStatistics)
    assert_type(await client.spending_statistics(queue="x"), tuple[SpendingSpan, ...])
    assert_type(await client.push_variable(pending, "code", [1]), None)
    assert_type((await client.balance()), Decimal)


async def a_client_per_loop_is_a_client() -> None:
    """What it gives is typed as any client."""
    clients = ClientPerLoop(CaptchaClient)
    assert_type(await clients.get(), CaptchaClient)
    await clients.aclose(drain=1)
    clients.close(timeout=None)

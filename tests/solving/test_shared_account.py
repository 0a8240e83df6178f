"""Several clients that are given one account share all of what it may do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest
from local import KEY, TOKEN_TASK

from captcha_async import (
    Account,
    CaptchaClient,
    ClientClosed,
    FuseBlown,
    FuseClosed,
    InsufficientBalance,
    InvalidArgument,
    KeyRejected,
    Limits,
    SpendLimitReached,
)
from captcha_async.emulator import Emulator, Latency


@asynccontextmanager
async def shared(
    emulator: Emulator, limits: Limits | None = None, **options: Any
) -> AsyncIterator[tuple[Account, CaptchaClient, CaptchaClient]]:
    """Open two clients of one account at *emulator*."""
    transport = httpx.ASGITransport(app=emulator)
    async with emulator, httpx.AsyncClient(transport=transport) as http_client:
        account = Account(KEY, service=emulator.service, limits=limits, http_client=http_client)
        async with (
            CaptchaClient(account=account, **options) as first,
            CaptchaClient(account=account, **options) as second,
        ):
            yield account, first, second


async def test_a_fuse_that_blows_in_one_client_stops_the_other_at_once() -> None:
    """The ban is of the key, whoever has earned it; both are told."""
    emulator = Emulator()
    events: list[Any] = []
    emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", times=1)
    async with shared(emulator, on_event=events.append) as (_, first, second):
        with pytest.raises(KeyRejected):
            await first.solve(TOKEN_TASK)
        with pytest.raises(KeyRejected, match="No request was sent"):
            await second.solve(TOKEN_TASK)
        assert second.statistics().fuse == "open"
        second.reset_fuse()
        await first.solve(TOKEN_TASK)
    assert len(emulator.requests_to("createTask")) == 2
    kinds = [type(event) for event in events]
    assert (kinds.count(FuseBlown), kinds.count(FuseClosed)) == (2, 2)


async def test_what_waits_in_one_client_fails_with_the_other_s_account() -> None:
    """An empty balance ends the queue of both."""
    emulator = Emulator(latency=Latency.fixed(100))
    failed_at: list[float] = []
    async with shared(emulator, Limits(in_flight=1)) as (_, first, second):

        async def wait() -> None:
            with pytest.raises(InsufficientBalance, match="No request was sent"):
                await second.solve(TOKEN_TASK)
            failed_at.append(anyio.current_time())

        async with anyio.create_task_group() as group:
            group.start_soon(first.solve, TOKEN_TASK)
            await anyio.sleep(1)
            group.start_soon(wait)
            await anyio.sleep(1)
            emulator.refuse("ERROR_ZERO_BALANCE", times=1)
            with pytest.raises(InsufficientBalance):
                await first.submit(TOKEN_TASK)
            blown_at = anyio.current_time()
        assert failed_at == [blown_at]
    assert len(emulator.requests_to("createTask")) == 2


async def test_in_flight_holds_over_both() -> None:
    """The service counts the key's tasks, not a client's."""
    emulator = Emulator(latency=Latency.fixed(10))
    most = 0
    async with shared(emulator, Limits(in_flight=3)) as (_, first, second):

        async def watch() -> None:
            nonlocal most
            while True:
                open_tasks = first.statistics().in_flight + second.statistics().in_flight
                most = max(most, open_tasks)
                await anyio.sleep(0.5)

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            async with anyio.create_task_group() as solving:
                for _ in range(6):
                    solving.start_soon(first.solve, TOKEN_TASK)
                    solving.start_soon(second.solve, TOKEN_TASK)
            group.cancel_scope.cancel()
    assert most == 3
    assert emulator.violations == []


async def test_the_rate_holds_over_both() -> None:
    """No second sees more createTask calls than are allowed, whoever makes them."""
    emulator = Emulator(latency=Latency.fixed(1))
    async with (
        shared(emulator, Limits(submits_per_second=2)) as (_, first, second),
        anyio.create_task_group() as group,
    ):
        for _ in range(4):
            group.start_soon(first.submit, TOKEN_TASK)
            group.start_soon(second.submit, TOKEN_TASK)
    moments = [request.at for request in emulator.requests_to("createTask")]
    assert len(moments) == 8
    for early, late in zip(moments, moments[2:], strict=False):
        assert late - early >= 1 - 1e-6


async def test_the_spending_cap_holds_over_both() -> None:
    """What one has spent the other may not spend again."""
    emulator = Emulator(price=Decimal("0.01"), latency=Latency.fixed(1))
    async with shared(emulator, Limits(max_spend="0.02")) as (_, first, second):
        await first.solve(TOKEN_TASK)
        await second.solve(TOKEN_TASK)
        for client in (first, second):
            with pytest.raises(SpendLimitReached):
                await client.solve(TOKEN_TASK)
        assert first.statistics().spent == second.statistics().spent == Decimal("0.02")
    assert len(emulator.requests_to("createTask")) == 2


async def test_what_is_counted_is_each_client_s_own() -> None:
    """Tasks, polls and orphans belong to whoever submitted them."""
    emulator = Emulator(latency=Latency.fixed(1))
    async with shared(emulator) as (_, first, second):
        await first.solve(TOKEN_TASK)
        await first.submit(TOKEN_TASK)
        assert (first.statistics().submitted, second.statistics().submitted) == (2, 0)
        assert second.statistics().requests == 0
        assert first.statistics().in_flight == 1
        assert second.orphans == ()


async def test_closing_one_client_leaves_the_other_at_work() -> None:
    """The lanes are closed with the last one; until then they serve who is left."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with shared(emulator) as (_, first, second):
        errors: list[Exception] = []

        async def wait() -> None:
            try:
                await first.solve(TOKEN_TASK)
            except ClientClosed as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            group.start_soon(second.solve, TOKEN_TASK)
            await anyio.sleep(1)
            await first.aclose()
        assert len(errors) == 1
        assert second.statistics().solved == 1
        with pytest.raises(ClientClosed):
            await first.balance()
        assert await second.balance() > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("api_key", "another"),
        ("service", "2captcha"),
        ("base_url", "https://mirror.example"),
        ("limits", Limits()),
        ("proxy", "http://proxy.example:1"),
    ],
)
def test_what_belongs_to_the_account_is_not_given_beside_it(field: str, value: Any) -> None:
    """There would be two answers to one question."""
    with pytest.raises(InvalidArgument, match="left out when account is given"):
        CaptchaClient(account=Account("key"), **{field: value})
    with pytest.raises(InvalidArgument, match="account"):
        CaptchaClient(account="key")  # type: ignore[arg-type]


def test_an_account_shows_no_key() -> None:
    """It may stand in a log."""
    account = Account("secret-key-123", service="2captcha")
    assert "secret" not in repr(account)
    assert "2captcha" in repr(account)

"""The small examples: a fallback, a crawler's loop, a stock of tokens, a web service's store."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import httpx
import pytest
from local import TOKEN_TASK, joined

from captcha_async import Account, Journal
from captcha_async.emulator import Emulator, Latency
from examples.crawler_loop import pass_form
from examples.fallback import solve_anywhere
from examples.task_store import accept, answer
from examples.token_stock import serve_tokens

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_LINES = 10


@pytest.mark.parametrize("name", ["fallback", "crawler_loop", "token_stock", "task_store"])
def test_ten_lines_do(name: str) -> None:
    """Without imports, signatures and docstrings."""
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef)]
    assert functions
    lines = sum((node.end_lineno or 0) - node.body[1].lineno + 1 for node in functions)
    assert lines <= MOST_LINES


async def test_the_fallback() -> None:
    """The first is empty, the second answers; nobody is paid twice."""
    first, second = Emulator("capmonster", balance=0), Emulator("2captcha")
    accounts: list[Account] = []
    for emulator in (first, second):
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator))
        accounts.append(Account(emulator.api_key, service=emulator.service, http_client=http))
    assert (await solve_anywhere(accounts, TOKEN_TASK)).account == "2captcha"
    assert [emulator.statistics().created for emulator in (first, second)] == [0, 1]


async def test_the_crawler_s_loop() -> None:
    """The site refuses two answers and takes the third; each is reported."""
    emulator = Emulator("2captcha", latency=Latency.fixed(5))
    seen: list[str] = []

    async def submit(token: str) -> bool:
        seen.append(token)
        return len(seen) == 3

    async with joined(emulator) as captcha:
        assert await pass_form(captcha, TOKEN_TASK, submit)
        assert [task.reported for task in emulator.tasks.values()] == [True, True, False]
        assert [task.confirmed for task in emulator.tasks.values()] == [False, False, True]
        emulator.reset()
        seen += ["many"] * 9
        assert not await pass_form(captcha, TOKEN_TASK, submit)
    assert emulator.violations == []


async def test_the_stock() -> None:
    """Nobody waits once it has seen the demand, and each token is good."""
    emulator = Emulator(latency=Latency.fixed(10))
    waits: list[float] = []

    async def visitors() -> AsyncIterator[Callable[[str], Awaitable[object]]]:
        for _ in range(100):
            await anyio.sleep(2)
            came = anyio.current_time()

            async def visitor(token: str, came: float = came) -> None:
                waits.append(anyio.current_time() - came)
                issued = emulator.issued(token)
                assert issued is not None
                assert issued.valid

            yield visitor

    async with joined(emulator) as captcha:
        wasted = await serve_tokens(captcha, TOKEN_TASK, visitors())
    assert wasted <= 3
    assert waits[50:].count(0) >= 45


@pytest.mark.real_time
async def test_the_store(tmp_path: Path) -> None:
    """An order outlives the service, and is paid for once."""
    emulator = Emulator(latency=Latency.fixed(0))
    journal = Journal(tmp_path / "orders.db", keep_solutions=True)
    async with joined(emulator, journal=journal) as captcha:
        for _ in range(2):
            await accept(captcha, "order-17", TOKEN_TASK)
        with pytest.raises(KeyError):
            await answer(captcha, "order-18")
    for _ in range(2):
        async with joined(emulator, journal=journal) as captcha:
            with anyio.fail_after(30):
                while (token := await answer(captcha, "order-17")) is None:  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            assert emulator.issued(token) is not None
    assert emulator.statistics().created == 1

"""The live page of the emulator: what it shows, that it counts for nothing, and its end."""

from __future__ import annotations

import json
import re
from typing import Any

import anyio
import httpx
import pytest
from browser import browser
from command_line import KEY, run, served

from captcha_async import CaptchaClient, TurnstileTask
from captcha_async.emulator import Emulator, Latency

TASK = TurnstileTask(website_url="https://example.com", website_key="0x4")


def scope(path: str, method: str = "GET") -> dict[str, Any]:
    """Return what a server tells of a request."""
    return {"type": "http", "method": method, "path": path, "headers": []}


class Reader:
    """Somebody who has the page open."""

    def __init__(self) -> None:
        self.news: list[dict[str, Any]] = []
        self.ended = False
        self.gone = anyio.Event()

    async def receive(self) -> dict[str, Any]:
        """Say that the reader goes away, when he does."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take the news."""
        if message["type"] == "http.response.body":
            self.ended = not message["more_body"]
            text = message["body"].decode()
            self.news += [json.loads(part[6:]) for part in text.split("\n\n") if part]


async def test_the_page_is_one_document() -> None:
    """It loads nothing but its own news, and no request of the page is a request of the service."""
    emulator = Emulator()
    transport = httpx.ASGITransport(app=emulator)
    async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
        reply = await client.get("/")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|src=|@import", reply.text)
    assert emulator.requests == []


async def test_other_paths_are_the_service_s() -> None:
    """A POST to the page's address is answered as before."""
    emulator = Emulator()
    transport = httpx.ASGITransport(app=emulator)
    async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
        assert (await client.post("/", json={})).status_code == 404
        assert (await client.get("/nothing")).status_code == 404
    assert len(emulator.requests) == 2


async def test_the_news() -> None:
    """First what to connect with, then each request once, with polls, states and broken rules."""
    emulator = Emulator(latency=Latency.fixed(5))
    reader = Reader()
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator))
    async with emulator, http, anyio.create_task_group() as group:
        group.start_soon(emulator, scope("/_events"), reader.receive, reader.send)
        async with CaptchaClient("emulator-key", http_client=http) as client:
            await client.solve(TASK)
        await http.post("http://local/getTaskResult", json={"clientKey": "wrong", "taskId": 1})
        await anyio.sleep(1)
        reader.gone.set()
    first, *others = reader.news
    assert (first["service"], first["key"], first["gap"]) == ("capmonster", "emulator-key", 2.0)
    requests = [request for news in others for request in news["requests"]]
    assert len(requests) == len(emulator.requests)
    assert requests[0]["type"] == "TurnstileTask"
    assert requests[-1]["broken"][0].startswith("wrong-key")
    states = [news["tasks"][0]["status"] for news in others if news["tasks"]]
    assert states[0] == "processing"
    assert states[-1] == "ready"
    assert others[-1]["numbers"]["solved"] == 1
    assert others[-1]["balance"] == "9.999"
    assert "0x4" not in json.dumps(reader.news)
    # While nothing happens nothing is sent.
    assert len(others) < 12


async def test_a_reset_is_told() -> None:
    """The page begins anew."""
    emulator = Emulator()
    reader = Reader()
    async with anyio.create_task_group() as group:
        group.start_soon(emulator, scope("/_events"), reader.receive, reader.send)
        await anyio.sleep(1)
        emulator.reset()
        await anyio.sleep(1)
        reader.gone.set()
    assert [news.get("reset", False) for news in reader.news] == [True, False, True, False]


async def test_the_end_of_the_emulator_ends_the_news() -> None:
    """A page that is left open does not hold up the server."""
    reader = Reader()
    async with anyio.create_task_group() as group, Emulator() as emulator:
        group.start_soon(emulator, scope("/_events"), reader.receive, reader.send)
        await anyio.sleep(1)
    assert reader.ended


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_in_a_browser(width: int, dark: bool) -> None:
    """Tasks come in while it is open; nothing fails, and nothing is wider than the window."""
    emulator = Emulator(api_keys=KEY, latency=Latency.fixed(0.0))
    with served(emulator) as url, browser() as page:
        page.show(f"{url}/", width=width, dark=dark)
        page.wait_for("document.getElementById('link').className === 'on'")
        assert f"export CAPTCHA_BASE_URL={url}" in page.text()
        options = ("--url", "https://example.com", "--key", "0x4", "--base-url", url)
        assert run("solve", "turnstile", *options).exit_code == 0
        (task_id,) = emulator.tasks
        page.wait_for("document.querySelectorAll('.row').length === 1")
        page.wait_for("document.querySelector('[data-name=solved] b').textContent === '1'")
        # A tick for the poll.
        page.wait_for("document.querySelectorAll('.row svg line').length === 1")
        assert f"{task_id} TurnstileTask" in page.text()
        assert "createTask" in page.text()
        assert run("balance", "--base-url", url, key="wrong").exit_code == 3
        page.wait_for("document.getElementById('broken').innerText.includes('wrong-key')")
        back = page.run("getComputedStyle(document.body).backgroundColor")
        assert back == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
        assert page.overflow() <= 0
        assert page.errors() == []

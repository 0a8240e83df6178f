"""A process that works through a journalled batch is killed again and again: nothing is lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from captcha_async import (
    CAPMONSTER,
    CaptchaClient,
    Failed,
    FixedPolling,
    Limits,
    RecaptchaV2Task,
    SubmitUncertain,
)
from captcha_async._serving._asgi_server import serve_app
from captcha_async.emulator import Emulator, Latency

GAP = 0.05
# Of every kind, and such as look alike; by the label that stands for it elsewhere.
KINDS: tuple[Callable[[int], Any], ...] = (
    lambda number: f"page {number}",
    lambda number: number,
    lambda number: str(number - 1),
    lambda number: ("page", number),
    lambda number: Path(f"page {number - 4}"),
    lambda number: uuid.UUID(int=number),
    lambda number: str(uuid.UUID(int=number - 1)),
    lambda number: f"half a character \udce9 {number}",
)
KEYS = {f"page-{number}": KINDS[number % len(KINDS)](number) for number in range(40)}
LABELS = {key: label for label, key in KEYS.items()}
# As Python has a file name that is no UTF-8.
NAME = "caf\udce9.txt"
PRICE = Decimal("0.001")
KILLS = 8
ROOT = Path(__file__).parents[2]


def task_of(label: str) -> RecaptchaV2Task:
    """Make the task of a key, which tells its label to the service."""
    return RecaptchaV2Task(website_url=f"https://example.com/{label}", website_key="6Lc-key")


# -- the process that is killed -------------------------------------------------------------------


async def work(url: str, journal: str, results: str, resend: bool) -> None:
    """Go on with the batch, and write every outcome down in one go."""
    service = CAPMONSTER.evolve(base_url=url, min_poll_gap=GAP)
    sheet = os.open(results, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with (
        CaptchaClient(
            "emulator-key",
            service=service,
            journal=journal,
            limits=Limits(in_flight=8),
            polling=FixedPolling(first=GAP, interval=GAP),
        ) as client,
        client.batch(
            {key: task_of(label) for label, key in KEYS.items()},
            name=NAME,
            resume=True,
            resend_uncertain=resend,
        ) as outcomes,
    ):
        async for outcome in outcomes:
            if isinstance(outcome, Failed):
                assert isinstance(outcome.error, SubmitUncertain), outcome.error
                said = "uncertain"
            else:
                said = outcome.solution.token
            os.write(sheet, f"{LABELS[outcome.key]} {said}\n".encode())


# -- the test -------------------------------------------------------------------------------------


class Service:
    """The emulator, which kills its caller at a chosen request, before or after it is answered."""

    def __init__(self, chance: random.Random) -> None:
        self.emulator = Emulator(
            CAPMONSTER.evolve(min_poll_gap=GAP),
            latency=Latency(median=0.15, sigma=0.5),
            price=PRICE,
        )
        self._chance = chance
        self.process: subprocess.Popen[bytes] | None = None
        self._countdown = 0

    def aim(self, process: subprocess.Popen[bytes]) -> None:
        """Kill *process* when it has made some more requests."""
        self.process, self._countdown = process, self._chance.randrange(1, 45)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        self._countdown -= 1
        fatal = self._countdown == 0
        answered = self._chance.random() < 0.7
        if fatal and not answered:
            self._kill()
        await self.emulator(scope, receive, send)
        if fatal and answered:
            # Some time in which the reply is read and recorded, or not.
            await anyio.sleep(self._chance.uniform(0, 0.01))
            self._kill()

    def _kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    def created(self) -> Counter[str]:
        """Count the tasks that were created for each key."""
        urls = [
            request.body["task"]["websiteURL"]
            for request in self.emulator.requests_to("createTask")
        ]
        return Counter(url.rpartition("/")[2] for url in urls)

    def polled(self) -> set[str]:
        """Return the keys whose task was asked for."""
        requests = self.emulator.requests_to("createTask")
        pairs = zip(requests, self.emulator.tasks.values(), strict=True)
        urls = [request.body["task"]["websiteURL"] for request, task in pairs if task.polls]
        return {url.rpartition("/")[2] for url in urls}


def start(backend: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the process that works."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    return subprocess.Popen([sys.executable, __file__, backend, *arguments], env=environment)


async def run(service: Service, backend: str, *arguments: str, kill: bool) -> bool:
    """Run the process to its end; tell whether it came to a good one."""
    process = start(backend, *arguments)
    if kill:
        service.aim(process)
    try:
        while process.poll() is None:  # noqa: ASYNC110 (another process has no event)
            await anyio.sleep(0.01)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode in (0, -9)
    return process.returncode == 0


BACKENDS = ["asyncio", "trio"]


@pytest.mark.real_time
@pytest.mark.parametrize("anyio_backend", ["asyncio-real"], indirect=True)
@pytest.mark.parametrize("seed", [1])
async def test_a_process_killed_again_and_again_loses_nothing(tmp_path: Path, seed: int) -> None:
    """Each task has one answer; createTask went out once, but where a kill left it uncertain."""
    service = Service(random.Random(seed))
    files = str(tmp_path / "captchas.db"), str(tmp_path / "results")
    async with (
        serve_app(service, "127.0.0.1", 0, "the emulator") as url,
        service.emulator.running(),
    ):
        for number in range(1000):
            # In turn, so that each takes up what the other has left.
            if await run(service, BACKENDS[number % 2], url, *files, "", kill=number < KILLS):
                break
        answers, uncertain = read(files[1])
        check_answers(answers, kills=number)
        # Every uncertain key is told by the last run, and was never sent again.
        assert set(answers) | uncertain == set(KEYS)
        assert set(answers).isdisjoint(uncertain)
        assert max(service.created().values()) == 1
        # What was polled had been recorded before: uncertain is only what was on its way.
        assert uncertain.isdisjoint(service.polled())
        # Asked to, the client sends them again; nothing else is.
        assert await run(service, BACKENDS[0], url, *files, "resend", kill=False)
        answers, _ = read(files[1])
        assert set(answers) == set(KEYS)
        assert all(times <= 1 + (key in uncertain) for key, times in service.created().items())
        await check_books(url, files[0])
    assert service.emulator.violations == []


def read(path: str) -> tuple[dict[str, list[str]], set[str]]:
    """Return the tokens by key, and the keys that the last run called uncertain."""
    answers: dict[str, list[str]] = defaultdict(list)
    uncertain: set[str] = set()
    for line in Path(path).read_text().splitlines():
        key, said = line.split()
        if said == "uncertain":
            uncertain.add(key)
        else:
            answers[key].append(said)
    return answers, uncertain


def check_answers(answers: dict[str, list[str]], *, kills: int) -> None:
    """Only what was just handed out at a kill came twice, and then it was the same."""
    assert all(len(set(tokens)) == 1 for tokens in answers.values())
    assert sum(len(tokens) - 1 for tokens in answers.values()) <= kills


async def check_books(url: str, path: str) -> None:
    """The journal knows what was paid through all the kills, and the batch can be run again."""
    async with CaptchaClient("emulator-key", base_url=url, journal=path) as client:
        spent = sum(cost for _, cost in await client._journal.spent(None))
        assert spent == PRICE * len(KEYS)
        assert await client.uncertain() == ()
        assert [pending async for pending in client.resume()] == []
        assert await client.forget_batch(NAME) == len(KEYS)
        assert sum(cost for _, cost in await client._journal.spent(None)) == spent


if __name__ == "__main__":
    backend, url, journal, results, resend = sys.argv[1:]
    anyio.run(work, url, journal, results, bool(resend), backend=backend)

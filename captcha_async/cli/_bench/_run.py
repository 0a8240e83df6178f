"""A bench's run: one level of concurrency after the other, in a closed loop each.

A level of N keeps N slots busy: each solves one task after the other. What was begun is always
collected, for it may have been paid for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import attrs

from ... import CaptchaClient, Limits
from ...errors import AccountError, CaptchaError, SpendLimitReached
from ...services import Service
from ...tasks import Task
from ...wire import dump_task
from .._tally import quantile
from ._target import Target

__all__ = ["Level", "Plan", "Run", "Slots"]

# A level of failures alone ends after so many, or one for each slot.
HOPELESS = 20
# The whole bench is one window of the spending cap.
YEAR = 365 * 86_400.0


@attrs.frozen
class Plan:
    """What a bench is to do."""

    levels: tuple[int, ...]
    """Concurrency: solves at once."""
    seconds: float | None
    """After which a level begins no more solves."""
    tasks: int | None
    """Most solves of a level."""
    task: Task[Any]
    max_spend: Decimal | None = None
    price: Decimal | None = None


@attrs.frozen(kw_only=True)
class Level:
    """What came of one level."""

    level: int
    solved: int
    failed: int
    seconds: float
    """From the first solve's begin to the last one's end."""
    solved_per_second: float
    """Sum over the slots of solves by time until the slot's last one ended, so that neither start
    nor end of the level counts as idle."""
    p50: float | None
    """Seconds of a solve, from the call of `solve` to its answer."""
    p95: float | None
    p99: float | None
    polls_per_task: float | None
    cpu_ms_per_solve: float | None
    """CPU time of this process."""
    cpu_share: float
    """Of one core, by this process."""
    target_cpu_share: float | None
    """Of one core, by the emulator's process."""
    pick_up_p50: float | None
    """Seconds from ready at the emulator to the poll that took the answer."""
    pick_up_p95: float | None
    violations: int | None
    """Rules of the service broken, as its emulator counts them."""
    spent: str
    """What the service said that it charged."""
    errors: dict[str, int]
    """Failures by class."""


@attrs.define(eq=False)
class Slots:
    """A level while it runs."""

    client: CaptchaClient
    plan: Plan
    level: int
    begun: int = 0
    times: list[float] = attrs.field(factory=list)
    polls: int = 0
    rate: float = 0.0
    errors: dict[str, int] = attrs.field(factory=dict)
    stopped: CaptchaError | None = None
    """What makes all further solves pointless."""
    started: float = attrs.field(factory=anyio.current_time)

    @property
    def failed(self) -> int:
        """Solves that failed."""
        return sum(self.errors.values())

    @property
    def in_flight(self) -> int:
        """Solves that go on."""
        return self.begun - len(self.times) - self.failed

    async def run(self) -> None:
        """Keep all slots busy until the level is over."""
        async with anyio.create_task_group() as slots:
            for _ in range(self.level):
                slots.start_soon(self._fill)

    async def _fill(self) -> None:
        done, ended = 0, self.started
        while self._goes_on():
            self.begun += 1
            done += await self._solve()
            ended = anyio.current_time()
        if ended > self.started:
            self.rate += done / (ended - self.started)

    def _goes_on(self) -> bool:
        plan = self.plan
        if self.stopped is not None or (plan.tasks is not None and self.begun >= plan.tasks):
            return False
        if not self.times and self.failed >= max(HOPELESS, self.level):
            return False
        return plan.seconds is None or anyio.current_time() - self.started < plan.seconds

    async def _solve(self) -> bool:
        begun = anyio.current_time()
        try:
            solved = await self.client.solve(self.plan.task)
        except SpendLimitReached as error:
            # Nothing was sent.
            self.begun -= 1
            self.stopped = self.stopped or error
            return False
        except CaptchaError as error:
            if isinstance(error, AccountError):
                self.stopped = self.stopped or error
            name = type(error).__name__
            self.errors[name] = self.errors.get(name, 0) + 1
            return False
        self.times.append(anyio.current_time() - begun)
        self.polls += solved.polls
        return True


@attrs.define(eq=False)
class Run:
    """A bench: what it is to do, and what came of it so far."""

    plan: Plan
    service: Service
    done: list[Level] = attrs.field(factory=list)
    error: CaptchaError | None = None
    """What ended it early."""
    interrupted: bool = False
    current: Slots | None = None
    left: list[Any] = attrs.field(factory=list)
    """Ids of tasks that are paid for and were not waited for."""
    spent: Decimal = Decimal(0)
    price: Decimal | None = attrs.field(
        default=attrs.Factory(lambda run: run.plan.price, takes_self=True)
    )
    """Of a task, as given or as the service told it."""

    async def run(self, target: Target, show: Callable[[Level], None]) -> None:
        """Measure all levels, and *show* each when it is done."""
        try:
            for level in self.plan.levels:
                self.done.append(await self._measure(target, level))
                show(self.done[-1])
                self.current = None
                if self.error is not None:
                    return
        except CaptchaError as error:
            self.error = error

    async def _measure(self, target: Target, level: int) -> Level:
        await target.reset()
        before = await target.observed()
        profile = self.service.evolve(base_url=target.url)
        client = CaptchaClient(target.key, service=profile, limits=self._limits(level))
        async with client:
            # Costs nothing, tries the key, and gets imports and a first connection out of the way.
            dump_task(self.plan.task, profile)
            await client.balance()
            slots = self.current = Slots(client, self.plan, level)
            cpu = time.process_time()
            try:
                await slots.run()
            finally:
                self.left = [pending.task_id for pending in client.orphans]
            cpu = time.process_time() - cpu
            seconds = anyio.current_time() - slots.started
            spent = client.statistics().spent
        self.error = slots.stopped
        self.spent += spent
        if self.price is None and spent and slots.times:
            self.price = spent / len(slots.times)
        return _sum_up(slots, seconds, cpu, spent, before, await target.observed())

    def _limits(self, level: int) -> Limits:
        spend = self.plan.max_spend
        if spend is None:
            return Limits(in_flight=level)
        left = spend - self.spent
        if left <= 0:
            message = f"The spending cap of {spend} is reached; nothing more was sent."
            raise SpendLimitReached(message, spent=self.spent)
        prices = {} if self.price is None else {self.plan.task.type: self.price}
        return Limits(in_flight=level, max_spend=left, per=YEAR, prices=prices)


def _sum_up(
    slots: Slots,
    seconds: float,
    cpu: float,
    spent: Decimal,
    before: dict[str, Any],
    seen: dict[str, Any],
) -> Level:
    times = sorted(slots.times)
    solved = len(times)
    theirs = None if seen.get("cpu") is None else (seen["cpu"] - before["cpu"]) / seconds
    return Level(
        level=slots.level,
        solved=solved,
        failed=slots.failed,
        seconds=seconds,
        solved_per_second=slots.rate,
        p50=quantile(times, 0.5),
        p95=quantile(times, 0.95),
        p99=quantile(times, 0.99),
        polls_per_task=slots.polls / solved if solved else None,
        cpu_ms_per_solve=cpu / solved * 1000 if solved else None,
        cpu_share=cpu / seconds,
        target_cpu_share=theirs,
        pick_up_p50=seen.get("pick_up_p50"),
        pick_up_p95=seen.get("pick_up_p95"),
        violations=seen.get("violations"),
        spent=str(spent),
        errors=slots.errors,
    )

"""Seat: one of the accounts that a client may solve a task at, and whether it can be used now."""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import anyio
import attrs

from .._account._account import Account
from .._account._tenant import Tenant
from ..errors import CapacityError, CaptchaError, InvalidArgument, TaskRejected, UnknownServiceError
from ..tasks._model import Task
from ._solve import EVER, Solve

__all__ = ["SOON", "Seat"]

SOON = 3.0
"""Seconds for which a task waits for a slot before it goes to another account."""

FIRST_REST, LONGEST_REST = 2.0, 120.0
"""Seconds for which an account that has refused a task is passed over; doubled each time."""

UNSUPPORTED = "ERROR_TASK_NOT_SUPPORTED"


@attrs.define
class _Rest:
    """The memory of refusals in a row; forgotten when a task is accepted."""

    refusals: int
    error: CaptchaError
    made: float
    until: float
    probing: bool = False
    """Whether a task is on its way that finds out whether it is over."""

    @property
    def hold(self) -> float:
        left = self.until - anyio.current_time()
        return max(left, FIRST_REST) if self.probing else max(left, 0.0)


class Seat:
    """One account of a client.

    Args:
        account: the account.
        tenant: the client, as that account knows it.
    """

    def __init__(self, account: Account, tenant: Tenant) -> None:
        self.account = account
        self.tenant = tenant
        # By task type; under '' what holds for all of them. Made by a refusal, deleted when a task
        # is accepted. Bans, outages and pauses are known by the account itself, for all clients.
        self._rests: dict[str, _Rest] = {}

    def __repr__(self) -> str:
        return f"<Seat at {self.tenant.name}>"

    def takes(self, task: Task[Any]) -> bool:
        """Tell whether the service may take a task, as far as is known."""
        try:
            self.account.service.check(task)
        except InvalidArgument:
            return False
        return True

    # -- can it be used ---------------------------------------------------------------------------

    def hold(self, solve: Solve) -> float:
        """Return the seconds for which nothing may be sent for a task; infinity if it is hopeless.

        That is: the fuse is open, the money does not suffice, the service has asked for a pause, it
        does not reply, or it has refused the last tasks.
        """
        gates = self.account.gates
        if gates.fuse.state == "open" or not gates.spending.affords(solve.type):
            return EVER
        pause = gates.pause.until - anyio.current_time()
        rests = [self._rests[name].hold for name in ("", solve.type) if name in self._rests]
        return max(0.0, pause, gates.brake.hold, *rests)

    def queue(self, solve: Solve) -> float:
        """Return about how many seconds a task would wait for a slot."""
        if not solve.wants_slot or (solve.has_slot and solve.account is self.account):
            return 0.0
        slots = self.account.gates.slots.semaphore.statistics()
        capacity = slots.capacity or 1
        if slots.borrowed + slots.waiting < capacity:
            return 0.0
        return (slots.waiting + 1) / capacity * self.typical(solve)

    def typical(self, solve: Solve) -> float:
        """Return the seconds that half of the solves of its type take."""
        known = self.tenant.counters.typical(solve.type, 0.5)
        if known is not None:
            return known
        times = self.account.service.poll_times(solve.family)
        return times.first + times.interval

    def resting(self) -> tuple[float, CaptchaError] | None:
        """Return for how long it is left alone after refusals, and the last one; None if not so."""
        rest = self._rests.get("")
        return None if rest is None or not rest.hold else (rest.hold, copy.copy(rest.error))

    # -- what it has refused ----------------------------------------------------------------------

    @contextmanager
    def tried(self, solve: Solve) -> Generator[None]:
        """Have no other task find out meanwhile what this one does."""
        probed = [self._rests[name] for name in ("", solve.type) if name in self._rests]
        for rest in probed:
            rest.probing = True
        try:
            yield
        finally:
            for rest in probed:
                rest.probing = False

    def accepted(self, solve: Solve) -> None:
        """Note that a task was accepted: it can be used."""
        self._rests.pop("", None)
        self._rests.pop(solve.type, None)

    def refused(self, solve: Solve, error: CaptchaError, begun: float) -> None:
        """Note why a task was refused, so that the next ones need not find out again.

        Args:
            solve: the task.
            error: why.
            begun: moment at which it went there.
        """
        if isinstance(error, CapacityError):
            self._rest("", error, begun)
        elif _is_about_type(error):
            self._rest(solve.type, error, begun)

    def _rest(self, name: str, error: CaptchaError, begun: float) -> None:
        rest, now = self._rests.get(name), anyio.current_time()
        if rest is not None and begun <= rest.made:
            # It was on its way already, and so it tells nothing new.
            return
        refusals = 1 if rest is None else rest.refusals + 1
        seconds = min(LONGEST_REST, FIRST_REST * 2.0 ** min(refusals - 1, 10))
        self._rests[name] = _Rest(refusals, error, now, now + seconds)


def _is_about_type(error: CaptchaError) -> bool:
    """Tell whether the service would refuse any task of the type in the same way."""
    unsupported = isinstance(error, TaskRejected) and error.code == UNSUPPORTED
    return unsupported or isinstance(error, UnknownServiceError)

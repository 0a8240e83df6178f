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
from ..errors import (
    CapacityError,
    CaptchaError,
    InvalidArgument,
    SubmitUncertain,
    TaskRejected,
    TransportError,
    UnknownServiceError,
)
from ..tasks._model import Task
from ._solve import EVER, Solve

__all__ = ["SOON", "Seat"]

SOON = 3.0
"""Seconds for which a task waits for a slot before it goes to another account."""

BUSY, SILENT = "", "?"
"""Under what it is remembered that an account has no capacity, or does not reply; what is about a
task type is remembered under its name."""

RESTS = {BUSY: (2.0, 120.0), SILENT: (30.0, 300.0)}
TYPE_RESTS = 60.0, 900.0
"""Seconds for which an account is passed over after one refusal, doubled each time, and at most."""
PROBE = 2.0
"""Seconds that a task which finds out whether it is over is taken to need, at least."""

UNSUPPORTED = "ERROR_TASK_NOT_SUPPORTED"


@attrs.define(eq=False, repr=False)
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
        return max(left, PROBE) if self.probing else max(left, 0.0)


class Seat:
    """One account of a client.

    Args:
        account: the account.
        tenant: the client, as that account knows it.
    """

    def __init__(self, account: Account, tenant: Tenant) -> None:
        self.account = account
        self.tenant = tenant
        # By task type, or one of the names above. Made by a refusal, deleted when a task is
        # accepted. Bans and pauses are known by the account itself, for all of its clients.
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
        rests = [rest.hold for rest in self._rests_of(solve)]
        return max(0.0, pause, gates.brake.hold, *rests)

    def queue(self, solve: Solve) -> float:
        """Return about how many seconds a task would wait for a slot."""
        if not solve.wants_slot or (solve.has_slot and solve.account is self.account):
            return 0.0
        slots = self.account.gates.slots.semaphore.statistics()
        capacity = slots.capacity or 1
        if slots.borrowed + slots.waiting < capacity:
            return 0.0
        return (slots.waiting + 1) / capacity * self.typical(solve.type)

    def typical(self, kind: str, share: float = 0.5) -> float:
        """Return the seconds within which *share* of the solves of a type end."""
        known = self.tenant.counters.typical(kind, share)
        if known is not None:
            return known
        times = self.account.service.poll_times(kind)
        return times.first + times.interval

    def resting(self) -> tuple[float, CaptchaError] | None:
        """Return for how long it is left alone for lack of capacity, and why; None if not."""
        rest = self._rests.get(BUSY)
        return None if rest is None or not rest.hold else (rest.hold, copy.copy(rest.error))

    # -- what it has refused ----------------------------------------------------------------------

    @contextmanager
    def tried(self, solve: Solve) -> Generator[None]:
        """Have no other task find out meanwhile what this one does."""
        probed = self._rests_of(solve)
        for rest in probed:
            rest.probing = True
        try:
            yield
        finally:
            for rest in probed:
                rest.probing = False

    def accepted(self, solve: Solve) -> None:
        """Note that a task was accepted: it can be used."""
        for name in (BUSY, SILENT, solve.type):
            self._rests.pop(name, None)

    def refused(self, solve: Solve, error: CaptchaError, begun: float) -> None:
        """Note why a task was refused, so that the next ones need not find out again.

        Args:
            solve: the task.
            error: why.
            begun: moment at which it went there.
        """
        if isinstance(error, CapacityError):
            self._rest(BUSY, error, begun)
        elif isinstance(error, SubmitUncertain | TransportError):
            self._rest(SILENT, error, begun)
        elif _is_about_type(error):
            self._rest(solve.type, error, begun)

    def _rests_of(self, solve: Solve) -> list[_Rest]:
        names = (BUSY, SILENT, solve.type)
        return [self._rests[name] for name in names if name in self._rests]

    def _rest(self, name: str, error: CaptchaError, begun: float) -> None:
        rest, now = self._rests.get(name), anyio.current_time()
        if rest is not None and begun <= rest.made:
            # It was on its way already, and so it tells nothing new.
            return
        refusals = 1 if rest is None else rest.refusals + 1
        first, longest = RESTS.get(name, TYPE_RESTS)
        seconds = min(longest, first * 2.0 ** min(refusals - 1, 10))
        self._rests[name] = _Rest(refusals, error, now, now + seconds)


def _is_about_type(error: CaptchaError) -> bool:
    """Tell whether the service would refuse any task of the type in the same way."""
    unsupported = isinstance(error, TaskRejected) and error.code == UNSUPPORTED
    return unsupported or isinstance(error, UnknownServiceError)

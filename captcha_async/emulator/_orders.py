"""The scripting half of `Emulator`: what it is ordered to answer, refuse, break and delay."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from ..errors import InvalidArgument, invalid
from ._latency import check_seconds, check_share
from ._script import AtOnce, Delay, Fault, Outcome, Refusal, Rule
from ._script_file import naming, read_script
from ._service import EmulatedService

__all__ = ["Orders"]


class Orders:
    """Orders for the emulated service.

    `times=None` is for ever. Of several orders that fit, those with a number of times go first, in
    the order in which they were given; else the newest one counts. A `task_type` is a wire type,
    the library's name for it, or a CustomTask's class, in any letter case. Times are seconds, a
    share is from 0 to 1, and what is certainly wrong raises `InvalidArgument`.
    """

    _state: EmulatedService

    def load_script(self, path: str | os.PathLike[str]) -> None:
        """Give the orders that a TOML or JSON file lists, one after the other.

        Raises:
            InvalidArgument: the message names the file, the order, the field, its value and the
                rule; the orders before it are in force.
            OSError: the file cannot be read.
        """
        for order in read_script(path):
            try:
                getattr(self, order.method)(**order.arguments)
            except InvalidArgument as error:
                raise naming(order.where, error) from None

    def answer_with(
        self,
        solution: Mapping[str, Any],
        task_type: str | None = None,
        *,
        times: int | None = None,
        after: float | None = None,
    ) -> None:
        """Let new tasks end with this solution, *after* so many seconds (`math.inf`: never).

        Raises:
            InvalidArgument: the solution is no JSON object, or another value is wrong.
        """
        try:
            solution = dict(solution)
            orjson.dumps(solution)
        except (TypeError, ValueError):
            raise invalid("solution", solution, "a JSON object", show=False) from None
        self._order(Outcome(solution=solution, task_type=task_type, times=times, after=after))

    def fail_with(
        self,
        code: str,
        task_type: str | None = None,
        *,
        times: int | None = None,
        after: float | None = None,
    ) -> None:
        """Let new tasks end with an error, which getTaskResult tells; they are not charged."""
        self._order(Outcome(code=code, task_type=task_type, times=times, after=after))

    def answer_at_once(self, task_type: str | None = None, *, times: int | None = None) -> None:
        """Let createTask itself reply with the solution."""
        self._order(AtOnce(task_type=task_type, times=times))

    def refuse(
        self,
        code: str,
        method: str = "createTask",
        *,
        task_type: str | None = None,
        times: int | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Let a method reply with an error and do nothing."""
        self._order(
            Refusal(
                code=code,
                method=method,
                task_type=task_type,
                times=times,
                http_status=http_status,
                retry_after=retry_after,
            )
        )

    def break_http(
        self,
        method: str | None = None,
        *,
        times: int | None = 1,
        status: int = 503,
        body: bytes = b"",
        headers: Iterable[tuple[str, str]] = (),
        effect: bool = False,
    ) -> None:
        """Send this in place of the reply; with *effect* the request is carried out nevertheless.

        A poll is counted in any case.
        """
        self._order(
            Fault(
                method=method,
                times=times,
                status=status,
                body=bytes(body),
                headers=tuple(headers),
                effect=effect,
            )
        )

    def hang(
        self, method: str | None = None, *, times: int | None = 1, effect: bool = False
    ) -> None:
        """Send no reply until the caller goes away; *effect* as for `break_http`."""
        self._order(Fault(method=method, times=times, effect=effect))

    def delay(self, seconds: float, method: str | None = None, *, times: int | None = None) -> None:
        """Send the reply later; the request has its effect on arrival."""
        check_seconds("seconds", seconds)
        self._order(Delay(seconds=seconds, method=method, times=times))

    # -- callbacks: an order holds for new tasks, and replaces the one before of its kind ---------

    def drop_callbacks(self, share: float = 1.0) -> None:
        """Never deliver this share of the callbacks."""
        self._state.callback_faults.dropped = check_share(share)

    def delay_callbacks(self, seconds: float, share: float = 1.0) -> None:
        """Deliver this share of the callbacks so many seconds after the task is ready."""
        check_seconds("seconds", seconds)
        self._state.callback_faults.delay = (seconds, check_share(share))

    def repeat_callbacks(self, times: int = 2, share: float = 1.0) -> None:
        """Deliver this share of the callbacks so many *times*, one right after the other.

        Raises:
            InvalidArgument: *times* is less than 1, or the share is not from 0 to 1.
        """
        if type(times) is not int or times < 1:
            raise invalid("times", times, "a whole number of at least 1")
        self._state.callback_faults.times = (times, check_share(share))

    def call_back_before_reply(self, share: float = 1.0) -> None:
        """Let this share of new tasks be ready at once, and call back before createTask's reply."""
        self._state.callback_faults.early = check_share(share)

    def spoil_callbacks(self, body: bytes = b"<html>", share: float = 1.0) -> None:
        """Send this body in place of the result with this share of the callbacks."""
        self._state.callback_faults.body = (bytes(body), check_share(share))

    def refuse_callbacks(self, code: str | None = "ERROR_SERVICE_NOT_AVAILABLE") -> None:
        """Refuse tasks that have a callback URL; None takes them again."""
        self._state.callback_faults.refusal = code

    def _order(self, rule: Rule) -> None:
        if rule.method is not None and rule.method not in self._state.methods:
            names = ", ".join(sorted(self._state.methods))
            raise invalid("method", rule.method, f"one of {names}")
        if rule.times is not None and rule.times < 1:
            raise invalid("times", rule.times, "1 or more, or None for ever")
        if isinstance(rule, Outcome) and rule.after is not None:
            check_seconds("after", rule.after)
        self._state.script.add(rule)

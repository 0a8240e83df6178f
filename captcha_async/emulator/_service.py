"""The rules of the emulated service, without I/O: a request and the time in, a reply out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from .._ref import TaskId
from ._answers import USER_AGENT
from ._bans import Bans
from ._bodies import refusal
from ._callbacks import CallbackFaults
from ._dialect import (
    CREATE_TASK,
    GET_BALANCE,
    GET_TASK_RESULT,
    GET_USER_AGENT,
    PUSH_VARIABLE,
    QUEUE_STATISTICS,
    SPENDING_STATISTICS,
    Dialect,
    routes,
)
from ._exchange import Exchange, Request
from ._factory import TaskFactory
from ._ledger import Ledger
from ._record import Breach, EmulatorStatistics, RecordedRequest, Violation
from ._replies import Headers, Replies, Reply
from ._script import Delay, Fault, Refusal, Script
from ._settings import Settings

__all__ = ["EmulatedService"]

GAP_TOLERANCE = 0.01
"""Seconds by which two polls may arrive too close: the way here is not always equally long."""

# CapMonster documents the second as another name of the first.
REPORT_ALIASES = {
    "reportIncorrectRecaptcha": ("reportIncorrectRecaptcha", "reportIncorrectTokenCaptcha")
}


class EmulatedService:
    """Tasks, account, bans, script and record of one service; each call is one atomic step."""

    def __init__(self, settings: Settings) -> None:
        service = settings.service
        self.settings = settings
        self.replies = Replies(service)
        self.script = Script()
        self.ledger = Ledger(
            settings.balance,
            retention=service.result_retention,
            max_tasks=settings.max_record,
            charged_codes=service.charged_codes,
        )
        self.requests: deque[RecordedRequest] = deque(maxlen=settings.max_record)
        self.violations: deque[Violation] = deque(maxlen=settings.max_record)
        self.callbacks = self.callbacks_failed = 0
        self.callback_faults = CallbackFaults(settings.seed)
        self.warned = False
        self._counts = {"requests": 0, "polls": 0, "violations": 0}
        self._bans = Bans(service.ban_window)
        self._dialect = Dialect.of(service)
        self._routes = routes(service)
        self.methods = frozenset(self._routes.values())
        self._factory = TaskFactory(settings, self.script)
        self._handlers = {
            CREATE_TASK: self._create,
            GET_BALANCE: self._balance,
            GET_TASK_RESULT: self._result,
            PUSH_VARIABLE: self._push,
            SPENDING_STATISTICS: self._spending,
        }

    def handle(self, request: Request, now: float) -> Exchange:
        """Answer a request that arrives at *now*."""
        self.ledger.settle(now)
        exchange = self._read(request, now)
        fault = self.script.take(Fault, exchange.method, exchange.names)
        delay = self.script.take(Delay, exchange.method, exchange.names)
        if fault is None or fault.effect:
            exchange.reply = self._answer(exchange)
        if fault is not None:
            exchange.reply = Reply(fault.status, fault.body, fault.headers)
        if delay is not None:
            exchange.reply = attrs.evolve(exchange.reply, delay=delay.seconds)
        self._record(exchange)
        return exchange

    def statistics(self) -> EmulatorStatistics:
        """Return the numbers so far."""
        ledger = self.ledger
        return EmulatorStatistics(
            **self._counts,
            created=ledger.created,
            processing=ledger.processing,
            solved=ledger.solved,
            failed=ledger.failed,
            callbacks=self.callbacks,
            callbacks_failed=self.callbacks_failed,
            spent=ledger.spent,
        )

    # -- reading and recording --------------------------------------------------------------------

    def _read(self, request: Request, now: float) -> Exchange:
        try:
            value = orjson.loads(request.content)
        except orjson.JSONDecodeError:
            value = request.content
        fields = value if isinstance(value, dict) else {}
        method = self._routes.get(request.path.rstrip("/"), request.path)
        task = None if method == CREATE_TASK else self.ledger.find(fields.get("taskId"))
        names = self._factory.names(fields.get("task")) if task is None else task.names
        exchange = Exchange(request, now, method, value, fields, task, names)
        self._counts["requests"] += 1
        if method == GET_TASK_RESULT:
            self._watch_poll(exchange)
        return exchange

    def _watch_poll(self, exchange: Exchange) -> None:
        """Measure a poll by its arrival, whatever it is answered."""
        self._counts["polls"] += 1
        task, now = exchange.task, exchange.now
        if task is None:
            return
        service = self.settings.service
        task.polls += 1
        gap = None if task.last_poll is None else now - task.last_poll
        task.last_poll = now
        if task.polls > service.max_polls:
            detail = f"poll {task.polls} of a task, at most {service.max_polls} are allowed"
            self._violate(exchange, "poll-cap", detail)
        elif gap is not None and gap < service.min_poll_gap - GAP_TOLERANCE:
            detail = f"{gap:.3f} s after the poll before, at least {service.min_poll_gap:g} s"
            self._violate(exchange, "poll-gap", detail)

    def _violate(self, exchange: Exchange, rule: Breach, detail: str) -> None:
        task_id = exchange.task.task_id if exchange.task else _id_of(exchange.fields.get("taskId"))
        exchange.breach = rule
        self._counts["violations"] += 1
        exchange.violations.append(Violation(rule, task_id, exchange.now, detail))
        self.violations.append(exchange.violations[-1])

    def _record(self, exchange: Exchange) -> None:
        request, reply = exchange.request, exchange.reply
        self.requests.append(
            RecordedRequest(
                method=exchange.method,
                path=request.path,
                verb=request.verb,
                headers=request.headers,
                body=exchange.value,
                at=exchange.now,
                status=reply.status,
                reply=None if reply.status is None else reply.value,
                violations=tuple(exchange.violations),
            )
        )

    # -- answering --------------------------------------------------------------------------------

    def _answer(self, exchange: Exchange) -> Reply:
        method = exchange.method
        verb = "GET" if method == GET_USER_AGENT else "POST"
        if method not in self.methods or exchange.request.verb != verb:
            return self._error(exchange, self._dialect.no_method, status=404)
        ordered = self.script.take(Refusal, method, exchange.names)
        if ordered is not None:
            return self._refuse(exchange, ordered)
        if method == GET_USER_AGENT:
            return Reply(200, USER_AGENT.encode(), (("content-type", "text/plain"),))
        if self._bans.refuses(exchange.now):
            self._violate(exchange, "banned", "a call during a ban, which makes it longer")
            return self._error(exchange, self._dialect.banned)
        if not isinstance(exchange.value, dict):
            self._violate(exchange, "unreadable", "a body that is no JSON object")
            return self._error(exchange, self._dialect.no_task)
        if method == QUEUE_STATISTICS:
            return self.replies.queue()
        if not self.settings.knows_key(exchange.fields.get("clientKey")):
            return self._strike(exchange, "wrong-key", self._dialect.wrong_key)
        return self._handlers.get(method, self._report)(exchange)

    def _error(
        self,
        exchange: Exchange,
        code: str,
        description: str | None = None,
        *,
        status: int | None = None,
        headers: Headers = (),
    ) -> Reply:
        method = exchange.method
        return self.replies.error(method, code, description, status=status, headers=headers)

    def _refuse(self, exchange: Exchange, ordered: Refusal) -> Reply:
        headers: Headers = ()
        if ordered.retry_after is not None:
            headers = (("retry-after", f"{ordered.retry_after:g}"),)
        return self._error(exchange, ordered.code, status=ordered.http_status, headers=headers)

    def _strike(self, exchange: Exchange, rule: Breach, code: str) -> Reply:
        """Refuse a call of a kind that leads to a ban if it is repeated."""
        self._violate(exchange, rule, f"{exchange.method} is answered {code}")
        self._bans.strike(rule, exchange.now)
        return self._error(exchange, code)

    def _result(self, exchange: Exchange) -> Reply:
        if exchange.task is None or exchange.task.status == "expired":
            return self._strike(exchange, "unknown-id", self._dialect.unknown_id)
        if exchange.breach == "poll-cap":
            self._bans.ban(exchange.now)
            return self._error(exchange, self._dialect.banned)
        if exchange.breach == "poll-gap":
            return self._error(exchange, self._dialect.too_fast)
        return self.replies.result(exchange.task)

    def _balance(self, exchange: Exchange) -> Reply:
        return self.replies.balance(self.ledger.balance)

    def _push(self, exchange: Exchange) -> Reply:
        task, name = exchange.task, exchange.fields.get("name")
        if task is None or task.status != "processing":
            return self._strike(exchange, "unknown-id", self._dialect.unknown_id)
        task.variables[str(name)] = exchange.fields.get("value")
        return self.replies.taken()

    def _spending(self, exchange: Exchange) -> Reply:
        date = exchange.fields.get("date")
        start = date if isinstance(date, int) else 0
        return self.replies.spending(start, self.ledger.solved, self.ledger.spent)

    def _report(self, exchange: Exchange) -> Reply:
        task = exchange.task
        if task is None:
            return self._strike(exchange, "unknown-id", self._dialect.unknown_id)
        correct = _reports_right(exchange)
        method = self.settings.service.report_for(task.type, correct=correct)
        paths = REPORT_ALIASES.get(exchange.method, (exchange.method,))
        if method is None or method.path.rpartition("/")[2] not in paths:
            return self._error(exchange, self._dialect.late_report)
        late = method.window is not None and exchange.now > task.ready_at + method.window
        if late or task.status == "processing":
            return self._error(exchange, self._dialect.late_report)
        if self._dialect.second_report and (task.reported or task.confirmed):
            return self._error(exchange, self._dialect.second_report)
        task.reported, task.confirmed = task.reported or not correct, task.confirmed or correct
        if method.refunds and not correct:
            self.ledger.refund(task)
        return self.replies.taken()

    # -- creating tasks ---------------------------------------------------------------------------

    def _create(self, exchange: Exchange) -> Reply:
        body: Mapping[str, Any] = exchange.fields.get("task") or {}
        names = exchange.names
        refused = refusal(body, self.settings.service)
        unknown = refused is not None and refused[0] == "ERROR_TASK_NOT_SUPPORTED"
        if refused is not None and not (unknown and self.script.answers(names)):
            return self._error(exchange, *refused)
        if not self.ledger.can_pay(self.settings.price_of(names)):
            return self._strike(exchange, "no-money", "ERROR_ZERO_BALANCE")
        slots = self.settings.slots
        if slots is not None and self.ledger.processing >= slots:
            return self._error(exchange, "ERROR_NO_SLOT_AVAILABLE")
        callback_url, faults = exchange.fields.get("callbackUrl"), self.callback_faults
        called_back = isinstance(callback_url, str) and callback_url != ""
        if called_back and faults.refusal is not None:
            return self._error(exchange, faults.refusal)
        number = self.ledger.created
        task = exchange.task = self._factory.make(body, names, number=number, now=exchange.now)
        if called_back:
            task.callback_url, task.callback = callback_url, faults.plan(number)
            task.ready_at = exchange.now if task.callback.early else task.ready_at
        self.ledger.add(task)
        self.ledger.settle(exchange.now)
        return self.replies.created(task)


def _reports_right(exchange: Exchange) -> bool:
    """Whether a report says that the answer was right, by the method's name or its body."""
    result = exchange.fields.get("result")
    if isinstance(result, Mapping):
        return result.get("invalid") is False
    return exchange.method.startswith("reportCorrect")


def _id_of(value: object) -> TaskId | None:
    """What a caller gave as an id, if it is one."""
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None

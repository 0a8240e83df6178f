"""OpenTelemetry: spans that are right and always end, metrics that add up, no secret in either."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from callback_calls import called_back
from journal_files import journalled, quick_emulator
from local import TOKEN_TASK, joined
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from solving.test_events import cause_trouble, troubled_emulator
from solving.test_secrets import QUICK, SUFFIXED, Traces, make_emulator, meet_trouble

import captcha_async.telemetry._handler
from captcha_async import (
    CAPMONSTER,
    FixedPolling,
    Journal,
    Limits,
    Solved,
    SolveTimeout,
    SubmitUncertain,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency
from captcha_async.telemetry import OpenTelemetry


class Begun(SpanProcessor):
    """Counts the spans that were started."""

    def __init__(self) -> None:
        self.number = 0

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self.number += 1


class Sight:
    """An OpenTelemetry handler, and what it has made."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.begun = Begun()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(self.begun)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.handler = OpenTelemetry(tracer_provider=self.tracers, meter_provider=self.meters)
        self.tracer = self.tracers.get_tracer("the program")

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """All spans that have ended."""
        return self._exporter.get_finished_spans()

    def named(self, *names: str) -> list[ReadableSpan]:
        """Return the ended spans of these names."""
        return [span for span in self.spans if span.name in names]

    def one(self, name: str) -> ReadableSpan:
        """Return the only ended span of a name."""
        (span,) = self.named(name)
        return span

    def points(self) -> Iterator[tuple[str, Any]]:
        """Yield every data point with the name of its metric."""
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    yield from ((metric.name, point) for point in metric.data.data_points)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over the points that carry these labels."""
        wanted = {key.replace("__", "."): value for key, value in labels.items()}
        found = 0.0
        for metric, point in self.points():
            if metric == name and wanted.items() <= point.attributes.items():
                found += getattr(point, "count", None) or getattr(point, "value", 0)
        return found


@pytest.fixture
def sight() -> Sight:
    """Return a handler with providers of its own."""
    return Sight()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return a span's attributes."""
    return dict(span.attributes or {})


def seconds(span: ReadableSpan, base: ReadableSpan) -> tuple[float, float]:
    """Return start and end in seconds since the start of *base*."""
    zero = base.start_time or 0
    return ((span.start_time or 0) - zero) / 1e9, ((span.end_time or 0) - zero) / 1e9


def id_of(span: ReadableSpan) -> int:
    """Return a span's id."""
    assert span.context is not None
    return span.context.span_id


def parent_of(span: ReadableSpan) -> int | None:
    """Return the id of a span's parent."""
    return None if span.parent is None else span.parent.span_id


# -- spans ----------------------------------------------------------------------------------------


async def test_a_solve_has_a_span_with_its_requests_below(sight: Sight) -> None:
    """From the call to the answer; each request in its own time, in order."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.delay(0.5)
    options: dict[str, Any] = {"polling": FixedPolling(4, 3), "on_event": sight.handler}
    async with joined(emulator, **options) as client:
        solved = await client.solve(TOKEN_TASK)
    span, create = sight.one("captcha.solve"), sight.one("createTask")
    first, second = sight.named("getTaskResult")
    assert span.parent is None
    assert {parent_of(child) for child in (create, first, second)} == {id_of(span)}
    assert seconds(span, span) == pytest.approx((0, 8))
    assert seconds(create, span) == pytest.approx((0, 0.5))
    assert seconds(first, span) == pytest.approx((4, 4.5))
    assert seconds(second, span) == pytest.approx((7.5, 8))
    assert (span.kind, create.kind) == (SpanKind.INTERNAL, SpanKind.CLIENT)
    assert {each.status.status_code for each in sight.spans} == {StatusCode.UNSET}
    assert attributes(span) == {
        "captcha.service": "capmonster",
        "captcha.task.type": "RecaptchaV2Task",
        "captcha.task.id": str(solved.task_id),
        "captcha.outcome": "solved",
        "captcha.polls": 2,
        "captcha.cost": float(solved.cost or 0),
        "captcha.answer.via": "poll",
    }
    assert attributes(second) == {
        "http.request.method": "POST",
        "server.address": "api.capmonster.cloud",
        "server.port": 443,
        "captcha.task.id": str(solved.task_id),
        "captcha.poll.number": 2,
        "captcha.status": "ready",
    }
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "captcha_async"


async def test_a_failure_is_the_span_s_status(sight: Sight) -> None:
    """Of the solve and of the request that brought it, with the class and the service's code."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)
    async with joined(emulator, on_event=sight.handler) as client:
        with pytest.raises(Unsolvable) as caught:
            await client.solve(TOKEN_TASK)
    span, poll = sight.one("captcha.solve"), sight.named("getTaskResult")[-1]
    refused, accepted = sight.named("createTask")
    assert attributes(span)["captcha.outcome"] == "failed"
    for each in (span, poll):
        assert each.status.status_code is StatusCode.ERROR
        assert each.status.description == str(caught.value)
        assert attributes(each)["error.type"] == "Unsolvable"
        assert attributes(each)["captcha.error.code"] == "ERROR_CAPTCHA_UNSOLVABLE"
    assert attributes(refused)["error.type"] == "NoSlotAvailable"
    assert accepted.status.status_code is StatusCode.UNSET


async def test_the_parent_is_the_caller_s_span(sight: Sight) -> None:
    """Each of many solves at once has its own; whoever polls later changes nothing."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator, on_event=sight.handler) as client:

        async def crawl(page: int) -> None:
            with sight.tracer.start_as_current_span("page", attributes={"page": page}) as span:
                if page % 2:
                    solved = await client.solve(TOKEN_TASK)
                else:
                    solved = await (await client.submit(TOKEN_TASK))
                span.set_attribute("task", str(solved.task_id))

        async with anyio.create_task_group() as group:
            for page in range(10):
                group.start_soon(crawl, page)
    pages = {id_of(span): attributes(span)["task"] for span in sight.named("page")}
    solves = sight.named("captcha.solve")
    assert len(solves) == 10
    for span in solves:
        assert pages[parent_of(span) or 0] == attributes(span)["captcha.task.id"]
    ids = {id_of(span): attributes(span)["captcha.task.id"] for span in solves}
    for request in sight.named("createTask", "getTaskResult"):
        assert ids[parent_of(request) or 0] == attributes(request)["captcha.task.id"]


async def test_a_batch_s_solves_are_below_the_span_of_its_block(sight: Sight) -> None:
    """Also those that are read, submitted and polled by other hands, long after."""
    emulator = Emulator(latency=Latency.fixed(5))
    limits = Limits(connections=2)
    async with joined(emulator, on_event=sight.handler, limits=limits) as client:
        with sight.tracer.start_as_current_span("crawl") as crawl:
            batch = client.batch([TOKEN_TASK] * 30, max_in_flight=7)
            async with batch as outcomes:
                async for outcome in outcomes:
                    with sight.tracer.start_as_current_span("use"):
                        assert isinstance(outcome, Solved)
        await client.solve(TOKEN_TASK)
    solves = sight.named("captcha.solve")
    parents = [parent_of(span) for span in solves]
    assert parents == [crawl.get_span_context().span_id] * 30 + [None]
    ids = {id_of(span) for span in solves}
    assert {parent_of(poll) for poll in sight.named("getTaskResult")} == ids


async def test_an_attached_task_has_a_span_below_the_one_that_attached(sight: Sight) -> None:
    """Called `captcha.collect`, since the solve was begun elsewhere."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator) as client:
        ref = (await client.submit(TOKEN_TASK)).ref
    async with joined(emulator, on_event=sight.handler) as client:
        with sight.tracer.start_as_current_span("later") as later:
            pending = client.attach(ref)
        await pending
    span = sight.one("captcha.collect")
    assert parent_of(span) == later.get_span_context().span_id
    assert attributes(span)["captcha.outcome"] == "solved"
    assert attributes(span)["captcha.task.id"] == str(ref.task_id)
    assert sight.named("createTask") == []


async def test_a_callback_ends_the_span_without_a_poll(sight: Sight) -> None:
    """The answer's way is told."""
    async with called_back(on_event=sight.handler) as (client, _, _):
        await client.solve(TOKEN_TASK)
    span = sight.one("captcha.solve")
    assert attributes(span)["captcha.answer.via"] == "callback"
    assert seconds(span, span) == pytest.approx((0, 5))
    assert sight.named("getTaskResult") == []


async def test_a_span_ends_when_nobody_waits_and_another_takes_it_up(sight: Sight) -> None:
    """The second has a link to the first, and the parent of who waits now."""
    async with joined(Emulator(latency=Latency.fixed(20)), on_event=sight.handler) as client:
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, timeout=3)
        (orphan,) = client.orphans
        assert sight.handler._open == {}
        with sight.tracer.start_as_current_span("again") as again:
            await orphan
    first, second = sight.one("captcha.solve"), sight.one("captcha.collect")
    assert attributes(first)["captcha.outcome"] == "timed_out"
    assert first.status.status_code is StatusCode.ERROR
    assert seconds(first, first) == pytest.approx((0, 3))
    assert parent_of(second) == again.get_span_context().span_id
    assert [link.context.span_id for link in second.links] == [id_of(first)]
    assert attributes(second)["captcha.task.id"] == attributes(first)["captcha.task.id"]


async def test_a_cancelled_solve_ends_its_spans(sight: Sight) -> None:
    """Those of the request under way too; a cancellation is no error."""
    emulator = Emulator(latency=Latency.fixed(20))
    emulator.hang("getTaskResult")
    polling = FixedPolling(2, 2)
    async with joined(emulator, on_event=sight.handler, polling=polling) as client:
        with anyio.move_on_after(3):
            await client.solve(TOKEN_TASK)
    span, poll = sight.one("captcha.solve"), sight.one("getTaskResult")
    assert seconds(span, span) == pytest.approx((0, 3))
    assert seconds(poll, span) == pytest.approx((2, 3))
    for each in (span, poll):
        assert attributes(each)["captcha.outcome"] == "cancelled"
        assert each.status.status_code is StatusCode.UNSET


async def test_the_time_in_the_queue_is_part_of_the_solve(sight: Sight) -> None:
    """What was never submitted has a span without a task."""
    emulator = Emulator(latency=Latency.fixed(5))
    options: dict[str, Any] = {"limits": Limits(in_flight=1), "polling": FixedPolling(5, 3)}
    async with (
        joined(emulator, on_event=sight.handler, **options) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(client.solve, TOKEN_TASK)
        await anyio.sleep(1)
        group.start_soon(client.solve, TOKEN_TASK)
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, timeout=2)
    late, _, queued = sight.named("captcha.solve")
    assert attributes(late)["captcha.outcome"] == "timed_out"
    assert "captcha.task.id" not in attributes(late)
    assert seconds(queued, queued) == pytest.approx((0, 9))
    assert seconds(sight.named("createTask")[1], queued) == pytest.approx((4, 4))


async def test_an_uncertain_submission_is_told_apart(sight: Sight) -> None:
    """It is the one that wants a human."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.hang("createTask")
    async with joined(emulator, on_event=sight.handler) as client:
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK, timeout=1)
    span = sight.one("captcha.solve")
    assert attributes(span)["captcha.outcome"] == "uncertain"
    assert attributes(span)["error.type"] == "SubmitUncertain"
    assert sight.total("captcha.tasks.ended", captcha__outcome="uncertain") == 1


async def test_a_closed_client_leaves_no_span_open(sight: Sight) -> None:
    """A task that nobody ever awaited ends with its client."""
    async with joined(Emulator(latency=Latency.fixed(5)), on_event=sight.handler) as client:
        await client.submit(TOKEN_TASK)
    assert attributes(sight.one("captcha.solve"))["captcha.outcome"] == "abandoned"
    assert attributes(sight.one("captcha.solve"))["error.type"] == "ClientClosed"


async def test_user_and_password_of_an_address_are_left_out(sight: Sight) -> None:
    """A mirror may want them; a trace does not."""
    service = CAPMONSTER.evolve(base_url="http://mirror:secret@captcha.example:8080")
    emulator = Emulator(service, latency=Latency.fixed(1))
    async with joined(emulator, on_event=sight.handler) as client:
        await client.submit(TOKEN_TASK)
    said = attributes(sight.one("createTask"))
    assert (said["server.address"], said["server.port"]) == ("captcha.example", 8080)
    assert not any("secret" in span.to_json() for span in sight.spans)


# -- metrics --------------------------------------------------------------------------------------


async def test_metrics_tell_what_the_statistics_tell(sight: Sight) -> None:
    """Solves by outcome, polls, requests, money, and what is under way."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=2)
    limits = Limits(in_flight=6)
    async with joined(emulator, on_event=sight.handler, limits=limits) as client:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(client.solve_all, [TOKEN_TASK])
            await anyio.sleep(1)
            assert sight.total("captcha.tasks.in_flight") == 6
            assert sight.total("captcha.tasks.queued") == 4
        numbers = client.statistics()
    assert sight.total("captcha.tasks.in_flight") == sight.total("captcha.tasks.queued") == 0
    ended = {
        outcome: sight.total("captcha.tasks.ended", captcha__outcome=outcome)
        for outcome in ("solved", "failed")
    }
    assert ended == {"solved": 8, "failed": 2}
    assert sight.total("captcha.tasks.ended", error__type="Unsolvable") == 2
    assert sight.total("captcha.polls") == numbers.polls
    assert sight.total("captcha.request.duration") == numbers.requests
    assert sight.total("captcha.request.duration", captcha__method="createTask") == 10
    assert sight.total("captcha.solve.duration") == 10
    assert sight.total("captcha.task.duration", captcha__answer__via="poll") == 8
    assert sight.total("captcha.spend") == pytest.approx(float(numbers.spent))
    assert numbers.spent > 0
    labels = {"captcha.service": "capmonster", "captcha.task.type": "RecaptchaV2Task"}
    assert all(labels.items() <= point.attributes.items() for _, point in sight.points())
    assert not any("captcha.task.id" in point.attributes for _, point in sight.points())


async def test_a_blown_fuse_is_counted(sight: Sight) -> None:
    """Once for all that it stops."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.refuse("ERROR_ZERO_BALANCE")
    async with joined(emulator, on_event=sight.handler) as client:
        await client.solve_all([TOKEN_TASK] * 5)
    assert sight.total("captcha.fuse.blown", error__type="InsufficientBalance") == 1
    assert sight.total("captcha.tasks.ended", captcha__outcome="not_submitted") == 5


async def test_a_look_at_an_orphan_is_counted(sight: Sight) -> None:
    """It has no span, for nobody waits; its poll and its answer are in the metrics."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator, on_event=sight.handler) as client:
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, timeout=3)
        (orphan,) = client.orphans
        await anyio.sleep(10)
        polls = sight.total("captcha.polls")
        spans = len(sight.spans)
        assert await orphan.peek() is not None
        assert sight.total("captcha.polls") == polls + 1
    assert len(sight.spans) == spans
    assert sight.total("captcha.tasks.ended", captcha__outcome="solved") == 1
    assert sight.total("captcha.spend") > 0
    assert sight.handler._abandoned == {}


@pytest.mark.real_time
@pytest.mark.parametrize("anyio_backend", ["asyncio-real"], indirect=True)
async def test_an_answer_out_of_the_journal_is_not_paid_for_again(
    sight: Sight, tmp_path: Path
) -> None:
    """The client that got it has counted its cost."""
    emulator = quick_emulator()
    journal = Journal(tmp_path / "captchas.db", keep_solutions=True)
    async with journalled(emulator, journal) as client:
        pending = await client.submit(TOKEN_TASK)
        assert not pending.done
        await client.aclose(drain=5)
    async with journalled(emulator, journal, on_event=sight.handler) as client:
        assert [one.done async for one in client.resume()] == [True]
    assert attributes(sight.one("captcha.collect"))["captcha.answer.via"] == "journal"
    assert sight.total("captcha.tasks.ended", captcha__outcome="solved") == 1
    assert sight.total("captcha.spend") == sight.total("captcha.task.duration") == 0


# -- whatever happens -----------------------------------------------------------------------------


async def test_trouble_leaves_nothing_open(sight: Sight) -> None:
    """Every span ends, and after its children; the gauges are back at zero, no solve is kept."""
    chance = random.Random(3)
    emulator = troubled_emulator()
    limits = Limits(in_flight=20, request_timeout=3)
    async with (
        joined(emulator, on_event=sight.handler, limits=limits) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(60):
            group.start_soon(cause_trouble, client, chance)
    assert sight.handler._open == {}
    assert sight.begun.number == len(sight.spans) > 200
    assert sight.total("captcha.tasks.in_flight") == sight.total("captcha.tasks.queued") == 0
    solves = {id_of(span): span for span in sight.named("captcha.solve", "captcha.collect")}
    assert sight.total("captcha.tasks.ended") == len(solves)
    for request in sight.named("createTask", "getTaskResult"):
        start, end = seconds(request, solves[parent_of(request) or 0])
        assert 0 <= start <= end <= seconds(*[solves[parent_of(request) or 0]] * 2)[1] + 1e-6


async def test_what_is_kept_is_bounded(sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that are never closed do not make the handler grow for ever."""
    monkeypatch.setattr(captcha_async.telemetry._handler, "MOST_OPEN", 3)
    monkeypatch.setattr(captcha_async.telemetry._handler, "MOST_REMEMBERED", 2)
    async with (
        joined(Emulator(latency=Latency.fixed(5)), on_event=sight.handler) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(5):
            group.start_soon(client.solve, TOKEN_TASK)
        await anyio.sleep(1)
        assert repr(sight.handler) == "<OpenTelemetry, 3 solves open>"
        assert sight.total("captcha.tasks.in_flight") == 3
    assert sight.handler._open == {}
    assert len(sight.handler._abandoned) <= 2
    assert sight.begun.number == len(sight.spans)
    assert sight.total("captcha.tasks.in_flight") == 0


async def test_without_an_sdk_nothing_happens() -> None:
    """The API's own providers take everything and do nothing."""
    handler = OpenTelemetry()
    async with joined(Emulator(latency=Latency.fixed(5)), on_event=handler) as client:
        await client.solve_all([TOKEN_TASK] * 3)
    assert handler._open == {}


@pytest.mark.real_time
@pytest.mark.parametrize("anyio_backend", ["asyncio-real"], indirect=True)
async def test_spans_and_metrics_hold_no_secret(sight: Sight, tmp_path: Path) -> None:
    """Through every trouble: no key, no password of a proxy, no token."""
    emulator = make_emulator()
    traces = Traces()
    journal = Journal(tmp_path / "captchas.db")
    options: dict[str, Any] = {"api_key": SUFFIXED, "journal": journal, **QUICK}
    async with joined(emulator, on_event=sight.handler, **options) as client:
        await meet_trouble(client, emulator, traces)
    traces.found += [("span", span.to_json()) for span in sight.spans]
    traces.found += [("metric", repr(point)) for _, point in sight.points()]
    traces.found.append(("handler", repr(vars(sight.handler))))
    places = [place for place, _ in traces.found]
    assert places.count("span") > 40
    assert places.count("metric") > 20
    traces.check()


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error tells what to install; another missing module is told as it is."""
    for name in [name for name in sys.modules if name.startswith("captcha_async.telemetry")]:
        monkeypatch.delitem(sys.modules, name)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "opentelemetry", None)
        with pytest.raises(ImportError, match=r"pip install 'captcha-async\[otel\]'"):
            importlib.import_module("captcha_async.telemetry")
    monkeypatch.setitem(sys.modules, "captcha_async.telemetry._handler", None)
    with pytest.raises(ModuleNotFoundError, match="_handler"):
        importlib.import_module("captcha_async.telemetry")

"""The parts of `batch`: lines of any size, keys, repair of a cut result, frames, the sample."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from captcha_async import CaptchaError, TurnstileTask
from captcha_async.cli import _tally
from captcha_async.cli._batch import _lines
from captcha_async.cli._batch._files import Files
from captcha_async.cli._batch._lines import BadLine, count_lines, split_lines
from captcha_async.cli._batch._progress import Frame, Pace, describe, render, watch_batch
from captcha_async.cli._batch._results import Results, read_earlier
from captcha_async.cli._batch._run import BatchRun
from captcha_async.cli._batch._summary import summary_table


class Chunks:
    """A pipe that gives what comes in the pieces in which it comes."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    async def read(self) -> bytes:
        """Return the next piece."""
        return self._chunks.pop(0) if self._chunks else b""


def split(chunks: list[bytes]) -> list[tuple[int, bytes | None]]:
    """Return all lines of a pipe."""

    async def collect() -> list[tuple[int, bytes | None]]:
        return [line async for line in split_lines(Chunks(chunks).read)]

    return anyio.run(collect)


@given(st.lists(st.binary(min_size=1).map(lambda text: text.replace(b"\x00", b"\n")), max_size=6))
def test_lines_come_whole_whatever_the_chunks(chunks: list[bytes]) -> None:
    """A line is what stands between line ends, and the last one needs none."""
    whole = b"".join(chunks).split(b"\n")
    expected = whole if whole[-1] else whole[:-1]
    assert split(list(chunks)) == list(enumerate(expected, 1))


def test_a_line_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no text cannot fill the memory; the lines behind it keep their numbers."""
    monkeypatch.setattr(_lines, "LONGEST_LINE", 10)
    assert split([b"a\n", b"b" * 11, b"b" * 11, b"b\nc\n"]) == [(1, b"a"), (2, None), (3, b"c")]
    assert split([b"b" * 11]) == [(1, None)]


@pytest.mark.parametrize("text", [b"", b"a", b"a\n", b"a\nb", b"\n\n"])
def test_counting(text: bytes, tmp_path: Path) -> None:
    """Lines are counted as they are read."""
    path = tmp_path / "tasks"
    path.write_bytes(text)
    assert count_lines(str(path)) == len(split([text] if text else []))


@given(st.lists(st.none() | st.integers(-5, 30) | st.sampled_from("abc"), max_size=25))
def test_no_two_lines_have_the_same_key(own: list[Any]) -> None:
    """Keys of their own and line numbers are told apart as a plain list would do it."""
    keys, seen = _lines._Keys(), []
    for line, key in enumerate(own, 1):
        wanted = line if key is None else key
        try:
            got = keys.add(key, line)
        except BadLine:
            assert wanted in seen
        else:
            assert got == wanted
            assert wanted not in seen
            seen.append(wanted)


# -- results --------------------------------------------------------------------------------------

LINE = b'{"key":1,"line":1,"status":"solved","task_digest":"00000000000000000000000a"}\n'
NEXT = b'{"key":"b","line":2,"status":"solved"}'


@pytest.mark.parametrize("cut", range(len(NEXT) + 1))
def test_a_cut_result_is_repaired(cut: int, tmp_path: Path) -> None:
    """Wherever the last line was cut, it is whole afterwards, or gone and solved again."""
    path = tmp_path / "results"
    path.write_bytes(LINE + NEXT[:cut])
    earlier = read_earlier(path)
    whole = cut == len(NEXT)
    assert path.read_bytes() == LINE + (NEXT + b"\n" if whole else b"")
    assert len(earlier) == 1 + whole
    assert earlier(1) == "00000000000000000000000a"
    assert earlier("b") is whole
    assert earlier("c") is False


async def test_every_byte_is_written() -> None:
    """A pipe may take less than it is given."""
    got = bytearray()

    def take_some(data: memoryview) -> int:
        got.extend(data[:3])
        return min(3, len(data))

    results = Results(None)
    results._writer._file = SimpleNamespace(write=take_some)  # type: ignore[assignment]
    await results.write({"key": 1, "big": 2**70})
    assert bytes(got) == b'{"key":1,"big":1180591620717411303424}\n'


# -- progress -------------------------------------------------------------------------------------

BUSY = Frame(
    lines=4_312_000,
    total=10_000_000,
    solved=4_290_000,
    failed=12_345,
    skipped=10_000,
    bad=1_234,
    waiting=10_000,
    in_flight=10_000,
    rate=1234.5,
    p50=106.2,
    p95=311.8,
    spent=Decimal("12345.574"),
    fuse="half-open",
    elapsed=360_010,
    note="interrupted: collecting what is paid for (120 s); Ctrl-C again: end now",
)


@pytest.mark.parametrize("frame", [Frame(), Frame(total=0), BUSY], ids=["first", "none", "busy"])
@pytest.mark.parametrize("width", [80, 120])
def test_a_frame_fits_the_terminal(frame: Frame, width: int) -> None:
    """Five lines of no more than the width, however large the numbers are."""
    shown = io.StringIO()
    Console(file=shown, width=width, force_terminal=True, color_system=None).print(render(frame))
    lines = shown.getvalue().splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= width
    assert len(lines[-1].rstrip()) < width - 4
    assert "…" not in shown.getvalue()


@pytest.mark.parametrize("width", [40, 24])
def test_a_narrow_terminal_gets_more_lines(width: int) -> None:
    """Names and numbers stay whole."""
    shown = io.StringIO()
    console = Console(file=shown, width=width, force_terminal=True, color_system=None)
    console.print(render(Frame(total=500, lines=110, solved=109, in_flight=91), width))
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines[1:])
    assert "says how to go on" in " ".join(" ".join(lines).split())


def test_a_narrow_summary_leaves_the_times_out() -> None:
    """What counts stays whole."""
    tally = _tally.Tally()
    task = TurnstileTask(website_url="https://example.com", website_key="0x4")
    tally.add_failed(task, CaptchaError("no"))
    shown = io.StringIO()
    run = cast("BatchRun", SimpleNamespace(tally=tally))
    Console(file=shown, width=40).print(summary_table(run, narrow=True))
    titles, *rows = shown.getvalue().splitlines()
    assert titles.split() == ["task", "type", "solved", "failed", "spent"]
    assert rows[1].split() == ["TurnstileTask", "0", "1", "0.0000"]


@pytest.mark.parametrize(("term", "live"), [("xterm", True), ("dumb", False)])
def test_a_terminal_that_cannot_draw(
    term: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets plain lines: a picture would show nothing at all."""
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", term)
    assert Files(Path("tasks"), Path("results"), False, None, True).live is live


def test_a_plain_line_tells_the_same() -> None:
    """Everything that matters is in the line for a log."""
    assert describe(Frame(lines=20, total=100, solved=19, failed=1, rate=2.0, elapsed=10)) == (
        "0:10  lines 20/100  solved 19  failed 1  waiting 0  in flight 0  2.0/s  p50 -  p95 -  "
        "spent 0.0000  fuse closed  ETA 0:40"
    )
    assert "4312000/10000000" in describe(BUSY)
    assert "half-open  interrupted" in describe(BUSY)


def test_the_pace_is_that_of_the_last_half_minute() -> None:
    """What was long ago does not count for the time that is left."""
    pace = Pace()
    assert pace.look(0.0, 0) == 0.0
    assert pace.look(10.0, 100) == 10.0
    assert pace.look(100.0, 100) == 0.0
    assert pace.look(110.0, 120) == 2.0


@pytest.mark.parametrize("live", [True, False])
async def test_progress_is_shown(live: bool) -> None:
    """A terminal gets a picture that is drawn anew, everything else a line every ten seconds."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=live, width=100)
    with anyio.move_on_after(25):
        await watch_batch(lambda: Frame(total=10), console, live=live)
    assert ("\x1b" in shown.getvalue()) is live
    if not live:
        assert len(shown.getvalue().splitlines()) == 4


def test_the_sample_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quantiles of very many solves come from a random choice of them."""
    monkeypatch.setattr(_tally, "SAMPLE", 100)
    group = _tally._Group()
    for number in range(10_000):
        group.add_solved(SimpleNamespace(polls=1, cost=Decimal(1), elapsed=number / 10_000))  # type: ignore[arg-type]
    row = group.row("any")
    assert (row.solved, row.requests, row.spent) == (10_000, 20_000, "10000")
    assert row.p50 == pytest.approx(0.5, abs=0.2)
    assert row.p95 == pytest.approx(0.95, abs=0.1)

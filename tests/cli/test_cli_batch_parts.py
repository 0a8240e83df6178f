"""The parts of `batch`: lines of any size, keys, repair of a cut result, frames, the sample."""

from __future__ import annotations

import gzip
import io
import json
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from captcha_async import CaptchaError, TurnstileTask
from captcha_async.cli import _tally
from captcha_async.cli._batch import _formats, _json
from captcha_async.cli._batch._bad import BadLine
from captcha_async.cli._batch._files import Files
from captcha_async.cli._batch._formats import Parser, Piece, WrongFormat
from captcha_async.cli._batch._frame import Frame, Pace, describe
from captcha_async.cli._batch._keys import Keys
from captcha_async.cli._batch._lines import count_pieces
from captcha_async.cli._batch._packed import Packer
from captcha_async.cli._batch._progress import Glyphs, histogram, render, sparkline, watch_batch
from captcha_async.cli._batch._results import Results, read_earlier
from captcha_async.cli._batch._run import BatchRun
from captcha_async.cli._batch._summary import summary_table
from captcha_async.cli._screen import Screen
from captcha_async.cli._tables import ruled_table


def split(chunks: list[bytes]) -> list[Piece]:
    """Return all pieces of a file that comes in these chunks."""
    parser = Parser()
    found = [piece for chunk in chunks for piece in parser.feed(chunk)]
    return [*found, *parser.end()]


TEXTS = st.lists(st.sampled_from(['{"a":1}', "", "x", '{"b": "\\n"}']), min_size=1, max_size=6)


@given(TEXTS, st.integers(1, 9), st.booleans())
def test_lines_come_whole_whatever_the_chunks(texts: list[str], size: int, ended: bool) -> None:
    """A line is what stands between line ends, and the last one needs none."""
    lines = ["{}", *texts]
    whole = ("\n".join(lines) + "\n" * ended).encode()
    chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
    kept = lines if ended or lines[-1] else lines[:-1]
    assert split(chunks) == [(number, line.encode()) for number, line in enumerate(kept, 1)]
    assert split([gzip.compress(whole, mtime=0)]) == split(chunks)


@given(
    st.lists(st.recursive(st.integers() | st.text('a,[]{}"\\'), st.lists, max_leaves=5)),
    st.integers(1, 9),
    st.sampled_from([None, 2]),
)
def test_items_of_an_array_whatever_the_layout(
    values: list[Any], size: int, indent: int | None
) -> None:
    """An array on one line or on many has the same items."""
    whole = json.dumps(values, indent=indent).encode()
    chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
    found = split(chunks)
    assert [json.loads(cast("bytes", text)) for _, text in found] == values
    assert [number for number, _ in found] == list(range(1, len(values) + 1))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (b'[{"a":1},{"b"', [b'{"a":1}', b'{"b" (the array has no end)']),
        (b"[1,2", [b"1", b"2 (the array has no end)"]),
        (b"[", [b"(the array has no end)"]),
        (b"[1] {}", [b"1", b"{} (behind the array)"]),
    ],
)
def test_a_cut_array_ends_with_a_bad_item(text: bytes, pieces: list[bytes]) -> None:
    """What is whole is read; the rest is no task, and is told."""
    assert [piece for _, piece in split([text])] == pieces


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("type,key\nA,1\n\nB,2", [{"type": "A", "key": "1"}, b"", {"type": "B", "key": "2"}]),
        ("type;key\r\nA;1\r\n", [{"type": "A", "key": "1"}]),
        ('type\tkey\n"A\nB"\t1\n', [{"type": "A\nB", "key": "1"}]),
        ("file\na.png\n", [{"file": "a.png"}]),
        ("type,key\nA,1,odd\n", [{"type": "A", "key": "1", "": "odd"}]),
    ],
)
def test_tables(table: str, rows: list[Any]) -> None:
    """The first line names the columns, whatever stands between them."""
    for chunks in ([table.encode()], [bytes([byte]) for byte in table.encode()]):
        assert [row for _, row in split(chunks)] == rows


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04 and more", "looks like a zip archive or an office document"),
        (b"\x89PNG\r\n\x1a\n", "looks like an image (PNG)"),
        (b"\xff\xfe{\0", "looks like text in UTF-16; save it as UTF-8"),
        (b"hello there\n", "looks like text that begins with 'hello there"),
        (b"<html><body>", "looks like a web page"),
        (gzip.compress(b"{}\n" * 99, mtime=0)[:20], "end too early"),
        (gzip.compress(b"\x28\xb5\x2f\xfd...", mtime=0), "looks like zstandard data"),
        (b"\x1f\x8b" + b"x" * 30, "gzip data are damaged"),
    ],
)
def test_a_wrong_format_is_one_sentence(content: bytes, says: str) -> None:
    """It says what the file looks like, and what it could be."""
    with pytest.raises(WrongFormat, match=re.escape(says)):
        split([content])


def test_a_packed_bomb_is_unpacked_bit_by_bit() -> None:
    """However well a line is packed, no more than its longest length is kept."""
    parser = Parser()
    packed = gzip.compress(b"{" + b" " * (2 * _formats.LONGEST), mtime=0)
    assert list(parser.feed(packed)) == []
    assert list(parser.end()) == [(1, None)]


def test_a_line_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no text cannot fill the memory; the lines behind it keep their numbers."""
    monkeypatch.setattr(_formats, "LONGEST", 10)
    chunks = [b"{\n", b"b" * 11, b"b" * 11, b"b\nc\n"]
    assert split(chunks) == [(1, b"{"), (2, None), (3, b"c")]


@pytest.mark.parametrize("text", [b"", b"{", b"{\n", b"{\nb", b"\n\n{", b"[1,2]", b"a,b\n1,2\n"])
def test_counting(text: bytes, tmp_path: Path) -> None:
    """Tasks are counted as they are read."""
    path = tmp_path / "tasks"
    path.write_bytes(text)
    assert count_pieces(path) == len(split([text] if text else []))


@given(st.lists(st.none() | st.integers(-5, 30) | st.sampled_from("abc"), max_size=25))
def test_no_two_lines_have_the_same_key(own: list[Any]) -> None:
    """Keys of their own and line numbers are told apart as a plain list would do it."""
    keys, seen = Keys(), []
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


def test_half_a_surrogate_pair_is_a_text_like_others() -> None:
    """What is read can be written, and read again as the same."""
    value = {"key": "a\ud800", "big": 2**70}
    assert _json.read(_json.dump(value)) == value
    with pytest.raises(ValueError, match="unexpected"):
        _json.read(b"{'a': \\u}")


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


@pytest.mark.parametrize("cut", [0, 1, 9, 12, None])
def test_a_cut_packed_file_is_repaired(cut: int | None, tmp_path: Path) -> None:
    """Whole lines stay, half a line goes, and what is added behind can be unpacked."""
    path = tmp_path / "results.gz"
    packer = Packer()
    first, second = packer.pack(LINE), packer.pack(NEXT + b"\n")
    path.write_bytes(first + (second + packer.end() if cut is None else second[:cut]))
    earlier = read_earlier(path)
    assert earlier(1) == "00000000000000000000000a"
    assert earlier("b") is (cut is None)
    with path.open("ab") as file:
        file.write(gzip.compress(b"more", mtime=0))
    whole = LINE + (NEXT + b"\n" if cut is None else b"")
    assert gzip.decompress(path.read_bytes()) == whole + b"more"


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
    rates=[float(number % 9) for number in range(24)],
    p50=106.2,
    p95=311.8,
    times=[float(number % 97) for number in range(500)],
    spent=Decimal("12345.574"),
    cap=Decimal(20_000),
    state="service unreachable for 12 s: connection refused; trying again",
    mood="bad",
    last_error="capmonster answered ERROR_CAPTCHA_UNSOLVABLE: create a new task, " * 3,
    elapsed=360_010,
    note="interrupted: collecting what is paid for (120 s); Ctrl-C again: end now",
)


def draw(frame: Frame, width: int, *, ascii_only: bool = False) -> list[str]:
    """Return the lines of a picture."""
    shown = io.StringIO()
    console = Console(file=shown, width=width, force_terminal=True, color_system=None)
    console.print(render(frame, width, Glyphs(ascii_only)))
    return shown.getvalue().splitlines()


@pytest.mark.parametrize("frame", [Frame(), Frame(total=0), BUSY], ids=["first", "none", "busy"])
@pytest.mark.parametrize("width", [24, 40, 80, 100])
def test_a_picture_fits_the_terminal(frame: Frame, width: int) -> None:
    """No line is wider than the terminal, and names and numbers stay whole."""
    lines = draw(frame, width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert f"solved {frame.solved:,}" in text
    assert f"in flight {frame.in_flight:,}" in text
    if width >= 80:
        assert len(lines) <= 9
        assert frame.state in text


def test_the_bar_is_stacked() -> None:
    """Solved, failed, in flight and what is left; what there is of a kind shows."""
    frame = Frame(total=100, lines=51, solved=50, failed=1, in_flight=25, waiting=0)
    bar = draw(frame, 80)[0].split()[0]
    assert {mark: bar.count(mark) > 0 for mark in "█▓▒░"} == dict.fromkeys("█▓▒░", True)
    assert bar.count("█") == pytest.approx(len(bar) / 2, abs=1)
    assert bar.count("▓") == 1


def test_a_terminal_of_ascii_gets_ascii() -> None:
    """All that is drawn can be shown there."""
    assert "\n".join(draw(BUSY, 80, ascii_only=True)).isascii()


@pytest.mark.parametrize(("encoding", "line"), [("ascii", "-"), ("utf-8", "─")])
def test_a_table_has_no_crossings(encoding: str, line: str) -> None:
    """What rich has for ASCII would put a bar behind each cell."""
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    table = ruled_table(footer=True)
    table.add_column("task type", footer="all")
    table.add_column("solved", footer="3")
    table.add_row("A", "3")
    Console(file=shown, width=40).print(table)
    shown.flush()
    shown.seek(0)
    lines = [text.rstrip() for text in shown.read().splitlines()]
    ruler = line * 18
    assert lines == ["task type  solved", ruler, "A          3", ruler, "all        3"]


def test_the_money_in_the_end() -> None:
    """It is told what will have been spent, never more than the cap."""
    frame = Frame(total=100, lines=10, solved=10, spent=Decimal("0.31"))
    assert "spent 0.3100, about 3.1000 in the end" in " ".join(draw(frame, 100))
    capped = Frame(total=100, lines=10, solved=10, spent=Decimal("0.31"), cap=Decimal(2))
    assert "spent 0.3100 of 2, about 2.0000 in the end" in " ".join(draw(capped, 100))
    ending = attrs.evolve(frame, in_flight=10, note="interrupted: collecting what is paid for")
    assert "spent 0.3100, about 0.6200 in the end" in " ".join(draw(ending, 100))


def test_small_plots() -> None:
    """The highest bar is full; late ones do not squeeze the others."""
    glyphs = Glyphs(False)
    assert sparkline([0.0, 1.0, 2.0], glyphs) == "▁▅█"
    assert sparkline([], glyphs) == sparkline([0.0], glyphs) == ""
    plot, least, most = histogram([1.0] * 50 + [2.0] * 100 + [900.0], 4, glyphs)
    assert (plot, least, most) == ("▅▁▁█", 1.0, 2.0)
    assert histogram([1.0], 4, glyphs)[0] == ""


def test_nothing_is_left_of_a_folded_frame() -> None:
    """When the terminal has become narrower, the rows that the old frame takes now are cleared."""
    shown = io.StringIO()
    console = Console(file=shown, width=80, height=24, force_terminal=True, color_system=None)
    screen = Screen(console)
    screen.draw(render(Frame(total=100, lines=50, solved=50), screen.width))
    lines = len(screen._widths)
    console.width = 30
    folded = sum(-(-taken // 30) for taken in screen._widths)
    shown.seek(0)
    shown.truncate()
    screen.draw(render(Frame(), screen.width))
    assert folded > lines
    assert f"\x1b[{folded - 1}A" in shown.getvalue()
    assert shown.getvalue().startswith("\x1b[?2026h")
    assert shown.getvalue().endswith("\x1b[J\x1b[?2026l")


def test_a_message_stands_above_the_picture() -> None:
    """It is not drawn over."""
    shown = io.StringIO()
    console = Console(file=shown, width=80, height=24, force_terminal=True, color_system=None)
    screen = Screen(console)
    screen.draw(render(Frame(), screen.width))
    screen.say("line 3: it is no JSON")
    assert shown.getvalue().endswith("\x1b[Jline 3: it is no JSON\n\x1b[?2026l")
    screen.close()
    assert shown.getvalue().endswith("\x1b[?25h")


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
    assert Files([Path("tasks")], Path("results"), False, None, True).live is live


def test_a_plain_line_tells_the_same() -> None:
    """Everything that matters is in the line for a log."""
    assert describe(Frame(lines=20, total=100, solved=19, failed=1, rate=2.0, elapsed=10)) == (
        "0:10  lines 20/100  solved 19  failed 1  waiting 0  in flight 0  2.0/s  p50 -  p95 -  "
        "spent 0.0000  nothing sent yet  ETA 0:40"
    )
    assert "4312000/10000000" in describe(BUSY)
    assert "connection refused; trying again  interrupted" in describe(BUSY)


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
    started = anyio.current_time()
    with anyio.move_on_after(25):
        await watch_batch(
            lambda: Frame(total=10, elapsed=anyio.current_time() - started),
            console,
            Screen(console) if live else None,
        )
    assert ("\x1b" in shown.getvalue()) is live
    if not live:
        assert len(shown.getvalue().splitlines()) == 4


async def test_trouble_is_told_at_once() -> None:
    """A log gets a line within a second or two when the service's state changes."""
    shown = io.StringIO()
    started = anyio.current_time()

    def frame() -> Frame:
        elapsed = anyio.current_time() - started
        bad = elapsed > 2
        return Frame(elapsed=elapsed, mood="bad" if bad else "good", state="no" if bad else "ok")

    with anyio.move_on_after(5):
        await watch_batch(frame, Console(file=shown, width=200))
    assert [line.split()[0] for line in shown.getvalue().splitlines()] == ["0:00", "0:03", "0:05"]


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

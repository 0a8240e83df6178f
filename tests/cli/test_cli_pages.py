"""The pages that `batch` and `bench` write, looked at in a browser."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from browser import browser
from command_line import KEY, run, served

from captcha_async.cli._charts import Line, bars, lines, page, section
from captcha_async.emulator import Emulator, Latency


def write_tasks() -> None:
    """Write tasks of two types, some of which fail or are none."""
    lines = [
        {"type": kind, "websiteURL": f"https://example.com/{number}", "websiteKey": "0x4"}
        for number in range(15)
        for kind in ("TurnstileTask", "RecaptchaV2Task")
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + "{\n"
    Path("tasks").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make a page of each command."""
    folder = tmp_path_factory.mktemp("pages")
    emulator = Emulator(api_keys=KEY, latency=Latency.fixed(0.0))
    emulator.answer_at_once()
    emulator.refuse("ERROR_CAPTCHA_UNSOLVABLE", "createTask", times=5)
    made = {name: folder / f"{name}.html" for name in ("batch", "bench")}
    with pytest.MonkeyPatch.context() as patch, served(emulator) as url:
        patch.chdir(folder)
        write_tasks()
        options = ("--base-url", url, "--max-spend", "1", "--price", "0.001")
        run("batch", "tasks", "-o", "r", "--report", str(made["batch"]), *options)
    levels = ("--levels", "1,3", "--seconds", "0.3", "--target", "in-process", "--latency", "0")
    run("bench", *levels, "--report", str(made["bench"]))
    return made


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["batch", "bench"])
def test_in_a_browser(pages: dict[str, Path], name: str, width: int, dark: bool) -> None:
    """Readable at any width, light and dark; nothing fails, and no text is of the back's colour."""
    with browser() as shown:
        shown.show(pages[name].as_uri(), width=width, dark=dark)
        assert f"captcha-async {name}" in shown.text()
        assert shown.run("document.querySelectorAll('svg').length") >= 4
        assert shown.overflow() <= 0
        assert shown.errors() == []
        back = shown.run("getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(20, 24, 29)") is dark
        style = "getComputedStyle(document.querySelector('svg text'))"
        assert shown.run(f"{style}.fill") != back


@pytest.mark.parametrize("name", ["batch", "bench"])
def test_nothing_is_loaded(pages: dict[str, Path], name: str) -> None:
    """The page is one file."""
    text = pages[name].read_text(encoding="utf-8")
    assert not any(word in text for word in ("src=", "href=", "<script", "http-equiv", "@import"))
    assert KEY not in text


def test_what_is_shown_is_escaped() -> None:
    """A message of a service is text, whatever stands in it."""
    evil = "<script>alert('&')</script>"
    made = page(evil, evil, section(evil, bars([(evil, 1.0)], x=evil, y=evil), note=evil))
    assert "<script" not in made


@pytest.mark.parametrize(
    "points",
    [[], [(1.0, 0.0)], [(1.0, 1e9), (2.0, 0.0)], [(0.0, 1e-6), (0.5, 2e-6)], [(5.0, 3.0)] * 3],
)
def test_any_numbers_can_be_drawn(points: list[tuple[float, float]]) -> None:
    """Few, huge, tiny or equal ones: every coordinate lies in the picture."""
    drawn = lines([Line("a", points, marks=True)], x="x", y="y", log_x=True)
    for number in drawn.replace('"', " ").replace(",", " ").split():
        try:
            value = float(number)
        except ValueError:
            continue
        assert math.isfinite(value)

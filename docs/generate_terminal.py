"""Make `docs/images/batch.svg`: what `captcha-async batch` shows, from a run at the emulator.

Usage: python docs/generate_terminal.py
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from contextlib import chdir
from pathlib import Path

import anyio
from rich.console import Console

from captcha_async import CaptchaClient, Limits
from captcha_async.cli._batch._files import Files
from captcha_async.cli._batch._frame import Frame
from captcha_async.cli._batch._lines import TaskLines
from captcha_async.cli._batch._progress import render
from captcha_async.cli._batch._run import BatchRun, Settings
from captcha_async.cli._batch._summary import print_summary
from captcha_async.cli._batch._tasks import Reading
from captcha_async.cli._health import Health
from captcha_async.emulator import Emulator, Latency, serve

PICTURE = Path(__file__).parent / "images" / "batch.svg"
COMMAND = "captcha-async batch tasks.jsonl -o results.jsonl --max-in-flight 200"
TYPES = ("RecaptchaV2Task", "TurnstileTask", "RecaptchaV2EnterpriseTask")
TASKS = 1_500
SHOWN_AT = 0.6
"""Share of the lines at which the progress is pictured."""
WIDTH = 90


def write_tasks() -> None:
    """Write the tasks of the run."""
    with open("tasks.jsonl", "w", encoding="utf-8") as file:
        for number in range(TASKS):
            page = f"https://example.com/page/{number}"
            task = {"type": TYPES[number % 3], "websiteURL": page, "websiteKey": "6Lc"}
            file.write(json.dumps(task) + "\n")


async def run_batch() -> tuple[Frame, BatchRun]:
    """Solve the tasks at the emulator; return the run and a frame from its middle."""
    emulator = Emulator(latency=Latency(median=4), price=0.0006)
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=6)
    async with serve(emulator) as url:
        health = Health()
        client = CaptchaClient(
            emulator.api_key,
            base_url=url,
            limits=Limits(in_flight=200),
            journal="journal",
            on_event=health,
        )
        files = Files([Path("tasks.jsonl")], Path("results.jsonl"), False, None, False)
        # Its own progress is not wanted here.
        files.console = Console(file=io.StringIO())
        lines = TaskLines(Reading(client.service))
        settings = Settings(200, None, False, 60.0, ("127.0.0.1", 0))
        run = BatchRun(client, lines, files, settings, health)
        frames: list[Frame] = []
        async with anyio.create_task_group() as group:
            group.start_soon(picture, run, frames)
            await run.run()
    return frames[-1], run


async def picture(run: BatchRun, frames: list[Frame]) -> None:
    """Take frames until enough of the lines are done with."""
    started = anyio.current_time()
    while not frames or frames[-1].lines < SHOWN_AT * TASKS:
        frames.append(run.frame(started))
        await anyio.sleep(0.25)


def draw(frame: Frame, run: BatchRun) -> str:
    """Return the picture: the command, its progress half-way, and its summary."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(f"[green]$[/] {COMMAND}\n", highlight=False)
    console.print(render(frame, WIDTH))
    console.print("\n[dim]… and in the end:[/]\n")
    print_summary(run, console)
    drawn = console.export_svg(title="captcha-async batch", unique_id="batch")
    # The fonts would be fetched from elsewhere by whoever looks at the picture.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return drawn.replace("Fira Code", "ui-monospace, Menlo, Consolas")


def main() -> None:
    """Run the batch in an empty folder and write the picture."""
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write_tasks()
        frame, run = anyio.run(run_batch)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(frame, run), encoding="utf-8")


if __name__ == "__main__":
    main()

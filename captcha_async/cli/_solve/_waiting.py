"""What is shown while a captcha is solved, on a terminal; and the ids of what was paid for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from itertools import cycle

import anyio
from rich.text import Text

from ... import CaptchaClient, CaptchaError, Event, TaskPolled, TaskSubmitted
from .._health import Health
from .._messages import messages
from .._screen import Screen, is_ascii, redrawing

__all__ = ["Waiting"]


class Waiting:
    """Told the events of one solve."""

    def __init__(self, ban_window: float, where: str) -> None:
        self.health = Health(ban_window)
        self.where: str = where
        """The options that name the service."""
        self.task_id: int | str | None = None
        """The task's id, as soon as there is one."""
        self.task_type: str = ""
        self._polls = 0
        self._status = ""

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        self.health(event)
        if isinstance(event, TaskSubmitted):
            self.task_id, self.task_type = event.ref.task_id, event.ref.task_type
        elif isinstance(event, TaskPolled):
            self._polls += 1
            self._status = event.status

    def hint(self) -> str:
        """Return the command that collects the task."""
        return f"captcha-async collect {self.task_id} --type {self.task_type} {self.where}"

    @asynccontextmanager
    async def shown(self, client: CaptchaClient) -> AsyncGenerator[None]:
        """Show how a solve of *client* goes, if standard error is a terminal."""
        console = messages(highlight=False)
        if not console.is_terminal or console.is_dumb_terminal:
            yield
            return
        started = anyio.current_time()
        failure: CaptchaError | None = None

        def picture(_: int) -> Text:
            return self._line(next(marks), started, client.statistics().retry_in)

        marks = cycle("|/-\\" if is_ascii(console) else "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
        with closing(Screen(console)) as screen:
            async with anyio.create_task_group() as drawing:
                drawing.start_soon(redrawing, screen, picture)
                try:
                    yield
                except CaptchaError as error:
                    # It leaves as it is, and not in a group.
                    failure = error
                finally:
                    drawing.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def _line(self, mark: str, started: float, again: float | None) -> Text:
        now = anyio.current_time()
        words, mood = self.health.words(now, waiting=self.task_id is None, again=again)
        what = "submitting" if self.task_id is None else f"task {self.task_id}"
        polls = f", {self._polls} poll{'s' * (self._polls > 1)}" if self._polls else ""
        line = Text(f"{mark} {what}, {now - started:.0f} s{polls}", no_wrap=True, overflow="crop")
        if mood != "good":
            line.append(f"  {words}", "yellow" if mood == "warn" else "bold red")
        return line

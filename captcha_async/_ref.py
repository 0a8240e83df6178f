"""TaskRef: what has to be remembered of a paid task to collect its answer later, in any process."""

from __future__ import annotations

import os
from typing import Any

import attrs
import orjson

__all__ = ["TaskId", "TaskRef", "one_id", "unnamed_id"]

TaskId = int | str
"""The service's number for a task: an integer, or a UUID string at capsolver."""

_ID = (int, str)

MOST_POLLS = 2**31
"""No service allows as many; a larger count is damage."""

UNNAMED = "unnamed-"


def one_id(task_id: TaskId) -> TaskId:
    """Return what stands for all spellings of an id: 5 for 5, "5" and " 5".

    To the service an id goes back as it came; whatever is kept by ids is kept by this one.
    """
    if type(task_id) is int and 0 <= task_id < 10**18:
        return task_id
    text = str(task_id).strip()
    plain = text.isascii() and text.isdigit() and len(text) < 19 and str(int(text)) == text
    return int(text) if plain else text


def unnamed_id() -> str:
    """Make an id for a task that a service has answered at once without naming it."""
    return f"{UNNAMED}{os.urandom(16).hex()}"


def _wrong(name: str, rule: str, value: object) -> ValueError:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:79]}…"
    return ValueError(f"task reference: {name} must be {rule}, not {shown}")


@attrs.frozen
class TaskRef:
    """A reference to a submitted task; holds no secret and survives a restart as JSON.

    References with the ids 5 and "5" are equal: they name one task.

    Raises:
        ValueError: a field is certainly wrong; the message names it.
    """

    service: str
    """Name of the service profile, such as `capmonster`."""
    task_id: TaskId = attrs.field(eq=one_id)
    """The id that createTask returned."""
    task_type: str
    """Name of the task model, such as `RecaptchaV2Task`; tells how the solution is read."""
    polls: int = 0
    """Polls made until this reference was taken; they count towards the service's cap."""
    account: str | None = None
    """Name of the account, where the client had several of one service."""

    def __attrs_post_init__(self) -> None:
        # All at once: there is a reference for every task, and a call for each field takes longer.
        task_id, polls = self.task_id, self.polls
        if not isinstance(self.service, str):
            raise _wrong("service", "str", self.service)
        if isinstance(task_id, bool) or not isinstance(task_id, _ID):
            raise _wrong("task_id", "int or str", task_id)
        if not isinstance(self.task_type, str):
            raise _wrong("task_type", "str", self.task_type)
        if isinstance(polls, bool) or not isinstance(polls, int):
            raise _wrong("polls", "int", polls)
        if not 0 <= polls <= MOST_POLLS:
            raise _wrong("polls", f"from 0 to {MOST_POLLS}", polls)
        if self.account is not None and not isinstance(self.account, str):
            raise _wrong("account", "str or None", self.account)

    @property
    def named(self) -> bool:
        """Whether the service knows the task by this id.

        If not, it has sent the answer in createTask's reply and no id: the task cannot be asked
        for or reported.
        """
        return not (isinstance(self.task_id, str) and self.task_id.startswith(UNNAMED))

    def to_json(self) -> str:
        """Return the reference as one line of JSON."""
        data = attrs.asdict(self)
        if self.account is None:
            del data["account"]
        return orjson.dumps(data).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> TaskRef:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not such a reference; the message names the field.
        """
        try:
            data = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"a task reference must be JSON: {error}") from None
        if not isinstance(data, dict):
            raise ValueError(f"a task reference must be a JSON object, not {type(data).__name__}")
        needed: dict[str, Any] = {"service": None, "task_id": None, "task_type": None}
        known = {field.name: data[field.name] for field in attrs.fields(cls) if field.name in data}
        return cls(**(needed | known))

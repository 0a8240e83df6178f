"""TaskRef: what has to be remembered of a paid task to collect its answer later, in any process."""

from __future__ import annotations

from typing import Any

import attrs
import orjson

__all__ = ["TaskId", "TaskRef"]

TaskId = int | str
"""The service's number for a task: an integer, or a UUID string at capsolver."""


@attrs.frozen
class TaskRef:
    """A reference to a submitted task; holds no secret and survives a restart as JSON."""

    service: str
    """Name of the service profile, such as `capmonster`."""
    task_id: TaskId
    """The id that createTask returned."""
    task_type: str
    """Name of the task model, such as `RecaptchaV2Task`; tells how the solution is read."""
    polls: int = 0
    """Polls made until this reference was taken; they count towards the service's cap."""

    def to_json(self) -> str:
        """Return the reference as one line of JSON."""
        return orjson.dumps(attrs.asdict(self)).decode()

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
        return cls(
            service=_read(data, "service", str),
            task_id=_read(data, "task_id", int, str),
            task_type=_read(data, "task_type", str),
            polls=_read(data, "polls", int, default=0),
        )


def _read(data: dict[str, Any], name: str, *types: type, default: Any = None) -> Any:
    value = data.get(name, default)
    if not isinstance(value, types) or isinstance(value, bool):
        expected = " or ".join(kind.__name__ for kind in types)
        raise ValueError(f"task reference: {name} must be {expected}, not {value!r}")
    return value

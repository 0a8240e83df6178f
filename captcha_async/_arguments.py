"""Checks of what users pass to the client; each returns the value to go on with."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from ._ref import TaskRef
from .errors import invalid
from .services import Service, find_service
from .tasks._fields import check_url
from .tasks._model import Task
from .wire import dump_request

if TYPE_CHECKING:
    from ._callbacks import CallbackReceiver
    from ._events import Event
    from ._journal import Journal

__all__ = [
    "KEY_VARIABLE",
    "check_callback_url",
    "check_callbacks",
    "check_extra",
    "check_json",
    "check_key",
    "check_left_out",
    "check_name",
    "check_ref",
    "check_soft_id",
    "check_source",
    "to_handlers",
    "to_journal",
    "to_profile",
]

KEY_VARIABLE = "CAPTCHA_API_KEY"


def check_key(key: str | None) -> str:
    """Check the API key; without one it is the environment's."""
    key = os.environ.get(KEY_VARIABLE) if key is None else key
    if key is None:
        raise invalid("api_key", None, f"given, or set in the environment as {KEY_VARIABLE}")
    if not isinstance(key, str) or not key.strip():
        raise invalid("api_key", key, "a non-empty string", show=False)
    if not key.isprintable() or key != key.strip():
        raise invalid("api_key", key, "without white space around it or in it", show=False)
    return key


def to_journal(journal: str | os.PathLike[str] | Journal | None) -> Journal | None:
    """Make a journal of a path."""
    if journal is None:
        return None
    # Imported late: most clients have none.
    from ._journal import Journal

    return journal if isinstance(journal, Journal) else Journal(journal)


def to_handlers(
    on_event: Callable[[Event], None] | Iterable[Callable[[Event], None]] | None,
) -> tuple[Callable[[Event], None], ...]:
    """Make a tuple of the handlers of events."""
    if on_event is None or callable(on_event):
        return () if on_event is None else (on_event,)
    handlers = tuple(on_event) if isinstance(on_event, Iterable) else (on_event,)
    if not all(callable(handler) for handler in handlers):
        raise invalid("on_event", on_event, "a function that takes an event, or several of them")
    return handlers


def check_left_out(beside: str, **settings: object) -> None:
    """Refuse settings that do not go together with the one called *beside*."""
    for name, value in settings.items():
        if value is not None:
            raise invalid(name, value, f"left out when {beside} is given", show=False)


def check_callbacks(callbacks: CallbackReceiver | None) -> None:
    """Check the receiver of callbacks."""
    if callbacks is None:
        return
    from ._callbacks import CallbackReceiver

    if not isinstance(callbacks, CallbackReceiver):
        raise invalid("callbacks", callbacks, "a CallbackReceiver")


def check_callback_url(url: str | None) -> str | None:
    """Check the address to which a service posts a result."""
    if url is not None:
        check_url("callback_url", url)
    return url


def check_soft_id(soft_id: int | str | None) -> int | str | None:
    """Check a partner id."""
    if soft_id is not None and (isinstance(soft_id, bool) or not isinstance(soft_id, int | str)):
        raise invalid("soft_id", soft_id, "a number, or a string where the service wants one")
    return soft_id


def check_extra(
    extra: Mapping[str, Any] | None, task: Task[Any], service: Service
) -> Mapping[str, Any] | None:
    """Check further keys of createTask's body; those that the client writes are not among them."""
    if extra is None:
        return None
    if not isinstance(extra, Mapping) or not all(isinstance(key, str) for key in extra):
        raise invalid("extra", extra, "a mapping with string keys", show=False)
    extra = dict(extra)
    ours = {"clientKey", "callbackUrl", service.soft_id_key, *dump_request(task, service)}
    taken = {name.lower() for name in ours}
    for key in extra:
        if key.lower() in taken:
            rule = "left out: the client writes this key itself"
            raise invalid(f"extra[{key!r}]", extra[key], rule, show=False)
    check_json("extra", extra)
    return extra


def check_json(field: str, value: object) -> None:
    """Check what is to be sent as JSON."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise invalid(field, None, f"made of JSON values ({error})", show=False) from None


def check_source(tasks: object) -> None:
    """Check what a batch takes its tasks from."""
    if not isinstance(tasks, Iterable | AsyncIterable) or isinstance(tasks, str | bytes):
        raise invalid("tasks", tasks, "an iterable of tasks, or a mapping of them")


def check_name(name: str) -> None:
    """Check the name of a batch, or of a variable."""
    if not isinstance(name, str):
        raise invalid("name", name, "a string")


def check_ref(ref: TaskRef) -> None:
    """Check a reference that is to be taken up."""
    if not isinstance(ref, TaskRef):
        raise invalid("ref", ref, "a TaskRef, such as TaskRef.from_json(text)")
    if not ref.named:
        raise invalid(
            "ref.task_id", ref.task_id, "an id of the service's: this answer came without"
        )


def to_profile(service: str | Service, base_url: str | None) -> Service:
    """Return the service's profile, at another address if one is given."""
    profile = find_service(service)
    return profile if base_url is None else profile.evolve(base_url=base_url)

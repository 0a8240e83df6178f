"""What a profile of a service says, and how a task is judged by it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from .._ref import TaskId
from ..errors import invalid
from ..tasks._families import find_model, is_known
from ..tasks._fields import check_url
from ..tasks._files import IMAGE_FORMATS
from ..tasks._model import RawTask, ReportKind, Task
from ..tasks._proxy import PROXY_TYPES, Proxy
from ._capmonster_types import CAPMONSTER_TYPES
from ._checks import check_fields, check_formats, check_proxy_use, check_sizes, unjudged
from ._dialect import TypeDialect, own_dialect
from ._error_codes import ERROR_CODES, ErrorCode

__all__ = [
    "METHODS",
    "POLLING",
    "SERVICES",
    "Method",
    "PollTimes",
    "ReportMethod",
    "Service",
    "find_service",
]

Method = Literal[
    "create_task",
    "get_task_result",
    "get_balance",
    "push_variable",
    "queue_statistics",
    "spending_statistics",
]

METHODS: Mapping[Method, str] = {
    "create_task": "/createTask",
    "get_task_result": "/getTaskResult",
    "get_balance": "/getBalance",
}


RASTER_FORMATS: frozenset[str] = frozenset(IMAGE_FORMATS) - {"SVG"}

NOT_YET = frozenset(
    {
        "processing",
        "idle",
        "queued",
        "pending",
        "waiting",
        "running",
        "started",
        "in_progress",
        "inprogress",
        "not_ready",
        "captcha_not_ready",
        "capcha_not_ready",
    }
)
"""Statuses that mean that the task is still being solved: the documented two, `processing` and
`idle`, and what else says so in plain words."""


@attrs.frozen
class PollTimes:
    """Default polling of a task family, in seconds; the service's gap is kept all the same.

    The built-in delays and intervals are those of CapMonster's official Python client 4.2.
    """

    first: float
    """From the task's creation to its first poll."""
    interval: float
    """Between polls."""
    timeout: float
    """How long a wait without a timeout of its own goes on."""


@attrs.frozen
class ReportMethod:
    """A method that takes the report of a right or of a wrong answer."""

    path: str
    """Path under the base URL."""
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    """What its body has besides `clientKey` and `taskId`."""
    window: float | None = None
    """Seconds after the answer within which a report is taken; None where none are documented."""
    refunds: bool = False
    """Whether the service pays back what it finds to be wrong."""
    note: str | None = None
    """What else there is to know."""

    def body(self, task_id: TaskId) -> dict[str, Any]:
        """Return the request's body, without the key."""
        return {"taskId": task_id, **self.fields}


# Delays and intervals are those of CapMonster's official Python SDK 4.2 (intervals below the poll
# gap are raised to it). The timeouts are ours: giving up early would lose tasks that were paid for.
_ONE_SECOND = PollTimes(first=1.0, interval=2.0, timeout=120.0)
_ONE_AND_THREE = PollTimes(first=1.0, interval=3.0, timeout=180.0)
POLLING: Mapping[str, PollTimes] = {
    "image": PollTimes(first=0.35, interval=2.0, timeout=60.0),
    "token": _ONE_AND_THREE,
    "recaptcha": _ONE_AND_THREE,
    "recaptcha_v3": _ONE_AND_THREE,
    "turnstile": _ONE_SECOND,
    # The docs promise what they promise for a widget, but a queue's people wait for minutes.
    "waiting_room": PollTimes(first=5.0, interval=5.0, timeout=600.0),
    "geetest": _ONE_SECOND,
    "funcaptcha": _ONE_SECOND,
    "imperva": _ONE_SECOND,
    "binance": _ONE_SECOND,
    "altcha": _ONE_SECOND,
    "castle": _ONE_SECOND,
    "tspd": _ONE_SECOND,
}


def _known(mapping: Mapping[str, PollTimes]) -> Mapping[str, PollTimes]:
    if "token" not in mapping:
        raise invalid("polling", sorted(mapping), "a mapping that has the fallback family 'token'")
    return mapping


_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|([^\[\]:\\]+))(?::([0-9]{0,5}))?")


def _clean_base_url(value: str) -> str:
    check_url("base_url", value)
    if "?" in value or "#" in value:
        raise invalid("base_url", value, "a URL without '?' and '#': the methods' paths follow it")
    authority = value.partition("://")[2].partition("/")[0]
    found = _HOST.fullmatch(authority.rpartition("@")[2])
    # Of a name each part has from 1 to 63 characters; the last one may be the root's.
    parts = ["-"] if found is None or found[1] is None else found[1].removesuffix(".").split(".")
    named = all(0 < len(part) < 64 for part in parts)
    if found is None or not named or not 0 < int(found[2] or 80) < 65536:
        raise invalid("base_url", value, "a URL with a host, and a port from 1 to 65535 if any")
    return value.rstrip("/")


def _without_user(url: str) -> str:
    """Return what a repr may show: a mirror's address may hold a user and a password."""
    scheme, slashes, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return repr(f"{scheme}{slashes}{'***' if user else ''}{at}{host}{slash}{path}")


@attrs.frozen
class Service:
    """Profile of one service: data only.

    The defaults are CapMonster Cloud's, from its documentation of March to August 2026. Times are
    in seconds.

    Raises:
        InvalidArgument: *base_url* is no http(s) URL, or *polling* lacks the family `token`.
    """

    name: str
    """What `CaptchaClient(service=…)` and `TaskRef.service` call it."""
    base_url: str = attrs.field(converter=_clean_base_url, repr=_without_user)
    """Address of the API, without the methods' paths."""
    methods: Mapping[Method, str] = attrs.field(default=METHODS, repr=False)
    """Path of each method under the base URL; what is not there the service does not have."""
    min_poll_gap: float = 2.0
    """Least seconds between two polls of one task; closer ones are a reason for a ban."""
    max_polls: int = 120
    """Most polls of one task; more of them are a reason for a ban."""
    result_retention: float = 300.0
    """Seconds that a result is kept."""
    ban_window: float = 600.0
    """Seconds that a ban lasts if no further request comes (CapMonster: 10 minutes)."""
    polling: Mapping[str, PollTimes] = attrs.field(default=POLLING, repr=False, converter=_known)
    """Default polling by task family; `token` serves every family that has no entry."""
    max_image_bytes: int | None = None
    """Largest image that is accepted, or None where nothing is documented."""
    forbidden_in_credentials: str = ""
    """Characters that a proxy's login and password must not contain."""
    private_proxies: bool = False
    """Whether the service can reach a proxy in a private network, as one of your own may."""
    proxy_types: frozenset[str] = attrs.field(default=frozenset(PROXY_TYPES), repr=False)
    """The kinds of proxies that it takes."""
    proxy_host_names: bool = True
    """False where a proxy's address has to be an IP address."""
    image_formats: frozenset[str] = attrs.field(default=RASTER_FORMATS, repr=False)
    """The formats of images that it takes; no service documents SVG."""
    dialects: Mapping[str, TypeDialect] = attrs.field(default=CAPMONSTER_TYPES, repr=False)
    """What it calls each task type that it takes, and that type's fields, by the model's class
    name."""
    reports_incorrect: Mapping[ReportKind | Literal["any"], ReportMethod] = attrs.field(
        factory=dict, repr=False
    )
    """The methods that take the report of a wrong answer, by kind of task."""
    reports_correct: Mapping[ReportKind | Literal["any"], ReportMethod] = attrs.field(
        factory=dict, repr=False
    )
    """The methods that take the report of a right answer, by kind of task."""
    currency: str | None = None
    """The currency of balance and costs, as its ISO code; None where none is documented."""
    user_agent_url: str | None = None
    """Where the service tells the current user agent it works with."""
    soft_id: int | str | None = None
    """Your partner id, sent with every task if it is set."""
    soft_id_key: str = "softId"
    """The key of createTask's body that carries it."""
    callback_setup: str | None = None
    """What has to be done before the service posts to an address, in words."""
    not_yet: frozenset[str] = attrs.field(default=NOT_YET, repr=False)
    """Statuses that mean "still processing", in small letters and with `_` for spaces."""
    charged_codes: frozenset[str] = frozenset()
    """The errorCodes after which a task is charged all the same."""
    error_codes: Mapping[str, ErrorCode] = attrs.field(default=ERROR_CODES, repr=False)
    """What each errorCode means."""
    numeric_codes: Mapping[int, str] = attrs.field(factory=dict, repr=False)
    """errorCode by errorId, at services whose errorId is more than 0 or 1."""

    def evolve(self, **changes: Any) -> Service:
        """Return a profile with some fields changed, such as `base_url` for a mirror.

        Raises:
            InvalidArgument: there is no such field, or its value is wrong.
        """
        unknown = sorted(set(changes) - set(attrs.fields_dict(Service)))
        if unknown:
            raise invalid(unknown[0], changes[unknown[0]], "a field of Service")
        return attrs.evolve(self, **changes)

    def path_of(self, method: Method) -> str:
        """Return the path of a method under the base URL.

        Raises:
            InvalidArgument: the service does not have it; the message names those which do.
        """
        path = self.methods.get(method)
        if path is None:
            others = ", ".join(name for name, each in SERVICES.items() if method in each.methods)
            raise invalid("service", self.name, f"one that has {method} ({others})")
        return path

    def dialect(self, model: type[Task[Any]]) -> TypeDialect | None:
        """Return what this service calls a type and its fields, if it has or had it.

        A model that is not the library's goes by its own names.
        """
        found = self.dialects.get(model.__name__)
        if found is None and not is_known(model):
            return own_dialect(model)
        return found

    def type_name(self, task: Task[Any]) -> str:
        """Return what this service calls the type of *task*; a `RawTask` keeps its own."""
        dialect = None if isinstance(task, RawTask) else self.dialect(type(task))
        if dialect is None:
            return task.type
        return dialect.of(proxied=getattr(task, "proxy", None) is not None)

    def takes(self, model: type[Task[Any]]) -> bool:
        """Return whether this service takes tasks of *model*, as far as is known."""
        if model is RawTask:
            return True
        dialect = self.dialect(model)
        return dialect is not None and dialect.withdrawn is None

    def poll_times(self, name: str) -> PollTimes:
        """Return the default polling of a task type, or of a family of them, by its name."""
        found = self.polling.get(name)
        if found is None and (model := self._model(name)) is not None:
            found = self.polling.get(model.spec.family)
        return found or self.polling["token"]

    def report_for(self, task_type: str, *, correct: bool) -> ReportMethod | None:
        """Return the method that takes a report of an answer, or None if there is none.

        Args:
            task_type: a task model's class name, or the service's own name of the type.
            correct: whether the answer was right.
        """
        methods = self.reports_correct if correct else self.reports_incorrect
        model = self._model(task_type)
        kind = None if model is None else model.spec.report
        return (methods.get(kind) if kind else None) or methods.get("any")

    @property
    def charges_unsolvable(self) -> bool:
        """Whether a task that could not be solved is known to cost all the same."""
        return "ERROR_CAPTCHA_UNSOLVABLE" in self.charged_codes

    @property
    def report_methods(self) -> Mapping[ReportKind, str]:
        """Path of the method that takes the report of a wrong answer, by kind of task.

        Methods that want more than the task's id are left out.
        """
        kinds: tuple[ReportKind, ...] = ("image", "recaptcha", "hcaptcha", "token")
        paths: dict[ReportKind, str] = {}
        for kind in kinds:
            method = self.reports_incorrect.get(kind) or self.reports_incorrect.get("any")
            if method is not None and not method.fields:
                paths[kind] = method.path
        return paths

    def _model(self, name: str) -> type[Task[Any]] | None:
        """The model of that class name, or the first of those that this service calls so."""
        model = find_model(name)
        if model is not None:
            return model
        named = (key for key, dialect in self.dialects.items() if name in dialect.names)
        return next((find_model(key) for key in named), None)

    def check(self, task: Task[Any]) -> None:
        """Refuse a task that this service is certain to refuse.

        Raises:
            InvalidArgument: names the service, the field and the rule.
        """
        if not isinstance(task, Task):
            raise invalid("task", task, "a task such as RecaptchaV2Task(...)", show=False)
        dialect = self.dialects.get(type(task).__name__)
        if dialect is not None and unjudged(type(task), dialect).includes(task):
            proxy = getattr(task, "proxy", None)
            if proxy is not None:
                check_proxy_use(task, dialect, self.name)
                self._check_proxy(proxy)
            return
        if isinstance(task, RawTask):
            given = [task.proxy, *task.fields.values()]
        else:
            given = [getattr(task, "proxy", None)]
            dialect = self._taken(task)
            check_proxy_use(task, dialect, self.name)
            check_fields(task, dialect, self.name)
            check_sizes(task, dialect, self.name, self.max_image_bytes)
        for each in given:
            self._check_proxy(each)
        check_formats(task, self.name, self.image_formats)

    def _taken(self, task: Task[Any]) -> TypeDialect:
        """The dialect of a task that this service takes."""
        model = type(task)
        dialect = self.dialect(model)
        if dialect is not None and dialect.withdrawn is None:
            return dialect
        others = [name for name, service in SERVICES.items() if service.takes(model)]
        where = f"{', '.join(others)} take this one" if others else "no service takes this one"
        if dialect is not None:
            where = f"{dialect.withdrawn}; RawTask sends it all the same; {where}"
        raise invalid("task", model.__name__, f"a type that {self.name} takes ({where})")

    def _check_proxy(self, proxy: object) -> None:
        if not isinstance(proxy, Proxy):
            return
        # Imported late: most tasks have no proxy.
        from ._proxies import check_address, check_credentials, check_type

        check_type(proxy, self.name, self.proxy_types)
        check_credentials(proxy, self.name, self.forbidden_in_credentials)
        check_address(proxy, self.name, private=self.private_proxies, names=self.proxy_host_names)


SERVICES: dict[str, Service] = {}
"""The built-in profiles by name; `_profiles` fills it once, when the package is imported."""


def find_service(service: str | Service) -> Service:
    """Return a profile by name; a profile is returned as it is.

    Raises:
        InvalidArgument: there is no built-in profile of that name.
    """
    if isinstance(service, Service):
        return service
    if not isinstance(service, str) or service not in SERVICES:
        raise invalid("service", service, f"a Service or one of {', '.join(SERVICES)}")
    return SERVICES[service]

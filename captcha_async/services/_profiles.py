"""The services as data: where they are, what they allow, and what they call things.

Facts are from the services' own documentation of March to August 2026 unless a comment says
otherwise. A mirror or a self-hosted service is `CAPMONSTER.evolve(base_url="https://…")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any, Literal

import attrs

from ..errors import InvalidArgument, invalid
from ..tasks._fields import check_url
from ..tasks._model import RawTask, ReportKind, Task
from ..tasks._proxy import Proxy
from ._error_codes import ERROR_CODES, NUMERIC_CODES, ErrorCode
from ._type_names import ANTI_CAPTCHA_TYPES, CAPSOLVER_TYPES, TWO_CAPTCHA_TYPES, TypeName

__all__ = [
    "ANTI_CAPTCHA",
    "CAPMONSTER",
    "CAPSOLVER",
    "CAPTCHA69",
    "SERVICES",
    "TWO_CAPTCHA",
    "ErrorCode",
    "Method",
    "PollTimes",
    "Service",
    "TypeName",
    "find_service",
]

Method = Literal["create_task", "get_task_result", "get_balance"]

METHODS: Mapping[Method, str] = {
    "create_task": "/createTask",
    "get_task_result": "/getTaskResult",
    "get_balance": "/getBalance",
}


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


# Delays and intervals are those of CapMonster's official Python SDK 4.2 (intervals below the poll
# gap are raised to it). The timeouts are ours: giving up early would lose tasks that were paid for.
_ONE_SECOND = PollTimes(first=1.0, interval=2.0, timeout=120.0)
_ONE_AND_THREE = PollTimes(first=1.0, interval=3.0, timeout=180.0)
POLLING: Mapping[str, PollTimes] = {
    "image": PollTimes(first=0.35, interval=2.0, timeout=60.0),
    "token": _ONE_AND_THREE,
    "recaptcha": _ONE_AND_THREE,
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


def _clean_base_url(value: str) -> str:
    check_url("base_url", value)
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
    """Path of each method under the base URL."""
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
    private_proxies: bool = True
    """False where a proxy in a private network is refused."""
    type_names: Mapping[str, TypeName] = attrs.field(factory=dict, repr=False)
    """Names that differ from CapMonster's, by the model's class name."""
    types: frozenset[str] | None = attrs.field(default=None, repr=False)
    """Class names of the models that the service takes; None where the list is open."""
    report_methods: Mapping[ReportKind, str] = attrs.field(factory=dict, repr=False)
    """Path of the method that takes the report of a wrong answer, by kind of task."""
    charges_unsolvable: bool = False
    """Whether a task costs also if it could not be solved."""
    user_agent_url: str | None = None
    """Where the service tells the current user agent it works with."""
    soft_id: int | str | None = None
    """Your partner id, sent with every task if it is set."""
    soft_id_key: str = "softId"
    """The key of createTask's body that carries it."""
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

    def type_name(self, task: Task[Any]) -> str:
        """Return what this service calls the type of *task*; a `RawTask` keeps its own."""
        named = self.type_names.get(type(task).__name__)
        if named is None:
            return task.type
        return named.of(proxied=getattr(task, "proxy", None) is not None)

    def takes(self, model: type[Task[Any]]) -> bool:
        """Return whether this service takes tasks of *model*, as far as is known."""
        return self.types is None or model is RawTask or model.__name__ in self.types

    def poll_times(self, family: str) -> PollTimes:
        """Return the default polling of a task family."""
        return self.polling.get(family) or self.polling["token"]

    def check(self, task: Task[Any]) -> None:
        """Refuse a task that this service is certain to refuse.

        Raises:
            InvalidArgument: names the field and the rule.
        """
        if not isinstance(task, Task):
            raise invalid("task", task, "a task such as RecaptchaV2Task(...)", show=False)
        self._check_type(task)
        body = getattr(task, "body", None)
        limit = self.max_image_bytes
        if limit is not None and isinstance(body, bytes) and len(body) > limit:
            rule = f"an image of at most {limit} bytes at {self.name}"
            raise InvalidArgument(
                f"body must be {rule}, not {len(body)} bytes", field="body", rule=rule
            )
        proxy = getattr(task, "proxy", None)
        if isinstance(proxy, Proxy):
            self._check_proxy(proxy)

    def _check_type(self, task: Task[Any]) -> None:
        if not self.takes(type(task)):
            others = [name for name, service in SERVICES.items() if service.takes(type(task))]
            rule = f"a type that {self.name} takes ({', '.join(others)} take this one)"
            raise invalid("task", type(task).__name__, rule)
        named = self.type_names.get(type(task).__name__)
        proxy = getattr(task, "proxy", None)
        if named and not named.proxied and proxy is not None:
            rule = f"left out: {self.name} solves a {type(task).__name__} without one only"
            raise invalid("proxy", proxy, rule, show=False)

    def _check_proxy(self, proxy: Proxy) -> None:
        for name in ("login", "password"):
            value = getattr(proxy, name)
            if set(value or "") & set(self.forbidden_in_credentials):
                rule = f"free of {' '.join(self.forbidden_in_credentials)} at {self.name}"
                raise invalid(f"proxy.{name}", value, rule, show=False)
        if not self.private_proxies and _is_private(proxy.address):
            rule = f"an address that {self.name} can reach, not one of a private network"
            raise invalid("proxy.address", proxy.address, rule, show=False)


# Written out, because `ipaddress` counts the documentation's networks as private too.
_PRIVATE_NETWORKS = (
    "0.0.0.0/8 10.0.0.0/8 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 "
    "::1/128 fc00::/7 fe80::/10"
)


def _is_private(address: str) -> bool:
    try:
        number = ip_address(address)
    except ValueError:
        return address.lower() == "localhost"
    return any(number in ip_network(network) for network in _PRIVATE_NETWORKS.split())


CAPMONSTER = Service(
    name="capmonster",
    base_url="https://api.capmonster.cloud",
    # "50 KB": whether raw or base64 is not stated, so only what is over in any reading is refused.
    max_image_bytes=50 * 1024,
    forbidden_in_credentials="%",
    private_proxies=False,
    report_methods={
        "image": "/reportIncorrectImageCaptcha",
        "token": "/reportIncorrectTokenCaptcha",
    },
    # On another host than the API; known from the official MCP server.
    user_agent_url="https://capmonster.cloud/api/useragent/actual",
)
"""CapMonster Cloud."""

# Only createTask and getTaskResult of captcha69 are documented where we could read it. Its protocol
# is CapMonster's in everything seen, so balance and reports are taken to be so too.
CAPTCHA69 = Service(
    name="captcha69",
    base_url="https://captcha69.com",
    min_poll_gap=3.0,
    report_methods=CAPMONSTER.report_methods,
)
"""captcha69 ("Max1"); its keys look like `max1_…`."""

# No minimum gap is documented; its SDK polls every second, we stay at two.
ANTI_CAPTCHA = Service(
    name="anti-captcha",
    base_url="https://api.anti-captcha.com",
    result_retention=60.0,
    max_image_bytes=500_000,
    type_names=ANTI_CAPTCHA_TYPES,
    types=frozenset(ANTI_CAPTCHA_TYPES),
    report_methods={
        "image": "/reportIncorrectImageCaptcha",
        "token": "/reportIncorrectRecaptcha",
    },
    numeric_codes=NUMERIC_CODES,
    # apidoc/errors: code 12 is charged.
    charges_unsolvable=True,
)
"""anti-captcha.com."""

TWO_CAPTCHA = Service(
    name="2captcha",
    base_url="https://api.2captcha.com",
    min_poll_gap=5.0,
    max_image_bytes=100 * 1024,
    type_names=TWO_CAPTCHA_TYPES,
    types=frozenset(TWO_CAPTCHA_TYPES),
    report_methods={"image": "/reportIncorrect", "token": "/reportIncorrect"},
    numeric_codes=NUMERIC_CODES,
)
"""2captcha, API v2."""

CAPSOLVER = Service(
    name="capsolver",
    base_url="https://api.capsolver.com",
    min_poll_gap=3.0,
    ban_window=1800.0,
    type_names=CAPSOLVER_TYPES,
    types=frozenset(CAPSOLVER_TYPES),
    soft_id_key="appId",
)
"""capsolver.com."""

SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (CAPMONSTER, CAPTCHA69, ANTI_CAPTCHA, TWO_CAPTCHA, CAPSOLVER)
}
"""The built-in profiles by name."""


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

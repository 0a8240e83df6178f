"""Account: what one key at one service may do, and the way to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, final

import anyio

from .._arguments import check_key, check_left_out, to_profile
from .._journal import ClientJournal
from .._polling._adaptive import AdaptivePolling
from .._polling._schedule import Schedule
from .._transport import HttpTransport, LaneStatistics
from ..errors import (
    CaptchaError,
    invalid,
)
from ..services import Service
from ._admission import Admission, Submission
from ._api import Api
from ._fuse import RequestKind
from ._gates import Gates
from ._home import Home
from ._limits import Limits
from ._preset import preset
from ._prices import prices_by_model
from ._tenant import Tenant

if TYPE_CHECKING:
    import ssl

    import httpx

    from .._journal import Journal, Owner
    from .._sharing._member import Member

__all__ = ["Account"]

requests = logging.getLogger("captcha_async.requests")

QUIET_FOR = 10.0
"""Seconds in which trouble is told once."""

A_YEAR = 365 * 86400.0
"""Seconds for which a shared account counts what was spent, where the cap is one for all time."""


@final
class Account:
    """What one key at one service may do, and the way to it.

    Give one to several clients, and they share its limits, its fuse, the pauses that the service
    asked for, what was spent, what was learned of solve times, and its connections:

    ```python
    account = Account(key, limits=Limits(in_flight=400, max_spend="20"))
    async with CaptchaClient(account=account) as first, CaptchaClient(account=account) as second:
        ...
    ```

    It belongs to the event loop and the process in which it is first used, as its clients do. Its
    connections are closed with the last of its clients.

    Args:
        api_key: the account's key; without it the environment variable `CAPTCHA_API_KEY` is read.
        service: name of a built-in profile, or a `Service`; without it the environment variable
            `CAPTCHA_SERVICE` is read, and without that it is CapMonster Cloud.
        base_url: another address of the service, such as a mirror's; without it and without another
            *service* the environment variable `CAPTCHA_BASE_URL` is read.
        limits: how much at once, how fast, and for how much money.
        polling: a schedule such as `FixedPolling(first=1, interval=3)`; `AdaptivePolling` without.
        http_client: an httpx client to use; you keep closing it.
        proxy: URL of a proxy on the way to the service (not the proxy of a task); without it
            `HTTPS_PROXY` and `NO_PROXY` are obeyed.
        ssl_context: TLS settings; httpx's default without.
        name: what `Solved.account` and the client's statistics call it; the service's name
            without.
        share: where processes meet that share the account: a file's path, or a Redis URL
            (`captcha-async[redis]`). All whose service and key are the same keep the limits
            together; those of the newest hold.
        on_outage: what to do while that place does not answer: `keep` the last share, never more,
            or `stop` until it does.
        egress: names the address by which this process goes out, if the processes have several: a
            ban is an address's.

    Raises:
        InvalidArgument: an argument is certainly wrong; the message names it.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        service: str | Service | None = None,
        base_url: str | None = None,
        limits: Limits | None = None,
        polling: Schedule | None = None,
        http_client: httpx.AsyncClient | None = None,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        name: str | None = None,
        share: str | os.PathLike[str] | None = None,
        on_outage: Literal["keep", "stop"] = "keep",
        egress: str | None = None,
    ) -> None:
        if name is not None and (not isinstance(name, str) or not name):
            raise invalid("name", name, "a string that is not empty")
        self._name = name
        self._service = to_profile(*preset(service, base_url))
        if http_client is not None:
            check_left_out("http_client", proxy=proxy, ssl_context=ssl_context)
        self._limits = limits = _limits_given(limits)
        self._key = check_key(api_key)
        self._way: dict[str, Any] = {
            "http_client": http_client,
            "connections": limits.connections,
            "ssl_context": ssl_context,
            "proxy": proxy,
            "base_url": self._service.base_url,
        }
        self._build_api()
        self.schedule: Schedule = polling or AdaptivePolling(self._service)
        self.gates: Gates = self._build_gates(self._member_of(share, on_outage, egress))
        self._home = Home()
        # Tells the time of the event loop where it lives; set by `enter`.
        self.now: Callable[[], float] = self._home.clock
        # Moment up to which trouble is not told aloud again.
        self._quiet_until = float("-inf")

    def _member_of(
        self,
        share: str | os.PathLike[str] | None,
        on_outage: Literal["keep", "stop"],
        egress: str | None,
    ) -> Member | None:
        if share is None:
            if egress is not None or on_outage != "keep":
                name = "on_outage" if egress is None else "egress"
                raise invalid(name, egress or on_outage, "left out without share")
            return None
        # Only who shares an account pays for this import.
        from .._sharing._open import make_member

        limits = self._limits
        member = make_member(
            share,
            service=self._service.name,
            api_key=self._key,
            in_flight=limits.in_flight,
            submits_per_second=limits.submits_per_second,
            requests_per_second=limits.requests_per_second,
            max_spend=limits.max_spend,
            per=A_YEAR if limits.per is None else limits.per,
            on_outage=on_outage,
            egress=egress,
        )
        if isinstance(self.schedule, AdaptivePolling):
            member.listener.take_learned = self.schedule.take_learned
            member.listener.learned = self.schedule.absorb
        return member

    def _build_gates(self, member: Member | None) -> Gates:
        prices = prices_by_model(self._limits.prices, self._service)
        return Gates(self._service, self._limits, prices, member)

    def _build_api(self) -> None:
        # The lanes belong to an event loop; a new loop gets new ones.
        self._transport = HttpTransport(**self._way)
        self.api: Api = Api(
            self._transport,
            self._service,
            self._key,
            request_timeout=self._limits.request_timeout,
        )

    def __repr__(self) -> str:
        gates = self.gates
        return f"<Account at {self._service.name}, fuse {gates.fuse.state}, {gates.slots!r}>"

    @property
    def service(self) -> Service:
        """The service's profile."""
        return self._service

    @property
    def name(self) -> str:
        """What it is called: as given, or by its service."""
        return self._name or self._service.name

    @property
    def is_named(self) -> bool:
        """Whether the name was given."""
        return self._name is not None

    @cached_property
    def owner(self) -> Owner:
        """Under whom a journal has its tasks: the service, and a digest of the key."""
        # Imported late: most clients have no journal.
        from .._journal import Owner

        return Owner.of(self._service.name, self._key)

    @property
    def limits(self) -> Limits:
        """What it may do at once."""
        return self._limits

    # -- clients ----------------------------------------------------------------------------------

    def join(self, tenant: Tenant) -> None:
        """Count a client among those that use the account."""
        if not self.gates.tenants and self._transport.closed:
            self._build_api()
        self.gates.tenants[tenant] = None

    async def leave(self, tenant: Tenant) -> None:
        """Stop what a client waits for; the lanes are closed with the last one."""
        try:
            self.gates.stop(tenant)
        finally:
            await self._leave(tenant)

    async def _leave(self, tenant: Tenant) -> None:
        if self.gates.tenants.pop(tenant, tenant) is None and not self.gates.tenants:
            if self._home.is_gone:
                self._transport.abandon()
                self.gates.abandon()
                return
            try:
                await self._transport.aclose()
            finally:
                await self.gates.part()

    @property
    def is_homeless(self) -> bool:
        """Whether the event loop that it was used in has ended."""
        return self._home.is_gone

    def enter(self) -> None:
        """Check that the caller is in the account's event loop; begin afresh in a new one.

        Raises:
            WrongEventLoop: it is not; nothing was sent.
        """
        ahead = self._home.enter(is_open=self.gates.in_use)
        self.now = self._home.clock
        if ahead is None:
            return
        self._transport.abandon()
        self._build_api()
        self.gates.shift(ahead)

    # -- requests ---------------------------------------------------------------------------------

    def admit(
        self,
        kind: RequestKind,
        tenant: Tenant,
        submission: Submission | None = None,
        *,
        deadline: float = float("inf"),
    ) -> Admission:
        """Wait until a request may be sent, and send it inside of this.

        Args:
            kind: of the request.
            tenant: whose it is.
            submission: the task to be created.
            deadline: moment up to which the caller waits; a pause beyond is told at once.

        Raises:
            AccountError: the fuse is open; nothing was sent.
            ClientClosed: the client was closed; nothing was sent.
            SpendLimitReached: the money does not suffice; nothing was sent.
            RateLimited: the service asked for a pause that is too long; nothing was sent.
        """
        return Admission(self.gates, kind, tenant, submission, deadline)

    def give_back_slot(self, submission: Submission) -> None:
        """Free the slot of a task that has ended, or was given up, if it holds one."""
        if submission.has_slot:
            submission.has_slot = False
            self.gates.slots.semaphore.release()

    def tell_retry(self, error: CaptchaError, delay: float, attempt: int) -> None:
        """Note and log that a request is going to be sent again.

        The first time it is a warning, so that nobody waits without knowing what for; but not for
        each of the many tasks that have the same trouble.
        """
        self.gates.next_attempt.note(delay)
        now = anyio.current_time()
        aloud = attempt == 1 and now >= self._quiet_until
        if aloud:
            self._quiet_until = now + QUIET_FOR
        requests.log(
            logging.WARNING if aloud else logging.DEBUG,
            "%s: attempt %d failed, the next one is in %.1f s: %s",
            self._service.name,
            attempt,
            delay,
            error,
            extra={"service": self._service.name, "account": self.name, "attempt": attempt},
        )

    def journal_of(self, journal: Journal | None) -> ClientJournal:
        """Return a client's use of *journal*, under this account's name."""
        return ClientJournal(journal, lambda: self.owner)

    def lanes(self) -> LaneStatistics | None:
        """Return the lanes' numbers; None with an httpx client of the user's."""
        return self._transport.statistics()


def _limits_given(limits: Limits | None) -> Limits:
    if limits is not None and not isinstance(limits, Limits):
        raise invalid("limits", limits, "a Limits")
    return limits or Limits()

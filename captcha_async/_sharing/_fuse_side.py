"""The fuses of a shared account, as one process knows them, and what it has to tell of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import anyio
import attrs
import orjson

from .. import errors
from ..errors import AccountBlocked, ServiceError, ServiceUnavailable
from ._messages import SECOND

__all__ = ["FuseSide", "read_error", "write_error"]


def write_error(error: ServiceError) -> str:
    """Return an error as text; its message holds no secret."""
    known = {"kind": type(error).__name__, "message": str(error.args[0])}
    for name in ("code", "description", "error_id", "http_status", "retry_after"):
        value = getattr(error, name)
        if value is not None:
            known[name] = value
    return orjson.dumps(known).decode()


def read_error(text: str) -> ServiceError:
    """Make the error again that another process has written."""
    details: dict[str, Any] = orjson.loads(text)
    kind = getattr(errors, str(details.pop("kind", "")), None)
    message = str(details.pop("message", "The account cannot be used."))
    if not (isinstance(kind, type) and issubclass(kind, ServiceError)):
        # Of another version: nothing more is known than that requests are to stop.
        kind = ServiceUnavailable
    return kind(message, **details)


@attrs.define
class _Known:
    """One fuse."""

    number: int = 0
    error: str = ""
    until: float = float("-inf")


@attrs.define(eq=False)
class Saying:
    """Something to tell of a fuse; `probe` waits for its answer."""

    what: str
    scope: str
    number: int = 0
    span: float = 0.0
    error: str = ""
    answered: anyio.Event = attrs.field(factory=anyio.Event)
    answer: int = 0


class Ask(Protocol):
    """Has an exchange made soon, or at once."""

    def __call__(self, *, at_once: bool = False) -> None: ...


class FuseSide:
    """The account's fuse, and that of the egress.

    Args:
        egress: how the user names the address by which this process goes out.
        ask: called when there is something to tell.
        changed: told the error that stops requests and for how many seconds; None when they go on.
    """

    def __init__(
        self,
        egress: str,
        ask: Ask,
        changed: Callable[[ServiceError | None, float], None],
    ) -> None:
        self._egress = egress
        self._ask = ask
        self._changed = changed
        self._known: dict[str, _Known] = {scope: _Known() for scope in {"", egress}}
        self._sayings: deque[Saying] = deque()

    @property
    def _scope(self) -> str | None:
        """The fuse that is blown: the account's before that of the egress."""
        for scope in ("", self._egress):
            if self._known[scope].error:
                return scope
        return None

    # -- what this process has to tell ------------------------------------------------------------

    def blow(self, error: ServiceError, seconds: float) -> None:
        """Tell all that the service has refused the account; a ban is that of the egress."""
        scope = self._egress if isinstance(error, AccountBlocked) else ""
        text = write_error(error)
        known = self._known[scope]
        known.error = text
        known.until = max(known.until, anyio.current_time() + seconds)
        self._say(Saying("blow", scope, span=seconds, error=text))

    def mend(self, *, by_hand: bool) -> None:
        """Tell all that the account is accepted again."""
        for scope, known in self._known.items():
            if known.error or by_hand:
                known.error, known.until = "", float("-inf")
                self._say(Saying("close", scope, number=-1 if by_hand else known.number))

    async def may_probe(self, seconds: float) -> bool:
        """Ask whether this process may send the one probe; wait *seconds* at most for the answer.

        The fuse is closed for this process if it turns out to be for all.
        """
        scope = self._scope
        if scope is None:
            return True
        saying = Saying("probe", scope, span=seconds)
        self._say(saying)
        with anyio.move_on_after(5.0):
            await saying.answered.wait()
        if saying in self._sayings:
            self._sayings.remove(saying)
        if saying.answer < 0:
            self._learn(scope, _Known(self._known[scope].number))
        return saying.answer > 0

    def _say(self, saying: Saying) -> None:
        self._sayings.append(saying)
        # The others are to stop now; what many requests that were on the wire have to add can wait.
        self._ask(at_once=len(self._sayings) == 1)

    def next_saying(self) -> Saying | None:
        """Return what the next report is to tell."""
        return self._sayings[0] if self._sayings else None

    def said(self, saying: Saying, answer: int) -> None:
        """Note that it was told."""
        if saying in self._sayings:
            self._sayings.remove(saying)
        saying.answer = answer
        saying.answered.set()
        if self._sayings:
            self._ask()

    # -- what others tell -------------------------------------------------------------------------

    def news(self, scope: str, number: int, span: int, error: str) -> None:
        """Take what a message or a grant tells."""
        known = self._known.get(scope)
        if known is None:
            return
        if number > known.number:
            self._learn(scope, _Known(number, error, anyio.current_time() + span / SECOND))
        elif number < known.number and known.error and not self._sayings:
            # The store has forgotten it.
            left = max(0.0, known.until - anyio.current_time())
            self._say(Saying("tell", scope, known.number, left, known.error))

    def _learn(self, scope: str, known: _Known) -> None:
        before = self._scope
        # What this process has to tell is newer; the grant that answers it says what came of it.
        if any(saying.what in ("blow", "close") for saying in self._sayings):
            return
        self._known[scope] = known
        after = self._scope
        if after is not None:
            left = max(0.0, self._known[after].until - anyio.current_time())
            self._changed(read_error(self._known[after].error), left)
        elif before is not None:
            self._changed(None, 0.0)

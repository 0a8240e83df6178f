"""The callbacks of one client: those it expects, what it counted, and whether it gave up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import ServiceError
from ..services import Service

if TYPE_CHECKING:
    from .._sharing._callbacks import SharedCallbacks
    from ._callback import Callback
    from ._receiver import CallbackReceiver
    from ._tally import CallbackStatistics, Tally

__all__ = ["ClientCallbacks"]

logger = logging.getLogger("captcha_async")

# What CapMonster answers when it cannot reach the address, or is down. No service documents a code
# for an address whose domain has to be registered, so the words are looked at as well.
UNREACHABLE = "ERROR_SERVICE_NOT_AVAILABLE"
WORDS = ("callback", "pingback")


class ClientCallbacks:
    """The callbacks of one client, whose receiver may serve others as well.

    Args:
        receiver: the client's receiver; None if it has none and polls.
        service: its service.
        shared: the callbacks of all processes, if the account is shared.
    """

    def __init__(
        self,
        receiver: CallbackReceiver | None,
        service: Service,
        shared: SharedCallbacks | None = None,
    ) -> None:
        self._receiver = receiver
        self._service = service
        self._shared = shared
        # This client's part of the receiver's numbers; there is none without a receiver.
        self._tally: Tally
        if receiver is not None:
            from ._tally import Tally

            self._tally = Tally()
        # Set for good by `give_up`: from then on the client polls.
        self._refused = False
        # Whether the receiver hands over what comes for other processes; ended by `close`.
        self._relays = receiver is not None and shared is not None
        if receiver is not None and shared is not None:
            receiver.relay(shared)

    def close(self) -> None:
        """Hand nothing over any more."""
        if self._relays and self._receiver is not None and self._shared is not None:
            self._relays = False
            self._receiver.unrelay(self._shared)

    def expect(self) -> Callback | None:
        """Make the callback of a submission; None if the task is to be polled for."""
        if self._receiver is None or self._refused:
            return None
        token = None if self._shared is None else self._shared.make_token()
        return self._receiver.expect(self._tally, token)

    def token_of(self, callback: Callback | None) -> str:
        """Return what another process needs to find a callback; empty if it cannot."""
        shared = callback is not None and self._shared is not None
        return callback.token.decode() if callback is not None and shared else ""

    def expect_again(self, token: str) -> Callback | None:
        """Make the callback of a task that another process, or an earlier client, has submitted;
        None if there is none of that token.
        """
        if self._receiver is None or self._shared is None or self._shared.owner(token) is None:
            return None
        callback = self._receiver.expect_again(token, self._tally)
        callback.resumed = True
        return callback

    async def fetch(self, token: str) -> None:
        """Look whether a callback came meanwhile, and is kept."""
        body = None if self._shared is None else await self._shared.kept(token)
        if body is not None:
            self.posted(token, body)

    def posted(self, token: str, body: bytes) -> bool:
        """Take a callback that came elsewhere and was handed over; tell whether it is of us."""
        if self._receiver is None or self._shared is None:
            return False
        return self._receiver.posted(token, body, self._shared)

    def refuses(self, error: ServiceError) -> bool:
        """Tell whether an error of createTask may be about the address of the callback."""
        said = f"{error.code} {error.description}".lower()
        return error.code == UNREACHABLE or any(word in said for word in WORDS)

    def give_up(self, error: ServiceError) -> None:
        """Poll from now on: the service takes tasks, but not with a callback of ours."""
        if not self._refused:
            self._refused = True
            logger.warning(
                "%s refuses tasks with our callback URL (%s) and takes them without, so this "
                "client polls from now on: check that the service can reach public_url, and %s.",
                self._service.name,
                error.code,
                self._service.callback_setup
                or "that its domain is registered there if the service wants that",
            )

    def statistics(self) -> CallbackStatistics | None:
        """Return the client's numbers; None if it has no receiver."""
        return None if self._receiver is None else self._tally.snapshot()

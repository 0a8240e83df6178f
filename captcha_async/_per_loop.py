"""ClientPerLoop: a client wherever an engine calls from, opened when it is first needed.

Engines such as Ray, Dask, Taskiq and Celery call from tasks, threads and event loops of their own,
in processes that they start and end; a client belongs to one event loop of one process.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any, final

import anyio
import anyio.from_thread
import attrs
from anyio.lowlevel import EventLoopToken, current_token

from ._account._home import has_ended
from ._checks import check_timeout
from ._client import CaptchaClient
from .errors import invalid

__all__ = ["ClientPerLoop"]

logger = logging.getLogger("captcha_async")


@attrs.define(eq=False)
class _Place:
    """One event loop of one process, and its client."""

    token: EventLoopToken
    # Held while the client is opened or closed.
    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    # Set by the first `get`, and again by one after an `aclose`.
    client: CaptchaClient | None = None


@final
class ClientPerLoop:
    """A client for each event loop that asks for one, opened with the first call and kept.

    Make one where the engine loads your code; it opens nothing, may be made before a fork, and
    pickles without what it has opened:

    ```python
    clients = ClientPerLoop(lambda: CaptchaClient(account=Account(share="account.db")))


    async def solve_shard(shard):  # called by the engine, in whatever process
        client = await clients.get()
        async with client.batch(shard, resume=True) as outcomes:
            return [outcome async for outcome in outcomes]
    ```

    Any number of tasks and threads may use it at once. Each event loop has a client of its own,
    with limits of its own unless their accounts are shared (`share=`).

    Args:
        make: called in the event loop for each client; it makes the account as well, if it gives
            one. To pickle, it is a function of a module, or the engine pickles it by value.
    """

    def __init__(self, make: Callable[[], CaptchaClient]) -> None:
        if not callable(make):
            raise invalid("make", make, "a function that returns a CaptchaClient")
        self._make = make
        # {(process, event loop): its place}. Threads change it by single operations, each of them
        # atomic. A place enters with the first `get`, and leaves with `aclose`, or when a `get`
        # finds that its loop has ended. Those of the process that this one was forked from stay.
        self._places: dict[tuple[int, Any], _Place] = {}

    def __repr__(self) -> str:
        count = sum(place.client is not None for place in self._here())
        return f"<ClientPerLoop: {count} open>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (ClientPerLoop, (self._make,))

    async def get(self) -> CaptchaClient:
        """Return the client of this event loop, open.

        It is not to be closed but by `aclose` or `close`.

        Raises:
            InvalidArgument: *make* has returned something else.
            CaptchaError: it could not be opened; the next call tries again.
        """
        await self._clear()
        token = current_token()
        at = (os.getpid(), token.native_token)
        while True:
            place = self._places.setdefault(at, _Place(token))
            async with place.lock:
                # Whoever has closed it meanwhile has taken it out.
                if self._places.get(at) is place:
                    if place.client is None:
                        place.client = await self._open()
                    return place.client

    async def _open(self) -> CaptchaClient:
        client = self._make()
        if not isinstance(client, CaptchaClient):
            raise invalid("make()", client, "a CaptchaClient", show=False)
        # It closes itself if that fails.
        return await client.__aenter__()

    async def aclose(self, *, drain: float | None = None) -> None:
        """Close the client of this event loop, if there is one; a later `get` opens another.

        Args:
            drain: seconds to wait before for what nobody waits for, as in `CaptchaClient.aclose`.
        """
        check_timeout(drain)
        await self._clear()
        place = self._places.pop((os.getpid(), current_token().native_token), None)
        if place is None:
            return
        async with place.lock:
            client, place.client = place.client, None
            if client is not None:
                await client.aclose(drain=drain)

    def close(self, *, timeout: float | None = 5.0) -> None:
        """Close the clients of all event loops of this process, from a thread that has none.

        For `atexit`, `__del__`, signals of an engine, and whatever else cannot await. A loop that
        does not run is passed over when the time is up.

        Args:
            timeout: seconds for all of it; None waits for ever.

        Raises:
            RuntimeError: an event loop runs in this thread: await `aclose()` there.
        """
        check_timeout(timeout)
        try:
            current_token()
        except anyio.NoEventLoopError:
            pass
        else:
            raise RuntimeError("an event loop runs in this thread: `await clients.aclose()`")
        # All at once, and in threads that end with the process: each waits for its loop.
        tokens = [place.token for place in self._here()]
        closing = [
            threading.Thread(target=_close_at, args=(self, token), daemon=True) for token in tokens
        ]
        for thread in closing:
            thread.start()
        waiting = threading.Thread(target=_join, args=(closing,), daemon=True)
        waiting.start()
        waiting.join(timeout)

    def _here(self) -> list[_Place]:
        """Return the places of this process."""
        me = os.getpid()
        return [place for (pid, _), place in list(self._places.items()) if pid == me]

    async def _clear(self) -> None:
        """Close what is left of loops that have ended."""
        for place in self._here():
            if not has_ended(place.token.native_token):
                continue
            if self._places.pop((os.getpid(), place.token.native_token), None) is not None:
                client, place.client = place.client, None
                if client is not None:
                    await client.aclose()


def _close_at(clients: ClientPerLoop, token: EventLoopToken) -> None:
    """Close the client of another thread's event loop."""
    try:
        anyio.from_thread.run(clients.aclose, token=token)
    except anyio.RunFinishedError:
        # The loop has ended by itself, and the client with it.
        pass
    except Exception:
        logger.exception("a client could not be closed")


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()

"""The store in Redis, for a fleet; the one place that knows coredis (extra `redis`).

All keys of an account have one hash tag, and live on for a while after the last contact only.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import anyio
from anyio.abc import ByteStream

from ..errors import invalid
from ._messages import SECOND, Grant, Report
from ._redis_scripts import SCRIPTS
from ._redis_state import read_state
from ._state import State
from ._store import (
    PATIENCE,
    RESULT_LIFE,
    Change,
    Found,
    Life,
    Post,
    Posts,
    StoreForgot,
    StoreRefused,
    StoreUnreachable,
    post_key,
    tag_bytes,
)

__all__ = ["PREFIX", "RedisStore", "masked"]

PREFIX = "captcha-async"
PORT = 6379
TIMEOUT = 2.0
"""Seconds for one call; an exchange takes less than a millisecond."""
LIFE = 24 * 3600.0
"""Seconds that the keys live without contact; at least twice the window of the spending cap."""
SCHEMES = ("redis", "rediss", "unix")


def masked(url: str) -> str:
    """Return a store's URL without what is secret in it."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{'***@' if '@' in parts.netloc else ''}{host}{port}{parts.path}"


@contextmanager
def _told(place: str) -> Generator[None]:
    """Turn what goes wrong with Redis into the store's errors; its URL holds a password."""
    from coredis import exceptions

    try:
        yield
    except (exceptions.AuthenticationError, exceptions.AuthorizationError) as error:
        raise StoreRefused(f"{place} refuses the user or a command: {error}") from None
    except (
        exceptions.ConnectionError,
        exceptions.ReadOnlyError,
        exceptions.ClusterError,
        OSError,
        TimeoutError,
        anyio.ClosedResourceError,
        anyio.BrokenResourceError,
        anyio.EndOfStream,
    ) as error:
        raise StoreUnreachable(f"{place} cannot be reached ({type(error).__name__})") from None
    except exceptions.RedisError as error:
        text = str(error)
        # Loading, failing over, out of memory, or busy with a script of somebody else.
        if text.split(" ")[0] in (
            "LOADING",
            "MASTERDOWN",
            "OOM",
            "BUSY",
            "TRYAGAIN",
            "CLUSTERDOWN",
        ):
            raise StoreUnreachable(f"{place} cannot be used now ({text})") from None
        raise StoreRefused(f"{place} does not do as it should: {text}") from None


class RedisStore:
    """One account's store in Redis, Valkey, or what else speaks their protocol.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://`; `?prefix=` names what keys begin with.
        name: the account's name there.
    """

    def __init__(self, url: str, name: str) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        prefix = options.pop("prefix", PREFIX)
        self.place: str = masked(url)
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        self._tls = parts.scheme == "rediss"
        # The hash tag keeps the keys of an account together in a cluster.
        self._prefix = f"{prefix}:{{{name}}}:"
        self._client: Any = None
        self._last: dict[str, str] = {}
        self._scripts: dict[str, Any] = {}
        names = (
            "state",
            "members",
            "leases",
            "queue0",
            "queue1",
            "queue2",
            "spent",
            "fuses",
            "news",
        )
        self._keys = [self._prefix + name for name in names]

    def __repr__(self) -> str:
        return f"<RedisStore {self.place}>"

    def _connect(self) -> Any:
        from coredis import Redis

        options: dict[str, Any] = {"connect_timeout": TIMEOUT, "max_connections": 8}
        if self._tls and "ssl_" not in self._url:
            options["ssl_context"] = ssl.create_default_context()
        return Redis.from_url(self._url, verify_version=False, **options)

    @asynccontextmanager
    async def opened(self, me: str) -> AsyncGenerator[None]:
        """Connect; whoever has entered has to leave in the same task."""
        failure: Exception | None = None
        with _told(self.place):
            await self._knock()
            async with self._connect() as client:
                self._client = client
                try:
                    self._scripts = {name: client.register_script(text()) for name, text in SCRIPTS}
                    with anyio.fail_after(2 * TIMEOUT):
                        await self._find_ends(me)
                    yield
                except Exception as error:
                    # Its task group would wrap it.
                    failure = error
                finally:
                    self._client = None
            if failure is not None:
                raise failure

    async def _knock(self) -> None:
        """See whether somebody answers there; coredis logs a traceback for each failure."""
        parts = urlsplit(self._url)
        with anyio.fail_after(TIMEOUT):
            stream: ByteStream
            if parts.scheme == "unix":
                stream = await anyio.connect_unix(parts.path)
            else:
                stream = await anyio.connect_tcp(parts.hostname or "", parts.port or PORT)
        await stream.aclose()

    async def _find_ends(self, me: str) -> None:
        """News of before are in the next grant; the mailbox is read on from where it was."""
        news, box = self._prefix + "news", self._prefix + "in:" + me
        newest = {key: await self._client.xrevrange(key, count=1) for key in (news, box)}
        found = {key: _text(got[0].identifier) if got else "0-0" for key, got in newest.items()}
        self._last[news] = found[news]
        # A server that lost its memory may number anew.
        known = self._last.get(box, "0-0")
        self._last[box] = known if _order(known) <= _order(found[box]) else "0-0"

    async def _call(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        client = self._client
        if client is None:
            raise StoreUnreachable(f"{self.place} is not connected")
        with _told(self.place), anyio.fail_after(TIMEOUT):
            return await self._scripts[script](keys=keys, args=arguments)

    async def exchange(self, me: str, report: Report, wall: int | None = None) -> Grant:
        """Run the rules on the server; *wall* replaces its clock in tests."""
        life = int(1000 * max(LIFE, 2 * report.terms.per / SECOND))
        head = [self._prefix + "in:", me, "" if wall is None else wall, life]
        values = await self._call("exchange", self._keys, [*head, *report.flat()])
        return Grant.of([_text(value) if isinstance(value, bytes) else value for value in values])

    async def messages(self, me: str) -> list[str]:
        """Wait for messages in one blocking read; a dropped connection loses none."""
        client = self._client
        if client is None:
            raise StoreUnreachable(f"{self.place} is not connected")
        keys = (self._prefix + "news", self._prefix + "in:" + me)
        streams = {key: self._last.get(key, "0-0") for key in keys}
        with _told(self.place), anyio.fail_after(PATIENCE + TIMEOUT):
            got = await client.xread(streams, block=int(PATIENCE * 1000), count=500)
        texts: list[str] = []
        for key, entries in (got or {}).items():
            for entry in entries:
                self._last[_text(key)] = _text(entry.identifier)
                texts += [_text(value) for value in entry.field_values.values()]
        return texts

    # -- records ----------------------------------------------------------------------------------

    @property
    def _tally(self) -> list[str]:
        return [self._prefix + "tally", self._prefix + "posts"]

    async def post(self, posts: Sequence[Post]) -> None:
        """Leave callbacks by one script."""
        keys, arguments = self._tally, list[Any]([int(RESULT_LIFE * 1000), int(LIFE * 1000)])
        for post in posts:
            keys += (self._prefix + "in:" + post.to, self._record(post_key(post.token)))
            arguments += (post.token, post.body)
        await self._call("post", keys, arguments)

    async def unpost(self, tokens: Sequence[str]) -> None:
        """Forget callbacks."""
        records = [self._record(post_key(token)) for token in tokens]
        await self._call("unpost", [self._prefix + "posts", *records], list(tokens))

    async def posts(self) -> Posts:
        """Count callbacks."""
        return Posts(*await self._call("posts", self._tally, []))

    def _record(self, key: str) -> str:
        return f"{self._prefix}record:{key}"

    async def change(
        self, changes: Sequence[Change], life: Life | None = None
    ) -> list[bytes | None]:
        """Write records by one script, each if it may be."""
        arguments: list[Any] = [int(LIFE * 1000)]
        for change in changes:
            kept = max(1, int(change.seconds * 1000))
            arguments += (change.key, change.value or b"", tag_bytes(change.tag))
            arguments += (tag_bytes(change.expected), kept, change.owner)
        arguments += (0, 0) if life is None else (life.born, life.version)
        arguments.append(self._record(""))
        keys = [self._prefix + "owners", self._prefix + "state"]
        keys += (self._record(change.key) for change in changes)
        known: list[bytes] | None = await self._call("change", keys, arguments)
        if known is None:
            raise StoreForgot
        return [value or None for value in known]

    async def look(self, keys: Sequence[str]) -> list[Found | None]:
        """Return records, and whether their owners live."""
        names = [self._prefix + "owners", self._prefix + "members", *map(self._record, keys)]
        flat = await self._call("look", names, list(keys))
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return [Found(value, bool(lives)) if value else None for value, lives in pairs]

    async def left(self, me: str) -> list[tuple[str, bytes]]:
        """Return what the dead have left, page by page."""
        keys = [self._prefix + "owners", self._prefix + "members"]
        found: list[tuple[str, bytes]] = []
        cursor = "0"
        while True:
            head, *page = await self._call("left", keys, [self._record(""), me, cursor])
            found += zip(map(_text, page[::2]), page[1::2], strict=True)
            cursor = _text(head)
            if cursor == "0":
                return found

    async def merge(self, kind: str, numbers: list[int]) -> list[int]:
        """Add up what was learned."""
        from ._learned import FULL

        arguments = [" ".join(map(str, numbers)), FULL, int(LIFE * 1000)]
        text = await self._call("merge", [f"{self._prefix}learned:{kind}"], arguments)
        return [int(word) for word in _text(text).split()]

    async def state(self) -> State:
        """Return what is kept."""
        client = self._client
        if client is None:
            raise StoreUnreachable(f"{self.place} is not connected")
        state, members, _, *queues, spent, fuses, _ = self._keys
        with _told(self.place), anyio.fail_after(TIMEOUT):
            kept = read_state(
                await client.get(state),
                await client.hgetall(members),
                [await client.zrange(queue, 0, -1) for queue in queues],
                await client.hgetall(spent),
                await client.hgetall(fuses),
            )
            return kept.at(int((await client.time()).timestamp() * SECOND))


def check_redis_url(url: str) -> None:
    """Check the address of a store."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not (parts.hostname or parts.scheme == "unix"):
        raise invalid("share", masked(url), "a file's path, or redis://, rediss:// or unix://")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _order(identifier: str) -> tuple[int, int]:
    first, _, second = identifier.partition("-")
    return int(first), int(second or 0)

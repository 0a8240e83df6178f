"""The store in an SQLite file: for the processes of one machine, with nothing to install.

Each call is one transaction in a worker thread, so that a busy file never stops the event loop.
The clock is the wall clock, as SQLite reads it: the only one that all processes have in common.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import orjson

from ._learned import merged
from ._messages import SECOND, Grant, Mail, Report
from ._rules import exchange
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
)

__all__ = ["SqliteStore"]

T = TypeVar("T")

APPLICATION = 0x43417368
VERSION = 1
BUSY = 1.5
"""Seconds that a call waits for other processes to end their transactions."""
GLANCE = 0.015
"""Seconds from one look for messages to the next."""
MAIL_LIFE, NEWS_LIFE = RESULT_LIFE, 60.0
SWEEP_EVERY = 1000

# Milliseconds since 1970: `unixepoch('subsec')` would need SQLite 3.42.
NOW = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"

SCHEMA = (
    "CREATE TABLE account (name TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE mail (number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL,
        recipient TEXT NOT NULL, text TEXT NOT NULL, ends INTEGER NOT NULL)""",
    "CREATE INDEX mail_of ON mail (account, recipient, number)",
    """CREATE TABLE record (account TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
        ends INTEGER NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (account, key)) WITHOUT ROWID""",
    "CREATE INDEX record_owner ON record (account, owner) WHERE owner <> ''",
    "CREATE INDEX record_end ON record (ends)",
    """CREATE TABLE learned (account TEXT NOT NULL, kind TEXT NOT NULL, numbers BLOB NOT NULL,
        PRIMARY KEY (account, kind)) WITHOUT ROWID""",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)

TALLY = (
    "CREATE TABLE IF NOT EXISTS tally (account TEXT PRIMARY KEY, handed_over INTEGER NOT NULL) "
    "WITHOUT ROWID"
)

_TRANSIENT = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
)


@contextmanager
def _told(path: str) -> Generator[None]:
    """Turn what goes wrong with the file into the store's errors."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        kind = StoreUnreachable if code in _TRANSIENT else StoreRefused
        raise kind(f"the shared account's file {path} cannot be used ({error})") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreRefused(
            f"the shared account's file {path} cannot be opened: {reason}"
        ) from error


class SqliteStore:
    """One account's store in a file, which may hold several accounts.

    Args:
        path: the file; made if it does not exist.
        name: the account's name in it.
    """

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._name = name
        self._database: sqlite3.Connection | None = None
        # For looking at the file in the event loop: microseconds, and no lock that others hold.
        self._glances: sqlite3.Connection | None = None
        self._seen: int = -1
        self._last: int = 0
        # Whose mailbox was read up to that.
        self._me = ""
        self._calls = 0

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path}>"

    # -- opening ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def opened(self, me: str) -> AsyncGenerator[None]:
        """Open the file, made with its tables if need be."""
        # One thread at a time has the connection.
        self._limiter = anyio.CapacityLimiter(1)
        try:
            await self._in_thread(self._open, me)
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._in_thread(self._close)

    def _open(self, me: str) -> None:
        with _told(self._path):
            # Made by us, for SQLite would make it with the rights that the umask leaves.
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._database = self._connect()
            self._check()
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            with self._transaction() as database:
                if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in SCHEMA:
                        database.execute(statement)
                # Not in the first files of this version.
                database.execute(TALLY)
                (newest,) = database.execute("SELECT coalesce(max(number), 0) FROM mail").fetchone()
                # News of before are in the next grant; a member's mailbox is read on.
                if me != self._me or newest < self._last:
                    self._me, self._last = me, newest
            self._glances = self._connect()
            # Each connection counts on its own.
            self._seen = -1

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=BUSY, isolation_level=None, check_same_thread=False
        )

    def _check(self) -> None:
        database = self._db
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if (tables or application) and (application, version) != (APPLICATION, VERSION):
            raise StoreRefused(
                f"the file {self._path} is an SQLite file of another kind or version: give "
                "another path for the shared account"
            )

    def _close(self) -> None:
        for connection in (self._database, self._glances):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()
        self._database = self._glances = None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._database is None:
            raise StoreUnreachable(f"the shared account's file {self._path} is not open")
        return self._database

    async def _in_thread(self, operation: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(operation, *arguments, limiter=self._limiter)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with _told(self._path):
            database = self._db
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise

    # -- the account ------------------------------------------------------------------------------

    async def exchange(self, me: str, report: Report, wall: int | None = None) -> Grant:
        """Run the rules in one transaction; *wall* replaces the clock in tests."""
        return await self._in_thread(self._exchange, me, report, wall)

    def _exchange(self, me: str, report: Report, wall: int | None) -> Grant:
        with self._transaction() as database:
            (now,) = database.execute(f"SELECT {NOW}").fetchone()
            state = self._load(database)
            grant, mails = exchange(state, now * 1000 if wall is None else wall, me, report)
            database.execute(
                "INSERT OR REPLACE INTO account VALUES (?, ?)", (self._name, state.dump())
            )
            self._deliver(database, now, mails)
            self._calls += 1
            if self._calls % SWEEP_EVERY == 0:
                self._sweep(database, now)
            return grant

    def _load(self, database: sqlite3.Connection) -> State:
        row = database.execute("SELECT state FROM account WHERE name = ?", (self._name,)).fetchone()
        return State() if row is None else State.load(row[0])

    def _deliver(self, database: sqlite3.Connection, now: int, mails: list[Mail]) -> None:
        database.executemany(
            "INSERT INTO mail (account, recipient, text, ends) VALUES (?, ?, ?, ?)",
            [
                (
                    self._name,
                    mail.to,
                    mail.text,
                    now + int(1000 * (NEWS_LIFE if mail.to == "*" else MAIL_LIFE)),
                )
                for mail in mails
            ],
        )

    def _sweep(self, database: sqlite3.Connection, now: int) -> None:
        database.execute("DELETE FROM mail WHERE ends <= ?", (now,))
        database.execute("DELETE FROM record WHERE ends <= ?", (now,))

    async def messages(self, me: str) -> list[str]:
        """Look for messages, many times a second: SQLite cannot tell when there are some."""
        with anyio.move_on_after(PATIENCE):
            while True:
                if texts := self._glance(me):
                    return texts
                await anyio.sleep(GLANCE)
        return []

    def _glance(self, me: str) -> list[str]:
        if self._glances is None:
            raise StoreUnreachable(f"the shared account's file {self._path} is not open")
        with _told(self._path):
            (seen,) = self._glances.execute("PRAGMA data_version").fetchone()
            if seen == self._seen:
                return []
            rows = self._glances.execute(
                "SELECT number, text FROM mail WHERE account = ? AND recipient IN ('*', ?) AND "
                "number > ? ORDER BY number",
                (self._name, me, self._last),
            ).fetchall()
            self._seen = seen
        if rows:
            self._last = rows[-1][0]
        return [text for _, text in rows]

    async def state(self) -> State:
        """Return what is kept."""

        def look() -> State:
            with _told(self._path):
                (now,) = self._db.execute(f"SELECT {NOW}").fetchone()
                return self._load(self._db).at(now * 1000)

        return await self._in_thread(look)

    # -- records ----------------------------------------------------------------------------------

    async def post(self, posts: Sequence[Post]) -> None:
        """Leave callbacks in one transaction."""

        def leave() -> None:
            with self._transaction() as database:
                (now,) = database.execute(f"SELECT {NOW}").fetchone()
                for post in posts:
                    self._put(database, post_key(post.token), post.body, RESULT_LIFE, "")
                mails = [Mail(post.to, f"post {post.token}") for post in posts]
                self._deliver(database, now, mails)
                database.execute(
                    "INSERT INTO tally VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET "
                    "handed_over = handed_over + excluded.handed_over",
                    (self._name, len(posts)),
                )

        await self._in_thread(leave)

    async def unpost(self, tokens: Sequence[str]) -> None:
        """Forget callbacks."""

        def forget() -> None:
            with self._transaction() as database:
                database.executemany(
                    "DELETE FROM record WHERE account = ? AND key = ?",
                    [(self._name, post_key(token)) for token in tokens],
                )

        await self._in_thread(forget)

    async def posts(self) -> Posts:
        """Count callbacks."""

        def count() -> Posts:
            with _told(self._path):
                (kept,) = self._db.execute(
                    f"SELECT count(*) FROM record WHERE account = ? AND key >= ? AND key < ? "
                    f"AND ends > {NOW}",
                    (self._name, post_key(""), post_key("\U0010ffff")),
                ).fetchone()
                row = self._db.execute(
                    "SELECT handed_over FROM tally WHERE account = ?", (self._name,)
                ).fetchone()
                return Posts(0 if row is None else row[0], kept)

        return await self._in_thread(count)

    def _put(
        self, database: sqlite3.Connection, key: str, value: bytes, seconds: float, owner: str
    ) -> None:
        database.execute(
            f"INSERT OR REPLACE INTO record VALUES (?, ?, ?, {NOW} + ?, ?)",
            (self._name, key, value, int(seconds * SECOND) // 1000, owner),
        )

    def _get(self, database: sqlite3.Connection, key: str) -> bytes | None:
        row = database.execute(
            f"SELECT value FROM record WHERE account = ? AND key = ? AND ends > {NOW}",
            (self._name, key),
        ).fetchone()
        return None if row is None else bytes(row[0])

    async def change(
        self, changes: Sequence[Change], life: Life | None = None
    ) -> list[bytes | None]:
        """Write records in one transaction, each if it may be."""

        def put() -> list[bytes | None]:
            with self._transaction() as database:
                if life is not None:
                    (now,) = database.execute(f"SELECT {NOW}").fetchone()
                    if not life.goes_on(self._load(database), now * 1000):
                        raise StoreForgot
                return [self._change(database, change) for change in changes]

        return await self._in_thread(put)

    def _change(self, database: sqlite3.Connection, change: Change) -> bytes | None:
        known = self._get(database, change.key)
        if not change.may_replace(known):
            return known
        if change.value is None:
            database.execute(
                "DELETE FROM record WHERE account = ? AND key = ?", (self._name, change.key)
            )
        else:
            self._put(database, change.key, change.value, change.seconds, change.owner)
        return None

    async def look(self, keys: Sequence[str]) -> list[Found | None]:
        """Return records, and whether their owners live."""

        def look() -> list[Found | None]:
            with _told(self._path):
                living = self._living(self._db)
                return [self._found(self._db, key, living) for key in keys]

        return await self._in_thread(look)

    def _living(self, database: sqlite3.Connection) -> set[str]:
        members = self._load(database).members
        return {name for name, entry in members.items() if not entry.gone}

    def _found(self, database: sqlite3.Connection, key: str, living: set[str]) -> Found | None:
        row = database.execute(
            f"SELECT value, owner FROM record WHERE account = ? AND key = ? AND ends > {NOW}",
            (self._name, key),
        ).fetchone()
        return None if row is None else Found(bytes(row[0]), row[1] in living)

    async def left(self, me: str) -> list[tuple[str, bytes]]:
        """Return what the dead have left."""

        def look() -> list[tuple[str, bytes]]:
            with _told(self._path):
                living = self._living(self._db) | {"", me}
                rows = self._db.execute(
                    "SELECT key, value, owner FROM record WHERE account = ? AND owner <> '' AND "
                    f"ends > {NOW}",
                    (self._name,),
                )
                return [(key, bytes(value)) for key, value, owner in rows if owner not in living]

        return await self._in_thread(look)

    async def merge(self, kind: str, numbers: list[int]) -> list[int]:
        """Add up what was learned."""

        def add() -> list[int]:
            with self._transaction() as database:
                row = database.execute(
                    "SELECT numbers FROM learned WHERE account = ? AND kind = ?",
                    (self._name, kind),
                ).fetchone()
                known = merged([] if row is None else orjson.loads(row[0]), numbers)
                database.execute(
                    "INSERT OR REPLACE INTO learned VALUES (?, ?, ?)",
                    (self._name, kind, orjson.dumps(known)),
                )
                return known

        return await self._in_thread(add)

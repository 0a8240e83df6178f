"""The file: SQLite, for one thread. Its errors become `JournalError`, in words about the file."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import secrets
import sqlite3
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import orjson

from ..errors import JournalError
from ._record import COLUMNS, Owner, Place, Record

__all__ = ["Change", "Store"]

Change = tuple[Record, tuple[Any, ...] | None]
"""A record and the row to write; None to remove it."""

APPLICATION = 0x43417062
VERSION = 1
PATIENCE, TRIES = 0.05, 20
"""Seconds from one try to the next to open a file that is in use, perhaps by an ending process."""
PRUNE_EVERY = 10_000
"""Rows written from one pruning to the next."""

# The wall clock, which alone goes on while no process runs; read by SQLite, so that the library
# has one source of time. (`unixepoch()` would need SQLite 3.38.)
NOW = "CAST(strftime('%s', 'now') AS INTEGER)"

SCHEMA = (
    "CREATE TABLE meta (salt BLOB NOT NULL)",
    """CREATE TABLE submission (
        number INTEGER PRIMARY KEY, made INTEGER NOT NULL,
        service TEXT NOT NULL, account BLOB NOT NULL, type TEXT NOT NULL,
        batch TEXT, key TEXT, mark BLOB,
        state TEXT NOT NULL, task_id TEXT, polls INTEGER NOT NULL,
        cost TEXT, elapsed REAL, error TEXT, solution BLOB)""",
    "CREATE INDEX open_task ON submission (task_id) WHERE state = 'open'",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)

# What a later record may not know, because it was taken up by the task's id or read without it.
KEPT = ("batch", "key", "mark", "solution")
WRITE = (
    f"INSERT INTO submission (number, made, {', '.join(COLUMNS)}) "
    f"VALUES (?, {NOW}, {', '.join('?' * len(COLUMNS))}) ON CONFLICT (number) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in KEPT)
    + "".join(f", {name} = coalesce(excluded.{name}, {name})" for name in KEPT)
)
REMOVE = "DELETE FROM submission WHERE number = ?"
# All but the solution, which may be large.
READ = (
    f"SELECT number, {NOW} - made, {', '.join(COLUMNS[:-1])}, solution IS NOT NULL "
    "FROM submission WHERE "
)

_ADVICE = {
    sqlite3.SQLITE_BUSY: "is in use: only one client at a time may have it, so give each a file",
    sqlite3.SQLITE_LOCKED: "is in use: only one client at a time may have it, so give each a file",
    sqlite3.SQLITE_FULL: "cannot be written, the disk is full: make room",
    sqlite3.SQLITE_READONLY: "cannot be written: check who may write the file and its folder",
    sqlite3.SQLITE_PERM: "cannot be written: check who may write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check the path and who may write there",
    sqlite3.SQLITE_CORRUPT: "is damaged: move it away, and a new one is made",
    sqlite3.SQLITE_NOTADB: "is no journal: give another path, or move the file away",
    sqlite3.SQLITE_IOERR: "cannot be read or written: check the disk",
}


@contextmanager
def _told(path: str) -> Generator[None]:
    """Turn what goes wrong with the file into the library's error."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        # The lowest byte tells the kind, the others the details.
        advice = _ADVICE.get(-1 if code is None else code & 0xFF, "cannot be used")
        raise JournalError(f"The journal {path} {advice} ({error}).", path=path) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JournalError(
            f"The journal {path} cannot be opened: {reason}; check the path and who may write "
            "there.",
            path=path,
        ) from error


def _make(path: str) -> None:
    """Make the file if there is none: SQLite would make it with the rights that the umask leaves.

    One that is there is left alone, for closing it would take away the locks that this process has.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        # SQLite would open it to read, and then take the lock that it cannot have for a bad disk.
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path) from None


class Store:
    """An open journal file.

    Args:
        path: the file; made if it does not exist.
        keep: seconds after which rows are removed.

    Raises:
        JournalError: it cannot be used; the message tells why.
    """

    def __init__(self, path: str, keep: float) -> None:
        self._path = path
        self._keep = keep
        self._accounts: dict[Owner, bytes] = {}
        self._written = 0
        with _told(path):
            _make(path)
            for left in reversed(range(TRIES)):
                try:
                    self._connect()
                    return
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not left:
                        raise
                threading.Event().wait(PATIENCE * (1 + random.random()))

    def _connect(self) -> None:
        # Two that wait inside of SQLite, each with half a lock, would do so for ever.
        self._database = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            self._open()
        except BaseException:
            self._database.close()
            raise

    def _open(self) -> None:
        # The lock ends with the process, however that ends, and no other one gets in before.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        made = self._check()
        self._database.execute("PRAGMA journal_mode = WAL")
        # A commit is with the operating system then: it outlives the process, if not a power cut.
        self._database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            if not made:
                for statement in SCHEMA:
                    self._database.execute(statement)
                self._database.execute("INSERT INTO meta VALUES (?)", (secrets.token_bytes(16),))
            (self._salt,) = self._one("SELECT salt FROM meta")
            (last,) = self._one("SELECT coalesce(max(number), 0) FROM submission")
            # Rows before this one are of clients that are gone.
            self.first: int = last + 1
            self._next: int = self.first
            self._database.execute(
                "UPDATE submission SET state = 'uncertain' WHERE state = 'sending'"
            )
            self._prune()

    def _check(self) -> bool:
        """Tell whether the file is a journal or empty; a file of any other kind is left as it is.

        Raises:
            JournalError: it is neither.
        """
        (application,) = self._one("PRAGMA application_id")
        (version,) = self._one("PRAGMA user_version")
        (tables,) = self._one("SELECT count(*) FROM sqlite_master")
        if not tables and not application:
            return False
        if application != APPLICATION or version != VERSION:
            what = f"of version {version}" if application == APPLICATION else "of another program"
            raise JournalError(
                f"The file {self._path} is an SQLite file {what}, no journal of this version: "
                "give another path.",
                path=self._path,
            )
        (found,) = self._one("PRAGMA quick_check(1)")
        if found != "ok":
            raise JournalError(
                f"The journal {self._path} is damaged: move it away, and a new one is made.",
                path=self._path,
            )
        return True

    def _one(self, query: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._database.execute(query).fetchone()
        return row

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._database.close()

    # -- writing ----------------------------------------------------------------------------------

    def write(self, changes: Sequence[Change]) -> None:
        """Write the changes, all or none.

        Raises:
            JournalError: none was written.
        """
        rows, gone = [], []
        with _told(self._path), self._transaction():
            for record, row in changes:
                if record.number is None:
                    record.number = self._number(record)
                if row is None:
                    gone.append((record.number,))
                else:
                    rows.append((record.number, row[0], self._account(record.owner), *row[2:]))
            self._database.executemany(WRITE, rows)
            self._database.executemany(REMOVE, gone)
            self._written += len(rows)
            if self._written >= PRUNE_EVERY:
                self._written = 0
                self._prune()
        for record, row in changes:
            record.saved = row is not None

    def _number(self, record: Record) -> int:
        """Find the number of a task that was taken up by its id, or give a new one."""
        if record.task_id is not None:
            known = self._database.execute(
                "SELECT number FROM submission WHERE state = 'open' AND task_id = ? AND "
                "service = ? AND account = ?",
                (
                    orjson.dumps(record.task_id).decode(),
                    record.owner.service,
                    self._account(record.owner),
                ),
            ).fetchone()
            if known is not None:
                return int(known[0])
        number = self._next
        self._next += 1
        return number

    def _account(self, owner: Owner) -> bytes:
        """Return what stands for the account: no key can be tried against it in another file."""
        if owner not in self._accounts:
            digest = hashlib.blake2b(owner.digest, salt=self._salt, digest_size=16).digest()
            self._accounts[owner] = digest
        return self._accounts[owner]

    def _prune(self) -> None:
        self._database.execute(
            f"DELETE FROM submission WHERE made < {NOW} - ? AND "
            "(number < ? OR state NOT IN ('sending', 'open'))",
            (self._keep, self.first),
        )

    def forget(self, owner: Owner, number: int) -> None:
        """Remove an uncertain submission of an owner."""
        with _told(self._path):
            self._database.execute(
                "DELETE FROM submission WHERE number = ? AND state = 'uncertain' AND account = ?",
                (number, self._account(owner)),
            )

    # -- reading ----------------------------------------------------------------------------------

    def left_open(self, owner: Owner) -> list[Record]:
        """Return what clients before this one have paid for and not collected."""
        where = "state = 'open' AND number < ? AND service = ? AND account = ? ORDER BY number"
        return self._read(owner, where, self.first, owner.service, self._account(owner))

    def uncertain(self, owner: Owner) -> list[Record]:
        """Return the submissions whose outcome is unknown."""
        where = "state = 'uncertain' AND service = ? AND account = ? ORDER BY number"
        return self._read(owner, where, owner.service, self._account(owner))

    def batch(self, owner: Owner, name: str) -> list[Record]:
        """Return what there is of a batch, the latest last: solved by whomever, else of *owner*."""
        where = "batch = ? AND (state = 'solved' OR service = ? AND account = ?) ORDER BY number"
        return self._read(owner, where, name, owner.service, self._account(owner))

    def solution(self, number: int) -> bytes | None:
        """Return the solution of one submission."""
        with _told(self._path):
            row = self._database.execute(
                "SELECT solution FROM submission WHERE number = ?", (number,)
            ).fetchone()
        return None if row is None else row[0]

    def _read(self, owner: Owner, where: str, *values: object) -> list[Record]:
        with _told(self._path):
            rows: Iterable[Sequence[Any]] = self._database.execute(READ + where, values).fetchall()
        return [_record(owner, row) for row in rows]


def _record(owner: Owner, row: Sequence[Any]) -> Record:
    number, age, service, _, kind, batch, key, mark, state, task_id, *rest = row
    polls, cost, elapsed, error, has_solution = rest
    return Record(
        owner=owner if service == owner.service else Owner(service, b""),
        task_type=kind,
        place=None if batch is None else Place(batch, key, mark),
        state=state,
        task_id=None if task_id is None else orjson.loads(task_id),
        polls=polls,
        cost=cost,
        elapsed=elapsed,
        error=error,
        has_solution=bool(has_solution),
        number=number,
        saved=True,
        age=max(0, age),
    )

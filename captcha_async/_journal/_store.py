"""The file: SQLite, for one thread. Its errors become `JournalError`, in words about the file."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

from ..errors import JournalError
from ._owner import Owner
from ._record import Place, Record, dump_id, read_row, storable
from ._schema import KEYS, NOW, READ, REMOVE, WRITE, check_file, make_tables

__all__ = ["Change", "Store"]

Change = tuple[Record, tuple[Any, ...] | None]
"""A record and the row to write; None to remove it."""

PATIENCE, TRIES = 0.05, 20
"""Seconds from one try to the next to open a file that is in use, perhaps by an ending process."""
PRUNE_EVERY = 10_000
"""Rows written from one pruning to the next."""

# These are about a value, not about the file: another row may well be written.
ABOUT_A_VALUE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
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
    except ABOUT_A_VALUE:
        raise
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
        # What stands for each owner in this file; it does not change.
        self._accounts: dict[Owner, bytes] = {}
        # Rows since the last pruning.
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
        # A text that is damaged must not stand in the way of the rows around it.
        self._database.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        try:
            self._open()
        except BaseException:
            self._database.close()
            raise

    def _open(self) -> None:
        # The lock ends with the process, however that ends, and no other one gets in before. So no
        # two batches of one name, in whatever processes, can use one file at the same time.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = check_file(self._database, self._path)
        self._database.execute("PRAGMA journal_mode = WAL")
        # A commit is with the operating system then: it outlives the process, if not a power cut.
        self._database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            make_tables(self._database, version)
            self._salt, self._typed_from = self._one("SELECT salt, typed_from FROM meta")
            (last,) = self._one("SELECT coalesce(max(number), 0) FROM submission")
            # Rows before this one are of clients that are gone.
            self.first: int = last + 1
            # The number of the next row; only goes up.
            self._next: int = self.first
            self._database.execute(
                "UPDATE submission SET state = 'uncertain' WHERE state = 'sending'"
            )
            self._prune()

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
            JournalError: none was written, because of the file.
            Exception: none was written, because of a value in one of them.
        """
        rows, gone = [], []
        with _told(self._path), self._transaction():
            for record, row in changes:
                if not record.saved or record.number is None:
                    # Also if it had one: that may have gone to another, in a file opened anew.
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
                "SELECT number FROM submission WHERE state = 'open' AND task_id IN (?, ?) AND "
                "service = ? AND account = ?",
                # The number and its digits are one id, whichever the service has sent.
                (dump_id(record.task_id), dump_id(str(record.task_id)), *self._whose(record.owner)),
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

    def _whose(self, owner: Owner) -> tuple[str | bytes, bytes]:
        return storable(owner.service), self._account(owner)

    def _prune(self) -> None:
        self._database.execute(
            f"DELETE FROM submission WHERE made < {NOW} - ? AND "
            "(number < ? OR state NOT IN ('sending', 'open'))",
            (self._keep, self.first),
        )

    def forget(self, owner: Owner, number: int) -> None:
        """Remove an uncertain submission of an owner; anything else is left as it is."""
        with _told(self._path), self._transaction():
            found = self._read(
                owner, "number = ? AND service = ? AND account = ?", number, *self._whose(owner)
            )
            if found and found[0].state == "uncertain":
                self._database.execute(REMOVE, (number,))

    def forget_batch(self, owners: Sequence[Owner], name: str) -> tuple[int, int, int]:
        """Let nothing be known of a batch any more, unless something of it is unsettled.

        The rows stay, as those of tasks that were in no batch: they tell what was paid.

        Returns:
            How many keys are forgotten; or else how many tasks are open, and how many uncertain.
        """
        with _told(self._path), self._transaction():
            where = "batch = ? AND service = ? AND account = ? AND state NOT IN "
            unsettled = [
                record
                for owner in owners
                for record in self._read(
                    owner,
                    where + "('solved', 'failed', 'expired')",
                    storable(name),
                    *self._whose(owner),
                )
            ]
            if unsettled:
                uncertain = sum(record.state == "uncertain" for record in unsettled)
                return 0, len(unsettled) - uncertain, uncertain
            done = 0
            for owner in owners:
                done += self._database.execute(
                    "UPDATE submission SET batch = NULL, key = NULL, mark = NULL, solution = NULL "
                    "WHERE batch = ? AND (state = 'solved' OR service = ? AND account = ?)",
                    (storable(name), *self._whose(owner)),
                ).rowcount
            return done, 0, 0

    # -- reading ----------------------------------------------------------------------------------

    def left_open(self, owner: Owner, after: int, most: int) -> list[Record]:
        """Return what clients before this one have paid for and not collected, a page at a time."""
        where = "state = 'open' AND number < ? AND service = ? AND account = ? AND number > ?"
        return self._page(owner, where, self.first, *self._whose(owner), after, most)

    def uncertain(self, owner: Owner, after: int, most: int) -> list[Record]:
        """Return the submissions whose outcome is unknown, or damaged, a page at a time.

        What is open and in order is among them, and to be left out.
        """
        where = (
            "state NOT IN ('solved', 'failed', 'expired', 'sending') AND (state <> 'open' OR "
            "number < ?) AND service = ? AND account = ? AND number > ?"
        )
        return self._page(owner, where, self.first, *self._whose(owner), after, most)

    def find(self, owner: Owner, place: Place) -> Record | None:
        """Return what there is of a key: an answer, by whomever, or the owner's last attempt."""
        found = self._at(owner, place.batch, place.key)
        if found is None and place.old_key is not None:
            found = self._at(owner, place.batch, place.old_key)
            if found is not None and (found.number or 0) >= self._typed_from:
                return None
        if found is not None and found.state == "solved" and found.has_solution:
            found.stored = self.solution(found.number or 0)
        return found

    def _at(self, owner: Owner, batch: str, key: str) -> Record | None:
        where = "batch = ? AND key = ? AND (state = 'solved' OR service = ? AND account = ?) "
        # An answer is not replaced by a later attempt that brought none.
        order = "ORDER BY state = 'solved' DESC, number * CASE state WHEN 'solved' THEN 1 ELSE -1 "
        found = self._read(
            owner, f"{where}{order}END LIMIT 1", storable(batch), key, *self._whose(owner)
        )
        return found[0] if found else None

    def taken(self, name: str, after: str, most: int) -> list[tuple[str, bytes | None]]:
        """Return (key, mark) of the answers of a batch that were taken and are not stored.

        A page of them at a time, in the order of the keys, from the one that follows on *after*.
        """
        with _told(self._path):
            return self._database.execute(
                "SELECT key, mark FROM submission WHERE batch = ? AND key > ? AND "
                "state = 'solved' AND solution IS NULL ORDER BY key LIMIT ?",
                (storable(name), after, most),
            ).fetchall()

    def solution(self, number: int) -> bytes | None:
        """Return the solution of one submission."""
        with _told(self._path):
            row = self._database.execute(
                "SELECT solution FROM submission WHERE number = ?", (number,)
            ).fetchone()
        return None if row is None else row[0]

    def spent_since(self, owner: Owner, moment: float) -> list[tuple[float, Decimal]]:
        """Return what an owner has paid since a *moment* of the wall clock (seconds from 1970).

        What nobody knows the cost of counts with what was set aside for it.

        Returns:
            (seconds ago, cost), the oldest first, added up for each second.
        """
        query = f"""
            SELECT CAST({NOW} - made - coalesce(elapsed, 0) AS INTEGER) AS ago,
                CASE WHEN cost IS NOT NULL THEN cost WHEN state <> 'failed' THEN reserved END AS
                price, count(*)
            FROM submission
            WHERE service = ? AND account = ? AND price IS NOT NULL
                AND made + coalesce(elapsed, 0) >= ?
            GROUP BY ago, price ORDER BY ago DESC"""
        with _told(self._path):
            rows = self._database.execute(query, (*self._whose(owner), moment)).fetchall()
        return _added_up(rows)

    def now(self) -> float:
        """Return the wall clock's time, in seconds from 1970."""
        with _told(self._path):
            (moment,) = self._one(f"SELECT {NOW}")
        return float(moment)

    def _page(self, owner: Owner, where: str, *values: object) -> list[Record]:
        return self._read(owner, f"{where} ORDER BY number LIMIT ?", *values)

    def _read(self, owner: Owner, where: str, *values: object) -> list[Record]:
        with _told(self._path):
            rows = self._database.execute(READ + where, values).fetchall()
        return [read_row(owner, dict(zip(KEYS, row, strict=True))) for row in rows]


def _added_up(rows: list[tuple[Any, Any, int]]) -> list[tuple[float, Decimal]]:
    """Add up the prices of each second."""
    sums: dict[float, Decimal] = {}
    for ago, text, times in rows:
        with suppress(ArithmeticError):  # a price that is damaged
            price = Decimal(str(text))
            if price.is_finite():
                sums[max(0.0, float(ago))] = sums.get(max(0.0, float(ago)), Decimal(0)) + (
                    price * times
                )
    return list(sums.items())

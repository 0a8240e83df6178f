"""The form of the file, from the first version to this one, and whether a file has it."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any

from ..errors import JournalError
from ._record import COLUMNS

__all__ = ["KEYS", "NOW", "READ", "REMOVE", "WRITE", "check_file", "make_tables"]

APPLICATION = 0x43417062
VERSION = 3

# The wall clock, which alone goes on while no process runs; read by SQLite, so that the library
# has one source of time. (`unixepoch('subsec')` would need SQLite 3.42.)
NOW = "((julianday('now') - 2440587.5) * 86400.0)"

SCHEMA = (
    "CREATE TABLE meta (salt BLOB NOT NULL, typed_from INTEGER NOT NULL DEFAULT 1)",
    """CREATE TABLE submission (
        number INTEGER PRIMARY KEY, made REAL NOT NULL,
        service TEXT NOT NULL, account BLOB NOT NULL, type TEXT NOT NULL,
        batch TEXT, key TEXT, mark BLOB,
        state TEXT NOT NULL, task_id TEXT, polls INTEGER NOT NULL,
        reserved TEXT, cost TEXT, since REAL, elapsed REAL, error TEXT, token TEXT,
        solution BLOB)""",
    "CREATE INDEX open_task ON submission (task_id) WHERE state = 'open'",
    "CREATE INDEX batch_key ON submission (batch, key) WHERE batch IS NOT NULL",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)

# From version 1, whose keys did not tell a path or a UUID from a string: rows before `typed_from`
# have such keys.
FROM_VERSION_1 = (
    "ALTER TABLE meta ADD COLUMN typed_from INTEGER NOT NULL DEFAULT 1",
    "UPDATE meta SET typed_from = (SELECT coalesce(max(number), 0) + 1 FROM submission)",
    "ALTER TABLE submission ADD COLUMN reserved TEXT",
    "ALTER TABLE submission ADD COLUMN since REAL",
    "CREATE INDEX batch_key ON submission (batch, key) WHERE batch IS NOT NULL",
)
# From version 2, which did not know the tokens of callbacks.
FROM_VERSION_2 = (
    "ALTER TABLE submission ADD COLUMN token TEXT",
    f"PRAGMA user_version = {VERSION}",
)

# What a later record may not know, because it was taken up by the task's id or read without it.
KEPT = ("batch", "key", "mark", "reserved", "since", "token", "solution")
WRITE = (
    f"INSERT INTO submission (number, made, {', '.join(COLUMNS)}) "
    f"VALUES (?, {NOW}, {', '.join('?' * len(COLUMNS))}) ON CONFLICT (number) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in KEPT)
    + "".join(f", {name} = coalesce(excluded.{name}, {name})" for name in KEPT)
)
REMOVE = "DELETE FROM submission WHERE number = ?"

# All but the solution, which may be large.
KEYS = ("number", "age", *COLUMNS[:-1], "has_solution")
READ = (
    f"SELECT number, {NOW} - made, {', '.join(COLUMNS[:-1])}, solution IS NOT NULL "
    "FROM submission WHERE "
)


def check_file(database: sqlite3.Connection, path: str) -> int:
    """Return the version of a file, 0 if it is empty; one of any other kind is left as it is.

    Raises:
        JournalError: it is no journal that can be read.
    """
    (application,) = _one(database, "PRAGMA application_id")
    (version,) = _one(database, "PRAGMA user_version")
    (tables,) = _one(database, "SELECT count(*) FROM sqlite_master")
    if not tables and not application:
        return 0
    if application != APPLICATION or not 1 <= version <= VERSION:
        what = f"of version {version}" if application == APPLICATION else "of another program"
        raise JournalError(
            f"The file {path} is an SQLite file {what}, no journal of this version: "
            "give another path.",
            path=path,
        )
    (found,) = _one(database, "PRAGMA quick_check(1)")
    if found != "ok":
        raise JournalError(
            f"The journal {path} is damaged: move it away, and a new one is made.", path=path
        )
    return int(version)


def make_tables(database: sqlite3.Connection, version: int) -> None:
    """Give a file of *version* the present form, inside of a transaction."""
    if not version:
        for statement in SCHEMA:
            database.execute(statement)
        database.execute("INSERT INTO meta (salt) VALUES (?)", (secrets.token_bytes(16),))
        return
    steps = (FROM_VERSION_1, FROM_VERSION_2)
    for statements in steps[version - 1 :]:
        for statement in statements:
            database.execute(statement)


def _one(database: sqlite3.Connection, query: str) -> Any:
    return database.execute(query).fetchone()

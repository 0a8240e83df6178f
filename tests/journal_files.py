"""What tests look for in a journal's file, and clients that write one."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from local import joined

from captcha_async import CAPMONSTER, CaptchaClient, FixedPolling, Journal
from captcha_async.emulator import Emulator, Latency

GAP = 0.01


def quick_emulator(seconds: float = 0.0, **options: Any) -> Emulator:
    """Make an emulator whose tasks may be polled at once."""
    service = CAPMONSTER.evolve(min_poll_gap=GAP)
    return Emulator(service, latency=Latency.fixed(seconds), **options)


@asynccontextmanager
async def journalled(
    emulator: Emulator, journal: Path | Journal, **options: Any
) -> AsyncIterator[CaptchaClient]:
    """Open a client of *emulator* with a journal."""
    options.setdefault("polling", FixedPolling(first=0, interval=GAP))
    async with joined(emulator, journal=journal, **options) as client:
        yield client


def rows(path: Path, columns: str = "state") -> list[Any]:
    """Return what is in the file as of now, as another process would find it after a kill."""
    with tempfile.TemporaryDirectory() as folder:
        for part in (path, Path(f"{path}-wal")):
            if part.exists():
                shutil.copy(part, folder)
        query = f"SELECT {columns} FROM submission ORDER BY number"
        with closing(sqlite3.connect(Path(folder) / path.name)) as database:
            found = database.execute(query).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def change(path: Path, statement: str) -> None:
    """Change a closed file."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


def all_bytes(path: Path) -> bytes:
    """Return everything that is on the disk."""
    parts = (path, Path(f"{path}-wal"))
    return b"".join(part.read_bytes() for part in parts if part.exists())


def journal_threads() -> list[threading.Thread]:
    """Return the threads that write journals."""
    return [thread for thread in threading.enumerate() if "journal" in thread.name]

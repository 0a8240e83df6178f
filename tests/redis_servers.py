"""A redis-server of the test's own, which can be killed, stopped and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["RedisServer", "redis_server"]

PROGRAM = shutil.which("redis-server")
NEEDED = "CAPTCHA_ASYNC_NEEDS_REDIS"
"""Set where no test may be left out for want of a server, as in the project's own checks."""


class RedisServer:
    """One server on a free port of the loopback address."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert PROGRAM is not None
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self._folder), "--logfile", "log", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(500):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as plain:
                    plain.sendall(b"PING\r\n")
                    # Also that it wants a password.
                    if plain.recv(7) in (b"+PONG\r\n", b"-NOAUTH"):
                        return
            except OSError:
                pass
            threading.Event().wait(0.01)
        raise AssertionError("redis-server does not answer")

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hang."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server(folder: Path, *options: str) -> Generator[RedisServer]:
    """Run a server meanwhile; without the program, or without coredis, the test is skipped."""
    pytest.importorskip("coredis", reason="needs coredis (captcha-async[redis])")
    if PROGRAM is None:
        assert NEEDED not in os.environ, "redis-server is not installed"
        pytest.skip("needs redis-server")
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()

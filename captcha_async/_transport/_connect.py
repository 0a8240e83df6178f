"""A connected socket for asyncio: a host's addresses are tried in turn, each with a head start.

As RFC 8305 has it. asyncio's own `create_connection` can do it, but uvloop's cannot.
"""

from __future__ import annotations

import asyncio
import socket
from itertools import chain, zip_longest
from typing import Any

import anyio

__all__ = ["connect_socket"]

HEAD_START = 0.25

# (family, type, protocol, address)
Address = tuple[int, int, int, tuple[Any, ...]]


async def connect_socket(host: str, port: int) -> socket.socket:
    """Connect to the first address of *host* that answers.

    Raises:
        OSError: none did; the error is the last address's.
    """
    addresses = _alternate(await _look_up(host, port))
    if len(addresses) == 1:
        return await _connect(addresses[0])
    race = _Race()
    try:
        async with anyio.create_task_group() as runners:
            for address in addresses:
                over = anyio.Event()
                runners.start_soon(race.run, address, over, runners.cancel_scope)
                with anyio.move_on_after(HEAD_START):
                    await over.wait()
    except BaseException:
        if race.won is not None:
            race.won.close()
        raise
    if race.won is None:
        raise race.error or OSError(f"{host} has no address")
    return race.won


class _Race:
    """Connection attempts of which the first to succeed ends the others."""

    def __init__(self) -> None:
        self.won: socket.socket | None = None
        self.error: OSError | None = None

    async def run(self, address: Address, over: anyio.Event, others: anyio.CancelScope) -> None:
        """Try one address."""
        try:
            connected = await _connect(address)
        except OSError as error:
            self.error = error
        else:
            if self.won is None:
                self.won = connected
                others.cancel()
            else:
                connected.close()
        finally:
            over.set()


async def _look_up(host: str, port: int) -> list[Address]:
    kind = socket.SOCK_STREAM
    try:
        # No name needs to be looked up, so no thread is needed either.
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    return [(family, kind, protocol, address) for family, kind, protocol, _, address in found]


def _alternate(addresses: list[Address]) -> list[Address]:
    """Sort addresses so that both families come early; the system's favourite stays first."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    second = [address for address in addresses if address[0] != addresses[0][0]]
    pairs = chain.from_iterable(zip_longest(first, second))
    return [address for address in pairs if address is not None]


async def _connect(address: Address) -> socket.socket:
    family, kind, protocol, where = address
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, where)
    except BaseException:
        connection.close()
        raise
    return connection

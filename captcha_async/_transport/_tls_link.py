"""TLS over a protocol of asyncio's: one step decrypts what comes, and one encrypts what leaves.

asyncio's own protocol for TLS takes twenty Python calls for a request and its reply. It is made for
streams of any length, keeps buffers of its own on both sides, and asks for more after each record.
"""

from __future__ import annotations

import ssl
from functools import partial

from ._asyncio_link import AsyncioLink, connected
from ._lane_errors import ReadError
from ._messages import EVER, NothingSent, Origin

__all__ = ["TlsLink", "open_tls_link"]

RECORD = 16 * 1024
"""Bytes that a record holds at most; nothing is left of one that is read with room for these."""


class TlsLink(AsyncioLink):
    """A connection whose bytes are encrypted."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        # Set once, by `shake_hands`; until then what comes is for the handshake.
        self._is_agreed = False

    async def shake_hands(self) -> None:
        """Agree on the keys, or close the connection.

        Raises:
            OSError: the other side did not agree, or is not the one that was asked for.
        """
        try:
            while not self._is_agreed:
                try:
                    self._session.do_handshake()
                    self._is_agreed = True
                except ssl.SSLWantReadError:
                    self._flush()
                    await self._hear()
                finally:
                    # Also what is to tell the other side why there is no agreement.
                    self._flush()
            await self._take_along()
        except BaseException:
            await self.aclose()
            raise

    async def _take_along(self) -> None:
        """Decrypt what came with the end of the handshake: it may be the end of the session."""
        if self._parts:
            self._incoming.write(await self.receive(EVER))
        if self._incoming.pending:
            self.buffer_updated(0)

    async def _hear(self) -> None:
        try:
            data = await self.receive(EVER)
        except ReadError as error:
            raise ConnectionResetError(str(error)) from error
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        data = self._outgoing.read()
        # uvloop's transport takes nothing, not even no bytes, once it is closed.
        if data and not self._transport.is_closing():
            self._transport.write(data)

    async def send(self, data: bytes, deadline: float) -> None:
        """Send bytes; the loop keeps what the system does not take, so a reply can come first."""
        try:
            written = self._session.write(data)
            while written < len(data):
                written += self._session.write(memoryview(data)[written:])
        except ssl.SSLError as error:
            # It has ended, or wants to agree anew; what was encrypted must not leave later.
            self._ended = True
            self._transport.abort()
            raise NothingSent from error
        await super().send(self._outgoing.read(), deadline)

    def buffer_updated(self, nbytes: int) -> None:
        """Decrypt what came; hand it over, or keep it if nobody waits for it."""
        if not self._is_agreed:
            super().buffer_updated(nbytes)
            return
        incoming = self._incoming
        incoming.write(self._buffer[:nbytes])
        data = b""
        try:
            while incoming.pending:
                piece = self._session.read(RECORD)
                if not piece:
                    self._ended = True
                    break
                data = data + piece if data else piece
        except ssl.SSLWantReadError:
            # A record is not whole, or was the session's own.
            pass
        except ssl.SSLError as error:
            self._error, self._ended = error, True
        if self._outgoing.pending:
            # The session's own answer, as to a change of keys.
            self._flush()
        if data:
            self._hand_over(data)
        if self._ended:
            self._transport.abort()
            self._wake()


async def open_tls_link(origin: Origin, context: ssl.SSLContext) -> TlsLink:
    """Connect by TLS; raises OSError, as ssl.SSLError is."""
    link = await connected(partial(TlsLink, context, origin.host), origin)
    await link.shake_hands()
    return link

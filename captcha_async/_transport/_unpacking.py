"""A reply's body out of its content-encoding, bounded while it unpacks."""

from __future__ import annotations

import zlib

import orjson

from ._lane_errors import RemoteProtocolError
from ._messages import MAX_REPLY_BYTES, RawReply, too_large

__all__ = ["unpack"]


def unpack(raw: RawReply) -> bytes:
    """Undo the reply's content-encoding.

    What is plain although the header says otherwise is taken as it is: an answer is worth more.

    Raises:
        RemoteProtocolError: it is too large, in several layers, in an encoding that was not
            asked for, or damaged.
    """
    layers = _layers(raw)
    if not layers or not raw.body or _is_json(raw.body):
        return raw.body
    if len(layers) > 1:
        # Each layer multiplies what a few bytes unpack to.
        raise RemoteProtocolError(f"the reply is packed in {len(layers)} layers")
    try:
        return _inflate(raw.body, layers[0])
    except zlib.error as error:
        if _is_text(raw.body):
            return raw.body
        reason = f"the reply does not unpack as its header says ({layers[0][:20]})"
        raise RemoteProtocolError(reason) from error


def _layers(raw: RawReply) -> list[str]:
    packed = raw.header(b"content-encoding")
    if packed is None:
        return []
    names = packed.lower().split(",")
    return [name.strip() for name in names if name.strip() not in ("", "identity")]


def _inflate(body: bytes, layer: str) -> bytes:
    if layer in ("gzip", "x-gzip"):
        return _bounded(body, zlib.MAX_WBITS | 16)
    if layer != "deflate":
        if _is_text(body):
            return body
        raise RemoteProtocolError(f"the reply is packed with {layer[:20]!r}")
    try:
        return _bounded(body, zlib.MAX_WBITS)
    except zlib.error:
        # Some servers send the bare stream, without zlib's frame.
        return _bounded(body, -zlib.MAX_WBITS)


def _bounded(body: bytes, window: int) -> bytes:
    unpacker = zlib.decompressobj(window)
    unpacked = unpacker.decompress(body, MAX_REPLY_BYTES + 1)
    if len(unpacked) > MAX_REPLY_BYTES:
        raise too_large()
    return unpacked


def _is_json(body: bytes) -> bool:
    # No packed stream starts like this.
    if body.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_text(body: bytes) -> bool:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)

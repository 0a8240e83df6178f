"""Files that a task carries: what is given becomes the file's own bytes, once; what is certainly no
such file is refused with what it looks like.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Literal

__all__ = ["IMAGE_FORMATS", "file_bytes", "image_format", "is_binary", "is_odd", "looks_like"]

ImageFormat = Literal["PNG", "JPEG", "GIF", "WebP", "BMP", "SVG"]
IMAGE_FORMATS: tuple[ImageFormat, ...] = ("PNG", "JPEG", "GIF", "WebP", "BMP", "SVG")

UNKNOWN = "unknown binary data"
PLAIN = "plain text"

MOST_LAYERS = 3
"""How often base64 may have been applied by mistake."""

_SPACE = re.compile(rb"\s+")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_DATA_URI = re.compile(rb"\s*data:([^,]*),(.*)", re.IGNORECASE | re.DOTALL)
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE\s+svg[^>]*>\s*)?<svg[\s>]",
    re.IGNORECASE | re.DOTALL,
)


def image_format(content: bytes) -> ImageFormat | None:
    """Tell the format of an image file by its first bytes; None if it is no image."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    for start, name in _IMAGES:
        if content.startswith(start):
            return name
    return "SVG" if _SVG.match(content[:2000]) else None


_IMAGES: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
)


def _audio_format(content: bytes) -> str | None:
    """Tell the format of an audio file by its first bytes; None if it is none."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "WAV"
    if content[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa"):
        return "MP3"
    if content[4:8] == b"ftyp":
        return "MP4"
    starts = ((b"ID3", "MP3"), (b"OggS", "Ogg"), (b"fLaC", "FLAC"), (b"\x1aE\xdf\xa3", "WebM"))
    return next((name for start, name in starts if content.startswith(start)), None)


# What people send by mistake, by the first bytes; in lower case.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<head", "an HTML page"),
    (b"<body", "an HTML page"),
    (b"<", "XML or HTML"),
    (b"%pdf", "a PDF file"),
    (b"{", "JSON"),
    (b"[", "JSON"),
    (b"data:", "a data: URI that cannot be decoded"),
    (b"http://", "a URL"),
    (b"https://", "a URL"),
    (b"pk\x03\x04", "a ZIP file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"ii*\0", "a TIFF image"),
    (b"mm\0*", "a TIFF image"),
    (b"\0\0\1\0", "an icon file"),
)


def looks_like(content: bytes) -> str:
    """Say what a file looks like that is not of the wanted kind."""
    if not content.strip():
        return "empty"
    if content[4:12] in (b"ftypavif", b"ftypheic"):
        return "an AVIF or HEIC image"
    found = image_format(content) or _audio_format(content)
    if found is not None:
        return f"{found} data"
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    known = next((name for begin, name in _OTHERS if start.startswith(begin)), None)
    if known is not None:
        return known
    try:
        text = content[:1000].decode()
    except UnicodeDecodeError:
        return UNKNOWN
    plain = all(character.isprintable() or character.isspace() for character in text)
    return PLAIN if plain else UNKNOWN


def is_odd(content: bytes) -> bool:
    """Tell whether a file is nothing that is known."""
    return looks_like(content) in (UNKNOWN, PLAIN)


def is_binary(content: bytes) -> bool:
    """Tell whether a file may be a picture, a sound or a video: that it is no text or document."""
    kind = looks_like(content)
    return kind == UNKNOWN or kind.endswith(" data")


def file_bytes(given: bytes | str) -> bytes | None:
    """Return a file's content from its bytes, its base64 text or a `data:` URI of it.

    Line breaks, the alphabet of URLs and missing padding are no obstacle where a picture or a sound
    comes of it, and what was encoded more than once is decoded as often. Bytes that are no such
    text are the content; a str that is none is None.
    """
    content = given.encode("utf-8", "surrogateescape") if isinstance(given, str) else given
    for _ in range(MOST_LAYERS):
        if _is_known(content):
            return content
        inner = _decode(content)
        if inner is None:
            break
        content = inner
    else:
        if _is_known(content):
            return content
    if isinstance(given, bytes):
        return given
    # Many a word can be read as base64 by so lenient a reader; here it has to be spelled right.
    head, mark, strict = given.partition(";base64,")
    strict = strict if mark and head[:5].lower() == "data:" else given
    inner = _decode(strict.encode("utf-8", "surrogateescape"))
    right = inner is not None and base64.b64encode(inner).decode() == strict
    return inner if right else None


def _is_known(content: bytes) -> bool:
    return bool(image_format(content) or _audio_format(content))


def _decode(text: bytes) -> bytes | None:
    """Decode a data: URI or base64 text, or return None."""
    uri = _DATA_URI.fullmatch(text)
    if uri is not None:
        from urllib.parse import unquote_to_bytes

        content = unquote_to_bytes(uri[2])
        if not uri[1].lower().rstrip().endswith(b"base64"):
            return content
        text = content
    packed = _SPACE.sub(b"", text).translate(_URL_SAFE)
    if not _BASE64.fullmatch(packed):
        return None
    bare = packed.rstrip(b"=")
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return None

"""Image files, told by their first bytes."""

from __future__ import annotations

from pathlib import Path

__all__ = ["NotAnImage", "check_image", "image_kind", "looks_like", "read_image"]

MOST_BYTES = 32 * 1024 * 1024
"""No service takes an image of that size."""

IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
OTHERS = (
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstandard data"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
)
HEAD = 1024


class NotAnImage(ValueError):
    """The bytes are no image; the message says what they look like."""


def image_kind(head: bytes) -> str | None:
    """Return what kind of image begins with *head*; None if it is none."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if b"<svg" in head[:HEAD]:
        return "SVG"
    return next((kind for magic, kind in IMAGES if head.startswith(magic)), None)


def looks_like(head: bytes) -> str:
    """Say in a few words what bytes that are no image look like."""
    for magic, name in OTHERS:
        if head.startswith(magic):
            return name
    text = head[:HEAD].lstrip()
    if not text:
        return "nothing"
    if text[:1] in b"{[":
        return "JSON"
    if text[:1] == b"<":
        return "a web page" if b"html" in text.lower() else "XML"
    shown = " ".join(text[:40].decode("utf-8", "replace").split())[:20]
    return f"text that begins with {shown!r}" if shown.isprintable() else "binary data"


def check_image(content: bytes) -> bytes:
    """Return *content* if it is an image.

    Raises:
        NotAnImage: it is something else.
    """
    if image_kind(content) is None:
        raise NotAnImage(f"is no image but {looks_like(content)}")
    return content


def read_image(path: Path) -> bytes:
    """Return the bytes of an image file.

    Raises:
        NotAnImage: it is something else, or too large.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NotAnImage(f"is larger than {MOST_BYTES // 1024 // 1024} MiB")
    return check_image(content)

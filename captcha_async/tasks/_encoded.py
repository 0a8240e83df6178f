"""Field declarations of values that have one form in Python and another on the wire.

`load_task` turns wire text into the Python form only where that encodes to the very same text
again; anything else is kept as it is (`Verbatim`), so that no body is changed by passing through.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs
import orjson

from ..errors import InvalidArgument, invalid
from ._fields import Verbatim, WireField, as_tuple, declare, path_of
from ._files import IMAGE_FORMATS, file_bytes, image_format, is_binary, is_odd, looks_like

__all__ = [
    "MIN_IMAGE_BYTES",
    "File",
    "cookies",
    "escaped",
    "file",
    "image",
    "images",
    "json_text",
    "page",
]

File = bytes | str | os.PathLike[str]
"""What a file may be given as: its content, base64 text or a `data:` URI of it, or its path."""

FileKind = Literal["image", "media"]
"""`media` is any binary data, such as a sound or a video."""
_FITS: Mapping[FileKind, Callable[[bytes], Any]] = {
    "image": image_format,
    "media": is_binary,
}

IMAGE_KINDS = ("file in base64", "list of files in base64")
"""What `WireField.kind` calls the fields that hold images."""

MIN_IMAGE_BYTES = 100
"""CapMonster, anti-captcha and 2captcha refuse a smaller image (ERROR_ZERO_CAPTCHA_FILESIZE)."""


def _faithful(decode: Callable[[Any], Any], encode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Decode text only if it can be encoded back to the same; other values are passed on."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        decoded = decode(value)
        if isinstance(decoded, str) and decoded == value:
            return Verbatim(value)
        return decoded if encode(decoded) == value else Verbatim(value)

    return read


# -- cookies --------------------------------------------------------------------------------------


def cookies(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare cookies: a mapping or the text of a Cookie header; `a=b; c=d` on the wire.

    Where they are optional, an empty mapping means none.
    """

    def convert(value: Any) -> Any:
        return None if default is None and value == {} else value

    return declare(
        WireField(
            path_of(wire),
            encode=_join_cookies,
            decode=_faithful(_split_cookies, _join_cookies),
            kind="cookies, as `a=b; c=d`",
        ),
        default=default,
        kw_only=kw_only,
        check=_check_cookies,
        converter=convert,
        repr=_repr_cookies,
    )


def _check_cookies(name: str, value: Any) -> None:
    if isinstance(value, str):
        if not value.strip() or set(value) & set("\r\n"):
            raise invalid(name, value, "one non-empty line such as 'a=b; c=d'", show=False)
        return
    if not isinstance(value, Mapping) or not value:
        raise invalid(name, value, "a non-empty mapping of cookie names to values", show=False)
    for key, content in value.items():
        if not isinstance(key, str) or not key or set(key) & set("=; \t\r\n"):
            raise invalid(
                name, key, "a mapping whose keys are cookie names without '=', ';' or space"
            )
        if not isinstance(content, str) or set(content) & set(";\r\n"):
            raise invalid(f"{name}[{key!r}]", content, "a string without ';'", show=False)


def _join_cookies(value: Mapping[str, str] | str) -> str:
    if isinstance(value, str):
        return str(value)
    return "; ".join(f"{name}={content}" for name, content in value.items())


def _split_cookies(value: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in value.split(";") if part.strip())
    return {name: content for name, _, content in pairs}


def _repr_cookies(value: Mapping[str, str] | str | None) -> str:
    if value is None:
        return "None"
    return f"<{len(_split_cookies(value) if isinstance(value, str) else value)} cookies>"


# -- files in base64 ------------------------------------------------------------------------------


def image(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare an image file's content: bytes, base64 text, a `data:` URI, or a `Path` to read.

    It is base64 on the wire.
    """
    return declare(
        WireField(path_of(wire), encode=_encode_file, decode=_verbatim, kind="file in base64"),
        default=default,
        kw_only=kw_only,
        check=_check_image,
        converter=_file_bytes,
        repr=_repr_bytes,
    )


def images(
    wire: str,
    *,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    least: int = 1,
    most: int | None = None,
    of: FileKind = "image",
) -> Any:
    """Declare a list of *least* to *most* files, each as in `image`; *of* tells what they are."""
    count = f"{least}" if least == most else f"{least} to {most}" if most else f"at least {least}"
    rule = f"a list of image files, {count}"

    def check(name: str, value: Any) -> None:
        if not isinstance(value, tuple):
            raise invalid(name, value, rule, show=False)
        if not least <= len(value) <= (most or len(value)):
            raise InvalidArgument(f"{name} must be {rule}, not {len(value)}", field=name, rule=rule)
        for index, item in enumerate(value):
            _check_image(f"{name}[{index}]", item, of)

    return declare(
        WireField(
            path_of(wire),
            encode=lambda value: [_encode_file(item) for item in value],
            decode=lambda value: [*map(_verbatim, value)] if isinstance(value, list) else value,
            kind="list of files in base64",
            least=least,
            most=most,
        ),
        default=default,
        kw_only=kw_only,
        check=check,
        converter=_files_bytes,
        repr=_repr_files,
    )


def page(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a page's HTML: bytes, HTML text or base64 text; base64 on the wire."""
    return declare(
        WireField(path_of(wire), encode=_encode_file, decode=_verbatim_page, kind="page in base64"),
        default=default,
        kw_only=kw_only,
        check=_check_page,
        converter=_page_bytes,
        repr=_repr_bytes,
    )


def file(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True, what: str) -> Any:
    """Declare a file's content that is no image: bytes or base64 text; base64 on the wire."""

    def check(name: str, value: Any) -> None:
        _check_file(name, value, f"the content of {what} as bytes or as base64 text")
        if not value:
            raise invalid(name, value, f"the content of {what}, not empty")

    return declare(
        WireField(path_of(wire), encode=_encode_file, decode=_verbatim, kind="file in base64"),
        default=default,
        kw_only=kw_only,
        check=check,
        converter=_file_bytes,
        repr=_repr_bytes,
    )


def _file_bytes(value: Any) -> Any:
    """Make a file's own bytes of what was given; leave everything else for the check to judge."""
    if isinstance(value, os.PathLike):
        from pathlib import Path

        value = Path(value).read_bytes()
    if isinstance(value, bytearray | memoryview):
        value = bytes(value)
    if isinstance(value, Verbatim) or not isinstance(value, str | bytes):
        return value
    content = file_bytes(value)
    return value if content is None else content


def _files_bytes(value: Any) -> Any:
    items = as_tuple(value)
    return tuple(map(_file_bytes, items)) if isinstance(items, tuple) else items


def _page_bytes(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("<"):
        return value.encode()
    if isinstance(value, bytes) and not value.lstrip().startswith(b"<"):
        content = file_bytes(value.decode("latin-1"))
        return content if content and content.lstrip()[:1] == b"<" else value
    return _file_bytes(value)


def _check_file(name: str, value: Any, rule: str) -> None:
    if isinstance(value, Verbatim):
        if value.startswith("data:") or not value.strip():
            raise invalid(name, value, "base64 text, or a data: URI of base64 text")
    elif not isinstance(value, bytes):
        raise invalid(name, value, rule)


def _check_image(name: str, value: Any, kind: FileKind = "image") -> None:
    what = "an image" if kind == "image" else "a media"
    _check_file(
        name, value, f"{what} file's content as bytes or as base64 text, or its Path (from_file)"
    )
    if not isinstance(value, bytes):
        return
    fits = _FITS[kind](value)
    if fits and len(value) >= MIN_IMAGE_BYTES:
        return
    formats = f" ({', '.join(IMAGE_FORMATS)})" if kind == "image" else ""
    rule = f"{what} file{formats} of at least {MIN_IMAGE_BYTES} bytes"
    like = "" if fits else f": it looks like {looks_like(value)}" if value else ": it is empty"
    raise InvalidArgument(
        f"{name} must be {rule}, not {len(value)} bytes{like}", field=name, rule=rule
    )


def _check_page(name: str, value: Any) -> None:
    _check_file(name, value, "the page's HTML as bytes or as base64 text")
    if not value:
        raise invalid(name, value, "the page's HTML, not empty")


def _encode_file(value: bytes | str) -> str:
    return str(value) if isinstance(value, str) else base64.b64encode(value).decode()


def _verbatim(value: Any) -> Any:
    """Pass on wire text of no known file; what is certainly none is left to the check."""
    content = _file_bytes(value)
    unknown = isinstance(content, bytes) and len(content) >= MIN_IMAGE_BYTES and is_odd(content)
    return Verbatim(value) if unknown or isinstance(content, str) else value


def _verbatim_page(value: Any) -> Any:
    return Verbatim(value) if isinstance(_file_bytes(value), str) else value


def _repr_bytes(value: bytes | str | None) -> str:
    return "None" if value is None else f"<{len(value)} bytes>"


def _repr_files(value: tuple[bytes | str, ...] | None) -> str:
    return "None" if value is None else f"[{', '.join(map(_repr_bytes, value))}]"


# -- text in text ---------------------------------------------------------------------------------


def json_text(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a JSON object that the wire has as text inside of a string; text is taken as JSON."""
    return declare(
        WireField(
            path_of(wire),
            encode=_encode_json,
            decode=_faithful(_decode_json, _encode_json),
            kind="JSON object, as text",
        ),
        default=default,
        kw_only=kw_only,
        check=_check_json,
    )


def _check_json(name: str, value: Any) -> None:
    if isinstance(value, Verbatim):
        return
    decoded = _decode_json(value) if isinstance(value, str) else value
    if not isinstance(decoded, Mapping):
        raise invalid(name, value, "a mapping, or the text of a JSON object")
    try:
        _encode_json(decoded)
    except TypeError:
        raise invalid(name, value, "a mapping that can be written as JSON") from None


def _encode_json(value: Mapping[str, Any] | str) -> str:
    return str(value) if isinstance(value, str) else orjson.dumps(dict(value)).decode()


def _decode_json(value: str) -> Any:
    try:
        decoded = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return decoded if isinstance(decoded, dict) else value


ESCAPE = re.compile(r"\\u([0-9A-F]{4})")


def escaped(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    r"""Declare text whose letters outside of ASCII the wire has as literal `\u00E3`."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or not value.strip():
            raise invalid(name, value, "a non-empty string")

    return declare(
        WireField(
            path_of(wire),
            encode=_escape,
            decode=_faithful(_unescape, _escape),
            kind="text, as ASCII with escapes",
        ),
        default=default,
        kw_only=kw_only,
        check=check,
    )


def _escape(value: str) -> str:
    units = value.encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if code < 128 else f"\\u{code:04X}" for code in codes)


def _unescape(value: str) -> str:
    text = ESCAPE.sub(lambda match: chr(int(match[1], 16)), value)
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")

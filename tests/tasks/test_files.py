"""Files that tasks carry: decoded, whatever form they are given in; refused if they are none."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import tasks
from captcha_async.errors import InvalidArgument
from captcha_async.tasks._families import all_models
from captcha_async.tasks._files import file_bytes, image_format, looks_like
from captcha_async.wire import dump_task, load_task

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(250))
ONCE = base64.b64encode(PNG)
TEXT = ONCE.decode()

FORMS: dict[str, bytes | str] = {
    "the file": PNG,
    "base64 as text": TEXT,
    "base64 as bytes": ONCE,
    "with line breaks": base64.encodebytes(PNG),
    "with line breaks, as text": base64.encodebytes(PNG).decode(),
    "with CR LF and spaces": "\r\n ".join(TEXT[at : at + 60] for at in range(0, len(TEXT), 60)),
    "the alphabet of URLs": base64.urlsafe_b64encode(PNG),
    "without padding": TEXT.rstrip("="),
    "the alphabet of URLs without padding": base64.urlsafe_b64encode(PNG).decode().rstrip("="),
    "data: URI": f"data:image/png;base64,{TEXT}",
    "data: URI as bytes": b"data:image/png;base64," + ONCE,
    "data: URI in capitals": f"DATA:IMAGE/PNG;BASE64,{TEXT}",
    "data: URI with more": f"data:image/png;charset=utf-8;base64,{TEXT}",
    "data: URI without type": f"data:;base64,{TEXT}",
    "data: URI with percent signs": "data:image/png;base64,"
    + TEXT.replace("+", "%2B").replace("=", "%3D"),
    "twice": base64.b64encode(ONCE),
    "data: URI of base64 of base64": b"data:image/png;base64," + base64.b64encode(ONCE),
}


@pytest.mark.parametrize("given", FORMS.values(), ids=FORMS.keys())
def test_a_file_is_sent_once_encoded_whatever_its_form(given: Any) -> None:
    """By every field that takes an image, from Python and from JSON."""
    assert dump_task(tasks.ImageToTextTask(given))["body"] == TEXT
    puzzle = tasks.OoclRotateNewTask(images_base64=[given, PNG])
    assert dump_task(puzzle)["imagesBase64"] == [TEXT, TEXT]
    if isinstance(given, str):
        assert dump_task(load_task({"type": "ImageToTextTask", "body": given}))["body"] == TEXT


STARTS: dict[str, tuple[bytes, str]] = {
    "PNG": (b"\x89PNG", "PNG"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
    "GIF of 1987": (b"GIF87a", "GIF"),
    "GIF of 1989": (b"GIF89a", "GIF"),
    "WebP": (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP"),
    "BMP": (b"BM\x8a\x04", "BMP"),
    "SVG": (b"<svg viewBox='0 0 9 9'>", "SVG"),
    "SVG with a prolog": (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a --><svg>", "SVG"),
}


@pytest.mark.parametrize(("start", "name"), STARTS.values(), ids=STARTS.keys())
def test_formats_of_images_are_known_by_their_first_bytes(start: bytes, name: str) -> None:
    """All of them are taken by the models; a service may take fewer."""
    content = start.ljust(150)
    assert image_format(content) == name
    assert tasks.ImageToTextTask(content).body == content
    assert tasks.ImageToTextTask(base64.b64encode(content)).body == content


OTHERS = {
    b"": "empty",
    b"  \n": "empty",
    b"<!DOCTYPE html><html><body>Not found": "an HTML page",
    b"\xef\xbb\xbf <HTML>": "an HTML page",
    b"<?xml version='1.0'?><feed>": "XML or HTML",
    b"%PDF-1.7": "a PDF file",
    b'{"error": "no image"}': "JSON",
    b"[1, 2]": "JSON",
    b"PK\x03\x04": "a ZIP file",
    b"\x1f\x8b\x08": "a gzip file",
    b"II*\0": "a TIFF image",
    b"\0\0\0\x1cftypavif": "an AVIF or HEIC image",
    b"RIFF\x24\0\0\0WAVE": "WAV data",
    b"ID3\x03": "MP3 data",
    b"https://example.com/captcha.png": "a URL",
    b"Traceback (most recent call last):": "plain text",
    b"\x00\x01\x02\xff": "unknown binary data",
}


@pytest.mark.parametrize(("content", "like"), OTHERS.items(), ids=[*map(repr, OTHERS)])
def test_what_is_no_image_is_refused_with_what_it_looks_like(content: bytes, like: str) -> None:
    """Nothing is sent, and the content is not in the message."""
    assert looks_like(content) == like
    given = content + bytes(0 if like == "empty" else 150) * (content[:1] in b"\0\x1fP%RI")
    for make in (
        lambda: tasks.ImageToTextTask(given),
        lambda: tasks.SheinTask(images_base64=[given]),
    ):
        with pytest.raises(InvalidArgument) as caught:
            make()
        assert like in str(caught.value)
        assert f"not {len(given)} bytes" in str(caught.value)
        assert "Traceback" not in str(caught.value)


def test_every_image_field_of_every_type_is_checked() -> None:
    """No type lets a page through as an image."""
    checked = 0
    for model in all_models():
        for field in model.__attrs_attrs__:  # type: ignore[attr-defined]
            wire = field.metadata.get("wire")
            if wire is None or "in base64" not in wire.kind or "page" in wire.kind:
                continue
            value: Any = b"<!doctype html>".ljust(200)
            many = wire.kind.startswith("list")
            given = [value] * int(wire.least or 1) if many else value
            if model.__name__ == "AudioTask":
                continue
            with pytest.raises(InvalidArgument, match="an HTML page") as caught:
                field.validator(None, field, field.converter(given))
            assert caught.value.field.startswith(field.name)
            checked += 1
    assert checked > 20


def test_a_file_s_path_is_read(tmp_path: Path) -> None:
    """Also one that holds base64 text."""
    for name, content in (("a.png", PNG), ("a.b64", ONCE)):
        (tmp_path / name).write_bytes(content)
        assert tasks.ImageToTextTask.from_file(tmp_path / name).body == PNG


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_any_content_is_judged_without_a_crash(given: bytes | str) -> None:
    """An image, or InvalidArgument."""
    found = file_bytes(given)
    assert found is None or isinstance(found, bytes)
    with suppress(InvalidArgument):
        task = tasks.ImageToTextTask(given)
        assert isinstance(task.body, bytes)
        assert image_format(task.body)


@given(st.binary(max_size=300), st.integers(0, 2))
def test_any_image_comes_through_as_it_is(rest: bytes, layers: int) -> None:
    """Decoding never changes a file, however often it was encoded."""
    content = given = b"\x89PNG".ljust(100) + rest
    for _ in range(layers):
        given = base64.b64encode(given)
    assert tasks.ImageToTextTask(given).body == content


@pytest.mark.parametrize(
    "content", [b"<!doctype html>", b'{"error": 1}', b"%PDF-1.7", b"PK\x03\x04"]
)
def test_a_body_from_json_is_judged_too(content: bytes) -> None:
    """What is certainly no image is refused; what nobody knows is passed on as it is."""
    body = base64.b64encode(content.ljust(200)).decode()
    with pytest.raises(InvalidArgument, match="it looks like"):
        load_task({"type": "ImageToTextTask", "body": body})
    for unknown in (bytes(200), b"ABC" * 50):
        text = base64.b64encode(unknown).decode()
        assert dump_task(load_task({"type": "ImageToTextTask", "body": text}))["body"] == text

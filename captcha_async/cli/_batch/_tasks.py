"""One piece of a file turned into a task: JSON with the names of the wire or ours, or cells."""

from __future__ import annotations

import difflib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ... import tasks as models
from ...errors import InvalidArgument
from ...services import Service
from ...tasks import ImageToTextTask, Proxy, RawTask, Task
from ...tasks._families import find_model
from ...wire import load_task
from .._images import NotAnImage, read_image
from .._types._catalogue import fields_of, find_types
from . import _json as json
from ._bad import BadLine, shown
from ._columns import strange_columns
from ._keys import Key

__all__ = ["Reading", "image_task", "parse", "parse_row", "typed"]

TRUE = ("true", "yes", "1")
FALSE = ("false", "no", "0")


@attrs.frozen
class Reading:
    """How pieces are read."""

    service: Service
    send_unknown: bool = False
    """Whether types that the library does not know are tasks as well."""
    type: str | None = None
    """The type of tasks that name none."""
    folder: Path = attrs.field(factory=Path)
    """Where the files of images are looked for."""

    def within(self, folder: Path) -> Reading:
        """Return the same with another folder."""
        return attrs.evolve(self, folder=folder)


def parse(piece: bytes | Mapping[str, str], reading: Reading) -> tuple[Key | None, Task[Any]]:
    """Return a piece's own key, if it has one, and its task.

    Raises:
        BadLine: it is no task that the service takes.
    """
    body = _read(piece)
    key = body.pop("key", None)
    if key is not None and type(key) not in (int, str):
        kind = type(key).__name__
        raise BadLine(f"key must be a string or a whole number, not {kind}")
    if reading.type is not None:
        body.setdefault("type", reading.type)
    _put_files(body, reading.folder)
    if not isinstance(piece, bytes):
        body = typed(body)
    return key, _load(body, reading)


def parse_row(row: Mapping[str, str], reading: Reading) -> tuple[Key | None, Task[Any]]:
    """Return a table's row as `parse` does; of a bad one its columns are told, if they are why.

    Raises:
        BadLine: it is no task that the service takes.
    """
    try:
        return parse(row, reading)
    except BadLine as error:
        name = row.get("type") or reading.type
        if name is None and row.get("file"):
            name = ImageToTextTask.__name__
        # A field that is missing may only be called something else.
        strange = strange_columns(row, name)
        if strange is None:
            raise
        raise BadLine(f"{error}; {strange}" if name is None else strange) from None


def image_task(path: Path, reading: Reading) -> Task[Any]:
    """Return the task of an image file.

    Raises:
        BadLine: it is no image that the service takes.
    """
    body = {"type": reading.type or ImageToTextTask.__name__, "file": str(path)}
    _put_files(body, reading.folder)
    return _load(body, reading)


def _read(piece: bytes | Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(piece, bytes):
        # Of a table: an empty cell is a field that is not given.
        return {name: cell for name, cell in piece.items() if cell != ""}
    try:
        body = json.read(piece)
    except ValueError as error:
        where = getattr(error, "colno", 0)
        reason = f"it is no JSON: {getattr(error, 'msg', error)}, at column {where}"
        if piece.strip() in (b"{", b"[{"):
            reason += "; a task stands on one line, or in a JSON array"
        raise BadLine(reason, "no JSON") from None
    if not isinstance(body, dict):
        raise BadLine(f"it is no JSON object but {type(body).__name__}")
    return body


def _load(body: dict[str, Any], reading: Reading) -> Task[Any]:
    try:
        task = _model(body, reading.service)
        reading.service.check(task)
    except InvalidArgument as error:
        rule = f"{error.field} must be {error.rule}" if error.rule else str(error)
        hint = "" if "type" in body else "; where tasks name none, give --type"
        raise BadLine(str(error) + hint, rule + hint) from error
    if isinstance(task, RawTask) and not reading.send_unknown:
        raise BadLine(_unknown(task.type), f"type {shown(task.type)} is not known")
    return task


def _model(body: dict[str, Any], service: Service) -> Task[Any]:
    if isinstance(body.get("proxy"), str):
        # As lists of proxies have them; on the wire its parts stand in the task.
        proxy = attrs.asdict(Proxy.from_url(body.pop("proxy")))
        body |= {f"proxy{part.title()}": value for part, value in proxy.items() if value}
    task = load_task(body, service)
    model = find_model(task.type) if isinstance(task, RawTask) else None
    if model is None or not model.spec.type:
        return task
    # Types that share a name on the wire can also be told by ours.
    return load_task(_on_the_wire(body, model))


def _on_the_wire(body: Mapping[str, Any], model: type[Task[Any]]) -> dict[str, Any]:
    """Return a task object that names its class as it is named on the wire."""
    named: dict[str, Any] = {**body, "type": model.spec.type}
    for path, value in model.spec.fixed.items():
        *outer, last = path.split(".")
        place: dict[str, Any] = named
        for key in outer:
            place[key] = dict(place.get(key) or {})
            place = place[key]
        place[last] = value
    return named


def _unknown(name: str) -> str:
    names = [each for each in models.__all__ if each.endswith(("Task", "TaskProxyless"))]
    near = difflib.get_close_matches(name, names, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return (
        f"type {shown(name)} is not known{meant}: `captcha-async types` lists what is, and with "
        "--send-unknown it is sent as it is"
    )


# -- images ---------------------------------------------------------------------------------------


def _put_files(body: dict[str, Any], folder: Path) -> None:
    """Put the images in place of the names of their files: `file`, or a list of `files`."""
    if "file" in body:
        name = body.pop("file")
        if not isinstance(name, str) or not name:
            raise BadLine(f"file must be the name of an image file, not {shown(name)}")
        body.setdefault("type", ImageToTextTask.__name__)
        content = _image(folder / name)
        # A puzzle's images are a list, also where it is one.
        body |= {"images_base64": [content]} if _takes_list(body["type"]) else {"body": content}
    if "files" in body:
        names = body.pop("files")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadLine(f"files must be a list of names of image files, not {shown(names)}")
        body["images_base64"] = [_image(folder / name) for name in names]


def _takes_list(name: object) -> bool:
    found = find_types(name) if isinstance(name, str) else []
    return bool(found) and all("images_base64" in fields_of(model) for model in found)


def _image(path: Path) -> str:
    try:
        return b64encode(read_image(path)).decode()
    except NotAnImage as error:
        raise BadLine(f"file {path} {error}", "a file that is no image") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadLine(f"file {path}: {reason}", f"a file that cannot be read: {reason}") from None
    except ValueError:
        # A null byte in a name.
        raise BadLine(f"file must be the name of a file, not {shown(str(path))}") from None


# -- cells ----------------------------------------------------------------------------------------


def typed(body: dict[str, Any]) -> dict[str, Any]:
    """Turn cells, which are text, into what the type's fields are."""
    kinds: dict[str, str] = {"proxyport": "whole number"}
    for model in find_types(str(body.get("type", ""))):
        for name, wire in fields_of(model).items():
            kinds |= {name.lower(): wire.kind, ".".join(wire.path).lower(): wire.kind}
            kinds.setdefault(wire.path[-1].lower() if wire.path else name, wire.kind)
    values: dict[str, Any] = {}
    for name, cell in body.items():
        value = _value(kinds.get(name.lower(), "text"), cell) if isinstance(cell, str) else cell
        *outer, last = name.split(".")
        place = values
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = value
    return values


def _value(kind: str, cell: str) -> Any:
    text = cell.strip()
    if kind == "true or false" and text.lower() in TRUE + FALSE:
        return text.lower() in TRUE
    if kind.startswith(("object", "list")) or kind in ("number", "whole number"):
        try:
            return json.read(text.encode("utf-8", "replace"))
        except ValueError:
            return cell
    return cell

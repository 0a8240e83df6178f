"""The tables of documented facts in `data/`, and what they say of each service's task types.

python -m tests.facts    # prints the status of every documented type; fails if one is not right
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from captcha_async.errors import CaptchaError, InvalidArgument
from captcha_async.services import SERVICES, Service
from captcha_async.services._dialect import uses_of
from captcha_async.tasks import RawTask, Task
from captcha_async.tasks._families import all_models
from captcha_async.wire import dump_request, load_solution, load_task
from captcha_async.wire._models import find_codec

DATA = Path(__file__).parent / "data"
FILES = {
    "tasks.toml": "capmonster",
    "capmonster_new.toml": "capmonster",
    "anti_captcha.toml": "anti-captcha",
    "two_captcha.toml": "2captcha",
    "capsolver.toml": "capsolver",
}
PROXY = {"proxyType": "http", "proxyAddress": "203.0.113.7", "proxyPort": 8080}
FILE = base64.b64encode(b"\x89PNG" + bytes(range(150))).decode()
# Keys that hold a file in base64; the samples shorten them to a few letters.
FILE_KEYS = {
    *("body", "image", "images", "background", "parts", "imgInstructions", "imageBackground"),
    *("imagesBase64", "exampleImagesBase64", "htmlPageBase64"),
}
# Names that one SDK sends and no page has.
OTHER_NAMES = {"SDK only", "SDK bug?"}


@attrs.frozen
class Row:
    """A documented type of a service."""

    service: Service
    facts: dict[str, Any] = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """What a test calls it."""
        return f"{self.service.name}-{self.facts['id']}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every wire name of the type that the service documents."""
        keys = ("type", "type_proxied", "type_proxyless")
        found = [name for key in keys for name in self.facts.get(key, "").split(", ")]
        aliases = self.facts.get("alias", [])
        found += [each["name"] for each in aliases if each.get("status") not in OTHER_NAMES]
        return tuple(dict.fromkeys(name for name in found if re.fullmatch(r"\w+", name)))

    @property
    def body(self) -> dict[str, Any] | None:
        """The sample of a task object, made whole, or None if there is none."""
        if "example_task_json" not in self.facts:
            return None
        body = json.loads(self.facts["example_task_json"])
        return self._whole({key: _readable(key, value) for key, value in body.items()})

    def _whole(self, body: dict[str, Any]) -> dict[str, Any]:
        if "proxy" in body or "proxyAddress" in body:
            # Any form of a proxy is taken; one is written.
            keys = PROXY if body.get("proxyType") or "proxy" in body else _untyped(PROXY)
            body = {key: value for key, value in body.items() if key[:5] != "proxy"} | keys
        elif self.facts.get("proxy") == "required":
            body |= PROXY
        return body

    @property
    def answer(self) -> Any:
        """The sample of a solution, or None."""
        text = self.facts.get("example_solution_json")
        return None if text is None else json.loads(text)

    @property
    def withdrawn(self) -> bool:
        """Whether the service takes the type no more, so that it is refused with that reason."""
        models = [model for model in all_models() if self._calls(model)]
        return bool(models) and not any(map(self.service.takes, models))

    def _calls(self, model: type[Task[Any]]) -> bool:
        dialect = self.service.dialects.get(model.__name__)
        return dialect is not None and bool({*self.names} & {*dialect.names})

    def models(self) -> set[type[Task[Any]]]:
        """The models that the service's profile calls by one of the type's names."""
        return {model for model in all_models() if self._calls(model)}

    def task(self) -> Task[Any]:
        """The sample as a task."""
        body = self.body
        assert body is not None
        return load_task(body, self.service)


def _untyped(proxy: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in proxy.items() if key != "proxyType"}


def _readable(key: str, value: Any) -> Any:
    """Put a file where a sample has a few letters of one."""
    if key in FILE_KEYS:
        return FILE if isinstance(value, str) else [FILE] * len(value)
    # The spelling of the tables, where a sample has another one.
    return value


@cache
def rows() -> tuple[Row, ...]:
    """Every documented type of every service."""
    return tuple(
        Row(SERVICES[facts.get("service", service)], facts)
        for name, service in FILES.items()
        for facts in tomllib.loads((DATA / name).read_text(encoding="utf-8"))["task"]
    )


def path_of(field: dict[str, Any]) -> str:
    """The dotted wire key of a documented field."""
    return f"{field['at']}.{field['name']}".removeprefix("task.")


def without(body: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy of *body* that lacks what stands under a dotted path."""
    copy: dict[str, Any] = json.loads(json.dumps(body))
    *outer, last = path.split(".")
    inner = copy
    for name in outer:
        inner = inner[name]
    del inner[last]
    return copy


# -- what is wrong with a type --------------------------------------------------------------------


def problems(row: Row) -> Iterator[str]:
    """Tell what the library does not do as documented; nothing for a type that is right."""
    if row.withdrawn:
        return
    if not row.models():
        yield "missing: no model has this name"
        return
    yield from _name_problems(row)
    yield from _body_problems(row)
    yield from _answer_problems(row)
    keys = documented_keys(row)
    for field in row.facts["field"]:
        if path_of(field) not in keys and field["name"] not in ("proxy", "class"):
            yield f"no model has the field {path_of(field)}"


def _name_problems(row: Row) -> Iterator[str]:
    dialects = [row.service.dialects[model.__name__] for model in row.models()]
    known = {name for dialect in dialects for name in dialect.names}
    yield from (f"no model is called {name}" for name in row.names if name not in known)
    proxied = row.facts.get("type_proxied")
    if proxied and proxied not in {dialect.proxied for dialect in dialects}:
        yield f"{proxied} takes no proxy"
    if "type_proxyless" in row.facts and not proxied and any(each.proxied for each in dialects):
        yield "a proxy is let through"


def documented_keys(row: Row) -> set[str]:
    """The wire keys that the type's models have at the service."""
    keys: set[str] = set()
    for model in row.models():
        dialect = row.service.dialects[model.__name__]
        fixed = model.spec.fixed if dialect.fixed is None else dialect.fixed
        keys |= {use.key for use in uses_of(model, dialect).values()} | set(fixed)
        keys |= set(dialect.moved.values())
        keys |= {key.partition(".")[0] for key in keys}
    return keys


def _body_problems(row: Row) -> Iterator[str]:
    body = row.body
    if body is None:
        return
    try:
        task = row.task()
        if isinstance(task, RawTask):
            yield "the sample is read as a RawTask"
            return
        row.service.check(task)
        sent = dump_request(task, row.service)
    except CaptchaError as error:
        yield f"the sample is refused: {error}"
        return
    whole = {**sent.pop("task"), **sent}
    if whole != body:
        yield f"the sample {body} is written as {whole}"
    for path in required_paths(row, body):
        if not refuses(row, without(body, path)):
            yield f"{path} may be left out"
    for field in row.facts["field"]:
        if "values_are" not in field and field["json_type"] in ("integer", "number"):
            for value in _others(field.get("values", [])):
                if field["name"] in body and not refuses(row, body | {field["name"]: value}):
                    yield f"{field['name']} may be {value}"


def _others(values: list[float]) -> list[float]:
    """Values that are not in a closed list of numbers."""
    return [max(values) + 1, (values[0] + values[1]) / 2] if len(values) > 1 else []


def required_paths(row: Row, body: dict[str, Any]) -> list[str]:
    """The fields that are required, and that the sample has."""
    always = [path_of(field) for field in row.facts["field"] if field["required"] is True]
    codec = find_codec(body, row.service)
    fixed = set() if codec is None else set(codec.fixed)
    found = []
    for path in always:
        try:
            without(body, path)
        except KeyError:
            continue
        if path not in fixed and path != "version":
            found.append(path)
    if row.facts.get("proxy") == "required":
        found.append("proxyAddress")
    return found


def refuses(row: Row, body: dict[str, Any]) -> bool:
    """Whether a body is refused before anything is sent."""
    try:
        row.service.check(load_task(body, row.service))
    except InvalidArgument:
        return True
    return False


def _answer_problems(row: Row) -> Iterator[str]:
    if row.answer is None or row.body is None:
        return
    try:
        solution = load_solution(type(row.task()), row.answer)
    except CaptchaError as error:
        yield f"the solution is not read: {error}"
        return
    given = [
        field.name
        for field in attrs.fields(type(solution))
        if field.name != "raw" and getattr(solution, field.name) not in (None, ())
    ]
    if not given:
        yield "no field of the solution is filled"


def status_table() -> tuple[list[str], int]:
    """Return a line for each documented type, and how many are not right."""
    lines, wrong = [], 0
    for row in rows():
        found = [*problems(row)]
        wrong += bool(found)
        status = "withdrawn" if row.withdrawn else "; ".join(found) or "right"
        lines.append(
            f"| {row.service.name} | {row.facts['id']} | {', '.join(row.names)} | {status} |"
        )
    return lines, wrong


def main() -> int:
    """Print the table."""
    lines, wrong = status_table()
    sys.stdout.write("| service | type | names | status |\n|---|---|---|---|\n")
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.write(f"\n{len(lines)} documented types, {wrong} of them missing or wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

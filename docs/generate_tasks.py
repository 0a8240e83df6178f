"""Writes `reference/tasks.md` from the models, so that the page cannot drift from the code.

python docs/generate_tasks.py            # writes the page
python docs/generate_tasks.py --check    # fails if the page is not up to date
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from captcha_async.services import SERVICES
from captcha_async.tasks._families import FAMILIES, all_models
from captcha_async.tasks._fields import WireField
from captcha_async.tasks._model import Solution, Task, solution_type

PAGE = Path(__file__).parent / "reference" / "tasks.md"

INTRODUCTION = """\
# Task types

This page is written from the models by `docs/generate_tasks.py`. For each task type it says what
its class takes and what its solution gives. Fields are given by name; *required* ones have no
default, and what is not given is not sent. The wire keys are CapMonster's; where another service
has other ones, the library writes those.

A variant of a type has a class of its own. Classes marked *historic* are gone from the services'
documentation, and are kept for services that still want them. What is not on this page goes
through `RawTask("TypeName", {...})`.
"""

PROXY = {
    "optional": "optional",
    "required": "**required**",
    "refused": "none, the service uses its own",
}


def page() -> str:
    """Return the page's text."""
    parts = [INTRODUCTION, *_overview()]
    for name in sorted(name for name in FAMILIES if not name.startswith("_")):
        parts += _family(import_module(f"captcha_async.tasks.{name}"))
    return "\n".join(parts).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "| Class | Wire type | Solution | Proxy | Services |"
    yield "|---|---|---|---|---|"
    for model in all_models():
        historic = " (historic)" if model.spec.historic else ""
        solution = solution_type(model).__name__
        yield _row(
            f"[{model.__name__}](#{model.__name__.lower()}){historic}",
            f"`{model.spec.type}`",
            f"[{solution}](#{solution.lower()})",
            model.spec.proxy,
            _services(model),
        )
    yield ""


def _family(module: ModuleType) -> Iterator[str]:
    models = [model for model in all_models() if model.__module__ == module.__name__]
    models.sort(key=lambda model: (model.spec.historic, inspect.getsourcelines(model)[1]))
    yield f"## {_first_line(module).rstrip('.')}\n"
    shown: list[type[Solution]] = []
    for model in models:
        yield from _task(model)
        if solution_type(model) not in shown:
            shown.append(solution_type(model))
    for solution in shown:
        if module.__name__ == _first_module(solution):
            yield from _solution(solution)


def _first_module(solution: type[Solution]) -> str:
    """The first module on the page whose tasks have this solution."""
    return min(model.__module__ for model in all_models() if solution_type(model) is solution)


def _task(model: type[Task[Any]]) -> Iterator[str]:
    yield f"### {model.__name__}\n"
    yield inspect.cleandoc(model.__doc__ or "") + "\n"
    fixed = ", ".join(f"`{key}` = `{value!r}`" for key, value in model.spec.fixed.items())
    yield f"- Wire type: `{model.spec.type}`" + (f" with {fixed}" if fixed else "")
    yield f"- Proxy: {PROXY[model.spec.proxy]}"
    solution = solution_type(model).__name__
    yield f"- Solution: [{solution}](#{solution.lower()})"
    yield f"- Services: {_services(model)}"
    if model.spec.token_life:
        yield f"- The token can be used for {model.spec.token_life:g} s"
    if model.spec.historic:
        yield "- Historic"
    yield "\n| Field | Wire key | Type | Required | Allowed | Meaning |"
    yield "|---|---|---|---|---|---|"
    texts = _texts_of(model)
    fields = [*attrs.fields(model)]  # type: ignore[arg-type]
    for field in sorted(fields, key=lambda field: field.default is not attrs.NOTHING):
        wire: WireField = field.metadata["wire"]
        key = f"`{'.'.join(wire.path)}`" if wire.path else "`proxyType` … `proxyPassword`"
        required = "yes" if field.default is attrs.NOTHING else ""
        annotation, meaning = texts[field.name]
        yield _row(f"`{field.name}`", key, annotation, required, _allowed(wire), meaning)
    yield ""


def _solution(solution: type[Solution]) -> Iterator[str]:
    yield f"### {solution.__name__}\n"
    yield inspect.cleandoc(solution.__doc__ or "") + "\n"
    yield "| Field | Read from | Type | Always | Meaning |"
    yield "|---|---|---|---|---|"
    texts = _texts_of(solution)
    for field in attrs.fields(solution):  # type: ignore[arg-type]
        wire: WireField | None = field.metadata.get("wire")
        paths = (wire.path, *wire.aliases) if wire else ()
        places = " or ".join(f"`{'.'.join(path)}`" for path in paths)
        always = "yes" if field.default is attrs.NOTHING or wire is None else ""
        annotation, meaning = texts[field.name]
        yield _row(f"`{field.name}`", places, annotation, always, meaning)
    yield ""


def _allowed(wire: WireField) -> str:
    if wire.values:
        return ", ".join(f"`{value}`" for value in wire.values)
    if wire.least is None and wire.most is None:
        return wire.kind
    if wire.least == wire.most:
        return f"{wire.kind}: {wire.least}"
    limits = f"at least {wire.least}" if wire.most is None else f"{wire.least} to {wire.most}"
    return f"{wire.kind}: {limits}"


def _services(model: type[Task[Any]]) -> str:
    return ", ".join(name for name, service in SERVICES.items() if service.takes(model))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _first_line(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "").partition("\n")[0]


Texts = dict[str, tuple[str, str]]


def _texts_of(cls: type) -> Texts:
    """By field of a class and of its bases: its type, and what the text below it says."""
    texts: Texts = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("captcha_async."):
            texts |= _texts(base.__module__).get(base.__name__, {})
    return texts


@cache
def _texts(module: str) -> dict[str, Texts]:
    tree = ast.parse(inspect.getsource(import_module(module)))
    return {
        node.name: dict(_field_texts(node.body))
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def _field_texts(body: Iterable[ast.stmt]) -> Iterator[tuple[str, tuple[str, str]]]:
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            meaning = " ".join(str(text.value.value).split())
            yield field.target.id, (f"`{ast.unparse(field.annotation)}`", meaning)


def main() -> None:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit(f"{PAGE} is not up to date: run {Path(__file__).name}")
        return
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

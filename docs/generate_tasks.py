"""Writes `reference/tasks.md` from the models, so that the page cannot drift from the code.

python docs/generate_tasks.py            # writes the page
python docs/generate_tasks.py --check    # fails if the page is not up to date
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from captcha_async.cli._types._catalogue import TaskField, describe, describe_solution
from captcha_async.services import SERVICES
from captcha_async.tasks._families import FAMILIES, all_models
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
            ", ".join(name for name, service in SERVICES.items() if service.takes(model)),
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
    known = describe(model)
    yield f"### {known.name}\n"
    yield known.text + "\n"
    fixed = ", ".join(f"`{key}` = `{value!r}`" for key, value in known.fixed.items())
    yield f"- Wire type: `{model.spec.type}`" + (f" with {fixed}" if fixed else "")
    yield f"- Proxy: {PROXY[model.spec.proxy]}"
    yield f"- Solution: [{known.solution}](#{known.solution.lower()})"
    yield f"- Services: {', '.join(known.services)}"
    if known.token_life:
        yield f"- The token can be used for {known.token_life:g} s"
    if known.historic:
        yield "- Historic"
    yield "\n| Field | Wire key | Type | Required | Allowed | Meaning |"
    yield "|---|---|---|---|---|---|"
    for field in known.fields:
        key = " … ".join(f"`{key}`" for key in dict.fromkeys((field.keys[0], field.keys[-1])))
        required = "yes" if field.required else ""
        annotation = f"`{field.annotation}`"
        yield _row(f"`{field.name}`", key, annotation, required, _allowed(field), field.meaning)
    yield ""


def _solution(solution: type[Solution]) -> Iterator[str]:
    yield f"### {solution.__name__}\n"
    yield inspect.cleandoc(solution.__doc__ or "") + "\n"
    yield "| Field | Read from | Type | Always | Meaning |"
    yield "|---|---|---|---|---|"
    for field in describe_solution(solution):
        places = " or ".join(f"`{place}`" for place in field.places)
        always = "yes" if field.always else ""
        yield _row(f"`{field.name}`", places, f"`{field.annotation}`", always, field.meaning)
    yield ""


def _allowed(field: TaskField) -> str:
    if field.values:
        return ", ".join(f"`{value}`" for value in field.values)
    return f"{field.kind}: {field.limits}" if field.limits else field.kind


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _first_line(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "").partition("\n")[0]


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

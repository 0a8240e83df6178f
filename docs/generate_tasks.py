"""Writes `reference/tasks.md` and `reference/tasks/` from the models and the services' dialects.

python docs/generate_tasks.py            # writes the pages
python docs/generate_tasks.py --check    # fails if one is not up to date
"""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from captcha_async.cli._samples import sample_task
from captcha_async.cli._types._catalogue import TaskField, describe, describe_solution
from captcha_async.services import SERVICES, Service, TypeDialect
from captcha_async.tasks import Proxy
from captcha_async.tasks._families import FAMILIES, all_models
from captcha_async.tasks._model import Solution, Task, solution_type

Model = type[Task[Any]]

FOLDER = Path(__file__).parent / "reference"
# Those that most people come for; the others follow by their title.
POPULAR = (
    *("image", "recaptcha", "turnstile", "hcaptcha", "funcaptcha", "geetest", "amazon"),
    *("datadome", "clicks", "classification", "complex_image", "recognition", "yandex"),
)
SHARED = "shared"
# Where the module's first line says more than a heading should.
TITLES = {
    "amazon": "AWS WAF",
    "classification": "Classification by capsolver",
    "complex_image": "Images of widgets",
    "funcaptcha": "FunCaptcha (Arkose Labs)",
    "hcaptcha": "hCaptcha",
    "recognition": "Puzzles of single sites",
    "tendi": "Tencent (TenDI)",
    "turnstile": "Cloudflare Turnstile and Challenge",
    "yidun": "Yidun (NetEase)",
}

INTRODUCTION = """\
# Task types

One class for each kind of captcha, whatever a service calls it: the library writes the names and
keys of the service that you use, and refuses before any request what that service does not take.
Families that most people come for stand first; each has a page with all fields, the names at each
service, and an example.

A variant of a type has a class of its own. Classes marked *historic* are gone from CapMonster's
documentation, and are kept for services that still want them. What is not here goes through
`RawTask("TypeName", {...})`; a field that a service has added since, through any task's
`extra={...}`.
"""

# Hides the rows that do not have what is typed; without JavaScript all of them are shown.
FILTER = """\
```{raw} html
<p><label>Filter: <input type="search" id="task-filter" placeholder="turnstile, 2captcha, …"
 autocomplete="off"></label></p>
<script>
document.addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("task-filter");
  const rows = document.querySelectorAll("article tbody tr");
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
    }
  });
});
</script>
```
"""


def pages() -> dict[str, str]:
    """Return the text of each page by its path under `reference`."""
    found = {"tasks.md": _overview()}
    for name in _names():
        found[f"tasks/{name}.md"] = _text(_family(import_module(f"captcha_async.tasks.{name}")))
    found[f"tasks/{SHARED}.md"] = _text(_shared())
    return found


def _names() -> list[str]:
    names = [name for name in FAMILIES if not name.startswith("_")]
    rest = sorted(set(names) - set(POPULAR), key=lambda name: _title(name).lower())
    return [*POPULAR, *rest]


def _title(name: str) -> str:
    if name in TITLES:
        return TITLES[name]
    return _first_line(import_module(f"captcha_async.tasks.{name}")).rstrip(".")


def _models(name: str) -> list[Model]:
    module = f"captcha_async.tasks.{name}"
    models = [model for model in all_models() if model.__module__ == module]
    return sorted(models, key=lambda model: (model.spec.historic, inspect.getsourcelines(model)[1]))


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


# -- the overview ---------------------------------------------------------------------------------


def _overview() -> str:
    parts = [
        INTRODUCTION,
        FILTER,
        "| Captcha | Class | Taken by, and its name there |",
        "|---|---|---|",
    ]
    for name in _names():
        title = f"[{_title(name)}](tasks/{name}.md)"
        for model in _models(name):
            historic = " (historic)" if model.spec.historic else ""
            link = f"[{model.__name__}](tasks/{name}.md#{model.__name__.lower()}){historic}"
            parts.append(_row(title, link, "; ".join(_takers(model))))
    parts += ["", "```{toctree}", ":hidden:", ""]
    parts += [f"tasks/{name}" for name in (*_names(), SHARED)]
    return "\n".join([*parts, "```"]) + "\n"


def _takers(model: Model) -> Iterator[str]:
    for name, service in SERVICES.items():
        if service.takes(model):
            names = [each for each in _dialect(service, model).names if each != model.__name__]
            yield f"{name} `{'`, `'.join(names)}`" if names else name


def _dialect(service: Service, model: Model) -> TypeDialect:
    dialect = service.dialect(model)
    assert dialect is not None
    return dialect


# -- a family -------------------------------------------------------------------------------------


def _family(module: ModuleType) -> Iterator[str]:
    name = module.__name__.rpartition(".")[2]
    yield f"# {_title(name)}\n"
    text = inspect.cleandoc(module.__doc__ or "")
    if name not in TITLES:
        text = text.partition("\n")[2].strip()
    if text:
        yield text + "\n"
    shown: list[type[Solution]] = []
    for model in _models(name):
        yield from _task(model)
        if solution_type(model) not in shown and solution_type(model).__module__ == module.__name__:
            shown.append(solution_type(model))
    for solution in shown:
        yield from _solution(solution)


def _shared() -> Iterator[str]:
    yield "# Answers that several families share\n"
    used = {solution_type(model) for model in all_models()}
    for solution in sorted(used, key=lambda each: each.__name__):
        if solution.__module__.rpartition(".")[2].startswith("_"):
            yield from _solution(solution)


def _task(model: Model) -> Iterator[str]:
    known = describe(model)
    yield f"## {known.name}\n"
    yield known.text + "\n"
    fixed = ", ".join(f"`{key}` = `{value!r}`" for key, value in known.fixed.items())
    if fixed:
        yield f"- Told apart by {fixed}"
    yield f"- Solution: [{known.solution}]({_place(solution_type(model))})"
    if known.token_life:
        yield f"- The token can be used for {known.token_life:g} s"
    if known.historic:
        yield "- Historic"
    yield ""
    yield from _at_services(model)
    yield "\n| Field | Wire key | Type | Required | Allowed | Meaning |"
    yield "|---|---|---|---|---|---|"
    for field in known.fields:
        key = " … ".join(f"`{key}`" for key in dict.fromkeys((field.keys[0], field.keys[-1])))
        required = "yes" if field.required else ""
        annotation = f"`{field.annotation}`"
        yield _row(f"`{field.name}`", key, annotation, required, _allowed(field), field.meaning)
    yield ""
    yield from _example(model)


def _place(solution: type[Solution]) -> str:
    module = solution.__module__.rpartition(".")[2]
    return f"{SHARED if module.startswith('_') else module}.md#{solution.__name__.lower()}"


def _at_services(model: Model) -> Iterator[str]:
    yield "| Service | Name there | Proxy | Besides the fields below | Waits |"
    yield "|---|---|---|---|---|"
    for name, service in SERVICES.items():
        dialect = service.dialect(model)
        if dialect is None:
            continue
        if dialect.withdrawn:
            yield _row(name, "", "", f"withdrawn: {dialect.withdrawn}", "")
            continue
        told = describe(model, service)
        names = "`, `".join(told.wire_types)
        waits = f"{service.poll_times(model.spec.family).timeout:g} s"
        yield _row(name, f"`{names}`", told.proxy, "; ".join(_differences(model, service)), waits)


def _differences(model: Model, service: Service) -> Iterator[str]:
    """What a service has, wants or writes otherwise than the table of fields says."""
    own = {field.name: field for field in describe(model).fields}
    there = {field.name: field for field in describe(model, service).fields}
    wanted = [name for name in there if there[name].required and not own[name].required]
    if wanted:
        yield f"requires {_listed(wanted)}"
    hints = _dialect(service, model).hints.split()
    lacking = [name for name in own if name not in there and name not in ("proxy", *hints)]
    if lacking:
        yield f"refuses {_listed(lacking)}"
    if hints:
        yield f"is not sent {_listed(hints)}"
    renamed = [name for name in there if name != "proxy" and there[name].keys != own[name].keys]
    if renamed:
        yield "writes " + ", ".join(f"`{name}` as `{there[name].keys[0]}`" for name in renamed)
    dialect = _dialect(service, model)
    for name, values in dialect.values.items():
        yield f"`{name}` is one of {', '.join(map(str, values))}"
    for group in dialect.either:
        yield f"wants one of {_listed(group.split('|'))}"
    for name, limit in dialect.limits.items():
        yield f"`{name}` has at most {limit} bytes"
    if dialect.at_once:
        yield "answers at once"
    if dialect.note:
        yield dialect.note.rstrip(".")


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _solution(solution: type[Solution]) -> Iterator[str]:
    yield f"## {solution.__name__}\n"
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


# -- an example -----------------------------------------------------------------------------------


def _example(model: Model) -> Iterator[str]:
    service = next((each for each in SERVICES.values() if each.takes(model)), None)
    if service is None or model.spec.historic:
        return
    fields = [each for each in describe_solution(solution_type(model)) if each.places]
    first = next((each for each in fields if each.always), fields[0]).name
    yield "```{code-block} python"
    yield f'async with CaptchaClient(key, service="{service.name}") as client:'
    yield f"    task = {example_task(model, service)}"
    yield "    solved = await client.solve(task)"
    yield f"    print(solved.solution.{first})"
    yield "```\n"


def example_task(model: Model, service: Service) -> str:
    """Return the expression that makes a task with what *service* requires."""
    task = sample_task(model, random.Random(0), service)
    lines = [
        f"        {field.name}={_literal(getattr(task, field.name))},"
        for field in attrs.fields(model)  # type: ignore[arg-type]
        if getattr(task, field.name) is not None
    ]
    return "\n".join([f"{model.__name__}(", *lines, "    )"])


def _literal(value: Any) -> str:
    if isinstance(value, bytes):
        return 'Path("page.html")' if b"<html" in value else 'Path("captcha.png")'
    if isinstance(value, tuple) and value and isinstance(value[0], bytes):
        several = f" * {len(value)}" if len(value) > 1 else ""
        return f'[Path("captcha.png")]{several}'
    if isinstance(value, Proxy):
        return 'Proxy.from_url("http://user:password@8.8.8.8:8080")'
    if isinstance(value, tuple):
        return repr([*value])
    return repr(value).replace("'", '"')


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _first_line(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "").partition("\n")[0]


def main() -> None:
    """Write the pages, or compare them."""
    texts = pages()
    folder = FOLDER / "tasks"
    folder.mkdir(exist_ok=True)
    stale = {path for path in folder.glob("*.md") if f"tasks/{path.name}" not in texts}
    for name, text in texts.items():
        path = FOLDER / name
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} is not up to date: run {Path(__file__).name}")
    for path in stale:
        if "--check" in sys.argv:
            sys.exit(f"{path} is of no family any more: run {Path(__file__).name}")
        path.unlink()


if __name__ == "__main__":
    main()

"""Writes `API.md`: the API reference for those who read the checkout, from the same docstrings.

python docs/generate_api.py            # writes the page
python docs/generate_api.py --check    # fails if it is not up to date

The pages `reference/api-*.md` say what belongs where; in the built site Sphinx fills them.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

DOCS = Path(__file__).parent
PAGE = DOCS.parent / "API.md"
ORDER = (
    "client",
    "tasks",
    "services",
    "settings",
    "errors",
    "observing",
    "callbacks",
    "wire",
    "emulator",
)
HEAD = """\
# API

Written from the docstrings by `docs/generate_api.py`; the built site has the same with links.
Task types with all their fields are in [docs/reference/tasks.md](docs/reference/tasks.md).
"""
DIRECTIVE = re.compile(
    r"^\.\. (autoclass|autoexception|autofunction|py:data|py:type):: (\S+)\n((?:   .*\n|\n)*)",
    re.MULTILINE,
)
SECTIONS = {"Args:": "Arguments:", "Raises:": "Raises:", "Returns:": "Returns:"}
LONGEST_DEFAULT = 40


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for name in ORDER:
        parts += _part((DOCS / "reference" / f"api-{name}.md").read_text(encoding="utf-8"))
    return "\n".join(parts).rstrip() + "\n"


def _part(text: str) -> Iterator[str]:
    """Turn a page of the reference into one that needs no Sphinx."""
    for line in re.split(r"(?m)^(```\{eval-rst\}\n.*?^```)$", text, flags=re.DOTALL):
        if not line.startswith("```{eval-rst}"):
            yield from (f"#{each}" if each.startswith("#") else each for each in _prose(line))
            continue
        for kind, target, options in DIRECTIVE.findall(f"{line}\n"):
            yield from _entry(kind, target, options)


def _prose(text: str) -> list[str]:
    text = re.sub(r"\]\((?!https?:|#)([^)]+)\)", r"](docs/reference/\1)", text)
    return [*text.strip("\n").split("\n"), ""] if text.strip() else []


def _entry(kind: str, target: str, options: str) -> Iterator[str]:
    name = target.rpartition(".")[2]
    if kind.startswith("py:"):
        told = [line.strip() for line in options.splitlines() if line.strip()]
        fields = dict(re.findall(r":(\w+): (.*)", "\n".join(told)))
        text = " ".join(line for line in told if not line.startswith(":"))
        value = fields.get("canonical") or fields.get("value") or fields.get("type") or ""
        yield from (f"#### {name}", "", *([f"`{value}`", ""] if value else []), text, "")
        return
    thing = _find(target)
    signature = _signature(thing)
    call = ["```text", f"{name}{signature}", "```", ""] if signature else []
    yield from (f"#### {name}", "", *call)
    yield from _docstring(thing)
    if inspect.isclass(thing):
        yield from _members(thing, options)


def _find(target: str) -> Any:
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _signature(thing: Any) -> str:
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return ""
    if attrs.has(thing):
        return ""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    kept = [each for each in signature.parameters.values() if each.name != "self"]
    text = ", ".join(map(_parameter, _marked(kept)))
    back = signature.return_annotation
    returns = (
        ""
        if back is inspect.Signature.empty or inspect.isclass(thing)
        else f" -> {back}".replace("'", "")
    )
    return f"({text}){returns}"


def _marked(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter | str]:
    told = False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not told:
            told = True
            yield "*"
        yield each


def _parameter(each: inspect.Parameter | str) -> str:
    if isinstance(each, str):
        return each
    name = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "") + each.name
    text = name if each.annotation is each.empty else f"{name}: {each.annotation}".replace("'", "")
    if each.default is each.empty:
        return text
    default = repr(each.default)
    # An object's own text may be another one in each process.
    plain = len(default) <= LONGEST_DEFAULT and "<" not in default
    return f"{text} = {default if plain else '...'}"


def _docstring(thing: Any) -> Iterator[str]:
    """Return the docstring with its sections as lists."""
    section = False
    for line in inspect.cleandoc(thing.__doc__ or "").splitlines():
        if line in SECTIONS:
            section = True
            yield from (SECTIONS[line], "")
        elif section and (entry := re.match(r" {4}([\w.*]+): (.*)", line)):
            yield f"- `{entry[1]}`: {entry[2]}"
        else:
            yield f"  {line.strip()}" if section and line.strip() else line
    yield ""


def _members(cls: type, options: str) -> Iterator[str]:
    chosen = re.search(r":members:(.*)", options)
    if chosen is None:
        return
    names = [name.strip() for name in chosen[1].split(",") if name.strip()]
    left_out = set(re.findall(r":exclude-members: (.*)", options))
    texts = _fields(cls)
    for name in names or _public(cls, texts):
        if name in left_out:
            continue
        if name in texts:
            annotation, text = texts[name]
            yield f"- **`{name}`**: `{annotation}`. {text}"
            continue
        member = inspect.getattr_static(cls, name, None)
        if isinstance(member, property):
            yield f"- **`{name}`**: {_first(member)}"
        elif callable(function := getattr(cls, name, None)):
            waits = "await " if inspect.iscoroutinefunction(function) else ""
            yield f"- **`{waits}{name}{_signature(function)}`**: {_first(function)}"
    yield ""


def _first(thing: Any) -> str:
    """Return the first paragraph of a docstring, as one line."""
    return " ".join(inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0].split())


def _public(cls: type, texts: dict[str, tuple[str, str]]) -> list[str]:
    own = [name for base in reversed(cls.__mro__) for name in vars(base)]
    ours = {
        name: None
        for name in own
        if not name.startswith("_")
        and (name in texts or _is_documented(inspect.getattr_static(cls, name, None)))
    }
    return [*dict.fromkeys([*texts, *ours])]


def _is_documented(member: Any) -> bool:
    function = getattr(member, "__func__", getattr(member, "fget", member))
    module = getattr(function, "__module__", "") or ""
    return bool(getattr(function, "__doc__", None)) and module.startswith("captcha_async")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def _fields(cls: type) -> dict[str, tuple[str, str]]:
    """Return each field of a class and its bases that has a text below it."""
    found: dict[str, tuple[str, str]] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("captcha_async"):
            continue
        for node in ast.walk(_tree(base.__module__)):
            if isinstance(node, ast.ClassDef) and node.name == base.__name__:
                found |= dict(_texts(node.body))
    return found


def _texts(body: list[ast.stmt]) -> Iterator[tuple[str, tuple[str, str]]]:
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            told = " ".join(text.value.value.split())
            yield field.target.id, (ast.unparse(field.annotation), told)


PAGES: dict[Path, Callable[[], str]] = {PAGE: page}


def main() -> None:
    """Write the page, or compare it."""
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE} is not up to date: run {Path(__file__).name}")


if __name__ == "__main__":
    main()

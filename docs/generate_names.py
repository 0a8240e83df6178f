"""Writes the lists of names in `captcha_async/tasks`: `_names.py` and `__init__.py`.

A task type is declared in its family's module and nowhere else; that a module is imported on first
use only takes a list of which has what, and that type checkers see the names takes imports.

python docs/generate_names.py            # writes both
python docs/generate_names.py --check    # fails if they are not up to date
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

TASKS = Path(__file__).parents[1] / "captcha_async" / "tasks"
# Private modules whose classes are public.
SHARED = ("_puzzle", "_solutions")
ALWAYS = {
    "_model": ("RawSolution", "RawTask", "Solution", "Task"),
    "_proxy": ("Proxy", "ProxyType"),
}
WIDTH = 100

NAMES = '''\
"""Which module has which public name. Written by `docs/generate_names.py`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FAMILIES"]

FAMILIES: Mapping[str, tuple[str, ...]] = {{
{entries}
}}
"""The public names of each module that is imported on first use."""
'''

PACKAGE = '''\
"""Every task type that the library knows, by captcha family, each beside its solution."""

# Written by `docs/generate_names.py`.
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._families import load_name
from ._model import RawSolution, RawTask, Solution, Task
from ._proxy import Proxy, ProxyType

if TYPE_CHECKING:
{imports}

__all__ = [
{names}
]


def __getattr__(name: str) -> Any:
    try:
        value = load_name(name)
    except KeyError:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({{*globals(), *__all__}})
'''


def families() -> dict[str, list[str]]:
    """Return the public names of each module, read without importing it."""
    modules = [*SHARED, *sorted(path.stem for path in TASKS.glob("[a-z]*.py"))]
    return {module: public_names(TASKS / f"{module}.py") for module in modules}


def public_names(path: Path) -> list[str]:
    """Return the classes and types of a module's `__all__`."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return sorted(name for name in names if name[0].isupper())
    raise ValueError(f"{path} has no __all__")


def names_module(found: dict[str, list[str]]) -> str:
    """Return the text of `_names.py`."""
    return NAMES.format(entries="\n".join(_entry(*item) for item in found.items()))


def _entry(module: str, names: list[str]) -> str:
    if len(names) == 1:
        return f'    "{module}": ("{names[0]}",),'
    lines = "\n".join(f'        "{name}",' for name in names)
    return f'    "{module}": (\n{lines}\n    ),'


def package(found: dict[str, list[str]]) -> str:
    """Return the text of `__init__.py`."""
    names = {name for part in (*found.values(), *ALWAYS.values()) for name in part}
    return PACKAGE.format(
        imports="\n".join(_import(*item) for item in sorted(found.items())),
        names="\n".join(f'    "{name}",' for name in sorted(names)),
    )


def _import(module: str, names: list[str]) -> str:
    line = f"    from .{module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    lines = "\n".join(f"        {name}," for name in names)
    return f"    from .{module} import (\n{lines}\n    )"


def main() -> None:
    """Write the files, or compare them."""
    found = families()
    texts = {TASKS / "_names.py": names_module(found), TASKS / "__init__.py": package(found)}
    for path, text in texts.items():
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} is not up to date: run {Path(__file__).name}")


if __name__ == "__main__":
    main()

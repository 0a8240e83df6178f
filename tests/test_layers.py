"""The package's structure: imports go downwards only, time has one source, pieces stay small."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "captcha_async"
ROOT = Path(__file__).parent.parent / PACKAGE

# From the lowest layer to the highest; a line holds layers that do not know each other.
LAYERS = [
    ("_ref", "_secrets", "_clock", "_waiting_line", "_handlers"),
    ("errors",),
    ("_checks",),
    ("_serving",),
    ("tasks",),
    ("services",),
    ("wire",),
    ("_outcome", "_transport"),
    ("_polling", "_journal", "_events"),
    ("_sharing",),
    ("_callbacks",),
    ("_arguments",),
    ("_account",),
    ("_solving",),
    ("_batch", "_above"),
    ("_client",),
    ("_per_loop",),
    ("__init__",),
    ("emulator", "telemetry"),
    ("testing",),
    ("cli",),
    ("__main__",),
]
RANK = {name: rank for rank, line in enumerate(LAYERS) for name in line}

# The emulator plays the service: it knows the protocol, and nothing of the client.
EMULATOR_MAY_IMPORT = {
    "emulator",
    "_serving",
    "wire",
    "services",
    "tasks",
    "errors",
    "_ref",
    "_clock",
}

# The last two only for the type of `http_client=`.
HTTPX_IN = ("_transport", "_account", "_client")


# What installs itself with the library (`dependencies` of pyproject.toml), and what some layers may
# import beside that: whoever uses these has installed the extra, or the program that brings it.
DEPENDENCIES = {"anyio", "attrs", "attr", "cattrs", "certifi", "h11", "httpx", "orjson"}
BESIDE = {
    "cli": {"rich", "typer", "matplotlib"},
    "telemetry": {"opentelemetry"},
    "testing": {"pytest", "trio"},
    # Modules that are imported where httptools is there, and functions for trio alone.
    "_transport": {"httptools"},
    "_serving": {"httptools", "trio"},
    # In the functions that open a store in Redis.
    "_sharing": {"coredis"},
}

# Attributes by which code would read or pass time beside `anyio.current_time` and `anyio.sleep`.
CLOCKS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "monotonic"),
    ("time", "perf_counter"),
    ("time", "sleep"),
    ("asyncio", "sleep"),
    ("asyncio", "timeout"),
    ("asyncio", "wait_for"),
    ("trio", "sleep"),
    ("trio", "current_time"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
}

# Each owns, and waits for, what it starts.
OWNERS = {"_serving._own_task", "_transport._held"}
STARTERS = ("create_task", "ensure_future", "spawn_system_task")

# A facade and the books are long; a file over 400 lines is better than inheritance to split it.
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 40

FILES = sorted(ROOT.rglob("*.py"))
every_file = pytest.mark.parametrize(
    "path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES]
)


@cache
def read(path: Path) -> ast.Module:
    """Parse a file once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    """Return the dotted name; a package is named after its `__init__`, the top one `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[-1] == "__init__" and len(parts) > 1:
        parts = parts[:-1]
    return ".".join(parts)


MODULES = {module_name(path): path for path in FILES}


def resolve(path: Path, node: ast.ImportFrom) -> list[str]:
    """Return the absolute names that a from-import may reach."""
    if node.level == 0:
        base = (node.module or "").split(".")
    else:
        package = (PACKAGE, *path.relative_to(ROOT).parent.parts)
        base = list(package[: len(package) - node.level + 1])
        base += node.module.split(".") if node.module else []
    return [".".join((*base, alias.name)) for alias in node.names]


def imports(path: Path) -> Iterator[str]:
    """Every imported name, absolute; lazy ones and those for type checkers too."""
    for node in ast.walk(read(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from resolve(path, node)


def own_imports(path: Path) -> set[str]:
    """The package's modules that a file imports."""
    found: set[str] = set()
    for name in imports(path):
        first, *rest = name.split(".")
        if first != PACKAGE:
            continue
        while rest and ".".join(rest) not in MODULES:
            rest.pop()
        found.add(".".join(rest) or "__init__")
    return found - {module_name(path)}


def owner(node: ast.Attribute) -> str:
    """Return the name left of the dot, such as `datetime` for `datetime.datetime.now`."""
    value = node.value.func if isinstance(node.value, ast.Call) else node.value
    if isinstance(value, ast.Attribute):
        return value.attr
    return value.id if isinstance(value, ast.Name) else ""


@pytest.mark.parametrize("name", sorted({name.split(".")[0] for name in MODULES}))
def test_every_module_has_its_layer(name: str) -> None:
    """A new module is given its place in the table above."""
    assert name in RANK


@every_file
def test_imports_go_downwards(path: Path) -> None:
    """No module imports one of a higher layer, or another of its own line."""
    layer = module_name(path).split(".")[0]
    for imported in own_imports(path):
        target = imported.split(".")[0]
        assert target == layer or RANK[target] < RANK[layer], f"{layer} imports {imported}"


@every_file
def test_the_emulator_knows_nothing_of_the_client(path: Path) -> None:
    """The emulator stands on the protocol layers alone."""
    if module_name(path).split(".")[0] == "emulator":
        assert {name.split(".")[0] for name in own_imports(path)} <= EMULATOR_MAY_IMPORT


def test_no_import_cycle() -> None:
    """Modules can be read one after the other, also inside of a sub-package."""
    waiting = {name: own_imports(path) for name, path in MODULES.items()}
    while waiting:
        ready = [name for name, needs in waiting.items() if not needs & set(waiting)]
        assert ready, f"a cycle among {sorted(waiting)}"
        for name in ready:
            del waiting[name]


def needed(path: Path) -> Iterator[str]:
    """The packages that a file cannot do without: not those that it tries to import."""
    optional = {
        part
        for node in ast.walk(read(path))
        if isinstance(node, ast.Try) and any("ImportError" in ast.dump(h) for h in node.handlers)
        for part in ast.walk(node)
    }
    for node in ast.walk(read(path)):
        if node in optional:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


@every_file
def test_what_is_imported_is_installed(path: Path) -> None:
    """A fresh install works: a package that another one happens to bring may go any day."""
    allowed = DEPENDENCIES | BESIDE.get(module_name(path).split(".")[0], set())
    assert set(needed(path)) - sys.stdlib_module_names <= allowed


def test_the_dependencies_are_those_of_the_project() -> None:
    """The list above is what pip installs."""
    with (ROOT.parent / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    assert {name.split(">=")[0] for name in wanted} == DEPENDENCIES - {"attr"}


@every_file
def test_httpx_has_one_home(path: Path) -> None:
    """httpx is imported by the transport only, and for a type by the client."""
    uses = any(name.split(".")[0] == "httpx" for name in imports(path))
    assert not uses or module_name(path).split(".")[0] in HTTPX_IN


@every_file
def test_time_has_one_source(path: Path) -> None:
    """Library code reads time from `anyio.current_time()`, so that tests can make it virtual."""
    layer = module_name(path).split(".")[0]
    # The command line times its own display for a human reader.
    if layer == "cli":
        return
    # Spans are told in the wall clock's time, and so is what another process is to understand.
    allowed = {"telemetry": {("time", "time_ns")}, "_clock": {("time", "time")}}
    clocks = CLOCKS - allowed.get(layer, set())
    for node in ast.walk(read(path)):
        if isinstance(node, ast.Attribute):
            assert (owner(node), node.attr) not in clocks, f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert (node.module, alias.name) not in clocks, f"line {node.lineno}"


@every_file
def test_no_task_without_owner(path: Path) -> None:
    """Background work belongs to a task group, or to an `OwnTask`; nothing is forgotten."""
    if module_name(path) in OWNERS:
        return
    for node in ast.walk(read(path)):
        if isinstance(node, ast.Attribute) and node.attr in STARTERS:
            assert owner(node) not in ("asyncio", "loop", "lowlevel"), f"line {node.lineno}"


@every_file
def test_files_stay_small(path: Path) -> None:
    """A file is one idea; what it tells its readers is not counted."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    for node in ast.walk(read(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= (node.end_lineno or node.lineno) - node.lineno + 1
    assert lines <= MAX_FILE_LINES


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of signature and body, without the docstring."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and ast.get_docstring(node) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


@every_file
def test_functions_stay_small(path: Path) -> None:
    """A function fits on a screen."""
    for node in ast.walk(read(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert code_lines(node) <= MAX_FUNCTION_LINES, f"{node.name}, line {node.lineno}"


@every_file
def test_every_file_says_what_it_holds(path: Path) -> None:
    """A file opens with a docstring; only an empty `__init__` has none."""
    tree = read(path)
    assert not tree.body or ast.get_docstring(tree)

"""How the catalogue looks: in a narrow or wide terminal, and in a pipe."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...services import SERVICES
from .._tables import ruled_table
from ._catalogue import AnswerField, TaskField, TaskType

__all__ = ["print_list", "print_type"]

# Columns from which on there is room for the solutions too.
WIDE = 112
LETTERS = {
    "capmonster": "M",
    "captcha69": "9",
    "anti-captcha": "A",
    "2captcha": "2",
    "capsolver": "S",
}
INDENT = " " * 6
# Lines in a pipe are not folded.
UNLIMITED = 10_000


# -- the list -------------------------------------------------------------------------------------


def print_list(types: list[TaskType], console: Console, *, everywhere: bool, hidden: bool) -> None:
    """Print a line for each type.

    Args:
        types: what to list.
        console: a terminal gets columns that fit; a pipe gets everything.
        everywhere: whether they are those of all services, so that each line has to say which.
        hidden: whether historic ones were left out.
    """
    if not console.is_terminal:
        for line in _lines(types):
            console.print(line, soft_wrap=True, markup=False)
        return
    wide = console.width >= WIDE
    titles = ["class", "wire type", "solution", "proxy", "at"]
    shown = [title for title in titles if _has_room(title, wide, everywhere)]
    table = ruled_table()
    for title in shown:
        table.add_column(title, no_wrap=title != "wire type", overflow="fold")
    for each in types:
        cells = dict(zip(titles, _cells(each), strict=True))
        table.add_row(*(cells[title] for title in shown))
    console.print(table)
    legend = ", ".join(f"{LETTERS[name]} {name}" for name in SERVICES)
    told = [f"at: {legend}"] if everywhere else []
    told += [f"{len(types)} types; --historic shows older ones too"] if hidden else []
    console.print("", *told, sep="\n", markup=False, highlight=False)


def _has_room(title: str, wide: bool, everywhere: bool) -> bool:
    return {"solution": wide, "at": everywhere}.get(title, True)


def _cells(each: TaskType) -> tuple[str, ...]:
    wire = " / ".join("same" if name == each.name else name for name in each.wire_types)
    letters = "".join(LETTERS[name] if name in each.services else "·" for name in SERVICES)
    return _name(each), wire, each.solution, each.proxy, letters


def _name(each: TaskType) -> str:
    return f"{each.name} †" if each.historic else each.name


def _lines(types: list[TaskType]) -> Iterator[str]:
    """Columns as wide as they have to be, so that nothing is cut."""
    rows = [("class", "wire type", "solution", "proxy", "services")]
    rows += [
        (
            each.name,
            "/".join(each.wire_types),
            each.solution,
            each.proxy,
            ",".join(each.services) + (" (historic)" if each.historic else ""),
        )
        for each in types
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


# -- one type -------------------------------------------------------------------------------------


def print_type(each: TaskType, console: Console) -> None:
    """Print what there is to know of a type."""
    console.print(Text(each.name, "bold"))
    console.print(each.text, markup=False, soft_wrap=not console.is_terminal)
    console.print()
    for head, told in _facts(each):
        _print_pair(console, head, told)
    fields: list[Shown] = [
        (field.name, _about_field(field), field.meaning) for field in each.fields
    ]
    _print_fields(console, "Fields", fields)
    answers: list[Shown] = [
        (part.name, (part.annotation,), _about_answer(part)) for part in each.answer
    ]
    _print_fields(console, each.solution, answers)


def _facts(each: TaskType) -> Iterator[tuple[str, str]]:
    wire = each.wire_types[0]
    if len(each.wire_types) > 1:
        wire = f"{wire} with a proxy, {each.wire_types[1]} without"
    yield "wire type", wire
    for key, value in each.fixed.items():
        yield "with", f"{key} = {value!r}"
    yield "proxy", each.proxy
    yield "services", ", ".join(each.services)
    if each.token_life:
        yield "token life", f"{each.token_life:g} s"
    if each.note:
        yield "note", each.note
    if each.historic:
        yield "historic", "gone from the services' documentation"


def _print_pair(console: Console, head: str, told: str) -> None:
    if console.is_terminal:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=11, style="dim")
        grid.add_column()
        grid.add_row(head, Text(told))
        console.print(grid)
    else:
        console.print(f"{head:<11} {told}", markup=False, soft_wrap=True)


Shown = tuple[str, tuple[str, ...], str]
"""A field's name, what is said of it in columns, and its meaning."""


def _print_fields(console: Console, title: str, fields: list[Shown]) -> None:
    """Print names and what is said of them in columns, each with its meaning below."""
    console.print(Text(f"\n{title}", "bold"))
    names = max(len(name) for name, _, _ in fields)
    places = max(len(about[0]) for _, about, _ in fields)
    width = console.width if console.is_terminal else UNLIMITED
    for name, (place, *rest), meaning in fields:
        told = f"  {name:<{names}}  {place:<{places}}  {'  '.join(rest)}"
        line = Text(_fill(told.rstrip(), width))
        line.stylize("cyan", 0, 2 + len(name))
        console.print(line, soft_wrap=True)
        console.print(Text(_fill(f"{INDENT}{meaning}", width), "dim"), soft_wrap=True)


def _fill(text: str, width: int) -> str:
    return textwrap.fill(text, width, subsequent_indent=INDENT, break_on_hyphens=False)


def _about_field(field: TaskField) -> tuple[str, ...]:
    keys = " … ".join(dict.fromkeys((field.keys[0], field.keys[-1])))
    allowed = f"one of {', '.join(field.values)}" if field.values else field.kind
    allowed += f", {field.limits}" if field.limits else ""
    default = "" if field.default is None else f", else {field.default}"
    return keys, "required" if field.required else "optional", allowed + default


def _about_answer(answer: AnswerField) -> str:
    places = f" (from {' or '.join(answer.places)})" if answer.places else ""
    return f"{answer.meaning}{places}"

"""Sphinx settings: the pages are Markdown, the API reference comes from the docstrings.

sphinx-build -W --keep-going -n -b html docs docs/_build
"""

from __future__ import annotations

import inspect
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import attrs
from docutils import nodes
from sphinx import addnodes
from sphinx.util.nodes import make_refnode

sys.path.insert(0, str(Path(__file__).parent.parent))

import captcha_async
from captcha_async.tasks._families import FAMILIES

project = "captcha-async"
author = "the captcha-async developers"
copyright = "2026, the captcha-async developers"
version = release = captcha_async.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"captcha-async {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# Docstrings are written as the rest of the docs: one backtick is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# An extra, which the pages do not need.
autodoc_mock_imports = [] if find_spec("opentelemetry") else ["opentelemetry"]
python_maximum_signature_line_length = 72

# What the library makes and the user only reads: how it is made is nobody's business.
READ_ONLY = {
    "Batch",
    "BatchProgress",
    "CallbackStatistics",
    "EmulatedTask",
    "EmulatorStatistics",
    "Failed",
    "LaneStatistics",
    "LatencyStatistics",
    "LearnedTimes",
    "PendingTask",
    "SolveAttempts",
    "Stock",
    "PollState",
    "RecordedRequest",
    "SemaphoreStatistics",
    "Solved",
    "Statistics",
    "UncertainSubmission",
    "Violation",
    *(kind.__name__ for kind in get_args(captcha_async.Event)),
}
SECTIONS = {"Args:": "param", "Raises:": "raises", "Returns:": "returns"}
TYPE_VARIABLES = {"S", "S_co", "T"}
LONGEST_DEFAULT = 24


def shorten_signature(
    _: Any, what: str, name: str, thing: Any, __: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Leave out signatures that nobody calls; write those of attrs classes without big defaults."""
    if what == "exception" or (what == "class" and name.rpartition(".")[2] in READ_ONLY):
        return "", None
    if what == "class" and attrs.has(thing) and signature:
        return _attrs_signature(thing), returns
    return None


def _attrs_signature(cls: type) -> str:
    parts: list[str] = []
    for field in attrs.fields(cls):  # type: ignore[misc]
        if not field.init:
            continue
        if field.kw_only and "*" not in parts:
            parts.append("*")
        default = "" if field.default is attrs.NOTHING else f"={_shown(field.default)}"
        parts.append(f"{field.alias}{default}")
    return f"({', '.join(parts)})"


def _shown(default: object) -> str:
    text = "…" if isinstance(default, attrs.Factory) else repr(default)  # type: ignore[arg-type]
    return text if len(text) <= LONGEST_DEFAULT else "…"


def convert(_: Any, __: str, ___: str, ____: Any, _____: Any, lines: list[str]) -> None:
    """Turn a docstring's fenced code and its sections into what autodoc reads."""
    converted: list[str] = []
    fenced, section = False, None
    for line in lines:
        text = line.strip()
        if text.startswith("```"):
            fenced = not fenced
            converted += [f".. code-block:: {text[3:]}", ""] if fenced else [""]
        elif line in SECTIONS:
            section = SECTIONS[line]
        elif section is None or not text:
            converted.append(f"    {line}" if fenced else line)
        else:
            converted.append(_field(section, line))
    lines[:] = converted


def _field(section: str, line: str) -> str:
    """Return a line of a section; a name that is indented once begins a field."""
    entry = re.match(r" {4}([\w.]+): (.*)", line)
    if section != "returns" and entry:
        return f":{section} {entry[1]}: {entry[2]}"
    if section == "returns" and not line.startswith(" " * 8):
        return f":returns: {line.strip()}"
    return line


def page_of(name: str) -> str:
    """Return which page of the task types has a class."""
    module = next(module for module, names in FAMILIES.items() if name in names)
    return "shared" if module.startswith("_") else module


def resolve(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Lead references to private modules to the public names; leave other packages' as text."""
    if node.get("refdomain") != "py":
        return None
    target = str(node.get("reftarget", ""))
    name = target.rpartition(".")[2]
    docname = node.get("refdoc")
    if name in captcha_async.tasks.__all__ and name not in ("Task", "Solution", "RawTask"):
        page = f"reference/tasks/{page_of(name)}"
        return make_refnode(app.builder, docname, page, name.lower(), content)
    domain = env.domains["py"]
    for module in ("captcha_async", "captcha_async.emulator", "captcha_async.services"):
        found = domain.objects.get(f"{module}.{name}")
        if found:
            return make_refnode(app.builder, docname, found.docname, found.node_id, content)
    if target.startswith("captcha_async.") and name not in TYPE_VARIABLES:
        return None  # with -n, a warning: a public name that the reference lacks
    return content


def hide_private_bases(_: Any, __: str, ___: Any, ____: Any, bases: list[Any]) -> None:
    """Name only bases that a reader can look up."""
    bases[:] = [
        base for base in bases if inspect.isclass(base) and base.__name__ in captcha_async.__all__
    ]


def tidy(_: Any, doctree: nodes.document) -> None:
    """Remove the line "Bases:" where it names none, and links of `type` to fields of that name."""
    for paragraph in list(doctree.findall(nodes.paragraph)):
        if paragraph.astext().strip() == "Bases:":
            paragraph.parent.remove(paragraph)
    for reference in list(doctree.findall(addnodes.pending_xref)):
        if reference["reftarget"] == "type":
            reference.replace_self(reference.children)


def note_models(app: Any, doctree: nodes.document) -> None:
    """Put the classes of the pages of task types into the inventory, for links from elsewhere."""
    if not app.env.docname.startswith("reference/tasks/"):
        return
    domain = app.env.domains["py"]
    for section in doctree.findall(nodes.section):
        title = section.next_node(nodes.title)
        name = "" if title is None else title.astext()
        if name in captcha_async.tasks.__all__:
            place = section["ids"][0]
            domain.note_object(f"captcha_async.tasks.{name}", "class", place, location=section)
            if name in captcha_async.__all__:
                domain.note_object(
                    f"captcha_async.{name}", "class", place, aliased=True, location=section
                )


def setup(app: Any) -> None:
    """Connect the functions above."""
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-process-docstring", convert)
    app.connect("autodoc-process-bases", hide_private_bases)
    app.connect("doctree-read", tidy)
    app.connect("doctree-read", note_models)
    app.connect("missing-reference", resolve)

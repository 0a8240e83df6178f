"""The reference page of the task types is what the models say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from captcha_async.tasks._families import all_models
from captcha_async.tasks._model import solution_type

DOCS = Path(__file__).parents[2] / "docs"


def generator() -> Any:
    """Return the module that writes the page."""
    spec = importlib.util.spec_from_file_location("generate_tasks", DOCS / "generate_tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date() -> None:
    """Whoever changes a model runs `python docs/generate_tasks.py`."""
    page = (DOCS / "reference" / "tasks.md").read_text(encoding="utf-8")
    assert page == generator().page()


def test_every_task_and_solution_has_a_table() -> None:
    """Each heading stands once, and every link on the page leads to one."""
    lines = generator().page().splitlines()
    headings = [line.removeprefix("### ") for line in lines if line.startswith("### ")]
    models = set(all_models())
    classes = models | {solution_type(model) for model in models}
    assert sorted(headings) == sorted(cls.__name__ for cls in classes)


def test_every_field_is_explained() -> None:
    """No table row ends with an empty meaning."""
    rows = [line for line in generator().page().splitlines() if line.startswith("| `")]
    assert len(rows) > 300
    assert not [row for row in rows if row.endswith("|  |")]

"""The reference pages of the task types are what models and dialects say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import attrs
import pytest

import captcha_async
from captcha_async.services import SERVICES
from captcha_async.tasks._families import all_models
from captcha_async.tasks._model import Task, solution_type

DOCS = Path(__file__).parents[2] / "docs"


def generator(name: str = "generate_tasks") -> Any:
    """Return a module that writes pages or lists."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text() -> str:
    """All pages, one after the other."""
    return "\n".join(generator().pages().values())


def test_the_pages_are_up_to_date() -> None:
    """Whoever changes a model or a dialect runs `python docs/generate_tasks.py`."""
    pages = generator().pages()
    for name, page in pages.items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == page, name
    written = {f"tasks/{path.name}" for path in (DOCS / "reference" / "tasks").glob("*.md")}
    assert written | {"tasks.md"} == set(pages)


def test_the_lists_of_names_are_up_to_date() -> None:
    """Whoever adds a class runs `python docs/generate_names.py`."""
    names = generator("generate_names")
    found = names.families()
    tasks = DOCS.parent / "captcha_async" / "tasks"
    assert (tasks / "_names.py").read_text(encoding="utf-8") == names.names_module(found)
    assert (tasks / "__init__.py").read_text(encoding="utf-8") == names.package(found)


def test_every_task_and_solution_has_a_table() -> None:
    """Each heading stands once."""
    headings = [line.removeprefix("## ") for line in text().splitlines() if line[:3] == "## "]
    models = set(all_models())
    classes = models | {solution_type(model) for model in models}
    assert sorted(headings) == sorted(cls.__name__ for cls in classes)


def test_popular_families_stand_first() -> None:
    """The overview begins with what most people look for, and has every type at every service."""
    page = generator().pages()["tasks.md"]
    titles = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| [")]
    assert len(titles) == len(all_models())
    assert titles[0].startswith("[Text in an image]")
    assert "recaptcha" in titles[2]
    for service in SERVICES.values():
        assert page.count(service.name) >= sum(map(service.takes, all_models()))


def test_every_field_is_explained() -> None:
    """No table row ends with an empty meaning."""
    rows = [line for line in text().splitlines() if line.startswith("| `")]
    assert len(rows) > 300
    assert not [row for row in rows if row.endswith("|  |")]


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)
def test_each_type_has_an_example_that_its_service_takes(
    model: type[Task[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten lines or a little more, which make a valid task and read a field that there is."""
    module = generator()
    if model.spec.historic:
        assert [*module._example(model)] == []
        return
    monkeypatch.chdir(tmp_path)
    Path("captcha.png").write_bytes(b"\x89PNG" + bytes(150))
    Path("page.html").write_bytes(b"<html></html>")
    lines = [*module._example(model)]
    assert len(lines) <= 18
    service = next(each for each in SERVICES.values() if each.takes(model))
    made = eval(
        module.example_task(model, service),
        {model.__name__: model, "Path": Path, "Proxy": captcha_async.Proxy},
    )
    service.check(made)
    field = lines[-2].strip(" )").rpartition(".")[2]
    assert field in attrs.fields_dict(solution_type(model))  # type: ignore[arg-type]

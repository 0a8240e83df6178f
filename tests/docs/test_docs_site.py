"""The documentation site: builds without a warning, hangs together, and knows every public name."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
import pytest

import captcha_async
import captcha_async.emulator
import captcha_async.testing
from captcha_async.tasks._families import all_models

DOCS = Path(__file__).parents[2] / "docs"
# What these hold is told by their types, wherever they stand.
PLAIN_FIELDS = {"error", "ref", "service", "solved", "task"}
# Of Sphinx, with no text of ours.
GENERATED = {"genindex.html", "py-modindex.html", "search.html"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the built site."""
    for package in ("sphinx", "furo", "myst_parser"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        # The tests' own settings of coverage and warnings are not for Sphinx.
        env={name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


class Page(HTMLParser):
    """What a built page links to, is linked by, and shows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.sources: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        found = dict(attrs)
        if found.get("id"):
            self.ids.add(str(found["id"]))
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag == "img":
            self.images.append(found)
        source = found.get("src") or (found.get("href") if tag == "link" else None)
        if source:
            self.sources.append(source)


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Return every built page by its file."""
    return {path: Page(path) for path in site.rglob("*.html") if path.name not in GENERATED}


def test_every_page_is_in_the_site(site: Path, pages: dict[Path, Page]) -> None:
    """Each Markdown file is a page, and each page can be reached from the first one."""
    written = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert written == {path.relative_to(site) for path in pages}
    reached: set[Path] = set()
    ahead = [site / "index.html"]
    while ahead:
        page = ahead.pop()
        if page in pages and page not in reached:
            reached.add(page)
            ahead += [(page.parent / urlsplit(link).path).resolve() for link in pages[page].links]
    assert reached == set(pages)


def test_every_model_is_in_the_inventory(site: Path) -> None:
    """Other projects' documentation can link to each task and each solution."""
    written = (site / "objects.inv").read_bytes()
    listed = zlib.decompress(written.split(b"\n", 4)[4]).decode().splitlines()
    known = {line.split()[0] for line in listed if line.split()[1] == "py:class"}
    assert {f"captcha_async.tasks.{model.__name__}" for model in all_models()} <= known


def test_links_and_anchors_resolve(site: Path, pages: dict[Path, Page]) -> None:
    """No link of the site leads to a page, file or heading that is not there."""
    broken: list[str] = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            ids = pages[target].ids if target in pages else None
            anchored = not parts.fragment or ids is None or unquote(parts.fragment) in ids
            if not target.exists() or not anchored:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_images_are_described(site: Path, pages: dict[Path, Page]) -> None:
    """Every image is there and has a text for those who do not see it."""
    shown = {path: page.images for path, page in pages.items() if page.images}
    assert shown
    for path, images in shown.items():
        for image in images:
            assert (path.parent / str(image["src"])).exists()
            assert len(image.get("alt") or "") > 20, image["src"]


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    """Fonts, styles, scripts and images come with the site."""
    outside = {source for page in pages.values() for source in page.sources if "://" in source}
    assert outside == set()


def test_pages_are_well_formed() -> None:
    """A page has one title, and no heading skips a level."""
    for path in DOCS.rglob("*.md"):
        text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        levels = [len(mark) for mark in re.findall(r"^(#+) ", text, re.MULTILINE)]
        assert levels.count(1) == 1, path
        assert levels[0] == 1, path
        assert all(after - before <= 1 for before, after in pairwise(levels))


# -- the reference --------------------------------------------------------------------------------

REFERENCE = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((DOCS / "reference").rglob("*.md"))
)
NAMES = [
    *(name for name in captcha_async.__all__ if not name.startswith("__")),
    *(f"services.{name}" for name in captcha_async.services.__all__),
    *(f"wire.{name}" for name in captcha_async.wire.__all__),
    *(f"emulator.{name}" for name in captcha_async.emulator.__all__),
    *(f"testing.{name}" for name in captcha_async.testing.__all__),
    "telemetry.OpenTelemetry",
]


def value_of(name: str) -> Any:
    """Return what a public name stands for."""
    value: Any = captcha_async
    if name.startswith("telemetry."):
        value = pytest.importorskip("captcha_async.telemetry", exc_type=ImportError)
        return value.OpenTelemetry
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    """It has an entry, or a heading on the page of the task types."""
    if isinstance(value_of(name), ModuleType):
        return
    entry = rf":: captcha_async\.(services\.)?{re.escape(name.removeprefix('services.'))}$"
    heading = rf"^##+ {re.escape(name)}$"
    assert re.search(f"{entry}|{heading}", REFERENCE, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_everything_public_is_explained(name: str) -> None:
    """Classes, functions, methods, properties, and fields; who raises an error says which."""
    value = value_of(name)
    if not inspect.isclass(value) and not inspect.isfunction(value):
        return
    assert inspect.getdoc(value)
    if not inspect.isclass(value):
        return
    for member, found in vars(value).items():
        function = getattr(found, "__func__", getattr(found, "fget", found))
        if not member.startswith("_") and inspect.isfunction(function):
            text = inspect.getdoc(function)
            assert text, member
            if re.search(r"^\s+raise \w", source_of(function), re.MULTILINE):
                assert "Raises:" in text, member
    if attrs.has(value):
        fields = {field.name for field in attrs.fields(value) if not field.name.startswith("_")}
        assert fields - explained_fields(value) - PLAIN_FIELDS == set()


def source_of(function: Any) -> str:
    """Return a function's source; attrs' own functions have none."""
    try:
        return inspect.getsource(function)
    except OSError:
        return ""


def explained_fields(cls: type) -> set[str]:
    """Return the fields of a class and its bases that have a text below them."""
    analyzer = pytest.importorskip("sphinx.pycode").ModuleAnalyzer
    explained: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("captcha_async"):
            texts = analyzer.for_module(base.__module__).find_attr_docs()
            explained |= {name for owner, name in texts if owner == base.__name__}
    return explained


@pytest.mark.parametrize("name", ["generate_tables", "generate_numbers", "generate_api"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    """Whoever changes what a page is written from runs its generator."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for page, make in module.PAGES.items():
        assert page.read_text(encoding="utf-8") == make(), f"run python docs/{name}.py"

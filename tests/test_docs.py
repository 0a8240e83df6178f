"""README and docs: every Python block runs, every link leads somewhere, the README stays short."""

from __future__ import annotations

import ast
import asyncio
import inspect
import random
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest
from anyio.from_thread import start_blocking_portal
from command_line import KEY, run

import captcha_async
from captcha_async.cli._samples import noise_png
from captcha_async.emulator import Emulator, Latency, serve
from captcha_async.services import SERVICES, Service

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAX_README_WORDS = 450


def blocks() -> list[Any]:
    """Return every Python block with the place where it stands."""
    found: list[Any] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            place = f"{page.name}:{text.count(chr(10), 0, match.start()) + 1}"
            found.append(pytest.param(match[1], place, id=place))
    return found


@pytest.fixture
def local_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[dict[str, Emulator]]:
    """Let the two services of the README be emulated, and `captcha.png` be an image."""
    profiles = cast("dict[str, Service]", SERVICES)
    emulators = {
        name: Emulator(name, api_keys=KEY, latency=Latency.fixed(0))
        for name in ("capmonster", "captcha69")
    }
    monkeypatch.setenv("CAPTCHA_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captcha.png").write_bytes(noise_png(random.Random(0)))
    with start_blocking_portal() as portal:
        servers = [
            portal.wrap_async_context_manager(serve(emulator)) for emulator in emulators.values()
        ]
        with servers[0] as first, servers[1] as second:
            for name, url in zip(emulators, (first, second), strict=True):
                monkeypatch.setitem(profiles, name, SERVICES[name].evolve(base_url=url))
            yield emulators


@pytest.mark.parametrize(("source", "place"), blocks())
def test_python_blocks_run(source: str, place: str, local_services: dict[str, Emulator]) -> None:
    """What a reader copies works; where it awaits, a client and tasks are at hand."""
    code = compile(source, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names = {name: getattr(captcha_async, name) for name in captcha_async.__all__}
    names |= {"asyncio": asyncio, "__name__": "__main__"}
    if not code.co_flags & inspect.CO_COROUTINE:
        exec(code, names)
    else:
        asyncio.run(run_fragment(code, names))
    assert all(emulator.violations == [] for emulator in local_services.values())


async def run_fragment(code: Any, names: dict[str, Any]) -> None:
    """Run a block that stands inside an async function."""
    task = captcha_async.RecaptchaV2Task(website_url="https://example.com", website_key="key")
    async with captcha_async.CaptchaClient() as client:
        names |= {"client": client, "task": task, "tasks": [task] * 5}
        await eval(code, names)


def test_the_readme_is_short() -> None:
    """The docs hold the rest."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= MAX_README_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the checkout."""
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_option_is_documented() -> None:
    """The page of the command line knows every command and each of its options."""
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    for command in ("demo", "solve", "balance", "emulate"):
        assert f"## {command}" in page
        options = set(re.findall(r"--[a-z][a-z-]+", run(command, "--help").stdout)) - {"--help"}
        assert options
        assert {option for option in options if option not in page} == set()

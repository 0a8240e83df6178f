"""README and docs: every Python block and every command runs, every link leads somewhere."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import logging
import os
import random
import re
import shlex
import socket
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest
from anyio.from_thread import start_blocking_portal
from command_line import KEY, run

import captcha_async
from captcha_async.cli._app import load
from captcha_async.cli._help import COMMANDS
from captcha_async.cli._samples import noise_png
from captcha_async.emulator import Emulator, Latency, serve
from captcha_async.services import SERVICES, PollTimes

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAX_README_WORDS = 500
TASK = {"type": "TurnstileTask", "websiteURL": "https://example.com", "websiteKey": "0x4AAA"}


# The emulator solves at once, and so the first poll need not wait.
AT_ONCE = {"token": PollTimes(first=0.02, interval=2.0, timeout=60.0)}
# What the docs call the local service's address.
DOCUMENTED_URL = "http://127.0.0.1:8069"
# These run until Ctrl-C; `test_cli_process.py` starts them.
ENDLESS = {"emulate"}


def blocks(language: str) -> list[Any]:
    """Return every block of a language with the place where it stands."""
    found: list[Any] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            place = f"{page.name}:{text.count(chr(10), 0, match.start()) + 1}"
            found.append(pytest.param(match[1], place, id=place))
    return found


def commands() -> list[Any]:
    """Return every command of a console block, as its arguments, with its place."""
    found: list[Any] = []
    for block in blocks("console"):
        text, place = cast("tuple[str, str]", block.values)
        for command in re.findall(r"^\$ (.*)", text.replace("\\\n", " "), re.MULTILINE):
            if arguments := arguments_of(command):
                name = f"{place}:{' '.join(arguments)}"
                found.append(pytest.param(arguments, id=name))
    return found


def arguments_of(command: str) -> list[str]:
    """Return the arguments of a `captcha-async` command; none for another one."""
    match = re.match(r"(?:\w+=\S* )*captcha-async (.*)", command)
    return shlex.split(match[1], comments=True) if match else []


@pytest.fixture
def own_logging() -> Generator[None]:
    """Let what a block sets up for logging last no longer than the block."""
    loggers = [logging.getLogger(name) for name in (None, "captcha_async")]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def local_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[dict[str, Emulator]]:
    """Let the two services of the README be emulated, and `captcha.png` be an image."""
    profiles = SERVICES
    emulators = {
        name: Emulator(name, api_keys=KEY, latency=Latency.fixed(0))
        for name in ("capmonster", "captcha69")
    }
    monkeypatch.setenv("CAPTCHA_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captcha.png").write_bytes(noise_png(random.Random(0)))
    (tmp_path / "tasks.jsonl").write_text(f"{json.dumps(TASK)}\n" * 3, encoding="utf-8")
    with start_blocking_portal() as portal:
        servers = [
            portal.wrap_async_context_manager(serve(emulator)) for emulator in emulators.values()
        ]
        with servers[0] as first, servers[1] as second:
            for name, url in zip(emulators, (first, second), strict=True):
                local = SERVICES[name].evolve(base_url=url, polling=AT_ONCE)
                monkeypatch.setitem(profiles, name, local)
            yield emulators


def at_local_service(text: str) -> str:
    """Replace the documented address by that of the emulator of now."""
    return text.replace(DOCUMENTED_URL, SERVICES["capmonster"].base_url)


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize(("source", "place"), blocks("python"))
def test_python_blocks_run(source: str, place: str, local_services: dict[str, Emulator]) -> None:
    """What a reader copies works; where it awaits, a client and tasks are at hand."""
    source = at_local_service(source)
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
        names["accounts"] = [
            captcha_async.Account(service="capmonster"),
            captcha_async.Account(service="captcha69", name="spare"),
        ]
        await eval(code, names)


@pytest.mark.parametrize("arguments", commands())
def test_commands_run(arguments: list[str], local_services: dict[str, Emulator]) -> None:
    """A command of a console block ends well."""
    if arguments[0] not in ENDLESS:
        result = run(*map(at_local_service, arguments))
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_the_options_that_they_are_shown_with(page: Path) -> None:
    """No page shows a command, in whatever kind of block, with an option that it does not have."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for command in re.findall(r"^(?: {4}|\$ )(.*captcha-async .*)", text, re.MULTILINE):
        arguments = arguments_of(command)
        if arguments and not arguments[0].startswith("-"):
            given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
            assert given <= options_of(arguments[0]), command


def test_the_batch_of_the_readme_runs(tmp_path: Path) -> None:
    """A shell that is given the README's lines solves the task, and leaves nothing running."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^A batch at the local service.*\n\n((?: {4}.*\n)+)", page, re.MULTILINE)
    assert found is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    lines = found[1].replace("emulate --quiet", f"emulate --quiet --port {port} --latency 0")
    lines = lines.replace("captcha-async ", f"{shlex.quote(sys.executable)} -m captcha_async ")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # Whatever fails, the service must not outlive the shell.
    trap = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
    script = textwrap.dedent(lines).replace(":8069", f":{port}")
    command = ["bash", "-e", "-c", f"{trap}{script}wait\n"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50
    )
    assert ended.returncode == 0, ended.stderr
    (result,) = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(result)["status"] == "solved"


def options_of(command: str) -> set[str]:
    """Return the options of a command."""
    return {name for each in load(command).params for name in each.opts} | {"--help"}


def test_addresses_in_the_readme_are_those_of_files() -> None:
    """Package pages show no relative links, so they are absolute, and each names a file."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    home = project["urls"]["Source"]
    raw = home.replace("https://github.com", "https://raw.githubusercontent.com")
    targets = re.findall(r"\]\(([^)#]+)", text)
    assert len(targets) > 15
    for target in targets:
        path = target.removeprefix(f"{home}/blob/main/").removeprefix(f"{raw}/main/")
        assert path != target, f"{target} is not of {home}"
        assert (ROOT / path).exists(), target


def test_the_readme_is_short() -> None:
    """The docs hold the rest."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    # Its table is written from the profiles.
    prose = re.sub(r"<!-- types:.*<!-- types end -->", "", text, flags=re.DOTALL)
    assert len(prose.split()) <= MAX_README_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the checkout."""
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "SECURITY.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A tour through modules that are gone, or a promise whose test is gone, is worse than none."""
    named = re.findall(
        r"`((?:\w+/)*_\w+(?:\.py|/)|(?:tests|benchmarks)/[\w/.]*)", page.read_text("utf-8")
    )
    there = {
        f"/{path.relative_to(ROOT)}{'/' * path.is_dir()}"
        for top in ("captcha_async", "tests", "benchmarks")
        for path in [ROOT / top, *(ROOT / top).rglob("*")]
    }
    missing = [name for name in named if not any(path.endswith(f"/{name}") for path in there)]
    assert not missing


def test_every_option_is_documented() -> None:
    """The page of the command line knows every command and each of its options."""
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"## {command}" in page
        options = {name for each in load(command).params for name in each.opts if len(name) > 2}
        options = {option for option in options if option.startswith("--")}
        assert options
        assert {option for option in options if option not in page} == set()

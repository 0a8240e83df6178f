"""`captcha-async account`: what it shows of a shared account, and that it can close the fuse."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from command_line import KEY, processes
from redis_servers import redis_server
from rich.console import Console
from typer.testing import CliRunner

from captcha_async._sharing._messages import SECOND, Ask, Report
from captcha_async._sharing._open import account_name, make_store, make_terms
from captcha_async._sharing._overview import overview
from captcha_async._sharing._rules import exchange
from captcha_async._sharing._state import State
from captcha_async._sharing._store import Post, Posts
from captcha_async.cli._account import _view
from captcha_async.cli._app import app

TERMS = make_terms(in_flight=10, submits_per_second=30, max_spend=None)
ERROR = '{"kind": "InsufficientBalance", "message": "No money [left]."}'


def run(*arguments: str) -> Any:
    """Run the command in this process."""
    runner = CliRunner(env={"CAPTCHA_API_KEY": KEY, "NO_COLOR": "1"})
    return runner.invoke(app, ["account", *arguments])


def use(share: str, work: Callable[[Any], Awaitable[None]]) -> None:
    """Do something with an account's store."""

    async def main() -> None:
        store = make_store(share, account_name("capmonster", KEY))
        async with store.opened("me"):
            await work(store)

    anyio.run(main)


async def two_members(store: Any) -> None:
    """Two members; the second has blown the fuse."""
    ask = Ask(used=0, firm=7)
    await store.exchange("first", Report(terms=TERMS, asks=(ask, Ask(), Ask()), spent=10**9))
    blow = Report(
        terms=TERMS,
        asks=(ask, Ask(), Ask()),
        fuse_do="blow",
        fuse_span=60 * 10**6,
        fuse_error=ERROR,
    )
    await store.exchange("second", blow)
    await store.post([Post("first", "token", b"x"), Post("first", "other", b"x")])
    await store.unpost(["other"])


@pytest.fixture(params=["file", "redis"])
def share(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A place where an account is shared."""
    if request.param == "file":
        yield str(tmp_path / "account.db")
    else:
        with redis_server(tmp_path) as server:
            yield server.url


def test_it_shows_members_slots_rates_money_and_fuse(share: str) -> None:
    """As a table for people."""
    use(share, two_members)
    result = run(share)
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "slots 10 10 0 14" in words
    assert "submits in 1 s 30 0 0 0" in words
    assert "spent 1.0000 in 3600 s" in words
    assert "InsufficientBalance: No money [left]." in words
    assert "first 7 0 7" in words
    assert "second 3 0 7" in words
    assert "2 callbacks handed over, 1 kept" in words


def test_it_shows_the_same_as_json(share: str) -> None:
    """As one object for programs."""
    use(share, two_members)
    seen = json.loads(run(share, "--json").output)
    assert [member["id"] for member in seen["members"]] == ["first", "second"]
    assert seen["slots"]["capacity"] == seen["in_flight"] == 10
    assert seen["fuses"][0]["error"] == "InsufficientBalance"
    assert seen["spent"] == 1.0
    assert seen["callbacks"] == {"handed_over": 2, "kept": 1}


def test_it_closes_the_fuse_and_changes_nothing_else(share: str) -> None:
    """The limits, and who is a member, stay as they are."""
    use(share, two_members)
    result = run(share, "--reset-fuse", "--json")
    seen = json.loads(result.output)
    assert seen["fuses"] == []
    assert [member["id"] for member in seen["members"]] == ["first", "second"]
    assert (seen["in_flight"], seen["submits"]["capacity"]) == (10, 30)


def test_an_account_that_nobody_shares(tmp_path: Path) -> None:
    """It says so; it is no member itself, and whoever misspells a path makes no file."""
    path = tmp_path / "account.db"
    result = run(str(path))
    assert result.exit_code == 1
    assert not path.exists()
    assert "no process has shared this account (service and key)" in " ".join(result.output.split())


def test_a_place_that_is_none(tmp_path: Path) -> None:
    """Wrong usage, a file that is none, and a server that is away each have their message."""
    assert run("http://host").exit_code == 2
    path = tmp_path / "notes.txt"
    path.write_text("no database at all, but long enough to be taken for one" * 30)
    result = run(str(path))
    assert result.exit_code == 1
    assert "notes.txt" in " ".join(result.output.split())
    pytest.importorskip("coredis", reason="needs coredis (captcha-async[redis])")
    result = run("redis://user:secret@127.0.0.1:1/0")
    assert result.exit_code == 1
    assert "cannot be reached" in " ".join(result.output.split())
    assert "secret" not in result.output


def test_watching_ends_with_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a line of JSON, as long as somebody looks."""
    monkeypatch.setenv("CAPTCHA_API_KEY", KEY)
    path = str(tmp_path / "account.db")
    use(path, two_members)
    with processes("account") as start:
        watcher = start(path, "--watch", "--json")
        assert watcher.stdout is not None
        lines = [json.loads(watcher.stdout.readline()) for _ in range(3)]
        watcher.send_signal(signal.SIGINT)
        _, complaints = watcher.communicate(timeout=30)
    assert all(line["in_flight"] == 10 for line in lines)
    assert lines[2]["members"][0]["lease"] < lines[0]["members"][0]["lease"]
    assert watcher.returncode == 130
    assert "Traceback" not in complaints


def test_watching_waits_for_the_first_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks before the fleet is there, or while it starts anew, goes on looking."""
    monkeypatch.setenv("CAPTCHA_API_KEY", KEY)
    path = str(tmp_path / "account.db")
    with processes("account") as start:
        watcher = start(path, "--watch", "--json")
        assert watcher.stdout is not None
        first = json.loads(watcher.stdout.readline())
        use(path, two_members)
        while "members" not in (seen := json.loads(watcher.stdout.readline())):
            assert seen == first
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=30)
    assert "no process has shared this account (service and key)" in first["empty"]
    assert [one["id"] for one in seen["members"]] == ["first", "second"]


def seen_after(seconds: float, used: int = 4) -> dict[str, Any]:
    """What there is to see so long after the only member has been heard of."""
    state, now = State(), 10**12
    ask = Ask(used=used, firm=used)
    report = Report(terms=TERMS, asks=(ask, Ask(), Ask()))
    exchange(state, now, "first", report)
    return overview(state.at(now + int(seconds * SECOND)), Posts(0, 0))


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "there"), (2, "there"), (4, "silent"), (11, "late")]
)
def test_who_is_not_heard_of_is_marked_before_the_lease_ends(seconds: float, state: str) -> None:
    """A member reports once a second; one that was killed is seen to be silent at once."""
    seen = seen_after(seconds)
    assert [one["state"] for one in seen["members"]] == [state]
    text = shown(seen)
    summary = "1 member" if state == "there" else f"0 members, 1 {state}"
    assert text.splitlines()[0] == summary


def test_more_in_flight_than_the_limit_stands_out() -> None:
    """As when a member that was cut off has kept its share."""
    colours: dict[str, Any] = {"force_terminal": True, "color_system": "standard"}
    assert "\x1b[1;31m" not in shown(seen_after(0), **colours)
    assert "\x1b[1;31mslots" in shown(seen_after(0, used=11), **colours)


def test_a_place_that_looks_like_markup_is_shown_as_it_is() -> None:
    """What the store says is no markup of ours."""
    assert "[Errno 5]; looking again" in shown({"unreachable": "[Errno 5]"})
    assert "waiting for one" in shown({"empty": "nobody"})


def shown(seen: dict[str, Any], **options: Any) -> str:
    """Return the table as text."""
    options.setdefault("color_system", None)
    console = Console(width=80, file=io.StringIO(), **options)
    console.print(_view(seen))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()

"""`captcha-async batch` in this process: lines in, lines out, exit codes, and going on."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from command_line import KEY, run, served
from journal_files import rows

from captcha_async.cli._batch._results import Results
from captcha_async.emulator import Emulator, Latency

TURNSTILE = {"type": "TurnstileTask", "websiteURL": "https://example.com", "websiteKey": "0x4"}


@pytest.fixture
def emulator() -> Emulator:
    """Return a service that answers at once."""
    emulator = Emulator(api_keys=KEY, latency=Latency.fixed(0.0))
    emulator.answer_at_once()
    return emulator


@pytest.fixture
def base_url(emulator: Emulator) -> Generator[str]:
    """Serve the emulator from a thread with an event loop of its own."""
    with served(emulator) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page(number: int, **more: Any) -> dict[str, Any]:
    """Return a task object."""
    return {**TURNSTILE, "websiteURL": f"https://example.com/{number}", **more}


def write(*lines: Any, name: str = "tasks.jsonl") -> None:
    """Write a file of tasks; text goes in as it is."""
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    Path(name).write_text("".join(f"{line}\n" for line in text), encoding="utf-8")


def results(name: str = "results.jsonl") -> list[dict[str, Any]]:
    """Read the results, in the order of their lines."""
    found = [json.loads(line) for line in Path(name).read_bytes().splitlines()]
    return sorted(found, key=lambda result: result["line"])


def batch(base_url: str, *options: str, stdin: str | None = None, key: str = KEY) -> Any:
    """Run tasks.jsonl into results.jsonl."""
    arguments = ("tasks.jsonl", "-o", "results.jsonl", "--base-url", base_url, *options)
    return run("batch", *arguments, stdin=stdin, key=key)


def solving(emulator: Emulator) -> int:
    """Return how many tasks were created."""
    return len(emulator.requests_to("createTask"))


# -- lines ----------------------------------------------------------------------------------------


def test_names_of_the_wire_and_of_the_library(
    folder: Path, emulator: Emulator, base_url: str
) -> None:
    """A line may have either; a type may also have the name of its model."""
    ours = {"type": "TurnstileTask", "website_url": "https://example.com", "website_key": "0x4"}
    datadome = {
        "type": "DataDomeTask",
        "website_url": "https://example.com",
        "captcha_url": "https://geo.captcha-delivery.example/captcha/?cid=x",
        "datadome_cookie": "datadome=x",
        "user_agent": "Mozilla/5.0",
        "proxy": "socks5://me:s3cret@8.8.8.8:1080",
    }
    write(TURNSTILE, ours, datadome)
    result = batch(base_url)
    assert result.exit_code == 0, result.output
    sent = [request.body["task"] for request in emulator.requests_to("createTask")]
    assert sent.count(TURNSTILE) == 2
    (custom,) = (task for task in sent if task["type"] == "CustomTask")
    assert (custom["class"], custom["proxyType"], custom["proxyPort"]) == (
        "DataDome",
        "socks5",
        1080,
    )
    assert [line["status"] for line in results()] == ["solved"] * 3


def test_what_a_result_tells(folder: Path, emulator: Emulator, base_url: str) -> None:
    """Key, line and everything known of the solve; a failure tells why and whether it was paid."""
    emulator.answer_with({"token": "the-token", "extra": 1}, "TurnstileTask")
    emulator.refuse("ERROR_CAPTCHA_UNSOLVABLE", "createTask", task_type="RecaptchaV2Task")
    write(page(1), page(2, type="RecaptchaV2Task", key="mine"))
    result = batch(base_url)
    assert result.exit_code == 1
    solved, failed = results()
    assert (solved["key"], solved["line"], solved["status"]) == (1, 1, "solved")
    assert (solved["answer"], solved["polls"], solved["cost"]) == ("the-token", 0, "0.001")
    assert solved["solution"] == {"token": "the-token", "extra": 1}
    assert isinstance(solved["task_id"], int)
    assert isinstance(solved["elapsed"], float)
    assert (failed["key"], failed["line"], failed["status"]) == ("mine", 2, "failed")
    assert (failed["error"], failed["code"]) == ("Unsolvable", "ERROR_CAPTCHA_UNSOLVABLE")
    assert failed["task_id"] is None
    assert failed["retryable"] is True
    assert "last Unsolvable: capmonster answered ERROR_CAPTCHA_UNSOLVABLE" in result.stdout
    assert "try the failed ones again with:" in result.stderr


BAD = [
    ("not json", "it is no JSON: "),
    ("[1]", "it is no JSON object but list"),
    ({"type": "NoSuchTask"}, "type 'NoSuchTask' is not known"),
    ({"websiteURL": "https://example.com"}, "type must be the name of a task type"),
    (page(0, websiteURL="example.com"), "website_url must be a full URL"),
    (page(0, nonsense=1), "nonsense"),
    ({"type": "TurnstileTask", "websiteKey": "k"}, "website_url must be"),
    (page(0, key=1.5), "key must be a string or a whole number, not float"),
    (page(0, key=True), "key must be a string or a whole number, not bool"),
    (page(0, key="a"), "key 'a' was there before"),
    (page(0, key=1), "key 1 was there before"),
]


def test_bad_lines_are_told_and_skipped(folder: Path, emulator: Emulator, base_url: str) -> None:
    """Each with its number and what is wrong; the good ones are solved, and the exit code is 1."""
    write(page(1), page(2, key="a"), "", *(line for line, _ in BAD), page(3))
    result = batch(base_url)
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if line.startswith("line ")]
    assert len(told) == len(BAD) - 1
    for number, (_, reason) in enumerate(BAD, 4):
        # The two keys that were there before break one rule: its first line is told.
        if number < 4 + len(BAD) - 1:
            assert any(line.startswith(f"line {number}: ") and reason in line for line in told)
    assert "  2  a key that was there before (lines 13, 14)" in result.stdout
    assert [line["key"] for line in results()] == [1, "a", 15]
    assert f"3 solved, 0 failed, {len(BAD)} bad lines" in result.stdout
    assert solving(emulator) == 3


def test_a_bad_line_can_be_fatal(folder: Path, emulator: Emulator, base_url: str) -> None:
    """With `stop` nothing behind it is sent, what was sent before is collected."""
    write(page(1), page(2), "{", page(3))
    result = batch(base_url, "--bad-lines", "stop")
    assert result.exit_code == 1
    assert "line 3: it is no JSON" in result.stderr
    assert "go on with:\n  captcha-async batch tasks.jsonl" in result.stderr
    assert [line["key"] for line in results()] == [1, 2]
    assert solving(emulator) == 2
    write(page(1), page(2), page(9), page(3))
    assert batch(base_url, "--bad-lines", "stop", "--resume").exit_code == 0
    assert [line["key"] for line in results()] == [1, 2, 3, 4]
    assert solving(emulator) == 4


def test_unknown_types_on_demand(folder: Path, emulator: Emulator, base_url: str) -> None:
    """A type of tomorrow can be sent as it is."""
    emulator.answer_with({"thing": 1}, "NewTask")
    write({"type": "NewTask", "websiteURL": "https://example.com"})
    result = batch(base_url, "--send-unknown")
    assert result.exit_code == 0, result.output
    (line,) = results()
    assert (line["type"], line["answer"], line["solution"]) == ("NewTask", None, {"thing": 1})
    assert "NewTask" in result.stdout


def test_from_standard_input_to_standard_output(
    folder: Path, emulator: Emulator, base_url: str
) -> None:
    """In a pipe only results are on standard output; the summary goes to standard error."""
    result = run("batch", "-", "--base-url", base_url, stdin=f"{json.dumps(TURNSTILE)}\n" * 3)
    assert result.exit_code == 0
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert sorted(line["line"] for line in told) == [1, 2, 3]
    assert "all types" in result.stderr
    assert list(folder.iterdir()) == []


def test_an_empty_file(folder: Path, base_url: str) -> None:
    """Nothing to do is done well."""
    write()
    assert batch(base_url).exit_code == 0


# -- pace, callbacks, summary ---------------------------------------------------------------------


def test_options_reach_the_client(folder: Path, emulator: Emulator, base_url: str) -> None:
    """The time-out is that of each task, and few are in flight at once."""
    emulator.reset()
    emulator.answer_with({"token": "late"}, after=float("inf"))
    write(page(1), page(2))
    result = batch(base_url, "--timeout", "0.3", "--max-in-flight", "1", "--rate", "100")
    assert result.exit_code == 1
    assert {line["error"] for line in results()} == {"SolveTimeout"}
    assert all(line["task_id"] for line in results())
    first, second = emulator.requests_to("createTask")
    # The second one waits for the end of the first, not for a time.
    assert second.at - first.at > 0.2


def test_answers_are_called_back(folder: Path, emulator: Emulator, base_url: str) -> None:
    """The receiver listens where it is told to, and no poll is made."""
    emulator.reset()
    port = free_port()
    write(page(1), page(2))
    url = f"http://127.0.0.1:{port}/"
    result = batch(base_url, "--callbacks-url", url, "--callbacks-port", str(port))
    assert result.exit_code == 0, result.output
    assert emulator.requests_to("getTaskResult") == []


def free_port() -> int:
    """Return a port that nobody listens on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_the_summary_as_json(folder: Path, base_url: str) -> None:
    """Standard output is one object then; the results are in their file."""
    write(page(1), page(2), "bad")
    result = batch(base_url, "--json")
    told = json.loads(result.stdout)
    assert (told["solved"], told["failed"], told["bad_lines"]) == (2, 0, 1)
    assert (told["spent"], told["complete"], told["resume"]) == ("0.002", True, None)
    (row,) = told["types"]
    assert (row["task_type"], row["solved"], row["spent"]) == ("TurnstileTask", 2, "0.002")


def test_the_table(folder: Path, base_url: str) -> None:
    """A line for each type and one for all, within 80 columns."""
    write(page(1), page(2, type="RecaptchaV2Task"))
    arguments = ("tasks.jsonl", "-o", "results.jsonl", "--base-url", base_url)
    result = run("batch", *arguments, columns=80)
    assert [line.split()[0] for line in result.stdout.splitlines() if "Task" in line] == [
        "RecaptchaV2Task",
        "TurnstileTask",
    ]
    assert "2 solved, 0 failed in 0:0" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


# -- the end of the money -------------------------------------------------------------------------


def test_an_account_error_stops_it(folder: Path, emulator: Emulator, base_url: str) -> None:
    """One line says why; what was not sent has no result, and comes with `--resume`."""
    emulator.balance = 0.003
    write(*map(page, range(200)))
    result = batch(base_url, "--max-in-flight", "2")
    assert result.exit_code == 3
    assert result.stderr.count("ERROR_ZERO_BALANCE") == 1
    assert "go on with:\n  captcha-async batch tasks.jsonl" in result.stderr
    assert "197 lines left" in result.stdout
    assert [line["status"] for line in results()] == ["solved"] * 3
    assert solving(emulator) <= 5
    emulator.balance = 10
    assert batch(base_url, "--resume").exit_code == 0
    assert [line["key"] for line in results()] == list(range(1, 201))


def test_a_run_that_is_stopped_before_anything_is_sent(
    folder: Path, emulator: Emulator, base_url: str
) -> None:
    """It says that nothing is in flight, and collects nothing."""
    emulator.refuse("ERROR_KEY_DOES_NOT_EXIST")
    write(page(1), page(2))
    result = batch(base_url)
    assert result.exit_code == 3
    assert "stopped: nothing is in flight" in result.stderr
    assert "collecting" not in result.stderr


def test_a_ban_is_told_with_its_end(folder: Path, emulator: Emulator, base_url: str) -> None:
    """To go on before it is over would make it longer."""
    emulator.refuse("ERROR_IP_BANNED")
    write(page(1), page(2))
    result = batch(base_url)
    assert result.exit_code == 3
    ending = r"banned until \d\d:\d\d \(ERROR_IP_BANNED\); then go on with:\n  captcha-async batch"
    assert re.search(ending, result.stderr)


def test_a_spending_cap_stops_it(folder: Path, emulator: Emulator, base_url: str) -> None:
    """No task is sent that the cap does not allow."""
    write(*map(page, range(50)))
    result = batch(base_url, "--max-in-flight", "1", "--max-spend", "0.01")
    assert result.exit_code == 3
    assert "stopped: --max-spend is reached: 0.010 of 0.01 spent" in result.stderr
    assert len(results()) == solving(emulator) == 10


def test_the_key_is_never_shown(folder: Path, emulator: Emulator, base_url: str) -> None:
    """Neither on a terminal nor in a file."""
    write(page(1))
    result = batch(base_url, key="s3cret-key")
    assert result.exit_code == 3
    assert "s3cret-key" not in result.output
    assert all(b"s3cret-key" not in path.read_bytes() for path in folder.iterdir())


def test_a_proxy_password_is_never_shown(folder: Path, base_url: str) -> None:
    """A wrong proxy is told without its password."""
    proxy = {"proxyType": "http", "proxyAddress": "8.8.8.8", "proxyPort": "x"}
    write(
        page(1, **proxy, proxyLogin="me", proxyPassword="s3cret"),
        page(2, proxy="http://me:s3cret@"),
    )
    result = batch(base_url)
    assert result.exit_code == 1
    assert "line 1: " in result.stderr
    assert "line 2: proxy must be a URL with host and port" in result.stderr
    assert "s3cret" not in result.output


# -- going on -------------------------------------------------------------------------------------


def test_what_is_solved_is_not_solved_again(
    folder: Path, emulator: Emulator, base_url: str
) -> None:
    """Failed keys are tried again, new ones are solved, and no key has two answers."""
    emulator.refuse("ERROR_CAPTCHA_UNSOLVABLE", "createTask", times=1)
    write(page(1), page(2), page(3, key="c"))
    assert batch(base_url, "--max-in-flight", "1").exit_code == 1
    write(page(1), page(2), page(3, key="c"), page(4))
    result = batch(base_url, "--resume")
    assert result.exit_code == 0, result.output
    assert "2 solved, 0 failed, 2 solved earlier" in result.stdout
    lines = results()
    assert sorted(str(line["key"]) for line in lines if line["status"] == "solved") == list("124c")
    assert [line["key"] for line in lines if line["status"] == "failed"] == [1]
    assert solving(emulator) == 5


def test_resume_without_an_earlier_run(folder: Path, base_url: str) -> None:
    """A script may always say `--resume`."""
    write(page(1))
    assert batch(base_url, "--resume").exit_code == 0


def test_resume_without_a_journal(folder: Path, emulator: Emulator, base_url: str) -> None:
    """The results alone tell what is solved."""
    write(page(1))
    assert batch(base_url, "--no-journal").exit_code == 0
    assert batch(base_url, "--no-journal", "--resume").exit_code == 0
    assert len(results()) == solving(emulator) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["results.jsonl", "tasks.jsonl"]


def test_the_journal_of_a_pipe(folder: Path, emulator: Emulator, base_url: str) -> None:
    """Without a file of results, the journal alone tells what was solved."""
    write(page(1, key="a"), page(2, key="b"))
    arguments = ("batch", "tasks.jsonl", "--base-url", base_url, "--journal", "journal")
    assert len(run(*arguments).stdout.splitlines()) == 2
    write(page(1, key="a"), page(3, key="c"))
    result = run(*arguments, "--resume")
    assert (result.exit_code, json.loads(result.stdout)["key"]) == (0, "c"), result.output
    assert "1 solved, 0 failed, 1 solved earlier" in result.stderr
    assert solving(emulator) == 3


def test_a_result_is_written_before_it_counts_as_taken(
    folder: Path, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each result the journal has it as paid for and not taken, and those before as taken."""
    put_down, states = Results.write, []

    async def note_and_write(self: Results, result: dict[str, Any]) -> None:
        states.append(sorted(rows(folder / "results.jsonl.journal")))
        await put_down(self, result)

    monkeypatch.setattr(Results, "write", note_and_write)
    write(page(1), page(2), page(3))
    assert batch(base_url, "--max-in-flight", "1").exit_code == 0
    assert states == [["open"], ["open", "solved"], ["open", "solved", "solved"]]
    assert rows(folder / "results.jsonl.journal") == ["solved"] * 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
def test_a_full_disk(folder: Path, emulator: Emulator, base_url: str) -> None:
    """The run stops and names the file; what was paid for is told."""
    write(page(1))
    arguments = ("tasks.jsonl", "-o", "/dev/full", "--journal", "journal", "--base-url", base_url)
    result = run("batch", *arguments)
    assert result.exit_code == 1
    assert "stopped: /dev/full: No space left on device" in result.stderr
    assert "go on with:" in result.stderr
    assert rows(folder / "journal") == ["open"]


@pytest.mark.parametrize("known_to", ["results", "journal"])
def test_lines_that_have_moved_are_refused(
    folder: Path, emulator: Emulator, base_url: str, known_to: str
) -> None:
    """A line number stands for its task: another task there is neither skipped nor paid for."""
    write(page(1), page(2))
    assert batch(base_url).exit_code == 0
    if known_to == "journal":
        Path("results.jsonl").write_bytes(b"")
    write(page(2))
    result = batch(base_url, "--resume")
    assert result.exit_code == 1
    assert "line 1: it is not the task that the earlier run had on this line" in result.stderr
    assert solving(emulator) == 2


def test_answers_that_are_gone_are_told(folder: Path, emulator: Emulator, base_url: str) -> None:
    """Whoever removes the results and keeps the journal hears that nothing is solved again."""
    write(page(1), page(2))
    assert batch(base_url).exit_code == 0
    Path("results.jsonl").unlink()
    result = batch(base_url, "--resume")
    assert result.exit_code == 1
    assert "left out: 2 whose answers an earlier run has written" in result.stderr
    assert batch(base_url, "--resume", "--no-journal").exit_code == 0
    assert (len(results()), solving(emulator)) == (2, 4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", "full.jsonl"], "full.jsonl is not empty: go on with it by --resume"),
        (["-o", "left.jsonl"], "left.jsonl.journal is left from an earlier run"),
        (["-o", "full.jsonl", "--resume"], "full.jsonl holds no results"),
        (["-o", "tasks.jsonl", "--resume"], "cannot be both the tasks and the results"),
        (["-o", "mixed.jsonl", "--resume"], "line 2 of mixed.jsonl is no result"),
        (["-o", "cut.jsonl", "--resume"], "cut.jsonl holds no results"),
        (["--json"], "--json needs -o"),
        (["--resume"], "--resume needs -o or --journal"),
        (["--journal", "j", "--no-journal"], "exclude each other"),
        (["-o", "r.jsonl", "--max-in-flight", "0"], "max-in-flight"),
        (["-o", "r.jsonl", "--rate", "0"], "--rate must be"),
        (["-o", "r.jsonl", "--bad-lines", "shout"], "bad-lines"),
        (["-o", "r.jsonl", "--callbacks-url", "nowhere"], "--callbacks-url must be"),
        (["-o", "r.jsonl", "--service", "nobody"], "capmonster, captcha69"),
        (["-o", "r.jsonl", "--timeout", "-1"], "timeout"),
    ],
)
def test_wrong_usage(folder: Path, options: list[str], says: str) -> None:
    """Exit code 2, one sentence that says what to change, and no file is touched."""
    write(page(1))
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    result = run("batch", "tasks.jsonl", *options)
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert result.stdout == ""
    assert {name: Path(name).read_text(encoding="utf-8") for name in FILES} == FILES


FILES = {
    "full.jsonl": "something else\n",
    "left.jsonl.journal": "something",
    "mixed.jsonl": '{"key":1,"status":"failed"}\n{"a":1}\n',
    "cut.jsonl": "something else",
}


def test_a_missing_file(folder: Path) -> None:
    """It is named."""
    result = run("batch", "tasks.jsonl")
    assert result.exit_code == 2
    assert "tasks.jsonl: there is no such file" in result.stderr


def test_a_file_that_cannot_be_written(folder: Path, base_url: str) -> None:
    """It is named, and nothing is sent."""
    write(page(1))
    result = run("batch", "tasks.jsonl", "-o", "no/such/folder.jsonl", "--base-url", base_url)
    assert result.exit_code == 2
    assert "no/such/folder.jsonl" in result.stderr


def test_help_has_examples() -> None:
    """The help shows how it is used, and what the exit codes mean."""
    text = run("batch", "--help").stdout
    assert "captcha-async batch tasks.jsonl -o results.jsonl --resume" in text
    assert "Exit codes: 0 all solved" in text
    assert "api-key" not in text

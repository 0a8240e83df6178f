"""`captcha-async batch`: files as people have them, what is checked before, and where it ends."""

from __future__ import annotations

import gzip
import json
import os
import random
from base64 import b64decode
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from command_line import KEY, run, served

from captcha_async.cli._samples import noise_png
from captcha_async.emulator import Emulator, Latency

TURNSTILE = {"type": "TurnstileTask", "websiteURL": "https://example.com", "websiteKey": "0x4"}
PNG = noise_png(random.Random(1))


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


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sent(emulator: Emulator) -> list[dict[str, Any]]:
    """Return the task objects that the service got."""
    return [request.body["task"] for request in emulator.requests_to("createTask")]


def keys(text: str) -> list[Any]:
    """Return the keys of the answers."""
    lines = [json.loads(line) for line in text.splitlines()]
    return sorted((line["key"] for line in lines if line["status"] == "solved"), key=str)


def batch(*arguments: str, base_url: str, **more: Any) -> Any:
    """Run it into results."""
    return run("batch", *arguments, "-o", "results", "--base-url", base_url, **more)


# -- what a file may be ---------------------------------------------------------------------------

LINES = "".join(json.dumps({**TURNSTILE, "key": f"k{n}"}) + "\n" for n in range(3))
ARRAY = json.dumps([{**TURNSTILE, "key": f"k{n}"} for n in range(3)], indent=2)
TABLE = "key,type,websiteURL,website_key\n" + "".join(
    f"k{n},TurnstileTask,https://example.com,0x4\n" for n in range(3)
)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("text", [LINES, ARRAY, TABLE], ids=["lines", "array", "table"])
def test_every_format(emulator: Emulator, base_url: str, text: str, packed: bool) -> None:
    """It is found by its first bytes, whatever the file is called, and is the same batch."""
    content = text.encode()
    Path("tasks").write_bytes(gzip.compress(content) if packed else content)
    result = batch("tasks", base_url=base_url)
    assert result.exit_code == 0, result.output
    assert keys(Path("results").read_text(encoding="utf-8")) == ["k0", "k1", "k2"]
    assert sent(emulator) == [TURNSTILE] * 3


def test_a_table_in_a_pipe(emulator: Emulator, base_url: str) -> None:
    """Standard input is looked at in the same way."""
    result = run("batch", "-", "--base-url", base_url, stdin=TABLE)
    assert result.exit_code == 0, result.output
    assert keys(result.stdout) == ["k0", "k1", "k2"]


def test_cells_become_what_the_fields_are(emulator: Emulator, base_url: str) -> None:
    """Numbers, flags and proxies are typed; an empty cell is a field that is not given."""
    Path("tasks").write_text(
        "type;websiteURL;websiteKey;minScore;pageAction;isInvisible;proxy\n"
        "RecaptchaV3TaskProxyless;https://example.com;12345;0.7;;;\n"
        "RecaptchaV2Task;https://example.com;6Lc;;;yes;http://me:pw@8.8.8.8:8080\n",
        encoding="utf-8",
    )
    assert batch("tasks", base_url=base_url).exit_code == 0
    third, second = sorted(sent(emulator), key=lambda task: len(task))
    assert (third["websiteKey"], third["minScore"]) == ("12345", 0.7)
    assert (second["isInvisible"], second["proxyPort"]) == (True, 8080)


TURNSTILE_HAS = "it has website_url, website_key, page_action, data, user_agent, proxy"


@pytest.mark.parametrize(
    ("header", "row", "says"),
    [
        (
            "type,website_url,website_kye,note",
            "TurnstileTask,https://a.example,k,mine",
            "columns website_kye (did you mean website_key?), note are none of a TurnstileTask; "
            + TURNSTILE_HAS,
        ),
        (
            "type;websiteURL;websiteKye",
            "turnstiletask;https://a.example;k",
            "column websiteKye (did you mean websiteKey?) is none of a TurnstileTask; "
            + TURNSTILE_HAS,
        ),
        (
            "type,website_url,website_key",
            "TurnstileTask,https://a.example,k,mine",
            "column (a cell beyond the last one) is none of a TurnstileTask; " + TURNSTILE_HAS,
        ),
        (
            "typ,website_url,website_key",
            "TurnstileTask,https://a.example,k",
            "where tasks name none, give --type; no task has the column typ (did you mean type?)",
        ),
        (
            "type,website_url,website_key",
            "TurnstileTsk,https://a.example,k",
            "type 'TurnstileTsk' is not known (did you mean TurnstileTask?)",
        ),
        ("type,website_url,note", "TurnstileTask,https://a.example,", "website_key must be given"),
    ],
)
def test_columns_that_no_task_has(header: str, row: str, says: str, base_url: str) -> None:
    """They are named, with those that there are; a missing one may only be called otherwise."""
    Path("tasks.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    result = batch("tasks.csv", base_url=base_url)
    assert result.exit_code == 1
    assert says in result.stderr
    assert "(line 2)" in result.output


def test_a_column_is_only_told_where_it_has_a_cell(base_url: str) -> None:
    """Tables of several types have columns that only some of them use."""
    Path("tasks.csv").write_text(
        "type,website_url,website_key,note,min_score\n"
        "TurnstileTask,https://a.example,k,,\n"
        "RecaptchaV3Task,https://a.example,k,,0.3\n",
        encoding="utf-8",
    )
    assert batch("tasks.csv", base_url=base_url).exit_code == 0


def test_a_type_for_all(emulator: Emulator, base_url: str) -> None:
    """Tasks that name no type have the one of `--type`."""
    Path("tasks.csv").write_text("website_url,website_key\nhttps://a.example,k\n", encoding="utf-8")
    assert batch("tasks.csv", "--type", "TurnstileTask", base_url=base_url).exit_code == 0
    assert sent(emulator)[0]["type"] == "TurnstileTask"


def test_the_file_of_an_image(emulator: Emulator, base_url: str) -> None:
    """It is looked for beside the tasks, and its bytes are sent; a puzzle takes several."""
    Path("work").mkdir()
    Path("work/a.png").write_bytes(PNG)
    lines = [{"file": "a.png"}, {"file": "a.png", "case": True}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    Path("work/tasks").write_text(text, encoding="utf-8")
    result = batch("work/tasks", base_url=base_url)
    assert result.exit_code == 0, result.output
    assert [b64decode(task["body"]) for task in sent(emulator)] == [PNG, PNG]


def test_images_as_arguments(emulator: Emulator, base_url: str) -> None:
    """`batch *.png`: the name of the file is the key of its answer, and a run can go on."""
    names = [f"{number}.png" for number in range(3)]
    for name in names:
        Path(name).write_bytes(PNG)
    assert batch(*names[:2], base_url=base_url).exit_code == 0
    result = batch(*names, "--resume", base_url=base_url)
    assert result.exit_code == 0, result.output
    assert keys(Path("results").read_text(encoding="utf-8")) == names
    assert len(sent(emulator)) == 3


def test_a_name_that_is_no_text(emulator: Emulator, base_url: str) -> None:
    """A file name of any bytes is a key like others, also when the run goes on."""
    name = os.fsdecode(b"\xff.png")
    try:
        Path(name).write_bytes(PNG)
    except OSError:
        pytest.skip("the file system takes only text")
    assert batch(name, base_url=base_url).exit_code == 0
    assert batch(name, "--resume", base_url=base_url).exit_code == 0
    assert len(sent(emulator)) == 1


def test_packed_results(emulator: Emulator, base_url: str) -> None:
    """A name that ends in .gz is packed; a later run adds to it."""
    Path("tasks").write_text(LINES, encoding="utf-8")
    command = ("batch", "tasks", "-o", "results.gz", "--base-url", base_url)
    assert run(*command).exit_code == 0
    more = json.dumps({**TURNSTILE, "key": "k3"}) + "\n"
    Path("tasks").write_text(LINES + more, encoding="utf-8")
    assert run(*command, "--resume").exit_code == 0
    assert keys(gzip.decompress(Path("results.gz").read_bytes()).decode()) == [
        f"k{number}" for number in range(4)
    ]
    assert len(sent(emulator)) == 4


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tasks", b"PK\x03\x04" + b"x" * 40, "tasks: this looks like a zip archive"),
        ("tasks", b"hello\nworld\n", "tasks: this looks like text that begins with 'hello world'"),
        ("tasks", "é\n".encode("utf-16"), "tasks: this looks like text in UTF-16"),
        ("tasks", b"\x1f\x8b" + b"x" * 40, "tasks: its gzip data are damaged"),
    ],
)
def test_a_wrong_format_is_told_at_once(name: str, content: bytes, says: str, folder: Path) -> None:
    """One sentence, exit code 2, and no file beside it."""
    Path(name).write_bytes(content)
    result = run("batch", name, "-o", "results")
    assert result.exit_code == 2
    assert says in result.stderr
    assert [path.name for path in folder.iterdir()] == [name]


def test_tasks_among_images() -> None:
    """Several files are images, all of them."""
    Path("a.png").write_bytes(PNG)
    Path("tasks").write_text(LINES, encoding="utf-8")
    result = run("batch", "a.png", "tasks")
    assert result.exit_code == 2
    assert "tasks is no image but JSON: give one file of tasks, or only images" in result.stderr


def test_a_wrong_format_in_a_pipe(base_url: str) -> None:
    """It is told when the first bytes have come."""
    result = run("batch", "-", "--base-url", base_url, stdin="hello\n")
    assert result.exit_code == 2
    assert "the tasks: this looks like text that begins with 'hello'" in result.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"file": "none.png"}, "file none.png: No such file or directory"),
        ({"file": "page.png"}, "file page.png is no image but a web page"),
        ({"file": 7}, "file must be the name of an image file, not 7"),
        ({"type": "TurnstileTusk"}, "did you mean TurnstileTask?"),
    ],
)
def test_a_bad_line_says_what_to_change(line: dict[str, Any], says: str, base_url: str) -> None:
    """With the name of the file, what it is, or the type that was meant."""
    Path("page.png").write_text("<html>not found</html>", encoding="utf-8")
    Path("tasks").write_text(json.dumps(line) + "\n", encoding="utf-8")
    result = batch("tasks", base_url=base_url)
    assert result.exit_code == 1
    assert says in result.stderr


# -- --check --------------------------------------------------------------------------------------


def bad_tasks() -> str:
    """Return tasks of two types among lines that are none."""
    recaptcha = {**TURNSTILE, "type": "RecaptchaV2Task"}
    lines: list[Any] = [TURNSTILE] * 4 + [recaptcha] * 2
    lines += [{**TURNSTILE, "websiteURL": f"nowhere {number}"} for number in range(5)]
    return "".join(json.dumps(line) + "\n" for line in lines) + "{\n"


def test_check_sends_nothing(emulator: Emulator, base_url: str, folder: Path) -> None:
    """Counts by type, prices as far as they are known, bad lines by rule; no key is needed."""
    Path("tasks").write_text(bad_tasks(), encoding="utf-8")
    command = ("batch", "tasks", "-o", "results", "--check", "--price", "TurnstileTask=0.002")
    result = run(*command, "--base-url", base_url, key=None)
    assert result.exit_code == 1
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["RecaptchaV2Task", "2", "-", "-"] in rows
    assert ["TurnstileTask", "4", "0.002", "0.008"] in rows
    assert "  5  website_url must be a full URL" in result.stdout
    assert "(lines 7, 8, 9, ...)" in result.stdout
    assert "  1  no JSON (line 12)" in result.stdout
    assert "6 tasks to solve, 6 bad lines; nothing was sent" in result.stdout
    assert "the price of 2 is not known" in result.stdout
    assert emulator.requests == []
    assert [path.name for path in folder.iterdir()] == ["tasks"]


def test_check_knows_what_an_earlier_run_has_paid(base_url: str) -> None:
    """Prices come from the results, and what is solved is not counted again."""
    Path("tasks").write_text(LINES, encoding="utf-8")
    assert batch("tasks", base_url=base_url).exit_code == 0
    more = [json.dumps({**TURNSTILE, "key": f"new {number}"}) for number in range(5)]
    Path("tasks").write_text(LINES + "\n".join(more), encoding="utf-8")
    result = run("batch", "tasks", "-o", "results", "--check", "--resume", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert (told["tasks"], told["skipped"], told["sum"]) == (5, 3, "0.005")


def test_check_tells_a_cap_that_is_too_low() -> None:
    """Before it is paid, not in the middle."""
    Path("tasks").write_text(LINES, encoding="utf-8")
    result = run("batch", "tasks", "--check", "--price", "0.01", "--max-spend", "0.02")
    assert "--max-spend 0.02 is not enough: 0.03 is needed" in result.stdout


@pytest.mark.parametrize("price", ["lots", "TurnstileTask=", "NoSuchTask=0.1", "0"])
def test_wrong_prices(price: str) -> None:
    """They are refused by the name of the option."""
    Path("tasks").write_text(LINES, encoding="utf-8")
    result = run("batch", "tasks", "--check", "--price", price)
    assert result.exit_code == 2
    assert "--price must be" in result.stderr


# -- a service that does not answer, and hints ----------------------------------------------------


def test_nobody_answers() -> None:
    """The run stops with its own code and the command that goes on, and no task is burnt."""
    Path("tasks").write_text(LINES, encoding="utf-8")
    result = batch("tasks", "--patience", "1", base_url="http://127.0.0.1:9")
    assert result.exit_code == 5
    assert "stopped: the service has not answered for 1 s: connection refused" in result.stderr
    assert "service unreachable for" in result.stderr
    assert "go on with:\n  captcha-async batch tasks" in result.stderr
    assert "3 lines left" in result.stdout
    assert Path("results").read_bytes() == b""


def test_it_goes_on_when_the_service_is_back(base_url: str) -> None:
    """What was not sent is solved by the printed command."""
    test_nobody_answers()
    assert batch("tasks", "--resume", base_url=base_url).exit_code == 0
    assert len(Path("results").read_bytes().splitlines()) == 3


def test_uncertain_tasks_are_hinted_at(emulator: Emulator, base_url: str) -> None:
    """The command that sends them again has the option for it, and a warning stands before it."""
    emulator.break_http("createTask", status=504, effect=True)
    Path("tasks").write_text(json.dumps(TURNSTILE), encoding="utf-8")
    result = batch("tasks", base_url=base_url)
    assert result.exit_code == 1
    assert "last SubmitUncertain" in result.stdout
    assert "1 may have been accepted, and would be paid for twice" in result.stderr
    assert result.stderr.rstrip().endswith("--resume --resend-uncertain")
    assert "try the failed ones again" not in result.stderr
    assert batch("tasks", "--resume", "--resend-uncertain", base_url=base_url).exit_code == 0


def test_a_gateway_that_is_broken_burns_no_batch(emulator: Emulator, base_url: str) -> None:
    """When one submission after the other gets lost the run ends; the others come later."""
    emulator.break_http("createTask", status=504, times=1000)
    lines = "".join(json.dumps({**TURNSTILE, "key": f"k{number}"}) + "\n" for number in range(200))
    Path("tasks").write_text(lines, encoding="utf-8")
    result = batch("tasks", "--max-in-flight", "5", "--patience", "5", base_url=base_url)
    assert result.exit_code == 5
    assert 1 <= len(emulator.requests_to("createTask")) <= 20
    assert "stopped: the service has not answered for" in result.stderr
    assert "lines left" in result.stdout


def test_no_hint_where_it_would_not_help(emulator: Emulator, base_url: str) -> None:
    """A task that the service refuses for good is not to be tried again."""
    emulator.refuse("ERROR_DOMAIN_NOT_ALLOWED")
    Path("tasks").write_text(json.dumps(TURNSTILE), encoding="utf-8")
    result = batch("tasks", base_url=base_url)
    assert result.exit_code == 1
    assert "ERROR_DOMAIN_NOT_ALLOWED" in result.stdout
    assert "again with" not in result.stderr
    assert "go on with" not in result.stderr


# -- --report -------------------------------------------------------------------------------------


def test_the_report_is_one_page(emulator: Emulator, base_url: str) -> None:
    """It holds the plots and what failed, loads nothing, and shows no key."""
    emulator.refuse("ERROR_CAPTCHA_UNSOLVABLE", "createTask", task_type="RecaptchaV2Task")
    Path("tasks").write_text(bad_tasks(), encoding="utf-8")
    result = batch("tasks", "--report", "run.html", base_url=base_url)
    assert result.exit_code == 1
    page = Path("run.html").read_text(encoding="utf-8")
    for heading in ("Throughput", "Solve times", "Polls of a solve", "Spent", "Failures"):
        assert f"<h2>{heading}" in page
    assert "ERROR_CAPTCHA_UNSOLVABLE" in page
    assert "website_url must be a full URL" in page
    assert page.count("<svg") >= 4
    assert not any(word in page for word in ("src=", "href=", "<script", "http-equiv", KEY))


def test_a_report_that_cannot_be_written() -> None:
    """It is told before anything is sent."""
    Path("tasks").write_text(LINES, encoding="utf-8")
    result = run("batch", "tasks", "--report", "none/run.html")
    assert result.exit_code == 2
    assert "--report must be a file in a folder that exists" in result.stderr

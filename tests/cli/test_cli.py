"""The commands, run in this process against the emulator over real sockets."""

from __future__ import annotations

import json
import math
import random
import sys
import threading
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import KEY, run, served
from typer.testing import CliRunner

import captcha_async
from captcha_async import CaptchaClient, CaptchaError, SolveTimeout, TaskRef
from captcha_async.cli import _options, main
from captcha_async.cli._app import app
from captcha_async.cli._exits import told
from captcha_async.cli._messages import sentence
from captcha_async.cli._samples import noise_png
from captcha_async.emulator import Emulator, Latency

WIDGET = ("--url", "https://example.com/login", "--key", "site-key")


@pytest.fixture
def emulator() -> Emulator:
    """Return a service that answers within the first poll."""
    return Emulator(api_keys=KEY, latency=Latency.fixed(0.0))


@pytest.fixture
def base_url(emulator: Emulator) -> Generator[str]:
    """Serve the emulator from a thread with an event loop of its own."""
    with served(emulator) as url:
        yield url


# -- solve ----------------------------------------------------------------------------------------


def test_solve_prints_the_token_alone(emulator: Emulator, base_url: str) -> None:
    """Standard output holds the token and nothing else, so that it can be captured."""
    emulator.answer_with({"gRecaptchaResponse": "the-token"})
    result = run("solve", "recaptcha-v2", *WIDGET, "--base-url", base_url)
    assert result.exit_code == 0
    assert result.stdout == "the-token\n"
    assert result.stderr == ""


def test_solve_reads_an_image(emulator: Emulator, base_url: str, tmp_path: Path) -> None:
    """A file's name is enough to read the text in an image."""
    image = tmp_path / "image.png"
    image.write_bytes(noise_png(random.Random(0)))
    emulator.answer_with({"text": "W9H5K"})
    result = run("solve", str(image), "--base-url", base_url)
    assert (result.exit_code, result.stdout) == (0, "W9H5K\n")


@pytest.mark.parametrize(
    ("kind", "options", "sent"),
    [
        ("recaptcha-v2", ["--invisible"], {"type": "RecaptchaV2Task", "isInvisible": True}),
        (
            "recaptcha-v2-enterprise",
            ["--action", "login"],
            {"type": "RecaptchaV2EnterpriseTask", "pageAction": "login"},
        ),
        (
            "recaptcha-v3",
            ["--action", "login", "--min-score", "0.7"],
            {"type": "RecaptchaV3TaskProxyless", "pageAction": "login", "minScore": 0.7},
        ),
        ("turnstile", ["--action", "login"], {"type": "TurnstileTask", "pageAction": "login"}),
    ],
)
def test_solve_sends_its_options(
    emulator: Emulator, base_url: str, kind: str, options: list[str], sent: dict[str, Any]
) -> None:
    """Every option reaches the task's field on the wire."""
    emulator.answer_at_once()
    result = run("solve", kind, *WIDGET, *options, "--base-url", base_url)
    assert result.exit_code == 0
    (request,) = emulator.requests_to("createTask")
    widget = {"websiteURL": "https://example.com/login", "websiteKey": "site-key"}
    assert request.body["task"] == widget | sent


def test_solve_json(emulator: Emulator, base_url: str) -> None:
    """`--json` tells everything known of the solve."""
    emulator.answer_with({"token": "the-token", "extra": 1})
    result = run("solve", "turnstile", *WIDGET, "--base-url", base_url, "--json")
    told = json.loads(result.stdout)
    assert told["answer"] == "the-token"
    assert told["solution"] == {"token": "the-token", "extra": 1}
    assert told["task_type"] == "TurnstileTask"
    assert told["polls"] == 1


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("ERROR_CAPTCHA_UNSOLVABLE", 1),
        ("ERROR_DOMAIN_NOT_ALLOWED", 1),
        ("ERROR_ZERO_BALANCE", 3),
        ("ERROR_IP_BANNED", 3),
    ],
)
def test_exit_codes_tell_the_kind_of_failure(
    emulator: Emulator, base_url: str, code: str, exit_code: int
) -> None:
    """Scripts branch on the exit code; the message is on standard error."""
    emulator.refuse(code)
    result = run("solve", "turnstile", *WIDGET, "--base-url", base_url)
    assert result.exit_code == exit_code
    assert code in result.stderr
    assert result.stdout == ""


def test_solve_json_of_a_failure(emulator: Emulator, base_url: str) -> None:
    """With `--json` a failure is an object too, under the same exit code."""
    emulator.refuse("ERROR_ZERO_BALANCE")
    result = run("solve", "turnstile", *WIDGET, "--base-url", base_url, "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert (told["error"], told["code"]) == ("InsufficientBalance", "ERROR_ZERO_BALANCE")


def test_a_timeout_has_its_own_exit_code(emulator: Emulator, base_url: str) -> None:
    """4 means: it took too long."""
    emulator.answer_with({"token": "late"}, after=math.inf)
    result = run("solve", "turnstile", *WIDGET, "--base-url", base_url, "--timeout", "0.5")
    assert result.exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["solve", "recaptcha-v2"], "needs --url (the page) and --key"),
        (["solve", "turnstyle"], "did you mean turnstile"),
        (["solve", "GeeTestTask", "--url", "https://a.example"], "needs --field gt=..."),
        (["solve", "turnstile", *WIDGET, "-f", "nonsense=1"], "nonsense must be left out"),
        (["solve", "turnstile", *WIDGET, "-f", "nonsense"], "--field must be NAME=VALUE"),
        (["solve", "-"], "standard input is no image but nothing"),
        (["collect", "1", "--type", "NoSuchTask"], "--type must be the name of a task type"),
        (["solve", "turnstile", *WIDGET, "--invisible"], "--invisible is not for turnstile"),
        (["solve", "turnstile", *WIDGET, "--min-score", "0.3"], "--min-score is not for turnstile"),
        (
            ["solve", "turnstile", "--url", "example.com", "--key", "k"],
            "captcha-async: --url must be",
        ),
        (
            ["solve", "no-such-file.png"],
            "no-such-file.png is neither an image file nor a task type",
        ),
        (["solve", "turnstile", *WIDGET, "--service", "nobody"], "capmonster, captcha69"),
        (
            ["solve", "turnstile", *WIDGET, "--base-url", "nowhere"],
            "captcha-async: --base-url must be",
        ),
        (["balance", "--service", "nobody"], "--service must be one of capmonster, captcha69"),
        (["demo", "--service", "nobody"], "capmonster, captcha69"),
        (["demo", "--tasks", "0"], "tasks"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str) -> None:
    """Exit code 2 and one sentence that says what to change."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""


def test_an_image_takes_no_widget_options(tmp_path: Path) -> None:
    """An option that would be ignored is refused."""
    image = tmp_path / "image.png"
    image.write_bytes(noise_png(random.Random(0)))
    result = run("solve", str(image), "--key", "site-key")
    assert result.exit_code == 2
    assert "--key is not for images" in result.stderr


def test_solve_reads_standard_input(
    emulator: Emulator, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` is an image or a task object."""
    emulator.answer_at_once()
    for content in (noise_png(random.Random(0)), json.dumps(TASK).encode()):
        result = CliRunner().invoke(
            app,
            ["solve", "-", "--base-url", base_url],
            input=content,
            env={"CAPTCHA_API_KEY": KEY},
        )
        assert result.exit_code == 0, result.output
    types = [request.body["task"]["type"] for request in emulator.requests_to("createTask")]
    assert types == ["ImageToTextTask", "TurnstileTask"]


TASK = {"type": "TurnstileTask", "websiteURL": "https://example.com", "websiteKey": "0x4"}


@pytest.fixture
def site(tmp_path: Path) -> Generator[str]:
    """Serve two files, an image and a page."""
    (tmp_path / "a.png").write_bytes(noise_png(random.Random(0)))
    (tmp_path / "page").write_text("<html><body>hello", encoding="utf-8")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *_: Any) -> None:
            """Say nothing."""

    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_solve_gets_an_image_by_its_address(emulator: Emulator, base_url: str, site: str) -> None:
    """What is there is looked at: a page is no image, and its captcha has a type."""
    emulator.answer_with({"text": "W9H5K"})
    emulator.answer_at_once()
    result = run("solve", f"{site}/a.png", "--base-url", base_url)
    assert (result.exit_code, result.stdout) == (0, "W9H5K\n")
    result = run("solve", f"{site}/page", "--base-url", base_url)
    assert result.exit_code == 2
    assert "page is no image but a web page: for a captcha on a page give its type" in result.stderr
    assert "File not found" in run("solve", f"{site}/none", "--base-url", base_url).stderr


def test_solve_takes_any_type(emulator: Emulator, base_url: str) -> None:
    """By its class or the service's name; other fields by `--field`, as the type has them."""
    emulator.answer_at_once()
    fields = ("-f", "gt=" + "a" * 32, "-f", "challenge=c", "-f", "geetestApiServerSubdomain=a.b")
    page = ("--url", "https://example.com")
    result = run("solve", "geetesttask", *page, *fields, "--base-url", base_url)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)
    proxy = ("--proxy", "http://me:pw@8.8.8.8:8080", "-f", "isInvisible=true")
    assert run("solve", "RecaptchaV2Task", *WIDGET, *proxy, "--base-url", base_url).exit_code == 0
    first, second = (request.body["task"] for request in emulator.requests_to("createTask"))
    assert (first["gt"], first["geetestApiServerSubdomain"]) == ("a" * 32, "a.b")
    assert (second["proxyPort"], second["isInvisible"]) == (8080, True)


def test_what_a_time_out_has_left_is_collected(emulator: Emulator, base_url: str) -> None:
    """The message names the command, and that costs nothing more."""
    emulator.answer_with({"token": "late"}, after=3)
    where = ("--base-url", base_url)
    result = run("solve", "turnstile", *WIDGET, *where, "--timeout", "0.5")
    assert result.exit_code == 4
    (task_id,) = emulator.tasks
    hint = f"captcha-async collect {task_id} --type TurnstileTask --service capmonster"
    assert hint in result.stderr
    result = run(*hint.split()[1:], *where)
    assert (result.exit_code, result.stdout) == (0, "late\n")
    assert run("collect", str(task_id), *where).stdout == "late\n"
    assert emulator.statistics().created == 1
    assert run("collect", "999", *where).exit_code == 1


def test_the_service_is_named_by_the_environment(
    base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CAPTCHA_SERVICE and CAPTCHA_BASE_URL stand in for the options, which go before them."""
    monkeypatch.setenv("CAPTCHA_BASE_URL", base_url)
    assert run("balance").stdout == "10.0\n"
    monkeypatch.setenv("CAPTCHA_SERVICE", "nobody")
    result = run("balance")
    assert result.exit_code == 2
    assert "--service must be" in result.stderr
    assert run("balance", "--service", "capmonster").exit_code == 0


def test_a_service_that_cannot_be_reached() -> None:
    """It has an exit code of its own."""
    result = run("balance", "--base-url", "http://127.0.0.1:9")
    assert result.exit_code == 5


# -- the key --------------------------------------------------------------------------------------


def test_without_key_and_terminal() -> None:
    """A script without a key is told where the key belongs."""
    result = run("balance", key=None)
    assert result.exit_code == 2
    assert "set CAPTCHA_API_KEY" in result.stderr


def test_the_key_is_asked_for(
    emulator: Emulator, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the key is read from a prompt, which is on standard error."""
    monkeypatch.setattr(_options, "on_terminal", lambda: True)
    result = run("balance", "--base-url", base_url, key=None, stdin=f"{KEY}\n")
    assert result.exit_code == 0
    assert result.stdout.split() == ["10.0"]
    assert KEY not in result.output


def test_leaving_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C or the end of input at the prompt ends the command as interrupted."""
    monkeypatch.setattr(_options, "on_terminal", lambda: True)
    result = run("balance", key=None, stdin="")
    assert result.exit_code == 130


def test_no_option_takes_the_key() -> None:
    """Arguments show in the process list, so none of them is the API key."""
    for command in ("solve", "balance", "demo", "emulate"):
        assert "api-key" not in run(command, "--help").stdout


# -- balance, emulate, the rest -------------------------------------------------------------------


def test_balance(base_url: str) -> None:
    """The amount alone, or as JSON."""
    assert run("balance", "--base-url", base_url).stdout == "10.0\n"
    told = json.loads(run("balance", "--base-url", base_url, "--json").stdout)
    assert told == {"service": "capmonster", "balance": "10.0"}


def test_balance_of_a_wrong_key(base_url: str) -> None:
    """A rejected key is trouble with the account, and is not shown."""
    result = run("balance", "--base-url", base_url, key="s3cret-key")
    assert result.exit_code == 3
    assert "s3cret-key" not in result.output


def test_emulate_on_a_port_in_use(base_url: str) -> None:
    """The port is named."""
    port = base_url.rpartition(":")[2]
    result = run("emulate", "--port", port)
    assert result.exit_code == 1
    assert f"port {port}" in result.stderr


def test_version() -> None:
    """`--version` prints name and version."""
    assert run("--version").stdout == f"captcha-async {captcha_async.__version__}\n"


@pytest.mark.parametrize("command", ["demo", "solve", "balance"])
def test_help_documents_the_exit_codes(command: str) -> None:
    """Every command with a result says what its exit codes mean."""
    assert "Exit codes: 0" in run(command, "--help").stdout


def test_an_interrupted_solve(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 130 and one word, without a traceback."""

    async def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CaptchaClient, "solve", interrupt)
    result = run("solve", "turnstile", *WIDGET, "--base-url", base_url)
    assert (result.exit_code, result.stderr) == (130, "captcha-async: interrupted\n")


def test_an_interrupted_solve_names_what_is_paid_for(
    emulator: Emulator, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C tells the id, and the command that collects it."""
    submit_and_wait = CaptchaClient.solve

    async def interrupt(self: Any, *given: Any, **more: Any) -> None:
        with pytest.raises(SolveTimeout):
            await submit_and_wait(self, *given, timeout=0.3)
        raise KeyboardInterrupt

    emulator.answer_with({"token": "late"}, after=math.inf)
    monkeypatch.setattr(CaptchaClient, "solve", interrupt)
    result = run("solve", "turnstile", *WIDGET, "--base-url", base_url)
    (task_id,) = emulator.tasks
    assert result.exit_code == 130
    assert f"task {task_id} is paid for" in result.stderr
    assert f"captcha-async collect {task_id} --type TurnstileTask" in result.stderr


@pytest.mark.parametrize(
    "what", [("solve", "turnstile", *WIDGET), ("collect", "5", "--type", "TurnstileTask")]
)
def test_a_failure_on_a_terminal(what: tuple[str, ...], base_url: str) -> None:
    """While a line is drawn there too, an error is one sentence and an exit code."""
    terminal = {"CAPTCHA_API_KEY": "wrong", "FORCE_COLOR": "1", "TERM": "xterm", "LC_ALL": "C"}
    result = CliRunner().invoke(app, [*what, "--base-url", base_url], env=terminal)
    assert "submitting" in result.stderr or "task 5" in result.stderr
    assert "captcha-async: capmonster answered ERROR_KEY_DOES_NOT_EXIST" in result.stderr
    assert result.exit_code == 3


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_without_the_extra(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence tells what to install."""
    loaded = ("captcha_async.cli._", f"{module}.")
    for name in [name for name in sys.modules if name.startswith(loaded)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(sys, "argv", ["captcha-async", "types"])
    with pytest.raises(SystemExit, match=r"pip install 'captcha-async\[cli\]'"):
        main()


def test_another_missing_module_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is not blamed on the extra."""
    monkeypatch.delitem(sys.modules, "captcha_async.cli._app")
    monkeypatch.setitem(sys.modules, "captcha_async.cli._balance", None)
    monkeypatch.setattr(sys, "argv", ["captcha-async", "balance"])
    with pytest.raises(ModuleNotFoundError, match="_balance"):
        main()


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("The client is closed; open a new one.", "the client is closed; open a new one."),
        ("Task 5 has no answer.", "task 5 has no answer."),
        ("A reply is damaged.", "a reply is damaged."),
        ("TurnstileTask was not accepted.", "TurnstileTask was not accepted."),
        ("HTTP status 503.", "HTTP status 503."),
        ("createTask was sent.", "createTask was sent."),
        ("", ""),
    ],
)
def test_what_follows_a_colon_begins_in_small_letters(message: str, shown: str) -> None:
    """All messages have one style, and names keep theirs."""
    assert sentence(CaptchaError(message)) == shown


def test_a_time_out_speaks_of_no_python() -> None:
    """What a program would do is not said to a person; the command that collects follows."""
    ref = TaskRef("capmonster", 5, "TurnstileTask")
    text = (
        "Task 5 has no answer after 1 s (polls: 1); it is paid: await it again, or attach its ref."
    )
    error = SolveTimeout(text, ref=ref, polls=1, last_status="processing")
    assert told(error) == "task 5 has no answer after 1 s (polls: 1)"

"""`captcha-async types`: the catalogue, for readers, for pipes and as JSON."""

from __future__ import annotations

import io
import json

import pytest
from command_line import run
from rich.console import Console

from captcha_async.cli._types import _catalogue
from captcha_async.cli._types._catalogue import describe, find_types
from captcha_async.cli._types._search import WORDS, search
from captcha_async.cli._types._view import print_list, print_type
from captcha_async.services import SERVICES
from captcha_async.tasks._families import all_models


def shown_at(width: int, name: str | None = None, service: str | None = None) -> str:
    """Return what a terminal of *width* columns shows: a list, or the fields of a type."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    profile = None if service is None else SERVICES[service]
    if name is not None:
        print_type(describe(find_types(name)[0], profile), console)
    else:
        taken = [model for model in all_models() if profile is None or profile.takes(model)]
        if profile is not None:
            taken = [model for model in taken if not model.spec.historic]
        known = [describe(model, profile) for model in taken]
        print_list(known, console, everywhere=profile is None, hidden=True)
    return out.getvalue()


def test_the_list_in_a_pipe() -> None:
    """One line for each type that is documented now; nothing is cut."""
    head, *lines = run("types").stdout.splitlines()
    assert head.split() == ["class", "wire", "type", "solution", "proxy", "services"]
    current = [model.__name__ for model in all_models() if not model.spec.historic]
    assert [line.split()[0] for line in lines] == current
    (line,) = [line for line in lines if line.startswith("DataDomeTask ")]
    assert line.split()[1:] == [
        "CustomTask",
        "DataDomeSolution",
        "required",
        "capmonster,captcha69,2captcha,capsolver",
    ]


def test_historic_types_are_shown_when_asked_for() -> None:
    """They are there, and marked."""
    lines = run("types", "--historic").stdout.splitlines()
    assert len(lines) == 1 + len(all_models())
    historic = [model for model in all_models() if model.spec.historic]
    assert sum("(historic)" in line for line in lines) == len(historic) > 5


@pytest.mark.parametrize("service", SERVICES)
def test_the_list_of_a_service(service: str) -> None:
    """Only what it takes, under its own names."""
    told = json.loads(run("types", "--service", service, "--historic", "--json").stdout)
    taken = [model for model in all_models() if SERVICES[service].takes(model)]
    assert [each["name"] for each in told] == [model.__name__ for model in taken]
    names = {each["name"]: each["wire_types"] for each in told}
    if service == "capsolver":
        assert names["TurnstileTask"] == ["AntiTurnstileTaskProxyLess"]


def test_one_type() -> None:
    """Its fields with wire key, need and rule, and the fields of its solution."""
    shown = run("types", "recaptchav3taskproxyless").stdout
    assert shown.startswith("RecaptchaV3TaskProxyless\n")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "website_url websiteURL required http(s) URL" in lines
    assert "min_score minScore optional number, 0.1 to 0.9" in lines
    assert "RecaptchaSolution" in lines
    assert "token str" in lines


def test_one_type_in_the_words_of_a_service() -> None:
    """Types and keys are those that the service knows."""
    shown = run("types", "DataDomeTask", "--service", "2captcha").stdout
    assert "DataDomeSliderTask" in shown
    assert "metadata." not in shown


def test_a_service_s_own_name_finds_the_type() -> None:
    """Names from a service's documentation lead to the class."""
    assert run("types", "AntiTurnstileTaskProxyLess").stdout.startswith("TurnstileTask\n")
    variants = run("types", "AmazonTask", "--json").stdout
    assert json.loads(variants)["name"] == "AmazonTask"
    assert run("types", "turnstiletaskproxyless").stdout.startswith("TurnstileTaskProxyless\n")


def test_a_name_of_several_types_lists_them() -> None:
    """A wire type may be that of many classes."""
    lines = run("types", "ComplexImageTask").stdout.splitlines()[1:]
    assert len(lines) > 10
    assert all(" ComplexImageTask " in line for line in lines)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("cloudflare", "TurnstileTask"),
        ("aws", "AmazonTask"),
        ("arkose", "FunCaptchaTask"),
        ("tencent", "TenDITask"),
        ("image", "ImageToTextTask"),
        ("waiting room", "TurnstileWaitingRoomTask"),
        ("Google", "RecaptchaV2Task"),
        ("incapsula", "ImpervaTask"),
    ],
)
def test_what_people_call_it(word: str, found: str) -> None:
    """The company, the product or what is seen leads to the class."""
    lines = run("types", word).stdout.splitlines()
    assert found in [line.split()[0] for line in lines if line]


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("cloudflare", "TurnstileTask"),
        ("image", "ImageToTextTask"),
        ("aws", "AmazonTask"),
        ("google", "RecaptchaV2Task"),
    ],
)
def test_what_is_most_likely_meant_comes_first(word: str, first: str) -> None:
    """Who reads one line has the right one."""
    assert search(word)[0].__name__ == first


def test_words_lead_somewhere() -> None:
    """Every word in the list has a type."""
    assert all(search(word) for word in WORDS)
    assert search("x") == search("") == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["TurnstyleTask"], "did you mean TurnstileTask"),
        (["x"], "there is no task type 'x' (`captcha-async types` lists them)"),
        (["SheinTask", "--service", "anti-captcha"], "anti-captcha takes no SheinTask"),
        (["--service", "nobody"], "capmonster, captcha69"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str) -> None:
    """Exit code 2 and what would be right."""
    result = run("types", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_fits_a_terminal(width: int) -> None:
    """No line is folded or cut; the solutions are there when there is room."""
    shown = shown_at(width)
    lines = shown.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "RecaptchaV2EnterpriseTaskProxyless †" in shown
    assert ("RecaptchaSolution" in shown) == (width == 120)
    assert "at: M capmonster, 9 captcha69, A anti-captcha, 2 2captcha, S capsolver" in shown


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_s_list_fits_a_terminal(service: str) -> None:
    """The services' own names are long, and need not be told where they are taken."""
    shown = shown_at(80, service=service)
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    assert "at: " not in shown
    if service == "capsolver":
        assert "ReCaptchaV2EnterpriseTaskProxyLess" in shown


@pytest.mark.parametrize("model", [model.__name__ for model in all_models()])
def test_every_type_fits_a_terminal(model: str) -> None:
    """At 80 columns every line is folded in time, with its own indentation."""
    shown = shown_at(80, model)
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    assert "Fields" in shown


def test_without_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without .py files loses the meanings, not the catalogue."""

    def refuse(_: object) -> str:
        raise OSError("could not get source code")

    monkeypatch.setattr(_catalogue.inspect, "getsource", refuse)
    _catalogue._texts.cache_clear()
    (model,) = find_types("TurnstileTask")
    try:
        assert {field.meaning for field in describe(model).fields} == {""}
    finally:
        _catalogue._texts.cache_clear()

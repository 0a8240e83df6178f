"""The service profiles: the facts that keep an account from a ban, and how to change them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from captcha_async import services
from captcha_async.errors import InvalidArgument
from captcha_async.services import CAPMONSTER, CAPTCHA69, SERVICES, Service, find_service
from captcha_async.tasks import ImageToTextTask, Proxy, RawTask, RecaptchaV2Task

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def recaptcha(proxy: Proxy | None = None) -> RecaptchaV2Task:
    """Return a task that every service has."""
    return RecaptchaV2Task(website_url="https://example.com", website_key="key", proxy=proxy)


# -- the built-in ones ----------------------------------------------------------------------------


def test_names() -> None:
    """The five services go by these names."""
    assert list(SERVICES) == ["capmonster", "captcha69", "anti-captcha", "2captcha", "capsolver"]


@pytest.mark.parametrize(
    ("name", "base_url", "gap"),
    [
        ("capmonster", "https://api.capmonster.cloud", 2.0),
        ("captcha69", "https://captcha69.com", 3.0),
        ("anti-captcha", "https://api.anti-captcha.com", 2.0),
        ("2captcha", "https://api.2captcha.com", 5.0),
        ("capsolver", "https://api.capsolver.com", 3.0),
    ],
)
def test_documented_facts(name: str, base_url: str, gap: float) -> None:
    """Address and poll gap are those of the services' pages."""
    service = SERVICES[name]
    assert (service.base_url, service.min_poll_gap) == (base_url, gap)
    assert service.max_polls == 120


@every_service
def test_polling_defaults_are_sound(service: Service) -> None:
    """Every family waits for an answer no longer than it is kept, or than its polls last."""
    assert "token" in service.polling
    for times in service.polling.values():
        assert 0 <= times.first <= times.timeout
        assert times.interval > 0
        gap = max(times.interval, service.min_poll_gap)
        assert times.timeout / gap <= service.max_polls


@every_service
def test_methods(service: Service) -> None:
    """All services use the same three paths, and reports go to a path too."""
    assert service.methods["create_task"] == "/createTask"
    assert service.methods["get_task_result"] == "/getTaskResult"
    assert service.methods["get_balance"] == "/getBalance"
    assert all(path.startswith("/") for path in service.report_methods.values())


@every_service
def test_exported_under_its_constant(service: Service) -> None:
    """Every profile is a name of `captcha_async.services`."""
    constants = [getattr(services, name) for name in services.__all__ if name.isupper()]
    assert any(constant is service for constant in constants)


def test_numeric_codes_only_where_they_mean_something() -> None:
    """CapMonster's errorId is 0 or 1, which is no code."""
    with_codes = [name for name, service in SERVICES.items() if service.numeric_codes]
    assert with_codes == ["anti-captcha", "2captcha"]


# -- finding and changing -------------------------------------------------------------------------


def test_find_by_name() -> None:
    """A name leads to its profile, a profile to itself."""
    assert find_service("captcha69") is CAPTCHA69
    mine = CAPMONSTER.evolve(name="mine")
    assert find_service(mine) is mine


@pytest.mark.parametrize("wrong", ["CapMonster", "", None, 5])
def test_an_unknown_name_lists_the_known_ones(wrong: Any) -> None:
    """The error says which names there are."""
    with pytest.raises(InvalidArgument, match="capmonster, captcha69, anti-captcha") as caught:
        find_service(wrong)
    assert caught.value.field == "service"


def test_evolve_makes_a_mirror() -> None:
    """A changed copy; the original stays, and a closing slash does not matter."""
    mirror = CAPMONSTER.evolve(base_url="http://127.0.0.1:8080/")
    assert mirror.base_url == "http://127.0.0.1:8080"
    assert mirror.name == "capmonster"
    assert CAPMONSTER.base_url == "https://api.capmonster.cloud"


@pytest.mark.parametrize("url", ["api.capmonster.cloud", "ftp://x", "https://", "", None])
def test_evolve_checks_the_url(url: Any) -> None:
    """A base URL that cannot be one is refused at once."""
    with pytest.raises(InvalidArgument) as caught:
        CAPMONSTER.evolve(base_url=url)
    assert caught.value.field == "base_url"


@pytest.mark.parametrize(
    "rest",
    [
        "mirror.example:0",
        "mirror.example:65536",
        "mirror.example:+80",
        "mirror.example:port",
        "mirror..example",
        ".mirror.example",
        f"{'a' * 64}.example",
        "mirror.example\\v1",
        "[::1",
        "::1",
        "mirror.example?key=1",
        "mirror.example/v1#part",
    ],
)
def test_a_mirror_that_leads_nowhere_is_refused(rest: str) -> None:
    """At once, and not by minutes of attempts; a login in it does not show."""
    with pytest.raises(InvalidArgument, match=r"^base_url must be a URL with") as caught:
        CAPMONSTER.evolve(base_url=f"http://user:S3cret@{rest}")
    assert caught.value.field == "base_url"
    assert "S3cret" not in f"{caught.value} {vars(caught.value)}"


@pytest.mark.parametrize(
    "host",
    ["[::1]", "[::ffff:127.0.0.1]:80", "user:p%40ss@mirror.example:65535", "BÜCHER.example.", "h:"],
)
def test_a_mirror_may_be_anywhere(host: str) -> None:
    """At any port, at an address, with a login, and below a path."""
    mirror = CAPMONSTER.evolve(base_url=f"https://{host}/v1/")
    assert mirror.base_url == f"https://{host}/v1"


def test_evolve_names_a_misspelt_field() -> None:
    """A field that a profile does not have is named."""
    with pytest.raises(InvalidArgument) as caught:
        CAPMONSTER.evolve(url="https://example.com")
    assert caught.value.field == "url"


def test_polling_needs_the_fallback_family() -> None:
    """Without `token` some families would have no polling at all."""
    with pytest.raises(InvalidArgument, match="token"):
        CAPMONSTER.evolve(polling={"image": CAPMONSTER.poll_times("image")})


def test_an_unknown_family_polls_like_a_token() -> None:
    """New families need no entry."""
    assert CAPMONSTER.poll_times("unheard_of") is CAPMONSTER.polling["token"]


@every_service
def test_profiles_copy_and_pickle(service: Service) -> None:
    """A profile goes to worker processes."""
    assert copy.deepcopy(service) == service
    assert pickle.loads(pickle.dumps(service)) == service


# -- judging a task -------------------------------------------------------------------------------


def test_check_refuses_what_is_no_task() -> None:
    """A dict instead of a task is told at once."""
    with pytest.raises(InvalidArgument) as caught:
        CAPMONSTER.check({"type": "RecaptchaV2Task"})  # type: ignore[arg-type]
    assert caught.value.field == "task"


@pytest.mark.parametrize(
    ("name", "limit"),
    [("capmonster", 51_200), ("anti-captcha", 500_000), ("2captcha", 102_400)],
)
def test_check_knows_the_image_limit(name: str, limit: int) -> None:
    """The largest image passes; one byte more is refused before it is sent."""
    SERVICES[name].check(ImageToTextTask(b"GIF89a".ljust(limit)))
    with pytest.raises(InvalidArgument, match=rf"{limit} bytes at {name}, not {limit + 1}"):
        SERVICES[name].check(ImageToTextTask(b"GIF89a".ljust(limit + 1)))


def test_check_allows_any_image_where_no_limit_is_documented() -> None:
    """Nothing is refused on a guess."""
    CAPTCHA69.check(ImageToTextTask(b"GIF89a".ljust(1_000_000)))


@pytest.mark.parametrize(
    ("login", "password", "field"),
    [("a%b", "c", "proxy.login"), ("a", "b%c", "proxy.password")],
)
def test_check_knows_forbidden_characters(login: str, password: str, field: str) -> None:
    """CapMonster refuses a % in proxy credentials; the error does not show them."""
    task = recaptcha(Proxy("http", "203.0.113.7", 1, login, password))
    with pytest.raises(InvalidArgument) as caught:
        CAPMONSTER.check(task)
    assert caught.value.field == field
    assert "b%c" not in str(caught.value)
    CAPTCHA69.check(task)


def test_type_names_follow_the_proxy() -> None:
    """Some services have a name of their own for tasks without proxy."""
    proxied = recaptcha(Proxy("http", "203.0.113.7", 1))
    names = {
        name: (service.type_name(recaptcha()), service.type_name(proxied))
        for name, service in SERVICES.items()
    }
    assert names["capmonster"] == ("RecaptchaV2Task", "RecaptchaV2Task")
    assert names["captcha69"] == ("RecaptchaV2Task", "RecaptchaV2Task")
    assert names["anti-captcha"] == ("RecaptchaV2TaskProxyless", "RecaptchaV2Task")
    assert names["2captcha"] == ("RecaptchaV2TaskProxyless", "RecaptchaV2Task")
    assert names["capsolver"] == ("ReCaptchaV2TaskProxyLess", "ReCaptchaV2Task")


@every_service
def test_a_raw_task_keeps_its_name(service: Service) -> None:
    """What the caller spells out is not translated."""
    assert service.type_name(RawTask("RecaptchaV2Task")) == "RecaptchaV2Task"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://bob:s3cret@mirror.example/api", "https://***@mirror.example/api"),
        ("https://mirror.example/@api", "https://mirror.example/@api"),
    ],
)
def test_a_repr_hides_the_user_of_an_address(url: str, shown: str) -> None:
    """A mirror may want a password in its address."""
    assert f"base_url='{shown}'" in repr(CAPMONSTER.evolve(base_url=url))


# -- waiting and reports --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "name", "timeout"),
    [
        ("anti-captcha", "ImageToTextTask", 60.0),
        ("anti-captcha", "RecaptchaV2Task", 300.0),
        ("anti-captcha", "RecaptchaV3TaskProxyless", 60.0),
        ("anti-captcha", "GeeTestTask", 600.0),
        ("anti-captcha", "GeeTestTaskProxyless", 600.0),
        ("anti-captcha", "FunCaptchaTask", 600.0),
        ("anti-captcha", "AntiGateTask", 600.0),
        ("anti-captcha", "AntiBotCookieTask", 600.0),
        ("2captcha", "RecaptchaV2Task", 600.0),
        ("2captcha", "RecaptchaV3TaskProxyless", 600.0),
        ("2captcha", "LeminTask", 180.0),
        ("capsolver", "ReCaptchaV2TaskProxyLess", 150.0),
        ("capmonster", "ImageToTextTask", 60.0),
    ],
)
def test_a_wait_is_as_long_as_the_service_takes(service: str, name: str, timeout: float) -> None:
    """By a model's name or the service's own; those of the services' own SDKs or longer."""
    assert SERVICES[service].poll_times(name).timeout == timeout


def test_2captcha_is_polled_every_five_seconds() -> None:
    """As it asks for; reCAPTCHA first after ten."""
    two = SERVICES["2captcha"]
    assert {times.interval for times in two.polling.values()} == {5.0}
    assert two.poll_times("RecaptchaV2Task").first == 10.0
    assert two.poll_times("image").first == 5.0


@pytest.mark.parametrize(
    ("service", "name", "correct", "path", "window"),
    [
        ("capmonster", "ImageToTextTask", False, "/reportIncorrectImageCaptcha", None),
        ("capmonster", "TurnstileTask", False, "/reportIncorrectTokenCaptcha", None),
        ("capmonster", "RecaptchaV2Task", True, None, None),
        ("capmonster", "DataDomeTask", False, None, None),
        ("anti-captcha", "ImageToTextTask", False, "/reportIncorrectImageCaptcha", 60.0),
        ("anti-captcha", "RecaptchaV2TaskProxyless", False, "/reportIncorrectRecaptcha", 60.0),
        ("anti-captcha", "RecaptchaV3EnterpriseTask", True, "/reportCorrectRecaptcha", 60.0),
        ("anti-captcha", "HCaptchaTask", False, "/reportIncorrectHcaptcha", 60.0),
        ("anti-captcha", "TurnstileTask", False, None, None),
        ("anti-captcha", "ImageToTextTask", True, None, None),
        ("2captcha", "LeminTask", True, "/reportCorrect", 900.0),
        ("2captcha", "SomethingNew", False, "/reportIncorrect", 900.0),
        ("capsolver", "VisionEngine", False, "/feedbackTask", None),
    ],
)
def test_reports_go_to_the_method_of_the_kind(
    service: str, name: str, correct: bool, path: str | None, window: float | None
) -> None:
    """Models, the services' own names and names of tomorrow; None where nothing takes it."""
    report = SERVICES[service].report_for(name, correct=correct)
    assert (None if report is None else report.path) == path
    assert (None if report is None else report.window) == window


def test_bodies_of_reports() -> None:
    """The task's id, and what the method wants besides."""
    wrong = SERVICES["capsolver"].report_for("RecaptchaV2Task", correct=False)
    right = SERVICES["2captcha"].report_for("RecaptchaV2Task", correct=True)
    assert wrong is not None
    assert right is not None
    assert wrong.body("a-b") == {"taskId": "a-b", "result": {"invalid": True}}
    assert right.body(7) == {"taskId": 7}


def test_currencies() -> None:
    """Where one is documented; nobody says what CapMonster's is."""
    told = {name: service.currency for name, service in SERVICES.items()}
    assert told == {
        "capmonster": None,
        "captcha69": None,
        "anti-captcha": "USD",
        "2captcha": "USD",
        "capsolver": "USD",
    }

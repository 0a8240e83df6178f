"""The error tree is coded as drawn; every error copies, pickles and tells what it is about."""

from __future__ import annotations

import copy
import multiprocessing.reduction
import pickle
import re
import tomllib
from pathlib import Path

import pytest

from captcha_async import errors
from captcha_async._ref import TaskRef
from captcha_async.errors import CaptchaError, InvalidArgument, SolveTimeout, invalid
from captcha_async.services._error_codes import ERROR_CODES, NUMERIC_CODES

CLASSES = [getattr(errors, name) for name in errors.__all__]
every_class = pytest.mark.parametrize("cls", CLASSES)

DATA = Path(__file__).parent / "data"
CODE_TABLES = ("tasks.toml", "errors_new.toml")

REF = TaskRef("capmonster", 7654321, "RecaptchaV2Task", polls=3)

RETRYABLE = {
    "AccountUnavailable",
    "CapacityError",
    "NoSlotAvailable",
    "QueueTimeout",
    "RateLimited",
    "ServiceUnavailable",
    "TransportError",
    "Unsolvable",
}


def drawn_tree() -> dict[str, str]:
    """Read the drawing in the module's docstring: class name to its parent's."""
    parents: dict[str, str] = {}
    above = ["CaptchaError"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│├└─ ]+)([A-Z]\w+)\b", line)
        if found:
            depth = len(found[1]) // 4
            parents[found[2]] = above[depth - 1]
            above[depth:] = [found[2]]
    return parents


def test_the_tree_is_as_drawn() -> None:
    """Name and place of every class are those of the drawing."""
    coded = {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES if cls is not CaptchaError}
    assert coded == drawn_tree()


@every_class
def test_errors_survive_pickle_and_copy(cls: type[CaptchaError]) -> None:
    """An error comes whole through a process pool or a job queue."""
    error = cls("What happened; what to do.", ref=REF, extra={"polls": 3})
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is cls
        assert str(twin) == "What happened; what to do."
        assert twin.args == error.args
        assert vars(twin) == vars(error)
        assert twin.task_id == 7654321


def test_errors_cross_a_process_boundary() -> None:
    """The form that multiprocessing uses is read back too."""
    error = SolveTimeout("Late.", polls=40, last_status="processing")
    twin = pickle.loads(multiprocessing.reduction.ForkingPickler.dumps(error))
    assert (twin.polls, twin.last_status) == (40, "processing")


@every_class
def test_only_safe_repetition_is_retryable(cls: type[CaptchaError]) -> None:
    """`retryable` is set where the very same call is safe and may succeed."""
    assert cls.retryable is (cls.__name__ in RETRYABLE)


def test_an_instance_can_be_less_retryable_than_its_class() -> None:
    """The class gives the default only."""
    assert errors.RateLimited("Slow down.", retryable=False).retryable is False


@every_class
def test_no_task_no_id(cls: type[CaptchaError]) -> None:
    """Without a created task, `ref` and `task_id` are None."""
    error = cls("Any.")
    assert error.ref is None
    assert error.task_id is None


def test_builtin_relations() -> None:
    """Code that knows only Python's own errors catches the two that mean the same."""
    assert issubclass(InvalidArgument, ValueError)
    assert issubclass(SolveTimeout, TimeoutError)


def test_invalid_names_field_value_and_rule() -> None:
    """The message of a wrong argument names field, value and rule."""
    error = invalid("timeout", -1, "a positive number")
    assert str(error) == "timeout must be a positive number, not -1"
    assert (error.field, error.rule) == ("timeout", "a positive number")


def test_invalid_hides_secrets() -> None:
    """A secret value is told by its type only."""
    assert "s3cret" not in str(invalid("api_key", "s3cret", "a key", show=False))


def test_invalid_cuts_long_values() -> None:
    """A megabyte given by mistake does not flood the log."""
    message = str(invalid("body", "x" * 1_000_000, "an image"))
    assert len(message) < 120
    assert message.endswith("…")


# -- error codes ----------------------------------------------------------------------------------


def test_all_documented_codes_are_mapped() -> None:
    """All documented codes have a class and an advice each; two mean only: not yet."""
    tables = [tomllib.loads((DATA / name).read_text("utf-8")) for name in CODE_TABLES]
    assert set(ERROR_CODES) == {entry["code"] for table in tables for entry in table["error"]}
    assert [code for code, entry in ERROR_CODES.items() if entry.error is None] == [
        "CAPTCHA_NOT_READY",
        "CAPCHA_NOT_READY",
    ]


@pytest.mark.parametrize("code", ERROR_CODES)
def test_each_code_leads_to_a_service_error(code: str) -> None:
    """The class is one of the tree's leaves, and the advice is half a sentence."""
    entry = ERROR_CODES[code]
    assert entry.code == code
    assert entry.advice
    assert entry.advice[0].islower()
    assert not entry.advice.endswith(".")
    if entry.error is not None:
        assert issubclass(entry.error, errors.ServiceError)
        assert not entry.error.__subclasses__()


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("ERROR_KEY_DOES_NOT_EXIST", errors.KeyRejected),
        ("ERROR_ZERO_BALANCE", errors.InsufficientBalance),
        ("ERROR_IP_BANNED", errors.AccountBlocked),
        ("ERROR_NO_SLOT_AVAILABLE", errors.NoSlotAvailable),
        ("ERROR_TOO_MUCH_REQUESTS", errors.RateLimited),
        ("ERROR_SERVICE_UNAVALIABLE", errors.ServiceUnavailable),
        ("ERROR_DOMAIN_NOT_ALLOWED", errors.TaskRejected),
        ("ERROR_CAPTCHA_UNSOLVABLE", errors.Unsolvable),
        ("ERROR_NO_SUCH_CAPCHA_ID", errors.TaskExpired),
        ("WRONG_CAPTCHA_ID", errors.TaskExpired),
        ("ERROR_PROXY_NOT_AUTHORISED", errors.ProxyFailed),
    ],
)
def test_well_known_codes(code: str, cls: type[errors.ServiceError]) -> None:
    """The codes that every user meets mean what the services' pages say."""
    assert ERROR_CODES[code].error is cls


def test_numeric_codes_lead_to_named_ones() -> None:
    """A service that sends a number only is understood as well."""
    assert set(NUMERIC_CODES.values()) <= set(ERROR_CODES)

"""What the user gives, made into a member: checked, in the store's units, and without secrets."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from captcha_async import InvalidArgument
from captcha_async._sharing._messages import NANO, SECOND, Terms
from captcha_async._sharing._open import account_name, make_member, make_store, make_terms
from captcha_async._sharing._redis import RedisStore
from captcha_async._sharing._sqlite import SqliteStore


def member(share: Any = "account.db", **options: Any) -> Any:
    """A member of an account of ten slots."""
    given: dict[str, Any] = {"service": "capmonster", "api_key": "secret-key", "in_flight": 10}
    return make_member(share, **{**given, **options})


def test_the_account_is_named_by_a_hash() -> None:
    """The same service and key meet, others do not, and the key cannot be read."""
    name = account_name("capmonster", "key")
    assert name == account_name("capmonster", "key")
    assert len({name, account_name("capsolver", "key"), account_name("capmonster", "k")}) == 3
    assert "key" not in name
    assert name.isalnum()


def test_a_path_is_a_file_and_a_url_is_redis(tmp_path: Path) -> None:
    """Both are given in the one argument."""
    pytest.importorskip("coredis", reason="needs coredis (captcha-async[redis])")
    assert isinstance(make_store(tmp_path / "account.db", "name"), SqliteStore)
    for url in ("redis://host/0", "rediss://host:6380", "unix:///run/redis.sock"):
        assert isinstance(make_store(url, "name"), RedisStore)


def test_limits_in_the_stores_units() -> None:
    """A rate that is no whole number is kept by a longer window."""
    terms = make_terms(
        in_flight=400,
        submits_per_second=0.5,
        requests_per_second=2.5,
        max_spend=Decimal("0.0000000001"),
        per=60,
    )
    assert terms == Terms(
        in_flight=400,
        submits=1,
        submits_window=2 * SECOND,
        requests=2,
        requests_window=800_000,
        cap=1,
        per=60 * SECOND,
    )
    assert make_terms(in_flight=1, max_spend=Decimal(20)).cap == 20 * NANO


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("share", {"share": ""}),
        ("share", {"share": 7}),
        ("share", {"share": b"account.db"}),
        ("share", {"share": "http://host"}),
        ("share", {"share": "redis://"}),
        ("on_outage", {"on_outage": "panic"}),
        ("egress", {"egress": "two words"}),
        ("egress", {"egress": ""}),
        ("egress", {"egress": "-"}),
        ("egress", {"egress": "x" * 65}),
    ],
)
def test_wrong_arguments_are_told(field: str, options: dict[str, Any]) -> None:
    """The error names the field and the rule."""
    with pytest.raises(InvalidArgument) as caught:
        member(**options)
    assert caught.value.field == field


def test_secrets_stay_out_of_errors_and_reprs() -> None:
    """Neither the key nor the store's password shows."""
    pytest.importorskip("coredis", reason="needs coredis (captcha-async[redis])")
    assert "secret" not in repr(member("redis://user:secret@host/0"))
    with pytest.raises(InvalidArgument) as caught:
        member("http://user:secret@host/0")
    assert "secret" not in str(caught.value)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis needs an extra; a file needs nothing."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InvalidArgument, match=r"captcha-async\[redis\]"):
        member("redis://host/0")
    member("account.db")

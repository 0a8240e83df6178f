"""Blanking: every form of a secret in what others said, and nothing in what we say."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async._secrets import (
    NO_SECRETS,
    Secrets,
    error_chain,
    login_of,
    without_login,
    writings,
)
from captcha_async.errors import invalid

ODD = "pä'\"\\ß/w:@rd%"


@pytest.mark.parametrize(
    "form",
    [
        ODD,
        quote(ODD, safe=""),
        json.dumps(ODD),
        json.dumps(ODD, ensure_ascii=False),
        repr(ODD),
        repr(ODD.encode()),
        repr({"p": ODD}),
        repr(bytearray(json.dumps(ODD).encode())),
    ],
)
def test_a_secret_is_found_in_every_form(form: str) -> None:
    """Whoever quotes it may have encoded it before."""
    said = Secrets(ODD).blank(f"before {form} after")
    assert said.startswith("before ")
    assert said.endswith(" after")
    assert "***" in said
    for part in ("rd%", "rd", "w:@", "\\xc3", "u00"):
        assert part not in said


@given(secret=st.text(min_size=1, max_size=12), around=st.text(max_size=20))
def test_no_secret_is_left(secret: str, around: str) -> None:
    """Any text, anywhere."""
    assert secret not in Secrets(secret).blank(around + secret + around) or secret in "***"


def test_values_of_json_are_blanked_and_nothing_else() -> None:
    """Names stay, since no error quotes them; so does a code that is known."""
    secrets = Secrets("KEY", "pass")
    value = {"KEY": ["a pass", 5, None, {"code": "ERROR_KEY"}], "known": "ERROR_KEY_X"}
    assert secrets.in_json(value, "ERROR_KEY_X") == {
        "KEY": ["a ***", 5, None, {"code": "ERROR_***"}],
        "known": "ERROR_KEY_X",
    }
    assert NO_SECRETS.in_json(value) == value


class RemoteProtocolError(Exception):
    """As the libraries call what quotes the other side."""


def test_errors_are_blanked_with_all_behind_them() -> None:
    """A chain that a library has cut off is still there for whoever looks."""
    try:
        try:
            try:
                raise RemoteProtocolError(f"illegal line: {bytearray(b'{secret-key}')!r}")
            except RemoteProtocolError as error:
                raise ValueError(b"secret-key", error) from None
        except ValueError as error:
            raise ExceptionGroup("secret-key", [error, OSError("no secret-key")]) from error
    except ExceptionGroup as error:
        Secrets("secret-key").in_error(error)
        found = list(error_chain(error))
        assert len(found) == 4
        # A group keeps its message; no library of ours puts anything into it.
        for behind in found[1:]:
            assert "secret-key" not in repr(behind) + str(behind)


def test_a_short_secret_is_looked_for_in_quotations_only() -> None:
    """A password `a` is no reason to make asterisks of what the system says."""
    quoting, ours = RemoteProtocolError("they said a key"), OSError("a name is unknown")
    for error in (quoting, ours):
        Secrets("a", "key").in_error(error)
    assert str(ours) == "a name is unknown"
    assert "key" not in str(quoting)


def test_an_error_that_contains_itself_is_no_trap() -> None:
    """Chains of errors may go round."""
    error = ValueError("secret-key")
    error.args = ("secret-key", error)
    error.__context__ = error
    Secrets("secret-key").in_error(error)
    assert error.args == ("***", error)


def test_secrets_do_not_show_themselves() -> None:
    """They are kept to be hidden."""
    assert "secret" not in repr(Secrets("secret")).replace("Secrets", "")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:S3cret@host/x", "https://***@host/x"),
        ("htps://user:S3cret@host", "htps://***@host"),
        ("user:S3cret@host:80", "***@host:80"),
        ("http://user:S3/cret@host", "http://***@host"),
        ("http://user:S3@cret@host", "http://***@host"),
        ("http:/user:S3cret@host", "http:/***@host"),
        ("http://S3cret@host", "http://***@host"),
        ("http://us er:S3#c\nret@host", "http://***@host"),
        ("https://host/x", "https://host/x"),
        ("no URL at all", "no URL at all"),
    ],
)
def test_a_login_never_shows(url: str, shown: str) -> None:
    """Also in what is no URL at all, and in the errors about it."""
    assert without_login(url) == shown
    assert "S3" not in str(invalid("url", url, "a URL"))


def test_the_secret_parts_of_a_login() -> None:
    """The password as it is written, as it is meant, and as a header carries it."""
    header = base64.b64encode(b"user:p@ss").decode()
    assert login_of("http://user:p%40ss@host:1/") == ("p%40ss", "p@ss", header)
    assert login_of("http://t%6Fken@host") == ("t%6Fken", "token")
    assert login_of("http://host/path") == ()


def test_html_is_written_as_the_standard_library_writes_it() -> None:
    """Without loading its table of names, which takes longer than all else that blanks."""
    text = "".join(map(chr, range(1, 400)))
    assert writings()[-1](text) == html.escape(text)

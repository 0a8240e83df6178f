"""The errors that a reply tells of: by the service's own code, wherever it stands, or by the HTTP
status where there is none. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from ..errors import (
    CaptchaError,
    InsufficientBalance,
    KeyRejected,
    ProtocolError,
    RateLimited,
    ServiceError,
    ServiceUnavailable,
    TransportError,
    UnknownServiceError,
)
from ..services import ErrorCode, Service
from ..services._error_codes import ERROR_CODES
from ._retry_after import read_retry_after
from ._values import read_integer, read_text

__all__ = [
    "NO_CODE",
    "Refusal",
    "Reply",
    "as_code",
    "find_refusal",
    "is_page",
    "service_said",
    "status_error",
]


# Not frozen, like the results that are read from it: attrs sets a frozen field five times as
# slowly, and there is one of each for every request.
@attrs.define
class Reply:
    """What came back."""

    status: int
    body: bytes = attrs.field(repr=False)
    retry_after: str | None = None
    """The header of that name; repeated ones joined by commas."""
    date: str | None = None
    """The header of that name."""

    @property
    def seconds_to_wait(self) -> float | None:
        """What Retry-After asks for."""
        return read_retry_after(self.retry_after, self.date)


@attrs.frozen(eq=False, repr=False)
class Refusal:
    """An error as the service told it, not yet looked up."""

    code: str
    """Its errorCode, or ''."""
    description: str = ""
    error_id: int | None = 1


# -- where a code may stand -----------------------------------------------------------------------

# What looks like a code of some service: ERROR_…, ERR_…, or "ERROR: " with the reason behind it.
_CODE = re.compile(r"(ERR(?:OR)?_[A-Z0-9_]+)\s*(?:[:|,;-]\s*(.*))?", re.IGNORECASE | re.DOTALL)
_ERROR = re.compile(r"ERROR\s*[:|]\s*(.*)", re.IGNORECASE | re.DOTALL)
_END = re.compile(r"[\s:|,;]")
_WORD = re.compile(r"[A-Z0-9_]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[A-Z]+(?:_[A-Z]+)+")

NO_CODE = "ERROR"
"""What stands for the code of an error that is told in words only."""

LONGEST_TEXT = 500
"""Characters of a bare text that may be an error; a longer one is a page."""

# Besides errorCode and errorId: keys of older interfaces and of mirrors. What stands under them
# counts only if it is a documented code.
_OTHER_KEYS = ("request", "error", "code", "errorDescription", "message")


def as_code(
    text: str, codes: Mapping[str, ErrorCode] = ERROR_CODES, *, in_place_of_id: bool = False
) -> Refusal | None:
    """Read a bare text as an error: a known code, or what has the form of one.

    Args:
        text: what came.
        codes: the codes that are known.
        in_place_of_id: whether a task's id was expected. No id has spaces, or looks like a name in
            capitals.
    """
    if in_place_of_id and _UUID.fullmatch(text):
        return None
    text = text.strip().strip("\"'")
    if not text or len(text) > LONGEST_TEXT:
        return None
    word = _END.split(text, maxsplit=1)[0]
    rest = text[len(word) :].strip(" :|,;\r\n")
    if word.upper() in codes:
        return Refusal(word.upper(), rest)
    found = _CODE.fullmatch(text)
    if found:
        return Refusal(found[1].upper(), (found[2] or "").strip())
    found = _ERROR.fullmatch(text)
    if found is not None:
        reason = found[1].strip()
        first = _END.split(reason, maxsplit=1)[0]
        if first.isdecimal():
            # Not a number of the newer interface's list, which means something else.
            return Refusal(f"ERROR: {first}", reason[len(first) :].strip(" :|,;"))
        known = first.upper() in codes or _WORD.fullmatch(first)
        return Refusal(first.upper() if known else NO_CODE, reason)
    if in_place_of_id and (rest or _NAME.fullmatch(text)):
        return Refusal(NO_CODE if rest else text, text if rest else "")
    return None


def find_refusal(service: Service, data: Mapping[str, Any]) -> Refusal | None:
    """Find the error that a reply tells of, if it tells of one; its keys are `spelled`."""
    number, code = data.get("errorId"), data.get("errorCode")
    if not number and (code is None or code == ""):
        return _elsewhere(service, data)
    code, description = read_text(code), read_text(data.get("errorDescription"))
    if isinstance(number, str) and not code and as_code(number, service.error_codes):
        code = number.strip()
    error_id = read_integer(number)
    numbered = service.numeric_codes.get(int(code)) if code.isdecimal() and len(code) < 9 else None
    code = numbered or code
    if error_id == 0 and number is not None and code.upper() not in service.error_codes:
        # It says that there is no error, and a code such as "SUCCESS" does not speak against it.
        code = ""
    if not error_id and not code:
        return _elsewhere(service, data)
    if not code and error_id is not None:
        code = service.numeric_codes.get(error_id, "")
    return Refusal(code, description, error_id)


def _elsewhere(service: Service, data: Mapping[str, Any]) -> Refusal | None:
    for key in _OTHER_KEYS:
        value = data.get(key)
        if value is None or value == "":
            continue
        text = read_text(value)
        found = as_code(text, service.error_codes) if text else None
        if found is not None and found.code in service.error_codes:
            return found
    return None


# -- errors ---------------------------------------------------------------------------------------

_BY_STATUS: dict[int, type[ServiceError]] = {
    401: KeyRejected,
    402: InsufficientBalance,
    403: KeyRejected,
    429: RateLimited,
}
_STATUS_ADVICE = {
    401: "check the API key",
    402: "top up the account",
    403: "check the API key and the addresses that it may be used from",
    429: "slow down",
}
# A proxy or the network's own login page has answered; the service has not been reached.
_ON_THE_WAY = (407, 511)


def service_said(service: Service, reply: Reply, refusal: Refusal) -> ServiceError:
    """Make the error for what the service said."""
    code = refusal.code
    known = service.error_codes.get(code) or service.error_codes.get(code.upper())
    kind: type[ServiceError] = UnknownServiceError
    advice = "see the service's documentation for it"
    pause: float | None = None
    if known is not None:
        code, advice, pause = known.code, known.advice, known.pause
        kind = known.error or UnknownServiceError
    elif not code:
        kind = _BY_STATUS.get(reply.status, UnknownServiceError)
    wait = reply.seconds_to_wait
    return kind(
        _sentence(service, code or f"error {refusal.error_id}", refusal.description, advice),
        code=code or None,
        description=refusal.description or None,
        error_id=refusal.error_id,
        http_status=reply.status,
        retry_after=pause if wait is None else wait,
    )


def _sentence(service: Service, code: str, description: str, advice: str) -> str:
    text = " ".join(description.split())
    said = f" ({text.rstrip('.')})" if text else ""
    return f"{service.name} answered {code[:100]}{said[:300]}: {advice}."


def status_error(service: Service, reply: Reply, *, poll: bool = False) -> CaptchaError:
    """Make the error for a reply that holds nothing of the service's.

    Args:
        service: who should have answered.
        reply: what came.
        poll: whether a task's result was asked for. Whoever may create a task may ask for its
            result, so a bare refusal is then no word about the account: somebody on the way has
            spoken, such as a proxy, a firewall or a CDN.
    """
    status, wait = reply.status, reply.seconds_to_wait
    refused = status in (401, 402, 403)
    if status in _ON_THE_WAY or (refused and (poll or is_page(reply.body))):
        return TransportError(
            f"Something on the way to {service.name} answered HTTP {status} in its place; check "
            "the proxy and the firewalls, and try again.",
            sent=poll,
            http_status=status,
            retry_after=wait,
        )
    kind = _BY_STATUS.get(status, ServiceUnavailable if status >= 500 else None)
    if kind is not None:
        advice = _STATUS_ADVICE.get(status, "try again later")
        return kind(
            f"{service.name} answered HTTP {status}: {advice}.",
            http_status=status,
            retry_after=wait,
        )
    return ProtocolError(
        f"{service.name} answered HTTP {status} with {len(reply.body)} bytes that are no reply of "
        "the protocol; check the base URL.",
        http_status=status,
        retry_after=wait,
    )


def is_page(body: bytes) -> bool:
    """Tell whether a body is a page or a text, and no JSON."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return start not in (b"", b"{", b"[")

"""What a failed request is told as: cause, advice, and whether another attempt is worth while."""

from __future__ import annotations

import re
import socket
import ssl
import sys

import attrs

from .._secrets import error_chain
from ..errors import TransportError
from ._lane_errors import LaneError

__all__ = ["failure", "refused_by_proxy"]

# What names and certificates fail with is no trouble of the network that passes.
_NO_SUCH_NAME = {
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)
}
_PROXY_REFUSES_LOGIN = re.compile(r"^(401|407)\b|username/password|from proxy server, but got")
# Errors of the network, and the libraries that speak over it. Any other is from code on our side.
_OUTSIDE = (LaneError, OSError)
_OUTSIDE_OF_HTTPX = ("TransportError", "DecodingError")
_SPEAKERS = ("anyio", "h11", "h2", "httpcore", "socksio", "trio")


@attrs.frozen
class _Verdict:
    advice: str
    worth: int | None = None
    """Attempts in all that are worth while; None for any number."""


_NETWORK = _Verdict("check the network and try again")
_CERTIFICATE = _Verdict(
    "its certificate is not trusted: set SSL_CERT_FILE to the file of the authority that signed it "
    "(a company's proxy may have one of its own), or pass ssl_context=",
    worth=1,
)
_OTHER_HOST = _Verdict("its certificate is another host's: check base_url, or the proxy", worth=1)
_OVERDUE = _Verdict("its certificate is not valid today: check this machine's clock", worth=1)
# By OpenSSL's X509_V_ERR_...: HOSTNAME_ and IP_ADDRESS_MISMATCH, CERT_NOT_YET_VALID and EXPIRED.
_CERTIFICATES = {62: _OTHER_HOST, 64: _OTHER_HOST, 9: _OVERDUE, 10: _OVERDUE}
# By OpenSSL's names. A balancer that restarts may answer so for a moment, hence the second attempt.
_OTHER_PROTOCOL = _Verdict(
    "the other side does not speak TLS as it is spoken here: check whether base_url, or the proxy, "
    "is for http or https, and its port",
    worth=2,
)
_PROTOCOLS = {"WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"}
# A resolver may forget a name for a moment, hence the second attempt.
_NAME = _Verdict("check the host's name, and the resolver of this machine", worth=2)
_LOGIN = _Verdict("check login and password of the proxy", worth=1)
_PROXY = _Verdict("check the proxy, or try again")
_LOCAL = _Verdict("nothing has left this program; mend the cause", worth=1)


def failure(error: Exception, *, sent: bool, timed_out: float | None = None) -> TransportError:
    """Make the error for a request that failed with *error*.

    Args:
        error: what was raised, without secrets.
        sent: whether the first byte may have left.
        timed_out: the seconds that ran out, if that is why.
    """
    if timed_out is not None:
        what = "no reply" if sent else "no connection"
        return _make(f"{what} within {timed_out:g} s", sent, _NETWORK)
    return _make(_describe(error), sent, _judge(error, sent=sent))


def refused_by_proxy(status: int) -> TransportError:
    """Make the error for a reply that only a proxy gives: the service has not seen the request."""
    return _make(f"a proxy answered HTTP {status}", False, _LOGIN)


def _make(reason: str, sent: bool, verdict: _Verdict) -> TransportError:
    return TransportError(
        f"The service could not be reached ({reason}); {verdict.advice}.",
        sent=sent,
        reason=reason,
        attempts_worth=verdict.worth,
        retryable=verdict.worth is None,
    )


def _judge(error: Exception, *, sent: bool) -> _Verdict:
    if sent:
        return _NETWORK
    chain = list(error_chain(error))
    refused = [found for found in chain if isinstance(found, ssl.SSLCertVerificationError)]
    if refused:
        # Whoever raises it without OpenSSL tells no code.
        return _CERTIFICATES.get(getattr(refused[0], "verify_code", 0), _CERTIFICATE)
    if any(getattr(found, "reason", None) in _PROTOCOLS for found in chain):
        return _OTHER_PROTOCOL
    unknown = next((found for found in chain if isinstance(found, socket.gaierror)), None)
    if unknown is not None and unknown.errno in _NO_SUCH_NAME:
        return _NAME
    if _is_of_httpx(error, "ProxyError"):
        return _LOGIN if _PROXY_REFUSES_LOGIN.search(str(error)) else _PROXY
    if _is_of_httpx(error, "UnsupportedProtocol", "LocalProtocolError"):
        return _LOCAL
    speaker = type(error).__module__.partition(".")[0]
    outside = isinstance(error, _OUTSIDE) or _is_of_httpx(error, *_OUTSIDE_OF_HTTPX)
    return _NETWORK if outside or speaker in _SPEAKERS else _LOCAL


def _is_of_httpx(error: Exception, *names: str) -> bool:
    """Tell whether an error is of one of these classes; where nobody uses httpx, none is."""
    httpx = sys.modules.get("httpx")
    return httpx is not None and isinstance(error, tuple(getattr(httpx, name) for name in names))


def _describe(error: Exception) -> str:
    """Name the error, and the reason that it or the first error behind it gives."""
    name = type(error).__name__
    for found in error_chain(error):
        text = " ".join(str(found).split())
        if text:
            return f"{name}: {text[:200]}"
    return name

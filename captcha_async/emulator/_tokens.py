"""The tokens that were issued, and their verification, as the makers of captchas offer it to sites.

A site sends the token that a visitor has submitted, with a secret of its own, to an address called
`siteverify`, and is told whether the token is good. Here every secret is; the token has to be one
that was issued, is not too old, and was not verified before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import orjson

from .._ref import TaskId
from ..services import Service
from ..wire._models import find_codec
from ._exchange import Request
from ._ledger import EmulatedTask
from ._replies import Reply

__all__ = ["IssuedToken", "Tokens", "is_for_site"]

LIFE = 120.0
"""Seconds that a token is good for where no life is documented."""

SHORTEST = 20
"""Characters from which a text in a solution is taken for a token."""


def is_for_site(path: str) -> bool:
    """Tell whether a request is a site's, and none of a client of the service."""
    return path.rstrip("/").endswith("/siteverify")


@attrs.frozen(kw_only=True)
class IssuedToken:
    """A token that the emulated service has issued, as of the moment of the question."""

    task_id: TaskId
    """The task that it is the answer to."""
    type: str
    """The task's wire type."""
    website_url: str | None
    """The page that it is for."""
    website_key: str | None
    """The site key that it is for."""
    issued_at: float
    """Moment on the event loop's clock at which the task was ready."""
    expires_at: float
    """Moment from which on a site refuses it."""
    verified: bool
    """Whether a site has had it verified; a second time it is refused."""
    valid: bool
    """Whether a site would take it now."""


@attrs.define
class _Token:
    task: EmulatedTask
    body: Mapping[str, Any]
    life: float
    verified: bool = False

    def at(self, now: float) -> IssuedToken | None:
        issued_at = self.task.ready_at
        if self.task.status == "processing" and now < issued_at:
            return None
        expires_at = issued_at + self.life
        return IssuedToken(
            task_id=self.task.task_id,
            type=self.task.type,
            website_url=_text_of(self.body, "websiteURL", "pageurl"),
            website_key=_text_of(self.body, "websiteKey", "websitePublicKey", "sitekey"),
            issued_at=issued_at,
            expires_at=expires_at,
            verified=self.verified,
            valid=not self.verified and now < expires_at,
        )


class Tokens:
    """What was issued, by the token.

    Args:
        service: the service that is played.
        most: how many are remembered; None for all.
    """

    def __init__(self, service: Service, most: int | None) -> None:
        self._service = service
        self._most = most
        # Each enters with its task, before that is ready; the oldest leaves when there are too
        # many.
        self._tokens: dict[str, _Token] = {}

    def note(self, task: EmulatedTask, body: Mapping[str, Any]) -> None:
        """Note the tokens of a new task's solution."""
        codec = find_codec(body, self._service, own=False)
        life = None if codec is None else codec.model.spec.token_life
        for text in _texts(task.solution):
            self._tokens[text] = _Token(task, body, LIFE if life is None else life)
            if self._most is not None and len(self._tokens) > self._most:
                del self._tokens[next(iter(self._tokens))]

    def find(self, token: str, now: float) -> IssuedToken | None:
        """Return what is known of a token; None if it was not issued, or not yet."""
        found = self._tokens.get(token)
        return None if found is None else found.at(now)

    def verify(self, request: Request, now: float) -> Reply:
        """Answer a site that asks whether a token is good."""
        fields = _fields(request)
        trouble = [
            f"missing-input-{name}" for name in ("secret", "response") if not fields.get(name)
        ]
        found = self.find(str(fields.get("response")), now)
        if not trouble and found is None:
            trouble = ["invalid-input-response"]
        elif found is not None and not found.valid:
            trouble = ["timeout-or-duplicate"]
        elif found is not None and fields.get("sitekey", found.website_key) != found.website_key:
            trouble = ["sitekey-secret-mismatch"]
        if trouble or found is None:
            return Reply(200, {"success": False, "error-codes": trouble})
        self._tokens[str(fields["response"])].verified = True
        return Reply(
            200,
            {
                "success": True,
                # The event loop's clock begins somewhere; that is told as if it were in 1970.
                "challenge_ts": datetime.fromtimestamp(found.issued_at, UTC).isoformat(),
                "hostname": urlsplit(found.website_url or "").hostname,
                "error-codes": [],
            },
        )


def _texts(solution: Any) -> Iterator[str]:
    if isinstance(solution, str) and len(solution) >= SHORTEST:
        yield solution
    elif isinstance(solution, Mapping):
        for value in solution.values():
            yield from _texts(value)
    elif isinstance(solution, list | tuple):
        for value in solution:
            yield from _texts(value)


def _text_of(body: Mapping[str, Any], *names: str) -> str | None:
    return next((body[name] for name in names if isinstance(body.get(name), str)), None)


def _fields(request: Request) -> Mapping[str, Any]:
    """Return what a site has sent, as a form or as JSON."""
    if "json" in request.headers.get("content-type", ""):
        try:
            value = orjson.loads(request.content)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, Mapping) else {}
    form = parse_qs(request.content.decode("latin-1"))
    return {name: values[-1] for name, values in form.items()}

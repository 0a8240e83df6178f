"""The site's side of the emulator: which tokens were issued, and their verification."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx
import pytest
from local import TOKEN_TASK, joined

from captcha_async import TurnstileTask
from captcha_async.emulator import Emulator, Latency

LIFE = TOKEN_TASK.spec.token_life or 0


async def verify(emulator: Emulator, *, as_json: bool = False, **fields: Any) -> dict[str, Any]:
    """Ask as a site does."""
    transport = httpx.ASGITransport(app=emulator)
    async with httpx.AsyncClient(transport=transport, base_url="http://captcha") as http:
        how: dict[str, Any] = {"json": fields} if as_json else {"data": fields}
        reply = await http.post("/recaptcha/api/siteverify", **how)
    assert reply.status_code == 200
    answer: dict[str, Any] = json.loads(reply.content)
    return answer


async def test_an_issued_token_is_known_with_its_site() -> None:
    """From the moment at which it is ready until it expires; others are not."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator) as client:
        solved = await client.solve(TOKEN_TASK)
        token = solved.solution.token
        issued = emulator.issued(token)
        assert issued is not None
        assert (issued.task_id, issued.type) == (solved.task_id, "RecaptchaV2Task")
        assert (issued.website_url, issued.website_key) == ("https://example.com/login", "6Lc-key")
        assert issued.valid
        assert not issued.verified
        assert issued.expires_at == issued.issued_at + LIFE
        await anyio.sleep(LIFE)
        late = emulator.issued(token)
        assert late is not None
        assert not late.valid
        assert emulator.issued("nobody's") is None


async def test_a_token_is_not_known_before_it_is_ready() -> None:
    """Its task may have been made long before."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.answer_with({"gRecaptchaResponse": "a-token-of-the-future"})
    async with joined(emulator) as client:
        await client.submit(TOKEN_TASK)
        assert emulator.issued("a-token-of-the-future") is None
        assert not (await verify(emulator, secret="s", response="a-token-of-the-future"))["success"]
        await anyio.sleep(6)
        assert emulator.issued("a-token-of-the-future") is not None


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_site_has_a_token_verified_once(as_json: bool) -> None:
    """In the shape that the makers of captchas have, as a form or as JSON."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator) as client:
        token = (await client.solve(TOKEN_TASK)).solution.token
        first = await verify(emulator, as_json=as_json, secret="any", response=token)
        assert first["success"] is True
        assert first["hostname"] == "example.com"
        assert first["error-codes"] == []
        again = await verify(emulator, as_json=as_json, secret="any", response=token)
        assert again == {"success": False, "error-codes": ["timeout-or-duplicate"]}
        issued = emulator.issued(token)
        assert issued is not None
        assert (issued.verified, issued.valid) == (True, False)
    assert "siteverify" not in {request.method for request in emulator.requests}
    assert emulator.violations == []


async def test_what_is_wrong_with_a_token_is_told() -> None:
    """Missing, unknown, expired, or of another site."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator) as client:
        token = (await client.solve(TOKEN_TASK)).solution.token

        async def codes(**fields: Any) -> list[str]:
            return list((await verify(emulator, **fields))["error-codes"])

        assert await codes() == ["missing-input-secret", "missing-input-response"]
        assert await codes(secret="s", response="made-up") == ["invalid-input-response"]
        wrong = await codes(secret="s", response=token, sitekey="another")
        assert wrong == ["sitekey-secret-mismatch"]
        await anyio.sleep(LIFE)
        assert await codes(secret="s", response=token) == ["timeout-or-duplicate"]


async def test_tokens_of_other_services_and_types_are_known_too() -> None:
    """Whatever the service calls its fields."""
    emulator = Emulator("2captcha", latency=Latency.fixed(0))
    task = TurnstileTask(website_url="https://example.com", website_key="0x4")
    async with joined(emulator) as client:
        token = (await client.solve(task)).solution.token
        assert (await verify(emulator, secret="s", response=token, sitekey="0x4"))["success"]

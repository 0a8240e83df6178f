"""The accounts of a client, as its arguments and the environment give them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from .._arguments import check_left_out
from ..errors import invalid
from ..services import Service
from ._account import Account

__all__ = ["BASE_URL_VARIABLE", "SERVICE_VARIABLE", "accounts_given"]

SERVICE_VARIABLE = "CAPTCHA_SERVICE"
BASE_URL_VARIABLE = "CAPTCHA_BASE_URL"
DEFAULT_SERVICE = "capmonster"


def accounts_given(
    account: Account | None,
    accounts: Iterable[Account] | None,
    api_key: str | None,
    service: str | Service | None,
    **way: Any,
) -> tuple[Account, ...]:
    """Return the accounts that were given, or one made of the settings.

    Raises:
        InvalidArgument: they do not go together.
    """
    if account is None and accounts is None:
        return (_made_of_settings(api_key, service, **way),)
    beside = "account" if accounts is None else "accounts"
    check_left_out(beside, api_key=api_key, service=service, **way)
    if accounts is None:
        if not isinstance(account, Account):
            raise invalid("account", account, "an Account", show=False)
        return (account,)
    check_left_out(beside, account=account)
    given = tuple(accounts) if isinstance(accounts, Iterable) else ()
    if not given or not all(isinstance(one, Account) for one in given):
        raise invalid("accounts", accounts, "Accounts, the preferred one first", show=False)
    if len(set(given)) < len(given):
        raise invalid("accounts", accounts, "Accounts that differ", show=False)
    return given


def _made_of_settings(api_key: str | None, service: str | Service | None, **way: Any) -> Account:
    preset = os.environ.get(SERVICE_VARIABLE) or DEFAULT_SERVICE
    if service is None:
        service = preset
    # A key must not go to another service's address: the one of the environment is for its service.
    if service == preset and way.get("base_url") is None:
        way["base_url"] = os.environ.get(BASE_URL_VARIABLE) or None
    return Account(api_key, service=service, **way)

"""The accounts of a client, as its arguments and the environment give them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._arguments import check_left_out
from ..errors import invalid
from ..services import Service
from ._account import Account

__all__ = ["accounts_given"]


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
        return (Account(api_key, service=service, **way),)
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

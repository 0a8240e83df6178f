"""A record of a task that no client knows, for tests of what looks at records only."""

from __future__ import annotations

from local import TOKEN_TASK

from captcha_async import CAPMONSTER, Account, Service
from captcha_async._account._counters import Counters
from captcha_async._account._tenant import Tenant
from captcha_async._handlers import Events
from captcha_async._solving._solve import Solve

__all__ = ["make_solve", "make_tenant"]


def make_tenant() -> Tenant:
    """Make a client, as an account knows it."""
    return Tenant(Events(()), Counters())


def make_solve(service: Service = CAPMONSTER) -> Solve:
    """Make the record of an accepted task at *service*."""
    tenant = make_tenant()
    account = Account("key", service=service)
    task = TOKEN_TASK
    return Solve(task, "RecaptchaV2Task", "recaptcha", account, tenant, task_id=5)

"""The service and its address, where the environment gives them."""

from __future__ import annotations

import os

from ..services import Service

__all__ = ["BASE_URL_VARIABLE", "SERVICE_VARIABLE", "preset"]

SERVICE_VARIABLE = "CAPTCHA_SERVICE"
BASE_URL_VARIABLE = "CAPTCHA_BASE_URL"
DEFAULT_SERVICE = "capmonster"


def preset(service: str | Service | None, base_url: str | None) -> tuple[str | Service, str | None]:
    """Return the service and the address that are given, or those of the environment."""
    name = os.environ.get(SERVICE_VARIABLE) or DEFAULT_SERVICE
    if service is None:
        service = name
    # A key must not go to another service's address: the one of the environment is for its service.
    if service == name and base_url is None:
        base_url = os.environ.get(BASE_URL_VARIABLE) or None
    return service, base_url

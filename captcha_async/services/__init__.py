"""Captcha-solving services as data: addresses, limits, times, names and error codes of each."""

from __future__ import annotations

from ._profiles import (
    ANTI_CAPTCHA,
    CAPMONSTER,
    CAPSOLVER,
    CAPTCHA69,
    SERVICES,
    TWO_CAPTCHA,
    ErrorCode,
    Method,
    PollTimes,
    Service,
    TypeName,
    find_service,
)

__all__ = [
    "ANTI_CAPTCHA",
    "CAPMONSTER",
    "CAPSOLVER",
    "CAPTCHA69",
    "SERVICES",
    "TWO_CAPTCHA",
    "ErrorCode",
    "Method",
    "PollTimes",
    "Service",
    "TypeName",
    "find_service",
]

"""Captcha-solving services as data: addresses, limits, times, names and error codes of each."""

from __future__ import annotations

from ._dialect import TypeDialect
from ._error_codes import ErrorCode
from ._profiles import ANTI_CAPTCHA, CAPMONSTER, CAPSOLVER, CAPTCHA69, TWO_CAPTCHA
from ._service import SERVICES, Method, PollTimes, ReportMethod, Service, find_service

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
    "ReportMethod",
    "Service",
    "TypeDialect",
    "find_service",
]

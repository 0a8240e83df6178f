"""Spans and metrics by OpenTelemetry: `CaptchaClient(on_event=OpenTelemetry())`."""

from __future__ import annotations

try:
    from ._handler import OpenTelemetry
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] != "opentelemetry":
        raise
    raise ImportError(
        "captcha_async.telemetry needs OpenTelemetry's API: pip install 'captcha-async[otel]'"
    ) from _error

__all__ = ["OpenTelemetry"]

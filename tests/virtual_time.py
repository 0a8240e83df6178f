"""The virtual clock of the package's pytest plugin, for our own tests."""

from __future__ import annotations

from captcha_async._virtual_time import VirtualTimeLoop

__all__ = ["VirtualTimeLoop"]

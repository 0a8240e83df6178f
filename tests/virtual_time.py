"""The virtual clock of the package's pytest plugin, for our own tests."""

from __future__ import annotations

from captcha_async.testing._virtual_time import VirtualTimeLoop

__all__ = ["VirtualTimeLoop"]

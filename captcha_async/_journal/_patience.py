"""For how long anything waits for the journal's file, since a disk may stop to answer."""

from __future__ import annotations

__all__ = ["LONGEST", "PATIENCE"]

PATIENCE = 2.0
"""Seconds for which what is paid for waits for its record."""
LONGEST = 30.0
"""Seconds for which what cannot be without the file waits for it."""

"""The journal: a crash-safe record of what was submitted, what it became, and who has taken it."""

from __future__ import annotations

from ._batch import BatchRecord
from ._entry import Entry
from ._options import Journal
from ._record import Place, Record, UncertainSubmission
from ._use import JournalUse

__all__ = [
    "BatchRecord",
    "Entry",
    "Journal",
    "JournalUse",
    "Place",
    "Record",
    "UncertainSubmission",
]

"""The journal: a crash-safe record of what was submitted, what it became, and who has taken it.

`Journal` is what a user gives: a file and how to use it. `ClientJournal` is that file as one client
has it; it makes an `Entry` for each submission, which the parts of the client tell each step. A
`Record` is the submission as it is written: `_record` and `_keys` make it storable, the `Writer`
hands it to the `JournalThread`, and the `Store` there writes it to the file that `_schema` draws.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._client_journal import ClientJournal

if TYPE_CHECKING:
    from ._batch import BatchRecord, OtherTasks
    from ._entry import Entry
    from ._keys import dump_key
    from ._options import Journal
    from ._owner import Owner
    from ._record import BY_KEY, Place, Record, UncertainSubmission, mark_of

__all__ = [
    "BY_KEY",
    "BatchRecord",
    "ClientJournal",
    "Entry",
    "Journal",
    "OtherTasks",
    "Owner",
    "Place",
    "Record",
    "UncertainSubmission",
    "dump_key",
    "mark_of",
]

# Imported late: most clients have no journal, and need no more than what is above.
_HOME = {
    "BY_KEY": "_record",
    "BatchRecord": "_batch",
    "Entry": "_entry",
    "Journal": "_options",
    "OtherTasks": "_batch",
    "Owner": "_owner",
    "Place": "_record",
    "Record": "_record",
    "UncertainSubmission": "_record",
    "dump_key": "_keys",
    "mark_of": "_record",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)

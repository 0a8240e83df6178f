"""The journal: a crash-safe record of what was submitted, what it became, and who has taken it.

`Journal` is what a user gives: a file and how to use it. `ClientJournal` is that file as one client
has it; it makes an `Entry` for each submission, which the parts of the client tell each step. A
`Record` is the submission as it is written: `_record` and `_keys` make it storable, the `Writer`
hands it to the `JournalThread`, and the `Store` there writes it to the file that `_schema` draws.
"""

from __future__ import annotations

from ._batch import BatchRecord, OtherTasks
from ._client_journal import ClientJournal
from ._entry import Entry
from ._options import Journal
from ._record import Place, Record, UncertainSubmission

__all__ = [
    "BatchRecord",
    "ClientJournal",
    "Entry",
    "Journal",
    "OtherTasks",
    "Place",
    "Record",
    "UncertainSubmission",
]

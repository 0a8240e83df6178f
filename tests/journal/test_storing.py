"""Whatever can be stored can be read; a row that cannot be, or is damaged, is in nobody's way."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from journal_files import change, journalled, quick_emulator, rows
from local import KEY, TOKEN_TASK

from captcha_async import (
    Failed,
    InvalidArgument,
    Journal,
    JournalError,
    RawTask,
    Solved,
    SubmitUncertain,
)
from captcha_async._journal._keys import dump_key
from captcha_async._journal._record import (
    Owner,
    Place,
    Record,
    dump_solution,
    load_solution_text,
)
from captcha_async._journal._store import Store

WEEK = 7 * 86_400.0
OWNER = Owner.of("capmonster", KEY)
TEXT = st.text(st.characters(codec=None), max_size=20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is to be."""
    return tmp_path / "captchas.db"


@contextmanager
def opened(path: Path | str) -> Iterator[Store]:
    """Open a file."""
    store = Store(str(path), WEEK)
    try:
        yield store
    finally:
        store.close()


def record(**values: Any) -> Record:
    """Make a record."""
    made = Record(OWNER, values.pop("task_type", "RecaptchaV2Task"))
    for name, value in values.items():
        setattr(made, name, value)
    return made


def write(store: Store, *records: Record) -> None:
    """Write records as they are."""
    store.write([(made, made.row()) for made in records])


# -- round trips ----------------------------------------------------------------------------------

IDS = st.integers(min_value=0) | TEXT
COSTS = st.none() | st.decimals(allow_nan=False, allow_infinity=False).map(str)
SECONDS = st.none() | st.floats(0, 1e9)
KEYS = st.integers() | TEXT | st.tuples(st.integers(), TEXT)


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Open one file for many examples."""
    with opened(tmp_path_factory.mktemp("journal") / "captchas.db") as store:
        yield store


@given(IDS, TEXT, TEXT, KEYS, st.integers(), COSTS, SECONDS, SECONDS, TEXT)
def test_a_record_comes_back_as_it_was(
    one_file: Store,
    task_id: Any,
    kind: str,
    batch: str,
    key: Any,
    polls: int,
    cost: Any,
    since: Any,
    elapsed: Any,
    error: str,
) -> None:
    """Ids, names and keys of any characters, numbers of any size."""
    place = Place(batch, dump_key(key), b"mark")
    made = record(task_id=task_id, task_type=kind, place=place, state="solved", polls=polls)
    made.cost, made.since, made.elapsed, made.error = cost, since, elapsed, error
    write(one_file, made)
    found = one_file.find(OWNER, place)
    # The next example may have the same place.
    one_file.write([(made, None)])
    assert found is not None
    assert (found.task_id, found.task_type, found.key) == (task_id, kind, key)
    assert found.place == place
    assert (found.cost, found.since, found.elapsed, found.error) == (cost, since, elapsed, error)
    assert found.polls == polls or not 0 <= polls <= 2**62
    assert (found.number, found.saved) == (made.number, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, JSON, max_size=4))
@example({"": -(2**63) - 1})
@example({"": 2**64 + 1})
def test_a_solution_comes_back_as_it_was(raw: dict[str, Any]) -> None:
    """Half characters, numbers of any size, infinity."""
    text = dump_solution(raw)
    assert text is not None
    back = load_solution_text(text)
    # A pair of halves is a whole when JSON is read: by the service's own client as well.
    assert joined_halves(back) == joined_halves(raw)


def joined_halves(value: Any) -> Any:
    """Join halves of characters that stand side by side, and take null for infinity."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [joined_halves(item) for item in value]
    if isinstance(value, dict):
        return {joined_halves(key): joined_halves(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("raw", [{"a": {1, 2}}, {("a",): 1}])
def test_a_solution_that_is_no_json_is_not_stored(raw: Any) -> None:
    """And nobody is told that it were."""
    assert dump_solution(raw) is None


def test_infinity_and_nan_of_older_files_are_read() -> None:
    """They were written as Python writes them."""
    back = load_solution_text(b'{"a": Infinity, "b": NaN, "c": "\\ud83d"}')
    assert back["a"] == float("inf")
    assert back["c"] == "\ud83d"


# -- one bad row ----------------------------------------------------------------------------------


async def test_a_row_that_cannot_be_stored_does_not_stop_the_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its submission fails before anything is sent; all others go on, also of the same commit."""
    emulator = quick_emulator()
    row = Record.row

    def odd(self: Record) -> tuple[Any, ...]:
        # As if a check had been forgotten.
        values = row(self)
        return (*values[:8], 2**70, *values[9:]) if self.task_type == "Odd" else values

    monkeypatch.setattr(Record, "row", odd)
    async with journalled(emulator, path) as client:
        outcomes = await client.solve_all([TOKEN_TASK, RawTask("Odd", {}), TOKEN_TASK])
        assert [type(outcome) for outcome in outcomes] == [Solved, Failed, Solved]
        failed = outcomes[1]
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, JournalError)
        assert "cannot store the record" in str(failed.error)
        await client.solve(TOKEN_TASK)
    assert len(emulator.tasks) == 3
    assert rows(path) == ["solved"] * 3


DAMAGES = {
    "an id that is none": "task_id = '{'",
    "an id of another kind": "task_id = '[1]'",
    "no id": "task_id = NULL",
    "an id that is no text": "task_id = x'ff'",
    "a state that is none": "state = 'asleep'",
    "a type that is no text": "type = x'ff'",
}


@pytest.mark.real_time
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_row_is_uncertain_and_the_others_are_taken_up(
    path: Path, damage: str
) -> None:
    """Nobody can collect its task; it is told until it is forgotten."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        for _ in range(3):
            await client.submit(TOKEN_TASK)
    change(path, f"UPDATE submission SET {damage} WHERE number = 2")
    async with journalled(emulator, path) as client:
        assert len([await pending async for pending in client.resume()]) == 2
        (submission,) = await client.uncertain()
        assert submission.number == 2
        await client.forget(submission)
        assert await client.uncertain() == ()
    assert rows(path) == ["solved", "solved"]


@pytest.mark.real_time
@pytest.mark.parametrize(
    "damage",
    ["polls = 'x'", "cost = 'x'", "cost = x'ff'", "elapsed = 'x'", "error = x'ff'"],
)
async def test_a_number_that_is_damaged_does_not_stop_a_task(path: Path, damage: str) -> None:
    """It is collected all the same."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await client.submit(TOKEN_TASK)
    change(path, f"UPDATE submission SET {damage}")
    async with journalled(emulator, path) as client:
        assert len([await pending async for pending in client.resume()]) == 1
        assert await client.uncertain() == ()


@pytest.mark.real_time
async def test_a_damaged_row_of_a_batch_is_told_for_its_key_alone(path: Path) -> None:
    """And sent again if the user says so."""
    emulator = quick_emulator(60)
    tasks = {"a": TOKEN_TASK, "b": TOKEN_TASK}
    async with journalled(emulator, path) as client:
        await client.solve_all(tasks, timeout=0.1, name="b")
    change(path, "UPDATE submission SET task_id = '{' WHERE number = 1")
    change(path, "UPDATE submission SET state = 'solved' WHERE number = 2")
    async with journalled(emulator, path) as client:
        async with client.batch(tasks, name="b", resume=True) as batch:
            (outcome,) = [outcome async for outcome in batch]
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, SubmitUncertain)
        emulator.answer_at_once()
        options: dict[str, Any] = {"name": "b", "resume": True, "resend_uncertain": True}
        async with client.batch(tasks, **options) as batch:
            (outcome,) = [outcome async for outcome in batch]
        assert isinstance(outcome, Solved)


@pytest.mark.real_time
@pytest.mark.parametrize("damage", ["x'ff'", "'{'", "7"])
async def test_a_stored_answer_that_is_damaged_is_got_again(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By asking for the task, or, of a key whose answer was taken, by a new one."""
    emulator = quick_emulator()
    journal = Journal(path, keep_solutions=True)
    async with journalled(emulator, journal) as client:
        await client.solve_all({"a": TOKEN_TASK, "b": TOKEN_TASK}, name="b")
    change(path, f"UPDATE submission SET solution = {damage} WHERE number = 1")
    change(path, f"UPDATE submission SET state = 'open', solution = {damage} WHERE number = 2")
    async with journalled(emulator, journal) as client:
        tasks = {"a": TOKEN_TASK, "b": TOKEN_TASK}
        outcomes = await client.solve_all(tasks, name="b", resume=True)
        assert [type(outcome) for outcome in outcomes] == [Solved, Solved]
    assert len(emulator.tasks) == 3
    assert sum("is damaged" in entry.getMessage() for entry in caplog.records) == 2


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.real_time
async def test_names_that_are_no_unicode_are_names(path: Path) -> None:
    """Of a batch, a task type and the file itself: as Python has them of such a file name."""
    odd = path.with_name("caf\udce9.db")
    emulator = quick_emulator()
    async with journalled(emulator, odd) as client:
        async with client.batch({"\udce9": TOKEN_TASK}, name="caf\udce9.txt") as batch:
            assert len([outcome async for outcome in batch]) == 1
        with pytest.raises(InvalidArgument):
            await client.solve(RawTask("Custom\udce9", {}), timeout=5)
        await client.solve(TOKEN_TASK)
    async with journalled(emulator, odd) as client:
        for name, left in (("caf\udce9.txt", 0), ("caf\udcea.txt", 1)):
            async with client.batch({"\udce9": TOKEN_TASK}, name=name, resume=True) as batch:
                assert len([outcome async for outcome in batch]) == left


@pytest.mark.parametrize("path", ["a\0b", "\ud800", b"a\0b"])
def test_a_path_that_no_file_can_have_is_refused(path: Any) -> None:
    """At once, and not by the thread."""
    with pytest.raises(ValueError, match="journal must be"):
        Journal(path)


# -- money ----------------------------------------------------------------------------------------


def test_what_was_spent_is_known_to_the_second(path: Path) -> None:
    """By owner; what has no cost yet counts with what was set aside for it."""
    with opened(path) as store:
        write(
            store,
            record(state="solved", cost="0.002", elapsed=10.0),
            record(state="solved", cost="0.002", elapsed=10.0),
            record(state="open", task_id=1, reserved="0.005"),
            record(state="uncertain", reserved="0.05"),
            record(state="failed", reserved="0.5"),
            record(state="failed", reserved="0.5", cost="5"),
            record(state="solved", cost="Infinity"),
        )
        other = Record(Owner.of("capmonster", "another"), "RecaptchaV2Task", state="solved")
        other.cost = "1000"
        write(store, other)
        now = store.now()
        assert sum(cost for _, cost in store.spent_since(OWNER, 0)) == Decimal("5.059")
        assert store.spent_since(OWNER, now + 5) == [(0.0, Decimal("0.004"))]
        store._database.execute("UPDATE submission SET made = made - 100 WHERE number = 6")
        assert store.spent_since(OWNER, 0)[0] == (100.0, Decimal(5))
        recent = store.spent_since(OWNER, now - 50)
        assert sum(cost for _, cost in recent) == Decimal("0.059")


@pytest.mark.real_time
async def test_what_was_spent_outlives_the_client(path: Path) -> None:
    """The next one is told, also after the batch was forgotten."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        outcomes = await client.solve_all([TOKEN_TASK] * 3)
        assert await client.forget_batch() == 3
    spent = sum(outcome.cost or 0 for outcome in outcomes if isinstance(outcome, Solved))
    assert spent
    async with journalled(emulator, path) as client:
        journal = client._books.journal
        assert sum(cost for _, cost in await journal.spent(3600)) == spent
        assert sum(cost for _, cost in await journal.spent(None)) == spent


# -- the file's form ------------------------------------------------------------------------------

# As the first version made it.
VERSION_1 = (
    "CREATE TABLE meta (salt BLOB NOT NULL)",
    """CREATE TABLE submission (
        number INTEGER PRIMARY KEY, made INTEGER NOT NULL,
        service TEXT NOT NULL, account BLOB NOT NULL, type TEXT NOT NULL,
        batch TEXT, key TEXT, mark BLOB,
        state TEXT NOT NULL, task_id TEXT, polls INTEGER NOT NULL,
        cost TEXT, elapsed REAL, error TEXT, solution BLOB)""",
    "CREATE INDEX open_task ON submission (task_id) WHERE state = 'open'",
    "PRAGMA application_id = 1128362092",
    "PRAGMA user_version = 1",
    "INSERT INTO meta VALUES (x'000102030405060708090a0b0c0d0e0f')",
)


def old_file(path: Path, *inserted: tuple[str, str, str, str]) -> None:
    """Make a file of the first version with rows (key, state, task_id, solution)."""
    with opened(path.with_name("other.db")) as store:
        store._salt = bytes(range(16))
        account = store._account(OWNER)
    application = 0x43417062
    with closing(sqlite3.connect(path)) as database, database:
        for statement in VERSION_1:
            database.execute(statement.replace("1128362092", str(application)))
        database.executemany(
            "INSERT INTO submission VALUES (NULL, CAST(strftime('%s', 'now') AS INTEGER), "
            "'capmonster', ?, 'RecaptchaV2Task', 'job', ?, NULL, ?, ?, 1, '0.001', 5.0, NULL, ?)",
            [(account, *values) for values in inserted],
        )


@pytest.mark.real_time
async def test_a_file_of_the_first_version_goes_on(path: Path) -> None:
    """Its tasks are collected, its keys are known, and it is of this version afterwards."""
    emulator = quick_emulator()
    async with journalled(emulator, path.with_name("any.db")) as client:
        task_id = (await client.submit(TOKEN_TASK)).task_id
    answer = '{"gRecaptchaResponse": "stored"}'
    old_file(
        path,
        ('"a"', "solved", "1", answer),
        ('["b",1]', "open", str(task_id), ""),
        ('"/srv/page"', "solved", "3", answer),
        ('"c"', "sending", "", ""),
    )
    change(path, "UPDATE submission SET solution = NULL WHERE solution = ''")
    change(path, "UPDATE submission SET task_id = NULL WHERE task_id = ''")
    tasks = dict.fromkeys(("a", ("b", 1), Path("/srv/page"), "c", Path("a-new")), TOKEN_TASK)
    for number in range(2):
        async with journalled(emulator, Journal(path, keep_solutions=True)) as client:
            outcomes = await client.solve_all(tasks, name="job", resume=True)
            assert [type(outcome) for outcome in outcomes] == [Solved] * 3 + [Failed, Solved]
            uncertain = outcomes[3]
            assert isinstance(uncertain, Failed)
            assert isinstance(uncertain.error, SubmitUncertain)
            stored = [outcomes[0], outcomes[2]]
            for outcome in stored:
                assert isinstance(outcome, Solved)
                assert (outcome.solution.token, outcome.replayed) == ("stored", True)
            # The new key alone was paid for, in the first run.
            assert len(emulator.tasks) == 2, number
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)


def test_a_file_of_the_second_version_goes_on(path: Path) -> None:
    """It knew no tokens of callbacks; what it had is there, and a new row has its token."""
    with opened(path) as store:
        write(store, record(place=Place("job", '"a"', None), state="open", task_id=7))
    change(path, "ALTER TABLE submission DROP COLUMN token")
    change(path, "PRAGMA user_version = 2")
    with opened(path) as store:
        found = store.find(OWNER, Place("job", '"a"', None))
        assert found is not None
        assert (found.task_id, found.token) == (7, None)
        made = record(place=Place("job", '"b"', None), state="open", task_id=8)
        made.token = "callback"
        write(store, made)
        # A later word on it need not know the token.
        made.token = None
        write(store, made)
    with opened(path) as store:
        found = store.find(OWNER, Place("job", '"b"', None))
        assert found is not None
        assert found.token == "callback"
        assert "callback" not in repr(found)


def test_a_path_and_a_string_of_an_old_file_do_not_share_an_answer(path: Path) -> None:
    """The text was the same; a key of the new format is never taken for one of the old."""
    old_file(path, ('"a"', "solved", "1", "{}"))
    place = Place("job", dump_key(Path("a")), None, '"a"')
    with opened(path) as store:
        assert store.find(OWNER, place) is not None
        made = record(place=Place("job", '"b"', None), state="solved", task_id=7)
        write(store, made)
        assert store.find(OWNER, Place("job", dump_key(Path("b")), None, '"b"')) is None


def test_a_migration_that_is_cut_short_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is of the one version or the other, and nothing in between."""
    old_file(path, ('"a"', "solved", "1", "{}"))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_prune", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError), opened(path):
            raise AssertionError("unreachable")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    with opened(path) as store:
        assert store.find(OWNER, Place("job", '"a"', None)) is not None

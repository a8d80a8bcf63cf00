"""What the promise rests on besides the rows: flushing, transactions that end, marks written once, bounds."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.outbox import maintenance
from gateway.outbox.maintenance import PRUNE_ROWS
from gateway.outbox.salvage import put_in_place, replacement, salvage
from gateway.outbox.schema import OutboxError, open_writer
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Dead, Outbox
from tests.outbox.events import BOX, NOW_NS, S, draft, reading, stocked, stored

DAY = 86_400 * S


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, timeout=0)) as db:
        found: list[tuple[object, ...]] = db.execute(query).fetchall()
        db.commit()
    return found


def test_every_commit_is_flushed(tmp_path: Path) -> None:
    """SQLite, PRAGMA synchronous: only FULL (2) flushes the WAL at each commit."""
    with closing(open_writer(tmp_path / "outbox.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_statement_that_fails_leaves_no_transaction_behind(outbox: Outbox) -> None:
    """RAISE(FAIL) keeps what was done before it, and the transaction open (SQLite, CREATE TRIGGER)."""
    outbox.append([draft(1)], reading(), seal=True)
    rows(
        outbox.path,
        "CREATE TRIGGER refuse BEFORE INSERT ON event WHEN NEW.sequence = 3 BEGIN SELECT RAISE(FAIL, 'no'); END",
    )
    with pytest.raises(OutboxError):
        outbox.append([draft(2), draft(3)], reading(), seal=True)
    rows(outbox.path, "DROP TRIGGER refuse")
    assert list(stored(outbox.path)) == [1]
    assert outbox.append([draft(4)], reading(), seal=True) == [2]


def test_marks_are_written_once(outbox: Outbox) -> None:
    """A letter that was delivered and is refused again, later, stays a dead letter."""
    outbox.append([draft(1), draft(2)], reading(), seal=True)
    outbox.park(Dead(sequence=1, reason="refused"))
    outbox.mark_delivered(2)
    outbox.write_marks(reading())
    outbox.revive(1)
    outbox.write_marks(reading())
    assert not outbox.marks_pending
    outbox.park(Dead(sequence=1, reason="refused again"))
    outbox.write_marks(reading())
    assert outbox.dead_letters == 1


def test_nothing_is_delivered_that_was_never_stored(outbox: Outbox) -> None:
    outbox.append([draft(1), draft(2)], reading(), seal=True)
    outbox.mark_delivered(99)
    outbox.write_marks(reading())
    assert (outbox.delivered, outbox.append([draft(3)], reading(), seal=True)) == (2, [3])


def test_history_goes_when_room_is_scarce_whatever_the_clock_says(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    before = stocked(path, 300)
    before.mark_delivered(300)
    before.close(reading())
    scarce = OutboxSettings(min_free_bytes=0, max_bytes=int(path.stat().st_size / 0.95))
    outbox = Outbox(path, scarce, BOX)
    assert outbox.maintain(reading(set_=False))
    assert len(stored(path)) < 300
    outbox.abandon()


def test_what_goes_leaves_the_symbols_of_a_dead_letter(outbox: Outbox) -> None:
    outbox.append([draft(number) for number in (1, 2, 3)], reading(), seal=True)
    outbox.park(Dead(sequence=2, reason="refused"))
    outbox.mark_delivered(3)
    outbox.write_marks(reading())
    later = reading(at_ns=NOW_NS + 31 * DAY, monotonic_ns=60 * S + 31 * DAY)
    while outbox.maintain(later):
        pass
    assert rows(outbox.path, "SELECT event FROM symbol") == [(2,)]


def test_a_piece_of_housekeeping_is_bounded(tmp_path: Path) -> None:
    """A scan waits behind one transaction of it, at most."""
    path, count = tmp_path / "outbox.db", PRUNE_ROWS + 10
    stocked(path, count).abandon()
    with closing(open_writer(path)) as db:
        assert [maintenance.prune(db, count, None) for _ in range(3)] == [PRUNE_ROWS, 10, 0]


def test_a_damaged_event_that_was_delivered_is_no_dead_letter(outbox: Outbox) -> None:
    """The central system has it: nobody needs to look at it."""
    outbox.append([draft(1), draft(2), draft(3)], reading(), seal=True)
    outbox.mark_delivered(1)
    outbox.close(reading())
    rows(outbox.path, "UPDATE event SET body = X'7B' WHERE sequence IN (1, 3)")
    salvage(outbox.path, NOW_NS, lambda: None)
    assert rows(outbox.path, "SELECT sequence FROM dead") == [(3,)]


def test_a_file_is_replaced_in_an_order_that_a_power_cut_cannot_break(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """POSIX: only fsync of the directory brings a name to the disk."""
    outbox.close(reading())
    steps: list[str] = []

    def noted(name: str, did: Callable[..., object]) -> Callable[..., object]:
        def note_and_do(what: Path | int, *arguments: Path, **options: bool) -> object:
            steps.append(f"{name} {(arguments or (what,))[0]}".replace(str(outbox.path), "FILE"))
            return did(what, *arguments, **options)

        return note_and_do

    monkeypatch.setattr(Path, "unlink", noted("remove", Path.unlink))
    monkeypatch.setattr(Path, "replace", noted("put", Path.replace))
    monkeypatch.setattr(os, "fsync", noted("flush", os.fsync))
    complete = replacement(outbox.path)
    complete.write_bytes(outbox.path.read_bytes())
    put_in_place(outbox.path)
    flushed = [step if not step.startswith("flush") else "flush" for step in steps]
    assert flushed == ["flush", "remove FILE-wal", "remove FILE-shm", "flush", "put FILE", "flush"]

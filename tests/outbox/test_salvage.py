"""A damaged outbox: what can be read goes on, byte for byte, and the damaged file is kept."""

import contextlib
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.events.cloudevent import PARKED_TYPE
from gateway.outbox import salvage as salvaging
from gateway.outbox.checksums import of_event
from gateway.outbox.dead_letters import DAMAGED
from gateway.outbox.reader import OutboxReader
from gateway.outbox.salvage import open_outbox, salvaged
from gateway.outbox.schema import PAGE_BYTES, CorruptOutboxError, Cursor, OutboxError, open_writer, write_cursor
from gateway.outbox.used_pieces import StationJournal
from gateway.outbox.writer import Dead
from tests.outbox.events import BOX, NOW_NS, ROOMY, draft, reading, stocked, stored

EVENTS = 300
DELIVERED = 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An outbox of some 900 pages that was closed in order."""
    outbox = stocked(tmp_path / "outbox.db", EVENTS, size=600)
    outbox.park(Dead(sequence=120, reason="refused"))
    outbox.mark_delivered(DELIVERED)
    outbox.close(reading())
    return tmp_path / "outbox.db"


def overwrite(path: Path, page: int, pages: int = 1) -> None:
    """Fill pages with noise; the first page of a file has number 1."""
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(random.Random(page).randbytes(pages * PAGE_BYTES))  # noqa: S311 - noise, the same each time


def root_page(path: Path, table: str) -> int:
    db = sqlite3.connect(path)
    page: int = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    db.close()
    return page


def quarantined(path: Path) -> list[Path]:
    return sorted(path.parent.glob("outbox.db.corrupt-*[0-9]"))


def reads_through(path: Path) -> bool:
    """Return whether the publisher would get through the whole file."""
    try:
        stored(path)
    except CorruptOutboxError:
        return False
    return True


def test_pages_damaged_anywhere(path: Path, tmp_path: Path) -> None:
    """Every twentieth page in turn: all events but those on it come over as they were, and order goes on."""
    before = stored(path)
    pages = path.stat().st_size // PAGE_BYTES
    salvages, lost = 0, []
    for page in range(1, pages, 20):
        copy = tmp_path / f"at-{page}" / "outbox.db"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        overwrite(copy, page)
        outbox = open_outbox(copy, ROOMY, BOX, reading())
        if not reads_through(copy):
            outbox = salvaged(outbox, reading())
        after = stored(copy)
        whole = {sequence: body for sequence, body in after.items() if before[sequence] == body}
        notices = {sequence for sequence, body in after.items() if PARKED_TYPE.encode() in body}
        noisy = set(after) - set(whole) - notices
        missing = set(before) - set(whole)
        if quarantined(copy):
            salvages += 1
            assert outbox.epoch_begins == outbox.last + 1
            dead = OutboxReader(copy)
            marked = {sequence for sequence, _ in dead.dead()}
            dead.close()
            assert {one for one in noisy if one > outbox.delivered} <= marked, "noise is never sent"
        if page not in {1, root_page(path, "event")}:
            lost.append(len(missing))
        last = outbox.last
        assert outbox.append([draft(9999)], reading(), seal=True) == [last + 1]
        outbox.close(reading())
    assert salvages >= pages // 20 // 2
    assert sorted(lost)[len(lost) // 2] <= 2, "a leaf holds one or two events"


def test_a_damaged_page_amid_the_backlog(path: Path) -> None:
    before = stored(path)
    overwrite(path, leaf_page(path))
    assert not reads_through(path)
    outbox = salvaged(open_outbox(path, ROOMY, BOX, reading()), reading())
    after = stored(path)
    assert len(after) >= EVENTS - 4
    changed = [body for sequence, body in after.items() if before[sequence] != body]
    assert len(changed) <= 4, "damaged, or a notice of what is lost"
    assert outbox.delivered == DELIVERED, "the mark comes along"
    assert outbox.dead_letters == 1
    assert outbox.epoch not in next(iter(before.values())).decode()
    assert outbox.epoch_begins == EVENTS + 1
    (kept,) = quarantined(path)
    assert kept.stat().st_size > EVENTS * 600
    outbox.close(reading())


def leaf_page(path: Path) -> int:
    """Find a leaf of the event table: a page that begins like one and holds an event's beginning."""
    data = path.read_bytes()
    root = root_page(path, "event")
    leaves = [
        number
        for number in range(root + 1, len(data) // PAGE_BYTES)
        if data[(number - 1) * PAGE_BYTES] == 0x0D
        and b'"type":"scangate.scan.v1"' in data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]
    ]
    return leaves[len(leaves) // 2]


def test_a_long_pruned_outbox_is_read_behind_its_first_damaged_page(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers of a box that has run for years begin far from 1."""
    monkeypatch.setattr(salvaging, "MAX_GAP", 64)
    db = sqlite3.connect(path)
    db.execute("DELETE FROM event WHERE sequence <= 90")
    for sequence, recorded_ns, body in db.execute("SELECT sequence, recorded_ns, body FROM event").fetchall():
        row = (
            sequence + 5_000_000,
            recorded_ns,
            1,
            1,
            body.replace(b"%016d" % sequence, b"%016d" % (sequence + 5_000_000)),
        )
        db.execute("DELETE FROM event WHERE sequence = ?", (sequence,))
        db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", (*row, of_event(*row)))
    write_cursor(db, Cursor(5_000_100, 5_000_100, 0))
    db.execute("DELETE FROM dead")
    db.commit()
    db.execute("VACUUM")
    db.close()
    data = path.read_bytes()
    first = next(
        number
        for number in range(1, len(data) // PAGE_BYTES)
        if b'"id":"id-91"' in data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]
    )
    overwrite(path, first)
    outbox = salvaged(open_outbox(path, ROOMY, BOX, reading()), reading())
    assert set(stored(path)) >= set(range(5_000_101, 5_000_301))
    outbox.close(reading())


def test_what_lies_only_in_the_wal_is_carried_over(path: Path) -> None:
    """A crash: the newest scans are in the -wal, and the database beside it is damaged."""
    outbox = open_outbox(path, ROOMY, BOX, reading())
    outbox.append([draft(number) for number in range(301, 311)], reading(), seal=True)
    before = stored(path)
    crashed = path.parent / "crashed" / "outbox.db"
    crashed.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")
    outbox.close(reading())
    overwrite(crashed, leaf_page(crashed))
    again = salvaged(open_outbox(crashed, ROOMY, BOX, reading()), reading())
    after = stored(crashed)
    assert {sequence: after.get(sequence) for sequence in range(301, 311)} == {
        sequence: before[sequence] for sequence in range(301, 311)
    }
    assert len(after) >= 306
    again.close(reading())


@pytest.mark.parametrize("content", [b"", b"not a database" * 500, bytes(8192)], ids=["empty", "text", "zeros"])
def test_a_file_that_is_no_database_is_kept_and_the_box_goes_on(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(content)
    outbox = open_outbox(path, ROOMY, BOX, reading())
    assert outbox.append([draft(1)], reading(), seal=True) == [1]
    outbox.close(reading())
    assert [kept.read_bytes() for kept in quarantined(path)] == ([content] if content else [])


def test_a_full_disk_while_salvaging_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is bounded here as a full disk would bound it; the damaged one stays where it is."""
    overwrite(path, leaf_page(path))
    damaged = path.read_bytes()
    outbox = open_outbox(path, ROOMY, BOX, reading())

    def bounded(file: Path) -> sqlite3.Connection:
        db = open_writer(file)
        db.execute("PRAGMA max_page_count = 40")
        return db

    with monkeypatch.context() as patch:
        patch.setattr(salvaging, "open_writer", bounded)
        with pytest.raises(OutboxError, match=r"cannot salvage .*full; replace the disk; the damaged"):
            salvaged(outbox, reading())
    assert path.read_bytes() == damaged
    again = salvaged(open_outbox(path, ROOMY, BOX, reading()), reading(at_ns=NOW_NS + 10**9))
    assert len(stored(path)) >= EVENTS - 4
    again.close(reading())


@pytest.mark.parametrize("done", [0, 1, 2], ids=["complete", "wal-gone", "shm-gone"])
def test_a_power_cut_while_the_new_file_takes_its_place(path: Path, done: int) -> None:
    """The new file is complete; the next start puts it in the place of the damaged one, however far it had come."""
    before = stored(path)
    complete = path.with_name("outbox.db.salvaged")
    shutil.copy(path, complete)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").write_bytes(b"of the damaged file")
    path.write_bytes(b"damaged")
    for suffix in ("-wal", "-shm")[:done]:
        Path(f"{path}{suffix}").unlink()
    outbox = open_outbox(path, ROOMY, BOX, reading())
    assert stored(path) == before
    assert not complete.exists()
    assert quarantined(path) == []
    outbox.close(reading())


def test_a_long_salvage_says_that_it_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some ten thousand events take longer on a small box than its watchdog waits."""
    monkeypatch.setattr(salvaging, "COMMIT_EVENTS", 50)
    words: list[str] = []
    overwrite(path, 1)
    open_outbox(path, ROOMY, BOX, reading(), lambda: words.append("at work")).abandon()
    assert len(words) >= EVENTS // 50
    assert len(stored(path)) == EVENTS


def test_two_salvages_in_one_second_keep_both_files(path: Path) -> None:
    """Or by a clock that was set back in between: the second one reads the second file."""
    for number in (301, 302):
        outbox = open_outbox(path, ROOMY, BOX, reading())
        outbox.append([draft(number)], reading(), seal=True)
        overwrite(path, leaf_page(path))
        again = salvaged(outbox, reading())
        assert max(stored(path)) == number
        again.close(reading())
    assert len(quarantined(path)) == 2


def test_a_salvage_while_the_station_reads_the_journal(path: Path) -> None:
    """It keeps its connection to the damaged file; closing that leaves the new file's log where it is.

    SQLite, "How To Corrupt An SQLite Database File", section 2.4: a file that is replaced while it is open.
    """
    with closing(StationJournal(path)) as journal:
        outbox = open_outbox(path, ROOMY, BOX, reading())
        assert [one.sequence for one in journal.newest(2)] == [EVENTS - 1, EVENTS]
        overwrite(path, leaf_page(path))
        again = salvaged(outbox, reading())
        again.append([draft(EVENTS + 1)], reading(), seal=True)
        assert [one.sequence for one in journal.newest(2)] == [EVENTS, EVENTS + 1]
        assert journal.used_by(("GS1", "09520001000102", f"S{EVENTS + 1:06}")) == f"id-{EVENTS + 1}"
        again.append([draft(EVENTS + 2)], reading(), seal=True)
        assert journal.used_by(("GS1", "09520001000102", f"S{EVENTS + 2:06}")) == f"id-{EVENTS + 2}"
    killed = path.parent / "killed" / "outbox.db"
    killed.parent.mkdir()
    for file in ("", "-wal", "-shm"):
        shutil.copy(f"{path}{file}", f"{killed}{file}")
    assert max(stored(killed)) == EVENTS + 2
    again.close(reading())


def test_times_still_wait_for_their_correction(path: Path) -> None:
    """A clock learnt after the salvage still tells the true time of this boot's events."""
    outbox = open_outbox(path, ROOMY, BOX, reading())
    unset = reading(set_=False)
    outbox.append([draft(301, clock=unset)], unset, seal=True)
    outbox.write_marks(unset)
    again = salvaged(outbox, reading())
    assert again.clock_learnt(lambda: "c1", reading()) == [302]
    again.close(reading())


def test_the_example_of_the_module(tmp_path: Path) -> None:
    """What the head of salvage.py says of nine events, of which two cannot be read and one has a flipped bit."""
    path = tmp_path / "outbox.db"
    outbox = stocked(path, 9)
    outbox.mark_delivered(3)
    outbox.close(reading())
    before = stored(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("DELETE FROM event WHERE sequence IN (6, 7)")
        flipped = before[8].replace(b"S000008", b"S000009")
        db.execute("UPDATE event SET body = ? WHERE sequence = 8", (flipped,))
        db.commit()
        db.execute("VACUUM")  # no old copy is left on a page
    damaged = open_outbox(path, ROOMY, BOX, reading())
    outbox = salvaged(damaged, reading())
    reader = OutboxReader(path)
    sent = reader.next(3, 100)
    assert [sequence for sequence, _ in sent] == [4, 5, 6, 7, 8, 9]
    assert [sequence for sequence, body in sent if PARKED_TYPE.encode() in body] == [6, 7, 8]
    assert [stored(path)[sequence] for sequence in (1, 2, 3, 4, 5, 9)] == [before[n] for n in (1, 2, 3, 4, 5, 9)]
    assert reader.dead() == [(8, DAMAGED)]
    assert outbox.epoch != damaged.epoch
    assert (outbox.last, outbox.epoch_begins) == (9, 10)
    reader.close()
    outbox.close(reading())

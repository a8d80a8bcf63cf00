"""Half scanned labels in the outbox: on disk with each symbol, an event in the end, never both and never none."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.events import cloudevent
from gateway.outbox import salvage as salvaging
from gateway.outbox.entry import JournalledSymbol, NewEvent, StationNote
from gateway.outbox.migrations import MIGRATIONS
from gateway.outbox.reader import OutboxReader
from gateway.outbox.salvage import open_outbox, salvaged
from gateway.outbox.schema import SCHEMA_VERSION, CorruptOutboxError, OutboxError, open_writer
from gateway.outbox.writer import Outbox
from tests.outbox.events import BOX, NOW_NS, ROOMY, S, draft, reading, stored

VERSION_1 = Path(__file__).parents[1] / "corpus" / "outbox_v1.sql"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    opened = Outbox(path, ROOMY, BOX)
    yield opened
    opened.abandon()


def item(number: int, symbols: int = 1, *, closes: str | None = None, scanner: str = "front") -> NewEvent:
    """An item of so many symbols."""
    one = draft(number)
    many = msgspec.structs.replace(
        one.data,
        symbols=tuple(
            cloudevent.symbol(b"%d-%d" % (number, place), None, "x", frozenset()) for place in range(symbols)
        ),
        station=msgspec.structs.replace(one.data.station, scanner=scanner),
    )
    raw = tuple(b"%d-%d" % (number, place) for place in range(symbols))
    return msgspec.structs.replace(one, data=many, raw=raw, closes=closes)


def hold(number: int, symbols: int = 1, scanner: str = "front") -> JournalledSymbol:
    return JournalledSymbol(scanner=scanner, draft=item(number, symbols, scanner=scanner))


def symbols(path: Path) -> list[tuple[int | None, bytes]]:
    db = sqlite3.connect(path)
    rows = db.execute("SELECT event, raw FROM symbol ORDER BY id").fetchall()
    db.close()
    return rows


def test_each_symbol_is_on_disk_before_the_next(outbox: Outbox) -> None:
    assert outbox.append([hold(1, 1)], reading(), seal=True) == []
    assert symbols(outbox.path) == [(None, b"1-0")]
    assert outbox.append([hold(1, 2)], reading(), seal=True) == []
    assert symbols(outbox.path) == [(None, b"1-0"), (None, b"1-1")]
    assert outbox.append([item(1, 3, closes="front")], reading(), seal=True) == [1]
    assert symbols(outbox.path) == [(1, b"1-0"), (1, b"1-1"), (1, b"1-2")]
    assert stored(outbox.path).keys() == {1}
    again = Outbox(outbox.path, ROOMY, BOX)
    assert again.left_open == ()
    again.abandon()


@pytest.mark.parametrize(
    ("writes", "events", "left"),
    [
        ([hold(1), item(1, 2, closes="front")], {"id-1"}, ()),
        ([hold(1), item(1, closes="front"), hold(2)], {"id-1"}, ("id-2",)),
        ([hold(1), hold(2, scanner="back"), item(1, 2, closes="front")], {"id-1"}, ("id-2",)),
        ([hold(1), item(9)], {"id-9"}, ("id-1",)),
        ([item(9), hold(1), hold(1, 2)], {"id-9"}, ("id-1",)),
    ],
    ids=["whole in one batch", "then another one", "two scanners", "a stranger between", "both symbols at once"],
)
def test_what_a_batch_leaves_open(
    outbox: Outbox, writes: list[NewEvent | JournalledSymbol], events: set[str], left: tuple[str, ...]
) -> None:
    outbox.append(writes, reading(), seal=True)
    assert {cloudevent.decode_scan(body).id for body in stored(outbox.path).values()} == events
    again = Outbox(outbox.path, ROOMY, BOX)
    assert tuple(one.id for one in again.left_open) == left
    assert [raw for event, raw in symbols(outbox.path) if event is None] == [
        raw for one in again.left_open for raw in one.raw
    ]
    again.abandon()


def test_what_was_left_open_becomes_an_event_with_the_next_write(outbox: Outbox, path: Path) -> None:
    """A power cut between two symbols: the item goes out as it stands, in front of what is scanned next."""
    outbox.append([hold(1, 1), hold(1, 2), hold(2, scanner="back")], reading(), seal=True)
    outbox.abandon()
    again = Outbox(path, ROOMY, BOX)
    assert {one.id: one.raw for one in again.left_open} == {"id-1": (b"1-0", b"1-1"), "id-2": (b"2-0",)}
    assert again.append([hold(3)], reading(), seal=True) == [1, 2]
    assert again.left_open == ()
    assert {cloudevent.decode_scan(body).id for body in stored(path).values()} == {"id-1", "id-2"}
    assert sorted(symbols(path), key=str) == [(1, b"2-0"), (2, b"1-0"), (2, b"1-1"), (None, b"3-0")]
    again.abandon()
    third = Outbox(path, ROOMY, BOX)
    assert [one.id for one in third.left_open] == ["id-3"]
    third.abandon()


def test_a_disk_that_fails_leaves_it_for_the_next_write(outbox: Outbox, path: Path) -> None:
    outbox.append([hold(1)], reading(), seal=True)
    outbox.abandon()
    again = Outbox(path, ROOMY, BOX)
    again._db.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match="locked"):
        again.append([draft(2)], reading(), seal=True)
    other.execute("ROLLBACK")
    other.close()
    assert len(again.left_open) == 1
    assert again.append([draft(2)], reading(), seal=True) == [1, 2]
    assert [cloudevent.decode_scan(body).id for body in stored(path).values()] == ["id-1", "id-2"]
    again.abandon()


def test_a_clock_that_was_set_meanwhile_corrects_it(outbox: Outbox) -> None:
    """The first symbol was read without a clock, the last one with it."""
    unset = reading(at_ns=100 * S, monotonic_ns=5 * S, set_=False)
    early = draft(1, clock=unset)
    outbox.append([JournalledSymbol(scanner="front", draft=early)], unset, seal=False)
    closed = msgspec.structs.replace(early, closes="front")
    outbox.append([closed], reading(at_ns=NOW_NS, monotonic_ns=65 * S), seal=True)
    event = cloudevent.decode_scan(stored(outbox.path)[1])
    assert cloudevent.parse_time(event.time) == NOW_NS - 60 * S
    assert (event.data.clock.synchronised, event.data.clock.corrected) == (False, True)


def test_open_items_survive_a_salvage(outbox: Outbox) -> None:
    outbox.append([draft(1), hold(2)], reading(), seal=True)
    again = salvaged(outbox, reading())
    assert [one.id for one in again.left_open] == ["id-2"]
    assert again.append([], reading(), seal=True) == [2]
    again.abandon()


def test_what_is_under_way_is_in_the_new_file_before_it_takes_the_old_ones_place(
    outbox: Outbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damaged file says less, or what is over; a power cut as the new file is put in place loses nothing.

    A symbol is journalled the moment it is understood: what was signalled `more` is on the disk.
    """
    note = StationNote(key="context", text="a case")
    outbox.append([hold(1), hold(2, scanner="back"), hold(3, scanner="side"), note], reading(), seal=True)
    outbox.append([hold(4, 2, scanner="back"), item(1, 2, closes="front")], reading(), seal=True)
    outbox._db.execute("DELETE FROM open_item WHERE scanner = 'side'")
    outbox._db.execute("UPDATE open_item SET checksum = 1 WHERE scanner = 'back'")
    outbox._db.execute("DELETE FROM meta WHERE key LIKE 'station.%'")
    outbox._db.execute("INSERT INTO open_item VALUES ('front', x'7b', 1)")

    class PowerCutError(BaseException):
        pass

    def cut(_path: Path) -> None:
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(salvaging, "put_in_place", cut)
        with pytest.raises(PowerCutError):
            salvaged(outbox, reading())
    again = open_outbox(path, ROOMY, BOX, reading())
    assert {one.closes: one.raw for one in again.left_open} == {"back": (b"4-0", b"4-1"), "side": (b"3-0",)}
    assert again.station_note("context") == "a case"
    assert list(stored(path)) == [1]
    again.abandon()


def test_a_salvage_that_is_tried_again_knows_it_still(
    outbox: Outbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full at the first try, and the file is found damaged again as it is opened."""
    outbox.append([hold(1)], reading(), seal=True)
    outbox._db.execute("UPDATE open_item SET checksum = 1")

    def full(_directory: Path) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(salvaging, "flush", full)
        with pytest.raises(OutboxError, match="cannot salvage"):
            salvaged(outbox, reading())
    path.with_name("outbox.db.salvaged").unlink()
    again = salvaged(outbox, reading())
    assert [one.id for one in again.left_open] == ["id-1"]
    again.abandon()


def test_what_cannot_be_read_of_an_open_item_stops_nothing(outbox: Outbox, path: Path) -> None:
    outbox.append([hold(1)], reading(), seal=True)
    outbox._db.execute("UPDATE open_item SET draft = x'7b'")
    outbox.abandon()
    with pytest.raises(CorruptOutboxError, match="open_item does not hold what was written"):
        Outbox(path, ROOMY, BOX)
    again = open_outbox(path, ROOMY, BOX, reading())
    assert again.left_open == ()
    assert again.append([item(2, 2, closes="front")], reading(), seal=True) == [1]
    again.abandon()


def test_recent_events_are_the_newest_in_their_order(outbox: Outbox) -> None:
    outbox.append([draft(number) for number in range(1, 6)], reading(), seal=True)
    assert [cloudevent.decode_scan(body).id for body in outbox.recent(3)] == ["id-3", "id-4", "id-5"]


class TestUpgrade:
    """A box of version 1 with a backlog gets the new version: every event, mark and symbol stays as it is."""

    @pytest.fixture
    def old(self, path: Path) -> Path:
        db = sqlite3.connect(path)
        db.executescript(VERSION_1.read_text())
        db.close()
        return path

    def test_a_backlog_of_version_1_comes_along(self, old: Path) -> None:
        db = sqlite3.connect(old)
        before = dict(db.execute("SELECT sequence, body FROM event").fetchall())
        marks = db.execute("SELECT delivered FROM cursor").fetchone(), db.execute("SELECT * FROM dead").fetchall()
        db.close()
        outbox = Outbox(old, ROOMY, BOX)
        assert (outbox.delivered, outbox.dead_letters, outbox.last, outbox.epoch) == (3, 1, 6, "a9024f9acf317d71")
        assert outbox.new_epoch_because is None
        assert stored(old) == before
        assert marks == ((3,), [(2, NOW_NS, "refused: packet too large")])
        assert outbox.append([draft(7), hold(8)], reading(), seal=True) == [7]
        assert outbox.seal(reading()) == 1
        outbox.abandon()
        backlog = OutboxReader(old)
        assert [sequence for sequence, _ in backlog.next(3, 10)] == [4, 5, 6, 7]
        backlog.close()
        assert [event for event, _ in symbols(old)] == [1, 2, 3, 4, 5, 6, 7, None]

    def test_the_version_is_told_and_the_upgrade_is_made_once(self, old: Path) -> None:
        for _ in range(2):
            db = open_writer(old)
            assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
            assert db.execute("SELECT retry FROM dead").fetchall() == [(0,)]
            assert db.execute("SELECT count(*) FROM unknown").fetchone() == (0,)
            db.close()

    def test_an_upgrade_that_is_cut_off_changes_nothing(self, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        broken = (*MIGRATIONS[:1], MIGRATIONS[1] + "; CREATE TABLE event (broken);")
        with monkeypatch.context() as patch:
            patch.setattr("gateway.outbox.schema.MIGRATIONS", broken)
            with pytest.raises(OutboxError, match="already exists"):
                Outbox(old, ROOMY, BOX)
        db = sqlite3.connect(old)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'open_item'").fetchall() == []
        db.close()
        outbox = Outbox(old, ROOMY, BOX)
        assert outbox.last == 6
        outbox.abandon()


@pytest.mark.parametrize(
    ("number", "digest"),
    [
        (0, "357de4c614f85bf8"),
        (1, "df3ef8e12dd8212b"),
    ],
)
def test_a_released_migration_is_frozen(number: int, digest: str) -> None:
    """Boxes upgrade with a backlog: what has been released is never edited, a change is a new step."""
    statements = " ".join(MIGRATIONS[number].split())
    assert hashlib.sha256(statements.encode()).hexdigest()[:16] == digest

"""A new version has migrated the outbox and is taken back: the former one goes on with everything in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.outbox.migrations import MIGRATIONS
from gateway.outbox.reader import OutboxReader
from gateway.outbox.salvage import open_outbox, set_aside
from gateway.outbox.schema import SCHEMA_VERSION, NewerOutboxError, connect, write_meta
from gateway.outbox.writer import Dead
from tests.outbox.events import BOX, ROOMY, draft, reading, stocked, stored

EVENTS = 40
DELIVERED = 10
UNSET = "5" * 32
"""A boot whose clock was never set."""
LATER = {
    "a column of events": "ALTER TABLE event ADD COLUMN place TEXT",
    "a table": "CREATE TABLE later (x INTEGER)",
    "an index": "CREATE INDEX later ON event (recorded_ns)",
    "columns of small tables": "ALTER TABLE dead ADD COLUMN x; ALTER TABLE open_item ADD COLUMN x;"
    "ALTER TABLE cursor ADD COLUMN x; ALTER TABLE untrusted_boot ADD COLUMN x; ALTER TABLE unknown ADD COLUMN x",
}
"""What a step to the next version may do (gateway.outbox.migrations)."""


def migrated(path: Path, step: str) -> None:
    """Bring a file to the next version, as that would."""
    with closing(connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO unknown VALUES ('09520001000102', 'GS1', 3, 1, 2, NULL)")
        for statement in step.split(";"):
            db.execute(statement)
        write_meta(db, {"schema": str(SCHEMA_VERSION + 1)})
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        db.execute("COMMIT")


@pytest.fixture(params=LATER)
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """An outbox in use that a newer version has migrated."""
    outbox = stocked(tmp_path / "outbox.db", EVENTS, size=600)
    outbox.park(Dead(sequence=20, reason="refused"))
    outbox.mark_delivered(DELIVERED)
    outbox.append([draft(800)], reading(boot=UNSET, set_=False), seal=True)
    outbox.close(reading())
    migrated(tmp_path / "outbox.db", LATER[request.param])
    return tmp_path / "outbox.db"


def test_nobody_but_the_former_version_brings_it_back(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(NewerOutboxError, match="install the scangate that wrote it"):
        open_outbox(path, ROOMY, BOX, reading())
    assert path.read_bytes() == before


def test_everything_in_it_goes_on(path: Path) -> None:
    with closing(connect(path)) as db:
        bodies = dict(db.execute("SELECT sequence, body FROM event"))
        ((epoch,),) = db.execute("SELECT value FROM meta WHERE key = 'epoch'")
    outbox = open_outbox(path, ROOMY, BOX, reading(), came_back=True)
    assert outbox.epoch != epoch, "numbers of the newer version's may have been given"
    assert outbox.lost is None
    assert outbox.append([draft(900)], reading(), seal=True) == [EVENTS + 2]
    outbox.close(reading())
    assert {sequence: body for sequence, body in stored(path).items() if sequence in bodies} == bodies
    with closing(OutboxReader(path)) as reader:
        assert reader.delivered() == DELIVERED
        assert list(reader.dead()) == [(20, "refused")]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert [boot for (boot,) in db.execute("SELECT boot_id FROM untrusted_boot")] == [UNSET]
        assert db.execute("SELECT identifier, scans FROM unknown").fetchall() == [("09520001000102", 3)]
    assert [file.name for file in path.parent.glob("outbox.db*")] == ["outbox.db"]


def test_what_could_not_be_read_stays_beside_it(path: Path) -> None:
    with closing(connect(path)) as db:
        db.execute("DELETE FROM event WHERE sequence = 30")
    outbox = open_outbox(path, ROOMY, BOX, reading(), came_back=True)
    assert outbox.lost == "30"
    outbox.close(reading())
    (kept,) = set_aside(path.parent)
    assert kept.startswith("outbox.db.newer-")

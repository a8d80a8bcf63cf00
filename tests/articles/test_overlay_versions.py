"""overlay.db of other versions: an earlier one is brought forward, and the version before goes on where it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.articles.overlay.schema import SCHEMA_VERSION, bring_back, open_writer
from gateway.articles.overlay.store import OVERLAY
from tests.articles.conftest import Box, Importing, delta
from tests.articles.test_overlay import CASE, FILE, GTIN, OTHER, RELEASE


@pytest.fixture
def filled(importing: Importing, box: Box) -> Box:
    importing(FILE)
    return box


VERSION_1 = """
CREATE TABLE source (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL, issued_ns INTEGER NOT NULL, gap_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE seen (source TEXT, number INTEGER, PRIMARY KEY (source, number)) WITHOUT ROWID;
CREATE TABLE change (
    source TEXT, identity TEXT, slot TEXT, issued_ns INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
    article_number TEXT, catalog_number TEXT, PRIMARY KEY (source, identity, slot)
) WITHOUT ROWID;
CREATE INDEX change_identity ON change (identity);
PRAGMA user_version = 1;
"""
"""overlay.db as the first version made it."""


@pytest.mark.parametrize("by", ["a look-up", "a delta"])
def test_an_overlay_of_version_1_is_brought_forward(filled: Box, directory: Path, by: str) -> None:
    changes = [
        (GTIN, "recall 7.0", 20, "recall", '{"source":"miv","reason":"FSN 17","lots":["L1"]}', None),
        (OTHER, "recalled", 10, "status", '{"status":"recalled","reason":"FSN 2","since":"2026-01-01"}', None),
        ("#VGR-3", "status", 5, "status", '{"status":"blocked","reason":"avtal"}', None),
        (CASE, "status", 6, "released", '{"status":"active"}', None),
        ("#VGR-8", "row", 7, "row", '{"articleNumber":"VGR-8","tradeName":"Ny"}', "VGR-8"),
        ("#VGR-7", "row", 8, "gone", "{}", None),
    ]
    with closing(sqlite3.connect(directory / OVERLAY, isolation_level=None)) as db:
        db.executescript(VERSION_1)
        db.execute("INSERT INTO source VALUES ('miv', 7, 30, 0), ('gudid', 9, 1, 1)")
        db.execute("INSERT INTO seen VALUES ('miv', 7)")
        for identity, slot, issued, kind, body, number in changes:
            row = ("miv", identity, slot, issued, kind, body.encode(), number, None)
            db.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    filled.restart()
    if by == "a delta":
        assert filled.apply(delta(8, {"op": "block", "articleNumber": "VGR-99"})).applied
    assert [filled.refuses(GTIN, "L1"), filled.refuses(GTIN, "L2")] == ["recalled", "free"]
    assert filled.refuses(OTHER) == "recalled"
    assert filled.shows("VGR-3")[1] == "blocked"
    assert filled.shows("VGR-8")[0] == "Ny"
    sources = {one.name: (one.number, one.missing) for one in filled.master.info().deltas}
    assert sources == {"miv": (8 if by == "a delta" else 7, ()), "gudid": (9, ((1, 8),))}
    assert filled.apply(delta(9, RELEASE)).applied
    assert filled.refuses(GTIN, "L1") == "free"


def test_the_version_before_goes_on_with_the_recalls_it_had(tmp_path: Path) -> None:
    """A version on trial brings the overlay forward, and is taken back."""
    path = tmp_path / OVERLAY
    row = ("miv", GTIN, "recalled", 10, "status", b'{"status":"recalled"}', None, None)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(VERSION_1)
        db.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    assert not bring_back(path, version=1), "nothing has been brought forward"
    open_writer(path).close()
    assert not bring_back(path), "it is this version's own"
    assert bring_back(path, version=1)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT * FROM change").fetchall() == [row]
    assert not bring_back(path, version=1), "once"
    assert sorted(one.name for one in tmp_path.iterdir()) == [OVERLAY, f"{OVERLAY}.version-{SCHEMA_VERSION}"]
    # The next upgrade brings it forward again.
    open_writer(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_without_a_copy_a_newer_overlay_stays(tmp_path: Path) -> None:
    path = tmp_path / OVERLAY
    open_writer(path).close()
    before = path.read_bytes()
    assert not bring_back(path, version=1)
    assert path.read_bytes() == before
    assert not bring_back(tmp_path / "none")
    path.write_bytes(b"damaged" * 1000)
    assert not bring_back(path, version=1)

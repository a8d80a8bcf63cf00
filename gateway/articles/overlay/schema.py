"""overlay.db: its tables, how it is opened for writing, and how one of an earlier version is brought forward.

A version on trial brings it forward, and may be taken back: what was there before stays beside it until then, because
the former version must not go on without the recalls it had. What came during the trial it asks for again: the deltas
are numbered.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

SCHEMA_VERSION: Final = 2
"""`PRAGMA user_version`."""
BUSY_MS: Final = 2000
"""Another process applies or reads; both take milliseconds."""

TABLES: Final = """
CREATE TABLE source (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL, announced INTEGER NOT NULL, issued_at TEXT
) WITHOUT ROWID;
CREATE TABLE taken (source TEXT, number INTEGER, digest BLOB, PRIMARY KEY (source, number, digest)) WITHOUT ROWID;
CREATE TABLE missing (source TEXT, first INTEGER, last INTEGER NOT NULL, PRIMARY KEY (source, first)) WITHOUT ROWID;
CREATE TABLE change (
    identity TEXT, source TEXT, number INTEGER, place INTEGER, kind TEXT NOT NULL, body BLOB NOT NULL, under BLOB,
    named TEXT, any_source INTEGER NOT NULL DEFAULT 0, article_number TEXT, catalog_number TEXT, ends TEXT,
    PRIMARY KEY (identity, source, number, place)
) WITHOUT ROWID;
CREATE INDEX change_named ON change (named) WHERE named IS NOT NULL;
CREATE INDEX change_article_number ON change (article_number) WHERE article_number IS NOT NULL;
CREATE INDEX change_catalog_number ON change (catalog_number) WHERE catalog_number IS NOT NULL;
"""
"""source: the newest delta that has come, and the newest that is known to exist. taken: digests of those that have
come. missing: runs of numbers that have not. change: what a source says of an article; named: `#` and the article
number by which the message named it; any_source: that number is of no article of the source, so that every source's
article with it is meant; article_number, catalog_number: of an upserted row; ends: the last day of a recall."""


def open_writer(path: Path) -> sqlite3.Connection:
    """Open an overlay for writing, made or brought forward if need be. Raises sqlite3.Error, OSError."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        db.execute("PRAGMA synchronous = FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if 0 < version < SCHEMA_VERSION:
            _keep_former(db, former(path, version))
        if version < SCHEMA_VERSION:
            bring_forward(db)
    except BaseException:
        db.close()
        raise
    return db


def former(path: Path, version: int) -> Path:
    """Name the copy of an overlay as it was before it was brought forward from a version."""
    return path.with_name(f"{path.name}.version-{version}")


def _keep_former(db: sqlite3.Connection, copy: Path) -> None:
    building = copy.with_name(f"{copy.name}.new")
    building.unlink(missing_ok=True)
    with closing(sqlite3.connect(building)) as target:
        db.backup(target)
    building.replace(copy)


def bring_back(path: Path, version: int = SCHEMA_VERSION) -> bool:
    """Put the overlay of this version in the place of a newer one; return whether that was done.

    For the version that runs again after a newer one was taken back. Nothing is done where the overlay is not newer,
    or no copy of it is there. The newer one stays beside it. Raises OSError.
    """
    copy = former(path, version)
    if not copy.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found: int = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        return False
    if found <= version:
        return False
    path.replace(former(path, found))
    copy.replace(path)
    return True


def bring_forward(db: sqlite3.Connection) -> None:
    """Make the tables, or those of version 1 into these: in one transaction, so that a crash leaves either."""
    db.execute("BEGIN IMMEDIATE")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 1:
            for name in ("source", "change"):
                db.execute(f"ALTER TABLE {name} RENAME TO former_{name}")
            db.execute("DROP INDEX change_identity")
        if version < SCHEMA_VERSION:
            for statement in filter(str.strip, TABLES.split(";")):
                db.execute(statement)
        if version == 1:
            _from_version_1(db)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _from_version_1(db: sqlite3.Connection) -> None:
    """Take over what version 1 kept, which was ordered by the time of issue.

    All of a source gets the number of its newest delta, in the order it had: whatever comes later counts later. Of
    upserts only those of articles that no file has stay in force, since what they lay over was not written down.
    """
    db.execute("INSERT INTO source SELECT name, number, number, NULL FROM former_source")
    db.execute("INSERT INTO missing SELECT name, 1, number - 1 FROM former_source WHERE gap_ns > 0 AND number > 1")
    numbers = dict(db.execute("SELECT name, number FROM former_source"))
    places: dict[str, int] = {}
    rows = db.execute(
        "SELECT source, identity, kind, body, article_number, catalog_number FROM former_change ORDER BY issued_ns"
    ).fetchall()
    for source, identity, kind, body, article_number, catalog_number in rows:
        said = json.loads(body)
        now_kind, now, ends = _statement_of_version_1(kind, said, source)
        place = places[source] = places.get(source, -1) + 1
        db.execute(
            "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 0, ?, ?, ?)",
            (
                *(identity, source, numbers.get(source, 1), place, now_kind, json.dumps(now).encode()),
                *(article_number, catalog_number, ends),
            ),
        )
    for name in ("former_source", "former_change", "seen"):
        db.execute(f"DROP TABLE {name}")


def _statement_of_version_1(kind: str, said: dict[str, Any], source: str) -> tuple[str, dict[str, Any], str | None]:
    match kind:
        case "row":
            return "upsert", {"article": said, "states_status": said.get("status", "active") != "active"}, None
        case "gone":
            return "delete", {}, None
        case "released":
            return "release", {}, None
        case "recall":
            return "recall", said, said.get("ends")
        case _ if said.get("status") == "recalled":
            return "recall", {"source": source, "reason": said.get("reason"), "starts": said.get("since")}, None
        case _:
            return "block", {"reason": said.get("reason"), "since": said.get("since")}, None

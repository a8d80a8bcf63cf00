"""overlay.db: its tables, and how it is opened for writing."""

import sqlite3
from pathlib import Path
from typing import Final

SCHEMA_VERSION: Final = 1
BUSY_MS: Final = 2000
"""Another process applies or reads; both take milliseconds."""

TABLES: Final = """
CREATE TABLE source (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL, issued_ns INTEGER NOT NULL, gap_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE seen (source TEXT, number INTEGER, PRIMARY KEY (source, number)) WITHOUT ROWID;
CREATE TABLE change (
    source TEXT, identity TEXT, slot TEXT, issued_ns INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
    article_number TEXT, catalog_number TEXT, PRIMARY KEY (source, identity, slot)
) WITHOUT ROWID;
CREATE INDEX change_identity ON change (identity);
"""
"""gap_ns: when the message was issued before which others are missing; 0 without a gap. slot: `row`, `status`,
`recalled` (the whole article), or one for each recall of some devices. article_number, catalog_number: of an
upserted row."""


def open_writer(path: Path) -> sqlite3.Connection:
    """Open an overlay for writing, made if need be. Raises sqlite3.Error, OSError."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        db.execute("PRAGMA synchronous = FULL")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            # one transaction: a crash leaves a file without tables or with all of them
            db.executescript(f"BEGIN IMMEDIATE;{TABLES}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
    except BaseException:
        db.close()
        raise
    return db

"""The outbox's database: its tables, its settings, and the way from an older version to this one."""

import sqlite3
from pathlib import Path
from typing import Final

from gateway.outbox.migrations import MIGRATIONS

SCHEMA_VERSION: Final = len(MIGRATIONS)
PAGE_BYTES: Final = 1024
"""A scan is some 1.5 KB: small pages write a fifth less for each (SD cards wear)."""
CACHE_KIB: Final = 512
"""Enough for appends at the end and for reading a backlog; the daemon must stay small."""
AUTOCHECKPOINT_PAGES: Final = 8192
"""8 MiB of WAL: the bound for a burst. Checkpoints are made when idle, because they stall an append."""
BUSY_MS: Final = 5000
"""Writers are one at a time by design; this covers a reader that recovers the WAL after a crash."""


class OutboxError(Exception):
    """The outbox cannot do what it was asked: operation, file, cause, next step."""

    def __init__(self, operation: str, path: Path, cause: object, hint: str) -> None:
        super().__init__(f"cannot {operation} {path}: {cause}; {hint}")


class NewerOutboxError(OutboxError):
    """The file was written by a newer scangate. It is left as it is."""


class CorruptOutboxError(OutboxError):
    """The file is damaged."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the database with this project's settings; the caller ends transactions itself."""
    address = path.absolute().as_uri() + ("?mode=ro" if read_only else "")
    db = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        db.execute("PRAGMA mmap_size = 0")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except BaseException:
        db.close()
        raise
    return db


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether an error means that the file's content is wrong: not a full disk, a lock or a permission."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the outbox for writing, made or migrated as needed.

    Raises NewerOutboxError, CorruptOutboxError, OutboxError (no permission, disk full, locked).
    """
    try:
        db = connect(path)
        try:
            refuse_newer(db, path)
            db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
            db.execute("PRAGMA temp_store = MEMORY")
            _migrate(db)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        if is_damage(error):
            raise CorruptOutboxError("open", path, error, "it will be set aside and salvaged") from error
        raise OutboxError("open", path, error, "check the directory's owner and the room on the disk") from error
    return db


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Raise NewerOutboxError for a file of a version that this scangate does not know."""
    version = _version(db)
    if version > SCHEMA_VERSION:
        raise NewerOutboxError(
            "open",
            path,
            f"it has version {version}, this scangate knows up to {SCHEMA_VERSION}",
            "install the scangate that wrote it; the file was left as it is",
        )


def _migrate(db: sqlite3.Connection) -> None:
    version = _version(db)
    if version == SCHEMA_VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for block in MIGRATIONS[version:]:
            for statement in block.split(";"):
                if statement.strip():
                    db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise

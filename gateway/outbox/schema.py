"""The outbox's database: its tables, its settings, and the way from an older version to this one."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from gateway.outbox.checksums import DamagedRowError, of_meta, of_values
from gateway.outbox.migrations import MIGRATIONS

SCHEMA_VERSION: Final = len(MIGRATIONS)
CHECKED_VERSION: Final = 4
"""From this version on rows carry checksums, and `meta` the version, too."""
MAX_VERSION: Final = 10_000
"""No version of the schema is beyond."""
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
        db.text_factory = _text
    except BaseException:
        db.close()
        raise
    return db


def _text(value: bytes) -> str:
    """Return a text column's value; what is no UTF-8 is damage, and its checksum says so."""
    return value.decode(errors="surrogateescape")


DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_ERROR,  # a table or column of ours is not there
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_CONSTRAINT,  # a number that was given before
        sqlite3.SQLITE_TOOBIG,
    }
)
"""Primary result codes that say that the file's content is wrong."""


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error means that the file's content is wrong: not a full disk, a lock or a permission."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in DAMAGE


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the outbox for writing, made or migrated as needed.

    Raises NewerOutboxError, CorruptOutboxError, OutboxError (no permission, disk full, locked).
    """
    try:
        if _is_cut_off(path):
            raise DamagedRowError("it is empty, and its log is not")
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


def _is_cut_off(path: Path) -> bool:
    """Return whether the file is empty beside a log: it was not, when that was begun."""
    try:
        return path.stat().st_size == 0 and Path(f"{path}-wal").stat().st_size > 0
    except OSError:
        return False


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def _stated_version(db: sqlite3.Connection) -> int | None:
    """Return the version as `meta` has it, too; None for a file from before it did, or that has no such table."""
    try:
        row = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        return None if row is None else int(row[0])
    except (sqlite3.OperationalError, TypeError, ValueError):
        return None


def refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Raise NewerOutboxError for a file of a version that this scangate does not know.

    The number stands in two places: where they differ by one bit, or it is no number of a version, the file is
    damaged (DamagedRowError).
    """
    version, stated = _version(db), _stated_version(db)
    flipped = stated is not None and (version ^ stated).bit_count() == 1 and version != SCHEMA_VERSION + 1
    if flipped or version > MAX_VERSION or (version == CHECKED_VERSION and stated is None):
        raise DamagedRowError(f"its version is {version} in one place and {stated} in another")
    if version > SCHEMA_VERSION:
        raise NewerOutboxError(
            "open",
            path,
            f"it has version {version}, this scangate knows up to {SCHEMA_VERSION}",
            "install the scangate that wrote it; the file was left as it is",
        )
    if version < 0 or (version == 0 and db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,)):
        raise DamagedRowError(f"its version is {version}")


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
        if version < CHECKED_VERSION:
            _add_checksums(db)
        write_meta(db, {"schema": str(SCHEMA_VERSION)})
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _add_checksums(db: sqlite3.Connection) -> None:
    """Give the rows of the small tables their checksums; events from before have none."""
    for scanner, draft in db.execute("SELECT scanner, draft FROM open_item").fetchall():
        db.execute("UPDATE open_item SET checksum = ? WHERE scanner = ?", (of_values(scanner, draft), scanner))
    for row in db.execute("SELECT sequence, parked_ns, reason, retry FROM dead").fetchall():
        db.execute("UPDATE dead SET checksum = ? WHERE sequence = ?", (of_values(*row), row[0]))
    ((*marks,),) = db.execute("SELECT delivered, published, unchecked FROM cursor")
    db.execute("UPDATE cursor SET checksum = ?", (of_values(*marks),))


def read_meta(db: sqlite3.Connection) -> dict[str, str]:
    """Return the table `meta`. Raises sqlite3.Error, also for one that does not hold what was written."""
    facts = dict(db.execute("SELECT key, value FROM meta").fetchall())
    if facts and facts.pop("checksum", None) != str(of_meta(facts.items())):
        raise DamagedRowError("the table meta does not hold what was written")
    return facts


def write_meta(db: sqlite3.Connection, changes: Mapping[str, str | None]) -> None:
    """Change facts of `meta` (None removes one), within a transaction of the caller. Raises sqlite3.Error."""
    facts = {**dict(db.execute("SELECT key, value FROM meta").fetchall()), **changes}
    kept = {key: value for key, value in facts.items() if value is not None}
    kept["checksum"] = str(of_meta(kept.items()))
    db.execute("DELETE FROM meta")
    db.executemany("INSERT INTO meta VALUES (?, ?)", sorted(kept.items()))


def forget_identity(db: sqlite3.Connection) -> None:
    """Take away whose file this is, and its epoch: whoever opens it next begins one. Raises sqlite3.Error."""
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM meta")
    write_meta(db, {"schema": str(SCHEMA_VERSION)})
    db.execute("COMMIT")


class Cursor(NamedTuple):
    """The table `cursor`: how far delivery has come."""

    delivered: int
    published: int
    unchecked: int


def read_cursor(db: sqlite3.Connection) -> Cursor:
    """Return it. Raises sqlite3.Error, also for one that does not hold what was written."""
    row = db.execute("SELECT delivered, published, unchecked, checksum FROM cursor").fetchone()
    if row is None or row[3] != of_values(*row[:3]):
        raise DamagedRowError("the table cursor does not hold what was written")
    return Cursor(*row[:3])


def write_cursor(db: sqlite3.Connection, cursor: Cursor) -> None:
    """Replace it, within a transaction of the caller. Raises sqlite3.Error."""
    db.execute(
        "UPDATE cursor SET delivered = ?, published = ?, unchecked = ?, checksum = ?", (*cursor, of_values(*cursor))
    )

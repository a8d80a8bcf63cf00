"""A damaged outbox: set the file aside, begin a new one, carry over every event that can still be read."""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.clock import ClockReading
from gateway.delivery import unknown
from gateway.delivery.identity import BoxIdentity
from gateway.delivery.outbox import Outbox
from gateway.delivery.schema import CorruptOutboxError, OutboxError, connect, open_writer
from gateway.delivery.settings import OutboxSettings

log = logging.getLogger(__name__)

MAX_GAP: Final = 16384
"""Sequence numbers tried one by one behind a damaged place before the rest is given up: a damaged inner page of the
tree hides some thousand events."""
COMMIT_EVENTS: Final = 1000
"""Carried over in one transaction: the WAL of a full outbox must not need the room of another one."""
_SELECT: Final = "SELECT sequence, recorded_ns, trusted, sealed, body FROM event WHERE"


class Salvage(Struct, frozen=True, kw_only=True):
    """What came of it."""

    quarantine: Path
    """Where the damaged file lies now."""
    events: int
    """Events carried over."""
    delivered: int
    """The delivery mark that was found; 0 sends everything again, which loses nothing."""


def salvage(path: Path, now_ns: int) -> Salvage:
    """Quarantine the outbox at `path` and put a new one in its place. Raises OSError and sqlite3.Error (new file).

    Every event keeps its bytes and its sequence; a new epoch begins for what comes after, because the new file
    has no identity yet (`Outbox` gives it one when it opens it). The damaged file stays in its place until the new
    one is complete: a power cut or a full disk on the way leaves it to be salvaged again.
    """
    quarantine = path.with_name(f"{path.name}.corrupt-{now_ns // 1_000_000_000}")
    for suffix in ("-wal", ""):
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            os.link(f"{path}{suffix}", f"{quarantine}{suffix}")
    building = path.with_name(f"{path.name}.salvaging")
    _remove(building, "", "-wal", "-shm", "-journal")
    fresh = open_writer(building)
    try:
        events, delivered = _carry_over(quarantine, fresh)
        fresh.execute("PRAGMA journal_mode = DELETE")  # one file, and everything in it
    finally:
        fresh.close()
    building.replace(_complete(path))
    put_in_place(path)
    return Salvage(quarantine=quarantine, events=events, delivered=delivered)


def put_in_place(path: Path) -> None:
    """Finish a salvage whose new file is complete; does nothing where there is none. Raises OSError."""
    complete = _complete(path)
    if complete.exists():
        _flush(path.parent)
        _remove(path, "-wal", "-shm")  # they are the damaged file's, and kept beside it in the quarantine
        _flush(path.parent)
        complete.replace(path)
        _flush(path.parent)


def _complete(path: Path) -> Path:
    return path.with_name(f"{path.name}.salvaged")


def _remove(path: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_outbox(path: Path, settings: OutboxSettings, identity: BoxIdentity, clock: ClockReading) -> Outbox:
    """Open the outbox, salvaging a damaged one. Raises OutboxError."""
    try:
        put_in_place(path)
    except OSError as error:
        raise OutboxError("finish salvaging", path, error, "check the directory's owner and the disk") from error
    try:
        return Outbox(path, settings, identity)
    except CorruptOutboxError as error:
        log.critical("outbox damaged: %s", error)
        _set_aside(path, clock)
        return Outbox(path, settings, identity)


def salvaged(outbox: Outbox, clock: ClockReading) -> Outbox:
    """Put a salvaged outbox in the place of one that was found damaged in use. Raises OutboxError.

    After an error it may be called again with the same outbox.
    """
    if outbox.abandon():
        _set_aside(outbox.path, clock)
    return open_outbox(outbox.path, outbox.settings, outbox.identity, clock)


def quarantined(directory: Path) -> list[str]:
    """Name the damaged outboxes that were set aside in a state directory and wait to be looked at."""
    return sorted(
        path.name for path in directory.glob("outbox.db.corrupt-*") if not path.name.endswith(("-wal", "-shm"))
    )


def _set_aside(path: Path, clock: ClockReading) -> None:
    try:
        result = salvage(path, clock.wall_ns)
    except (OSError, sqlite3.Error) as error:
        raise OutboxError("salvage", path, error, "replace the disk; the damaged file is kept") from error
    log.critical(
        "outbox salvaged quarantine=%s events=%d delivered=%d", result.quarantine, result.events, result.delivered
    )


def _carry_over(damaged: Path, fresh: sqlite3.Connection) -> tuple[int, int]:
    try:
        source = connect(damaged, read_only=True)
    except sqlite3.DatabaseError:
        return 0, 0
    with contextlib.closing(source):
        delivered = _number(source, "SELECT delivered FROM cursor")
        events = 0
        fresh.execute("BEGIN IMMEDIATE")
        for row in _readable(source, delivered):
            events += fresh.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)", row).rowcount
            if row[0] > delivered and not _is_json(row[4]):
                fresh.execute(
                    "INSERT OR IGNORE INTO dead (sequence, parked_ns, reason) VALUES (?, ?, ?)",
                    (row[0], row[1], "damaged on the disk"),
                )
            if events % COMMIT_EVENTS == 0:
                fresh.execute("COMMIT")
                fresh.execute("BEGIN IMMEDIATE")
        with contextlib.suppress(sqlite3.DatabaseError):
            for row in source.execute("SELECT sequence, parked_ns, reason FROM dead"):
                fresh.execute("INSERT OR IGNORE INTO dead (sequence, parked_ns, reason) VALUES (?, ?, ?)", row)
        with contextlib.suppress(sqlite3.DatabaseError):
            for row in source.execute("SELECT scanner, draft FROM open_item"):
                fresh.execute("INSERT OR IGNORE INTO open_item VALUES (?, ?)", row)
        unknown.carry_over(source, fresh)
        with contextlib.suppress(sqlite3.DatabaseError):
            for row in source.execute("SELECT key, value FROM meta WHERE key = 'untrusted_boot'"):
                fresh.execute("REPLACE INTO meta VALUES (?, ?)", row)
        fresh.execute("UPDATE cursor SET delivered = ?", (delivered,))
        fresh.execute("COMMIT")
    return events, delivered


def _readable(source: sqlite3.Connection, delivered: int) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Yield each event that can be read; where a page is damaged, go on behind it.

    What lies behind a place that is too large to be crossed is reached from what was delivered last, and then from
    the end.
    """
    position = 0
    gap = 0
    while gap < MAX_GAP:
        try:
            for row in source.execute(f"{_SELECT} sequence > ? ORDER BY sequence", (position,)):
                if row[0] <= position:
                    continue  # a damaged tree leads back
                position = row[0]
                gap = 0
                if isinstance(row[4], bytes):
                    yield row
        except sqlite3.DatabaseError:
            position += 1
            gap += 1
            if gap == MAX_GAP and position < delivered:
                position = delivered
                gap = 0
        else:
            return
    with contextlib.suppress(sqlite3.DatabaseError):
        for row in source.execute(f"{_SELECT} sequence > ? ORDER BY sequence DESC", (position,)):
            if isinstance(row[4], bytes):
                yield row


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return False
    return True


def _number(source: sqlite3.Connection, query: str) -> int:
    try:
        return int(source.execute(query).fetchone()[0] or 0)
    except (sqlite3.DatabaseError, TypeError, ValueError):
        return 0

"""A damaged outbox: set the file aside, begin a new one, carry over every event that can still be read."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.clock import ClockReading
from gateway.delivery.identity import BoxIdentity
from gateway.delivery.outbox import Outbox
from gateway.delivery.schema import CorruptOutboxError, OutboxError, connect, open_writer
from gateway.delivery.settings import OutboxSettings

log = logging.getLogger(__name__)

MAX_GAP: Final = 16384
"""Sequence numbers tried one by one behind a damaged place before the rest is given up: a damaged inner page of the
tree hides some thousand events."""


class Salvage(Struct, frozen=True, kw_only=True):
    """What came of it."""

    quarantine: Path
    """Where the damaged file lies now."""
    events: int
    """Events carried over."""
    delivered: int
    """The delivery mark that was found; 0 sends everything again, which loses nothing."""


def salvage(path: Path, now_ns: int) -> Salvage:
    """Quarantine the outbox at `path` and make a new one there. Raises OSError and sqlite3.Error (new file).

    Every event keeps its bytes and its sequence; a new epoch begins for what comes after, because the new file
    has no identity yet (`Outbox` gives it one when it opens it).
    """
    quarantine = path.with_name(f"{path.name}.corrupt-{now_ns // 1_000_000_000}")
    for suffix in ("-shm", "-wal", ""):  # the database last: a crash in between leaves it to be salvaged again
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{quarantine}{suffix}")
    fresh = open_writer(path)
    try:
        events, delivered = _carry_over(quarantine, fresh)
    finally:
        fresh.close()
    return Salvage(quarantine=quarantine, events=events, delivered=delivered)


def open_outbox(path: Path, settings: OutboxSettings, identity: BoxIdentity, clock: ClockReading) -> Outbox:
    """Open the outbox, salvaging a damaged one. Raises OutboxError."""
    try:
        return Outbox(path, settings, identity)
    except CorruptOutboxError as error:
        log.critical("outbox damaged: %s", error)
        _set_aside(path, clock)
        return Outbox(path, settings, identity)


def salvaged(outbox: Outbox, clock: ClockReading) -> Outbox:
    """Put a salvaged outbox in the place of one that was found damaged in use. Raises OutboxError."""
    outbox.abandon()
    _set_aside(outbox.path, clock)
    return Outbox(outbox.path, outbox.settings, outbox.identity)


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
        source = connect(damaged)
        source.execute("PRAGMA cell_size_check = ON")
    except sqlite3.DatabaseError:
        return 0, 0
    delivered = _number(source, "SELECT delivered FROM cursor")
    events = 0
    fresh.execute("BEGIN IMMEDIATE")
    for row in _readable(source):
        fresh.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)", row)
        events += 1
    with contextlib.suppress(sqlite3.DatabaseError):
        for row in source.execute("SELECT sequence, parked_ns, reason FROM dead"):
            fresh.execute("INSERT OR IGNORE INTO dead VALUES (?, ?, ?)", row)
    fresh.execute("UPDATE cursor SET delivered = ?", (delivered,))
    fresh.execute("COMMIT")
    with contextlib.suppress(sqlite3.DatabaseError):
        source.close()
    return events, delivered


def _readable(source: sqlite3.Connection) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Yield each event that can be read; where a page is damaged, go on behind it."""
    position = 0
    gap = 0
    while gap < MAX_GAP:
        try:
            for row in source.execute(
                "SELECT sequence, recorded_ns, trusted, sealed, body FROM event WHERE sequence > ?"
                " ORDER BY sequence",
                (position,),
            ):
                position = row[0]
                gap = 0
                if isinstance(row[4], bytes):
                    yield row
        except sqlite3.DatabaseError:
            position += 1
            gap += 1
        else:
            return


def _number(source: sqlite3.Connection, query: str) -> int:
    try:
        return int(source.execute(query).fetchone()[0] or 0)
    except (sqlite3.DatabaseError, TypeError, ValueError):
        return 0

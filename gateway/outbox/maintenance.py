"""Housekeeping of the outbox's database: delivered history goes, times are settled, the WAL is emptied.

Functions on the writer's connection. They raise sqlite3.Error; the Outbox says what an error means.
"""

import sqlite3
from pathlib import Path
from typing import Final

from gateway.events import cloudevent
from gateway.outbox import used_pieces
from gateway.outbox.checksums import EVENT_COLUMNS, DamagedRowError, event_is_sound, of_event
from gateway.outbox.schema import BUSY_MS
from gateway.system.clock import ClockReading

PRUNE_ROWS: Final = 500
"""Delivered events removed in one transaction: some 1 MB, so that a scan never waits long behind it."""
SEAL_ROWS: Final = 500
"""Events whose time is settled in one transaction, for the same reason."""
IDLE_CHECKPOINT_BYTES: Final = 256 * 1024
"""A WAL smaller than this is left for later: emptying it costs two flushes."""


def prune(db: sqlite3.Connection, delivered: int, recorded_before_ns: int | None) -> int:
    """Make room in one transaction; return how many rows went.

    With a time, delivered events of a trusted age go, the oldest first. Without one (room is scarce), what the list
    of unknown articles keeps of settled entries goes first, then the oldest delivered events.
    """
    if recorded_before_ns is None and (diagnostics := _forget_settled(db)):
        return diagnostics
    rows = _oldest(db, delivered, recorded_before_ns)
    if not rows:
        return 0
    oldest = [(sequence,) for sequence in rows]
    db.execute("BEGIN IMMEDIATE")
    db.executemany("DELETE FROM event WHERE sequence = ?", oldest)
    db.execute(
        "DELETE FROM symbol WHERE id IN (SELECT id FROM symbol WHERE event IS NOT NULL AND event <= ?"
        " AND event NOT IN (SELECT sequence FROM dead) ORDER BY id LIMIT ?)",
        (oldest[-1][0], 4 * PRUNE_ROWS),
    )
    used_pieces.forget(db, oldest[-1][0] + 1)
    db.execute("COMMIT")
    return len(oldest)


def _oldest(db: sqlite3.Connection, delivered: int, recorded_before_ns: int | None) -> list[int]:
    """Return the oldest delivered events that may go.

    What lies in front of an event was recorded before it, whatever the clock said then: an event of a trusted age
    speaks for those in front of it, and one that is too young keeps everything behind it.
    """
    rows = db.execute(
        "SELECT sequence, trusted, recorded_ns FROM event WHERE sequence <= ?"
        " AND sequence NOT IN (SELECT sequence FROM dead) ORDER BY sequence LIMIT ?",
        (delivered, PRUNE_ROWS),
    ).fetchall()
    if recorded_before_ns is None:
        return [sequence for sequence, _, _ in rows]
    old = 0
    for position, (_, trusted, recorded_ns) in enumerate(rows, 1):
        if trusted and recorded_ns >= recorded_before_ns:
            break
        if trusted:
            old = position
    return [sequence for sequence, _, _ in rows[:old]]


def _forget_settled(db: sqlite3.Connection) -> int:
    """Forget the unknown articles that the master has learnt meanwhile; return how many there were."""
    return db.execute("DELETE FROM unknown WHERE resolved_ns IS NOT NULL").rowcount


def unsettled(db: sqlite3.Connection, unchecked: int) -> list[tuple[int, int, bytes]]:
    """Return sequence, time of recording and body of the next SEAL_ROWS events whose times are not settled.

    `unchecked`: events up to this one have no checksum. Raises sqlite3.Error, also for a row that does not hold what
    was written: it would get a right checksum.
    """
    rows = db.execute(
        f"SELECT {EVENT_COLUMNS} FROM event WHERE sealed = 0 ORDER BY sequence LIMIT ?",  # noqa: S608 - our own names
        (SEAL_ROWS,),
    ).fetchall()
    for row in rows:
        if not event_is_sound(row, unchecked):
            raise DamagedRowError(f"event {row[0]} does not hold what was written")
    return [(row[0], row[1], row[4]) for row in rows]


def settle(db: sqlite3.Connection, rows: list[tuple[int, int, bytes]], clock: ClockReading) -> None:
    """Settle their times, within a transaction of the caller; a clock that is set corrects those of this boot."""
    for sequence, recorded_ns, body in rows:
        settled = (
            cloudevent.with_true_time(body, recorded_ns, clock)
            if clock.synchronised
            else (body, recorded_ns, False)
        )
        final, final_ns, trusted = settled
        db.execute(
            "UPDATE event SET recorded_ns = ?, trusted = ?, sealed = 1, body = ?, checksum = ? WHERE sequence = ?",
            (final_ns, int(trusted), final, of_event(sequence, final_ns, int(trusted), 1, final), sequence),
        )


def checkpoint(db: sqlite3.Connection, path: Path) -> None:
    """Empty the WAL when it has grown; a reader in the way puts it off."""
    try:
        wal = (path.parent / f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        return
    if wal <= IDLE_CHECKPOINT_BYTES:
        return
    db.execute("PRAGMA busy_timeout = 0")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

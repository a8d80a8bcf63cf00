"""Housekeeping of the outbox's database: delivered history goes, times are settled, the WAL is emptied.

Functions on the writer's connection. They raise sqlite3.Error; the Outbox says what an error means.
"""

import sqlite3
from pathlib import Path
from typing import Final

from gateway.clock import ClockReading
from gateway.delivery import wire
from gateway.delivery.schema import BUSY_MS

PRUNE_ROWS: Final = 500
"""Delivered events removed in one transaction: some 1 MB, so that a scan never waits long behind it."""
SEAL_ROWS: Final = 500
"""Events whose time is settled in one transaction, for the same reason."""
IDLE_CHECKPOINT_BYTES: Final = 256 * 1024
"""A WAL smaller than this is left for later: emptying it costs two flushes."""


def prune(db: sqlite3.Connection, delivered: int, recorded_before_ns: int | None) -> int:
    """Remove the oldest delivered events (of a trusted age, or any) in one transaction; return how many.

    What was recorded before an event of a trusted age is at least as old, so the row ends at the last such one.
    """
    rows = db.execute(
        "SELECT sequence, ? IS NULL OR trusted = 1 AND recorded_ns < ? FROM event WHERE sequence <= ?"
        " AND sequence NOT IN (SELECT sequence FROM dead) ORDER BY sequence LIMIT ?",
        (recorded_before_ns, recorded_before_ns, delivered, PRUNE_ROWS),
    ).fetchall()
    while rows and not rows[-1][1]:
        rows.pop()
    if not rows:
        return 0
    oldest = [(sequence,) for sequence, _ in rows]
    db.execute("BEGIN IMMEDIATE")
    db.executemany("DELETE FROM event WHERE sequence = ?", oldest)
    db.execute(
        "DELETE FROM symbol WHERE id IN (SELECT id FROM symbol WHERE event IS NOT NULL AND event <= ?"
        " AND event NOT IN (SELECT sequence FROM dead) ORDER BY id LIMIT ?)",
        (oldest[-1][0], 4 * PRUNE_ROWS),
    )
    db.execute("COMMIT")
    return len(oldest)


def unsettled(db: sqlite3.Connection) -> list[tuple[int, int, bytes]]:
    """Return sequence, time of recording and body of the next SEAL_ROWS events whose times are not settled."""
    return db.execute(
        "SELECT sequence, recorded_ns, body FROM event WHERE sealed = 0 ORDER BY sequence LIMIT ?", (SEAL_ROWS,)
    ).fetchall()


def settle(db: sqlite3.Connection, rows: list[tuple[int, int, bytes]], clock: ClockReading) -> None:
    """Settle their times, within a transaction of the caller; a clock that is set corrects those of this boot."""
    for sequence, recorded_ns, body in rows:
        settled = (
            wire.with_true_time(body, recorded_ns, clock) if clock.synchronised else (body, recorded_ns, False)
        )
        final, final_ns, trusted = settled
        db.execute(
            "UPDATE event SET recorded_ns = ?, trusted = ?, sealed = 1, body = ? WHERE sequence = ?",
            (final_ns, int(trusted), final, sequence),
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

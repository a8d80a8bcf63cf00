"""A damaged outbox: set the file aside, begin a new one, carry over every event that can still be read."""

import contextlib
import itertools
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.outbox import database_pages, dead_letters, unknown_articles, used_pieces
from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.schema import CorruptOutboxError, OutboxError, connect, open_writer
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Outbox
from gateway.system.clock import NS, ClockReading

log = logging.getLogger(__name__)

MAX_GAP: Final = 2048
"""Sequence numbers tried one by one behind a damaged place before SQLite is asked no more: what a damaged inner
page hides is found by looking at each page for itself."""
COMMIT_EVENTS: Final = 1000
"""Carried over in one transaction: the WAL of a full outbox must not need the room of another one."""
AtWork = Callable[[], None]
"""Told again and again while a salvage goes on: it may take minutes, and must not be taken for a standstill."""
_SELECT: Final = "SELECT sequence, recorded_ns, trusted, sealed, body FROM event WHERE"


def _nobody_waits() -> None:
    """Stand in where nobody is to be told."""


class Salvage(Struct, frozen=True, kw_only=True):
    """What came of it."""

    quarantine: Path
    """Where the damaged file lies now."""
    events: int
    """Events carried over."""
    delivered: int
    """The delivery mark that was found; 0 sends everything again, which loses nothing."""


def salvage(path: Path, now_ns: int, at_work: AtWork) -> Salvage:
    """Quarantine the outbox at `path` and put a new one in its place. Raises OSError and sqlite3.Error (new file).

    Every event keeps its bytes and its sequence; a new epoch begins for what comes after, because the new file
    has no identity yet (`Outbox` gives it one when it opens it). The damaged file stays in its place until the new
    one is complete: a power cut or a full disk on the way leaves it to be salvaged again.
    """
    quarantine = keep_aside(path, f"corrupt-{now_ns // NS}") or path
    building = path.with_name(f"{path.name}.salvaging")
    remove(building, "", "-wal", "-shm", "-journal")
    fresh = open_writer(building)
    try:
        events, delivered = _carry_over(quarantine, fresh, at_work)
        fresh.execute("PRAGMA journal_mode = DELETE")  # one file, and everything in it
    finally:
        fresh.close()
    building.replace(replacement(path))
    put_in_place(path)
    return Salvage(quarantine=quarantine, events=events, delivered=delivered)


def put_in_place(path: Path) -> None:
    """Finish a salvage or a restore whose new file is complete, if there is one. Raises OSError."""
    complete = replacement(path)
    if complete.exists():
        flush(path.parent)
        remove(path, "-wal", "-shm")  # they are the former file's, and kept beside it where it lies aside
        flush(path.parent)
        complete.replace(path)
        flush(path.parent)


def keep_aside(path: Path, suffix: str) -> Path | None:
    """Give an outbox a second name, its WAL along with it; None when there is no outbox. Raises OSError."""
    if not path.exists():
        return None
    aside = path.with_name(f"{path.name}.{suffix}")
    others = itertools.count(2)
    while aside.exists() and not aside.samefile(path):  # the same would be of a try before this one
        aside = path.with_name(f"{path.name}.{suffix}-{next(others)}")
    remove(aside, "-wal", "-shm")
    with contextlib.suppress(FileNotFoundError):
        os.link(f"{path}-wal", f"{aside}-wal")
    with contextlib.suppress(FileExistsError):
        os.link(path, aside)
    return aside


def replacement(path: Path) -> Path:
    """Name the file that `put_in_place` puts in an outbox's place: it is complete and on the disk."""
    return path.with_name(f"{path.name}.salvaged")


def remove(path: Path, *suffixes: str) -> None:
    """Remove a database's files, as far as they are there. Raises OSError."""
    for suffix in suffixes:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def flush(directory: Path) -> None:
    """Bring a directory's names to the disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_outbox(
    path: Path,
    settings: OutboxSettings,
    identity: BoxIdentity,
    clock: ClockReading,
    at_work: AtWork = _nobody_waits,
) -> Outbox:
    """Open the outbox, salvaging a damaged one. Raises OutboxError."""
    try:
        put_in_place(path)
    except OSError as error:
        raise OutboxError("finish salvaging", path, error, "check the directory's owner and the disk") from error
    try:
        return Outbox(path, settings, identity)
    except CorruptOutboxError as error:
        log.critical("outbox damaged: %s", error)
        _set_aside(path, clock, at_work)
        return Outbox(path, settings, identity)


def salvaged(outbox: Outbox, clock: ClockReading, at_work: AtWork = _nobody_waits) -> Outbox:
    """Put a salvaged outbox in the place of one that was found damaged in use. Raises OutboxError.

    After an error it may be called again with the same outbox.
    """
    if outbox.abandon():
        _set_aside(outbox.path, clock, at_work)
    return open_outbox(outbox.path, outbox.settings, outbox.identity, clock, at_work)


def quarantined(directory: Path) -> list[str]:
    """Name the damaged outboxes that were set aside in a state directory and wait to be looked at."""
    return sorted(
        path.name for path in directory.glob("outbox.db.corrupt-*") if not path.name.endswith(("-wal", "-shm"))
    )


def set_aside(directory: Path) -> list[str]:
    """Name the outboxes in whose place a backup was restored, and that nobody has moved away."""
    return sorted(
        path.name
        for path in directory.glob("outbox.db.before-restore-*")
        if not path.name.endswith(("-wal", "-shm"))
    )


def _set_aside(path: Path, clock: ClockReading, at_work: AtWork) -> None:
    try:
        result = salvage(path, clock.wall_ns, at_work)
    except (OSError, sqlite3.Error) as error:
        raise OutboxError("salvage", path, error, "replace the disk; the damaged file is kept") from error
    log.critical(
        "outbox salvaged quarantine=%s events=%d delivered=%d", result.quarantine, result.events, result.delivered
    )


def _carry_over(damaged: Path, fresh: sqlite3.Connection, at_work: AtWork) -> tuple[int, int]:
    """Copy what can be read: first as SQLite finds it, then what it finds no way to; return events and mark."""
    with contextlib.ExitStack() as stack:
        source = None
        with contextlib.suppress(sqlite3.DatabaseError):  # its first page is damaged
            source = stack.enter_context(contextlib.closing(connect(damaged, read_only=True)))
        delivered = 0 if source is None else _number(source, "SELECT delivered FROM cursor")
        found = () if source is None else _readable(source, delivered)
        events = 0
        fresh.execute("BEGIN IMMEDIATE")
        for number, row in enumerate(itertools.chain(found, database_pages.events(damaged, delivered)), 1):
            events += fresh.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)", row).rowcount
            if row[0] > delivered and not dead_letters.is_event(row[4]):
                fresh.execute(
                    "INSERT OR IGNORE INTO dead (sequence, parked_ns, reason) VALUES (?, ?, ?)",
                    (row[0], row[1], "damaged on the disk"),
                )
            if number % COMMIT_EVENTS == 0:
                at_work()
                fresh.execute("COMMIT")
                fresh.execute("BEGIN IMMEDIATE")
        if source is not None:
            _carry_over_the_rest(source, fresh)
        used_pieces.fill(fresh)
        fresh.execute("UPDATE cursor SET delivered = ?", (delivered,))
        fresh.execute("COMMIT")
    return events, delivered


def _carry_over_the_rest(source: sqlite3.Connection, fresh: sqlite3.Connection) -> None:
    """Copy what can be read beside the events: dead letters, open items, unknown articles, the clock's state."""
    with contextlib.suppress(sqlite3.DatabaseError):
        for letter in dead_letters.listed(source):
            fresh.execute(
                "INSERT OR IGNORE INTO dead VALUES (?, ?, ?, ?)",
                (letter.sequence, letter.parked_ns, letter.reason, letter.asked_ns),
            )
    with contextlib.suppress(sqlite3.DatabaseError):
        for row in source.execute("SELECT scanner, draft FROM open_item"):
            fresh.execute("INSERT OR IGNORE INTO open_item VALUES (?, ?)", row)
    unknown_articles.carry_over(source, fresh)
    with contextlib.suppress(sqlite3.DatabaseError):
        for row in source.execute("SELECT key, value FROM meta WHERE key = 'untrusted_boot'"):
            fresh.execute("REPLACE INTO meta VALUES (?, ?)", row)


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


def _number(source: sqlite3.Connection, query: str) -> int:
    try:
        return int(source.execute(query).fetchone()[0] or 0)
    except (sqlite3.DatabaseError, TypeError, ValueError):
        return 0

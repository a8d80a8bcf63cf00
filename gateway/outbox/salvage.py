"""A damaged outbox: set the file aside, begin a new one, carry over every event that can still be read.

How it works. The damaged file gets a second name (a hard link, its log likewise) and stays in its place until the new
one is complete, so that a power cut on the way leaves everything to be done again. The new file is filled from three
readings, each believed only where a row's checksum agrees:

1. what SQLite still finds, in order, going on behind each damaged page;
2. what lies on the file's pages, each looked at for itself, when the tree above it is damaged;
3. rows found by either whose checksum does not agree and that have no sound copy: kept as dead letters, so that they
   reach a person and not a database.

A number that was given and is in none of them gets a notice in its place (`scangate.parked.v1`, reason `lost to a
damaged disk`): the central system sees each number once and asks for nothing in vain. The numbering goes on under a
new epoch, because what came behind the last number that can be read may be lost without a trace.

Example: 1 to 9 were scanned and the marks say "delivered up to 3". The rows of 6 and 7 cannot be read, and a bit of
8 is flipped. The new file has 1 to 5 and 9 as they were; 6 and 7 become notices; 8 is kept as a dead
letter, and a notice is sent in its place. The broker gets 4, 5, the three notices and
9; the next scan is 10, under the new epoch.

The same is the way back from a newer form of the outbox, where a version on trial has migrated it and the former
version runs again: events, marks, dead letters and open items keep the columns that are read here in every form
(`gateway.outbox.migrations`), and what was scanned during the trial goes on being delivered.
"""

import contextlib
import itertools
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import MAX_TIME_NS, UNREADABLE, parked_event
from gateway.outbox import database_pages, dead_letters, unknown_articles, used_pieces, wal_check
from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.checksums import (
    EVENT_COLUMNS,
    MAX_SEQUENCE,
    NOTE_PREFIX,
    event_is_sound,
    of_event,
    of_values,
)
from gateway.outbox.dead_letters import DeadLetter
from gateway.outbox.entry import UnderWay
from gateway.outbox.schema import (
    PAGE_BYTES,
    CorruptOutboxError,
    Cursor,
    NewerOutboxError,
    OutboxError,
    connect,
    open_writer,
    read_cursor,
    write_cursor,
    write_meta,
)
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Outbox
from gateway.system.clock import NS, ClockReading

log = logging.getLogger(__name__)

MAX_GAP: Final = 2048
"""Sequence numbers tried one by one behind a damaged place before SQLite is asked no more: what a damaged inner
page hides is found by looking at each page for itself."""
COMMIT_EVENTS: Final = 1000
"""Copied in one transaction: the WAL of a full outbox must not need the room of another one."""
AtWork = Callable[[], None]
"""Called again and again while a salvage goes on: it may take minutes, and must not be taken for a standstill."""
MAX_LOST: Final = 100_000
"""Numbers of lost events for which notices are written; more are not lost to a damaged place but to a lost disk."""
MAX_RANGES: Final = 20
"""Ranges of lost numbers that are named one by one."""


NEWER: Final = "newer"
"""Begins the ending of a file of a newer form of which not everything could be read."""
LOST: Final = "lost to a damaged disk"
"""Reason of the notice in the place of an event that could not be read."""


UNTRUSTED: Final = "SELECT boot_id, not_before_ns, handed FROM untrusted_boot"


UNKNOWN: Final = Cursor(0, 0, MAX_SEQUENCE)
"""Marks that cannot be believed: everything is sent again, and rows without a checksum are taken as they are."""


class _Owner(Struct, frozen=True):
    source: str
    epoch: str
    sequence: str


_owner_decoder = msgspec.json.Decoder(_Owner)


def _nobody_waits() -> None:
    """Stand in where nobody is to be notified."""


class Salvage(Struct, frozen=True, kw_only=True):
    """What came of it."""

    quarantine: Path
    """Where the damaged file lies now."""
    events: int
    """Events that were copied."""
    delivered: int
    """The delivery mark that was found; 0 sends everything again, which loses nothing."""
    lost: str | None
    """Which events could not be read, for a person; None where none is missing."""


def salvage(
    path: Path, now_ns: int, at_work: AtWork, under_way: UnderWay | None = None, name: str = "corrupt"
) -> Salvage:
    """Quarantine the outbox at `path` and put a new one in its place. Raises OSError and sqlite3.Error (new file).

    `under_way`: what stations have under way, where that is known better than the file says it.

    Every event keeps its bytes and its sequence; a new epoch begins for what comes after, because the new file
    has no identity yet (`Outbox` gives it one when it opens it). The damaged file stays in its place until the new
    one is complete: a power cut or a full disk on the way leaves it to be salvaged again. `name`: begins the ending
    of the quarantined file's name.
    """
    cut_off = _log_damage(path) is not None
    quarantine = keep_aside(path, f"{name}-{now_ns // NS}") or path
    building = path.with_name(f"{path.name}.salvaging")
    remove(building, "", "-wal", "-shm", "-journal")
    fresh = open_writer(building)
    try:
        events, delivered, lost = _carry_over(quarantine, fresh, at_work, cut_off=cut_off, under_way=under_way)
        fresh.execute("PRAGMA journal_mode = DELETE")  # one file, and everything in it
    finally:
        fresh.close()
    building.replace(replacement(path))
    put_in_place(path)
    return Salvage(quarantine=quarantine, events=events, delivered=delivered, lost=lost)


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
    under_way: UnderWay | None = None,
    *,
    came_back: bool = False,
) -> Outbox:
    """Open the outbox, salvaging a damaged one. Raises OutboxError.

    `under_way`: as `salvage` takes it. `came_back`: a newer version was taken back, and this is the former one: an
    outbox of a newer form is brought to this version's; else it is refused, and left as it is (NewerOutboxError).
    """
    try:
        put_in_place(path)
    except OSError as error:
        raise OutboxError("finish salvaging", path, error, "check the directory's owner and the disk") from error
    try:
        examine(path)
        return Outbox(path, settings, identity)
    except CorruptOutboxError as error:
        log.critical("outbox damaged: %s", error)
        _set_aside(path, clock, at_work, under_way)
        return Outbox(path, settings, identity)
    except NewerOutboxError:
        if not came_back:
            raise
        _bring_back(path, clock, at_work)
        return Outbox(path, settings, identity)


def _bring_back(path: Path, clock: ClockReading, at_work: AtWork) -> None:
    """Bring an outbox of a newer form to this version's; the newer file goes, unless something in it was not read."""
    try:
        result = salvage(path, clock.wall_ns, at_work, name=NEWER)
        if result.lost is None:
            remove(result.quarantine, "", "-wal", "-shm")
    except (OSError, sqlite3.Error) as error:
        raise OutboxError("bring back", path, error, "make room on the disk; the file was left as it is") from error
    log.warning(
        "outbox brought back from a newer form events=%d delivered=%d lost=%s",
        *(result.events, result.delivered, result.lost or "none"),
    )


def examine(path: Path) -> None:
    """Look at an outbox's log before SQLite drops what it takes for a torn tail. Raises CorruptOutboxError."""
    try:
        problem = _log_damage(path)
    except OSError as error:
        raise OutboxError("read the log of", path, error, "check the directory's owner and the disk") from error
    if problem is not None:
        raise CorruptOutboxError("open", path, problem, "it will be set aside and salvaged")


def _log_damage(path: Path) -> str | None:
    return wal_check.damage(Path(f"{path}-wal"), Path(f"{path}-shm"), PAGE_BYTES)


def salvaged(outbox: Outbox, clock: ClockReading, at_work: AtWork = _nobody_waits) -> Outbox:
    """Put a salvaged outbox in the place of one that was found damaged in use. Raises OutboxError.

    What stations have under way is in the new file before that takes the old one's place: no cut finds it missing.
    After an error it may be called again with the same outbox.
    """
    if outbox.abandon():
        _set_aside(outbox.path, clock, at_work, outbox.under_way)
    return open_outbox(outbox.path, outbox.settings, outbox.identity, clock, at_work, outbox.under_way)


def quarantined(directory: Path) -> list[str]:
    """Name the damaged outboxes that were set aside in a state directory and wait to be looked at."""
    return sorted(
        path.name for path in directory.glob("outbox.db.corrupt-*") if not path.name.endswith(("-wal", "-shm"))
    )


def set_aside(directory: Path) -> list[str]:
    """Name the outboxes in whose place another was put (a restore, a way back), and that nobody has moved away."""
    return sorted(
        path.name
        for ending in ("before-restore", NEWER)
        for path in directory.glob(f"outbox.db.{ending}-*")
        if not path.name.endswith(("-wal", "-shm"))
    )


def _set_aside(path: Path, clock: ClockReading, at_work: AtWork, under_way: UnderWay | None) -> None:
    try:
        result = salvage(path, clock.wall_ns, at_work, under_way)
    except (OSError, sqlite3.Error) as error:
        raise OutboxError("salvage", path, error, "replace the disk; the damaged file is kept") from error
    log.critical(
        "outbox salvaged quarantine=%s events=%d delivered=%d lost=%s",
        *(result.quarantine, result.events, result.delivered, result.lost or "none"),
    )


def _copy_events(
    rows: Iterable[database_pages.EventRow], fresh: sqlite3.Connection, cursor: Cursor, at_work: AtWork
) -> int:
    """Copy the sound rows, then the others that have no sound copy, as dead letters; return how many events."""
    doubtful: dict[int, database_pages.EventRow] = {}
    events = 0
    for number, read in enumerate(rows, 1):
        row = _in_its_place(read)
        if event_is_sound(row, cursor.unchecked) and (row[5] is not None or dead_letters.is_event(row[4])):
            events += _put(fresh, row)
        elif 0 < row[0] < MAX_SEQUENCE and isinstance(row[4], bytes):
            doubtful.setdefault(row[0], row)
        if number % COMMIT_EVENTS == 0:
            at_work()
            fresh.execute("COMMIT")
            fresh.execute("BEGIN IMMEDIATE")
    for row in doubtful.values():  # no whole copy has been found beside it
        kept = _put(fresh, row)
        events += kept
        if kept and row[0] > cursor.delivered:
            letter = DeadLetter(sequence=row[0], parked_ns=row[1], reason=dead_letters.DAMAGED, asked_ns=0)
            dead_letters.put(fresh, letter)
    return events


def _carry_over(
    damaged: Path,
    fresh: sqlite3.Connection,
    at_work: AtWork,
    *,
    cut_off: bool,
    under_way: UnderWay | None,
) -> tuple[int, int, str | None]:
    """Copy what can be read: first as SQLite finds it, then what it finds no way to.

    `cut_off`: the log's end is damaged. Returns how many events, the delivery mark, and which events are lost.
    """
    with contextlib.ExitStack() as stack:
        source = None
        with contextlib.suppress(sqlite3.DatabaseError):  # its first page is damaged
            source = stack.enter_context(contextlib.closing(connect(damaged, read_only=True)))
        cursor, facts = _marks(source)
        found = () if source is None else _readable(source, cursor.delivered)
        fresh.execute("BEGIN IMMEDIATE")
        pages = database_pages.events(damaged, cursor.delivered)
        events = _copy_events(itertools.chain(found, pages), fresh, cursor, at_work)
        if under_way is None:
            under_way = UnderWay(items={} if source is None else _sound_items(source))
        fresh.executemany(
            "INSERT INTO open_item VALUES (?, ?, ?)",
            [(*item, of_values(*item)) for item in under_way.items.items()],
        )
        if source is not None:
            _carry_over_the_rest(source, fresh)
        lost = _what_is_lost(fresh, cursor, facts, cut_off=cut_off)
        oldest = fresh.execute("SELECT min(sequence) FROM event").fetchone()[0]
        if cursor == UNKNOWN and oldest is not None:
            cursor = Cursor(oldest - 1, oldest - 1, 0)  # what lay in front was delivered, and removed by age
        used_pieces.fill(fresh)
        write_cursor(fresh, Cursor(cursor.delivered, max(cursor.published, cursor.delivered), 0))
        notes = {f"{NOTE_PREFIX}{key}": text for key, text in under_way.notes.items()}
        write_meta(fresh, {"lost": lost, **notes})
        fresh.execute("COMMIT")
    return events, cursor.delivered, lost


def _what_is_lost(
    fresh: sqlite3.Connection, cursor: Cursor, facts: Mapping[str, str], *, cut_off: bool
) -> str | None:
    """Write notices for lost events, and say which are lost for certain, and what else may be; None: nothing."""
    lost = _fill_gaps(fresh, cursor, facts)
    first, last = fresh.execute("SELECT min(sequence), ifnull(max(sequence), 0) FROM event").fetchone()
    if cursor == UNKNOWN:
        lost = _also(lost, "what was scanned before" if first is None else f"what was scanned in front of {first}")
    return _also(lost, f"what was scanned behind {last}") if cut_off else lost


def _in_its_place(row: database_pages.EventRow) -> database_pages.EventRow:
    """Return a row under the number that its event says, where its checksum says that it was written so."""
    with contextlib.suppress(*UNREADABLE, TypeError):
        own = int(_owner_decoder.decode(row[4]).sequence)
        if own != row[0] and of_event(own, *row[1:5]) == row[5]:
            return (own, *row[1:])
    return row


def _also(lost: str | None, more: str) -> str:
    """Add to what is lost for certain what may be."""
    return f"{lost}, and perhaps {more}" if lost else f"perhaps {more}"


def _put(fresh: sqlite3.Connection, row: database_pages.EventRow) -> int:
    """Write one event, unless it is there; return how many were written."""
    sequence, recorded_ns, trusted, sealed, body = row[:5]
    values = (sequence, _small(recorded_ns), int(trusted == 1), int(sealed != 0), body)
    return fresh.execute(
        "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?)", (*values, of_event(*values))
    ).rowcount


def _small(moment_ns: object) -> int:
    return moment_ns if isinstance(moment_ns, int) and 0 <= moment_ns < MAX_TIME_NS else 0


def _marks(source: sqlite3.Connection | None) -> tuple[Cursor, dict[str, str]]:
    """Return how far delivery had come, and whose file it is; what is not certain counts for nothing."""
    cursor, facts = UNKNOWN, {}
    if source is not None:
        with contextlib.suppress(sqlite3.DatabaseError):
            cursor = _old_cursor(source) or read_cursor(source)
        with contextlib.suppress(sqlite3.DatabaseError):
            facts = dict(source.execute("SELECT key, value FROM meta").fetchall())
    return cursor, {key: value for key, value in facts.items() if isinstance(value, str)}


def _old_cursor(source: sqlite3.Connection) -> Cursor | None:
    """Return the marks of a file from before there were checksums; None for a newer one. Raises sqlite3.Error."""
    columns = [name for _, name, *_ in source.execute("PRAGMA table_info(cursor)")]
    if "checksum" in columns:
        return None
    ((delivered,),) = source.execute("SELECT delivered FROM cursor").fetchall()
    whole = isinstance(delivered, int) and 0 <= delivered < MAX_SEQUENCE
    return Cursor(delivered, 0, MAX_SEQUENCE - 1) if whole else UNKNOWN


def _fill_gaps(fresh: sqlite3.Connection, cursor: Cursor, facts: Mapping[str, str]) -> str | None:
    """Write a notice for each number that was given and whose event is lost; return which they are.

    So every number reaches the central system. Where the marks could not be read, the oldest event is the first.
    """
    rows = fresh.execute(
        "SELECT sequence, body FROM event WHERE sequence > ? ORDER BY sequence", (cursor.delivered,)
    )
    missing: list[tuple[int, int]] = []
    expected, own = None if cursor.unchecked == UNKNOWN.unchecked else cursor.delivered + 1, None
    for sequence, body in rows:
        if expected is not None and sequence > expected:
            missing.append((expected, sequence - 1))
        expected, own = sequence + 1, own or _owner(body)
    if expected is not None and cursor.published >= expected:
        missing.append((expected, cursor.published))
    if not missing:
        return None
    source, epoch = own or (facts.get("gateway", ""), facts.get("epoch", ""))
    written = 0
    for first, last in missing:
        for sequence in range(first, min(last, first + MAX_LOST - written - 1) + 1):
            body = parked_event(None, sequence, LOST, source, epoch, 0)
            _put(fresh, (sequence, 0, 0, 1, body, None))
            written += 1
    names = [str(first) if first == last else f"{first}-{last}" for first, last in missing[:MAX_RANGES]]
    return ", ".join(names) + (" and more" if len(missing) > MAX_RANGES else "")


def _owner(body: bytes) -> tuple[str, str] | None:
    """Return the source and epoch that an event names."""
    with contextlib.suppress(*UNREADABLE):
        head = _owner_decoder.decode(body)
        return head.source, head.epoch
    return None


def _carry_over_the_rest(source: sqlite3.Connection, fresh: sqlite3.Connection) -> None:
    """Copy what can be read beside the events: dead letters, unknown articles, the clock's state.

    A dead letter that does not hold what was written is left: the event is sent.
    """
    for letter in _sound_letters(source):
        dead_letters.put(fresh, letter)
    with contextlib.suppress(sqlite3.DatabaseError):
        unknown_articles.carry_over(source, fresh)
    with contextlib.suppress(sqlite3.DatabaseError):
        for boot, not_before_ns, handed in source.execute(UNTRUSTED):
            row = (str(boot), _small(not_before_ns), int(bool(handed)))
            fresh.execute("REPLACE INTO untrusted_boot VALUES (?, ?, ?)", row)


def _sound_items(source: sqlite3.Connection) -> dict[str, bytes]:
    """Return the open items that can be read. What does not hold what was written stays in the quarantined file."""
    items: dict[str, bytes] = {}
    with contextlib.suppress(sqlite3.DatabaseError):
        for scanner, item, checksum in source.execute("SELECT scanner, draft, checksum FROM open_item"):
            if checksum == of_values(scanner, item):
                items.setdefault(scanner, item)
    return items


def _sound_letters(source: sqlite3.Connection) -> Iterator[DeadLetter]:
    with contextlib.suppress(sqlite3.DatabaseError):
        for row in source.execute("SELECT sequence, parked_ns, reason, retry, checksum FROM dead"):
            if row[4] == of_values(*row[:4]):
                yield DeadLetter(sequence=row[0], parked_ns=row[1], reason=row[2], asked_ns=row[3])


def _readable(source: sqlite3.Connection, delivered: int) -> Iterator[database_pages.EventRow]:
    """Yield each event that can be read; where a page is damaged, go on behind it.

    What lies behind a place that is too large to be crossed is reached from what was delivered last, and then from
    the end.
    """
    select = _select(source)
    position = 0
    gap = 0
    while gap < MAX_GAP:
        try:
            for row in source.execute(f"{select} sequence > ? ORDER BY sequence", (position,)):
                if row[0] <= position:
                    continue  # a damaged tree leads back
                position = row[0]
                gap = 0
                yield row
        except sqlite3.DatabaseError:
            position += 1
            gap += 1
            if gap == MAX_GAP and position < delivered:
                position = delivered
                gap = 0
        else:
            return
    with contextlib.suppress(sqlite3.DatabaseError, OverflowError):
        yield from source.execute(f"{select} sequence > ? ORDER BY sequence DESC", (position,))


def _select(source: sqlite3.Connection) -> str:
    """Return the beginning of a query for events, also of a file from before there were checksums."""
    with contextlib.suppress(sqlite3.DatabaseError):
        if "checksum" not in [name for _, name, *_ in source.execute("PRAGMA table_info(event)")]:
            return "SELECT sequence, recorded_ns, trusted, sealed, body, NULL FROM event WHERE"
    return f"SELECT {EVENT_COLUMNS} FROM event WHERE"  # noqa: S608 - our own names

"""A copy of the outbox while the daemon works, and the way back from one."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.reader import OutboxReader
from gateway.outbox.salvage import flush, keep_aside, put_in_place, remove, replacement
from gateway.outbox.schema import OutboxError, connect, forget_identity, is_damage, open_writer, refuse_newer
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Outbox
from gateway.system.clock import NS, ClockReading

WRITABLE: Final = "choose a directory that this user may write to, on a disk with room"
USABLE: Final = "give a file that `scangate outbox backup` has made"
_TABLES: Final = frozenset({"meta", "cursor", "event", "symbol", "dead"})
"""What every version of an outbox has."""


class Restored(Struct, frozen=True, kw_only=True):
    """What came of a restore."""

    epoch: str
    """Of everything that is scanned from now on."""
    epoch_begins: int
    events: int
    """Events of the backup."""
    waiting: int
    """Of these, those that are delivered next; the central system knows again what it has had before."""
    aside: Path | None
    """Where the outbox that was here before lies now; None when there was none."""
    left_behind: int
    """Events there that wait for delivery and are not in the backup."""


As = Callable[[], contextlib.AbstractContextManager[None]]
"""Be another user for the length of a `with`: the outbox is its owner's, a backup lies where the caller says."""


def back_up(path: Path, destination: Path, caller: As = contextlib.nullcontext) -> int:
    """Copy the outbox into one file, as it is at one moment, whoever writes it meanwhile; return how many events.

    An older backup of that name is replaced when the new one is complete and sound. The outbox is opened as the
    present user, the destination as `caller`. Raises OutboxError.
    """
    with contextlib.suppress(OSError), caller():
        if destination.samefile(path):
            raise OutboxError("back up to", destination, "it is the outbox itself", "choose another name")
    building = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    try:
        with _opened(path, "back up") as source, caller():
            try:
                _copy(source, building)
                with _opened(building, "check") as copy:
                    _check(copy, building)
                    (events,) = copy.execute("SELECT count(*) FROM event").fetchone()
                building.replace(destination)
                flush(destination.parent)
            finally:
                remove(building, "", "-wal", "-shm", "-journal")
    except (OSError, sqlite3.Error) as error:
        raise OutboxError("write", destination, getattr(error, "strerror", None) or error, WRITABLE) from error
    return int(events)


def restore(
    path: Path,
    backup: Path,
    settings: OutboxSettings,
    identity: BoxIdentity,
    clock: ClockReading,
    caller: As = contextlib.nullcontext,
) -> Restored:
    """Put a backup in the place of the outbox, under the state directory's lock. Raises OutboxError.

    Events keep their numbers and bytes; a new epoch begins behind them, because numbers beyond the backup may have
    been given before. The outbox that was here is kept aside, whole; until the backup is in its place, a failure or
    a power cut leaves everything as it was. The backup is opened as `caller`, all else is the present user's.
    """
    building = path.with_name(f"{path.name}.restoring")
    try:
        put_in_place(path)  # what an earlier salvage or restore had complete
        remove(building, "", "-wal", "-shm", "-journal")
        with contextlib.ExitStack() as opened:
            with caller():
                source = opened.enter_context(_opened(backup, "restore"))
            _check(source, backup)
            _copy(source, building)
        fresh = open_writer(building)
        with contextlib.closing(fresh):
            forget_identity(fresh)
            fresh.execute("PRAGMA journal_mode = DELETE")  # one file, and everything in it
        aside = keep_aside(path, f"before-restore-{clock.wall_ns // NS}")
        building.replace(replacement(path))
        put_in_place(path)
    except (OSError, sqlite3.Error) as error:
        raise OutboxError("restore", path, getattr(error, "strerror", None) or error, WRITABLE) from error
    finally:
        remove(building, "", "-wal", "-shm", "-journal")
    outbox = Outbox(path, settings, identity)
    outbox.close(clock)
    with contextlib.closing(OutboxReader(path)) as restored:
        return Restored(
            epoch=outbox.epoch,
            epoch_begins=outbox.epoch_begins,
            events=sum(1 for _ in restored.journal()),
            waiting=restored.waiting(),
            aside=aside,
            left_behind=0 if aside is None else _left_behind(aside, restored),
        )


def _left_behind(aside: Path, restored: OutboxReader) -> int:
    """Count the events of the former outbox that wait there and are not in the restored one."""
    with contextlib.suppress(OutboxError), contextlib.closing(OutboxReader(aside)) as former:
        return sum(
            restored.body(one.sequence) != one.body
            for one in former.journal(after=former.delivered())
            if one.state == "waiting"
        )
    return 0  # it is damaged: what can be read of it is read by a salvage


@contextlib.contextmanager
def _opened(path: Path, operation: str) -> Iterator[sqlite3.Connection]:
    """Open an outbox for reading."""
    try:
        if not path.is_file():
            raise OutboxError(operation, path, "there is no such file", USABLE)
        db = connect(path, read_only=True)
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()  # SQLite opens its files at the first read
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
    except (OSError, sqlite3.Error) as error:
        raise OutboxError(operation, path, error, "may this user read it?") from error
    with contextlib.closing(db):
        yield db


def _copy(source: sqlite3.Connection, destination: Path) -> None:
    """Copy a whole database in one read: its writer goes on, and what it writes meanwhile is not in the copy."""
    os.close(os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))  # scans: nobody else's business
    with contextlib.closing(connect(destination)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Make sure that this is a sound outbox of a version that is known. Raises OutboxError."""
    try:
        refuse_newer(db, path)
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables >= _TABLES:
            raise OutboxError("use", path, "it is no outbox", USABLE)
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise OutboxError("use", path, error, USABLE) from error
    if verdict != "ok":
        raise OutboxError("use", path, f"it is damaged: {verdict}", USABLE)

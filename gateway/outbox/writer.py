"""The outbox: where a scan becomes durable. One writer, one transaction for what is queued, synchronous=FULL.

`append` returns when the scans are on the disk: only then may a scanner signal `accepted`. What was delivered
rides in the next append's transaction, or goes alone when the box is idle; losing that mark only sends again.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.events import cloudevent
from gateway.outbox import dead_letters, maintenance, unknown_articles, used_pieces, wal_check
from gateway.outbox import entry as drafting
from gateway.outbox.batch import AppendBatch
from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.capacity import Capacity, measure
from gateway.outbox.checksums import (
    EVENT_COLUMNS,
    NOTE_PREFIX,
    DamagedRowError,
    check,
    event_is_sound,
    of_event,
    of_values,
)
from gateway.outbox.entry import Dead, DeliveryMarks, JournalledSymbol, NewEvent, UnderWay, Write
from gateway.outbox.maintenance import SEAL_ROWS
from gateway.outbox.retention import Retention
from gateway.outbox.schema import (
    PAGE_BYTES,
    CorruptOutboxError,
    Cursor,
    OutboxError,
    is_damage,
    open_writer,
    read_cursor,
    read_meta,
    write_cursor,
    write_meta,
)
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.wal_check import End
from gateway.system.clock import ClockReading, local_rfc3339

MEASURE_SCANS: Final = 64
"""Scans stored between two looks at the free space: 0.2 MB, far below any sensible margin."""
TRUSTED_LOOK_BACK: Final = 10_000
"""Events searched at a start for the last trusted time: a box that never had one must not read all its history."""


UNPROVEN_END: Final = "power cut"
"""Why a new epoch begins: whether the newest events are still there is not known, and no number may come twice."""
MAX_UNTRUSTED_BOOTS: Final = 1000
"""Boots without a set clock that are remembered: three years of a box that is switched on every day."""


class UntrustedBoot(NamedTuple):
    """A row of `untrusted_boot`."""

    boot_id: str
    not_before_ns: int
    handed: int


class FullOutboxError(OutboxError):
    """No room for a scan; nothing was stored."""


class Outbox:
    """The writing side. Used by one thread. Raises OutboxError; after one, `append` may be called again."""

    def __init__(self, path: Path, settings: OutboxSettings, identity: BoxIdentity) -> None:
        self.path = path
        self.settings = settings
        self.identity = identity
        self._source = identity.gateway
        end = self._end_of_log()
        self._db = open_writer(path)
        self._open = True
        self._next = 1
        self._delivered_mark = self._published_mark = 0
        self._dead: list[Dead] = []
        self._revived: list[int] = []
        self._until_measured = 0
        self._untrusted: dict[str, UntrustedBoot] = {}
        self.lost: str | None = None
        """Which events a salvage could not read, for a person; None where there is none."""
        self.left_open: tuple[NewEvent, ...] = ()
        """Items that an earlier life left half scanned. The next append makes events of them."""
        self.under_way = UnderWay()
        try:
            self.new_epoch_because = self._settle_epoch(identity, end)
            self._resume()
        except (sqlite3.Error, *cloudevent.UNREADABLE, LookupError, TypeError, ArithmeticError) as error:
            # a value that is none of ours is damage, whatever it trips
            failed = self._failed("read", error if isinstance(error, sqlite3.Error) else DamagedRowError(error))
            self._db.close()
            raise failed from error
        except BaseException:
            self._db.close()
            raise

    def append(self, writes: Sequence[Write], clock: ClockReading, *, seal: bool) -> list[int]:
        """Store scans durably, in order, in one transaction; return the sequence numbers of the events among them.

        Items that an earlier life left open become events before them, and have their numbers in front. `seal`: the
        events' times are final at once, because the publisher waits for them. Raises FullOutboxError when there is
        no room, OutboxError when the disk fails; then none of them is stored.
        """
        self._make_room(len(writes), clock)
        left, self.left_open = self.left_open, ()  # making room may fail; what follows puts them back when it does
        sealed = seal or clock.synchronised
        batch = AppendBatch((*left, *writes), self._next, self.epoch, self._source, clock, sealed=sealed)
        try:
            with self._transaction("store a scan in", clock):
                for row in batch.events:
                    self._db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", row)
                if batch.closed or batch.holds:
                    self._write_open(batch)
                for symbol in batch.symbols:
                    self._db.execute("INSERT INTO symbol VALUES (NULL, ?, ?, ?, ?, ?)", symbol)
                for key, text in batch.notes.items():
                    self._db.execute("REPLACE INTO meta VALUES (?, ?)", (f"{NOTE_PREFIX}{key}", text))
                used_pieces.note(self._db, batch.drafts, batch.sequences)
                unknown_articles.note(self._db, batch.drafts, clock.wall_ns)
                if not clock.synchronised and batch.events:
                    self._note_untrusted(clock, handed=sealed)
        except BaseException:
            self.left_open = left
            raise
        if batch.closed or batch.holds or batch.notes:
            self.under_way = batch.leaves(self.under_way)
        self._next += len(batch.events)
        return [row[0] for row in batch.events]

    def _write_open(self, batch: AppendBatch) -> None:
        """Bring the open items up to date: those that became events go, those that grew are replaced."""
        for scanner in batch.closed:
            self._db.execute("DELETE FROM open_item WHERE scanner = ?", (scanner,))
            self._db.execute("DELETE FROM symbol WHERE event IS NULL AND scanner = ?", (scanner,))
        for scanner, draft in batch.holds.items():
            row = (scanner, draft)
            self._db.execute("REPLACE INTO open_item VALUES (?, ?, ?)", (*row, of_values(*row)))

    def recent(self, limit: int) -> list[bytes]:
        """Return the newest events, the oldest of them first."""
        try:
            rows = self._db.execute("SELECT body FROM event ORDER BY sequence DESC LIMIT ?", (limit,)).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._failed("read", error) from error
        return [body for (body,) in reversed(rows)]

    def station_note(self, key: str) -> str | None:
        """Return what a station has kept under a key, or None."""
        try:
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (f"{NOTE_PREFIX}{key}",)).fetchone()
        except sqlite3.DatabaseError as error:
            raise self._failed("read", error) from error
        return None if row is None else str(row[0])

    def note(self, marks: DeliveryMarks) -> None:
        """Note what delivery has come to; durable with the next write."""
        self._delivered_mark = max(self._delivered_mark, min(marks.delivered, self.last))
        self._published_mark = max(self._published_mark, min(marks.published, self.last))
        self._dead += marks.parked
        self._revived += marks.revived

    def mark_delivered(self, upto: int) -> None:
        """Note that every event up to this one is delivered or dead; durable with the next write."""
        self.note(DeliveryMarks(delivered=upto, published=upto))

    def park(self, dead: Dead) -> None:
        """Note that an event went to the dead letters; durable with the next write."""
        self.note(DeliveryMarks(parked=(dead,)))

    def revive(self, sequence: int) -> None:
        """Note that a dead letter was sent again and delivered; durable with the next write."""
        self.note(DeliveryMarks(revived=(sequence,)))

    def retry(self, wanted: Collection[int] | None, clock: ClockReading) -> list[int]:
        """Have dead letters sent again, those named or all; return which will be. They keep sequence and id."""
        self.write_marks(clock)  # what was parked just now is one of them
        with self._transaction("have dead letters sent again from", clock):
            return dead_letters.ask_again(self._db, wanted, clock.wall_ns)

    @property
    def marks_pending(self) -> bool:
        """There are marks that are not on disk yet."""
        return self._marked != self._cursor or bool(self._dead) or bool(self._revived)

    @property
    def _marked(self) -> Cursor:
        """The cursor with the marks that are not on disk yet."""
        cursor = self._cursor
        return Cursor(
            max(cursor.delivered, self._delivered_mark),
            max(cursor.published, self._published_mark),
            cursor.unchecked,
        )

    @property
    def delivered(self) -> int:
        """Every event up to this one is delivered or dead, as the disk has it."""
        return self._cursor.delivered

    @property
    def published(self) -> int:
        """Every event up to this one has its PUBACK, as the disk has it."""
        return self._cursor.published

    def write_marks(self, clock: ClockReading) -> None:
        """Write the marks in a transaction of their own, for when no scan comes."""
        if self.marks_pending:
            with self._transaction("mark delivered scans in", clock):
                pass

    def seal(self, clock: ClockReading) -> int:
        """Settle the times of events that may be handed over now; return how many there were.

        A clock that has been set in the meantime corrects the events of this boot; the others keep their times.
        """
        try:
            rows = maintenance.unsettled(self._db, self._cursor.unchecked)
        except sqlite3.Error as error:
            raise self._failed("settle times in", error) from error
        if rows:
            with self._transaction("settle times in", clock):
                maintenance.settle(self._db, rows, clock)
                if not clock.synchronised:
                    self._note_untrusted(clock, handed=True)
        return len(rows)

    def clock_learnt(self, new_id: Callable[[], str], clock: ClockReading) -> list[int]:
        """Append clock events for boots of which events have times that could not be believed.

        For the present boot, where one was handed over so, the offset to its true time; for an earlier one, whose
        clock was never set, the bounds. Returns their sequence numbers.
        """
        if not clock.synchronised or not self._untrusted:
            return []
        began_ns = clock.wall_ns - clock.monotonic_ns
        rows: list[tuple[int, int, int, int, bytes]] = []
        for boot in self._untrusted.values():
            if boot.boot_id != clock.boot_id:
                data = cloudevent.ClockData(
                    boot_id=boot.boot_id,
                    not_before=local_rfc3339(boot.not_before_ns),
                    not_after=local_rfc3339(max(began_ns, boot.not_before_ns)),
                )
            elif boot.handed:
                data = cloudevent.ClockData(boot_id=clock.boot_id, offset_ns=began_ns)
            else:
                continue  # its events were corrected before they left
            sequence = self._next + len(rows)
            at = cloudevent.Position(epoch=self.epoch, sequence=sequence, recorded_ns=clock.wall_ns)
            rows.append((sequence, clock.wall_ns, 1, 1, cloudevent.clock_event(new_id(), self._source, data, at)))
        with self._transaction("store a clock event in", clock):
            self._db.executemany(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", [(*row, of_event(*row)) for row in rows]
            )
            self._db.execute("DELETE FROM untrusted_boot")
        self._untrusted = {}
        self._next += len(rows)
        return [row[0] for row in rows]

    def maintain(self, clock: ClockReading) -> bool:
        """Do one piece of maintenance while no scan comes; True when there is more to do."""
        self._measure_capacity()
        too_old_ns = self._retention.cutoff(clock, self.settings.days(alone=False))
        scarce = self.capacity.level in {Capacity.NEARLY_FULL, Capacity.FULL}
        if (scarce or too_old_ns is not None) and self._prune(None if scarce else too_old_ns):
            return True
        self._checkpoint()
        return False

    def close(self, clock: ClockReading) -> None:
        """Write the marks and close the file."""
        try:
            self.write_marks(clock)
        finally:
            self._db.close()

    def abandon(self) -> bool:
        """Close a damaged file as it is; return False when that was done before."""
        open_until_now, self._open = self._open, False
        with suppress(sqlite3.Error):
            self._db.close()
        return open_until_now

    @property
    def last(self) -> int:
        """Sequence of the newest stored event; 0 before the first."""
        return self._next - 1

    def last_trusted_ns(self) -> int | None:
        """When the newest event with a synchronised clock had been recorded as this outbox was opened."""
        return self._last_trusted_ns

    def oldest_waiting_ns(self) -> int | None:
        """When the oldest event that is not delivered was recorded."""
        try:
            row = self._db.execute(
                "SELECT recorded_ns FROM event WHERE sequence > ? ORDER BY sequence LIMIT 1", (self.delivered,)
            ).fetchone()
        except sqlite3.DatabaseError as error:
            raise self._failed("read", error) from error
        return None if row is None else int(row[0])

    def unknown_articles(self) -> int:
        """How many articles were scanned that the master does not know."""
        try:
            return unknown_articles.count_open(self._db)
        except sqlite3.DatabaseError as error:
            raise self._failed("read", error) from error

    def settle_unknown(
        self, known: Callable[[str, str | None], bool], clock: ClockReading, after: str
    ) -> tuple[int, str | None]:
        """Mark unknown articles that the master knows now: how many, and where to go on (None: at the end)."""
        try:
            return unknown_articles.settle(self._db, known, clock.wall_ns, after=after)
        except sqlite3.DatabaseError as error:
            raise self._failed("list unknown articles in", error) from error

    def _end_of_log(self) -> End:
        try:
            return wal_check.end_of(Path(f"{self.path}-wal"), Path(f"{self.path}-shm"), PAGE_BYTES)
        except OSError as error:
            raise OutboxError("read the log of", self.path, error, "check the directory's owner") from error

    def _settle_epoch(self, identity: BoxIdentity, end: End) -> str | None:
        """Keep the epoch, or begin a new one: this file came from another box, or its end cannot be proved.

        Returns why.
        """
        facts = read_meta(self._db)
        self.lost = facts.get("lost")
        stored = facts.get("epoch")
        known = BoxIdentity(
            machine=facts.get("machine"), board=facts.get("board"), gateway=facts.get("gateway") or ""
        )
        because = identity.differs_from(known) if stored else "first start"
        same_boot = identity.boot is not None and identity.boot == facts.get("boot")
        if because is None and end is not End.IN_ORDER and not (same_boot and end is End.COUNTED):
            because = UNPROVEN_END
        if stored and because is None:
            self.epoch = stored
            self.epoch_begins = int(facts["epoch_begins"])
        else:
            self.epoch = os.urandom(8).hex()
            self.epoch_begins = self._read_next()
        now = {
            "epoch": self.epoch,
            "epoch_begins": str(self.epoch_begins),
            "machine": identity.machine,
            "board": identity.board,
            "gateway": identity.gateway,
            "boot": identity.boot,
        }
        news = {key: value for key, value in now.items() if value is not None and facts.get(key) != value}
        if news:  # also what could not be noticed before, so that a later copy is noticed
            self._db.execute("BEGIN IMMEDIATE")
            write_meta(self._db, news)
            self._db.execute("COMMIT")
        return because if stored else None

    def _resume(self) -> None:
        self._next = self._read_next()
        self._verify()
        self.dead_letters = dead_letters.count(self._db)
        row = self._db.execute(
            "SELECT recorded_ns FROM event WHERE trusted = 1 AND sequence > ? ORDER BY sequence DESC LIMIT 1",
            (self.last - TRUSTED_LOOK_BACK,),
        ).fetchone()
        self._last_trusted_ns = None if row is None else int(row[0])
        self._retention = Retention(self._last_trusted_ns)
        items = dict(self._read_open_items())
        self.left_open = tuple(
            msgspec.structs.replace(drafting.decode(item), closes=scanner) for scanner, item in items.items()
        )
        self.under_way = UnderWay(items=items, notes=dict(self._read_notes()))
        self._measure_capacity()

    def _verify(self) -> None:
        """Make sure that what everything else rests on holds what was written. Raises sqlite3.Error."""
        dead_letters.verify(self._db)
        newest = self._db.execute(
            f"SELECT {EVENT_COLUMNS} FROM event ORDER BY sequence DESC LIMIT 1"  # noqa: S608 - our own names
        ).fetchone()
        if newest is not None and not event_is_sound(newest, self._cursor.unchecked):
            raise DamagedRowError(f"event {newest[0]} does not hold what was written")
        waiting = self._db.execute(
            "SELECT min(sequence) FROM event WHERE sequence > ?", (self._cursor.delivered,)
        ).fetchone()[0]
        if waiting not in {None, self._cursor.delivered + 1}:
            raise DamagedRowError(f"event {self._cursor.delivered + 1} is gone")

    def _read_open_items(self) -> Iterator[tuple[str, bytes]]:
        """Yield scanner and item of those that were half scanned when the daemon ended."""
        for scanner, text, checksum in self._db.execute(
            "SELECT scanner, draft, checksum FROM open_item ORDER BY scanner"
        ):
            check("open_item", checksum, scanner, text)
            yield scanner, text

    def _read_notes(self) -> Iterator[tuple[str, str]]:
        for key, text in self._db.execute("SELECT key, value FROM meta"):
            if key.startswith(NOTE_PREFIX):
                yield key.removeprefix(NOTE_PREFIX), text

    def _read_next(self) -> int:
        """Next sequence number. Only delivered events are ever removed, so the cursor remembers the highest."""
        self._cursor = read_cursor(self._db)
        self._untrusted = {
            row[0]: UntrustedBoot(*row)
            for row in self._db.execute("SELECT boot_id, not_before_ns, handed FROM untrusted_boot")
        }
        newest: int = self._db.execute("SELECT ifnull(max(sequence), 0) FROM event").fetchone()[0]
        return max(newest, *self._cursor[:2]) + 1

    def _note_untrusted(self, clock: ClockReading, *, handed: bool) -> None:
        """Remember a boot whose clock has not been set, and whether an event of it leaves with such a time."""
        known = self._untrusted.get(clock.boot_id)
        if known is not None and (known.handed or not handed):
            return
        boot = UntrustedBoot(clock.boot_id, known.not_before_ns if known else clock.lower_bound_ns, int(handed))
        if len(self._untrusted) < MAX_UNTRUSTED_BOOTS or known is not None:
            self._db.execute("REPLACE INTO untrusted_boot VALUES (?, ?, ?)", boot)
            self._untrusted = {**self._untrusted, clock.boot_id: boot}

    @contextmanager
    def _transaction(self, operation: str, clock: ClockReading) -> Iterator[None]:
        """Do what is within in one transaction, and write the marks of delivery along with it."""
        marked = self._marked
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            if marked != self._cursor:
                write_cursor(self._db, marked)
            if self._dead or self._revived:
                letters = dead_letters.write(self._db, self._dead, self._revived, clock.wall_ns)
            else:
                letters = self.dead_letters
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(operation, error) from error
        self._cursor, self.dead_letters = marked, letters
        self._dead, self._revived = [], []

    def _failed(self, operation: str, error: sqlite3.Error) -> OutboxError:
        """Undo the transaction, and say what the error means."""
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._next = self._read_next()
        except sqlite3.DatabaseError:
            pass  # the first error says more; the next operation meets this one again
        if is_damage(error):
            return CorruptOutboxError(operation, self.path, error, "it will be set aside and salvaged")
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            return FullOutboxError(operation, self.path, error, "make room on the disk")
        return OutboxError(operation, self.path, error, "check the disk; the scan was not stored")

    def _make_room(self, scans: int, clock: ClockReading) -> None:
        """Refuse visibly rather than fill the disk; what is reported elsewhere, then what is delivered, goes first."""
        self._until_measured -= scans
        if self._until_measured <= 0 or self.capacity.level is Capacity.FULL:
            self._measure_capacity()
        while self.capacity.level is Capacity.FULL:
            self.write_marks(clock)
            if not self._prune(None):
                raise FullOutboxError(
                    "store a scan in",
                    self.path,
                    "its room is used up by scans that are not delivered"
                    if self.capacity.bound == "max_bytes"
                    else "the disk is as full as it may become",
                    self.capacity.remedy(self.settings),
                )
            self._measure_capacity()

    def _measure_capacity(self) -> None:
        try:
            self.capacity = measure(self._db, self.path.parent, self.settings)
        except sqlite3.Error as error:
            raise self._failed("measure", error) from error
        except OSError as error:
            raise OutboxError("measure", self.path, error.strerror, "check the disk") from error
        self._until_measured = MEASURE_SCANS

    def _prune(self, recorded_before_ns: int | None) -> int:
        try:
            return maintenance.prune(self._db, self.delivered, recorded_before_ns)
        except sqlite3.Error as error:
            raise self._failed("remove delivered scans from", error) from error

    def _checkpoint(self) -> None:
        try:
            maintenance.checkpoint(self._db, self.path)
        except sqlite3.Error as error:
            raise self._failed("checkpoint", error) from error


__all__ = ["SEAL_ROWS", "Dead", "FullOutboxError", "JournalledSymbol", "NewEvent", "Outbox"]

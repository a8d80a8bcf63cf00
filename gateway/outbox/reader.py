"""The reading side of the outbox: what is to be sent, and what was. Each reader has its own connection."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import UNREADABLE, parked_event
from gateway.events.stored_event import StoredEvent
from gateway.outbox import dead_letters
from gateway.outbox.checksums import EVENT_COLUMNS, MAX_SEQUENCE, DamagedRowError, event_is_sound
from gateway.outbox.dead_letters import DeadLetter
from gateway.outbox.schema import (
    CorruptOutboxError,
    OutboxError,
    connect,
    is_damage,
    read_cursor,
)

JOURNAL_CHUNK: Final = 500
"""Events read at a time by listings: short reads do not keep the writer from checkpointing."""


class _OfEpoch(Struct, frozen=True):
    """The one field of an event that is asked for."""

    epoch: str


_epoch_decoder = msgspec.json.Decoder(_OfEpoch)


class OutboxReader:
    """A read-only view of the outbox. Raises OutboxError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = connect(path, read_only=True)
            try:
                self._db.execute("SELECT 1 FROM cursor").fetchone()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def next(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` events behind sequence `after` that may be handed over, in order.

        It ends before the first event whose time is not settled. In the place of a dead letter stands its notice.
        Raises CorruptOutboxError for an event that does not hold what was written, or that is gone.
        """
        try:
            rows = self._db.execute(
                f"SELECT {EVENT_COLUMNS}, (SELECT reason FROM dead WHERE dead.sequence = event.sequence) FROM event"  # noqa: S608 - our own names
                " WHERE sequence > ?"
                " AND sequence < ifnull((SELECT min(sequence) FROM event WHERE sealed = 0), 9223372036854775807)"
                " ORDER BY sequence LIMIT ?",
                (after, limit),
            ).fetchall()
            cursor = read_cursor(self._db)
            expected = after + 1
            for *row, reason in rows:
                if row[0] != expected and expected > cursor.delivered:
                    raise DamagedRowError(f"event {expected} is gone")
                if reason is None and not event_is_sound(tuple(row), cursor.unchecked):
                    raise DamagedRowError(f"event {row[0]} does not hold what was written")
                expected = row[0] + 1
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        return [
            (row[0], row[4] if reason is None else self._notice(row[0], row[4], row[1], reason))
            for *row, reason in rows
        ]

    def notice(self, sequence: int, reason: str) -> bytes:
        """Return the event that goes out in the place of one that is not delivered as it is."""
        row = self._row("SELECT body, recorded_ns FROM event WHERE sequence = ?", sequence)
        body, recorded_ns = row or (None, 0)
        return self._notice(sequence, body, recorded_ns, reason)

    def _notice(self, sequence: int, body: object, recorded_ns: int, reason: str) -> bytes:
        facts = self.meta()
        return parked_event(
            body, sequence, reason, facts.get("gateway", ""), facts.get("epoch", ""), int(recorded_ns or 0)
        )

    def first_after(self, after: int) -> tuple[int, str] | None:
        """Return sequence and epoch of the first event behind `after` that may be handed over."""
        rows = self.next(after, 1)
        if not rows:
            return None
        try:
            return rows[0][0], _epoch_decoder.decode(rows[0][1]).epoch
        except UNREADABLE as error:
            raise self._unreadable(DamagedRowError(f"event {rows[0][0]} cannot be read")) from error

    def unsettled(self) -> bool:
        """There are events whose time is not settled yet."""
        return self._one("SELECT EXISTS (SELECT 1 FROM event WHERE sealed = 0)") == 1

    def delivered(self) -> int:
        """Every event up to this sequence is delivered or dead."""
        return self._one("SELECT delivered FROM cursor")

    def published(self) -> int:
        """Every event up to this sequence has its PUBACK."""
        return self._one("SELECT published FROM cursor")

    def last(self) -> int:
        """Sequence of the newest event; 0 before the first."""
        return max(self._one("SELECT ifnull(max(sequence), 0) FROM event"), self.delivered())

    def waiting(self) -> int:
        """How many events are neither delivered nor dead."""
        dead = self._one("SELECT count(*) FROM dead WHERE sequence > (SELECT delivered FROM cursor)")
        return self.last() - self.delivered() - dead

    def oldest_waiting_ns(self) -> int | None:
        """When the oldest event that waits was recorded, wall time."""
        moment = self._one(
            "SELECT ifnull((SELECT recorded_ns FROM event WHERE sequence > (SELECT delivered FROM cursor)"
            " AND sequence NOT IN (SELECT sequence FROM dead) ORDER BY sequence LIMIT 1), 0)"
        )
        return moment or None

    def dead(self) -> list[tuple[int, str]]:
        """Sequence and reason of each dead letter."""
        try:
            return self._db.execute("SELECT sequence, reason FROM dead ORDER BY sequence").fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def letters(self) -> list[DeadLetter]:
        """Each dead letter with what is known of it."""
        try:
            return dead_letters.listed(self._db)
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def asked_again(self) -> list[tuple[int, int]]:
        """Dead letters to be sent again: sequence, and when a person asked. None that the line has yet to pass."""
        try:
            return self._db.execute(
                "SELECT sequence, retry FROM dead WHERE retry > 0 AND sequence <= (SELECT delivered FROM cursor)"
                " ORDER BY sequence"
            ).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def body(self, sequence: int) -> bytes | None:
        """Return an event as it lies there; None when it is not here."""
        row = self._row("SELECT body FROM event WHERE sequence = ?", sequence)
        return None if row is None else row[0]

    def epoch_of(self, sequence: int) -> str | None:
        """Return the epoch of an event; None when it is not here, or may not be handed over yet."""
        found = self.first_after(sequence - 1) if 0 < sequence < MAX_SEQUENCE else None
        return found[1] if found is not None and found[0] == sequence else None

    def _row(self, query: str, sequence: int) -> tuple[Any, ...] | None:
        try:
            found: tuple[Any, ...] | None = self._db.execute(query, (sequence,)).fetchone()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        return found

    def meta(self) -> dict[str, str]:
        """Epoch and where it begins, the box's own URN, and more."""
        try:
            return dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def journal(self, *, after: int = 0, since_ns: int = 0, until_ns: int | None = None) -> Iterator[StoredEvent]:
        """Yield the events behind sequence `after`, in order, recorded from `since_ns` on and before `until_ns`."""
        try:
            while True:
                rows = self._db.execute(
                    "SELECT sequence, body, CASE WHEN sequence IN (SELECT sequence FROM dead) THEN 'dead'"
                    " WHEN sequence <= (SELECT delivered FROM cursor) THEN 'delivered' ELSE 'waiting' END,"
                    " recorded_ns FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?",
                    (after, JOURNAL_CHUNK),
                ).fetchall()
                if not rows:
                    return
                after = rows[-1][0]
                for sequence, body, state, recorded_ns in rows:
                    if recorded_ns >= since_ns and (until_ns is None or recorded_ns < until_ns):
                        yield StoredEvent(sequence=sequence, body=body, state=state)
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _one(self, query: str) -> int:
        try:
            value: int = self._db.execute(query).fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        return value

    def _unreadable(self, error: sqlite3.DatabaseError) -> OutboxError:
        if not is_damage(error):
            return OutboxError("read", self.path, error, "is there an outbox, and may this user read it?")
        return CorruptOutboxError("read", self.path, error, "the daemon sets it aside and salvages it")

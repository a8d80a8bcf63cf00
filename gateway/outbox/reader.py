"""The reading side of the outbox: what is to be sent, and what was. Each reader has its own connection."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import UNREADABLE
from gateway.events.stored_event import StoredEvent
from gateway.outbox import dead_letters
from gateway.outbox.dead_letters import DeadLetter
from gateway.outbox.schema import CorruptOutboxError, OutboxError, connect

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

        It ends before the first event whose time is not settled, and leaves out dead letters.
        """
        try:
            return self._db.execute(
                "SELECT sequence, body FROM event WHERE sequence > ?"
                " AND sequence < ifnull((SELECT min(sequence) FROM event WHERE sealed = 0), 9223372036854775807)"
                " AND sequence NOT IN (SELECT sequence FROM dead) ORDER BY sequence LIMIT ?",
                (after, limit),
            ).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def unsettled(self) -> bool:
        """There are events whose time is not settled yet."""
        return self._one("SELECT EXISTS (SELECT 1 FROM event WHERE sealed = 0)") == 1

    def delivered(self) -> int:
        """Every event up to this sequence is delivered or dead."""
        return self._one("SELECT delivered FROM cursor")

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
        try:
            row = self._db.execute("SELECT body FROM event WHERE sequence = ?", (sequence,)).fetchone()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        return None if row is None else row[0]

    def epoch_of(self, sequence: int) -> str | None:
        """Return the epoch of an event; None when it is not here."""
        try:
            row = self._db.execute("SELECT body FROM event WHERE sequence = ?", (sequence,)).fetchone()
        except (sqlite3.DatabaseError, OverflowError) as error:
            if isinstance(error, OverflowError):  # a number from outside, larger than any sequence
                return None
            raise self._unreadable(error) from error
        if row is None:
            return None
        try:
            return _epoch_decoder.decode(row[0]).epoch
        except UNREADABLE:  # a damaged disk
            return None

    def meta(self) -> dict[str, str]:
        """Epoch and where it begins."""
        try:
            rows = self._db.execute("SELECT key, value FROM meta WHERE key IN ('epoch', 'epoch_begins')").fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        return dict(rows)

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
        """Let the file go."""
        self._db.close()

    def _one(self, query: str) -> int:
        try:
            value: int = self._db.execute(query).fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        return value

    def _unreadable(self, error: sqlite3.DatabaseError) -> OutboxError:
        if isinstance(error, sqlite3.OperationalError):
            return OutboxError("read", self.path, error, "is there an outbox, and may this user read it?")
        return CorruptOutboxError("read", self.path, error, "the daemon sets it aside and salvages it")

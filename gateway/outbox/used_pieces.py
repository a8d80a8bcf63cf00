"""Which pieces with a serial number were consumed: found at once, as far back as the journal goes.

The table stands in outbox.db beside the events and is written in their transactions. An entry goes when its event
is taken back, and with the event itself. A piece that is thrown away or returned counts as used no longer, until
that is taken back:

    consume stem 13    used by 1
    discard stem 13    away by 2: a later use of it is no second one
    undo of 2          used by 1 again
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from gateway.events import cloudevent
from gateway.events.stored_event import StoredEvent
from gateway.model import Decoded, Disposition
from gateway.outbox.entry import NewEvent
from gateway.outbox.schema import connect

Piece = tuple[str, str, str]
"""Issuer, device identifier, serial number (or donation number): one piece of the world."""
SEPARATOR: Final = "\x1f"
"""Unit separator: in no identifier of any issuer."""
MAX_PIECE: Final = 256
"""Characters of an entry: no label's identifier and serial number are longer."""


def piece_of(udi: Decoded | None) -> Piece | None:
    """Return the piece that a label names, or None for one without a serial number."""
    if udi is None or udi.issuer is None or udi.device_identifier is None:
        return None
    serial = udi.serial_number or udi.donation_identification_number
    return None if serial is None else (udi.issuer, udi.device_identifier, serial)


def note(db: sqlite3.Connection, drafts: Sequence[NewEvent], sequences: Sequence[int]) -> None:
    """Keep the list with new events. Called within the transaction that stores them. Raises sqlite3.Error."""
    for draft, sequence in zip(drafts, sequences, strict=True):
        _note(db, draft.id, draft.data, sequence)


def _note(db: sqlite3.Connection, identity: str, data: cloudevent.ScanData, sequence: int) -> None:
    key = _key(data)
    if key is None:
        return
    if data.undoes is not None:
        db.execute("DELETE FROM used_piece WHERE piece = ? AND event = ?", (key, data.undoes))
        db.execute("UPDATE used_piece SET away = NULL WHERE piece = ? AND away = ?", (key, data.undoes))
    elif data.verdict.disposition is not Disposition.ACCEPTED:
        return
    elif data.corrects is not None and data.action != "explant":
        db.execute(
            "UPDATE used_piece SET away = ? WHERE piece = ? AND event = ? AND away IS NULL",
            (identity, key, data.corrects),
        )
    elif data.action == "consume" and data.repeats is None:
        db.execute(_USED, (key, identity, sequence))


_USED: Final = """
INSERT INTO used_piece (piece, event, sequence) VALUES (?, ?, ?)
ON CONFLICT (piece) DO UPDATE SET event = excluded.event, sequence = excluded.sequence, away = NULL
WHERE away IS NOT NULL
"""
"""A piece that was returned and is used after all is used by the newer event."""
_WITH_SERIAL: Final = """
SELECT sequence, body FROM event WHERE instr(CAST(body AS TEXT), '"serialNumber":"')
    OR instr(CAST(body AS TEXT), '"donationIdentificationNumber":"') ORDER BY sequence
"""


def fill(db: sqlite3.Connection) -> None:
    """Make the list anew from the events: after a salvage. Raises sqlite3.Error."""
    for sequence, body in db.execute(_WITH_SERIAL):
        try:
            event = cloudevent.decode_scan(body)
        except cloudevent.UNREADABLE:
            continue
        _note(db, event.id, event.data, sequence)


def forget(db: sqlite3.Connection, before: int) -> None:
    """Remove the entries of events that are no longer in the journal: of sequences below this one."""
    db.execute("DELETE FROM used_piece WHERE sequence < ?", (before,))


def _key(data: cloudevent.ScanData) -> str | None:
    piece = piece_of(data.udi)
    key = None if piece is None else SEPARATOR.join(piece)
    return key if key is not None and len(key) <= MAX_PIECE else None


class StationJournal:
    """Reads what a station needs of the outbox that the daemon's worker writes. Used by one thread.

    Its connection stays open: opening one costs as much as the rest of a scan. A file that was put in the place of
    the one that is open (a salvage) is opened in its turn. A file that cannot be read says nothing here: its writer
    says so, and salvages it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._inode = 0

    def used_by(self, piece: Piece) -> str | None:
        """Return the id of the event in force that consumed a piece, or None."""
        rows = self._rows("SELECT event FROM used_piece WHERE piece = ? AND away IS NULL", SEPARATOR.join(piece))
        return str(rows[0][0]) if rows else None

    def newest(self, limit: int) -> list[StoredEvent]:
        """Return the newest events, the oldest of them first."""
        rows = self._rows("SELECT sequence, body FROM event ORDER BY sequence DESC LIMIT ?", limit)
        return [StoredEvent(sequence=sequence, body=body, state="") for sequence, body in reversed(rows)]

    def close(self) -> None:
        """Close the file. May be called more than once."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _rows(self, query: str, value: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query: one that is read to its end holds up no checkpoint."""
        try:
            inode = self._path.stat().st_ino
            if self._db is None or inode != self._inode:
                self.close()
                self._db, self._inode = connect(self._path, read_only=True), inode
            return self._db.execute(query, (value,)).fetchall()
        except (OSError, sqlite3.Error):
            self.close()
            return []

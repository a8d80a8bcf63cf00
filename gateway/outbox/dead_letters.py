"""Dead letters: events that the broker can never take as they are, until a person asks to have them sent again.

A letter that is sent again keeps its sequence, id and bytes. It goes at the end of the line: the events behind it
went long ago, so it comes late, and consumers know its place by its number.
"""

import sqlite3
from collections.abc import Collection, Iterable
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.events.cloudevent import UNREADABLE
from gateway.outbox.checksums import check, of_values
from gateway.outbox.entry import Dead

DAMAGED: Final = "damaged on the disk"
"""Reason of a letter that was found not to hold what was written: it is never sent."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """One dead letter as it lies in the outbox."""

    sequence: int
    reason: str
    """Why the broker did not take it."""
    parked_ns: int
    """When it became one, nanoseconds since 1970 UTC by the box's clock."""
    asked_ns: int
    """When a person asked to have it sent again; 0: nobody has, or it came back."""


def listed(db: sqlite3.Connection) -> list[DeadLetter]:
    """Return all dead letters, in order; also of an outbox of version 1, in a backup. Raises sqlite3.Error."""
    rows = db.execute("SELECT * FROM dead ORDER BY sequence")
    names = [column for column, *_ in rows.description]
    retry = names.index("retry") if "retry" in names else None
    return [
        DeadLetter(sequence=row[0], parked_ns=row[1], reason=row[2], asked_ns=0 if retry is None else row[retry])
        for row in rows
    ]


def verify(db: sqlite3.Connection) -> None:
    """Make sure that each row holds what was written: a wrong one would keep an event back.

    Raises sqlite3.Error.
    """
    for *values, checksum in db.execute("SELECT sequence, parked_ns, reason, retry, checksum FROM dead"):
        check("dead", checksum, *values)


def ask_again(db: sqlite3.Connection, wanted: Collection[int] | None, wall_ns: int) -> list[int]:
    """Note that dead letters are to be sent again (None: all of them), within a transaction of the caller.

    Returns those that will be: a letter whose bytes are damaged is none of them. Raises sqlite3.Error.
    """
    found = [letter for letter in listed(db) if wanted is None or letter.sequence in wanted]
    will_be = [one for one in found if one.reason != DAMAGED and _can_be_sent(db, one.sequence)]
    _put(db, [replace(letter, asked_ns=wall_ns) for letter in will_be if not letter.asked_ns])
    return [letter.sequence for letter in will_be]


def write(db: sqlite3.Connection, parked: Collection[Dead], revived: Collection[int], wall_ns: int) -> int:
    """Write new dead letters, and take away delivered ones, within a transaction of the caller.

    Returns how many there are now. Raises sqlite3.Error.
    """
    _put(
        db,
        [DeadLetter(sequence=one.sequence, parked_ns=wall_ns, reason=one.reason, asked_ns=0) for one in parked],
    )
    db.executemany("DELETE FROM dead WHERE sequence = ?", [(sequence,) for sequence in revived])
    return count(db)


def _put(db: sqlite3.Connection, letters: Iterable[DeadLetter]) -> None:
    rows = [(one.sequence, one.parked_ns, one.reason, one.asked_ns) for one in letters]
    db.executemany("REPLACE INTO dead VALUES (?, ?, ?, ?, ?)", [(*row, of_values(*row)) for row in rows])


def put(db: sqlite3.Connection, letter: DeadLetter) -> None:
    """Write one dead letter as it is, within a transaction of the caller. Raises sqlite3.Error."""
    _put(db, [letter])


def count(db: sqlite3.Connection) -> int:
    """Return how many dead letters there are. Raises sqlite3.Error."""
    ((letters,),) = db.execute("SELECT count(*) FROM dead").fetchall()
    return int(letters)


def is_event(body: object) -> bool:
    """Return whether these bytes are still JSON: what a damaged disk has changed is never sent."""
    if not isinstance(body, bytes):
        return False
    try:
        msgspec.json.decode(body)
    except UNREADABLE:
        return False
    return True


def _can_be_sent(db: sqlite3.Connection, sequence: int) -> bool:
    row = db.execute("SELECT body FROM event WHERE sequence = ?", (sequence,)).fetchone()
    return row is not None and is_event(row[0])

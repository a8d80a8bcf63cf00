"""Dead letters: events that the broker can never take as they are, until a person asks to have them sent again.

A letter that is sent again keeps its sequence, id and bytes. It goes at the end of the line: the events behind it
went long ago, so it comes late, and consumers know its place by its number.
"""

import sqlite3
from collections.abc import Collection

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import UNREADABLE
from gateway.outbox.entry import Dead


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
    return [
        DeadLetter(sequence=row[0], parked_ns=row[1], reason=row[2], asked_ns=(*row, 0)[3])
        for row in db.execute("SELECT * FROM dead ORDER BY sequence")
    ]


def ask_again(db: sqlite3.Connection, wanted: Collection[int] | None, wall_ns: int) -> list[int]:
    """Note that dead letters are to be sent again (None: all of them), within a transaction of the caller.

    Returns those that will be: a letter whose bytes are damaged is none of them. Raises sqlite3.Error.
    """
    found = [letter for letter in listed(db) if wanted is None or letter.sequence in wanted]
    will_be = [letter for letter in found if _can_be_sent(db, letter.sequence)]
    db.executemany(
        "UPDATE dead SET retry = ? WHERE sequence = ?",
        [(wall_ns, letter.sequence) for letter in will_be if not letter.asked_ns],
    )
    return [letter.sequence for letter in will_be]


def write(db: sqlite3.Connection, parked: Collection[Dead], revived: Collection[int], wall_ns: int) -> int:
    """Write new dead letters, and take away delivered ones, within a transaction of the caller.

    Returns how many there are now. Raises sqlite3.Error.
    """
    db.executemany(
        "REPLACE INTO dead (sequence, parked_ns, reason) VALUES (?, ?, ?)",
        [(one.sequence, wall_ns, one.reason) for one in parked],
    )
    db.executemany("DELETE FROM dead WHERE sequence = ?", [(sequence,) for sequence in revived])
    return count(db)


def count(db: sqlite3.Connection) -> int:
    """Tell how many dead letters there are. Raises sqlite3.Error."""
    ((letters,),) = db.execute("SELECT count(*) FROM dead").fetchall()
    return int(letters)


def is_event(body: object) -> bool:
    """Tell whether these bytes are still JSON: what a damaged disk has changed is never sent."""
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

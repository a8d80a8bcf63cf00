"""A checksum for each row: SQLite notices a damaged page's structure, and hands out a changed value as it is.

A flipped bit in a body is another serial number; one in the cursor skips events that nobody has. So every row that
delivery depends on carries the CRC-32 of its values, and is checked as it is read. What is wrong is damage like any
other: the file is set aside and salvaged.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final
from zlib import crc32

MAX_SEQUENCE: Final = 10**15
"""No box stores so many events; CloudEvents' sequence has 16 digits here."""


NOTE_PREFIX: Final = "station."
"""Of the keys of a station's notes in the table `meta`: written with scans, and outside the checksum."""
EVENT_COLUMNS: Final = "sequence, recorded_ns, trusted, sealed, body, checksum"


class DamagedRowError(sqlite3.DatabaseError):
    """A row does not hold what was written."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def of_event(sequence: int, recorded_ns: int, trusted: int, sealed: int, body: bytes) -> int:
    """Return the checksum of a row of `event`."""
    return crc32(body, crc32(b"%d %d %d %d " % (sequence, recorded_ns, trusted, sealed)))


def of_values(*values: object) -> int:
    """Return the checksum of a row of a small table."""
    return crc32(repr(values).encode(errors="surrogateescape"))


def event_is_sound(row: Sequence[Any], unchecked: int) -> bool:
    """Return whether a row of `event` (all six columns) holds what was written.

    `unchecked`: events up to this one were stored before there were checksums, and need have none.
    """
    sequence, recorded_ns, trusted, sealed, body, checksum = row
    if not (isinstance(body, bytes) and all(type(one) is int for one in row[:4]) and 0 < sequence < MAX_SEQUENCE):
        return False
    if type(checksum) is not int:
        return checksum is None and sequence <= unchecked
    return of_event(sequence, recorded_ns, trusted, sealed, body) == int(checksum)


def check(name: str, checksum: object, *values: object) -> None:
    """Make sure that a row of a small table holds what was written. Raises DamagedRowError."""
    if checksum != of_values(*values):
        raise DamagedRowError(f"a row of {name} does not hold what was written")


def of_meta(facts: Iterable[tuple[str, str]]) -> int:
    """Return the checksum of the table `meta`, which holds it under the key `checksum`."""
    return of_values(
        *sorted(fact for fact in facts if fact[0] != "checksum" and not fact[0].startswith(NOTE_PREFIX))
    )

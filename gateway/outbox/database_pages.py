"""Events read straight from the pages of a damaged outbox, where SQLite finds no way to them.

SQLite reaches a leaf of a table through its inner pages: one damaged inner page hides every event below it, though
they are whole. Here each page is looked at for itself. What looks like a row of the table `event` is taken when its
body is an event that says the row's own number; everything else is left.

Source: "Database File Format", https://www.sqlite.org/fileformat2.html, sections 1.3 (header), 1.5 (freelist),
1.6 (b-tree pages), 2.1 (record format), 4.1 and 4.2 (WAL).
"""

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import UNREADABLE
from gateway.outbox.dead_letters import is_event
from gateway.outbox.schema import PAGE_BYTES

MAGIC: Final = b"SQLite format 3\0"
LEAF: Final = 0x0D
"""First byte of a leaf page of a table."""
WAL_MAGIC: Final = frozenset({0x377F0682, 0x377F0683})
WAL_HEADER: Final = 32
FRAME_HEADER: Final = 24
MAX_EVENT_BYTES: Final = 1 << 20
"""No event comes near it: the overflow pages of a damaged row are not followed further."""
_BLOB: Final = 12
"""Serial type of an empty blob; each byte more adds 2 (odd types are texts)."""
_MORE: Final = 0x80
"""Bit of a variable-length integer's byte: another one follows."""
_INTEGER_BYTES: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
"""Serial type -> bytes of an integer's value (8 and 9 are the constants 0 and 1; 0 is NULL)."""

Row = tuple[int, int, int, int, bytes]
"""sequence, recorded_ns, trusted, sealed, body: as the table has it."""


class _Own(Struct, frozen=True):
    """What an event says of itself that a row can be checked by."""

    id: str
    epoch: str
    sequence: str


_decoder = msgspec.json.Decoder(_Own)


class DamagedError(Exception):
    """This place does not hold what its neighbours say; the next may."""


def events(path: Path, delivered: int) -> Iterator[Row]:
    """Yield the events that can be read from the file's pages, in no order; some may come twice.

    `delivered`: where the file does not say which pages are free, they may hold what was removed long ago, so only
    events behind this one are taken. Raises OSError when the file cannot be read at all.
    """
    with ExitStack() as stack:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, file)
        wal = None
        with suppress(FileNotFoundError):
            wal = os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, wal)
        pages = Pages(file, wal)
        free = pages.free()
        for number in range(1, pages.count + 1):
            if free is None or number not in free:
                yield from (row for row in _rows(pages, number) if free is not None or row[0] > delivered)


class Pages:
    """The pages of a database file, the newest committed image of each in the WAL before the one in the file."""

    def __init__(self, file: int, wal: int | None) -> None:
        self._file = file
        self._wal = wal
        self._in_wal = {} if wal is None else _frames(wal)
        self.count = max(os.fstat(file).st_size // PAGE_BYTES, max(self._in_wal, default=0))

    def read(self, number: int) -> bytes:
        """Return one page; the first has number 1. Raises DamagedError."""
        at = self._in_wal.get(number)
        if at is not None and self._wal is not None:
            page = os.pread(self._wal, PAGE_BYTES, at)
        elif 1 <= number <= self.count:
            page = os.pread(self._file, PAGE_BYTES, (number - 1) * PAGE_BYTES)
        else:
            raise DamagedError(number)
        if len(page) < PAGE_BYTES:
            raise DamagedError(number)
        return page

    def free(self) -> set[int] | None:
        """Return the numbers of the pages that hold nothing; None when the list of them cannot be believed."""
        free: set[int] = set()
        try:
            first = self.read(1)
            if not first.startswith(MAGIC):
                return None
            trunk, expected = struct.unpack_from(">II", first, 32)
            while trunk and trunk not in free and len(free) < expected:
                page = self.read(trunk)
                free.add(trunk)
                trunk, leaves = struct.unpack_from(">II", page)
                free.update(struct.unpack_from(f">{leaves}I", page, 8))
        except (DamagedError, struct.error):
            return None
        return free if len(free) == expected else None


def _frames(wal: int) -> dict[int, int]:
    """Return page -> offset of its newest committed image in the WAL.

    Checksums are not looked at: every row is checked by its event.
    """
    header = os.pread(wal, WAL_HEADER, 0)
    if len(header) < WAL_HEADER or int.from_bytes(header[:4], "big") not in WAL_MAGIC:
        return {}
    salts = header[16:24]
    committed: dict[int, int] = {}
    under_way: dict[int, int] = {}
    at = WAL_HEADER
    while len(frame := os.pread(wal, FRAME_HEADER, at)) == FRAME_HEADER and frame[8:16] == salts:
        number, size_after_commit = struct.unpack_from(">II", frame)
        under_way[number] = at + FRAME_HEADER
        if size_after_commit:
            committed.update(under_way)
            under_way.clear()
        at += FRAME_HEADER + PAGE_BYTES
    return committed


def _rows(pages: Pages, number: int) -> Iterator[Row]:
    """Yield the events of one page, if it is a leaf of the table."""
    try:
        page = pages.read(number)
        if page[0] != LEAF:
            return
        (cells,) = struct.unpack_from(">H", page, 3)
        pointers = struct.unpack_from(f">{cells}H", page, 8)
    except (DamagedError, struct.error):
        return
    for pointer in pointers:
        with suppress(DamagedError, IndexError):  # the row beside it may be whole
            yield _row(pages, page, pointer)


def _row(pages: Pages, page: bytes, at: int) -> Row:
    """Read one row. Raises DamagedError, IndexError."""
    length, at = _varint(page, at)
    sequence, at = _varint(page, at)
    widths, header = _record_header(page, at)
    if not header + sum(widths) == length <= MAX_EVENT_BYTES:
        raise DamagedError(at)
    record = _payload(pages, page, at, length)
    values, position = [], header
    for width, constant in zip(widths[:3], record[2:5], strict=True):
        one = {8: 0, 9: 1}.get(constant)
        values.append(
            int.from_bytes(record[position : position + width], "big", signed=True) if one is None else one
        )
        position += width
    body = record[position:]
    try:
        own = _decoder.decode(body)
    except UNREADABLE as error:
        raise DamagedError(at) from error
    if own.sequence.lstrip("0") != str(sequence) or not is_event(body):
        raise DamagedError(at)
    return sequence, values[0], values[1], values[2], body


def _record_header(page: bytes, at: int) -> tuple[list[int], int]:
    """Return the widths of the columns behind the number, and where the values begin; DamagedError for others.

    The number is the row's own key and stands as NULL in the record: a type of one byte, as the integers have.
    """
    begin = at
    header, at = _varint(page, at)
    key, *types = page[at : at + 4]
    blob, at = _varint(page, at + 4)
    if key != 0 or at - begin != header or blob < _BLOB or blob % 2 or not _INTEGER_BYTES.keys() >= set(types):
        raise DamagedError(at)
    return [*(_INTEGER_BYTES[one] for one in types), (blob - _BLOB) // 2], header


def _payload(pages: Pages, page: bytes, at: int, length: int) -> bytes:
    """Gather a row's bytes from its page and its overflow pages (section 1.6)."""
    usable = PAGE_BYTES  # nothing is reserved at the pages' ends
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if length <= most:
        return page[at : at + length]
    local = least + (length - least) % (usable - 4)
    local = local if local <= most else least
    parts = [page[at : at + local]]
    (overflow,) = struct.unpack_from(">I", page, at + local) if at + local + 4 <= usable else (0,)
    missing = length - local
    while missing > 0:
        following = pages.read(overflow)
        parts.append(following[4 : 4 + min(missing, usable - 4)])
        missing -= usable - 4
        (overflow,) = struct.unpack_from(">I", following)
    return b"".join(parts)


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length integer; return it and where it ends."""
    value = 0
    for index in range(8):
        byte = page[at + index]
        value = value << 7 | byte & ~_MORE
        if byte < _MORE:
            return value, at + index + 1
    return value << 8 | page[at + 8], at + 9

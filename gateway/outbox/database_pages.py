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

CONSTANTS: Final[dict[int, int | None]] = {0: None, 8: 0, 9: 1}
BODY: Final = 3
"""Place of the body among the columns behind the number: recorded_ns, trusted, sealed, body, checksum."""
COLUMNS: Final = 5
MAX_PAGES: Final = 1 << 26
"""64 GiB of pages: a number beyond is no page of an outbox."""

EventRow = tuple[int, int, int, int, bytes, int | None]
"""sequence, recorded_ns, trusted, sealed, body, checksum: as the table has it. The checksum is None in a row from
before there were any."""


class _Own(Struct, frozen=True):
    """What an event says of itself that a row can be checked by."""

    id: str
    epoch: str
    sequence: str


_decoder = msgspec.json.Decoder(_Own)


class DamagedError(Exception):
    """This place does not hold what its neighbours say; the next may."""


def events(path: Path, delivered: int) -> Iterator[EventRow]:
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
        pages = DatabasePages(file, wal)
        free = pages.free()
        for number in range(1, pages.count + 1):
            if free is None or number not in free:
                for page in pages.images(number):
                    yield from (row for row in _rows(pages, page) if free is not None or row[0] > delivered)


class DatabasePages:
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

    def images(self, number: int) -> Iterator[bytes]:
        """Yield a page's newest image, and the one in the file beneath it: what one has lost the other may have."""
        with suppress(DamagedError):
            yield self.read(number)
        beneath = os.pread(self._file, PAGE_BYTES, (number - 1) * PAGE_BYTES)
        if number in self._in_wal and len(beneath) == PAGE_BYTES:
            yield beneath

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
    size = os.fstat(wal).st_size
    salts = _salts(wal, size)
    committed: dict[int, int] = {}
    under_way: dict[int, int] = {}
    for at in range(WAL_HEADER, size - FRAME_HEADER - PAGE_BYTES + 1, FRAME_HEADER + PAGE_BYTES):
        frame = os.pread(wal, FRAME_HEADER, at)
        if frame[8:12] != salts[:4] and frame[12:16] != salts[4:]:
            continue  # of an older log; a damaged salt leaves the other one
        number, size_after_commit = struct.unpack_from(">II", frame)
        if 0 < number <= MAX_PAGES:
            under_way[number] = at + FRAME_HEADER
        if size_after_commit:
            committed.update(under_way)
            under_way.clear()
    return committed


def _salts(wal: int, size: int) -> bytes:
    """Return the salts of a log: as its header has them, or where that is damaged as two frames in a row do."""
    header = os.pread(wal, WAL_HEADER, 0)
    first, second = (os.pread(wal, 8, WAL_HEADER + place * (FRAME_HEADER + PAGE_BYTES) + 8) for place in (0, 1))
    return first if first == second and size > WAL_HEADER else header[16:24]


def _rows(pages: DatabasePages, page: bytes) -> Iterator[EventRow]:
    """Yield the events of one page, if it is a leaf of the table."""
    try:
        if page[0] != LEAF:
            return
        (cells,) = struct.unpack_from(">H", page, 3)
        pointers = struct.unpack_from(f">{cells}H", page, 8)
    except (DamagedError, struct.error):
        return
    for pointer in pointers:
        with suppress(DamagedError, IndexError):  # the row beside it may be whole
            yield _row(pages, page, pointer)


def _row(pages: DatabasePages, page: bytes, at: int) -> EventRow:
    """Read one row. Raises DamagedError, IndexError."""
    length, at = _varint(page, at)
    sequence, at = _varint(page, at)
    types, header = _record_header(page, at)
    widths = [_width(one) for one in types]
    if not header + sum(widths) == length <= MAX_EVENT_BYTES:
        raise DamagedError(at)
    record = _payload(pages, page, at, length)
    values: list[int | None] = []
    position = header
    body = b""
    for place, (kind, width) in enumerate(zip(types, widths, strict=True)):
        column = record[position : position + width]
        position += width
        if place == BODY:
            body = column
        elif kind in CONSTANTS:
            values.append(CONSTANTS[kind])
        else:
            values.append(int.from_bytes(column, "big", signed=True))
    try:
        own = _decoder.decode(body)
    except UNREADABLE as error:
        raise DamagedError(at) from error
    recorded_ns, trusted, sealed, *checksum = values
    if own.sequence.lstrip("0") != str(sequence) or not is_event(body) or None in (recorded_ns, trusted, sealed):
        raise DamagedError(at)
    return sequence, recorded_ns or 0, trusted or 0, sealed or 0, body, checksum[0] if checksum else None


def _record_header(page: bytes, at: int) -> tuple[list[int], int]:
    """Return the serial types of the columns behind the number, and where the values begin. Raises DamagedError.

    The number is the row's own key and stands as NULL in the record. Behind the body stands the checksum, in a row
    that has one.
    """
    begin = at
    header, at = _varint(page, at)
    key, at = _varint(page, at)
    types: list[int] = []
    while at - begin < header and len(types) <= COLUMNS:
        kind, at = _varint(page, at)
        types.append(kind)
    numbers = [kind for place, kind in enumerate(types) if place != BODY]
    if (
        key != 0
        or at - begin != header
        or len(types) not in {COLUMNS - 1, COLUMNS}
        or types[BODY] < _BLOB
        or types[BODY] % 2
        or not _INTEGER_BYTES.keys() >= set(numbers)
    ):
        raise DamagedError(at)
    return types, header


def _width(kind: int) -> int:
    return _INTEGER_BYTES[kind] if kind in _INTEGER_BYTES else (kind - _BLOB) // 2


def _payload(pages: DatabasePages, page: bytes, at: int, length: int) -> bytes:
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

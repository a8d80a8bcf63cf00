"""Looks at a write-ahead log before SQLite does: what is damaged in it SQLite drops without a word.

How it works. SQLite reads the WAL up to the first frame whose salts or checksum are wrong, and takes what is behind
for a torn tail of a write that a power cut ended. A flipped bit looks the same to it, and everything that was
committed behind that bit is gone; the numbers of those events would be given again. Here a frame that is wrong is
damage when something shows that it was once whole:

- behind it stands a whole transaction, and another frame behind that (each commit was flushed before the next
  transaction began, so the frame that is wrong had been on the disk);
- it has this log's salts, is complete, and no part of it is what a write that was cut off leaves (zeros);
- one of its two salts is this log's (those of an older log both differ, section 4.3 of the source);
- the wal-index beside the log, which is written after the log was flushed, counts more frames than can be read.

What is cut off at its end without a trace shows in the wal-index alone, and only while the machine has not been
switched off: it is not flushed. `end_of` says whether it can be asked.

Example: a log of 30 frames, a bit flipped in frame 3. Frame 4 is right by the checksum that frame 3 states: damage,
and the outbox is salvaged with all 30. A log whose frame 31 ends in zeros: a power cut, and nothing was promised.

Source: "Database File Format", https://www.sqlite.org/fileformat2.html, section 4 (WAL), and
https://www.sqlite.org/walformat.html, section 2 (wal-index).
"""

import array
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple

HEADER: Final = 32
FRAME_HEADER: Final = 24
MAGIC: Final = 0x377F0682
"""The lowest bit says whether checksums read words big-endian."""
SECTOR: Final = 512
"""The least that a disk writes as a whole."""
PAGE_SIZES: Final = frozenset(512 << shift for shift in range(8))
NO_COMMIT: Final = bytes(4)
"""A frame that ends no transaction says 0 for the size of the database."""
WAL_INDEX_HEADER: Final = 48
READ_FRAMES: Final = 256
"""Frames read at a time: some 256 KB."""

BACKFILLED: Final = 96
"""Where the wal-index says how many frames the database itself has by now (section 2.2 of its page)."""

Sums = tuple[int, int]


class Log(NamedTuple):
    """What the header of a log says."""

    page: int
    big: bool
    salts: bytes
    sums: Sums
    sound: bool


def damage(wal: Path, index: Path, page: int) -> str | None:
    """Return what is wrong with a log, or None: it is whole, or ends where a power cut ended it. Raises OSError.

    `index`: the wal-index (`-shm`); `page`: bytes of a page of the database.
    """
    try:
        size = wal.stat().st_size
    except FileNotFoundError:
        return None
    if size < HEADER:
        return None
    with wal.open("rb") as file:
        log = _header(file.read(HEADER), page)
        frames = _frames(file.read, log.page)
        whole, problem = _walk(log, frames)
    if problem is not None:
        return problem
    counted = _counted(index, log)
    if counted is not None and counted > whole:
        return f"{counted} frames were written, and {whole} can be read"
    return None


class End(Enum):
    """What is known of the end of a log that is not damaged."""

    IN_ORDER = auto()
    """SQLite has removed log and wal-index: the last connection was closed in order."""
    COUNTED = auto()
    """The wal-index counts what is there, if it was written in this boot."""
    UNKNOWN = auto()


def end_of(wal: Path, index: Path, page: int) -> End:
    """Return what is known of a log's end, before SQLite opens it. Raises OSError."""
    if not wal.exists() and not index.exists():
        return End.IN_ORDER
    seen = _witness(index)
    if seen is None:
        return End.UNKNOWN
    if seen.frames <= seen.backfilled:  # the database itself has everything
        return End.COUNTED
    with suppress(FileNotFoundError), wal.open("rb") as file:
        head = file.read(HEADER)
        if len(head) == HEADER and seen.salts == _header(head, page).salts:
            return End.COUNTED
    return End.UNKNOWN


def _header(head: bytes, page: int) -> Log:
    magic, _, stated, _ = struct.unpack_from(">4I", head)
    big = bool(magic & 1)
    sums = _sums(head[:24], (0, 0), big=big)
    sound = magic & ~1 == MAGIC and stated in PAGE_SIZES and sums == struct.unpack_from(">2I", head, 24)
    return Log(stated if sound else page, big, head[16:24], sums, sound)


def _frames(read: object, page: int) -> Iterator[bytes]:
    size = FRAME_HEADER + page
    while data := read(size * READ_FRAMES):  # type: ignore[operator]  # a file's read
        for at in range(0, len(data), size):
            yield data[at : at + size]


def _walk(log: Log, frames: Iterator[bytes]) -> tuple[int, str | None]:
    """Return how many frames SQLite reads, and what shows that there was more."""
    whole, sums, reading = 0, log.sums, log.sound
    committed = False
    before: bytes | None = None
    for number, frame in enumerate(frames, 1):
        complete = len(frame) == FRAME_HEADER + log.page
        if reading and complete and frame[8:16] == log.salts:
            sums = _frame_sums(frame, sums, big=log.big)
            if sums == struct.unpack_from(">2I", frame, 16):
                whole, before = number, frame
                continue
        if reading:
            reading = False
            if complete and _was_whole(frame, log.salts):
                return whole, f"frame {number} of the log is damaged"
        elif before is not None and complete and _follows(frame, before, log):
            if committed:
                return whole, f"frame {whole + 1} of the log is damaged, and frames behind it are whole"
            committed = frame[4:8] != NO_COMMIT
        before = frame if complete else None
    return whole, None


def _was_whole(frame: bytes, salts: bytes) -> bool:
    """Return whether a frame with a wrong checksum or salt was once written whole."""
    first, second = frame[8:12] == salts[:4], frame[12:16] == salts[4:]
    if first != second:
        return True
    if not first:
        return False
    return not any(_blank(frame[at : at + SECTOR]) for at in range(FRAME_HEADER, len(frame), SECTOR))


def _blank(sector: bytes) -> bool:
    """Return whether a piece of a frame holds nothing: pages have few such pieces, a write that was cut off has."""
    return not sector.strip(b"\0")


def _follows(frame: bytes, before: bytes, log: Log) -> bool:
    """Return whether a frame is right by the checksum that the frame in front of it states."""
    if frame[8:16] != before[8:16] or (log.sound and frame[8:16] != log.salts):
        return False
    stated = struct.unpack_from(">2I", before, 16)
    orders = (log.big,) if log.sound else (False, True)
    return any(_frame_sums(frame, stated, big=big) == struct.unpack_from(">2I", frame, 16) for big in orders)


def _frame_sums(frame: bytes, sums: Sums, *, big: bool) -> Sums:
    return _sums(frame[FRAME_HEADER:], _sums(frame[:8], sums, big=big), big=big)


def _sums(data: bytes, sums: Sums, *, big: bool) -> Sums:
    """Return the checksum of section 4.2, continued from `sums`; `data` is a multiple of 8 bytes long."""
    words = array.array("I")
    words.frombytes(data)
    if big != (sys.byteorder == "big"):
        words.byteswap()
    first, second = sums
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second


def _counted(index: Path, log: Log) -> int | None:
    """Return how many frames the wal-index counts; None where it is of another log, or cannot be believed."""
    seen = _witness(index)
    return None if seen is None or seen.salts != log.salts else seen.frames


class Witness(NamedTuple):
    """What a wal-index says of its log."""

    frames: int
    salts: bytes
    backfilled: int


def _witness(index: Path) -> Witness | None:
    """Read a wal-index; None where there is none, or it cannot be believed."""
    try:
        with index.open("rb") as file:
            head = file.read(BACKFILLED + 4)
    except OSError:
        return None
    first = head[:WAL_INDEX_HEADER]
    if len(head) < BACKFILLED + 4 or first != head[WAL_INDEX_HEADER:BACKFILLED] or not first[12]:
        return None
    stated = struct.unpack_from("=2I", first, 40)
    if _sums(first[:40], (0, 0), big=sys.byteorder == "big") != stated:
        return None
    (frames,), (backfilled,) = struct.unpack_from("=I", first, 16), struct.unpack_from("=I", head, BACKFILLED)
    return Witness(frames, first[32:40], backfilled)

"""Damage of any kind: the box stores on, nothing is missing without a word, and no number is given twice.

SQLite notices part of it. What it hands out as an ordinary value is noticed by a checksum for each row; what it
drops from the end of its log, by a look at the log before it is opened ("Database File Format", section 4).
"""

import os
import random
import shutil
import sqlite3
import struct
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.events.cloudevent import PARKED_TYPE
from gateway.outbox import wal_check
from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.entry import Dead, DeliveryMarks
from gateway.outbox.reader import OutboxReader
from gateway.outbox.salvage import open_outbox, salvaged
from gateway.outbox.schema import PAGE_BYTES, CorruptOutboxError
from gateway.outbox.writer import UNPROVEN_END, Outbox
from tests.outbox.events import BOX, ROOMY, draft, reading, stored

BEFORE, BEHIND, DELIVERED = 10, 20, 4
RANDOM_DAMAGES = int(os.environ.get("SCANGATE_DAMAGES", "60"))
"""`make faults` tries a thousand."""


def killed(directory: Path) -> Path:
    """Ten scans and a stop, then twenty, and a SIGKILL: the log holds the twenty; return the outbox as it is left."""
    path = directory / "outbox.db"
    first = Outbox(path, ROOMY, BOX)
    first.append([draft(number) for number in range(1, BEFORE + 1)], reading(), seal=True)
    first.close(reading())
    outbox = Outbox(path, ROOMY, BOX)
    outbox.note(
        DeliveryMarks(delivered=DELIVERED, published=BEFORE, parked=(Dead(sequence=6, reason="too large"),))
    )
    for number in range(BEFORE + 1, BEFORE + BEHIND + 1):
        outbox.append([draft(number)], reading(), seal=True)
    left = directory / "left"
    left.mkdir()
    for file in directory.glob("outbox.db*"):
        shutil.copy(file, left)
    outbox.abandon()
    return left / "outbox.db"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return killed(tmp_path_factory.mktemp("killed"))


def copied(left: Path, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for file in left.parent.glob("outbox.db*"):
        shutil.copy(file, directory)
    return directory / "outbox.db"


def reads_through(path: Path) -> bool:
    """Hand over everything, as the publisher does."""
    try:
        with closing(OutboxReader(path)) as reader:
            position = reader.delivered()
            while rows := reader.next(position, 7):
                position = rows[-1][0]
    except CorruptOutboxError:
        return False
    return True


def check(path: Path, before: dict[int, bytes], epoch: str) -> str:
    """Open a damaged outbox as the daemon does, store a scan, and see that the promise holds; return what came."""
    outbox = open_outbox(path, ROOMY, BOX, reading())
    if not reads_through(path):
        outbox = salvaged(outbox, reading())
    try:
        (number,) = outbox.append([draft(99)], reading(), seal=True)
    except CorruptOutboxError:  # a table that is only written has another column
        outbox = salvaged(outbox, reading())
        (number,) = outbox.append([draft(99)], reading(), seal=True)
    assert outbox.epoch != epoch or number == max(before) + 1, "a number is never given twice in an epoch"
    assert reads_through(path)
    with closing(OutboxReader(path)) as reader:
        handed = dict(reader.next(reader.delivered(), 1000))
        dead = dict(reader.dead())
    salvage = bool(list(path.parent.glob("outbox.db.corrupt-*")))
    for sequence, body in before.items():
        if sequence <= outbox.delivered and sequence <= DELIVERED:
            continue
        sent = handed.get(sequence)
        if sequence < min(handed):
            assert salvage, "the beginning of the row is gone without a word"
            assert "in front of" in (outbox.lost or "") or "scanned before" in (outbox.lost or "")
            continue
        if sequence >= number:
            assert salvage, "the end of the row is gone without a word"
            assert f"behind {number - 1}" in (outbox.lost or "")
            continue
        named = sent is not None and PARKED_TYPE.encode() in sent
        assert sent == body or (named and (salvage or sequence in dead)), f"event {sequence} is gone without a word"
    assert number in handed
    outbox.abandon()
    return "salvaged" if salvage else "as it was"


def epoch_of(path: Path) -> str:
    with closing(OutboxReader(path)) as reader:
        return reader.meta()["epoch"]


@pytest.fixture
def whole(left: Path, tmp_path: Path) -> tuple[Path, dict[int, bytes], str]:
    path = copied(left, tmp_path / "at")
    look = copied(left, tmp_path / "look")
    return path, stored(look), epoch_of(look)


Whole = tuple[Path, dict[int, bytes], str]


def test_what_is_whole_is_not_called_damage(whole: Whole) -> None:
    assert check(*whole) == "as it was"


@pytest.mark.parametrize("frame", [1, 2, 20, -1])
@pytest.mark.parametrize("at", [2, 9, 14, 20, 24, 700])
@pytest.mark.parametrize("index", [True, False])
def test_one_bit_of_the_log(whole: Whole, frame: int, at: int, *, index: bool) -> None:
    """In page number, salts, checksum or page of a frame; with the wal-index or, after a power cut, without."""
    path, before, epoch = whole
    wal = Path(f"{path}-wal")
    data = bytearray(wal.read_bytes())
    size = wal_check.FRAME_HEADER + PAGE_BYTES
    frames = (len(data) - wal_check.HEADER) // size
    data[wal_check.HEADER + (frame - 1 if frame > 0 else frames - 1) * size + at] ^= 0x10
    wal.write_bytes(data)
    if not index:
        Path(f"{path}-shm").unlink()
    assert check(path, before, epoch) == "salvaged"


def test_a_log_that_a_power_cut_ended_is_not_damage(whole: Whole) -> None:
    """Frames of a transaction that was being written: cut off, or not written though the next one was."""
    path, before, epoch = whole
    wal = Path(f"{path}-wal")
    Path(f"{path}-shm").unlink()
    size = wal_check.FRAME_HEADER + PAGE_BYTES
    whole_frames = wal.read_bytes()
    torn = (whole_frames[-size:])[: size // 2]
    wal.write_bytes(whole_frames + bytes(size) + torn)
    assert check(path, before, epoch) == "as it was"


OTHER_BOOT = msgspec.structs.replace(BOX, boot="another boot")


@pytest.mark.parametrize(
    ("cut", "index", "box", "same"),
    [
        (0, "as it was", BOX, True),
        (0, "as it was", OTHER_BOOT, False),
        (0, "gone", BOX, False),
        (0, "of an older log", BOX, False),
        (3, "gone", BOX, False),
        (3, "stale", OTHER_BOOT, False),
        (None, "gone", OTHER_BOOT, False),
    ],
)
def test_an_end_that_nothing_proves_begins_a_new_epoch(
    whole: Whole, cut: int | None, index: str, box: BoxIdentity, *, same: bool
) -> None:
    """Storage that flushes late loses the newest events at a power cut, and their numbers had been sent.

    The wal-index counts every frame, but is not flushed itself ("WAL-mode File Format", section 2): it bears witness
    only in the boot that wrote it. `cut`: frames missing at the log's end, None: all of it.
    """
    path, before, epoch = whole
    wal, shm = Path(f"{path}-wal"), Path(f"{path}-shm")
    size = wal_check.FRAME_HEADER + PAGE_BYTES
    data = wal.read_bytes()
    wal.write_bytes(b"" if cut is None else data[: len(data) - cut * size])
    if index == "gone":
        shm.unlink()
    elif index == "of an older log":
        shm.write_bytes(restamped(shm.read_bytes(), salts=b"12345678"))
    elif index == "stale":
        shm.write_bytes(restamped(shm.read_bytes(), frames=2))
    outbox = open_outbox(path, ROOMY, box, reading())
    assert (outbox.epoch == epoch) is same
    assert outbox.new_epoch_because == (None if same else UNPROVEN_END)
    (number,) = outbox.append([draft(99)], reading(), seal=True)
    assert (outbox.epoch, number) not in {(epoch, sequence) for sequence in before}
    outbox.close(reading())
    again = open_outbox(path, ROOMY, box, reading())
    assert again.epoch == outbox.epoch, "closed in order, the epoch goes on"
    again.abandon()


def restamped(index: bytes, *, frames: int | None = None, salts: bytes | None = None) -> bytes:
    """Change a wal-index's two headers, with the right checksum."""
    head = bytearray(index[: wal_check.WAL_INDEX_HEADER])
    if frames is not None:
        head[16:20] = struct.pack("=I", frames)
    if salts is not None:
        head[32:40] = salts
    head[40:48] = struct.pack("=2I", *wal_check._sums(bytes(head[:40]), (0, 0), big=sys.byteorder == "big"))
    return bytes(head * 2) + index[2 * wal_check.WAL_INDEX_HEADER :]


def test_what_the_database_itself_has_needs_no_witness(tmp_path: Path) -> None:
    """The log was emptied while nobody scanned, and the daemon was killed: in the same boot nothing is doubtful."""
    path = tmp_path / "outbox.db"
    outbox = Outbox(path, ROOMY, BOX)
    outbox.append([draft(1)], reading(), seal=True)
    assert outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    left = tmp_path / "left"
    left.mkdir()
    for file in tmp_path.glob("outbox.db*"):
        shutil.copy(file, left)
    outbox.abandon()
    again = open_outbox(left / "outbox.db", ROOMY, BOX, reading())
    assert again.new_epoch_because is None
    assert again.epoch == outbox.epoch
    again.abandon()


DAMAGES: list[tuple[str, str]] = [
    ("UPDATE event SET body = 7 WHERE sequence = 12", "a number for a body"),
    ("UPDATE event SET body = CAST(x'ff7b' AS TEXT) WHERE sequence = 12", "a text that is no UTF-8"),
    ("UPDATE event SET body = replace(body, 'S000012', 'S000019') WHERE sequence = 12", "another serial number"),
    ("UPDATE event SET recorded_ns = 'x' WHERE sequence = 12", "no time"),
    ("UPDATE event SET sequence = 9223372036854775807 WHERE sequence = 30", "the greatest number"),
    ("DELETE FROM event WHERE sequence = 12", "an event that is gone"),
    ("UPDATE cursor SET delivered = 'abc'", "no mark"),
    ("UPDATE cursor SET delivered = 25", "a mark that skips events"),
    ("UPDATE meta SET value = 'abc' WHERE key = 'epoch_begins'", "no number"),
    ("UPDATE meta SET value = '0123456789abcdef' WHERE key = 'epoch'", "another epoch"),
    ("UPDATE dead SET sequence = 13", "another event's dead letter"),
    ("PRAGMA user_version = 0", "version 0"),
    ("PRAGMA user_version = -2147483644", "the version's highest bit"),
    ("DROP TABLE dead", "a table that is gone"),
]


@pytest.mark.parametrize("statement", [one for one, _ in DAMAGES], ids=[name for _, name in DAMAGES])
def test_a_wrong_value_is_damage(whole: Whole, statement: str) -> None:
    path, before, epoch = whole
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)
    assert check(path, before, epoch) == "salvaged"


def test_an_open_item_that_is_no_draft(tmp_path: Path) -> None:
    from tests.outbox.test_outbox_open import hold

    path = tmp_path / "outbox.db"
    outbox = Outbox(path, ROOMY, BOX)
    outbox.append([draft(1), hold(2)], reading(), seal=True)
    outbox._db.execute("UPDATE open_item SET draft = 7")
    outbox.abandon()
    again = open_outbox(path, ROOMY, BOX, reading())
    assert list(path.parent.glob("outbox.db.corrupt-*"))
    assert list(stored(path)) == [1]
    again.abandon()


def damage_at_random(path: Path, luck: random.Random) -> str:
    """Flip a bit, cut a piece off, zero a page, or edit a row, in the file or its log; return what was done."""
    target = Path(f"{path}{luck.choice(['', '-wal'])}")
    data = bytearray(target.read_bytes())
    kind = luck.choice(["flip", "flip", "cut", "zero", "edit"])
    if kind == "edit":
        with closing(sqlite3.connect(path)) as db, db:
            column = luck.choice(["recorded_ns", "trusted", "sealed", "body", "checksum"])
            value = luck.choice([None, 7, "x", b"\xff", 2**62])
            try:
                db.execute(f"UPDATE event SET {column} = ? WHERE sequence = ?", (value, luck.randint(5, 30)))  # noqa: S608
            except sqlite3.IntegrityError:
                return "edit refused by SQLite"
        return f"edit {column} {value!r}"
    at = luck.randrange(len(data))
    if kind == "flip":
        data[at] ^= 1 << luck.randrange(8)
    elif kind == "cut":
        del data[max(1, at) :]
    else:
        begin = at // 512 * 512
        data[begin : begin + 512] = bytes(len(data[begin : begin + 512]))
    target.write_bytes(data)
    return f"{kind} {target.name} at {at}"


def test_random_damage(left: Path, tmp_path: Path) -> None:
    before = stored(copied(left, tmp_path / "look"))
    epoch = epoch_of(tmp_path / "look" / "outbox.db")
    came: dict[str, int] = {}
    for seed in range(RANDOM_DAMAGES):
        path = copied(left, tmp_path / f"at-{seed}")
        what = damage_at_random(path, random.Random(seed))  # noqa: S311 - repeatable
        try:
            result = check(path, before, epoch)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {what}") from error
        came[result] = came.get(result, 0) + 1
        shutil.rmtree(path.parent)
    assert came["salvaged"] > RANDOM_DAMAGES // 3, came


def test_lost_events_are_named_and_their_numbers_arrive(whole: Whole) -> None:
    """The central system's acknowledgement passes a number only when something with that number has come."""
    path, before, _ = whole
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM event WHERE sequence IN (12, 13, 14, 20)")
    outbox = open_outbox(path, ROOMY, BOX, reading())
    again = salvaged(outbox, reading()) if not reads_through(path) else outbox
    assert again.lost == "12-14, 20"
    with closing(OutboxReader(path)) as reader:
        handed = dict(reader.next(DELIVERED, 1000))
    assert list(handed) == list(range(DELIVERED + 1, max(before) + 1))
    assert {msgspec.json.decode(handed[one])["data"]["reason"] for one in (12, 20)} == {"lost to a damaged disk"}
    again.abandon()


def test_the_writer_flushes_each_commit(tmp_path: Path) -> None:
    """PRAGMA synchronous 2 is FULL: with less, a power cut loses what was signalled as accepted."""
    outbox = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    assert outbox._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    outbox.abandon()

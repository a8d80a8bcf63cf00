"""What lies below a damaged inner page is whole, and is found page by page."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.outbox import database_pages
from gateway.outbox.salvage import open_outbox, salvaged
from gateway.outbox.schema import PAGE_BYTES
from gateway.outbox.writer import Dead, Outbox
from tests.outbox.events import BOX, NOW_NS, ROOMY, draft, reading, stocked, stored
from tests.outbox.test_salvage import leaf_page, overwrite, root_page

EVENTS = 300
INNER = 0x05
"""First byte of an inner page of a table ("Database File Format", 1.6)."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An outbox of some 900 pages, of which some are free, closed in order."""
    outbox = stocked(tmp_path / "outbox.db", EVENTS, size=600)
    outbox.park(Dead(sequence=120, reason="refused"))
    outbox.mark_delivered(100)
    outbox.write_marks(reading())
    outbox._db.execute("DELETE FROM event WHERE sequence <= 40")
    outbox._db.execute("DELETE FROM symbol WHERE event <= 40")
    outbox.close(reading())
    return tmp_path / "outbox.db"


def inner_pages(path: Path) -> list[int]:
    data = path.read_bytes()
    return [number for number in range(2, len(data) // PAGE_BYTES + 1) if data[(number - 1) * PAGE_BYTES] == INNER]


def walked(path: Path, delivered: int = 0) -> dict[int, bytes]:
    return {row[0]: row[4] for row in database_pages.events(path, delivered)}


def test_a_sound_file_is_read_as_sqlite_reads_it(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT sequence, recorded_ns, trusted, sealed, body, checksum FROM event").fetchall()
    assert sorted(database_pages.events(path, 0)) == rows


@pytest.mark.parametrize("size", [0, 300, 900, 1024, 1030, 2000, 5000, 40_000])
def test_events_of_any_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "outbox.db"
    stocked(path, 12, size=size).close(reading())
    assert walked(path) == stored(path)


def test_what_lies_in_the_wal_counts_for_more_than_the_file(path: Path, tmp_path: Path) -> None:
    outbox = Outbox(path, ROOMY, BOX)
    unset = reading(set_=False)
    outbox.append([draft(number, clock=unset) for number in range(301, 305)], unset, seal=False)
    outbox.seal(reading())
    crashed = tmp_path / "crashed.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")
    before = stored(path)
    outbox.abandon()
    assert walked(crashed) == before
    with Path(f"{crashed}-wal").open("r+b") as wal:
        wal.truncate(wal.seek(0, 2) - PAGE_BYTES // 2)
    assert set(walked(crashed)) >= set(range(41, 301)), "a frame that was cut off"


def test_every_inner_page_in_turn(path: Path, tmp_path: Path) -> None:
    """Root pages among them: not one event is lost, and none that was removed comes back."""
    before = stored(path)
    inner = inner_pages(path)
    assert root_page(path, "event") in inner
    assert len(inner) > 3
    for page in inner:
        copy = tmp_path / f"at-{page}" / "outbox.db"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        overwrite(copy, page)
        outbox = salvaged(open_outbox(copy, ROOMY, BOX, reading()), reading())
        assert stored(copy) == before
        assert (outbox.delivered, outbox.last) == (100, EVENTS)
        outbox.abandon()


def test_all_inner_pages_and_the_first_page(path: Path) -> None:
    """Nothing says which pages are free, and the mark of delivery is lost: all that is there is sent again."""
    before = stored(path)
    for page in (1, *inner_pages(path)):
        overwrite(path, page)
    outbox = open_outbox(path, ROOMY, BOX, reading(at_ns=NOW_NS + 10**9))
    after = stored(path)
    assert {sequence: after.get(sequence) for sequence in before} == before
    assert outbox.delivered == 40
    assert outbox.append([draft(999)], reading(), seal=True) == [EVENTS + 1]
    outbox.abandon()


def test_a_row_that_is_not_what_it_says_is_left(path: Path) -> None:
    """A number in the event that is not the row's: a page of another file, or a flipped bit."""
    leaf = leaf_page(path)
    data = path.read_bytes()
    page = data[(leaf - 1) * PAGE_BYTES : leaf * PAGE_BYTES]
    changed = page.replace(b'"sequence":"0000', b'"sequence":"0009')
    assert changed != page
    path.write_bytes(data[: (leaf - 1) * PAGE_BYTES] + changed + data[leaf * PAGE_BYTES :])
    missing = set(stored(path)) - set(walked(path))
    assert 0 < len(missing) <= 4


@pytest.mark.parametrize("content", [b"", b"x" * 10, bytes(8192), b"\x0d" * 8192, b"\xff" * 8192])
def test_a_file_that_is_no_database_holds_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(content)
    Path(f"{path}-wal").write_bytes(content)
    assert walked(path) == {}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), places=st.integers(1, 400))
def test_noise_anywhere_raises_nothing_and_makes_nothing_up(path: Path, seed: int, places: int) -> None:
    before = stored(path)
    noise = random.Random(seed)  # noqa: S311 - noise, the same each time
    data = bytearray(path.read_bytes())
    for _ in range(places):
        data[noise.randrange(len(data))] = noise.randrange(256)
    copy = path.with_name("noisy.db")
    copy.write_bytes(data)
    for sequence, body in walked(copy).items():
        event = msgspec.json.decode(body)
        assert int(event["sequence"]) == sequence
        if sequence in before and event["id"] != f"id-{sequence}":
            assert body != before[sequence]

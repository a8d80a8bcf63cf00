"""Dead letters: listed with their reason, kept, and sent again as they were when a person asks."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.outbox.reader import OutboxReader
from gateway.outbox.salvage import salvaged
from gateway.outbox.writer import Dead, Outbox
from tests.outbox.events import BOX, NOW_NS, ROOMY, S, draft, reading, stored

LATER = reading(at_ns=NOW_NS + 60 * S)


@pytest.fixture
def with_dead(outbox: Outbox) -> Outbox:
    """Six events: up to the fourth delivered, the second and third dead."""
    outbox.append([draft(number) for number in range(1, 7)], reading(), seal=True)
    outbox.park(Dead(sequence=2, reason="too large"))
    outbox.park(Dead(sequence=3, reason="refused"))
    outbox.mark_delivered(4)
    outbox.write_marks(reading())
    return outbox


@pytest.fixture
def backlog(with_dead: Outbox) -> Iterator[OutboxReader]:
    with closing(OutboxReader(with_dead.path)) as opened:
        yield opened


def test_what_is_known_of_a_letter(with_dead: Outbox, backlog: OutboxReader) -> None:
    assert [(one.sequence, one.reason, one.parked_ns, one.asked_ns) for one in backlog.letters()] == [
        (2, "too large", NOW_NS, 0),
        (3, "refused", NOW_NS, 0),
    ]
    with_dead.retry([3], LATER)
    assert [one.asked_ns for one in backlog.letters()] == [0, LATER.wall_ns]


@pytest.mark.parametrize(
    ("wanted", "will_be"),
    [([2], [2]), ([3, 2], [2, 3]), (None, [2, 3]), ([1], []), ([99], []), ([], []), ([2, 1, -5], [2])],
    ids=str,
)
def test_which_are_sent_again(
    with_dead: Outbox, backlog: OutboxReader, wanted: list[int] | None, will_be: list[int]
) -> None:
    assert with_dead.retry(wanted, LATER) == will_be
    assert backlog.asked_again() == [(sequence, LATER.wall_ns) for sequence in will_be]
    assert with_dead.dead_letters == 2, "it is a dead letter until it is delivered"


def test_asked_twice_it_is_sent_once(with_dead: Outbox, backlog: OutboxReader) -> None:
    assert with_dead.retry(None, LATER) == with_dead.retry(None, reading(at_ns=NOW_NS + 90 * S)) == [2, 3]
    assert backlog.asked_again() == [(2, LATER.wall_ns), (3, LATER.wall_ns)]


def test_what_was_parked_a_moment_ago_can_be_sent_again(with_dead: Outbox, backlog: OutboxReader) -> None:
    with_dead.park(Dead(sequence=5, reason="refused"))
    assert with_dead.retry([5], LATER) == [5]
    assert backlog.asked_again() == [], "the line has not passed it yet"
    with_dead.mark_delivered(5)
    with_dead.write_marks(LATER)
    assert backlog.asked_again() == [(5, LATER.wall_ns)]


def test_delivered_it_is_history(with_dead: Outbox, backlog: OutboxReader) -> None:
    before = stored(with_dead.path)
    with_dead.retry([2], LATER)
    with_dead.revive(2)
    assert with_dead.marks_pending
    with_dead.write_marks(LATER)
    assert with_dead.dead_letters == 1
    assert [(one.sequence, one.state) for one in backlog.journal()][:3] == [
        (1, "delivered"),
        (2, "delivered"),
        (3, "dead"),
    ]
    assert stored(with_dead.path) == before, "byte for byte"
    assert [sequence for sequence, _ in backlog.next(4, 10)] == [5, 6]


def test_refused_again_it_waits_for_a_person_again(with_dead: Outbox, backlog: OutboxReader) -> None:
    with_dead.retry([2], LATER)
    with_dead.park(Dead(sequence=2, reason="still too large"))
    with_dead.write_marks(LATER)
    assert with_dead.dead_letters == 2
    letter = backlog.letters()[0]
    assert (letter.reason, letter.parked_ns, letter.asked_ns) == ("still too large", LATER.wall_ns, 0)
    assert with_dead.retry([2], LATER) == [2]


def test_damaged_bytes_are_never_sent(with_dead: Outbox) -> None:
    with_dead._db.execute("UPDATE event SET body = x'7b7b' WHERE sequence = 3")
    assert with_dead.retry(None, LATER) == [2]
    assert with_dead.dead_letters == 2


def test_what_was_asked_survives_a_restart_and_a_salvage(with_dead: Outbox, path: Path) -> None:
    with_dead.retry([3], LATER)
    with_dead.abandon()
    again = salvaged(Outbox(path, ROOMY, BOX), LATER)
    with closing(OutboxReader(path)) as backlog:
        assert backlog.asked_again() == [(3, LATER.wall_ns)]
        assert [one.reason for one in backlog.letters()] == ["too large", "refused"]
    again.abandon()


def test_letters_of_a_backup_of_version_1_are_listed(path: Path, with_dead: Outbox) -> None:
    with_dead.close(reading())
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE dead DROP COLUMN retry")
    with closing(OutboxReader(path)) as backlog:
        assert [(one.sequence, one.asked_ns) for one in backlog.letters()] == [(2, 0), (3, 0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"

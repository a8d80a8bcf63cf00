"""History goes by its age only under a clock that has gone evenly; a step of the clock removes nothing at once."""

from pathlib import Path

import pytest

from gateway.outbox.retention import AWAY_NS, STEADY_NS, STEP_NS, Retention
from gateway.outbox.writer import Outbox
from tests.outbox.events import BOX, NOW_NS, ROOMY, S, draft, reading, stored

DAY = 86_400 * S
HOUR = 3600 * S


@pytest.mark.parametrize(
    ("last_trusted_ns", "looks", "believed"),
    [
        (None, [(0, 0)], True),
        (NOW_NS - 1, [(0, 0)], True),
        (NOW_NS - AWAY_NS, [(0, 0)], True),
        (NOW_NS - AWAY_NS - 1, [(0, 0)], False),
        (NOW_NS - 30 * DAY, [(0, 0), (STEADY_NS, STEADY_NS)], True),
        (NOW_NS + 30 * DAY, [(0, 0)], False),
        (NOW_NS + STEP_NS, [(0, 0)], True),
        (NOW_NS + STEP_NS + 1, [(0, 0)], False),
        (NOW_NS, [(0, 0), (30 * DAY, 5 * S)], False),
        (NOW_NS, [(0, 0), (-30 * DAY, 5 * S)], False),
        (NOW_NS, [(0, 0), (30 * DAY, 30 * DAY)], True),
        (NOW_NS, [(0, 0), (STEP_NS, 0)], True),
        (NOW_NS, [(0, 0), (30 * DAY, 5 * S), (30 * DAY + STEADY_NS, STEADY_NS)], False),
        (NOW_NS, [(0, 0), (30 * DAY, 5 * S), (30 * DAY + STEADY_NS, STEADY_NS + 5 * S)], True),
        (NOW_NS, [(0, 0), (30 * DAY, 5 * S), (10 * S, 10 * S)], False),
    ],
    ids=[
        "no history",
        "restarted",
        "off over the weekend",
        "off for longer",
        "off for longer, a day ago",
        "history of the future",
        "history ahead by what a time server slews",
        "history ahead by more",
        "a month ahead",
        "a month back",
        "a month later",
        "slewed",
        "a month ahead, nearly a day ago",
        "a month ahead, a day ago",
        "ahead and back again",
    ],
)
def test_a_clock_is_believed(
    last_trusted_ns: int | None,
    looks: list[tuple[int, int]],
    believed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Each look: how far the wall clock, and the monotonic one, have gone since the first."""
    ageing = Retention(last_trusted_ns)
    for wall, monotonic in looks:
        cutoff = ageing.cutoff(reading(at_ns=NOW_NS + wall, monotonic_ns=60 * S + monotonic), 30)
    assert cutoff == (NOW_NS + wall - 30 * DAY if believed else None)


def test_a_clock_that_is_not_set_says_nothing() -> None:
    assert Retention(None).cutoff(reading(set_=False), 30) is None


def delivered(path: Path, *recorded: tuple[int, bool]) -> Outbox:
    """Open an outbox of delivered events: each recorded so many days from now, by a clock that was set or not."""
    outbox = Outbox(path, ROOMY, BOX)
    for number, (days, trusted) in enumerate(recorded, 1):
        clock = reading(at_ns=NOW_NS + days * DAY, set_=trusted)
        outbox.append([draft(number, clock=clock)], clock, seal=True)
    outbox.mark_delivered(len(recorded))
    outbox.write_marks(reading())
    return outbox


def tidied(outbox: Outbox, *, day: int) -> list[int]:
    """Let it tidy on a day of an evenly going clock; return what is left."""
    while outbox.maintain(reading(at_ns=NOW_NS + day * DAY, monotonic_ns=60 * S + day * DAY)):
        pass
    return list(stored(outbox.path))


@pytest.mark.parametrize(
    ("recorded", "kept"),
    [
        ([(0, True), (0, True)], []),
        ([(0, True), (20, True)], [2]),
        ([(0, True), (-40, True), (20, True)], [3]),
        ([(20, True), (-40, True), (20, True)], [1, 2, 3]),
        ([(0, True), (70, True), (0, True)], [2, 3]),
        ([(0, False), (0, True), (0, False)], [3]),
        ([(0, True), (70, False), (0, True)], []),
    ],
    ids=[
        "old",
        "young",
        "a step back among old",
        "a step back among young",
        "a step ahead",
        "not set",
        "not set, ahead",
    ],
)
def test_an_event_speaks_for_those_in_front_of_it(
    tmp_path: Path, recorded: list[tuple[int, bool]], kept: list[int]
) -> None:
    """On day 31: a step of the clock never lets an event go before those in front of it."""
    outbox = delivered(tmp_path / "outbox.db", *recorded)
    assert tidied(outbox, day=31) == kept
    outbox.abandon()


def test_a_synchronised_clock_months_ahead_does_not_take_the_journal_at_once(tmp_path: Path) -> None:
    """A wrong time server: somebody has a day to set it right, and then nothing has gone."""
    outbox = delivered(tmp_path / "outbox.db", (0, True), (0, True))
    assert tidied(outbox, day=0) == [1, 2]
    for hours in (0, 12, 23):
        wrong = reading(at_ns=NOW_NS + 200 * DAY + hours * HOUR, monotonic_ns=60 * S + hours * HOUR)
        assert not outbox.maintain(wrong)
    assert tidied(outbox, day=1) == [1, 2]
    outbox.abandon()


def test_a_box_that_wakes_in_the_future_keeps_its_journal_for_a_day(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    delivered(path, (0, True), (0, True)).close(reading())
    again = Outbox(path, ROOMY, BOX)
    assert not again.maintain(reading(at_ns=NOW_NS + 200 * DAY))
    assert list(stored(path)) == [1, 2]
    later = reading(at_ns=NOW_NS + 201 * DAY, monotonic_ns=60 * S + STEADY_NS)
    while again.maintain(later):
        pass
    assert stored(path) == {}
    again.abandon()

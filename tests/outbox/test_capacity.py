"""The outbox is bounded: alarms as it fills, history goes first, and what is not delivered never goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.outbox.capacity import Capacity
from gateway.outbox.schema import OutboxError
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Dead, FullOutboxError, Outbox
from gateway.system.clock import ClockReading
from tests.outbox.events import BOX, NOW_NS, ROOMY, S, draft, reading, stored

DAY = 86_400 * S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    opened = Outbox(path, ROOMY, BOX)
    yield opened
    opened.abandon()


class TestRoom:
    def fill(self, outbox: Outbox, clock: ClockReading | None = None) -> int:
        """Store until it refuses; return how many were stored."""
        count = outbox.last
        while True:
            try:
                outbox.append([draft(count + 1, size=2000)], clock or reading(), seal=True)
            except FullOutboxError:
                return count
            count += 1

    @pytest.fixture
    def small(self, path: Path) -> Iterator[Outbox]:
        opened = Outbox(path, OutboxSettings(max_bytes=1 << 20, min_free_bytes=0, keep_delivered_days=30), BOX)
        yield opened
        opened.abandon()

    def test_levels_rise_as_it_fills_and_nothing_undelivered_goes(self, small: Outbox) -> None:
        levels = []
        for number in range(1, 2000):
            small.maintain(reading())
            if small.capacity.level not in levels:
                levels.append(small.capacity.level)
            if small.capacity.level is Capacity.FULL:
                break
            small.append([draft(number)], reading(), seal=True)
        assert levels == [Capacity.FREE, Capacity.FILLING, Capacity.NEARLY_FULL, Capacity.FULL]
        count = small.last
        with pytest.raises(FullOutboxError, match="not delivered; restore the way to the broker"):
            small.append([draft(number)], reading(), seal=True)
        assert list(stored(small.path)) == list(range(1, count + 1))

    def test_a_full_outbox_takes_scans_again_once_some_are_delivered(self, small: Outbox) -> None:
        count = self.fill(small)
        small.mark_delivered(count // 2)
        assert small.append([draft(count + 1)], reading(), seal=True) == [count + 1]
        assert set(stored(small.path)) >= set(range(count // 2 + 1, count + 2)), "what is not delivered is there"

    def test_history_goes_first_and_oldest_first(self, small: Outbox) -> None:
        small.append([draft(number, size=2000) for number in range(1, 300)], reading(), seal=True)
        small.mark_delivered(100)
        small.write_marks(reading())
        while small.maintain(reading()):
            pass
        kept = list(stored(small.path))
        assert kept == list(range(101, 300))

    def test_what_is_told_elsewhere_goes_before_history(self, small: Outbox) -> None:
        """Settled entries of the list of unknown articles; those that nobody has looked after stay."""
        small.append([draft(number, size=2000) for number in range(1, 300)], reading(), seal=True)
        small._db.execute("INSERT INTO unknown VALUES ('a', 'GS1', 1, 1, 1, 2), ('b', 'GS1', 1, 1, 1, NULL)")
        small.mark_delivered(100)
        small.write_marks(reading())
        assert small.maintain(reading())
        assert small._db.execute("SELECT identifier FROM unknown").fetchall() == [("b",)]
        assert list(stored(small.path)) == list(range(1, 300))
        assert small.maintain(reading())
        assert list(stored(small.path)) == list(range(101, 300))

    def test_dead_letters_stay(self, small: Outbox) -> None:
        small.append([draft(number, size=2000) for number in range(1, 300)], reading(), seal=True)
        small.park(Dead(sequence=50, reason="refused"))
        small.mark_delivered(100)
        small.write_marks(reading())
        while small.maintain(reading()):
            pass
        assert list(stored(small.path))[:2] == [50, 101]

    def test_free_space_of_the_disk_counts(self, path: Path) -> None:
        greedy = Outbox(path, OutboxSettings(min_free_bytes=1 << 60), BOX)
        assert greedy.capacity.level is Capacity.FULL
        with pytest.raises(FullOutboxError):
            greedy.append([draft(1)], reading(), seal=True)
        greedy.abandon()

    def test_a_directory_that_is_gone_is_an_error_of_the_outbox(self, small: Outbox, tmp_path: Path) -> None:
        small.path = tmp_path / "gone" / "outbox.db"
        with pytest.raises(OutboxError, match="cannot measure"):
            small.maintain(reading())

    @pytest.mark.parametrize(
        ("days", "clock_set", "kept"),
        [(29, True, [1, 2, 3, 4]), (31, True, [4]), (31, False, [1, 2, 3, 4])],
        ids=["young", "old", "clock-not-set"],
    )
    def test_history_ages_by_a_trusted_clock(
        self,
        outbox: Outbox,
        days: int,
        clock_set: bool,  # noqa: FBT001 - a column of the table
        kept: list[int],
    ) -> None:
        """The second was recorded without a clock: it is as old as the one behind it; the fourth is waiting."""
        for number, trusted in ((1, True), (2, False), (3, True), (4, True)):
            clock = reading(set_=trusted)
            outbox.append([draft(number, clock=clock)], clock, seal=True)
        outbox.mark_delivered(3)
        outbox.write_marks(reading())
        later = reading(at_ns=NOW_NS + days * DAY, set_=clock_set)
        while outbox.maintain(later):
            pass
        assert list(stored(outbox.path)) == kept

    def test_numbers_are_never_used_again(self, outbox: Outbox) -> None:
        outbox.append([draft(1), draft(2)], reading(), seal=True)
        outbox.mark_delivered(2)
        outbox.write_marks(reading())
        while outbox.maintain(reading(at_ns=NOW_NS + 31 * DAY)):
            pass
        assert stored(outbox.path) == {}
        outbox.abandon()
        again = Outbox(outbox.path, ROOMY, BOX)
        assert again.append([draft(3)], reading(), seal=True) == [3]
        again.abandon()

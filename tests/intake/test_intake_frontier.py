"""Two intakes at one database beside a plain model: whatever comes in whatever order, and whatever breaks."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from intake.acknowledge import REPEATS, Acknowledgements
from intake.database import DatabaseError, open_database
from intake.event import EventRow, Place, Poison, read_event
from intake.messages import read_box_message
from intake.store import ReceivedBatch, Store, Stream
from tests.intake.boxes import EPOCH, body, health, source, topic

NOW: Final = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
BEGINS: Final = {"gw1": 1, "gw2": 5}
"""A new epoch begins behind the former one: where, its box's health message says, unless it is 1."""
arrivals: Final = st.lists(
    st.tuples(st.sampled_from(sorted(BEGINS)), st.integers(0, 11), st.booleans()), min_size=1, max_size=12
)
"""Box, place in its epoch, and whether it is poison that holds its place."""
either: Final = st.integers(0, 1)
"""Which of the intakes."""


class TwoIntakes(RuleBasedStateMachine):
    """The frontier is what a plain set of numbers says; acknowledgements never go back nor pass a hole."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = open_database(f"sqlite:///{Path(self.folder.name) / 'events.db'}")
        self.breaks = False
        sa.event.listen(self.engine, "before_cursor_execute", self.break_off)
        self.stores = [self.store(), self.store()]
        self.acknowledgements = [Acknowledgements(), Acknowledgements()]
        self.acknowledged: list[dict[str, int]] = [{}, {}]
        self.known = {"gw1": 1}
        """Box -> where its epoch begins, as far as the database has been told."""
        self.events: dict[str, set[int]] = {box: set() for box in BEGINS}
        self.passed: dict[str, set[int]] = {box: set() for box in BEGINS}

    def store(self) -> Store:
        return Store(self.engine, lambda: NOW)

    def break_off(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        """The database goes away when the frontiers are to be written, after all the rows."""
        if self.breaks and statement.startswith("UPDATE stream"):
            raise sa.exc.OperationalError(statement, {}, Exception("gone"))

    @rule(which=either, batch=arrivals)
    def commit(self, which: int, batch: list[tuple[str, int, bool]]) -> None:
        made, events, passed = self.made(batch)
        committed = self.stores[which].commit(made)
        for box in BEGINS:
            self.events[box] |= events[box]
            self.passed[box] |= passed[box]
        self.take(which, committed.frontiers)

    @rule(which=either, batch=arrivals)
    def broken(self, which: int, batch: list[tuple[str, int, bool]]) -> None:
        """Nothing of it is there, and nothing is acknowledged; the broker gives it to either of them again."""
        made, events, passed = self.made(batch)
        self.breaks = True
        try:
            committed = self.stores[which].commit(made)
        except DatabaseError:
            return
        finally:
            self.breaks = False
        for box in BEGINS:
            assert events[box] <= self.events[box], "there was nothing to be written but copies"
            assert passed[box] <= self.passed[box]
        self.take(which, committed.frontiers)

    @rule(which=either, box=st.sampled_from(sorted(BEGINS)))
    def health(self, which: int, box: str) -> None:
        word = read_box_message(source(box), "health", health(box, begins=BEGINS[box]), NOW)
        assert word is not None
        self.known[box] = BEGINS[box]
        self.take(which, self.stores[which].commit(ReceivedBatch(boxes=(word,))).frontiers)

    @rule(which=either, box=st.sampled_from(sorted(BEGINS)), places=st.sets(st.integers(0, 11), min_size=1))
    def given_up(self, which: int, box: str, places: set[int]) -> None:
        """A box no longer has them."""
        numbers = {BEGINS[box] + place for place in places}
        gone = [Place(source=source(box), epoch=EPOCH, sequence=number) for number in sorted(numbers)]
        committed = self.stores[which].stand_in(gone, "the box no longer has it")
        self.passed[box] |= numbers
        self.take(which, committed.frontiers)

    @rule(which=either)
    def restart(self, which: int) -> None:
        self.stores[which], self.acknowledgements[which] = self.store(), Acknowledgements()

    @rule(which=either)
    def repeat(self, which: int) -> None:
        """What is acknowledged again is what was acknowledged last."""
        again = self.acknowledgements[which].due(sum(REPEATS))
        assert {self.box(one): upto for one, upto in again.items()}.items() <= self.acknowledged[which].items()

    @invariant()
    def the_database_is_the_model(self) -> None:
        with self.engine.connect() as connection:
            frontiers = connection.execute(sa.text("SELECT source, frontier FROM stream")).all()
            stored = connection.execute(sa.text("SELECT source, sequence FROM event ORDER BY 1, 2")).all()
        assert {self.name(one.source): one.frontier for one in frontiers}.items() <= {
            box: self.frontier(box) for box in BEGINS
        }.items()
        expected = [(source(box), number) for box in sorted(BEGINS) for number in sorted(self.events[box])]
        assert [(one.source, one.sequence) for one in stored] == expected, "each once"

    def made(
        self, batch: list[tuple[str, int, bool]]
    ) -> tuple[ReceivedBatch, dict[str, set[int]], dict[str, set[int]]]:
        events: dict[str, set[int]] = {box: set() for box in BEGINS}
        passed: dict[str, set[int]] = {box: set() for box in BEGINS}
        rows: list[EventRow] = []
        poison: list[Poison] = []
        for box, place, odd in batch:
            number = BEGINS[box] + place
            changes: dict[str, Any] = {"type": "scangate.scan.v9"} if odd else {}
            read = read_event(topic(box), body(number, box, **changes), NOW)
            if isinstance(read, EventRow):
                rows.append(read)
                events[box].add(number)
            elif isinstance(read, Poison):
                poison.append(read)
                passed[box].add(number)
        return ReceivedBatch(events=tuple(rows), poison=tuple(poison)), events, passed

    def frontier(self, box: str) -> int:
        held = self.events[box] | self.passed[box]
        if box not in self.known:
            return 0
        last = self.known[box] - 1
        while last + 1 in held:
            last += 1
        return last if held or box in self.touched() else 0

    def touched(self) -> set[str]:
        return {box for each in self.acknowledged for box in each}

    def take(self, which: int, frontiers: dict[Stream, int]) -> None:
        """Acknowledge, as the service does."""
        for one, upto in self.acknowledgements[which].committed(frontiers, 0.0).items():
            box = self.box(one)
            assert upto >= self.acknowledged[which].get(box, 0), "an acknowledgement went back"
            self.acknowledged[which][box] = upto
            assert upto == self.frontier(box)

    def name(self, of: str) -> str:
        return of.rpartition(":")[2]

    def box(self, of: Stream) -> str:
        return self.name(of.source)

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()


TwoIntakes.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestTwoIntakes = TwoIntakes.TestCase

"""The outbox against a model: whatever is done to it, in whatever order, nothing undelivered vanishes."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.delivery.backlog import Backlog
from gateway.delivery.outbox import Dead, Outbox
from tests.delivery.events import BOX, NOW_NS, ROOMY, S, draft, reading

UNSET = reading(set_=False)
FAR_FUTURE = reading(at_ns=NOW_NS + 400 * 86_400 * S)


class OutboxAgainstModel(RuleBasedStateMachine):
    """Every number ever told, what the broker has, what is marked on disk; and the file itself."""

    @initialize()
    def first_start(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.outbox = Outbox(self.directory / "outbox.db", ROOMY, BOX)
        self.told: dict[int, str] = {}
        self.settled = 0
        """Up to here the publisher says delivered or dead."""
        self.written = 0
        """What of it is on disk for certain."""
        self.dead: set[int] = set()

    @rule(count=st.integers(1, 4), sealed=st.booleans(), clock_set=st.booleans())
    def append(self, count: int, *, sealed: bool, clock_set: bool) -> None:
        clock = reading(set_=clock_set)
        drafts = [draft(self.outbox.last + 1 + index, clock=clock) for index in range(count)]
        sequences = self.outbox.append(drafts, clock, seal=sealed)
        newest = max(self.told, default=0)
        assert sequences == list(range(newest + 1, newest + count + 1))
        self.told.update(zip(sequences, (one.id for one in drafts), strict=True))
        self.written = self.settled

    @rule(share=st.floats(0, 1))
    def deliver(self, share: float) -> None:
        backlog = Backlog(self.outbox.path)
        ready = [sequence for sequence, _ in backlog.next(self.settled, 100)]
        backlog.close()
        for sequence in ready[: int(share * len(ready))]:
            if sequence % 7 == 0:
                self.outbox.park(Dead(sequence=sequence, reason="refused"))
                self.dead.add(sequence)
            self.settled = sequence
        self.outbox.mark_delivered(self.settled)

    @rule()
    def idle(self) -> None:
        self.outbox.write_marks(reading())
        self.written = self.settled

    @rule(clock_set=st.booleans())
    def settle_times(self, *, clock_set: bool) -> None:
        if self.outbox.seal(reading(set_=clock_set)):
            self.written = self.settled

    @rule()
    def prune(self) -> None:
        while self.outbox.tidy(FAR_FUTURE):
            pass

    @rule()
    def power_cut(self) -> None:
        self.outbox.abandon()
        self.outbox = Outbox(self.outbox.path, ROOMY, BOX)
        self.settled = max(self.written, self.outbox.delivered)
        self.dead = {sequence for sequence in self.dead if sequence <= self.settled}

    @invariant()
    def what_is_not_delivered_is_there(self) -> None:
        backlog = Backlog(self.outbox.path)
        stored = {one.sequence: one for one in backlog.journal()}
        delivered, dead = backlog.delivered(), {sequence for sequence, _ in backlog.dead()}
        backlog.close()
        assert delivered <= self.settled
        assert delivered >= self.written
        waiting = {sequence for sequence in self.told if sequence > delivered}
        assert waiting <= set(stored)
        assert dead <= set(stored), "a dead letter waits for a person"
        assert all(f'"id":"{self.told[one.sequence]}"'.encode() in one.body for one in stored.values())

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.abandon()
            shutil.rmtree(self.directory)


OutboxAgainstModel.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestOutboxAgainstModel = OutboxAgainstModel.TestCase

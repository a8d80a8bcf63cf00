"""The outbox against a model: whatever is done to it, in whatever order, nothing undelivered vanishes."""

import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.outbox.backup import back_up, restore
from gateway.outbox.entry import JournalledSymbol, NewEvent
from gateway.outbox.reader import OutboxReader
from gateway.outbox.retention import STEADY_NS
from gateway.outbox.salvage import salvaged
from gateway.outbox.writer import Dead, Outbox
from gateway.system.clock import ClockReading
from tests.outbox.events import BOX, NOW_NS, ROOMY, S, draft, reading

DAY = 86_400 * S
FAR_NS = 400 * DAY
SCANNERS = st.sampled_from(["back", "front"])


class OnDisk(NamedTuple):
    """What the model says of a file."""

    told: dict[int, str]
    """Every number ever told and its event; those delivered may be gone."""
    delivered: int
    """Up to here it is delivered or dead for certain."""
    dead: frozenset[int]
    open: dict[str, str]
    """Scanner -> item that is half scanned."""


class OutboxAgainstModel(RuleBasedStateMachine):
    """What was told, what the broker has, what is marked on disk; and the file itself."""

    @initialize()
    def first_start(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.outbox = Outbox(self.directory / "outbox.db", ROOMY, BOX)
        self.disk = OnDisk({}, 0, frozenset(), {})
        self.settled = 0
        """Up to here the publisher says delivered or dead."""
        self.parked: set[int] = set()
        self.revived: set[int] = set()
        """What the next write takes along."""
        self.left: list[str] = []
        """Items of an earlier life, which become events with the next append."""
        self.made = 0
        self.keys: dict[tuple[str, int], str] = {}
        """Epoch and number of every event ever told."""
        self.backup: OnDisk | None = None

    @rule(count=st.integers(1, 4), sealed=st.booleans(), clock_set=st.booleans())
    def append(self, count: int, *, sealed: bool, clock_set: bool) -> None:
        clock = reading(set_=clock_set)
        self._append([self._draft(clock) for _ in range(count)], clock, sealed=sealed)

    @rule(scanner=SCANNERS)
    def scan_half(self, scanner: str) -> None:
        """One more symbol of an item: journalled, and no event."""
        self._append([JournalledSymbol(scanner=scanner, draft=self._draft(reading(), scanner))], reading())

    @rule(scanner=SCANNERS)
    def scan_the_other_half(self, scanner: str) -> None:
        if scanner in self.disk.open and self.disk.open[scanner] not in self.left:
            whole = self._draft(reading(), scanner, identity=self.disk.open[scanner])
            self._append([msgspec.structs.replace(whole, closes=scanner)], reading())

    @rule(share=st.floats(0, 1))
    def deliver(self, share: float) -> None:
        with closing(OutboxReader(self.outbox.path)) as backlog:
            ready = [sequence for sequence, _ in backlog.next(self.settled, 100)]
        for sequence in ready[: int(share * len(ready))]:
            if sequence % 3 == 0:
                self.outbox.park(Dead(sequence=sequence, reason="refused"))
                self.parked.add(sequence)
            self.settled = sequence
        self.outbox.mark_delivered(self.settled)

    @rule()
    def idle(self) -> None:
        self.outbox.write_marks(reading())
        self._wrote()

    @rule()
    def retry(self) -> None:
        will_be = self.outbox.retry(None, reading())
        self._wrote()
        assert will_be == sorted(self.disk.dead)

    @rule(delivered=st.booleans())
    def retried(self, *, delivered: bool) -> None:
        with closing(OutboxReader(self.outbox.path)) as backlog:
            asked = [sequence for sequence, _ in backlog.asked_again()]
        assert set(asked) <= self.disk.dead
        for sequence in [one for one in asked if one not in self.revived | self.parked][:1]:
            if delivered:
                self.outbox.revive(sequence)
                self.revived.add(sequence)
            else:
                self.outbox.park(Dead(sequence=sequence, reason="refused again"))
                self.parked.add(sequence)

    @rule(clock_set=st.booleans())
    def settle_times(self, *, clock_set: bool) -> None:
        if self.outbox.seal(reading(set_=clock_set)):
            self._wrote()

    @rule()
    def prune(self) -> None:
        for steady in (0, STEADY_NS):
            far = reading(at_ns=NOW_NS + FAR_NS + steady, monotonic_ns=60 * S + steady)
            while self.outbox.maintain(far):
                pass

    @rule()
    def power_cut(self) -> None:
        self.outbox.abandon()
        self._begin(Outbox(self.outbox.path, ROOMY, BOX))

    @rule()
    def salvage(self) -> None:
        """A sound file is salvaged as a damaged one is; it comes over whole."""
        before = self.outbox.epoch
        self._begin(salvaged(self.outbox, reading(at_ns=NOW_NS + self.made * S)))
        assert self.outbox.epoch != before

    @rule()
    def make_backup(self) -> None:
        back_up(self.outbox.path, self.directory / "backup")
        self.backup = self.disk

    @precondition(lambda self: self.backup is not None)
    @rule()
    def go_back_to_the_backup(self) -> None:
        self.outbox.abandon()
        before = self.outbox.epoch
        restore(self.outbox.path, self.directory / "backup", ROOMY, BOX, reading(at_ns=NOW_NS + self.made * S))
        assert self.backup is not None
        self.disk = self.backup
        self._begin(Outbox(self.outbox.path, ROOMY, BOX))
        assert self.outbox.epoch != before

    def _draft(self, clock: ClockReading, scanner: str = "front", identity: str | None = None) -> NewEvent:
        self.made += 1
        one = draft(self.made, clock=clock, identity=identity)
        station = msgspec.structs.replace(one.data.station, scanner=scanner)
        return msgspec.structs.replace(one, data=msgspec.structs.replace(one.data, station=station))

    def _append(
        self, writes: list[NewEvent | JournalledSymbol], clock: ClockReading, *, sealed: bool = True
    ) -> None:
        events = self.left + [one.id for one in writes if isinstance(one, NewEvent)]
        newest = max(self.disk.told, default=0)
        sequences = self.outbox.append(writes, clock, seal=sealed)
        assert sequences == list(range(newest + 1, newest + len(events) + 1))
        for sequence, identity in zip(sequences, events, strict=True):
            assert (self.outbox.epoch, sequence) not in self.keys, "no number is given twice within an epoch"
            self.keys[self.outbox.epoch, sequence] = identity
        still_open = {name: identity for name, identity in self.disk.open.items() if identity not in events}
        still_open |= {one.scanner: one.draft.id for one in writes if isinstance(one, JournalledSymbol)}
        told = self.disk.told | dict(zip(sequences, events, strict=True))
        self.disk = self.disk._replace(told=told, open=still_open)
        self.left = []
        self._wrote()

    def _wrote(self) -> None:
        dead = self.disk.dead - self.revived | self.parked
        self.disk = self.disk._replace(delivered=self.settled, dead=dead)
        self.parked, self.revived = set(), set()

    def _begin(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.settled = self.disk.delivered
        self.parked, self.revived = set(), set()
        self.left = [self.disk.open[scanner] for scanner in sorted(self.disk.open)]
        assert [one.id for one in outbox.left_open] == self.left

    @invariant()
    def what_is_not_delivered_is_there(self) -> None:
        with closing(OutboxReader(self.outbox.path)) as backlog:
            stored = {one.sequence: one for one in backlog.journal()}
            delivered, dead = backlog.delivered(), {sequence for sequence, _ in backlog.dead()}
        assert delivered == self.disk.delivered
        assert dead == self.disk.dead, "a dead letter waits for a person"
        assert dead <= set(stored)
        assert {sequence for sequence in self.disk.told if sequence > delivered} <= set(stored)
        told = self.disk.told
        assert all(f'"id":"{told[one.sequence]}"'.encode() in one.body for one in stored.values())

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.abandon()
            shutil.rmtree(self.directory)


OutboxAgainstModel.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestOutboxAgainstModel = OutboxAgainstModel.TestCase

"""The outbox on a real disk: durable, in order, and never without what is not delivered."""

import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.events import cloudevent
from gateway.events.cloudevent import PARKED_TYPE
from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.reader import OutboxReader
from gateway.outbox.salvage import salvaged
from gateway.outbox.schema import SCHEMA_VERSION, CorruptOutboxError, NewerOutboxError, OutboxError
from gateway.outbox.writer import SEAL_ROWS, Dead, Outbox
from tests.outbox.events import BOX, NOW_NS, ROOMY, S, draft, reading, stocked, stored

DAY = 86_400 * S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    opened = Outbox(path, ROOMY, BOX)
    yield opened
    opened.abandon()


@pytest.fixture
def backlog(outbox: Outbox) -> Iterator[OutboxReader]:
    opened = OutboxReader(outbox.path)
    yield opened
    opened.close()


def reopened(outbox: Outbox, identity: BoxIdentity = BOX) -> Outbox:
    outbox.abandon()
    return Outbox(outbox.path, outbox.settings, identity)


class TestAppend:
    def test_numbers_go_on_without_a_gap(self, outbox: Outbox) -> None:
        assert outbox.append([draft(1)], reading(), seal=True) == [1]
        assert outbox.append([draft(2), draft(3)], reading(), seal=True) == [2, 3]
        assert outbox.last == 3

    def test_the_number_is_in_the_event(self, outbox: Outbox) -> None:
        outbox.append([draft(1), draft(2)], reading(), seal=True)
        events = [cloudevent.decode_scan(body) for body in stored(outbox.path).values()]
        assert [event.sequence for event in events] == ["0000000000000001", "0000000000000002"]
        assert {event.epoch for event in events} == {outbox.epoch}

    def test_a_group_is_stored_whole_or_not_at_all(self, outbox: Outbox) -> None:
        outbox.append([draft(1)], reading(), seal=True)
        poisoned = msgspec.structs.replace(draft(3), raw=())
        with pytest.raises(ValueError, match="zip"):
            outbox.append([draft(2), poisoned], reading(), seal=True)
        assert list(stored(outbox.path)) == [1]
        assert outbox.append([draft(4)], reading(), seal=True) == [2]

    def test_every_symbol_is_journalled_with_its_bytes(self, outbox: Outbox) -> None:
        outbox.append([draft(7)], reading(), seal=True)
        with sqlite3.connect(outbox.path) as db:
            rows = db.execute("SELECT event, scanner, symbology, raw FROM symbol").fetchall()
        db.close()
        assert rows == [(1, "front", "]d2", b"]d2010952000100010221S000007")]

    def test_a_disk_that_fails_stores_nothing_and_the_next_try_goes_on(self, outbox: Outbox) -> None:
        """A second writer that does not let go stands for any failing disk: sqlite says so in the same way."""
        outbox.append([draft(1)], reading(), seal=True)
        outbox._db.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(outbox.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxError, match=r"cannot store a scan in .*outbox\.db: database is locked"):
            outbox.append([draft(2)], reading(), seal=True)
        other.execute("ROLLBACK")
        other.close()
        assert outbox.append([draft(2)], reading(), seal=True) == [2]


class TestMarks:
    def test_a_mark_rides_in_the_next_append(self, outbox: Outbox, backlog: OutboxReader) -> None:
        outbox.append([draft(1)], reading(), seal=True)
        outbox.mark_delivered(1)
        assert backlog.delivered() == 0
        assert outbox.marks_pending
        outbox.append([draft(2)], reading(), seal=True)
        assert backlog.delivered() == outbox.delivered == 1

    def test_a_mark_goes_alone_when_the_box_is_idle(self, outbox: Outbox, backlog: OutboxReader) -> None:
        outbox.append([draft(1)], reading(), seal=True)
        outbox.mark_delivered(1)
        outbox.write_marks(reading())
        assert backlog.delivered() == 1

    def test_a_mark_never_goes_back(self, outbox: Outbox) -> None:
        outbox.append([draft(1), draft(2)], reading(), seal=True)
        for upto in (2, 1):
            outbox.mark_delivered(upto)
            outbox.write_marks(reading())
        assert outbox.delivered == 2

    def test_a_lost_mark_only_sends_again(self, outbox: Outbox) -> None:
        outbox.append([draft(1)], reading(), seal=True)
        outbox.mark_delivered(1)
        again = reopened(outbox)
        assert (again.delivered, again.last) == (0, 1)
        again.abandon()

    def test_a_dead_letter_is_kept_and_its_notice_stands_in_its_place(
        self, outbox: Outbox, backlog: OutboxReader
    ) -> None:
        outbox.append([draft(1), draft(2), draft(3)], reading(), seal=True)
        outbox.park(Dead(sequence=2, reason="too large"))
        outbox.write_marks(reading())
        (_, first), (_, notice), (_, third) = backlog.next(0, 10)
        assert [first, third] == [body for sequence, body in stored(outbox.path).items() if sequence != 2]
        parked = msgspec.json.decode(notice, type=cloudevent.ParkedEvent)
        assert (parked.type, parked.sequence, parked.epoch) == (PARKED_TYPE, "0000000000000002", outbox.epoch)
        assert (parked.data.event, parked.data.reason) == ("id-2", "too large")
        assert uuid.UUID(parked.id)
        assert backlog.notice(2, "too large") == notice, "a copy is a copy"
        assert backlog.dead() == [(2, "too large")]
        assert [one.state for one in backlog.journal()] == ["waiting", "dead", "waiting"]
        assert (outbox.dead_letters, backlog.waiting()) == (1, 2)

    def test_close_writes_what_is_pending(self, outbox: Outbox, backlog: OutboxReader) -> None:
        outbox.append([draft(1)], reading(), seal=True)
        outbox.mark_delivered(1)
        outbox.close(reading())
        assert backlog.delivered() == 1


class TestTime:
    UNSET = reading(at_ns=100 * S, monotonic_ns=5 * S, set_=False)
    """A box without a battery-backed clock just after its boot: 1970."""
    LEARNT = reading(at_ns=NOW_NS, monotonic_ns=65 * S)

    def test_unsettled_events_are_not_handed_over(self, outbox: Outbox, backlog: OutboxReader) -> None:
        outbox.append([draft(1, clock=self.UNSET)], self.UNSET, seal=False)
        outbox.append([draft(2)], reading(), seal=True)
        assert backlog.unsettled()
        assert backlog.next(0, 10) == []

    def test_a_clock_learnt_before_the_hand_over_corrects_the_event(self, outbox: Outbox) -> None:
        outbox.append([draft(1, clock=self.UNSET)], self.UNSET, seal=False)
        before = cloudevent.decode_scan(stored(outbox.path)[1])
        assert outbox.seal(self.LEARNT) == 1
        event = cloudevent.decode_scan(stored(outbox.path)[1])
        assert cloudevent.parse_time(event.time) == NOW_NS - 60 * S
        assert cloudevent.parse_time(event.recordedtime) == NOW_NS - 60 * S
        assert (event.data.clock.synchronised, event.data.clock.corrected) == (False, True)
        assert (event.id, event.sequence, event.data.udi) == (before.id, before.sequence, before.data.udi)
        assert outbox.clock_learnt(lambda: "c1", self.LEARNT) == [], "nothing was handed over with a wrong time"

    def test_a_clock_learnt_later_is_an_event_in_the_same_sequence(
        self, outbox: Outbox, backlog: OutboxReader
    ) -> None:
        outbox.append([draft(1, clock=self.UNSET)], self.UNSET, seal=True)
        first = stored(outbox.path)[1]
        assert outbox.seal(self.LEARNT) == 0
        assert outbox.clock_learnt(lambda: "c1", self.LEARNT) == [2]
        assert outbox.clock_learnt(lambda: "c2", self.LEARNT) == [], "said once"
        bodies = stored(outbox.path)
        assert bodies[1] == first, "what was handed over stays as it was"
        event = msgspec.json.decode(bodies[2], type=cloudevent.ClockEvent)
        assert (event.type, event.id, event.sequence) == ("scangate.clock.v1", "c1", "0000000000000002")
        assert isinstance(event.data.offset_ns, int)
        assert event.data.offset_ns + self.UNSET.monotonic_ns == NOW_NS - 60 * S
        assert [sequence for sequence, _ in backlog.next(0, 10)] == [1, 2]

    def test_the_clock_event_survives_a_restart_of_the_daemon(self, outbox: Outbox) -> None:
        outbox.append([draft(1, clock=self.UNSET)], self.UNSET, seal=True)
        again = reopened(outbox)
        assert again.clock_learnt(lambda: "c1", self.LEARNT) == [2]
        again.abandon()

    def test_events_of_another_boot_cannot_be_corrected(self, outbox: Outbox, backlog: OutboxReader) -> None:
        outbox.append([draft(1, clock=self.UNSET)], self.UNSET, seal=False)
        body = stored(outbox.path)[1]
        outbox.seal(reading(boot="f" * 32))
        assert stored(outbox.path)[1] == body
        assert backlog.next(0, 10) == [(1, body)]

    def test_settled_without_a_clock_they_keep_their_time(self, outbox: Outbox, backlog: OutboxReader) -> None:
        outbox.append([draft(1, clock=self.UNSET)], self.UNSET, seal=False)
        body = stored(outbox.path)[1]
        assert outbox.seal(self.UNSET) == 1
        assert backlog.next(0, 10) == [(1, body)]
        assert outbox.clock_learnt(lambda: "c1", self.LEARNT) == [2]

    def test_a_long_row_is_settled_in_pieces(self, outbox: Outbox, backlog: OutboxReader) -> None:
        count = SEAL_ROWS + 10
        drafts = [draft(number, clock=self.UNSET) for number in range(1, count + 1)]
        outbox.append(drafts, self.UNSET, seal=False)
        assert [outbox.seal(self.LEARNT) for _ in range(3)] == [SEAL_ROWS, 10, 0]
        assert len(backlog.next(0, 2 * count)) == count

    @pytest.mark.parametrize(
        "damage",
        [
            lambda _: b"{{",
            lambda _: b"\xff",
            lambda body: body.replace(b"front", b"\x80"),
            lambda body: body.replace(b'"time":"19', b'"time":"x9'),
        ],
        ids=["no JSON", "no text", "no UTF-8", "no time"],
    )
    def test_an_event_that_cannot_be_read_holds_nothing_up(
        self, outbox: Outbox, damage: Callable[[bytes], bytes]
    ) -> None:
        """A flipped bit on the disk is damage, and gets no right checksum: the file is salvaged, the rest goes on."""
        outbox.append([draft(1, clock=self.UNSET), draft(2, clock=self.UNSET)], self.UNSET, seal=False)
        before = stored(outbox.path)[1]
        outbox._db.execute("UPDATE event SET body = ? WHERE sequence = 1", (damage(before),))
        assert stored(outbox.path)[1] != before
        with pytest.raises(CorruptOutboxError, match="event 1 does not hold what was written"):
            outbox.seal(self.LEARNT)
        again = salvaged(outbox, self.LEARNT)
        assert again.seal(self.LEARNT) == 2
        with closing(OutboxReader(again.path)) as reader:
            first, second = reader.next(0, 10)
        assert (first[0], second[0], again.dead_letters) == (1, 2, 1)
        assert msgspec.json.decode(first[1])["type"] == "scangate.parked.v1"
        again.abandon()

    def test_the_newest_trusted_time_is_known_at_the_start(self, outbox: Outbox) -> None:
        outbox.append([draft(1)], reading(), seal=True)
        outbox.append([draft(2, clock=self.UNSET)], self.UNSET, seal=True)
        again = reopened(outbox)
        assert again.last_trusted_ns() == NOW_NS
        again.abandon()


class TestEpoch:
    @pytest.mark.parametrize(
        ("box", "because"),
        [
            (BOX, None),
            (msgspec.structs.replace(BOX, machine="m2"), "machine"),
            (msgspec.structs.replace(BOX, board="b2"), "board"),
            (msgspec.structs.replace(BOX, gateway="urn:scangate:vgr:su:gw02"), "gateway"),
            (msgspec.structs.replace(BOX, board=None), None),
        ],
    )
    def test_another_box_begins_another_epoch(self, outbox: Outbox, box: BoxIdentity, because: str | None) -> None:
        outbox.append([draft(1), draft(2)], reading(), seal=True)
        epoch = outbox.epoch
        again = reopened(outbox, box)
        assert again.new_epoch_because == because
        assert (again.epoch != epoch) is (because is not None)
        assert again.epoch_begins == (1 if because is None else 3)
        again.append([draft(3)], reading(), seal=True)
        bodies = stored(again.path)
        assert cloudevent.decode_scan(bodies[2]).epoch == epoch, "what is stored keeps its epoch"
        assert cloudevent.decode_scan(bodies[3]).epoch == again.epoch
        third = reopened(again, box)
        assert third.new_epoch_because is None, "said once"
        third.abandon()

    def test_a_first_start_is_no_news(self, outbox: Outbox) -> None:
        assert outbox.new_epoch_because is None
        assert outbox.epoch_begins == 1


class TestFile:
    def test_a_newer_version_is_refused_and_left_alone(self, path: Path) -> None:
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE event (other INTEGER)")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        db.commit()
        db.close()
        before = path.read_bytes()
        newer = rf"version {SCHEMA_VERSION + 1}, this scangate knows up to {SCHEMA_VERSION}; install the scangate"
        with pytest.raises(NewerOutboxError, match=newer):
            Outbox(path, ROOMY, BOX)
        assert path.read_bytes() == before
        assert [one.name for one in path.parent.iterdir()] == ["outbox.db"]

    def test_what_is_no_damage_is_not_called_damage(self, path: Path) -> None:
        """A lock, or a full disk, must not send a sound file into quarantine."""
        stocked(path, 3).close(reading())
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE cursor SET delivered = 0")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gateway.outbox.schema.BUSY_MS", 10)
            with pytest.raises(OutboxError, match="locked") as caught:
                Outbox(path, ROOMY, BOX)
        assert type(caught.value) is OutboxError
        other.close()

    @pytest.mark.parametrize("name", ["with space", "100%25?mode=memory", "#fragment"])
    def test_any_directory_name_will_do(self, tmp_path: Path, name: str) -> None:
        directory = tmp_path / name
        directory.mkdir()
        stocked(directory / "outbox.db", 2).close(reading())
        assert list(stored(directory / "outbox.db")) == [1, 2]

    def test_a_missing_outbox_is_said_so(self, path: Path) -> None:
        with pytest.raises(OutboxError, match=r"cannot read .*outbox\.db"):
            OutboxReader(path)


WRITER = """
import sys
from contextlib import closing
from pathlib import Path
from gateway.outbox.writer import Outbox
from tests.outbox.events import BOX, ROOMY, draft, reading
outbox = Outbox(Path(sys.argv[1]), ROOMY, BOX)
number = outbox.last
while True:
    number += 1
    outbox.mark_delivered(number // 2)
    outbox.append([draft(number)], reading(), seal=True)
    print(number, flush=True)
"""


def test_what_was_told_survives_kill_9(path: Path) -> None:
    """Three lives, each killed at work: every number that was told is on disk, no gap, no number twice."""
    last = 0
    for life in range(1, 4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(40 * life)]
        os.kill(process.pid, signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]
        process.stdout.close()
        process.wait()
        assert told == list(range(last + 1, last + len(told) + 1)) or told[0] == last + 2, "one may be untold"
        last = told[-1]
        sequences = list(stored(path))
        assert sequences == list(range(1, len(sequences) + 1))
        assert len(sequences) - last in {0, 1}
        last = len(sequences)


META = ["board", "boot", "checksum", "epoch", "epoch_begins", "gateway", "machine", "schema"]
Reader = Callable[[OutboxReader], object]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda b: [sequence for sequence, _ in b.next(1, 2)], [2, 3]),
        (lambda b: [sequence for sequence, _ in b.next(3, 10)], [4, 5]),
        (lambda b: b.delivered(), 1),
        (lambda b: b.last(), 5),
        (lambda b: b.waiting(), 3),
        (lambda b: b.oldest_waiting_ns(), NOW_NS),
        (lambda b: sorted(b.meta()), META),
        (lambda b: [one.sequence for one in b.journal(after=3)], [4, 5]),
        (lambda b: [one.sequence for one in b.journal(since_ns=NOW_NS + 1)], []),
        (lambda b: b.unsettled(), False),
    ],
)
def test_what_a_reader_sees(outbox: Outbox, backlog: OutboxReader, ask: Reader, answer: object) -> None:
    """Five events: the first delivered, the third dead."""
    outbox.append([draft(number) for number in range(1, 6)], reading(), seal=True)
    outbox.park(Dead(sequence=3, reason="x"))
    outbox.mark_delivered(1)
    outbox.write_marks(reading())
    assert ask(backlog) == answer

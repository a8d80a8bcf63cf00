"""How far the central system's word is believed: within its epoch, and never beyond what the broker has taken."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.mqtt import application_ack
from gateway.mqtt.application_ack import MAX_AHEAD, ApplicationAck
from gateway.mqtt.connection import Message
from gateway.mqtt.delivery_memory import DeliveryMemory
from gateway.mqtt.delivery_state import DeliveryState
from gateway.mqtt.publisher_status import StatusReporter
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.reader import OutboxReader
from gateway.outbox.writer import Outbox
from gateway.system.signed_envelope import unsealed
from tests.outbox.events import BOX, ROOMY, draft, reading

OLD_EVENTS, ALL_EVENTS = 3, 6


class Bench:
    """An outbox of two epochs, 1..3 and 4..6, and what follows its acknowledgements."""

    def __init__(self, path: Path, confirm: str = "ack") -> None:
        first = Outbox(path, ROOMY, BOX)
        first.append([draft(number) for number in range(1, OLD_EVENTS + 1)], reading(), seal=True)
        first.close(reading())
        second = Outbox(path, ROOMY, msgspec.structs.replace(BOX, board="another"))
        second.append([draft(number) for number in range(OLD_EVENTS + 1, ALL_EVENTS + 1)], reading(), seal=True)
        second.close(reading())
        self.old, self.new = first.epoch, second.epoch
        self.seconds = 1000.0
        self.state = DeliveryState(path)
        self.memory = DeliveryMemory(None)
        self.reporter = StatusReporter()
        self.reader = OutboxReader(path)
        self.ack = ApplicationAck(
            BrokerSettings(urls=("mqtt://a",), confirm=confirm),  # type: ignore[arg-type]
            self.memory,
            self.state,
            self.reader,
            self.reporter,
            lambda body: unsealed(body, None),
            lambda: self.seconds,
        )

    def publish(self, upto: int) -> None:
        """Have the broker take events up to this one."""
        for sequence in range(self.state.published + 1, upto + 1):
            self.ack.sent(sequence)
        self.state.report(0, upto)

    def says(self, epoch: str, upto: object) -> None:
        body = json.dumps({"epoch": epoch, "upTo": upto}).encode()
        self.ack.take(Message(topic="ack", body=body, retained=False))

    def announces(self, **said: Any) -> None:  # noqa: ANN401 - JSON
        self.ack.take_announcement(Message(topic="intake", body=json.dumps(said).encode(), retained=True))

    def confirmed(self) -> int:
        """Return it; a loop that does not end is a failure, and no hang."""
        first_after, looks = self.reader.first_after, iter(range(100))

        def counted(after: int) -> tuple[int, str] | None:
            assert next(looks, None) is not None, "it comes to an end"
            return first_after(after)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.reader, "first_after", counted)
            return self.ack.confirmed(self.state.published)

    @property
    def waits(self) -> float | None:
        return self.ack.waiting_since

    @property
    def problem(self) -> str:
        return self.reporter.value.ack_problem or ""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "outbox.db")
    with closing(made.reader):
        yield made


@pytest.mark.parametrize(
    ("published", "said", "expected", "refused"),
    [
        (6, [("old", 2)], 2, False),
        (6, [("old", 3)], 3, False),
        (6, [("old", 3), ("new", 5)], 5, False),
        (6, [("new", 5), ("old", 3)], 5, False),  # the other way round
        (6, [("new", 6)], 0, False),  # it says nothing of the older epoch
        (6, [("old", 2), ("new", 6)], 2, False),  # 3 is missing
        (6, [("old", 5)], 0, True),  # 5 is no event of that epoch
        (6, [("new", 3)], 0, True),
        (6, [("nobody's", 3)], 0, True),
        (2, [("old", 3)], 0, True),  # 3 has not been sent
        (6, [("old", 3), ("old", 2)], 3, False),  # late, and believed already
        (6, [("old", 0)], 0, False),
        (6, [("old", -1)], 0, False),
        (6, [("new", 10**15)], 0, True),
        (6, [("new", 7)], 0, True),
        (6, [("old", "3")], 0, True),
        (6, [("old", None)], 0, True),
    ],
)
def test_how_far_it_is_believed(
    bench: Bench, published: int, said: list[tuple[str, object]], expected: int, *, refused: bool
) -> None:
    bench.publish(published)
    for epoch, upto in said:
        bench.says({"old": bench.old, "new": bench.new}.get(epoch, epoch), upto)
    assert bench.confirmed() == expected
    assert bool(bench.problem) is refused
    bench.publish(ALL_EVENTS)
    assert bench.confirmed() == expected, "and it is not believed later"


def test_one_that_overtakes_a_puback_counts_when_that_comes(bench: Bench) -> None:
    bench.publish(1)
    bench.ack.sent(2)
    bench.ack.sent(3)
    bench.says(bench.old, 3)
    assert (bench.confirmed(), bench.problem) == (0, "")
    bench.state.report(0, 2)
    assert bench.confirmed() == 0
    bench.state.report(0, 3)
    assert bench.confirmed() == 3


def test_never_beyond_what_is_asked_for(bench: Bench) -> None:
    bench.publish(6)
    bench.says(bench.old, 3)
    bench.says(bench.new, 6)
    assert bench.ack.confirmed(5) == 5
    assert bench.ack.confirmed(6) == 6


def test_a_refusal_ends_with_the_next_that_is_believed(bench: Bench) -> None:
    bench.publish(3)
    bench.says(bench.old, 6)
    assert "no event of this box" in bench.problem
    bench.says(bench.old, 3)
    assert bench.problem == ""


def test_so_many_go_ahead_of_it(bench: Bench) -> None:
    """The intake may lose them: more need not come twice."""
    assert bench.ack.may_send(MAX_AHEAD)
    assert not bench.ack.may_send(MAX_AHEAD + 1)
    bench.publish(6)
    bench.says(bench.old, 2)
    bench.confirmed()
    assert bench.ack.may_send(MAX_AHEAD + 2)
    assert not bench.ack.may_send(MAX_AHEAD + 3)


@pytest.mark.parametrize(
    ("announcements", "again"),
    [
        ([{"acks": True, "since": "1"}], False),  # nothing was sent to it before
        ([{"acks": True, "since": "1"}] * 2, False),
        ([{"acks": True, "since": "1"}, {"acks": True, "since": "2"}], True),
        ([{"acks": True, "since": 1}, {"acks": True, "since": 2.5}], True),
        ([{"acks": True}, {"acks": True, "since": "2"}], True),
        ([{"acks": True, "since": "1"}, {"acks": False, "since": "2"}], False),
        ([{"acks": False, "since": "1"}, {"acks": True, "since": "2"}], False),
        ([{"acks": True, "since": "1"}, {"acks": "yes", "since": "2"}], False),
        ([{"acks": True, "since": "x" * 200}, {"acks": True, "since": "x" * 200}], False),
    ],
)
def test_an_intake_that_begins_anew(tmp_path: Path, announcements: list[dict[str, object]], *, again: bool) -> None:
    bench = Bench(tmp_path / "outbox.db", "auto")
    with closing(bench.reader):
        for said in announcements:
            bench.announces(**said)
        assert bench.ack.again is again


@pytest.mark.parametrize(
    ("confirm", "announcements", "awaited"),
    [
        ("ack", [], True),
        ("puback", [{"acks": True}], False),
        ("auto", [], False),
        ("auto", [{"acks": True}], True),
        ("auto", [{"acks": True}, {"acks": False}], False),
    ],
)
def test_whether_it_is_waited_for(
    tmp_path: Path, confirm: str, announcements: list[dict[str, object]], *, awaited: bool
) -> None:
    bench = Bench(tmp_path / "outbox.db", confirm)
    with closing(bench.reader):
        for said in announcements:
            bench.announces(**said)
        assert bench.ack.awaited is awaited


def test_an_intake_that_was_met_and_is_not_announced(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "outbox.db", "auto")
    with closing(bench.reader):
        assert bench.ack.missing() is None
        bench.memory.change(acks=True, since="1")
        assert bench.ack.missing() == "", "it may come yet"
        bench.seconds += application_ack.ANNOUNCEMENT_SECONDS
        assert "announcement is gone" in (bench.ack.missing() or "")
        bench.announces(acks=True, since="1")
        assert bench.ack.missing() is None
        bench.ack.take_announcement(Message(topic="intake", body=b"", retained=False))
        assert bench.ack.missing() == "", "removed: it is waited for once more"
        bench.seconds += application_ack.ANNOUNCEMENT_SECONDS
        assert "announcement is gone" in (bench.ack.missing() or "")


def test_the_pause_before_it_is_sent_again_doubles_to_an_hour(bench: Bench) -> None:
    """A thousand boxes must not storm an intake that is away."""
    bench.publish(3)
    bench.confirmed()
    pauses = []
    for _ in range(9):
        began = bench.seconds
        while not bench.ack.overdue():
            bench.seconds += 1
        pauses.append(round((bench.seconds - began) / 60))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert bench.waits == 1000.0
    bench.says(bench.old, 1)
    bench.confirmed()
    began = bench.seconds
    while not bench.ack.overdue():
        bench.seconds += 1
    assert bench.seconds - began == 60, "it is there: the pause begins anew"
    bench.says(bench.old, 3)
    bench.confirmed()
    assert not bench.ack.overdue()
    assert bench.waits is None


def test_what_was_published_never_goes_back(tmp_path: Path) -> None:
    state = DeliveryState(tmp_path / "outbox.db")
    state.report(2, 5)
    state.report(1, 3)
    assert (state.delivered, state.published) == (2, 5)
    assert state.take_marks().published == 5

"""The line over one connection, against a broker whose every answer the test gives."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from gateway.mqtt import pacing, session
from gateway.outbox.writer import Outbox
from tests.brokers import wait_for
from tests.faults.scripted import ScriptedBroker, Told, honest
from tests.mqtt.courier import TOPICS, Courier, courier

pytestmark = pytest.mark.usefixtures("hurried")
QUOTA, TOO_LARGE, PAYLOAD = 0x97, 0x95, 0x99


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    with closing(ScriptedBroker()) as made:
        yield made


def greeting(receive_maximum: int) -> bytes:
    """CONNACK with Receive Maximum (MQTT 5, 3.2.2.3.3)."""
    return b"\x20\x06\x00\x00\x03\x21" + receive_maximum.to_bytes(2, "big")


def publish(topic: str, body: object) -> bytes:
    """A PUBLISH of QoS 0 (MQTT 5, 3.3)."""
    name, data = topic.encode(), json.dumps(body).encode()
    rest = len(name).to_bytes(2, "big") + name + b"\0" + data
    assert len(rest) < 128
    return bytes([0x30, len(rest)]) + rest


def number(told: Told) -> int:
    return int(msgspec.json.decode(told.body)["sequence"])


class Held:
    """Keeps events unanswered until the test answers them."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.most = 0
        self._answered = 0
        self._lock = threading.Lock()

    def __call__(self, told: Told) -> bool:
        with self._lock:
            self.told.append(told)
            self.most = max(self.most, len(self.told) - self._answered)
        return True

    def answer(self, told: Told, reason: int = 0) -> None:
        with self._lock:
            self._answered += 1
        told.ack(reason)

    @property
    def numbers(self) -> list[int]:
        return [number(one) for one in list(self.told)]


def turns(one: Courier, count: int = 4) -> None:
    """Wait until the publisher's loop has turned: what may be sent has been."""
    for _ in range(count):
        before = one.publisher.status.heartbeat
        wait_for(lambda before=before: one.publisher.status.heartbeat != before, "its loop turns")  # type: ignore[misc]


def test_no_more_under_way_than_the_broker_takes(broker: ScriptedBroker, outbox: Outbox) -> None:
    """MQTT 5, 3.3.4: a client must not send more than the Receive Maximum."""
    broker.greeting = greeting(3)
    broker.script = held = Held()
    with courier(outbox, urls=(broker.url,)) as one:
        one.store(12)
        for answered in range(12):
            wait_for(lambda answered=answered: len(held.told) > answered, "one more comes")  # type: ignore[misc]
            held.answer(held.told[answered])
        one.until_delivered()
    assert held.most <= 3
    assert held.numbers == list(range(1, 13))


def test_after_a_refusal_one_at_a_time_until_one_goes_through(
    broker: ScriptedBroker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the order holds whatever the broker takes next (MQTT 5, 3.4.2.1: quota exceeded may pass)."""
    monkeypatch.setattr(pacing, "EASY_SECONDS", 60.0)  # however busy this machine is
    with courier(outbox, urls=(broker.url,), window=3) as one:
        one.store(2)
        one.until_delivered()  # two answers make a pace of three
        broker.script = held = Held()
        one.store(6)
        wait_for(lambda: len(held.told) == 3, "a window")
        for told in held.told[:3]:
            held.answer(told, QUOTA)
        one.until_problem("Quota exceeded")
        wait_for(lambda: len(held.told) > 3, "it is tried again")
        turns(one)
        assert held.numbers == [3, 4, 5, 3], "alone"
        assert one.dead == []
        held.answer(held.told[3])
        wait_for(lambda: len(held.told) == 7, "the window opens")
        assert held.numbers == [3, 4, 5, 3, 4, 5, 6]
        assert one.publisher.status.problem is None
        broker.script = honest
        for told in held.told[4:]:
            held.answer(told)
        one.until_delivered()


@pytest.mark.parametrize(
    ("reason", "size", "dead"),
    [
        (0x83, 0, False),  # implementation specific error
        (0x87, 0, False),  # not authorized: the same for every scan of a box
        (0x90, 0, False),  # topic name invalid
        (QUOTA, 0, False),
        (0x10, 0, False),  # no matching subscribers
        (PAYLOAD, 0, True),
        (TOO_LARGE, 20_000, True),
    ],
)
def test_what_becomes_of_a_refused_event(
    broker: ScriptedBroker, outbox: Outbox, reason: int, size: int, *, dead: bool
) -> None:
    """MQTT 5, 3.4.2.1. What no later try can change leaves its place to a notice; all else holds the line."""
    refusals = iter([reason] * 3)

    def script(told: Told) -> bool:
        if number(told) == 2 and msgspec.json.decode(told.body)["type"] == "scangate.scan.v1":
            refusal = next(refusals, 0)
            told.ack(refusal)
            return not refusal
        return honest(told)

    broker.script = script
    with courier(outbox, urls=(broker.url,)) as one:
        one.store(1)
        one.store(1, size=size)
        one.store(1)
        one.until_delivered()
        assert [letter.sequence for letter in one.dead] == ([2] if dead else [])
    kinds = {number_of(body): msgspec.json.decode(body)["type"] for body in broker.arrivals}
    assert kinds[2] == ("scangate.parked.v1" if dead else "scangate.scan.v1")
    assert set(kinds) == {1, 2, 3}


def test_a_bad_network_is_not_taken_for_the_brokers_limit(
    broker: ScriptedBroker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that break while health is under way say nothing of how large an event may be."""
    monkeypatch.setattr(session, "BREAK_SECONDS", 0.2)
    monkeypatch.setattr(session, "UNACKED_SECONDS", 0.5)
    broker.acknowledges_state = False
    broker.script = hangs_up
    with courier(outbox, urls=(broker.url,), window=2) as one:
        one.publisher.publish_health(b"{}")
        one.store(3)
        wait_for(lambda: "left out for a while" in (one.publisher.status.state_problem or ""), "health is left out")
        broker.acknowledges_state = True
        broker.script = honest
        one.until_delivered()
        assert one.dead == []
        assert {number_of(body) for body in broker.arrivals} == {1, 2, 3}


def test_an_ordinary_event_that_is_too_large_is_the_limits_fault(broker: ScriptedBroker, outbox: Outbox) -> None:
    def script(told: Told) -> bool:
        told.ack(TOO_LARGE)
        return False

    broker.script = script
    with courier(outbox, urls=(broker.url,)) as one:
        one.store(3)
        assert "raise" in one.until_problem("ordinary event")
        turns(one)
        assert (one.delivered, one.dead) == (0, [])


def number_of(body: bytes) -> int:
    return int(msgspec.json.decode(body)["sequence"])


def hangs_up(told: Told) -> bool:
    raise OSError(f"on {told.mid}")


@pytest.mark.parametrize("answers", [True, False])
def test_only_a_broker_that_answers_can_blame_an_event(
    broker: ScriptedBroker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    """One that says nothing and hangs up is a bad network, and no event's fault."""
    monkeypatch.setattr(session, "BREAK_SECONDS", 0.5)
    broker.acknowledges_state = answers
    broker.script = hangs_up
    with courier(outbox, urls=(broker.url,)) as one:
        one.store(1)
        wait_for(lambda: broker._events >= 6, "it was sent six times", 60)
        assert one.delivered == 0
        assert bool(one.dead) is answers


def test_what_the_intake_has_meanwhile_does_not_come_again(broker: ScriptedBroker, outbox: Outbox) -> None:
    """It was sent over a connection that broke, and is acknowledged as the next one is on its way through it."""
    broker.greeting = greeting(1)
    with courier(outbox, urls=(broker.url,), confirm="ack") as one:
        one.store(4)
        wait_for(lambda: one.publisher.take_marks().published == 4, "the broker has them")
        broker.script = held = Held()
        broker.hang_up()
        wait_for(lambda: held.told, "the first comes again")
        one.store(1)
        told = held.told[0]
        assert number(told) == 1
        told.link.sendall(publish(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 4}))
        wait_for(lambda: one.delivered == 4, "the intake has all four")
        held.answer(told)
        wait_for(lambda: len(held.told) == 2, "the next")
        assert held.numbers == [1, 5]
        broker.script = honest
        held.answer(held.told[1])
        told.link.sendall(publish(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 5}))
        one.until_delivered()

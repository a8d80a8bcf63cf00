"""What comes in and goes beside the events, with a real mosquitto: commands, state, replays, acknowledgements."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.mqtt.command_envelope import Commands
from gateway.mqtt.connection import Message
from gateway.mqtt.delivery_memory import DeliveryMemory, ReplayRange
from gateway.outbox.writer import Outbox
from tests.brokers import Broker, Subscriber, wait_for
from tests.mqtt.central import Central
from tests.mqtt.courier import TOPICS, Courier, courier
from tests.nats import NatsNode
from tests.outbox.events import reading, stored

pytestmark = pytest.mark.usefixtures("hurried")
Start = Callable[..., Broker]
HEALTH = "udi/v1/vgr/su/gw01/cmd/health"


def replay(first: int, last: int) -> ReplayRange:
    return ReplayRange(first=first, last=last, following=first)


Connect = Callable[[Broker], Central]


@contextmanager
def commanded(outbox: Outbox, **broker: Any) -> Iterator[Courier]:  # noqa: ANN401 - keys of [broker]
    """A box with one command."""

    def take(message: Message) -> None:
        handlers = {"health": lambda _: {"waiting": 0}}
        memory = DeliveryMemory(None)
        Commands(TOPICS, handlers, reading, one.publisher.reply, memory, bytes, lambda *_: None).take(message)

    with courier(outbox, {TOPICS.commands: take}, **broker) as one:
        yield one


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_command_comes_in_and_its_reply_goes_out(
    tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect, protocol: str
) -> None:
    broker = mosquitto(tmp_path)
    system = central(broker)
    with commanded(outbox, urls=(broker.url,), protocol=protocol):
        wait_for(lambda: system.heard.on("/status") == [b"online"], "the box is there")
        at = reading().wall_ns / 1e9
        system.say(HEALTH, {"id": "q1", "issuedAt": datetime.fromtimestamp(at, UTC).isoformat(), "args": {}})
        wait_for(lambda: system.heard.on("/cmd/health/reply"), "the reply")
        assert json.loads(system.heard.on("/reply")[0]) == {"id": "q1", "ok": True, "result": {"waiting": 0}}


def test_mqtt_5_takes_the_correlation_data_back(
    tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect
) -> None:
    broker = mosquitto(tmp_path)
    system = central(broker)
    with commanded(outbox, urls=(broker.url,)):
        wait_for(lambda: system.heard.on("/status") == [b"online"], "the box is there")
        asked = Properties(PacketTypes.PUBLISH)
        asked.CorrelationData = b"\x00\x2a"
        asked.ResponseTopic = "udi-replies/central"
        hear = Subscriber(broker.port, "udi-replies/#")
        hear.subscribed()
        try:
            system.say(HEALTH, {"no": "command"}, asked)
            wait_for(lambda: hear.messages, "the reply")
            (reply,) = hear.messages
            assert reply.properties is not None
            assert reply.properties.json()["CorrelationData"] == "002a"
            assert json.loads(reply.payload)["ok"] is False
        finally:
            hear.close()


def test_a_handler_that_fails_costs_no_event(
    tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect
) -> None:
    def broken(_message: Message) -> None:
        raise RuntimeError

    broker = mosquitto(tmp_path)
    system = central(broker)
    with courier(outbox, {TOPICS.deltas: broken}, urls=(broker.url,)) as one:
        wait_for(lambda: system.heard.on("/status") == [b"online"], "the box is there")
        system.say(TOPICS.deltas, {})
        one.store(3)
        one.until_delivered()
        assert one.publisher.status.url == broker.url


def test_retained_state_comes_again_after_a_reconnect(
    tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect
) -> None:
    broker = mosquitto(tmp_path)
    with courier(outbox, urls=(broker.url,)) as one:
        one.publisher.publish_articles(b'{"rows":1}')
        one.publisher.publish_health(b'{"ok":true}')
        wait_for(lambda: one.publisher.connected, "connected")
        broker.kill()
        wait_for(lambda: not one.publisher.connected, "the end is noticed")
        broker.start()
        system = central(broker)
        wait_for(lambda: system.heard.on("/articles") and system.heard.on("/health"), "both are there")
        assert system.heard.on("/articles")[-1] == b'{"rows":1}'


class TestReplay:
    def test_a_range_comes_again_as_it_was(
        self, tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect
    ) -> None:
        broker = mosquitto(tmp_path, "allow_anonymous true\nmax_queued_messages 0")
        system = central(broker)
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(300)
            one.until_delivered()
            assert one.publisher.replay(replay(11, 160))
            wait_for(lambda: len(system.scans()) == 450, "all, and the range again")
            assert system.scans() == [*range(1, 301), *range(11, 161)]
            bodies = system.heard.on("/scan")
            assert bodies[10:160] == bodies[300:]
            one.store(1)
            one.until_delivered(301)

    def test_a_range_without_events_is_passed_over(
        self, tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect
    ) -> None:
        broker = mosquitto(tmp_path)
        system = central(broker)
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(2)
            one.until_delivered()
            assert one.publisher.replay(replay(500, 600))
            assert one.publisher.replay(replay(2, 2))
            wait_for(lambda: system.scans() == [1, 2, 2], "the second range")

    def test_there_is_an_end_to_wishes(self, outbox: Outbox) -> None:
        one = Courier(outbox, urls=("mqtt://127.0.0.1:1",))
        answers = [one.publisher.replay(replay(1, 2)) for _ in range(17)]
        assert answers == [True] * 16 + [False]


class TestConfirmedByTheCentralSystem:
    """delivery.md 2: `confirm = "ack"`."""

    def test_only_what_is_acknowledged_is_delivered(
        self, tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect
    ) -> None:
        broker = mosquitto(tmp_path)
        system = central(broker)
        with courier(outbox, urls=(broker.url,), confirm="ack") as one:
            one.store(5)
            wait_for(lambda: set(system.scans()) == {1, 2, 3, 4, 5}, "they are there")
            assert one.delivered == 0
            wrong: tuple[object, ...] = (
                {"epoch": "0" * 16, "upTo": 5},
                {"epoch": outbox.epoch, "upTo": 2**70},
                {"upTo": 3},
                [],
            )
            for body in wrong:
                system.say(TOPICS.ack, body)
            system.say(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 3})
            wait_for(lambda: one.delivered == 3, "three")
            system.say(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 5})
            one.until_delivered()

    def test_what_is_not_acknowledged_comes_again(
        self, tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect
    ) -> None:
        broker = mosquitto(tmp_path)
        system = central(broker)
        with courier(outbox, urls=(broker.url,), confirm="ack") as one:
            one.store(3)
            wait_for(lambda: len(system.scans()) >= 6, "all of them twice")
            one.until_problem("does not acknowledge")
            system.say(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 3})
            one.until_delivered()
            wait_for(lambda: one.publisher.status.problem is None, "the problem is over")


def test_the_preferred_broker_is_gone_back_to(
    tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect
) -> None:
    first = mosquitto(tmp_path / "first")
    second = mosquitto(tmp_path / "second")
    first.stop()
    elsewhere = central(second)
    with courier(outbox, urls=(first.url, second.url)) as one:
        one.store(2)
        one.until_delivered()
        assert one.publisher.status.url == second.url
        first.start()
        home = central(first)
        wait_for(lambda: one.publisher.status.url == first.url, "back at the first")
        one.store(2)
        one.until_delivered()
        assert home.scans() == [3, 4]
        assert elsewhere.scans() == [1, 2]
        assert elsewhere.heard.on("/status")[-1] == b"offline"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_message_too_large_is_not_read_and_events_flow(
    tmp_path: Path, mosquitto: Start, outbox: Outbox, central: Connect, protocol: str
) -> None:
    """A retained one would come again with each connection; MQTT 3.1.1 cannot tell the broker what is too large."""
    broker = mosquitto(tmp_path, "allow_anonymous true\nmax_packet_size 100000000")  # 2.1 takes 2 MB by itself
    system = central(broker)
    system.say(TOPICS.deltas, "x" * 20_000_000, retain=True)
    taken: list[Message] = []
    with courier(outbox, {TOPICS.deltas: taken.append}, urls=(broker.url,), protocol=protocol) as one:
        one.store(50)
        one.until_delivered()
        if protocol == "3.1.1":
            wait_for(lambda: "20000" in (one.publisher.status.inbound_problem or ""), "it is said")
        one.store(50)
        one.until_delivered()
        assert not one.dead
    assert taken == []
    wait_for(lambda: set(system.scans()) == set(range(1, 101)), "all arrive")


def test_on_nats_acknowledgements_cost_no_consumer(tmp_path: Path, outbox: Outbox) -> None:
    """NATS makes a JetStream consumer of each subscription with QoS 1 (docs.nats.io, MQTT): a command's only."""
    node = NatsNode(tmp_path / "nats", "alone")
    node.start()
    try:
        with commanded(outbox, urls=(node.mqtt_url,)) as one:
            one.store(1)
            one.until_delivered()
            wait_for(lambda: node.consumers("$MQTT_msgs") >= 1, "the subscription to commands is there")
            system = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
            system.connect("127.0.0.1", node.mqtt_port)
            system.loop_start()
            system.publish(TOPICS.intake, b'{"acks": true, "since": "1"}', qos=1, retain=True)
            wait_for(lambda: one.publisher.status.acks_awaited, "the announcement arrives all the same")
            one.store(1)
            wait_for(lambda: one.publisher.status.acknowledged == 2, "its PUBACK")
            assert one.delivered == 1
            epoch = json.loads(stored(outbox.path)[2])["epoch"]
            system.publish(TOPICS.ack, json.dumps({"epoch": epoch, "upTo": 2}), qos=1)
            one.until_delivered()
            system.disconnect()
            system.loop_stop()
            assert node.consumers("$MQTT_msgs") == 1
    finally:
        node.kill()

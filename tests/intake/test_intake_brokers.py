"""The whole intake as a process, at real brokers and into real databases."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.brokers import Broker, wait_for
from tests.intake.boxes import EPOCH, TENANT, Box, body, health, topic
from tests.intake.running import RunningIntake, command, status
from tests.nats import NatsNode
from tests.postgresql import PostgreSql

Closing = Callable[[Callable[[], None]], None]


@pytest.fixture(params=["mosquitto with MQTT 5", "nats"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, tuple[str, ...]]:
    """URL for the boxes, and what the intake needs to take events there."""
    if request.param == "nats":
        node: NatsNode = request.getfixturevalue("nats_node")
        return node.mqtt_url, ("--nats", node.url, "--broker", node.mqtt_url)
    made: Broker = request.getfixturevalue("mosquitto")(tmp_path)
    return made.url, ("--broker", made.url)


def test_events_are_in_the_database_and_then_acknowledged(
    broker: tuple[str, tuple[str, ...]], database_url: str, tmp_path: Path, closing: Closing
) -> None:
    """Holes hold the acknowledgement, copies and poison do not; a hole is asked for by itself."""
    url, options = broker
    intake = RunningIntake(tmp_path, database_url, *options).start()
    closing(intake.kill)
    box = Box(url)
    closing(box.close)
    wait_for(lambda: box.announcements, f"an announcement ({intake.log})")
    assert box.announcements[-1]["acks"] is True
    box.send(body(1), body(2), body(4), b"no json", body(4))
    box.wait_for_ack(2)
    wait_for(lambda: box.on("cmd/outbox-replay"), "a request for what is missing")
    assert box.on("cmd/outbox-replay")[0]["args"] == {"epoch": EPOCH, "from": 3, "to": 3}
    assert box.acknowledged() == 2
    box.send(body(3))
    box.wait_for_ack(4)
    code, found = status(database_url)
    assert code == 0
    assert [(one["stored"], one["frontier"], one["missing"]) for one in found["streams"]] == [(4, 4, 0)]
    assert found["poison"] == 1
    assert intake.stop() == 0


def test_an_intake_that_is_killed_loses_nothing(
    broker: tuple[str, tuple[str, ...]], database_url: str, tmp_path: Path, closing: Closing
) -> None:
    url, options = broker
    intake = RunningIntake(tmp_path, database_url, *options).start()
    closing(intake.kill)
    box = Box(url)
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    for round_number in range(2):
        first = 1 + round_number * 200
        box.send(*(body(number) for number in range(first, first + 100)))
        intake.kill()
        box.send(*(body(number) for number in range(first + 100, first + 200)))
        intake.start()
        box.wait_for_ack(first + 199)
    _, found = status(database_url)
    assert found["stored"] == 400


def test_a_stream_that_begins_later_waits_for_the_word_of_its_box(
    broker: tuple[str, tuple[str, ...]], tmp_path: Path, closing: Closing
) -> None:
    """A new epoch begins behind the last number of the former one (docs: `epochBegins`)."""
    url, options = broker
    database = f"sqlite:///{tmp_path / 'events.db'}"
    intake = RunningIntake(tmp_path, database, *options).start()
    closing(intake.kill)
    box = Box(url)
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    box.send(*(body(number, epoch="later") for number in (4712, 4713)))
    wait_for(lambda: status(database)[1]["stored"] == 2, "stored")
    assert box.acknowledged("later") == 0
    box.say("health", health(epoch="later", begins=4712))
    box.wait_for_ack(4713, "later")


def test_the_broker_keeps_what_comes_while_the_intake_is_away(
    mosquitto: Callable[..., Broker], tmp_path: Path, closing: Closing
) -> None:
    broker = mosquitto(tmp_path)
    database = f"sqlite:///{tmp_path / 'events.db'}"
    intake = RunningIntake(tmp_path, database, "--broker", broker.url).start()
    closing(intake.kill)
    box = Box(broker.url)
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    intake.kill()
    box.send(*(body(number) for number in range(1, 101)))
    assert box.acknowledged() == 0
    intake.start()
    box.wait_for_ack(100)


def test_an_event_of_another_box_is_poison(
    broker: tuple[str, tuple[str, ...]], tmp_path: Path, closing: Closing
) -> None:
    """Topic and source must agree: one box cannot speak for another, nor take back its events."""
    url, options = broker
    database = f"sqlite:///{tmp_path / 'events.db'}"
    intake = RunningIntake(tmp_path, database, *options).start()
    closing(intake.kill)
    box = Box(url)
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    box.client.publish(topic("gw2"), body(1), qos=1).wait_for_publish(10)
    box.send(body(1))
    box.wait_for_ack(1)
    wait_for(lambda: status(database)[1]["poison"] == 1, "poison")
    assert [one["stored"] for one in json.loads(json.dumps(status(database)[1]["streams"]))] == [1]


def test_a_second_intake_at_one_mosquitto_stands_by(
    mosquitto: Callable[..., Broker], database_url: str, tmp_path: Path, closing: Closing
) -> None:
    """Two clients with one identifier would take the session from each other for ever (MQTT 5, 3.1.4-3)."""
    broker = mosquitto(tmp_path)
    first = RunningIntake(tmp_path / "first", database_url, "--broker", broker.url).start()
    closing(first.kill)
    box = Box(broker.url)
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    second = RunningIntake(tmp_path / "second", database_url, "--broker", broker.url).start()
    closing(second.kill)
    wait_for(lambda: "standing by" in second.log.read_text(), "the second stands by")
    box.send(body(1))
    box.wait_for_ack(1)
    first.kill()
    box.send(body(2))
    box.wait_for_ack(2)
    wait_for(lambda: len(box.announcements) == 2, "the second announces itself")
    assert "taken" not in first.log.read_text()


def test_a_database_that_goes_away_stops_acknowledging_and_nothing_else(tmp_path: Path, closing: Closing) -> None:
    server = PostgreSql()
    closing(server.close)
    server.start()
    node = NatsNode(tmp_path / "nats", "alone")
    closing(node.kill)
    node.start()
    intake = RunningIntake(tmp_path, server.url, "--nats", node.url, "--broker", node.mqtt_url).start()
    closing(intake.kill)
    box = Box(node.mqtt_url)
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    box.send(body(1))
    box.wait_for_ack(1)
    server.kill()
    box.send(*(body(number) for number in range(2, 300)))
    wait_for(lambda: "is the database there" in intake.log.read_text(), "its words")
    assert box.acknowledged() == 1
    server.start()
    box.wait_for_ack(299, seconds=60)
    assert status(server.url)[1]["stored"] == 299


def test_a_wiped_broker_is_announced_to_anew(tmp_path: Path, closing: Closing) -> None:
    """NATS, storage deleted: stream, consumer and retained announcement are made again, with another `since`."""
    database = f"sqlite:///{tmp_path / 'events.db'}"
    node = NatsNode(tmp_path / "nats", "alone")
    closing(node.kill)
    node.start()
    intake = RunningIntake(tmp_path, database, "--nats", node.url, "--broker", node.mqtt_url).start()
    closing(intake.kill)
    box = Box(node.mqtt_url)
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    box.send(body(1), body(2))
    box.wait_for_ack(2)
    intake.kill()
    intake.start()
    wait_for(lambda: len(box.announcements) > 1, "the intake is back")
    assert len({one["since"] for one in box.announcements}) == 1, "nothing was lost: nobody sends anything again"
    node.kill()
    node.wipe()
    node.start()
    wait_for(lambda: len({one["since"] for one in box.announcements}) > 1, "another since", 60)
    box.send(body(2), body(3))
    box.wait_for_ack(3, seconds=60)
    assert status(database)[1]["stored"] == 3


def test_an_intake_retires_by_an_explicit_word(
    mosquitto: Callable[..., Broker], tmp_path: Path, closing: Closing
) -> None:
    broker = mosquitto(tmp_path)
    box = Box(broker.url)
    closing(box.close)
    options = ("retire", "--tenant", TENANT, "--broker", broker.url)
    assert command(*options)[0] == 1, "not by mistake"
    code, _, err = command(*options, "--yes")
    assert code == 0, err
    wait_for(lambda: [one["acks"] for one in box.announcements] == [False], "the word")
    broker.kill()
    assert command(*options, "--yes")[0] == 3

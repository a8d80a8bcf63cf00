"""The consumer of docs/ at work: each event once, gaps found, undo applied, its acknowledgements believed."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from gateway.events import cloudevent
from gateway.events.topics import Topics
from gateway.outbox.writer import Outbox
from tests.brokers import Broker, Subscriber, wait_for
from tests.mqtt.courier import courier
from tests.outbox.events import BOX, ROOMY, draft, stored

if TYPE_CHECKING:
    import sqlite3

DOCS = Path(__file__).parents[2] / "docs"
TOPIC = Topics.of("vgr", "su", "gw01").scan
Start = Callable[..., Broker]


@pytest.fixture
def consumer(tmp_path: Path, mosquitto: Start) -> Iterator[tuple[Broker, Any]]:
    broker = mosquitto(tmp_path / "broker")
    spec = importlib.util.spec_from_file_location("reference_consumer", DOCS / "reference_consumer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    one = module.Consumer("127.0.0.1", broker.port, "vgr", str(tmp_path / "events.db"))
    one.client.loop_start()
    yield broker, one
    one.client.disconnect()
    one.client.loop_stop()
    one.db.close()


def rows(consumer: Any, query: str) -> list[tuple[Any, ...]]:  # noqa: ANN401 - it has no types of its own
    database: sqlite3.Connection = consumer.db
    return database.execute(query).fetchall()


def test_it_is_short() -> None:
    assert len((DOCS / "reference_consumer.py").read_text().splitlines()) <= 100


def test_a_box_that_waits_for_its_word_delivers(tmp_path: Path, consumer: tuple[Broker, Any]) -> None:
    broker, one = consumer
    outbox = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    with courier(outbox, urls=(broker.url,), confirm="ack") as box:
        box.store(30)
        wait_for(lambda: rows(one, "SELECT count(*) FROM event") == [(30,)], "they are stored")
        assert box.delivered == 0, "where the row of numbers begins is not known"
        said = {"epoch": outbox.epoch, "epochBegins": outbox.epoch_begins, "delivered": 0}
        box.publisher.publish_health(msgspec.json.encode({"sequence": said}))
        box.until_delivered()
    outbox.abandon()
    assert [body.encode() for (body,) in rows(one, "SELECT body FROM event ORDER BY sequence")] == list(
        stored(tmp_path / "outbox.db").values()
    )
    assert rows(one, "SELECT * FROM gap") == []


def test_copies_gaps_and_undo(consumer: tuple[Broker, Any]) -> None:
    broker, one = consumer
    say = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    say.connect("127.0.0.1", broker.port)
    say.loop_start()
    for number in (1, 2, 2, 5, 6, 1):
        changes = {"action": "undo", "undoes": "id-2"} if number == 6 else {}
        data = msgspec.structs.replace(draft(number).data, **changes)
        at = cloudevent.Position(epoch="e1", sequence=number, recorded_ns=draft(number).time_ns)
        body = cloudevent.scan_event(f"id-{number}", "urn:scangate:vgr:su:gw01", draft(number).time_ns, data, at)
        say.publish(TOPIC, body, qos=1).wait_for_publish(10)
    wait_for(lambda: rows(one, "SELECT count(*) FROM event") == [(4,)], "four different ones")
    assert rows(one, "SELECT first, last FROM gap") == [(3, 4)]
    assert rows(one, "SELECT id FROM in_force ORDER BY sequence") == [("id-1",), ("id-5",)]
    say.disconnect()
    say.loop_stop()


def test_it_acknowledges_an_unbroken_row_only_and_survives_poison(consumer: tuple[Broker, Any]) -> None:
    """A consumer that began in the middle and acknowledged the end of what it saw lost all in front of it."""
    broker, one = consumer
    acks = Subscriber(broker.port, "udi/v1/vgr/su/gw01/ack")
    acks.subscribed()
    say = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    say.connect("127.0.0.1", broker.port)
    say.loop_start()

    def event(number: int, source: str = "urn:scangate:vgr:su:gw01", **changes: object) -> bytes:
        data = msgspec.structs.replace(draft(number).data, **changes)
        at = cloudevent.Position(epoch="e1", sequence=number, recorded_ns=draft(number).time_ns)
        return cloudevent.scan_event(f"id-{source[-4:]}-{number}", source, draft(number).time_ns, data, at)

    probe = cloudevent.probe_event("00000000-0000-4000-8000-000000000000", "urn:scangate:vgr:su:gw01", 0)
    health = {"sequence": {"epoch": "e1", "epochBegins": 1, "delivered": 2}}
    say.publish("udi/v1/vgr/su/gw01/health", msgspec.json.encode(health), qos=1, retain=True).wait_for_publish(10)
    undo = event(9, source="urn:scangate:vgr:su:gw02", action="undo", undoes="id-gw01-3")
    for body in (event(5), b"not json", probe, undo, event(3), b"[]", b"\xff", event(4), event(7)):
        say.publish(TOPIC, body, qos=1).wait_for_publish(10)
    wait_for(lambda: rows(one, "SELECT count(*) FROM event") == [(4,)], "the four of this box")
    wait_for(lambda: acks.bodies and b'"upTo": 5' in acks.bodies[-1], "up to the hole at 6")
    assert all(int(msgspec.json.decode(body)["upTo"]) <= 5 for body in acks.bodies)
    assert len(rows(one, "SELECT * FROM poison")) == 4
    assert len(rows(one, "SELECT * FROM in_force")) == 4, "another box's undo takes nothing back"
    say.disconnect()
    say.loop_stop()
    acks.close()

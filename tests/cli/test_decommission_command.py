"""`scangate decommission`: what stands retained of a box goes, with a real mosquitto."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from gateway.app import state_lock
from tests.brokers import Broker, Subscriber, wait_for
from tests.cli.conftest import Run, configuration

OWN = {"status", "health", "articles"}
"""What stands retained of a box (docs/integration.md, topics)."""
ACL = """\
topic readwrite #
user reader
topic readwrite udi/v1/vgr/su/gw01/doctor
topic read #
"""
"""Whoever has no name may do everything."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    acl = tmp_path / "acl"
    acl.write_text(ACL)
    made = Broker(tmp_path / "mosquitto", f"allow_anonymous true\nacl_file {acl}")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def known(broker: Broker, tmp_path: Path) -> Path:
    """The configuration of a box that the broker keeps messages of."""
    for name in OWN:
        publish(broker, f"udi/v1/vgr/su/gw01/{name}", b"something")
    publish(broker, "udi/v1/vgr/su/gw02/health", b"of another box")
    (tmp_path / "state").mkdir()
    file = tmp_path / "scangate.toml"
    file.write_text(configuration(tmp_path, f'[broker]\nurls = ["{broker.url}"]\n'))
    return file


def publish(broker: Broker, topic: str, body: bytes, *, retain: bool = True) -> None:
    client = Client(CallbackAPIVersion.VERSION2, client_id="publisher", protocol=MQTTv5)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish(topic, body, qos=1, retain=retain).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def retained(broker: Broker) -> set[str]:
    """Return what stands retained, by box and name."""
    listening = Subscriber(broker.port, "udi/v1/#")
    try:
        listening.subscribed()
        publish(broker, "udi/v1/marker", b"now", retain=False)  # what is retained comes before it
        wait_for(lambda: listening.on("/marker"), "the marker comes")
        return {"/".join(message.topic.split("/")[-2:]) for message in listening.messages if message.retain}
    finally:
        listening.close()


ALL = {f"gw01/{name}" for name in OWN} | {"gw02/health"}


def test_a_box_out_of_service_leaves_nothing_at_the_broker(run: Run, broker: Broker, known: Path) -> None:
    asked = run("decommission", "-c", known)
    assert (asked.code, "give --yes" in asked.err) == (2, True)
    assert retained(broker) == ALL
    done = run("decommission", "--yes", "-c", known)
    assert (done.code, done.err) == (0, "the broker keeps nothing of this box any more\n")
    assert retained(broker) == {"gw02/health"}


def test_what_the_access_list_keeps_is_said(run: Run, broker: Broker, known: Path, tmp_path: Path) -> None:
    """A broker need not say that it took no PUBLISH (MQTT 3.1.1, 3.3.5): what stands there is looked at."""
    (tmp_path / "password").write_text("any")
    with known.open("a") as file:
        file.write(f'username = "reader"\npassword_file = "{tmp_path / "password"}"\n')
    done = run("decommission", "--yes", "-c", known)
    assert (done.code, "udi/v1/vgr/su/gw01/health" in done.err) == (1, True), done.err
    assert retained(broker) == ALL


def test_a_box_that_still_works_is_not_taken_out_of_service(
    run: Run, broker: Broker, known: Path, tmp_path: Path
) -> None:
    with state_lock(tmp_path / "state"):
        refused = run("decommission", "--yes", "-c", known)
    assert (refused.code, "another scangate runs there; stop it" in refused.err) == (3, True)
    assert retained(broker) == ALL


def test_a_broker_that_is_away_is_named(run: Run, broker: Broker, known: Path) -> None:
    broker.kill()
    refused = run("decommission", "--yes", "-c", known)
    assert (refused.code, broker.url in refused.err) == (3, True)

"""Nothing outside is believed that is not proved: hand-shakes, limits, acknowledgements, announcements.

The cases are those in which a box called events delivered that nobody had (MQTT 5, 3.4.2.1; MQTT 3.1.1, 3.4; a
broker that is frozen, wiped, or has a limit of its own).
"""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from gateway.events.cloudevent import PARKED_TYPE
from gateway.mqtt import connection
from gateway.mqtt.delivery_memory import DeliveryMemory, ReplayRange
from gateway.outbox.writer import Outbox
from tests.brokers import Broker, Subscriber, wait_for
from tests.mqtt.central import Central
from tests.mqtt.courier import TOPICS, courier
from tests.outbox.events import reading

pytestmark = pytest.mark.usefixtures("hurried")
Start = Callable[..., Broker]
Connect = Callable[[Broker], Central]
OPEN = "allow_anonymous true\nmax_queued_messages 0"


class MoodyProxy:
    """Stands in front of a broker, and hangs up on the first connections."""

    def __init__(self, port: int, refusals: int) -> None:
        self._target = port
        self._refusals = refusals
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        pumps = []
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._refusals:
                    self._refusals -= 1
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                for one, other in ((client, server), (server, client)):
                    pumps.append(threading.Thread(target=self._pump, args=(one, other)))
                    pumps[-1].start()
        for pump in pumps:
            pump.join(10)

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for link in (one, other):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        one.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


class TestProtocol:
    def test_a_hang_up_is_no_reason_to_speak_less(self, tmp_path: Path, mosquitto: Start, outbox: Outbox) -> None:
        broker = mosquitto(tmp_path)
        heard = Subscriber(broker.port, "udi/#")
        heard.subscribed()
        proxy = MoodyProxy(broker.port, 1)
        with closing(proxy), courier(outbox, urls=(f"mqtt://127.0.0.1:{proxy.port}",)) as one:
            one.store(3)
            one.until_delivered()
            assert one.publisher.status.protocol == "5"
        heard.close()

    def test_a_frozen_broker_is_spoken_to_with_mqtt_5_when_it_thaws(
        self, tmp_path: Path, mosquitto: Start, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also after many silences, where it has once spoken 5; and that is remembered over a restart."""
        monkeypatch.setattr(connection, "CONNACK_SECONDS", 0.2)
        broker = mosquitto(tmp_path)
        memory = tmp_path / "delivery.json"
        with courier(outbox, urls=(broker.url,), memory=DeliveryMemory(memory)) as one:
            wait_for(lambda: one.publisher.connected, "met once")
        broker.freeze()
        with courier(outbox, urls=(broker.url,), no_subscribers="delivered", memory=DeliveryMemory(memory)) as one:
            one.store(2)
            seen: set[str] = set()

            def silent() -> bool:
                seen.add(one.publisher.status.problem or "")
                return one.publisher._choice._silences[broker.url] >= 4

            wait_for(silent, "four silences")
            broker.thaw()
            one.until_delivered()
            assert one.publisher.status.protocol == "5"
            assert one.publisher.status.downgraded is None


class TestLimits:
    @pytest.mark.parametrize("limit", ["max_packet_size 900", "max_packet_size 1200", "message_size_limit 1000"])
    def test_a_limit_below_an_ordinary_event_holds_the_line_and_is_named(
        self, tmp_path: Path, mosquitto: Start, outbox: Outbox, limit: str
    ) -> None:
        broker = mosquitto(tmp_path, f"{OPEN}\n{limit}")
        with courier(outbox, urls=(broker.url,)) as one:
            one.publisher.publish_health(b"{}" + b" " * 3000)
            one.store(5)
            one.until_problem("raise")
            wait_for(lambda: one.publisher.connected, "retained health does not break the connection")
            one.until_problem("raise")
            assert (one.delivered, one.dead) == (0, [])
            wait_for(lambda: "maximum packet" in (one.publisher.status.state_problem or ""), "health is named, too")

    def test_a_broker_without_retained_messages(self, tmp_path: Path, mosquitto: Start, outbox: Outbox) -> None:
        broker = mosquitto(tmp_path, f"{OPEN}\nretain_available false")
        with courier(outbox, urls=(broker.url,), no_subscribers="delivered") as one:
            one.publisher.publish_health(b"{}")
            one.store(2)
            one.until_delivered()
            wait_for(lambda: "no retained" in (one.publisher.status.state_problem or ""), "it is said")

    def test_a_broker_of_qos_0_is_named(self, tmp_path: Path, mosquitto: Start, outbox: Outbox) -> None:
        broker = mosquitto(tmp_path, f"{OPEN}\nmax_qos 0")
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(1)
            assert "QoS 0 only" in one.until_problem("unfit")
            assert one.delivered == 0

    def test_a_message_too_large_is_passed_over_and_the_next_is_read(
        self,
        tmp_path: Path,
        mosquitto: Start,
        outbox: Outbox,
        central: Connect,
    ) -> None:
        """MQTT 3.1.1 cannot tell the broker a limit: a recall behind such a message is applied all the same."""
        broker = mosquitto(tmp_path)
        system = central(broker)
        taken: list[bytes] = []
        subscriptions = {TOPICS.deltas: lambda message: taken.append(message.body)}
        with courier(outbox, subscriptions, urls=(broker.url,), protocol="3.1.1") as one:
            wait_for(lambda: system.heard.on("/status"), "the box is there")
            system.say(TOPICS.deltas, "x" * 3_000_000)
            system.say(TOPICS.deltas, {"recall": 1})
            wait_for(lambda: taken == [b'{"recall": 1}'], "the one behind it")
            assert "was not read" in (one.publisher.status.inbound_problem or "")
            one.store(3)
            one.until_delivered()
            assert one.publisher.status.breaks == ()


def announce(system: Central, since: str = "1", *, acks: bool = True) -> None:
    system.say(TOPICS.intake, {"acks": acks, "since": since}, retain=True)


class TestIntake:
    def test_its_word_counts_once_it_has_announced_itself(
        self,
        tmp_path: Path,
        mosquitto: Start,
        outbox: Outbox,
        central: Connect,
    ) -> None:
        broker = mosquitto(tmp_path, OPEN)
        system = central(broker)
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(2)
            one.until_delivered()
            announce(system)
            wait_for(lambda: one.publisher._memory.value.acks, "it is remembered")
            one.store(3)
            wait_for(lambda: set(system.scans()) == {1, 2, 3, 4, 5}, "they arrive")
            assert one.delivered == 2, "a PUBACK delivers nothing any more"
            system.say(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 4})
            wait_for(lambda: one.delivered == 4, "as far as it has said")
            announce(system, acks=False)
            one.until_delivered()

    @pytest.mark.parametrize(("upto", "why"), [(60, "no event of this box"), (9, "taken events up to 3 only")])
    def test_one_beyond_what_was_sent_is_refused(
        self,
        tmp_path: Path,
        mosquitto: Start,
        outbox: Outbox,
        central: Connect,
        upto: int,
        why: str,
    ) -> None:
        broker = mosquitto(tmp_path, OPEN)
        system = central(broker)
        with courier(outbox, urls=(broker.url,), confirm="ack", replay_per_second=0.01) as one:
            one.store(1)
            wait_for(lambda: len(set(system.scans())) == 1, "the first is sent")
            one.store(9)
            system.say(TOPICS.ack, {"epoch": outbox.epoch, "upTo": upto})
            wait_for(lambda: "refused" in (one.publisher.status.ack_problem or ""), "it is refused")
            assert why.replace("3", "1") in (one.publisher.status.ack_problem or "")
            assert one.delivered == 0

    def test_a_missing_announcement_holds_and_is_named(
        self,
        tmp_path: Path,
        mosquitto: Start,
        outbox: Outbox,
        central: Connect,
    ) -> None:
        """A broker whose storage was wiped has lost it, and acknowledges for nothing; also after a restart."""
        broker = mosquitto(tmp_path, OPEN)
        memory = tmp_path / "delivery.json"
        DeliveryMemory(memory).change(acks=True, since="1")
        system = central(broker)
        with courier(outbox, urls=(broker.url,), memory=DeliveryMemory(memory)) as one:
            one.store(2)
            one.until_problem("announcement is gone")
            assert (one.delivered, system.scans()) == (0, [])
            announce(system, since="2")
            wait_for(lambda: set(system.scans()) == {1, 2}, "now they go")
            system.say(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 2})
            one.until_delivered()
            wait_for(lambda: one.publisher.status.problem is None, "the problem is over")

    def test_one_that_begins_anew_gets_again_what_it_has_not_acknowledged(
        self,
        tmp_path: Path,
        mosquitto: Start,
        outbox: Outbox,
        central: Connect,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("gateway.mqtt.application_ack.ACK_SECONDS", 60.0)
        broker = mosquitto(tmp_path, OPEN)
        system = central(broker)
        announce(system)
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(4)
            wait_for(lambda: system.scans() == [1, 2, 3, 4], "once")
            system.say(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 2})
            wait_for(lambda: one.delivered == 2, "two")
            announce(system, since="2")
            wait_for(lambda: system.scans() == [1, 2, 3, 4, 3, 4], "the rest again")

    def test_a_dead_letter_does_not_end_the_row(
        self,
        tmp_path: Path,
        mosquitto: Start,
        outbox: Outbox,
        central: Connect,
    ) -> None:
        """One event of fourteen is beyond the broker's limit: its notice has its number."""
        broker = mosquitto(tmp_path, f"{OPEN}\nmax_packet_size 20000")
        system = central(broker)
        announce(system)
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(6)
            one.store(1, size=15_000)
            one.store(7)
            wait_for(lambda: len(system.scans()) == 14, "fourteen numbers")
            assert system.scans() == list(range(1, 15))
            notice = msgspec.json.decode(system.heard.on("/scan")[6])
            assert (notice["type"], notice["data"]["event"]) == (PARKED_TYPE, "id-7")
            system.say(TOPICS.ack, {"epoch": outbox.epoch, "upTo": 14})
            one.until_delivered()
            assert [dead.sequence for dead in one.dead] == [7]


def test_a_damaged_memory_believes_less(tmp_path: Path) -> None:
    path = tmp_path / "delivery.json"
    DeliveryMemory(path).change(mqtt5=("mqtt://a",))
    content = bytearray(path.read_bytes())
    content[12] ^= 4
    path.write_bytes(content)
    again = DeliveryMemory(path)
    assert again.value.acks is True, "a PUBACK delivers nothing until somebody says so"
    assert "damaged" in (again.problem or "")
    assert (tmp_path / "delivery.json.corrupt").exists()


def test_a_replay_survives_cuts_and_a_restart_and_is_counted(
    tmp_path: Path,
    mosquitto: Start,
    outbox: Outbox,
    central: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 150 asked for, 52 came over one cut, and after a restart none: the range is kept until each is taken."""
    monkeypatch.setattr("gateway.mqtt.replayer.SAVE_EVENTS", 10)
    broker = mosquitto(tmp_path, f"{OPEN}\nmax_packet_size 20000")
    memory = tmp_path / "delivery.json"
    with courier(outbox, urls=(broker.url,), no_subscribers="delivered") as one:
        one.store(100)
        one.store(1, size=15_000)
        one.store(99)
        one.until_delivered()
        outbox.write_marks(reading())
    wanted = ReplayRange(first=1, last=150, following=1, command="r1", reply_topic="udi/replies/here")
    with courier(outbox, urls=(broker.url,), no_subscribers="delivered", memory=DeliveryMemory(memory)) as one:
        wait_for(lambda: one.publisher.connected, "connected")
        broker.freeze()
        assert one.publisher.replay(wanted)
        wait_for(lambda: one.publisher._memory.value.replays, "it is on the disk")
        broker.kill()
    broker.start()
    system = central(broker)
    with courier(outbox, urls=(broker.url,), no_subscribers="delivered", memory=DeliveryMemory(memory)) as one:
        wait_for(lambda: system.heard.on("/here"), "the reply that it is done")
        wait_for(lambda: 150 in system.scans(), "the last has arrived")
        result = json.loads(system.heard.on("/here")[0])
        assert (result["id"], result["ok"], result["result"]["done"]) == ("r1", True, True)
        assert set(system.scans()) >= set(range(max(1, 151 - result["result"]["sent"]), 151))
        assert one.publisher._memory.value.replays == ()


def test_the_private_names_of_paho_that_are_used_are_there() -> None:
    """Its minor version is pinned: another one may move them."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    from gateway.mqtt.buffered_client import PRIVATE_NAMES

    client = Client(CallbackAPIVersion.VERSION2)
    assert [name for name in PRIVATE_NAMES if not hasattr(client, name)] == []

"""Delivery to a real mosquitto: what counts, what is held, and what becomes of a broker that fails."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.mqtt import publisher, session
from gateway.outbox.writer import Outbox
from tests.brokers import Broker, Subscriber, wait_for
from tests.mqtt.courier import TOPICS, courier
from tests.outbox.events import stored
from tests.ports import free_port

pytestmark = pytest.mark.usefixtures("hurried")
Start = Callable[..., Broker]
OPEN = "allow_anonymous true"
QUEUES = f"{OPEN}\nmax_queued_messages 0"
"""By default mosquitto drops what it queues for a subscriber beyond 1,000 messages."""


@pytest.fixture
def listen() -> Iterator[Callable[[Broker], Subscriber]]:
    """Return a function that subscribes to everything of the box."""
    made: list[Subscriber] = []

    def subscribe(broker: Broker, topic: str = "udi/#", qos: int = 1) -> Subscriber:
        made.append(Subscriber(broker.port, topic, qos))
        made[-1].subscribed()
        return made[-1]

    yield subscribe
    for one in made:
        one.close()


Listen = Callable[..., Subscriber]


def first_arrivals(bodies: list[bytes]) -> list[bytes]:
    """Return each event once, in order of its first arrival; a copy must be the same bytes."""
    first: dict[str, bytes] = {}
    for body in bodies:
        identity = msgspec.json.decode(body)["id"]
        assert first.setdefault(identity, body) == body
    return list(first.values())


@pytest.mark.parametrize("protocol", ["5", "3.1.1", "auto"])
def test_events_arrive_in_order_and_as_stored(
    tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox, protocol: str
) -> None:
    broker = mosquitto(tmp_path, QUEUES)
    consumer = listen(broker)
    with courier(outbox, urls=(broker.url,), protocol=protocol) as one:
        one.store(250)
        one.until_delivered()
        wait_for(lambda: len(consumer.on("/scan")) == 250, "all arrive")
        assert one.publisher.status.protocol == ("5" if protocol == "auto" else protocol)
        assert one.publisher.status.problem is None
    assert consumer.on("/scan") == list(stored(outbox.path).values())


def test_an_event_says_what_it_is_in_mqtt_5(
    tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
) -> None:
    broker = mosquitto(tmp_path)
    consumer = listen(broker, TOPICS.scan)
    with courier(outbox, urls=(broker.url,)) as one:
        one.store(1)
        wait_for(lambda: consumer.messages, "it arrives")
    (message,) = consumer.messages
    assert message.properties is not None
    said = message.properties.json()
    assert said["ContentType"] == "application/cloudevents+json; charset=utf-8"
    assert said["PayloadFormatIndicator"] == 1
    assert (message.qos, message.retain) == (1, False)


class TestAccess:
    CONFIG = "allow_anonymous true\nacl_file {acl}"

    @pytest.fixture
    def acl(self, tmp_path: Path) -> Path:
        path = tmp_path / "acl"
        path.write_text("topic read udi/#\ntopic write udi/v1/vgr/su/gw01/status\n")
        path.chmod(0o600)
        return path

    def test_refused_events_are_held_in_order_and_go_when_the_list_is_mended(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox, acl: Path
    ) -> None:
        broker = mosquitto(tmp_path, self.CONFIG.format(acl=acl))
        consumer = listen(broker)
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(30)
            problem = one.until_problem("does not take events")
            assert problem.endswith(f"{TOPICS.scan}: Not authorized")
            wait_for(lambda: one.publisher.status.refused > 32, "it tries again")
            assert one.publisher.status.refused < 60, "one at a time, and not in a tight loop"
            assert (one.delivered, one.dead, consumer.on("/scan")) == (0, [], [])
            acl.write_text("topic readwrite udi/#\n")
            broker.reload()
            one.until_delivered()
            assert one.publisher.status.problem is None
            assert one.dead == []
        wait_for(lambda: len(consumer.on("/scan")) >= 30, "all arrive")
        assert first_arrivals(consumer.on("/scan")) == list(stored(outbox.path).values())

    def test_under_3_1_1_what_does_not_come_back_is_not_delivered(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox, acl: Path
    ) -> None:
        """MQTT 3.1.1 has no reason codes: mosquitto acknowledges what its access list makes it drop."""
        broker = mosquitto(tmp_path, self.CONFIG.format(acl=acl))
        consumer = listen(broker)
        with courier(outbox, urls=(broker.url,), protocol="3.1.1") as one:
            one.store(5)
            one.until_problem("path unproven")
            assert one.publisher.status.path_proven is False
            assert (one.delivered, consumer.on("/scan")) == (0, [])
            acl.write_text("topic readwrite udi/#\n")
            broker.reload()
            one.until_delivered()
            assert one.publisher.status.problem is None
            acl.write_text("topic read udi/#\n")
            broker.reload()

            def held() -> bool:
                """The broker takes its new list up when it comes to it: until then events pass."""
                one.store(1)
                return "path unproven" in (one.publisher.status.problem or "")

            wait_for(held, "in the middle of a connection, too")
            delivered = one.delivered
            wait_for(lambda: len(first_arrivals(consumer.on("/scan"))) >= delivered, "what counts has arrived")
            assert one.outbox.last > delivered

    def test_the_echo_may_be_renounced(self, tmp_path: Path, mosquitto: Start, outbox: Outbox, acl: Path) -> None:
        """Where a broker denies a box to read what it writes."""
        acl.write_text("topic write udi/#\n")
        broker = mosquitto(tmp_path, self.CONFIG.format(acl=acl))
        with courier(outbox, urls=(broker.url,), protocol="3.1.1", proof="none") as one:
            one.store(1)
            one.until_delivered()


class TestNoSubscribers:
    def test_held_until_somebody_listens(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
    ) -> None:
        broker = mosquitto(tmp_path)
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(5)
            one.until_problem("nobody subscribes")
            assert one.delivered == 0
            consumer = listen(broker)
            one.until_delivered()
        assert first_arrivals(consumer.on("/scan")) == list(stored(outbox.path).values())

    def test_good_enough_where_the_site_says_so(self, tmp_path: Path, mosquitto: Start, outbox: Outbox) -> None:
        broker = mosquitto(tmp_path)
        with courier(outbox, urls=(broker.url,), no_subscribers="delivered") as one:
            one.store(5)
            one.until_delivered()


class TestFailingBroker:
    @pytest.mark.parametrize("protocol", ["5", "3.1.1"])
    def test_killed_in_the_middle(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox, protocol: str
    ) -> None:
        """2,000 events, two kills: all arrive, first arrivals in order, every copy the same bytes.

        With QoS 0 the broker writes an event to its subscriber before it acknowledges it: what this mosquitto,
        which keeps nothing on disk, has acknowledged is not lost with it.
        """
        broker = mosquitto(tmp_path, QUEUES)
        consumer = listen(broker, TOPICS.scan, qos=0)
        with courier(outbox, urls=(broker.url,), protocol=protocol) as one:
            one.store(2000)
            for upto in (300, 900):
                one.until_delivered(upto)
                broker.kill()
                broker.start()
                consumer.subscribed()
            one.until_delivered()
            assert one.dead == []
        if protocol == "3.1.1":
            return  # without its subscriber a broker acknowledges all the same, and drops them
        expected = list(stored(outbox.path).values())
        wait_for(lambda: len(set(consumer.bodies)) == len(expected), "all arrive")
        assert first_arrivals(consumer.bodies) == expected

    def test_frozen(
        self,
        tmp_path: Path,
        mosquitto: Start,
        listen: Listen,
        outbox: Outbox,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(session, "UNACKED_SECONDS", 0.5)
        monkeypatch.setattr("gateway.mqtt.connection.CONNACK_SECONDS", 0.5)
        broker = mosquitto(tmp_path)
        consumer = listen(broker)
        with courier(outbox, urls=(broker.url,)) as one:
            one.store(5)
            one.until_delivered()
            broker.freeze()
            one.store(5)
            one.until_problem("no acknowledgement for")
            assert one.delivered == 5
            broker.thaw()
            one.until_delivered()
            assert one.dead == [], "no event is to blame"
        assert first_arrivals(consumer.on("/scan")) == list(stored(outbox.path).values())

    def test_the_next_of_the_list_takes_over(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
    ) -> None:
        first, second = mosquitto(tmp_path), mosquitto(tmp_path)
        listen(first)
        listen(second)
        with courier(outbox, urls=(first.url, second.url)) as one:
            one.store(3)
            one.until_delivered()
            assert one.publisher.status.url == first.url
            first.kill()
            one.store(3)
            one.until_delivered()
            assert one.publisher.status.url == second.url

    def test_another_client_of_the_same_id_does_not_stop_it(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
    ) -> None:
        broker = mosquitto(tmp_path)
        listen(broker)
        with courier(outbox, urls=(broker.url,), client_id="one") as one:
            one.store(1)
            one.until_delivered()
            thief = Subscriber(broker.port, "udi/#")
            thief._client._client_id = b"one"
            thief.close()
            one.store(1)
            one.until_delivered()


class TestLimits:
    def test_the_window_keeps_within_receive_maximum(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
    ) -> None:
        """MQTT 5, 3.3.4: a client that sends more is disconnected with 0x93."""
        broker = mosquitto(tmp_path, f"{QUEUES}\nmax_inflight_messages 3")
        consumer = listen(broker)
        with courier(outbox, urls=(broker.url,), window=100) as one:
            one.store(300)
            one.until_delivered()
        wait_for(lambda: len(consumer.on("/scan")) == 300, "all arrive, none twice")
        assert "Receive maximum" not in broker.log.read_text()

    @pytest.mark.parametrize(
        ("limit", "protocol", "reason"),
        [
            ("max_packet_size 20000", "5", "larger than the broker's maximum packet size of 20000 bytes"),
            ("max_packet_size 20000", "3.1.1", "the broker ended the connection each time it was sent"),
            ("message_size_limit 20000", "5", None),
        ],
    )
    def test_an_event_too_large_is_a_dead_letter_and_the_rest_goes_on(
        self,
        tmp_path: Path,
        mosquitto: Start,
        listen: Listen,
        outbox: Outbox,
        limit: str,
        protocol: str,
        reason: str | None,
    ) -> None:
        broker = mosquitto(tmp_path, f"{QUEUES}\n{limit}")
        consumer = listen(broker)
        with courier(outbox, urls=(broker.url,), protocol=protocol) as one:
            one.store(20)
            one.store(1, size=15_000)
            one.store(20)
            one.until_delivered()
            assert [dead.sequence for dead in one.dead] == [21]
            if reason is not None:
                assert one.dead[0].reason == reason
        wait_for(lambda: len(first_arrivals(consumer.on("/scan"))) == 41, "the others, and its notice")

    def test_events_are_paced(self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox) -> None:
        from time import monotonic

        broker = mosquitto(tmp_path)
        listen(broker)
        began = monotonic()
        with courier(outbox, urls=(broker.url,), replay_per_second=50) as one:
            one.store(60)
            one.until_delivered()
        assert monotonic() - began > 1.0


class TestRetained:
    def test_online_health_and_a_clean_stop(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
    ) -> None:
        broker = mosquitto(tmp_path)
        with courier(outbox, urls=(broker.url,)) as one:
            one.publisher.publish_health(b'{"n":1}')
            consumer = listen(broker)
            wait_for(lambda: consumer.on("/status") and consumer.on("/health"), "retained are there")
            one.publisher.publish_health(b'{"n":2}')
            wait_for(lambda: b'{"n":2}' in consumer.on("/health"), "a change is told")
        wait_for(lambda: consumer.on("/status")[-1] == b"offline", "a clean stop says offline")
        assert consumer.on("/status") == [b"online", b"offline"]
        late = listen(broker, "udi/v1/vgr/su/gw01/status")
        wait_for(lambda: late.messages, "retained")
        assert (late.bodies, late.messages[0].retain) == ([b"offline"], True)

    def test_the_will_says_offline(self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox) -> None:
        broker = mosquitto(tmp_path)
        consumer = listen(broker, TOPICS.status)
        with courier(outbox, urls=(broker.url,)) as one:
            wait_for(lambda: consumer.bodies == [b"online"], "online")
            one.publisher.outbox_replaced()  # a session that ends without a goodbye, as in a crash
            wait_for(lambda: consumer.bodies == [b"online", b"offline", b"online"], "will, then online again")

    def test_health_and_status_are_said_again_after_a_reconnect(
        self, tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
    ) -> None:
        broker = mosquitto(tmp_path)
        with courier(outbox, urls=(broker.url,)) as one:
            one.publisher.publish_health(b"{}")
            wait_for(lambda: one.publisher.connected, "connected")
            broker.kill()
            wait_for(lambda: not one.publisher.connected, "lost")
            broker.start()
            consumer = listen(broker)
            wait_for(lambda: consumer.on("/status") == [b"online"] and consumer.on("/health") == [b"{}"], "again")


def test_a_publisher_that_is_idle_is_not_stuck(tmp_path: Path, mosquitto: Start, outbox: Outbox) -> None:
    broker = mosquitto(tmp_path)
    with courier(outbox, urls=(broker.url,)) as one:
        wait_for(lambda: one.publisher.connected, "connected")
        assert not one.publisher.stuck(5.0)
    assert one.publisher.stuck(1e9), "its thread is gone"


def test_unsettled_times_are_asked_for(tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox) -> None:
    from tests.outbox.events import draft, reading

    unset = reading(set_=False)
    outbox.append([draft(1, clock=unset)], unset, seal=False)
    broker = mosquitto(tmp_path)
    listen(broker)
    with courier(outbox, urls=(broker.url,)) as one:
        assert one.unsettled.wait(10)
        assert one.delivered == 0
        outbox.seal(reading())
        one.publisher.wake()
        one.until_delivered()


def test_a_round_of_brokers_is_one_failure(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box with three brokers is back as soon as one with one: the pause doubles once all have been tried."""
    ceilings: list[float] = []

    def uniform(_: float, ceiling: float) -> float:
        ceilings.append(ceiling)
        return 0.0

    monkeypatch.setattr("gateway.mqtt.publisher.random.uniform", uniform)
    with courier(outbox, urls=tuple(f"mqtt://127.0.0.1:{free_port()}" for _ in range(3))):
        wait_for(lambda: len(ceilings) >= 9, "three rounds")
    first, most = publisher.BACKOFF_FIRST, publisher.BACKOFF_MOST
    assert ceilings[:9] == [first] * 3 + [2 * first] * 3 + [most] * 3

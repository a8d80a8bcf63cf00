"""Brokers that are not mosquitto: one that speaks only MQTT 3.1.1, and ones that hang up."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader

import pytest
from amqtt.broker import Broker as OldBroker

from gateway.mqtt import session
from gateway.mqtt.poison_detector import MAX_CONVICTIONS, PoisonDetector
from gateway.outbox.writer import Outbox
from tests.brokers import wait_for
from tests.mqtt.courier import TOPICS, courier
from tests.outbox.events import stored
from tests.ports import free_port

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.fixture
def old_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Start amqtt: 3.1.1 only. An MQTT 5 CONNECT with a will it does not answer at all."""
    monkeypatch.setattr("gateway.mqtt.connection.CONNACK_SECONDS", 0.5)
    for name in ("transitions.core", "amqtt"):
        logging.getLogger(name).setLevel(logging.ERROR)
    port = free_port()
    loop = asyncio.new_event_loop()
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }

    async def start() -> OldBroker:
        broker = OldBroker(config)
        await broker.start()
        return broker

    broker = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield port
    asyncio.run_coroutine_threadsafe(broker.shutdown(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_auto_falls_back_to_3_1_1(old_broker: int, outbox: Outbox) -> None:
    with courier(outbox, urls=(f"mqtt://127.0.0.1:{old_broker}",)) as one:
        one.store(30)
        one.until_delivered()
        assert one.publisher.status.protocol == "3.1.1"


def test_mqtt_5_only_means_5_only(old_broker: int, outbox: Outbox) -> None:
    with courier(outbox, urls=(f"mqtt://127.0.0.1:{old_broker}",), protocol="5") as one:
        one.store(1)
        one.until_problem("silent")
        assert one.delivered == 0


CONNACK_5 = b"\x20\x03\x00\x00\x00"


class MoodyBroker:
    """Speaks just enough MQTT 5 to accept a connection, and hangs up on events as it likes.

    `likes` is asked of each PUBLISH of QoS 1: True acknowledges it, False closes the connection, a number is the
    reason code of the PUBACK.
    """

    def __init__(self, likes: Callable[[bytes], int]) -> None:
        self.seen: list[bytes] = []
        self.connections = 0
        self._likes = likes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                self.connections += 1
                with link, suppress(ConnectionError), link.makefile("rb") as stream:
                    while self._answer(link, stream):
                        pass

    def _answer(self, link: socket.socket, stream: BufferedReader) -> bool:
        head = stream.read(1)
        if not head:
            return False
        length = shift = 0
        while True:
            digit = stream.read(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                break
        body = stream.read(length)
        kind = head[0] >> 4
        if kind == 1:
            link.sendall(CONNACK_5)
        elif kind == 8:  # SUBSCRIBE: not authorised (MQTT 5, 3.9.3)
            link.sendall(b"\x90\x04" + body[:2] + b"\x00\x87")
        elif kind == 3 and head[0] & 0x06:
            at = 2 + int.from_bytes(body[:2], "big")
            self.seen.append(body)
            answer = self._likes(body)
            if answer is False:
                return False
            reason = b"" if answer is True else bytes([answer, 0])
            link.sendall(bytes([0x40, 2 + len(reason)]) + body[at : at + 2] + reason)
        return kind != 14

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def moody() -> Iterator[Callable[[Callable[[bytes], int]], MoodyBroker]]:
    made: list[MoodyBroker] = []

    def start(likes: Callable[[bytes], int]) -> MoodyBroker:
        made.append(MoodyBroker(likes))
        return made[-1]

    yield start
    for one in made:
        one.close()


Moody = Callable[[Callable[[bytes], int]], MoodyBroker]


def test_a_refused_subscription_is_said_and_events_flow(moody: Moody, outbox: Outbox) -> None:
    broker = moody(lambda _: True)
    commands = {TOPICS.commands: lambda _: None}
    with courier(outbox, commands, urls=(f"mqtt://127.0.0.1:{broker.port}",), protocol="5") as one:
        one.store(3)
        one.until_delivered()
        wait_for(lambda: one.publisher.status.inbound_problem, "the refusal is known")


def test_an_event_that_breaks_connections_is_a_dead_letter(moody: Moody, outbox: Outbox) -> None:
    """The rest goes on, in order, and nothing else is blamed."""
    broker = moody(lambda body: b'"id":"id-57"' not in body)
    with courier(outbox, urls=(f"mqtt://127.0.0.1:{broker.port}",)) as one:
        one.store(120)
        one.until_delivered()
        assert [(dead.sequence, dead.reason) for dead in one.dead] == [
            (57, "the broker ended the connection each time it was sent")
        ]
    arrived = {
        sequence for sequence, body in stored(outbox.path).items() if any(body in one for one in broker.seen)
    }
    assert arrived == set(range(1, 121))


def test_a_broker_that_hangs_up_on_every_event_does_not_empty_the_outbox(moody: Moody, outbox: Outbox) -> None:
    """Some brokers close the connection on a topic that is not allowed: the line waits until that is mended."""
    mended = threading.Event()
    broker = moody(lambda body: mended.is_set() or TOPICS.scan.encode() not in body)
    with courier(outbox, urls=(f"mqtt://127.0.0.1:{broker.port}",)) as one:
        one.store(40)
        wait_for(lambda: broker.connections > 4 * (MAX_CONVICTIONS + 2), "it tries again and again")
        assert one.delivered == 0, "the notice of the one that was convicted does not go through either"
        mended.set()
        one.until_delivered()
        assert len(one.dead) == 1


def test_a_connection_that_breaks_before_the_broker_has_answered_accuses_nobody(
    moody: Moody, outbox: Outbox
) -> None:
    """A bad network, or a broker that hangs up on everything."""
    mended = threading.Event()
    broker = moody(lambda _body: mended.is_set())
    with courier(outbox, urls=(f"mqtt://127.0.0.1:{broker.port}",)) as one:
        one.store(40)
        wait_for(lambda: broker.connections > 4 * (MAX_CONVICTIONS + 2), "it tries again and again")
        assert one.delivered == 0
        mended.set()
        one.until_delivered()
        assert one.dead == []


@pytest.mark.parametrize("refused", [1, 30, 120])
def test_an_event_that_is_refused_for_now_comes_again(moody: Moody, outbox: Outbox, refused: int) -> None:
    """In the middle of a full window: the events around it are taken, and it is sent until it is taken, too."""
    tries = 0

    def likes(body: bytes) -> int:
        nonlocal tries
        if b'"id":"id-%d"' % refused not in body:
            return True
        tries += 1
        return 0x97 if tries <= 3 else True  # MQTT 5, 3.4.2.1: quota exceeded

    broker = moody(likes)
    with courier(outbox, urls=(f"mqtt://127.0.0.1:{broker.port}",)) as one:
        one.store(120)
        one.until_delivered()
        assert one.dead == []
        assert broker.connections == 1
        assert tries == 4
        assert one.publisher.status.problem is None
        assert one.publisher.status.refused == 3


def test_a_connection_that_breaks_late_accuses_nobody(
    moody: Moody, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BREAK_SECONDS", 0.0)
    mended = threading.Event()
    broker = moody(lambda _body: mended.is_set())
    with courier(outbox, urls=(f"mqtt://127.0.0.1:{broker.port}",)) as one:
        one.store(3)
        wait_for(lambda: broker.connections > 10, "it tries again and again")
        mended.set()
        one.until_delivered()
        assert one.dead == []


@pytest.mark.parametrize(
    ("story", "convicted"),
    [
        ("7! 7! 7!", [7]),
        ("7 7 7 7", []),
        ("7! 8! 7! 8!", []),
        ("7! 7! down 7! 7!", [7]),
        ("7! 7! cleared 7! 7!", []),
        ("7! 7! 7! 8! 8! 8! 9! 9! 9! 10! 10! 10! 10!", [7, 8, 9]),
        ("7! 7! 7! 8! 8! 8! ok 9! 9! 9! 10! 10! 10!", [7, 8, 9, 10]),
    ],
)
def test_who_is_blamed(story: str, convicted: list[int]) -> None:
    """`7!`: the connection broke while event 7 was alone under way; `7`: with others behind it."""
    suspicion = PoisonDetector()
    found = []
    for word in story.split():
        match word:
            case "down":
                suspicion.broker_was_down()
            case "cleared":
                suspicion.cleared()
            case "ok":
                suspicion.delivered()
            case _:
                sequence = int(word.rstrip("!"))
                if suspicion.broke(sequence, alone=word.endswith("!")):
                    found.append(sequence)
                    suspicion.cleared()
    assert found == convicted

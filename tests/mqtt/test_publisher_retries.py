"""Dead letters sent again to a real mosquitto: at the end of the line, as they were, and one at a time."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.events.cloudevent import PARKED_TYPE
from gateway.mqtt import dead_letter_retry
from gateway.outbox.reader import OutboxReader
from gateway.outbox.writer import Dead, Outbox
from tests.brokers import Broker, Subscriber, wait_for
from tests.mqtt.courier import TOPICS, Courier, courier
from tests.outbox.events import draft, reading, stored

pytestmark = pytest.mark.usefixtures("hurried", "impatient")
Start = Callable[..., Broker]
QUEUES = "allow_anonymous true\nmax_queued_messages 0"
NARROW = f"{QUEUES}\nmax_packet_size 20000"
ACL = "allow_anonymous true\nacl_file {acl}"
LARGE = 21


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter_retry, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(dead_letter_retry, "AGAIN_SECONDS", 0.2)


@pytest.fixture
def listen() -> Iterator[Callable[[Broker], Subscriber]]:
    """Return a function that subscribes to the scans."""
    made: list[Subscriber] = []

    def subscribe(broker: Broker) -> Subscriber:
        made.append(Subscriber(broker.port, TOPICS.scan))
        made[-1].subscribed()
        return made[-1]

    yield subscribe
    for one in made:
        one.close()


Listen = Callable[[Broker], Subscriber]


def configure(broker: Broker, config: str) -> None:
    """Start the broker again with another configuration."""
    broker.stop()
    head = [line for line in broker._config.read_text().splitlines() if line.startswith(("user", "listener"))]
    broker._config.write_text("\n".join([*head, config, ""]))
    broker.start()


def with_a_dead_letter(one: Courier) -> None:
    """Store 41 events of which the broker cannot take one, and wait until the others are delivered."""
    one.store(LARGE - 1)
    one.store(1, size=15_000)
    one.store(20)
    one.until_delivered()
    assert [dead.sequence for dead in one.dead] == [LARGE]


def until_written(one: Courier, *, dead: int) -> None:
    """Wait until there are so many dead letters on the disk, and none that is to be sent again."""

    def settled() -> bool:
        assert one.delivered >= 0  # takes over what the publisher has
        one.outbox.write_marks(reading())
        with closing(OutboxReader(one.outbox.path)) as backlog:
            return one.outbox.dead_letters == dead and not backlog.asked_again()

    wait_for(settled, f"{dead} dead letters ({one.dead})")


def test_the_broker_takes_it_when_its_limit_is_mended(
    tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
) -> None:
    broker = mosquitto(tmp_path, NARROW)
    consumer = listen(broker)
    with courier(outbox, urls=(broker.url,)) as one:
        with_a_dead_letter(one)
        wait_for(lambda: len(consumer.bodies) == 41, "the others, and its notice")
        configure(broker, QUEUES)
        consumer.subscribed()
        assert one.outbox.retry(None, reading()) == [LARGE]
        until_written(one, dead=0)
        one.store(2)
        one.until_delivered()
        wait_for(lambda: len(consumer.bodies) >= 44, "it arrives, and what comes behind it")
    bodies = stored(outbox.path)
    notice = consumer.bodies[LARGE - 1]
    assert msgspec.json.decode(notice)["type"] == PARKED_TYPE
    expected = [notice if sequence == LARGE else body for sequence, body in bodies.items()]
    expected.insert(41, bodies[LARGE])
    assert consumer.bodies == expected, "late, once, and byte for byte as it was stored"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_refused_again_it_is_a_dead_letter_again(
    tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox, protocol: str
) -> None:
    """Under 3.1.1 the broker says no limit and hangs up on it: nothing else is blamed, and the line goes on."""
    broker = mosquitto(tmp_path, NARROW)
    consumer = listen(broker)
    with courier(outbox, urls=(broker.url,), protocol=protocol) as one:
        with_a_dead_letter(one)
        one.outbox.write_marks(reading())
        assert one.outbox.retry([LARGE], reading()) == [LARGE]
        until_written(one, dead=1)
        assert [dead.sequence for dead in one.dead] == [LARGE, LARGE]
        one.store(5)
        one.until_delivered()
        assert [dead.sequence for dead in one.dead] == [LARGE, LARGE]
        wait_for(lambda: len(set(consumer.bodies)) == 46, "the others and the notice arrive")
        assert one.outbox.retry([LARGE], reading()) == [LARGE], "a person may ask as often as it helps"


def test_what_the_broker_does_not_take_for_now_is_tried_again(
    tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox
) -> None:
    broker = mosquitto(tmp_path, NARROW)
    listen(broker)
    with courier(outbox, urls=(broker.url,)) as one:
        with_a_dead_letter(one)
        acl = tmp_path / "acl"
        acl.write_text("topic read udi/#\ntopic write udi/v1/vgr/su/gw01/status\n")
        acl.chmod(0o600)
        configure(broker, ACL.format(acl=acl))
        one.outbox.write_marks(reading())
        refused = one.publisher.status.refused
        assert one.outbox.retry(None, reading()) == [LARGE]
        wait_for(lambda: one.publisher.connected, "it is back")
        acl.write_text("topic readwrite udi/#\n")
        broker.reload()
        consumer = listen(broker)
        until_written(one, dead=0)
        wait_for(lambda: consumer.bodies, "it arrives")
        assert one.publisher.status.refused == refused, "the line itself was not refused anything"


def test_many_go_in_their_order(tmp_path: Path, mosquitto: Start, listen: Listen, outbox: Outbox) -> None:
    """Asked for while no daemon ran: they go when it runs, behind what waits."""
    outbox.append([draft(number) for number in range(1, 31)], reading(), seal=True)
    for sequence in range(3, 19, 3):
        outbox.park(Dead(sequence=sequence, reason="refused"))
    outbox.mark_delivered(20)
    outbox.write_marks(reading())
    letters = list(range(3, 19, 3))
    assert outbox.retry(None, reading()) == letters
    broker = mosquitto(tmp_path, QUEUES)
    consumer = listen(broker)
    with courier(outbox, urls=(broker.url,)) as one:
        until_written(one, dead=0)
        wait_for(lambda: len(consumer.bodies) == 10 + len(letters), "all arrive")
    bodies = stored(outbox.path)
    assert consumer.bodies == [bodies[sequence] for sequence in (*range(21, 31), *letters)]

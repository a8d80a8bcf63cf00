"""The wall clock steps by a month, either way, while scans come and go: none is lost, none changes its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.events import cloudevent
from gateway.outbox.writer import Outbox
from tests.brokers import Broker, Subscriber, wait_for
from tests.mqtt.courier import TOPICS, courier
from tests.outbox.events import NOW_NS, S, draft, reading, stored

pytestmark = pytest.mark.usefixtures("hurried")
Start = Callable[..., Broker]
DAY = 86_400 * S
MONTH = 30 * DAY
QUEUES = "allow_anonymous true\nmax_queued_messages 0"
SCANS = 20
"""StoredEvent after each step."""


@pytest.mark.parametrize(
    "steps",
    [(0, MONTH, 0), (0, -MONTH, 0), (MONTH, -MONTH, MONTH, -MONTH), (0, 40 * MONTH, 0), (0, -NOW_NS + S, 0)],
    ids=["ahead and back", "back and ahead", "to and fro", "years ahead", "1970"],
)
@pytest.mark.parametrize("synchronised", [True, False])
def test_steps(
    tmp_path: Path, mosquitto: Start, outbox: Outbox, steps: tuple[int, ...], *, synchronised: bool
) -> None:
    """Each step: scans while the broker is away, scans while it takes them, and housekeeping with that clock."""
    broker = mosquitto(tmp_path, QUEUES)
    consumer = Subscriber(broker.port, TOPICS.scan)
    consumer.subscribed()
    count = 0
    told: dict[int, bytes] = {}
    with courier(outbox, urls=(broker.url,)) as one:
        for second, step in enumerate(steps, 1):
            now = reading(at_ns=NOW_NS + step + second * S, monotonic_ns=(60 + second) * S, set_=synchronised)
            drafts = [draft(count + number, clock=now) for number in range(1, SCANS + 1)]
            outbox.append(drafts[: SCANS // 2], now, seal=False)
            while outbox.seal(now):
                pass
            outbox.append(drafts[SCANS // 2 :], now, seal=True)
            count += SCANS
            told = {**told, **{n: body for n, body in stored(outbox.path).items() if n not in told}}
            one.publisher.wake()
            one.until_delivered()
            outbox.write_marks(now)
            while outbox.maintain(now):
                pass
            assert stored(outbox.path) == told, "a step takes no delivered scan out of the journal at once"
        wait_for(lambda: len(consumer.bodies) >= count, "all arrive")
        assert one.dead == []
    consumer.close()
    assert consumer.bodies == list(told.values()), "in order, each once, byte for byte"
    events = [cloudevent.decode_scan(body) for body in consumer.bodies]
    assert [int(event.sequence) for event in events] == list(range(1, count + 1))
    assert [event.id for event in events] == [f"id-{number}" for number in range(1, count + 1)]


def test_what_waits_is_never_too_old(outbox: Outbox) -> None:
    """Ten years later, by a clock that goes evenly: what was not delivered is there, what was is not."""
    outbox.append([draft(number) for number in range(1, 11)], reading(), seal=True)
    outbox.mark_delivered(4)
    outbox.write_marks(reading())
    for years in (0, 10):
        later = reading(at_ns=NOW_NS + years * 365 * DAY, monotonic_ns=60 * S + years * 365 * DAY)
        while outbox.maintain(later):
            pass
    assert list(stored(outbox.path)) == list(range(5, 11))

"""A publisher at work on an outbox, as the daemon's worker keeps the two together."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gateway.events.topics import Topics
from gateway.mqtt.delivery_memory import DeliveryMemory
from gateway.mqtt.inbound import Handler
from gateway.mqtt.publisher import Publisher
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.writer import Dead, Outbox
from tests.brokers import wait_for
from tests.outbox.events import draft, reading

TOPICS = Topics.of("vgr", "su", "gw01")


class Courier:
    """An outbox and its publisher. What the publisher says is picked up in `settle`, as the worker does."""

    def __init__(
        self,
        outbox: Outbox,
        subscriptions: Mapping[str, Handler] | None = None,
        /,
        memory: DeliveryMemory | None = None,
        **broker: Any,  # noqa: ANN401 - keys of [broker]
    ) -> None:
        self.outbox = outbox
        self.unsettled = threading.Event()
        self.dead: list[Dead] = []
        self.publisher = Publisher(
            BrokerSettings(**broker),
            TOPICS,
            broker.get("client_id", "gw01"),
            outbox.path,
            on_unsettled=self.unsettled.set,
            subscriptions=subscriptions,
            memory=memory,
        )

    def store(self, count: int, size: int = 0) -> None:
        first = self.outbox.last + 1
        self.outbox.append([draft(n, size=size) for n in range(first, first + count)], reading(), seal=True)
        self.publisher.wake()

    @property
    def delivered(self) -> int:
        """Take over what was delivered, and return how far it has come."""
        marks = self.publisher.take_marks()
        self.dead += marks.parked
        self.outbox.note(marks)
        return marks.delivered

    def until_delivered(self, upto: int | None = None) -> None:
        """Wait until that event, or all, are delivered or dead."""
        goal = self.outbox.last if upto is None else upto
        wait_for(lambda: self.delivered >= goal, f"delivered up to {goal} ({self.publisher.status})")

    def until_problem(self, words: str) -> str:
        """Wait until it says what is wrong in such words."""
        wait_for(lambda: words in (self.publisher.status.problem or ""), f"{words!r} ({self.publisher.status})")
        return self.publisher.status.problem or ""


@contextmanager
def courier(
    outbox: Outbox,
    subscriptions: Mapping[str, Handler] | None = None,
    /,
    **broker: Any,  # noqa: ANN401 - keys of [broker]
) -> Iterator[Courier]:
    one = Courier(outbox, subscriptions, **broker)
    one.publisher.start()
    try:
        yield one
    finally:
        assert one.publisher.stop(10.0)

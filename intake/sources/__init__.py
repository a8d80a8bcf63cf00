"""Where events come from: one file per kind of broker, one interface, the same tests for each."""

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from msgspec import Struct

QUEUE: Final = 4000
"""Messages that wait to be committed: two batches under way and two behind them. More stay with the broker."""
MAX_BOX_MESSAGES: Final = 20_000
"""Topics of which the newest message waits: four for each of 5,000 boxes. Beyond, the oldest is dropped: a box
says it again within a minute."""


class ReceivedMessage(Struct, frozen=True, kw_only=True):
    """One message from the broker."""

    topic: str
    body: bytes
    receipt: Any = None
    """What its source needs to settle it; None for a message that the broker does not keep."""


class Source(Protocol):
    """A connection to a broker that makes itself anew whenever it is lost."""

    @property
    def generation(self) -> int:
        """Return how often stream, subscription and connection have been made.

        Each time the intake announces itself, for what was retained may be lost.
        """

    @property
    def since(self) -> datetime:
        """Return when that began which keeps the events until they are settled: a stream, a session.

        It is what the announcement says: another moment means that what came before may be lost, and boxes send
        again what was not acknowledged. A connection that is made anew is no reason: a thousand boxes that send
        everything again are a storm, which may end the next connection.
        """

    @property
    def ready(self) -> bool:
        """Return whether events would arrive now."""

    @property
    def problem(self) -> str | None:
        """Return why it is not ready: operation, object, cause; None when it is, or has not tried yet."""

    def start(self) -> None:
        """Begin to connect; returns at once."""

    def fetch(self, most: int, seconds: float) -> list[ReceivedMessage]:
        """Return messages that wait, at most so many of events; wait up to so long for the first."""

    def settle(self, deliveries: Sequence[ReceivedMessage]) -> None:
        """Let the broker forget what is committed."""

    def publish(self, topic: str, body: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Send a message, with QoS 0 or 1. Lost when there is no connection."""

    def close(self) -> None:
        """End the connection; what is not settled comes again."""


class ArrivalQueue:
    """What has arrived and is not fetched: events in order, and the newest message on each topic of a box.

    Filled by a network thread, emptied by the service's.
    """

    def __init__(self) -> None:
        self._events: deque[ReceivedMessage] = deque()
        self._boxes: OrderedDict[str, ReceivedMessage] = OrderedDict()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._events)

    def put_event(self, delivery: ReceivedMessage) -> None:
        """Add an event; whoever fills it minds QUEUE."""
        with self._changed:
            self._events.append(delivery)
            self._changed.notify_all()

    def put_box_message(self, delivery: ReceivedMessage) -> None:
        """Add what a box says of itself, in place of what it said before."""
        with self._changed:
            self._boxes.pop(delivery.topic, None)
            self._boxes[delivery.topic] = delivery
            if len(self._boxes) > MAX_BOX_MESSAGES:
                self._boxes.popitem(last=False)
            self._changed.notify_all()

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until fewer than QUEUE events wait; return whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._events) < QUEUE, seconds)

    def forget_events(self) -> None:
        """Drop events of a connection that is gone: the broker sends them again on the next one."""
        with self._changed:
            self._events.clear()
            self._changed.notify_all()

    def take(self, most: int, seconds: float) -> list[ReceivedMessage]:
        """Return what waits; wait up to so long for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._boxes, seconds)
            taken = [self._boxes.popitem(last=False)[1] for _ in range(min(most, len(self._boxes)))]
            taken += [self._events.popleft() for _ in range(min(most, len(self._events)))]
            self._changed.notify_all()
            return taken

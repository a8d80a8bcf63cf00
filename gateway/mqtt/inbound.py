"""What comes in over a connection: subscriptions, and messages handed on to whoever takes them.

None of it may hold up an event. A handler that fails costs its own message; a sender that floods a topic is not
listened to for a while; what is too large to be read is passed over.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Final

from paho.mqtt.client import topic_matches_sub

from gateway.mqtt.connection import MAX_INBOUND_BYTES, Connection, Message
from gateway.mqtt.publisher_status import StatusReporter

log = logging.getLogger(__name__)

OVERSIZED_BACK_OFF_SECONDS: Final = 60.0
"""After a message too large ended a connection (over a WebSocket of MQTT 3.1.1, where it cannot be passed over): it
is mostly retained, and would come again with the next subscription."""
FLOOD_MESSAGES: Final = 100
"""Messages for one subscription within FLOOD_SECONDS that are a flood: commands, deltas and acknowledgements of one
box are a few a minute, an acknowledgement for each scan at most."""
FLOOD_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 30.0
"""So long a flooded topic is not listened to. Deltas missed meanwhile are noticed by their numbers."""

Handler = Callable[[Message], None]
"""Takes a message that came in. Called by the publisher's thread: it hands on and does not wait."""


class Inbound:
    """Used by the publisher's thread; it outlives connections."""

    def __init__(
        self, subscriptions: Mapping[str, Handler], reporter: StatusReporter, optional: Collection[str] = ()
    ) -> None:
        """`subscriptions`: topic filter -> who takes what comes there; `optional`: those a broker may refuse."""
        self._optional = frozenset(optional)
        self._subscriptions = dict(subscriptions)
        self._reporter = reporter
        self._active: dict[str, Handler] = {}
        self._repeated: Collection[str] = ()
        """Topics whose sender says everything again."""
        self._needed: Collection[str] = ()
        self._silent_until = 0.0
        self._paused: dict[str, float] = {}
        self._counts: Counter[str] = Counter()
        self._counted_from = 0.0
        self._asked = False

    def begin(self, connection: Connection, more: Mapping[str, Handler]) -> None:
        """Subscribe over a new connection; `more`: what this connection takes beside the rest, with QoS 0.

        Acknowledgements and the announcement of an intake are said again and again. NATS makes a consumer, with a
        consensus of its own among its nodes, of each subscription with QoS 1: of a thousand boxes they would be
        what keeps a node that comes back from its work.
        """
        self._active = {**self._subscriptions, **more}
        self._repeated = more.keys()
        self._needed = self._active.keys() - self._optional
        self._asked = False
        self._subscribe(connection)

    def _subscribe(self, connection: Connection) -> None:
        now = time.monotonic()
        if self._active and not self._asked and now >= self._silent_until:
            self._paused = {topic: until for topic, until in self._paused.items() if until > now}
            topics = [topic for topic in self._active if topic not in self._paused]
            self._ask(connection, topics)
            self._asked = True

    def _ask(self, connection: Connection, topics: Collection[str]) -> None:
        for qos in (0, 1):
            some = [topic for topic in topics if (topic in self._repeated) is (qos == 0)]
            if some:
                connection.subscribe(*some, qos=qos)

    def poll(self, connection: Connection) -> None:
        """Hand on what has come; take up subscriptions again whose pause is over."""
        now = time.monotonic()
        self._subscribe(connection)
        for topic in [topic for topic, until in self._paused.items() if until <= now]:
            del self._paused[topic]
            self._ask(connection, [topic])
        if now - self._counted_from > FLOOD_SECONDS:
            self._counted_from = now
            self._counts.clear()
        while connection.messages:
            self._hand_on(connection, connection.messages.popleft(), now)
        self._report(connection)

    def end(self, connection: Connection) -> bool:
        """Take the end of a connection; True when a message that was too large ended it."""
        if connection.oversized is None:
            return False
        self._silent_until = time.monotonic() + OVERSIZED_BACK_OFF_SECONDS
        self._reporter.change(inbound_problem=_too_large(connection.oversized))
        log.error("a message was too large bytes=%d: none is asked for for a while", connection.oversized)
        return True

    def _hand_on(self, connection: Connection, message: Message, now: float) -> None:
        """Give a message to whoever subscribed. What is wrong with it must not end the connection."""
        for topic, handler in self._active.items():
            if topic_matches_sub(topic, message.topic):
                self._counts[topic] += 1
                if self._counts[topic] > FLOOD_MESSAGES:
                    self._pause(connection, topic, now)
                    return
                try:
                    handler(message)
                except Exception:  # the events' line goes on
                    log.exception("a message could not be taken topic=%s bytes=%d", topic, len(message.body))
                return

    def _pause(self, connection: Connection, topic: str, now: float) -> None:
        if topic not in self._paused:
            self._paused[topic] = now + PAUSE_SECONDS
            connection.unsubscribe(topic)
            log.error("too many messages topic=%s: it is not listened to for %.0f s", topic, PAUSE_SECONDS)

    def _report(self, connection: Connection) -> None:
        problem = None
        if self._paused:
            problem = f"too many messages come on {', '.join(sorted(self._paused))}: they are not read for a while"
        elif time.monotonic() < self._silent_until:
            return
        elif refused := {topic: why for topic, why in connection.refused_topics.items() if topic in self._needed}:
            topic, why = next(iter(refused.items()))
            problem = f"the broker refuses this box to subscribe to {topic}: {why}"
        elif connection.largest_left_out:
            problem = _too_large(connection.largest_left_out)
        if problem != self._reporter.value.inbound_problem:
            if problem:
                log.warning("inbound problem=%r", problem)
            self._reporter.change(inbound_problem=problem)


def _too_large(size: int) -> str:
    return (
        f"a message of {size} bytes came in and was not read (at most {MAX_INBOUND_BYTES} are): "
        "remove what is retained there"
    )

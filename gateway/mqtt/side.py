"""What goes beside the events over one connection: retained state, commands in, replies out, events sent again.

None of it may hold up an event: state and replies are small and bounded, and events are sent again only while no
event waits to be sent for the first time.
"""

import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

from paho.mqtt.client import topic_matches_sub

from gateway.mqtt.connection import Acknowledged, Connection, Message, answers
from gateway.mqtt.delivery_state import DeliveryState, Handler
from gateway.outbox.reader import OutboxReader

log = logging.getLogger(__name__)

REPLAY_CHUNK: Final = 100
"""Events of a range read at a time."""
LOOK_HOME_SECONDS: Final = 300.0
"""Between two looks at a preferred broker that failed: one that flaps must not drag a thousand boxes along."""
REPLAY_WINDOW: Final = 20
"""Events sent again that are under way at once: what every broker takes beside the ordinary window."""


class Side:
    """Everything of a session but the events' own line. Used by the publisher's thread."""

    def __init__(
        self, desk: DeliveryState, connection: Connection, backlog: OutboxReader, also: Mapping[str, Handler]
    ) -> None:
        self._desk = desk
        self._subscriptions = {**desk.subscriptions, **also}
        self._look_home_at = time.monotonic() + LOOK_HOME_SECONDS
        self._connection = connection
        self._backlog = backlog
        self._sent: dict[str, bytes] = {}
        self._again: deque[tuple[int, bytes]] = deque()
        self._under_way: set[int] = set()
        self._asked = self._listening = False

    def begin(self) -> None:
        """Say that the box is there, and ask for what it takes."""
        self._connection.retain(self._desk.topics.status, b"online")
        self._listen()

    def _listen(self) -> None:
        """Ask for messages, unless one that is there was too large."""
        if self._subscriptions and not self._listening and time.monotonic() >= self._desk.deaf_until:
            self._connection.subscribe(*self._subscriptions)
            self._listening = self._asked = True

    def turn(self) -> None:
        """Send what changed, hand on what came."""
        desk, connection = self._desk, self._connection
        for topic, body in list(desk.retained.items()):
            if self._sent.get(topic) is not body:
                connection.retain(topic, body)
                self._sent[topic] = body
        self._listen()
        while connection.messages:
            self._hand_on(connection.messages.popleft())
        while desk.replies:
            reply = desk.replies.popleft()
            connection.reply(reply.topic, reply.body, reply.correlation if connection.v5 else None)
        if self._asked and connection.subscribed:
            self._asked = False
            refused = connection.subscriptions_refused
            desk.progress.inbound_problem = (
                f"the broker refuses commands to this box: {refused}" if refused else None
            )
            if refused:
                log.warning("commands and deltas are refused reason=%r", refused)

    def answered(self, answer: Acknowledged) -> None:
        """The broker answered something that is not of the events' own line."""
        self._under_way.discard(answer.mid)

    @property
    def under_way(self) -> int:
        """Events sent again that the broker has not acknowledged; they take room in its window."""
        return len(self._under_way)

    def send_again(self, room: int) -> None:
        """Send what a person asked to have sent again, up to `room` under way.

        Copies change nothing about what is delivered: consumers know them by their id.
        """
        while len(self._under_way) < min(room, REPLAY_WINDOW) and self._connection.lost is None:
            if not self._again and not self._read_range():
                return
            mid = self._connection.publish(self._desk.topics.scan, self._again[0][1])
            if mid is None:
                return
            self._again.popleft()
            self._under_way.add(mid)

    def look_home(self) -> None:
        """Look whether the preferred broker is back, while one further down the list is used and at rest."""
        preferred = self._desk.settings.urls[0]
        now = time.monotonic()
        if self._connection.url == preferred or now < self._look_home_at:
            return
        self._look_home_at = now + LOOK_HOME_SECONDS
        if answers(preferred):
            log.info("the preferred broker answers again url=%s", preferred)
            self._desk.go_home = True

    def _read_range(self) -> bool:
        """Read the next piece of the first range that is wanted."""
        while self._desk.replays:
            first, last = self._desk.replays[0]
            rows = [row for row in self._backlog.next(first - 1, REPLAY_CHUNK) if row[0] <= last]
            if rows:
                self._again.extend(rows)
                self._desk.replays[0] = (rows[-1][0] + 1, last)
                return True
            self._desk.replays.popleft()
        return False

    def _hand_on(self, message: Message) -> None:
        """Give a message to whoever asked for it. What is wrong with it must not end the connection."""
        for topic, handler in self._subscriptions.items():
            if topic_matches_sub(topic, message.topic):
                try:
                    handler(message)
                except Exception:  # the events' line goes on
                    log.exception("a message could not be taken topic=%s bytes=%d", topic, len(message.body))
                return

"""Dead letters that a person wants sent again: one at a time, at the end of the line, when nothing else waits.

Alone, because a letter that breaks the connection must not take others' places in the line with it.
"""

import logging
import time
from collections.abc import Collection
from typing import Final

from gateway.mqtt.connection import Acknowledged, Connection
from gateway.mqtt.delivery_state import DeliveryState
from gateway.outbox.entry import Dead
from gateway.outbox.reader import OutboxReader

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""Between two looks for letters to send again: a query of a table that is nearly always empty."""
AGAIN_SECONDS: Final = 30.0
"""A broker that does not take a letter for now is asked again after this."""
BREAK_SECONDS: Final = 5.0
"""A broker that cannot stand a letter hangs up at once; a connection that breaks later has another reason."""


class DeadLetterRetries:
    """The letters' side of a session. Used by the publisher's thread.

    `success`, `unfit`: reason codes that deliver a letter, and that make it a dead one again.
    """

    def __init__(
        self,
        desk: DeliveryState,
        connection: Connection,
        backlog: OutboxReader,
        success: Collection[int],
        unfit: Collection[int],
    ) -> None:
        self._desk = desk
        self._connection = connection
        self._backlog = backlog
        self._success = success
        self._unfit = unfit
        # Its own: what a session of a replaced outbox still reports goes nowhere.
        self._parked, self._revived, self._told = desk.parked, desk.revived, desk.retried
        self._sent: tuple[int, tuple[int, int], float] | None = None
        """Packet identifier, letter (sequence, when it was asked for), and when it was sent."""
        self._look_at = 0.0

    @property
    def under_way(self) -> int:
        """Letters that the broker has not acknowledged; they take room in its window."""
        return int(self._sent is not None)

    def send(self) -> None:
        """Send the next letter, if there is one. Called when no event is under way or waits to be sent."""
        now = time.monotonic()
        if self._sent is not None or now < self._look_at or self._desk.stopping.is_set():
            return
        self._look_at = now + LOOK_SECONDS
        asked = self._backlog.asked_again()
        self._told.intersection_update(asked)  # the rest is written: whoever asks once more means it
        letter = next((one for one in asked if one not in self._told), None)
        body = None if letter is None else self._backlog.body(letter[0])
        if letter is None or body is None:
            return
        limit, topic = self._connection.maximum_packet, self._desk.topics.scan
        if limit is not None and self._connection.packet_size(topic, body) > limit:
            self._park(letter, f"larger than the broker's maximum packet size of {limit} bytes")
            return
        mid = self._connection.publish(topic, body)
        if mid is not None:
            self._sent = (mid, letter, now)

    def answered(self, answer: Acknowledged) -> bool:
        """Take the broker's answer; False when it is about something else."""
        if self._sent is None or self._sent[0] != answer.mid:
            return False
        _, letter, _ = self._sent
        self._sent = None
        if answer.reason in self._success:
            log.info("dead letter delivered sequence=%d", letter[0])
            self._told.add(letter)
            self._revived.append(letter[0])
            self._look_at = 0.0
        elif answer.reason in self._unfit:
            self._park(letter, f"refused by the broker: {answer.name}")
        else:
            log.warning("dead letter not taken for now sequence=%d reason=%r", letter[0], answer.name)
            self._look_at = time.monotonic() + AGAIN_SECONDS
        return True

    def broke(self) -> bool:
        """Take the end of the connection; True when a letter is to blame for it."""
        if self._sent is None or self._desk.stopping.is_set():
            return False
        _, letter, at = self._sent
        if time.monotonic() - at > BREAK_SECONDS:
            return False
        self._park(letter, "the broker ended the connection when it was sent again")
        return True

    def _park(self, letter: tuple[int, int], reason: str) -> None:
        log.error("dead letter stays one sequence=%d reason=%r", letter[0], reason)
        self._told.add(letter)
        self._parked.append(Dead(sequence=letter[0], reason=reason))
        self._look_at = 0.0

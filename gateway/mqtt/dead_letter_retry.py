"""Dead letters that a person wants sent again: one at a time, at the end of the line, when nothing else waits.

Alone, because a letter that breaks the connection must not take others' places in the line with it.
"""

import logging
import time
from collections.abc import Callable, Collection
from typing import Final

from gateway.mqtt.connection import Acknowledged, Connection
from gateway.mqtt.delivery_state import DeliveryState, Letter
from gateway.outbox.reader import OutboxReader

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""Between two looks for letters to send again: a query of a table that is nearly always empty."""
AGAIN_SECONDS: Final = 30.0
"""A broker that does not take a letter for now is asked again after this."""
BREAK_SECONDS: Final = 5.0
"""A broker that cannot stand a letter hangs up at once; a connection that breaks later has another reason."""


class DeadLetterRetries:
    """The letters of one connection. Used by the publisher's thread.

    `success`, `unfit`: reason codes that deliver a letter, and that make it a dead one again.
    """

    def __init__(
        self,
        connection: Connection,
        reader: OutboxReader,
        state: DeliveryState,
        topic: str,
        stopping: Callable[[], bool],
        success: Collection[int],
        unfit: Collection[int],
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._state = state
        self._topic = topic
        self._stopping = stopping
        self._success = success
        self._unfit = unfit
        self._sent: tuple[int, Letter, float] | None = None
        """Packet identifier, letter, and when it was sent."""
        self._look_at = 0.0

    @property
    def under_way(self) -> int:
        """Letters that the broker has not acknowledged; they take room in its window."""
        return int(self._sent is not None)

    def send(self) -> list[bytes]:
        """Send the next letter, if there is one; return what was handed over.

        Called when no event is under way or waits to be sent.
        """
        now = time.monotonic()
        if self._sent is not None or now < self._look_at or self._stopping():
            return []
        self._look_at = now + LOOK_SECONDS
        letter = next(iter(self._state.unanswered(self._reader.asked_again())), None)
        body = None if letter is None else self._reader.body(letter[0])
        if letter is None or body is None:
            return []
        if not self._connection.fits(self._topic, body):
            limit = self._connection.packet_limit
            self._park(letter, f"larger than the broker's maximum packet size of {limit} bytes")
            return []
        mid = self._connection.publish(self._topic, body)
        if mid is None:
            return []
        self._sent = (mid, letter, now)
        return [body]

    def answered(self, answer: Acknowledged, *, believed: bool) -> bool:
        """Take the broker's answer; False when it is about something else. `believed`: a success counts."""
        if self._sent is None or self._sent[0] != answer.mid:
            return False
        _, letter, _ = self._sent
        self._sent = None
        if answer.reason in self._success and believed:
            log.info("dead letter delivered sequence=%d", letter[0])
            self._state.letter_delivered(letter)
            self._look_at = 0.0
        elif answer.reason in self._unfit:
            self._park(letter, f"refused by the broker: {answer.name}")
        else:
            log.warning("dead letter not taken for now sequence=%d reason=%r", letter[0], answer.name)
            self._look_at = time.monotonic() + AGAIN_SECONDS
        return True

    def broke(self) -> bool:
        """Take the end of the connection; True when a letter is to blame for it."""
        if self._sent is None or self._stopping():
            return False
        _, letter, at = self._sent
        if time.monotonic() - at > BREAK_SECONDS:
            return False
        self._park(letter, "the broker ended the connection when it was sent again")
        return True

    def _park(self, letter: Letter, reason: str) -> None:
        log.error("dead letter stays one sequence=%d reason=%r", letter[0], reason)
        self._state.letter_refused(letter, reason)
        self._look_at = 0.0

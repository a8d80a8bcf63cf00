"""`confirm = "ack"`: what counts is the central system's own acknowledgement, not the broker's.

A broker that speaks only MQTT 3.1.1 acknowledges what it drops, and any broker acknowledges what no consumer has
read yet. Here an event is delivered when the consumer has said so on the box's `ack` topic: `{"epoch": "...",
"upTo": 4711}`, every event up to that one.
"""

import logging
from typing import Final

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import UNREADABLE
from gateway.mqtt.connection import Message
from gateway.outbox.reader import OutboxReader

log = logging.getLogger(__name__)

ACK_SECONDS: Final = 60.0
"""A consumer that is there acknowledges within seconds; after this, what it has not acknowledged is sent again."""
MAX_AHEAD: Final = 1000
"""Events sent beyond the last acknowledged one, at most: so many come twice when the consumer loses them."""


class Acknowledgement(Struct, frozen=True, rename="camel"):
    """What stands on the `ack` topic."""

    epoch: str
    up_to: int


_decoder = msgspec.json.Decoder(Acknowledgement)


class ApplicationAck:
    """How far the central system has acknowledged. Used by the publisher's thread; `now`: CLOCK_MONOTONIC, s."""

    def __init__(self, backlog: OutboxReader, delivered: int, now: float) -> None:
        self._backlog = backlog
        self._dead = {sequence for sequence, _ in backlog.dead()}
        self.upto = delivered
        self._waiting_since = now

    def take(self, message: Message) -> None:
        """Read an acknowledgement; what is wrong with one is logged, and it counts for nothing."""
        try:
            said = _decoder.decode(message.body)
        except UNREADABLE as error:
            log.warning("ack refused: %s", error)
            return
        if said.up_to <= self.upto:
            return
        if self._backlog.epoch_of(said.up_to) != said.epoch:
            log.warning("ack refused: no event %d of epoch %.16s here", said.up_to, said.epoch)
            return
        self.upto = said.up_to

    def parked(self, sequence: int) -> None:
        """An event became a dead letter: nobody will ever acknowledge it."""
        self._dead.add(sequence)

    def confirmed(self, sent: int) -> int:
        """Return up to which event everything is acknowledged or dead; `sent`: up to where the broker has them."""
        while self.upto < sent and self.upto + 1 in self._dead:
            self.upto += 1
        return self.upto

    def may_send(self, sequence: int) -> bool:
        """Tell whether an event is near enough behind the acknowledged ones."""
        return sequence <= self.upto + MAX_AHEAD

    def overdue(self, sent: int, before: int, now: float) -> bool:
        """Tell whether the consumer has been silent for too long. `before`: what was confirmed a turn ago."""
        if self.upto >= sent or self.upto > before:
            self._waiting_since = now
            return False
        if now - self._waiting_since < ACK_SECONDS:
            return False
        self._waiting_since = now
        return True

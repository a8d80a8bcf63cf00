"""Notices another machine that works under this box's identity: a cloned card, a configuration copied by hand.

Each box hears its own health topic: what comes there live from a machine that is not this one was sent by another.
What stands there retained at first may be of the machine that was replaced, and counts for nothing. Once this box has
heard itself, another machine's health in its place was sent after that: two that share a client identifier take the
connection from each other, and never hear each other live.
"""

import time
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import UNREADABLE

if TYPE_CHECKING:  # it brings paho along
    from gateway.mqtt.connection import Message

SECONDS: Final = 600.0
"""So long another machine is remembered: boxes say how they are every minute."""


class _Machine(Struct, frozen=True):
    machine: str | None = None


_decoder = msgspec.json.Decoder(_Machine)


class IdentityWatch:
    """`take` is called by the publisher's thread; `seen` by any."""

    def __init__(self, machine: str | None) -> None:
        """`machine`: what this box says of itself in its health."""
        self.machine = machine
        self._seen_at: float | None = None
        self._heard_itself = False

    def take(self, message: "Message") -> None:
        """Look at a health message on this box's own topic."""
        if self.machine is None:
            return
        try:
            other = _decoder.decode(message.body).machine
        except UNREADABLE:
            return
        if other == self.machine:
            self._heard_itself = True
        elif other is not None and (self._heard_itself or not message.retained):
            self._seen_at = time.monotonic()

    @property
    def seen(self) -> bool:
        """Whether another machine has worked under this box's identity within SECONDS."""
        at = self._seen_at
        return at is not None and time.monotonic() - at < SECONDS

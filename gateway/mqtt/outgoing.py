"""Answers to somebody: sent once, with QoS 0, and not kept."""

from collections import deque
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.mqtt.connection import Connection
from gateway.mqtt.delivery_memory import ReplayRange
from gateway.system.wake_pipe import WakePipe

MAX_REPLIES: Final = 64
"""Replies that wait for a connection; who asked a box that is cut off asks again."""


class Reply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one command."""

    id: str | None
    """None where the command could not be read."""
    ok: bool
    result: Any = None
    error: str | None = None


class Outgoing(Struct, frozen=True, kw_only=True):
    """One answer on its way."""

    topic: str
    body: bytes
    correlation: bytes | None = None
    """MQTT 5 correlation data of the question."""


class Replies:
    """`put` may be called from any thread; the rest is used by the publisher's."""

    def __init__(self, wake: WakePipe) -> None:
        self._wake = wake
        self._waiting: deque[Outgoing] = deque(maxlen=MAX_REPLIES)

    def put(self, reply: Outgoing) -> None:
        """Have this sent as soon as there is a connection."""
        self._waiting.append(reply)
        self._wake.wake()

    def replayed(self, done: ReplayRange) -> None:
        """Say to whoever asked for a range how many of its events were sent."""
        if done.command is not None:
            result = {"from": done.first, "to": done.last, "sent": done.sent, "done": True}
            body = msgspec.json.encode(Reply(id=done.command, ok=True, result=result))
            self.put(Outgoing(topic=done.reply_topic, body=body, correlation=done.correlation))

    def send(self, connection: Connection) -> None:
        """Send what waits; what the broker would end the connection for is left out."""
        while self._waiting:
            reply = self._waiting.popleft()
            if connection.fits(reply.topic, reply.body):
                connection.reply(reply.topic, reply.body, reply.correlation if connection.v5 else None)

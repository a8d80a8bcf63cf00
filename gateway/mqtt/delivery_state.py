"""What outlives a connection: the publisher and its sessions share it, and the daemon reads it."""

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gateway.events.topics import Topics
from gateway.mqtt.connection import Message
from gateway.mqtt.settings import BrokerSettings

if TYPE_CHECKING:
    from gateway.outbox.writer import Dead

log = logging.getLogger(__name__)

BREAKS_BEFORE_PARKED: Final = 2
"""An event that was alone under way when the broker hung up, this often in a row, is the reason."""
MAX_CONVICTIONS: Final = 3
"""So many events in a row can be at fault. When not one goes through between them, it is the broker that hangs up
on everything (some do on a topic that is not allowed), and the line waits instead of becoming dead letters."""
DEAF_SECONDS: Final = 600.0
"""A message too large for the box is mostly retained, and would come again with the next subscription."""
MAX_REPLIES: Final = 64
"""Replies that wait for a connection; who asked a box that is cut off asks again."""
MAX_REPLAYS: Final = 16
"""Ranges of events that wait to be sent again at a person's request."""

Handler = Callable[[Message], None]
"""Takes a message that came in. Called by the publisher's thread: it hands on and does not wait."""


class Outgoing(Struct, frozen=True, kw_only=True):
    """An answer to somebody: sent once, not kept."""

    topic: str
    body: bytes
    correlation: bytes | None = None
    """MQTT 5 correlation data of the question."""


class Progress(Struct, kw_only=True):
    """What the publisher says of itself. Written by its thread, read by others; every field is replaced whole."""

    url: str | None = None
    """The broker it is connected to."""
    protocol: str | None = None
    problem: str | None = None
    """Why nothing is delivered now, for a person."""
    connected_since: float | None = None
    """CLOCK_MONOTONIC seconds."""
    delivered: int = 0
    """Every event up to this one is delivered or dead."""
    acknowledged: int = 0
    """PUBACKs with success since the start."""
    refused: int = 0
    """Other PUBACKs since the start."""
    heartbeat: float = 0.0
    """When its loop last turned."""
    damaged: bool = False
    """The outbox cannot be read on: whoever writes it is to salvage it."""
    inbound_problem: str | None = None
    """Why commands and deltas do not come in; None when they do."""
    broker_certificate_ends: float | None = None
    """Seconds since 1970; None without TLS. Of the connection made last."""
    client_certificate_ends: float | None = None


class PoisonDetector:
    """Which event may be breaking connections."""

    def __init__(self) -> None:
        self.sequence: int | None = None
        self._breaks = 0
        self._convictions = 0

    def broke(self, sequence: int, *, alone: bool) -> bool:
        """A connection broke right after this event, the oldest under way; True when it is convicted."""
        if self.sequence != sequence or not alone:
            self.sequence = sequence
            self._breaks = 0
            return False
        self._breaks += 1
        if self._breaks < BREAKS_BEFORE_PARKED or self._convictions >= MAX_CONVICTIONS:
            return False
        self._convictions += 1
        return True

    def delivered(self) -> None:
        """An event went through: the broker takes events."""
        self._convictions = 0

    def broker_was_down(self) -> None:
        """The broker could not be reached: what broke before was its own doing."""
        self._breaks = 0

    def cleared(self) -> None:
        """No event is suspect."""
        self.sequence = None
        self._breaks = 0


class DeliveryState:
    """What outlives a connection: shared by the publisher and its sessions, and read by the daemon."""

    def __init__(
        self,
        settings: BrokerSettings,
        topics: Topics,
        outbox: Path,
        *,
        on_unsettled: Callable[[], None],
        subscriptions: Mapping[str, Handler] | None = None,
    ) -> None:
        self.settings = settings
        self.topics = topics
        self.outbox = outbox
        self.on_unsettled = on_unsettled
        self.progress = Progress(heartbeat=time.monotonic())
        self.parked: deque[Dead] = deque()
        self.revived: deque[int] = deque()
        """Dead letters that were sent again and delivered, which the outbox does not know yet."""
        self.retried: set[tuple[int, int]] = set()
        """Those that were answered, by sequence and time of asking, until the outbox has written it."""
        self.suspicion = PoisonDetector()
        self.stopping = threading.Event()
        self.subscriptions = dict(subscriptions or {})
        self.retained: dict[str, bytes] = {}
        """Topic -> what is to stand there now."""
        self.replies: deque[Outgoing] = deque(maxlen=MAX_REPLIES)
        self.replays: deque[tuple[int, int]] = deque()
        """First and last sequence of the events to be sent again, at most MAX_REPLAYS."""
        self.deaf_until = 0.0
        """CLOCK_MONOTONIC seconds: until then no connection asks for messages."""
        self.go_home = False
        """The preferred broker answers again: the session with another one ends in order."""
        self.begin_again = False
        """The outbox file was replaced: a session that reads the old one ends."""
        self.wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.close = weakref.finalize(self, _close, self.wake_read, self._wake_write)
        """Lets the pipe go; at the latest when nobody uses the desk any more."""

    def wake(self) -> None:
        """There is something new to send. Safe from any thread."""
        if self.close.alive:
            with suppress(BlockingIOError):  # a full pipe wakes just as well
                os.write(self._wake_write, b"\0")

    def awake(self) -> None:
        """Forget the wake-ups so far."""
        with suppress(BlockingIOError):
            os.read(self.wake_read, 4096)

    def deafen(self, size: int) -> None:
        """Ask for no messages for a while: one was so large that reading it would endanger the scans."""
        self.deaf_until = time.monotonic() + DEAF_SECONDS
        self.progress.inbound_problem = (
            f"commands and deltas are not read: a message of {size} bytes is on the broker; "
            "remove what is retained there"
        )
        log.error("a message was too large bytes=%d: none is asked for in the next %.0f s", size, DEAF_SECONDS)

    def problem(self, problem: str | None) -> None:
        """Say why nothing is delivered, or that it is again."""
        if problem != self.progress.problem and problem:
            log.warning("not delivering problem=%r", problem)
        self.progress.problem = problem


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)

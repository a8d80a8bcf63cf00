"""Sends ranges of events again, as somebody asked: kept on the disk until each event has its PUBACK.

Behind everything that waits for the first time, some REPLAY_WINDOW at once, and over any number of connections and
restarts: a range begins again behind what has its PUBACK. Copies change nothing about what is delivered; consumers
know them by their id. In the place of an event that the broker does not take, its notice goes out.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from gateway.mqtt.connection import Acknowledged, Connection
from gateway.mqtt.delivery_memory import DeliveryMemory, ReplayRange
from gateway.mqtt.inflight_window import InflightWindow
from gateway.mqtt.publisher_status import StatusReporter
from gateway.outbox.reader import OutboxReader
from gateway.system.wake_pipe import WakePipe

log = logging.getLogger(__name__)

REPLAY_CHUNK: Final = 100
"""Events of a range read at a time."""
REPLAY_WINDOW: Final = 20
"""Events sent again that are under way at once: what every broker takes beside the ordinary window."""
MAX_REPLAYS: Final = 16
"""Ranges that wait; whoever asks for more is refused, and asks again later."""
SAVE_EVENTS: Final = 500
"""Between two notes on the disk of how far a range has come: so many come twice after a power cut."""
AGAIN_SECONDS: Final = 30.0
"""A broker that does not take an event for now is asked again after this."""

OnDone = Callable[[ReplayRange], None]
"""Takes a range that is finished. Called by the publisher's thread."""


class Replayer:
    """`ask` may be called from any thread; the rest is used by the publisher's."""

    def __init__(
        self, memory: DeliveryMemory, wake: WakePipe, reporter: StatusReporter, success: frozenset[int]
    ) -> None:
        """`success`: reason codes that deliver an event."""
        self._memory = memory
        self._wake = wake
        self._reporter = reporter
        self._success = success
        self._asked: deque[ReplayRange] = deque()
        self._lock = threading.Lock()
        self._window = InflightWindow(0, REPLAY_WINDOW)
        self._rows: deque[tuple[int, bytes]] = deque()
        self._position = 0
        self._present: ReplayRange | None = None
        self._saved = 0
        self._hold_until = 0.0
        self._reporter.change(replays=len(memory.value.replays))

    def ask(self, wanted: ReplayRange) -> bool:
        """Have a range sent again; False when too many wait, and then it is not taken."""
        with self._lock:
            if len(self._asked) + len(self._memory.value.replays) >= MAX_REPLAYS:
                return False
            self._asked.append(wanted)
        self._wake.wake()
        return True

    def keep(self) -> None:
        """Bring what was asked for to the disk."""
        with self._lock:
            if not self._asked:
                return
            asked = tuple(self._asked)
            self._memory.change(replays=(*self._memory.value.replays, *asked))
            self._asked.clear()
        self._reporter.change(replays=len(self._memory.value.replays))

    def begin(self) -> None:
        """Begin over a new connection: what had no PUBACK is under way no more."""
        self._present = None
        self._window = InflightWindow(0, REPLAY_WINDOW)
        self._rows.clear()

    @property
    def under_way(self) -> int:
        """Events sent again that the broker has not acknowledged; they take room in its window."""
        return len(self._window) if self._present is not None else 0

    def oldest(self) -> tuple[int, float] | None:
        """Return sequence and time (CLOCK_MONOTONIC) of the event that has waited longest for its PUBACK."""
        return self._window.oldest() if self._present is not None else None

    def send(self, connection: Connection, topic: str, reader: OutboxReader, most: int) -> list[bytes]:
        """Send some, at most `most` under way; return the bodies that were handed over."""
        sent: list[bytes] = []
        if time.monotonic() < self._hold_until:
            return sent
        while len(self._window) < min(most, REPLAY_WINDOW) and connection.lost is None:
            if not self._rows and not self._read_on(reader):
                break
            sequence, body = self._rows[0]
            if not connection.fits(topic, body):
                why = f"larger than the broker's maximum packet size of {connection.packet_limit} bytes"
                body = reader.notice(sequence, why)
                if not connection.fits(topic, body):
                    self._hold_until = time.monotonic() + AGAIN_SECONDS
                    break
            mid = connection.publish(topic, body)
            if mid is None:
                break
            self._rows.popleft()
            self._window.sent(mid, sequence, time.monotonic())
            sent.append(body)
        return sent

    def answered(self, answer: Acknowledged, *, believed: bool) -> None:
        """Take the broker's answer to something; `believed`: a success counts."""
        sequence = self._window.answered(answer.mid) if self._present is not None else None
        if sequence is None or self._present is None:
            return
        if answer.reason in self._success and believed:
            self._window.settle(sequence)
            self._present = replace(self._present, sent=self._present.sent + 1)
        elif answer.reason not in self._success:
            log.warning(
                "an event to be sent again is not taken for now sequence=%d reason=%r", sequence, answer.name
            )
            self._hold_until = time.monotonic() + AGAIN_SECONDS
        if self._window.stalled:
            self._window.restart()
            self._rows.clear()
            self._position = self._window.delivered
        self._note(self._present)

    def finish(self) -> ReplayRange | None:
        """Return a range whose every event has its PUBACK, once; None while there is none."""
        present = self._present
        if present is None or self._rows or len(self._window) or self._position < present.last:
            return None
        self._present = None
        rest = self._memory.value.replays[1:]
        self._memory.change(replays=rest)
        self._reporter.change(replays=len(rest))
        log.info("sent again from=%d to=%d events=%d", present.first, present.last, present.sent)
        return present

    def _read_on(self, reader: OutboxReader) -> bool:
        """Read the next piece of the first range that is wanted."""
        if self._present is None:
            if not self._memory.value.replays:
                return False
            self._present = self._memory.value.replays[0]
            self._position = self._present.following - 1
            self._window = InflightWindow(self._position, REPLAY_WINDOW)
            self._saved = self._position
        present = self._present
        if self._position >= present.last:
            return False
        rows = [row for row in reader.next(self._position, REPLAY_CHUNK) if row[0] <= present.last]
        if not rows:
            self._position = present.last
            return False
        self._position = rows[-1][0]
        wanted = b'"epoch":"%s"' % present.epoch.encode() if present.epoch else b""
        self._rows.extend(row for row in rows if wanted in row[1])
        return bool(self._rows) or self._read_on(reader)

    def _note(self, present: ReplayRange) -> None:
        """Bring how far the range has come to the disk, now and then."""
        if self._window.delivered - self._saved >= SAVE_EVENTS:
            self._saved = self._window.delivered
            self._present = replace(present, following=self._window.delivered + 1)
            self._memory.change(replays=(self._present, *self._memory.value.replays[1:]))

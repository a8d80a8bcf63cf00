"""Delivery over one connection: hands events over in order, takes the broker's answers, keeps the window."""

import logging
import os
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.delivery.backlog import Backlog
from gateway.delivery.mqtt import Acknowledged, Connection
from gateway.delivery.outbox import Dead
from gateway.delivery.settings import BrokerSettings
from gateway.delivery.topics import Topics
from gateway.delivery.window import CAUTIOUS, Window

log = logging.getLogger(__name__)

CHUNK: Final = 200
"""Events read from the outbox at a time: some 300 KB."""
HOLD_FIRST: Final = 1.0
HOLD_MOST: Final = 60.0
"""Seconds between two tries while the broker takes no events."""
UNACKED_SECONDS: Final = 20.0
"""A frozen broker keeps TCP alive and answers nothing: the connection is given up after this."""
TURN_SECONDS: Final = 1.0
"""Longest wait in one turn of the loop: keepalive and watchdogs are looked at so often."""
FAREWELL_SECONDS: Final = 1.0
"""At a stop, how long acknowledgements under way are waited for; without them an event is only sent again."""
BREAKS_BEFORE_PARKED: Final = 2
"""An event that was alone under way when the broker hung up, this often in a row, is the reason."""
MAX_CONVICTIONS: Final = 3
"""So many events in a row can be at fault. When not one goes through between them, it is the broker that hangs up
on everything (some do on a topic that is not allowed), and the line waits instead of becoming dead letters."""
BREAK_SECONDS: Final = 5.0
"""A broker that cannot stand an event hangs up at once; a connection that breaks later has another reason."""
NO_SUBSCRIBERS: Final = 0x10
UNFIT_REASONS: Final = frozenset({0x95, 0x99})
"""Packet too large, payload format invalid: no later try can end otherwise, so the event is a dead letter."""


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


class Suspicion:
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


class Desk:
    """What outlives a connection: shared by the publisher and its sessions, and read by the daemon."""

    def __init__(
        self,
        settings: BrokerSettings,
        topics: Topics,
        outbox: Path,
        *,
        on_unsettled: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.topics = topics
        self.outbox = outbox
        self.on_unsettled = on_unsettled
        self.progress = Progress(heartbeat=time.monotonic())
        self.parked: deque[Dead] = deque()
        self.suspicion = Suspicion()
        self.stopping = threading.Event()
        self.health: bytes | None = None
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

    def problem(self, problem: str | None) -> None:
        """Say why nothing is delivered, or that it is again."""
        if problem != self.progress.problem and problem:
            log.warning("not delivering problem=%r", problem)
        self.progress.problem = problem


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class Session:
    """Delivery over one connection."""

    def __init__(self, desk: Desk, connection: Connection) -> None:
        self._desk = desk
        self._connection = connection
        self._settings = desk.settings
        self._topics = desk.topics
        desk.begin_again = False
        # Its own: what a session of a replaced outbox still reports goes nowhere.
        self._progress = desk.progress
        self._parked = desk.parked
        self._backlog = Backlog(desk.outbox)
        self._success = {0, NO_SUBSCRIBERS} if desk.settings.no_subscribers == "delivered" else {0}
        self._full_size = max(1, min(self._settings.window, connection.receive_maximum))
        size = self._full_size if desk.suspicion.sequence is None else CAUTIOUS
        self._window = Window(self._first_delivered(), size)
        self._health_sent: bytes | None = None
        self._position = self._window.delivered
        self._read: deque[tuple[int, bytes]] = deque()
        self._hold_until = 0.0
        self._holds = 0
        self._tokens = 1.0
        self._tokens_at = time.monotonic()
        self._more = True

    def deliver(self) -> None:
        """Send events until the connection ends or the daemon stops."""
        desk, connection = self._desk, self._connection
        try:
            connection.retain(self._topics.status, b"online")
            while connection.lost is None and not desk.stopping.is_set():
                self._tell_health()
                self._fill()
                if connection.turn(desk.wake_read, self._patience()):
                    desk.awake()
                    self._more = True
                self._take_answers()
                desk.progress.heartbeat = time.monotonic()
                if desk.begin_again:
                    connection.lost = "the outbox was replaced"
                    self._window.restart()
                self._watch()
            if connection.lost is None:
                self._farewell()
        finally:
            self._note_break()
            self._backlog.close()
            connection.abandon()

    def _first_delivered(self) -> int:
        """Where delivery stands: here, or in a file whose marks are newer. A replaced file alone knows."""
        recorded = self._backlog.delivered()
        return max(recorded, min(self._progress.delivered, self._backlog.last()))

    def _farewell(self) -> None:
        until = time.monotonic() + FAREWELL_SECONDS
        while self._connection.lost is None and time.monotonic() < until:
            self._more = True
            if not self._holds:  # behind a refused event nothing may go
                self._fill()
            if not len(self._window):
                break
            self._connection.turn(None, 0.05)
            self._take_answers()
        self._tell_health()
        if self._connection.lost is None:
            self._connection.retain(self._topics.status, b"offline")
            self._connection.close()

    def _tell_health(self) -> None:
        body = self._desk.health
        if body is not None and body is not self._health_sent:
            self._connection.retain(self._topics.health, body)
            self._health_sent = body

    def _patience(self) -> float:
        """Seconds the next turn may wait."""
        if not self._settings.replay_per_second or not self._read:
            return TURN_SECONDS
        return min(TURN_SECONDS, 1.0 / self._settings.replay_per_second)

    def _fill(self) -> None:
        """Hand over as many events as the window lets."""
        now = time.monotonic()
        if now < self._hold_until:
            return
        window, connection, topic = self._window, self._connection, self._topics.scan
        limit, paced = connection.maximum_packet, self._settings.replay_per_second is not None
        while len(window) < window.size and connection.lost is None:
            if not self._read and not self._read_on():
                return
            sequence, body = self._read[0]
            if window.settled(sequence):
                self._read.popleft()
                window.pass_over(sequence)
                self._report()
                continue
            if paced and not self._allowed(now):
                return
            if limit is not None and connection.packet_size(topic, body) > limit:
                self._read.popleft()
                window.pass_over(sequence)
                self._park(sequence, f"larger than the broker's maximum packet size of {limit} bytes")
                continue
            mid = connection.publish(topic, body)
            if mid is None:
                return
            self._read.popleft()
            window.sent(mid, sequence, now)

    def _read_on(self) -> bool:
        if not self._more:
            return False
        rows = self._backlog.next(self._position, CHUNK)
        if not rows:
            self._more = False
            if self._backlog.unsettled():
                self._desk.on_unsettled()
            return False
        self._read.extend(rows)
        self._position = rows[-1][0]
        return True

    def _allowed(self, now: float) -> bool:
        """Token bucket of one second's worth: a backlog does not flood the central system."""
        rate = self._settings.replay_per_second
        if not rate:
            return True
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _take_answers(self) -> None:
        answers, window = self._connection.acknowledgements, self._window
        before, refused, newest = window.delivered, self._progress.refused, None
        cautious = window.size == CAUTIOUS
        while answers:
            answer = answers.popleft()
            sequence = window.answered(answer.mid)
            if sequence is None:
                continue
            if answer.reason in self._success:
                self._progress.acknowledged += 1
                window.settle(sequence)
                newest = sequence
            else:
                self._take_refusal(answer, sequence)
        if newest is not None:
            self._desk.suspicion.delivered()
            if cautious and self._progress.refused == refused:
                self._trust_again(newest)
        if window.delivered != before:
            self._report()
        if window.stalled:
            self._go_back()

    def _take_refusal(self, answer: Acknowledged, sequence: int) -> None:
        self._progress.refused += 1
        if answer.reason in UNFIT_REASONS:
            self._park(sequence, f"refused by the broker: {answer.name}")
        else:
            self._hold(answer)

    def _hold(self, answer: Acknowledged) -> None:
        """The broker does not take events now: keep the order, send them again later, one at a time at first."""
        now = time.monotonic()
        if now >= self._hold_until:
            ceiling = min(HOLD_MOST, HOLD_FIRST * 2**self._holds)
            self._hold_until = now + random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreads load
            self._holds = min(self._holds + 1, 10)
        self._window.size = CAUTIOUS
        what = "nobody subscribes" if answer.reason == NO_SUBSCRIBERS else answer.name
        self._desk.problem(f"the broker does not take events on {self._topics.scan}: {what}")

    def _go_back(self) -> None:
        """Read again from the first event that is not delivered."""
        self._window.restart()
        self._read.clear()
        self._position = self._window.delivered
        self._more = True

    def _trust_again(self, sequence: int) -> None:
        self._window.size = self._full_size
        self._holds = 0
        if self._desk.progress.problem:
            self._desk.problem(None)
        suspect = self._desk.suspicion.sequence
        if suspect is not None and sequence >= suspect:
            self._desk.suspicion.cleared()

    def _park(self, sequence: int, reason: str) -> None:
        log.error("dead letter sequence=%d reason=%r", sequence, reason)
        self._parked.append(Dead(sequence=sequence, reason=reason))
        self._window.settle(sequence)
        self._report()

    def _report(self) -> None:
        self._progress.delivered = self._window.delivered

    def _watch(self) -> None:
        oldest = self._window.oldest()
        if oldest is not None and time.monotonic() - oldest[1] > UNACKED_SECONDS:
            self._connection.lost = f"no acknowledgement for {UNACKED_SECONDS:.0f} s"
            self._window.restart()  # the broker froze: no event is to blame

    def _note_break(self) -> None:
        """The connection ended while events were under way: one of them may be what the broker cannot stand."""
        oldest = self._window.oldest()
        if oldest is None or self._desk.stopping.is_set() or time.monotonic() - oldest[1] > BREAK_SECONDS:
            return
        alone = len(self._window) == 1 and self._window.size == CAUTIOUS
        if self._desk.suspicion.broke(oldest[0], alone=alone):
            self._desk.suspicion.cleared()
            self._park(oldest[0], "the broker ended the connection each time it was sent")

"""Delivery over one connection: hands events over in order, takes the broker's answers, keeps the window."""

import logging
import random
import time
from collections import deque
from typing import Final

from gateway.mqtt.application_ack import ApplicationAck
from gateway.mqtt.connection import Acknowledged, Connection
from gateway.mqtt.dead_letter_retry import BREAK_SECONDS, DeadLetterRetries
from gateway.mqtt.delivery_state import DeliveryState, Handler
from gateway.mqtt.inflight_window import CAUTIOUS, InflightWindow
from gateway.mqtt.side import Side
from gateway.outbox.reader import OutboxReader
from gateway.outbox.writer import Dead

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
NO_SUBSCRIBERS: Final = 0x10
UNFIT_REASONS: Final = frozenset({0x95, 0x99})
"""Packet too large, payload format invalid: no later try can end otherwise, so the event is a dead letter."""


class Session:
    """Delivery over one connection."""

    def __init__(self, desk: DeliveryState, connection: Connection) -> None:
        self._desk = desk
        self._connection = connection
        self._settings = desk.settings
        self._topics = desk.topics
        desk.begin_again = False
        # Its own: what a session of a replaced outbox still reports goes nowhere.
        self._progress = desk.progress
        self._parked = desk.parked
        self._backlog = OutboxReader(desk.outbox)
        self._success = {0, NO_SUBSCRIBERS} if desk.settings.no_subscribers == "delivered" else {0}
        self._full_size = max(1, min(self._settings.window, connection.receive_maximum))
        size = self._full_size if desk.suspicion.sequence is None else CAUTIOUS
        self._window = InflightWindow(self._first_delivered(), size)
        self._ack: ApplicationAck | None = None
        also: dict[str, Handler] = {}
        if desk.settings.confirm == "ack":
            self._ack = ApplicationAck(self._backlog, self._window.delivered, time.monotonic())
            also[self._topics.ack] = self._ack.take
        self._side = Side(desk, connection, self._backlog, also)
        self._retries = DeadLetterRetries(desk, connection, self._backlog, self._success, UNFIT_REASONS)
        self._position = self._window.delivered
        self._read: deque[tuple[int, bytes]] = deque()
        self._hold_until = 0.0
        self._holds = 0
        self._tokens = 1.0
        self._tokens_at = time.monotonic()
        self._more = True
        self._proof: int | None = None
        """Packet identifier of what the broker is to answer before a suspected event is sent."""
        self._proven = False
        """The broker has answered on this connection: what breaks it after an event may be that event."""
        self._prove_until = time.monotonic() + BREAK_SECONDS

    def deliver(self) -> None:
        """Send events until the connection ends or the daemon stops."""
        desk, connection = self._desk, self._connection
        try:
            self._side.begin()
            if desk.suspicion.sequence is not None:
                self._proof = connection.retain(self._topics.status, b"online", qos=1)
            while connection.lost is None and not desk.stopping.is_set() and not desk.go_home:
                self._side.turn()
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
            if connection.oversized is not None:
                desk.deafen(connection.oversized)
                self._window.restart()  # no event is to blame
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
        self._side.turn()
        if self._connection.lost is None:
            self._connection.retain(self._topics.status, b"offline")
            self._connection.close()

    def _patience(self) -> float:
        """Seconds the next turn may wait."""
        if not self._settings.replay_per_second or not self._read:
            return TURN_SECONDS
        return min(TURN_SECONDS, 1.0 / self._settings.replay_per_second)

    def _fill(self) -> None:
        """Hand over as many events as the window lets."""
        now = time.monotonic()
        if now < self._hold_until or self._to_be_proven(now):
            return
        window, connection, topic = self._window, self._connection, self._topics.scan
        limit, paced = connection.maximum_packet, self._settings.replay_per_second is not None
        while len(window) + self._beside < window.size and connection.lost is None:
            if not self._read and not self._read_on():
                if not len(window):
                    self._retries.send()
                self._side.send_again(window.size - len(window) - self._retries.under_way)
                return
            sequence, body = self._read[0]
            if self._ack is not None and not self._ack.may_send(sequence):
                return
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

    def _to_be_proven(self, now: float) -> bool:
        """An event is suspected: first the broker must answer `online`, so that a bad network is not its fault."""
        return self._proof is not None and not self._proven and now < self._prove_until

    @property
    def _beside(self) -> int:
        """What is under way beside the line takes room in the broker's window, too."""
        return self._side.under_way + self._retries.under_way

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
            self._proven = self._proven or answer.mid == self._proof
            sequence = window.answered(answer.mid)
            if sequence is None:
                if not self._retries.answered(answer):
                    self._side.answered(answer)
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
        if self._ack is not None:
            self._watch_ack(self._ack)
        if window.stalled:
            self._go_back()

    def _watch_ack(self, ack: ApplicationAck) -> None:
        """Take the central system's word; where it stays silent, send again what it has not acknowledged."""
        before, sent, now = self._progress.delivered, self._window.delivered, time.monotonic()
        self._report()
        if self._desk.progress.problem and self._progress.delivered > before:
            self._desk.problem(None)
        if ack.overdue(sent, before, now) and not len(self._window):
            self._desk.problem(f"the central system does not acknowledge on {self._topics.ack}")
            self._window = InflightWindow(ack.upto, self._window.size)
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
        if self._ack is not None:
            self._ack.parked(sequence)
        self._report()

    def _report(self) -> None:
        delivered = self._window.delivered
        self._progress.delivered = delivered if self._ack is None else self._ack.confirmed(delivered)

    def _watch(self) -> None:
        if not self._read and not len(self._window):
            self._side.look_home()
        oldest = self._window.oldest()
        if oldest is not None and time.monotonic() - oldest[1] > UNACKED_SECONDS:
            self._connection.lost = f"no acknowledgement for {UNACKED_SECONDS:.0f} s"
            self._window.restart()  # the broker froze: no event is to blame

    def _note_break(self) -> None:
        """The connection ended while events were under way: one of them may be what the broker cannot stand."""
        if self._retries.broke():
            return
        oldest = self._window.oldest()
        if oldest is None or self._desk.stopping.is_set() or time.monotonic() - oldest[1] > BREAK_SECONDS:
            return
        alone = len(self._window) == 1 and self._window.size == CAUTIOUS and self._proven
        if self._desk.suspicion.broke(oldest[0], alone=alone):
            self._desk.suspicion.cleared()
            self._park(oldest[0], "the broker ended the connection each time it was sent")

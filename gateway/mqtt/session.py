"""Delivery over one connection: hands events over in order, takes the broker's answers, keeps the window.

How it works. Events are read from the outbox by sequence and handed to the broker, at most a window of them
unanswered. What the broker (or, where one acknowledges, the intake) has said yes to is reported as an unbroken row.
A refusal that may pass holds the line: the session waits, goes back to the first event that is not delivered, and
sends one at a time until the broker takes events again. An event that no broker takes becomes a dead letter, and
its notice goes out in its place, so that every number arrives. Beside the line go retained state, replies, dead
letters and ranges that somebody wants again; none of them may hold up an event.

Example, MQTT 5, a window of 3: 5, 6 and 7 are sent. PUBACK 6: nothing is reported yet. PUBACK 5: delivered up to 6.
PUBACK 7 with `quota exceeded`: everything is answered and 7 is not delivered, so the window is stalled: the line is
held for a second, and begins again at 7, alone. PUBACK 7: delivered up to 7, the window opens again.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from gateway.events.topics import Topics
from gateway.mqtt.application_ack import ACK_SECONDS, MISSING, ApplicationAck
from gateway.mqtt.broker_probe import BrokerProbe
from gateway.mqtt.connection import TOO_LARGE, Acknowledged, Connection
from gateway.mqtt.dead_letter_retry import BREAK_SECONDS, DeadLetterRetries
from gateway.mqtt.delivery_memory import DeliveryMemory
from gateway.mqtt.delivery_state import DeliveryState
from gateway.mqtt.echo_proof import EchoProof
from gateway.mqtt.inbound import Inbound
from gateway.mqtt.inflight_window import CAUTIOUS, InflightWindow
from gateway.mqtt.learned_limits import LearnedLimits
from gateway.mqtt.outgoing import Replies
from gateway.mqtt.pacing import LineHold, TokenBucket
from gateway.mqtt.poison_detector import PoisonDetector
from gateway.mqtt.protocol_choice import RETRY_5_SECONDS
from gateway.mqtt.publisher_status import StatusReporter
from gateway.mqtt.replayer import Replayer
from gateway.mqtt.retained_state import RetainedState
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.reader import OutboxReader
from gateway.system.signed_envelope import Unseal
from gateway.system.wake_pipe import WakePipe

log = logging.getLogger(__name__)

CHUNK: Final = 200
"""Events read from the outbox at a time: some 300 KB."""
UNACKED_SECONDS: Final = 20.0
"""A frozen broker keeps TCP alive and answers nothing: the connection is given up after this."""
POLL_SECONDS: Final = 1.0
"""Longest wait in one turn of the loop: keepalive and watchdogs are looked at so often."""
SUBSCRIBE_SECONDS: Final = 3.0
"""A retained announcement comes right behind the answer to its subscription; a broker that does not answer that by
then keeps no event waiting."""
FAREWELL_SECONDS: Final = 1.0
"""At a stop, how long acknowledgements under way are waited for; without them an event is only sent again."""
NO_SUBSCRIBERS: Final = 0x10
UNFIT_REASONS: Final = frozenset({TOO_LARGE, 0x99})
"""Packet too large, payload format invalid: no later try can end otherwise, so the event is a dead letter."""
ORDINARY_EVENT_BYTES: Final = 8 * 1024
"""An event of a label with several symbols and a long verdict. A broker that does not take so much has the wrong
limit: the line is held, instead of every event becoming a dead letter."""


class Services(Struct, frozen=True, kw_only=True):
    """What a session works with, and what outlives it."""

    settings: BrokerSettings
    topics: Topics
    memory: DeliveryMemory
    reporter: StatusReporter
    wake: WakePipe
    retained: RetainedState
    replies: Replies
    replayer: Replayer
    inbound: Inbound
    poison: PoisonDetector
    limits: LearnedLimits
    unseal: Unseal
    stopping: Callable[[], bool]
    on_unsettled: Callable[[], None]
    """Called when events wait whose times are not settled."""


class Session:
    """Delivery over one connection."""

    def __init__(self, services: Services, connection: Connection, state: DeliveryState) -> None:
        self._services = services
        self._connection = connection
        self._state = state
        self._settings = settings = services.settings
        self._topics = services.topics
        self._reporter = services.reporter
        connection.learnt_limit = services.limits.limit(connection.url)
        self._reader = OutboxReader(state.outbox)
        self._success = successes(settings)
        self._full_size = max(1, min(settings.window, connection.receive_maximum))
        size = self._full_size if services.poison.sequence is None else CAUTIOUS
        self._window = InflightWindow(self._first_delivered(), size)
        state.report(self._window.delivered, max(self._window.delivered, self._reader.published()))
        self._ack = ApplicationAck(
            settings, services.memory, state, self._reader, services.reporter, services.unseal, time.monotonic
        )
        self._echo = EchoProof() if not connection.v5 and settings.proof == "echo" else None
        self._retries = DeadLetterRetries(
            connection, self._reader, state, self._topics.scan, services.stopping, self._success, UNFIT_REASONS
        )
        self._home = BrokerProbe(settings.urls[0], connection.url)
        self._position = self._window.delivered
        self._read: deque[tuple[int, bytes]] = deque()
        self._hold = LineHold()
        began = time.monotonic()
        self._began = began
        self._bucket = TokenBucket(settings.replay_per_second, began)
        self._more = True
        self._ping: int | None = None
        """Packet identifier of what the broker is to answer before a suspected event is sent."""
        self._answers = False
        """The broker has answered on this connection: what breaks it after an event may be that event."""
        self._prove_until = began + BREAK_SECONDS
        self.go_elsewhere = False
        """The session ended because another connection is better: the preferred broker, or MQTT 5."""

    def deliver(self) -> None:
        """Send events until the connection ends or the daemon stops."""
        services, connection = self._services, self._connection
        try:
            self._begin()
            while connection.lost is None and not services.stopping() and not self.go_elsewhere:
                self._send_beside()
                self._fill()
                if connection.poll(services.wake.fileno(), self._patience()):
                    services.wake.clear()
                    self._more = True
                self._take_answers()
                self._watch()
            if connection.lost is None:
                self._farewell()
        finally:
            if services.inbound.end(connection):
                self._window.restart()  # no event is to blame
            self._note_break()
            self._reader.close()
            connection.abandon()

    def _begin(self) -> None:
        services, connection = self._services, self._connection
        connection.retain(self._topics.status, b"online")
        services.retained.begin(connection.url)
        services.replayer.begin()
        more = {}
        if self._settings.confirm != "puback":
            more[self._topics.ack] = self._ack.take
        if self._settings.confirm == "auto":
            more[self._topics.intake] = self._ack.take_announcement
        services.inbound.begin(connection, more)
        if self._echo is not None:
            connection.echo_topic = self._topics.scan
            connection.subscribe(self._topics.scan, qos=0)
        if services.poison.sequence is not None:
            self._ping = connection.retain(self._topics.status, b"online", qos=1)

    def _first_delivered(self) -> int:
        """Return where delivery stands: here, or in a file whose marks are newer."""
        return max(self._reader.delivered(), min(self._state.delivered, self._reader.last()))

    def _send_beside(self) -> None:
        services, connection = self._services, self._connection
        services.retained.send(connection, self._full_size - len(self._window) - self._beside, time.monotonic())
        services.inbound.poll(connection)
        services.replayer.keep()
        services.replies.send(connection)

    def _farewell(self) -> None:
        until = time.monotonic() + FAREWELL_SECONDS
        while self._connection.lost is None and time.monotonic() < until:
            self._more = True
            if not self._hold.refused:
                self._fill()
            if not len(self._window):
                break
            self._connection.poll(None, 0.05)
            self._take_answers()
        self._send_beside()
        if self._connection.lost is None:
            self._connection.retain(self._topics.status, b"offline")
            self._connection.close()

    def _patience(self) -> float:
        """Return how many seconds the next turn may wait."""
        if not self._settings.replay_per_second or not self._read:
            return POLL_SECONDS
        return min(POLL_SECONDS, 1.0 / self._settings.replay_per_second)

    def _fill(self) -> None:
        """Hand over as many events as the window lets."""
        now = time.monotonic()
        if self._hold.holds(now) or self._to_be_answered(now) or self._held_for_intake(now):
            return
        window, connection, topic = self._window, self._connection, self._topics.scan
        while len(window) + self._beside < window.size and connection.lost is None:
            event = self._next_event()
            if event is None or not self._bucket.take(now):
                return
            sequence, body = event
            mid = connection.publish(topic, body)
            if mid is None:
                return
            self._read.popleft()
            window.sent(mid, sequence, now)
            self._ack.sent(sequence)
            if self._echo is not None:
                self._echo.sent(sequence, body)

    def _next_event(self) -> tuple[int, bytes] | None:
        """Return the event that is to be sent next; None where none may be sent now."""
        window = self._window
        while self._read or self._read_on():
            sequence, body = self._read[0]
            if self._ack.awaited:
                if not self._ack.may_send(sequence):
                    return None
                if sequence <= self._ack.upto:
                    window.settle(sequence)  # the intake has it: it need not come again
            if window.settled(sequence):
                self._read.popleft()
                window.pass_over(sequence)
                self._report()
            elif self._connection.fits(self._topics.scan, body):
                return sequence, body
            elif not self._does_not_fit(sequence, body):
                return None
        self._send_again()
        return None

    def _send_again(self) -> None:
        """With nothing left in the line: dead letters, and ranges that somebody wants again."""
        if not len(self._window):
            self._note_sent(self._retries.send())
        room = self._window.size - len(self._window) - self._retries.under_way
        self._note_sent(self._services.replayer.send(self._connection, self._topics.scan, self._reader, room))
        done = self._services.replayer.finish()
        if done is not None:
            self._services.replies.replayed(done)

    def _note_sent(self, bodies: list[bytes]) -> None:
        """Expect what was sent beside the line back, too: it proves the path as well as an event does."""
        if self._echo is not None and not self._echo.proven:
            for body in bodies:
                self._echo.sent(0, body)

    def _held_for_intake(self, now: float) -> bool:
        """Hold until the broker has said whether an intake is there, and while one that was met is silent."""
        asked = self._settings.confirm == "auto" and not self._connection.subscribed
        if asked and now - self._began < SUBSCRIBE_SECONDS:
            return True
        missing = self._ack.missing()
        if missing is None:
            return False
        if missing:
            self._reporter.problem(missing)
        return True

    def _does_not_fit(self, sequence: int, body: bytes) -> bool:
        """Park an event that is too large for the broker; False when the broker's limit is too small for any."""
        limit = self._connection.packet_limit
        if len(body) <= ORDINARY_EVENT_BYTES:
            self._hold_line(
                f"the broker's maximum packet size of {limit} bytes is below an ordinary event of {len(body)}: "
                "raise it there"
            )
            return False
        reason = f"larger than the broker's maximum packet size of {limit} bytes"
        self._park(sequence, reason)
        self._read[0] = (sequence, self._reader.notice(sequence, reason))
        return True

    def _to_be_answered(self, now: float) -> bool:
        """An event is suspected: first the broker must answer `online`, so that a bad network is not its fault."""
        return self._ping is not None and not self._answers and now < self._prove_until

    @property
    def _beside(self) -> int:
        """What is under way beside the line takes room in the broker's window, too."""
        services = self._services
        return services.replayer.under_way + self._retries.under_way + services.retained.under_way

    def _read_on(self) -> bool:
        if not self._more:
            return False
        rows = self._reader.next(self._position, CHUNK)
        if not rows:
            self._more = False
            if self._reader.unsettled():
                self._services.on_unsettled()
            return False
        for sequence, body in rows:
            reason = self._state.parked_because(sequence)
            self._read.append((sequence, body if reason is None else self._reader.notice(sequence, reason)))
        self._position = rows[-1][0]
        return True

    def _take_answers(self) -> None:
        answers, window, echo = self._connection.acknowledgements, self._window, self._echo
        status = self._reporter.value
        acknowledged, refused, newest = status.acknowledged, status.refused, None
        cautious, now = window.size == CAUTIOUS, time.monotonic()
        while answers:
            answer = answers.popleft()
            self._answers = self._answers or answer.mid == self._ping
            sequence = window.answered(answer.mid)
            if sequence is None and self._services.retained.answered(self._connection, answer):
                continue
            if sequence is None:
                believed = echo is None or echo.proven or self._ack.awaited
                if not self._retries.answered(answer, believed=believed):
                    self._services.replayer.answered(answer, believed=believed)
                continue
            if answer.reason in self._success:
                acknowledged += 1
                if echo is None or self._ack.awaited or echo.answered(sequence, now):
                    window.settle(sequence)
                    newest = sequence
            else:
                refused += 1
                self._take_refusal(answer, sequence)
        newest = self._take_echoes(newest)
        self._reporter.change(acknowledged=acknowledged, refused=refused, heartbeat=now)
        if newest is not None:
            self._went_through(newest, trusted=cautious and refused == status.refused)
        self._report()
        self._follow_acks()
        if echo is not None and echo.overdue(now) and not self._ack.awaited:
            self._path_unproven()
        elif window.stalled and (echo is None or not echo.waits or self._ack.awaited):
            self._go_back()

    def _went_through(self, newest: int, *, trusted: bool) -> None:
        """Note that events went through; `trusted`: one that was sent alone, so that the line may open again."""
        self._services.poison.delivered()
        if self._reporter.value.broke_because is not None:
            self._reporter.change(broke_because=None)
        if trusted:
            self._trust_again(newest)
        elif not self._reporter.value.path_proven:
            self._reporter.change(path_proven=True)

    def _take_echoes(self, newest: int | None) -> int | None:
        """Take what came back of one's own events."""
        echoes = self._connection.echoes
        while echoes and self._echo is not None:
            sequence = self._echo.echoed(echoes.popleft())
            if sequence:
                self._window.settle(sequence)
                newest = sequence
        return newest

    def _path_unproven(self) -> None:
        topic = self._topics.scan
        denied = self._connection.refused_topics.get(topic)
        why = "the broker denies this box to subscribe there" if denied else "nobody says that they arrive"
        self._hold_line(
            f"path unproven: events do not come back on {topic} ({why}): let this box publish and subscribe there, "
            'or set [broker] proof = "none"'
        )
        self._reporter.change(path_proven=False)
        self._go_back()

    def _follow_acks(self) -> None:
        """Take the central system's word; where it stays silent, send again what it has not acknowledged."""
        ack, status = self._ack, self._reporter.value
        since = ack.waiting_since if ack.awaited else None
        if (status.acks_awaited, status.ack_age) != (ack.awaited, since):
            self._reporter.change(acks_awaited=ack.awaited, ack_age=since)
        if not ack.awaited:
            return
        silent = since is not None and time.monotonic() - since >= ACK_SECONDS
        silence = f"the central system does not acknowledge on {self._topics.ack}"
        if silent:
            self._reporter.problem(silence)
        elif status.problem in {silence, MISSING} and ack.missing() is None:
            self._reporter.problem(None)
        if (ack.again or ack.overdue()) and not len(self._window):
            ack.again = False
            self._window = InflightWindow(ack.upto, self._window.size)
            self._go_back()

    def _take_refusal(self, answer: Acknowledged, sequence: int) -> None:
        if answer.reason not in UNFIT_REASONS:
            what = "nobody subscribes" if answer.reason == NO_SUBSCRIBERS else answer.name
            self._hold_line(f"the broker does not take events on {self._topics.scan}: {what}")
            return
        body = self._reader.body(sequence) or b""
        if answer.reason == TOO_LARGE:
            self._learn_limit(body)
        if answer.reason == TOO_LARGE and len(body) <= ORDINARY_EVENT_BYTES:
            self._hold_line(
                f"the broker refuses an ordinary event of {len(body)} bytes as too large: raise its limit"
            )
        else:
            self._park(sequence, f"refused by the broker: {answer.name}")

    def _learn_limit(self, body: bytes) -> None:
        """The broker does not take what is as large as this, and mostly hangs up on it: do not send it again."""
        limits, connection = self._services.limits, self._connection
        limits.note(connection.url, connection.packet_size(self._topics.scan, body))
        connection.learnt_limit = limits.limit(connection.url)

    def _hold_line(self, problem: str) -> None:
        """The broker does not take events now: keep the order, send them again later, one at a time at first."""
        self._hold.begin(time.monotonic())
        self._window.size = CAUTIOUS
        self._reporter.problem(problem)

    def _go_back(self) -> None:
        """Read again from the first event that is not delivered."""
        self._window.restart()
        if self._echo is not None:
            self._echo.restart()
        self._read.clear()
        self._position = self._window.delivered
        self._more = True

    def _trust_again(self, sequence: int) -> None:
        self._window.size = self._full_size
        self._hold.over()
        self._reporter.problem(None)
        self._reporter.change(path_proven=True)
        poison = self._services.poison
        if poison.sequence is not None and sequence >= poison.sequence:
            poison.cleared()

    def _park(self, sequence: int, reason: str) -> None:
        log.error("dead letter sequence=%d reason=%r", sequence, reason)
        self._state.park(sequence, reason)

    def _report(self) -> None:
        published = self._window.delivered
        self._state.report(0, published)
        if self._ack.awaited:
            self._state.report(self._ack.confirmed(self._state.published), published)
        else:
            self._state.report(published, published)

    def _watch(self) -> None:
        now = time.monotonic()
        if self._state.superseded:
            self._connection.lost = "the outbox was replaced"
            self._window.restart()
        at_rest = not self._read and not len(self._window)
        if at_rest and (self._home.preferred_is_back() or self._try_mqtt5(now)):
            self.go_elsewhere = True
        oldest, state = self._window.oldest(), self._services.retained.waiting_since()
        since = min((at for at in (state, None if oldest is None else oldest[1]) if at is not None), default=now)
        if now - since > UNACKED_SECONDS:
            self._connection.lost = self._why_unanswered()
            self._window.restart()  # no event is to blame

    def _why_unanswered(self) -> str:
        """Say what a broker that has answered no event for too long suffers from."""
        silence = f"no acknowledgement for {UNACKED_SECONDS:.0f} s"
        left = self._connection.unreceived()
        if left:
            lost = "the network is cut, or loses packets of an event's size (MTU)"
            return f"{silence}, and {left} bytes have not reached the broker: {lost}"
        return f"{silence}, though what was sent has reached the broker: is it frozen?"

    def _try_mqtt5(self, now: float) -> bool:
        """Return whether it is time to see whether the broker speaks MQTT 5 by now."""
        connection = self._connection
        return not connection.v5 and self._settings.protocol == "auto" and now - self._began > RETRY_5_SECONDS

    def _note_break(self) -> None:
        """The connection ended while events were under way: one of them may be what the broker cannot stand."""
        if self._retries.broke():
            return
        oldest, poison = self._window.oldest(), self._services.poison
        if oldest is None or self._services.stopping() or time.monotonic() - oldest[1] > BREAK_SECONDS:
            return
        if self._state.parked_because(oldest[0]) is not None:
            return  # it was the notice of a dead letter: small, and no event's fault
        alone = len(self._window) == 1 and self._window.size == CAUTIOUS and self._answers
        if poison.broke(oldest[0], alone=alone):
            poison.cleared()
            self._park(oldest[0], "the broker ended the connection each time it was sent")


def successes(settings: BrokerSettings) -> frozenset[int]:
    """Return the reason codes of a PUBACK that deliver an event."""
    return frozenset({0, NO_SUBSCRIBERS} if settings.no_subscribers == "delivered" else {0})

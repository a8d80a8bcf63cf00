"""The publisher: takes events from the outbox to the broker, strictly in order, until delivery is proved.

It runs in a thread of its own and owns everything MQTT. The outbox is the only queue; here is no more than the
window of events under way. Delivered means: the intake has acknowledged it, or where none is known a PUBACK with
success for that very event (MQTT 5), or a PUBACK and its echo (MQTT 3.1.1).
"""

import logging
import random
import select
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gateway.events.topics import Topics
from gateway.mqtt.connection import Connection, ConnectResult, Will
from gateway.mqtt.delivery_memory import DeliveryMemory, ReplayRange
from gateway.mqtt.delivery_state import DeliveryState
from gateway.mqtt.inbound import Handler, Inbound
from gateway.mqtt.learned_limits import LearnedLimits
from gateway.mqtt.outgoing import Outgoing, Replies
from gateway.mqtt.poison_detector import PoisonDetector
from gateway.mqtt.protocol_choice import Attempt, ProtocolChoice
from gateway.mqtt.publisher_status import PublisherStatus, StatusReporter
from gateway.mqtt.replayer import Replayer
from gateway.mqtt.retained_state import RetainedState
from gateway.mqtt.session import POLL_SECONDS, Services, Session, successes
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.entry import DeliveryMarks
from gateway.outbox.schema import CorruptOutboxError
from gateway.system.signed_envelope import Unseal
from gateway.system.wake_pipe import WakePipe

log = logging.getLogger(__name__)

BACKOFF_FIRST: Final = 1.0
BACKOFF_MOST: Final = 60.0
"""Seconds. A thousand boxes that lose their broker together come back spread over a minute (full jitter)."""
BACKOFF_CREDENTIALS: Final = 300.0
"""Wrong credentials mend themselves only when a person acts; brokers lock out who tries often."""
STABLE_SECONDS: Final = 30.0
"""A connection that held so long was a good one: the next back-off begins small again."""
MAX_DOUBLINGS: Final = 10


def _as_it_is(body: bytes) -> bytes:
    return body


class Publisher:
    """Start it with `start`; it ends with `stop`. Never raises into the daemon: it reports and tries again."""

    def __init__(
        self,
        settings: BrokerSettings,
        topics: Topics,
        client_id: str,
        outbox: Path,
        *,
        on_unsettled: Callable[[], None],
        memory: DeliveryMemory | None = None,
        subscriptions: Mapping[str, Handler] | None = None,
        unseal: Unseal = _as_it_is,
    ) -> None:
        """Describe the way; `subscriptions`: topic filter -> who takes what comes there.

        `memory`: what is remembered over restarts; without, nothing is. `unseal`: opens, and checks, what the
        central system has signed.
        """
        self._settings = settings
        self._topics = topics
        self._memory = memory or DeliveryMemory(None)
        self._choice = ProtocolChoice(settings, client_id, self._memory)
        self._reporter = reporter = StatusReporter()
        reporter.change(
            broker_certificate_ends=self._memory.value.broker_certificate_ends, memory_problem=self._memory.problem
        )
        self._stopping = threading.Event()
        self._wake = wake = WakePipe()
        self._state = DeliveryState(outbox)
        limits = LearnedLimits()
        self._services = Services(
            settings=settings,
            topics=topics,
            memory=self._memory,
            reporter=reporter,
            wake=wake,
            retained=RetainedState(wake, reporter, limits),
            limits=limits,
            replies=Replies(wake),
            replayer=Replayer(self._memory, wake, reporter, successes(settings)),
            inbound=Inbound(subscriptions or {}, reporter, optional={topics.health}),
            poison=PoisonDetector(),
            unseal=unseal,
            stopping=self._stopping.is_set,
            on_unsettled=on_unsettled,
        )
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin delivering."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new to send. Safe from any thread."""
        self._wake.wake()

    def publish_health(self, body: bytes) -> None:
        """Publish this as the box's retained health now and after every reconnect. Safe from any thread."""
        self._services.retained.put(self._topics.health, body)

    def publish_articles(self, body: bytes) -> None:
        """Publish this as the retained state of the article master now and after every reconnect."""
        self._services.retained.put(self._topics.articles, body)

    def reply(self, reply: Outgoing) -> None:
        """Answer somebody as soon as there is a connection. Safe from any thread."""
        self._services.replies.put(reply)

    def replay(self, wanted: ReplayRange) -> bool:
        """Send events again, behind what waits; False when too many wishes wait. Safe from any thread."""
        return self._services.replayer.ask(wanted)

    def take_marks(self) -> DeliveryMarks:
        """Return what the outbox is to note of delivery. Called by the thread that writes it."""
        return self._state.take_marks()

    def outbox_replaced(self) -> None:
        """The outbox was salvaged into a new file: read that one. Safe from any thread."""
        former, self._state = self._state, DeliveryState(self._state.outbox)
        former.supersede()
        self._wake.wake()

    def stop(self, seconds: float) -> bool:
        """End in order: wait for acknowledgements under way, say `offline`. False if it did not end in time."""
        self._stopping.set()
        self._wake.wake()
        if self._thread.ident is not None:
            self._thread.join(seconds)
            if self._thread.is_alive():
                return False
        self._wake.close()
        return True

    def stuck(self, seconds: float) -> bool:
        """Return whether its loop has not turned for so long, or its thread is gone."""
        return not self._thread.is_alive() or time.monotonic() - self.status.heartbeat > seconds

    @property
    def status(self) -> PublisherStatus:
        """What it says of itself. Safe from any thread."""
        return self._reporter.value

    @property
    def delivered(self) -> int:
        """Every event up to this one is delivered or a dead letter. Safe from any thread."""
        return self._state.delivered

    @property
    def published(self) -> int:
        """Every event up to this one has its PUBACK. Safe from any thread."""
        return self._state.published

    @property
    def outbox_damaged(self) -> bool:
        """The outbox cannot be read on: whoever writes it is to salvage it. Safe from any thread."""
        return self._state.damaged

    @property
    def connected(self) -> bool:
        """A broker has accepted the connection and it has not broken. Safe from any thread."""
        return self.status.connected_since is not None

    def _run(self) -> None:
        waits: list[float] = []
        while not self._stopping.is_set():
            url = self._settings.urls[len(waits)]
            state = self._state
            try:
                wait = self._visit(url, state)
            except Exception as error:  # a thread that died would look like a quiet network
                if isinstance(error, CorruptOutboxError):
                    state.found_damaged()
                self._reporter.problem(f"{type(error).__name__}: {error}")
                log.exception("publisher failed; it goes on")
                wait = self._back_off()
            self._reporter.change(connected_since=None, url=None, memory_problem=self._memory.problem)
            if self._stopping.is_set():
                break
            if wait is None:
                waits = []
                continue
            waits.append(wait)
            if len(waits) == len(self._settings.urls):
                self._sleep(min(waits))  # one broker's wrong password does not keep the box from the others
                self._failures = min(self._failures + 1, MAX_DOUBLINGS)  # however many brokers were tried
                waits = []

    def _visit(self, url: str, state: DeliveryState) -> float | None:
        """Connect to one broker and deliver until the connection ends; return how long to wait before the next.

        None: begin at once with the first broker.
        """
        self._reporter.change(heartbeat=time.monotonic())
        attempt = self._choice.connect(url, Will(topic=self._topics.status, body=b"offline"))
        connection = attempt.connection
        if attempt.result is not ConnectResult.CONNECTED:
            connection.abandon()
            return self._not_connected(url, attempt)
        self._reporter.problem(None)
        began = time.monotonic()
        ends = connection.peer_certificate_expires()
        self._memory.change(broker_certificate_ends=ends)
        self._reporter.change(
            url=url,
            protocol="5" if connection.v5 else "3.1.1",
            downgraded=attempt.downgraded,
            connected_since=began,
            path_proven=None,
            broker_certificate_ends=ends,
            memory_problem=self._memory.problem,
        )
        log.info("connected url=%s protocol=%s", url, self.status.protocol)
        session: Session | None = None
        try:
            session = Session(self._services, connection, state)
            session.deliver()
        finally:
            connection.abandon()
            if time.monotonic() - began > STABLE_SECONDS:
                self._failures = 0
        if self._stopping.is_set() or session.go_elsewhere:
            return None
        return self._broke(url, connection)

    def _not_connected(self, url: str, attempt: Attempt) -> float:
        if attempt.result is ConnectResult.UNREACHABLE:
            self._services.poison.broker_was_down()
        what = attempt.result.name.lower().replace("_", " ")
        self._reporter.problem(f"{url}: {what}: {attempt.why}")
        lasting = attempt.result in {ConnectResult.CREDENTIALS, ConnectResult.UNFIT}
        return BACKOFF_CREDENTIALS if lasting else self._back_off()

    def _broke(self, url: str, connection: Connection) -> float:
        why = f"{url}: {connection.why_lost()}"
        self._reporter.broke(time.monotonic(), why)
        self._reporter.problem(why)
        if connection.taken_over:
            self._reporter.change(taken_over_at=time.monotonic())
        return self._back_off()

    def _back_off(self) -> float:
        ceiling = min(BACKOFF_MOST, BACKOFF_FIRST * 2**self._failures)
        return random.uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing

    def _sleep(self, seconds: float) -> None:
        """Wait, unless stopped. New scans do not shorten it: they are safe where they are."""
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            self._reporter.change(heartbeat=time.monotonic())
            readable, _, _ = select.select([self._wake.fileno()], [], [], min(left, POLL_SECONDS))
            if readable:
                self._wake.clear()
                self._services.replayer.keep()

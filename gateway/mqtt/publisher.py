"""The publisher: takes events from the outbox to the broker, strictly in order, until the broker has said yes.

It runs in a thread of its own and owns everything MQTT. The outbox is the only queue; here is no more than the
window of events under way. Delivered means: a PUBACK with success for that very event.
"""

import logging
import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.events.topics import Topics
from gateway.mqtt.connection import Connection, Outcome, Will, connect
from gateway.mqtt.delivery_state import MAX_REPLAYS, DeliveryState, Handler, Outgoing, Progress
from gateway.mqtt.session import TURN_SECONDS, Session
from gateway.mqtt.settings import BrokerSettings
from gateway.mqtt.tls import client_certificate_ends
from gateway.outbox.schema import CorruptOutboxError
from gateway.outbox.writer import Dead, Outbox

log = logging.getLogger(__name__)

BACKOFF_FIRST: Final = 1.0
BACKOFF_MOST: Final = 60.0
"""Seconds. A thousand boxes that lose their broker together come back spread over a minute (full jitter)."""
BACKOFF_CREDENTIALS: Final = 300.0
"""Wrong credentials mend themselves only when a person acts; brokers lock out who tries often."""
STABLE_SECONDS: Final = 30.0
"""A connection that held so long was a good one: the next back-off begins small again."""


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
        subscriptions: Mapping[str, Handler] | None = None,
    ) -> None:
        """Describe the way; `subscriptions`: topic filter -> who takes what comes there."""
        self._settings = settings
        self._client_id = client_id
        self._desk = DeliveryState(
            settings,
            topics,
            outbox,
            on_unsettled=on_unsettled,
            subscriptions=subscriptions,
        )
        self._plain: set[str] = set()
        """Brokers that were found to speak only 3.1.1; MQTT 5 is tried again at the next start."""
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin delivering."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new to send. Safe from any thread."""
        self._desk.wake()

    def tell_health(self, body: bytes) -> None:
        """Publish this as the box's retained health now and after every reconnect."""
        self._retain(self._desk.topics.health, body)

    def tell_articles(self, body: bytes) -> None:
        """Publish this as the retained state of the article master now and after every reconnect."""
        self._retain(self._desk.topics.articles, body)

    def reply(self, reply: Outgoing) -> None:
        """Answer somebody as soon as there is a connection. Safe from any thread."""
        self._desk.replies.append(reply)
        self._desk.wake()

    def replay(self, first: int, last: int) -> bool:
        """Send these events again, behind what waits; False when too many wishes wait. Safe from any thread."""
        if len(self._desk.replays) >= MAX_REPLAYS:
            return False
        self._desk.replays.append((first, last))
        self._desk.wake()
        return True

    def _retain(self, topic: str, body: bytes) -> None:
        if self._desk.retained.get(topic) != body:
            self._desk.retained[topic] = body
            self._desk.wake()

    def tell_outbox(self, outbox: Outbox) -> None:
        """Have the outbox note what was delivered and what was not to be. Called by the thread that writes it."""
        delivered = self.progress.delivered  # first: a dead letter is parked before it counts
        while self.parked:
            outbox.park(self.parked.popleft())
        while self.revived:
            outbox.revive(self.revived.popleft())
        outbox.mark_delivered(delivered)

    def outbox_replaced(self) -> None:
        """The outbox was salvaged into a new file: read that one."""
        self._desk.progress = msgspec.structs.replace(self._desk.progress, delivered=0, damaged=False)
        self._desk.parked = deque()
        self._desk.revived = deque()
        self._desk.retried = set()
        self._desk.begin_again = True
        self._desk.wake()

    def stop(self, seconds: float) -> bool:
        """End in order: wait for acknowledgements under way, say `offline`. False if it did not end in time."""
        self._desk.stopping.set()
        self._desk.wake()
        self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        self._desk.close()
        return True

    def stuck(self, seconds: float) -> bool:
        """Tell whether its loop has not turned for so long, or its thread is gone."""
        return not self._thread.is_alive() or time.monotonic() - self.progress.heartbeat > seconds

    @property
    def progress(self) -> Progress:
        """What it says of itself."""
        return self._desk.progress

    @property
    def parked(self) -> deque[Dead]:
        """Dead letters that the outbox does not know yet. Read `progress.delivered` before taking them."""
        return self._desk.parked

    @property
    def revived(self) -> deque[int]:
        """Dead letters that were sent again and delivered, which the outbox does not know yet."""
        return self._desk.revived

    @property
    def connected(self) -> bool:
        """A broker has accepted the connection and it has not broken."""
        return self.progress.connected_since is not None

    def _run(self) -> None:
        waits: list[float] = []
        while not self._desk.stopping.is_set():
            url = self._settings.urls[len(waits)]
            try:
                wait = self._visit(url)
            except Exception as error:  # a thread that died would look like a quiet network
                if isinstance(error, CorruptOutboxError) and not self._desk.begin_again:
                    self.progress.damaged = True
                self._desk.problem(f"{type(error).__name__}: {error}")
                log.exception("publisher failed; it goes on")
                wait = self._back_off()
            self.progress.connected_since = None
            self.progress.url = None
            if self._desk.stopping.is_set():
                break
            if self._desk.go_home:
                self._desk.go_home = False
                waits = []
                continue
            waits.append(wait)
            if len(waits) == len(self._settings.urls):
                self._sleep(min(waits))  # one broker's wrong password does not keep the box from the others
                waits = []

    def _visit(self, url: str) -> float:
        """Connect to one broker and deliver until the connection ends; return how long to wait before the next."""
        self.progress.heartbeat = time.monotonic()
        will = Will(topic=self._desk.topics.status, body=b"offline")
        connection, outcome, why = connect(url, self._settings, self._client_id, will, self._plain)
        if outcome is not Outcome.CONNECTED:
            connection.abandon()
            if outcome is Outcome.UNREACHABLE:
                self._desk.suspicion.broker_was_down()
            self._desk.problem(f"{url}: {outcome.name.lower()}: {why}")
            return BACKOFF_CREDENTIALS if outcome is Outcome.CREDENTIALS else self._back_off()
        self._desk.problem(None)
        began = time.monotonic()
        self.progress.url = url
        self.progress.protocol = "5" if connection.v5 else "3.1.1"
        self.progress.connected_since = began
        self._note_certificates(connection)
        log.info("connected url=%s protocol=%s", url, self.progress.protocol)
        try:
            Session(self._desk, connection).deliver()
        finally:
            connection.abandon()
            if time.monotonic() - began > STABLE_SECONDS:
                self._failures = 0
        if self._desk.stopping.is_set() or self._desk.go_home:
            return 0.0
        self._desk.problem(f"{url}: {connection.lost}")
        return self._back_off()

    def _note_certificates(self, connection: Connection) -> None:
        self.progress.broker_certificate_ends = connection.peer_certificate_expires()
        self.progress.client_certificate_ends = client_certificate_ends(self._settings)

    def _back_off(self) -> float:
        ceiling = min(BACKOFF_MOST, BACKOFF_FIRST * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        return random.uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing

    def _sleep(self, seconds: float) -> None:
        """Wait, unless stopped. New scans do not shorten it: they are safe where they are."""
        until = time.monotonic() + seconds
        while not self._desk.stopping.is_set() and (left := until - time.monotonic()) > 0:
            self.progress.heartbeat = time.monotonic()
            readable, _, _ = select.select([self._desk.wake_read], [], [], min(left, TURN_SECONDS))
            if readable:
                self._desk.awake()

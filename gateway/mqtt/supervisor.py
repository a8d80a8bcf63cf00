"""Keeps a publisher at work: made when the box is ready, and made anew when it is stuck in a call.

paho's import takes longer than the rest of the start, so nothing of it is imported before the first publisher.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.events.topics import Topics
from gateway.mqtt.delivery_memory import DeliveryMemory, ReplayRange
from gateway.mqtt.publisher_status import PublisherStatus
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.entry import DeliveryMarks
from gateway.system.signed_envelope import Unseal

if TYPE_CHECKING:
    from gateway.mqtt.inbound import Handler
    from gateway.mqtt.outgoing import Outgoing
    from gateway.mqtt.publisher import Publisher

log = logging.getLogger(__name__)

STUCK_SECONDS: Final = 120.0
"""A publisher whose loop has not turned for so long hangs in a call that will not return."""
MEMORY_FILE: Final = "delivery.json"


class PublisherSupervisor:
    """`start`, `poll` and `stop` are called by the main thread; the rest is safe from any."""

    def __init__(
        self,
        settings: BrokerSettings,
        topics: Topics,
        client_id: str,
        state: Path,
        *,
        on_unsettled: Callable[[], None],
        unseal: Unseal,
    ) -> None:
        """`state`: the state directory; `on_unsettled` is called when events wait whose times are not settled."""
        self._settings = settings
        self._topics = topics
        self._client_id = client_id
        self._outbox = state / "outbox.db"
        self._on_unsettled = on_unsettled
        self._unseal = unseal
        self.memory: Final = DeliveryMemory(state / MEMORY_FILE)
        self._subscriptions: Mapping[str, Handler] = {}
        self._publisher: Publisher | None = None

    def start(self, subscriptions: "Mapping[str, Handler]") -> None:
        """Begin to deliver; `subscriptions`: topic filter -> who takes what comes there."""
        self._subscriptions = subscriptions
        self._make()

    def poll(self) -> None:
        """Replace a publisher that is stuck."""
        present = self._publisher
        if present is not None and present.stuck(STUCK_SECONDS):
            log.error("the publisher is stuck; it is replaced")
            present.stop(0.0)
            self._make()

    def stop(self, seconds: float) -> bool:
        """End in order; False if it did not end in time."""
        return self._publisher is None or self._publisher.stop(seconds)

    def _make(self) -> None:
        from gateway.mqtt.publisher import Publisher

        publisher = Publisher(
            self._settings,
            self._topics,
            self._client_id,
            self._outbox,
            on_unsettled=self._on_unsettled,
            memory=self.memory,
            subscriptions=self._subscriptions,
            unseal=self._unseal,
        )
        publisher.start()
        self._publisher = publisher

    @property
    def status(self) -> PublisherStatus:
        """What the publisher says of itself."""
        return PublisherStatus() if self._publisher is None else self._publisher.status

    @property
    def delivered(self) -> int:
        """Every event up to this one is delivered, as far as the publisher knows."""
        return 0 if self._publisher is None else self._publisher.delivered

    @property
    def published(self) -> int:
        """Every event up to this one has its PUBACK, as far as the publisher knows."""
        return 0 if self._publisher is None else self._publisher.published

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted the connection and it has not broken."""
        return self._publisher is not None and self._publisher.connected

    @property
    def outbox_damaged(self) -> bool:
        """Whether the outbox was found damaged as it was read."""
        return self._publisher is not None and self._publisher.outbox_damaged

    def wake(self) -> None:
        """Say that there is something new to send."""
        if self._publisher is not None:
            self._publisher.wake()

    def take_marks(self) -> DeliveryMarks:
        """Return what the outbox is to note; new dead letters are returned once."""
        return DeliveryMarks() if self._publisher is None else self._publisher.take_marks()

    def outbox_replaced(self) -> None:
        """Say that the outbox was salvaged into a new file."""
        if self._publisher is not None:
            self._publisher.outbox_replaced()

    def publish_health(self, body: bytes) -> None:
        """Publish this as the box's retained health."""
        if self._publisher is not None:
            self._publisher.publish_health(body)

    def publish_articles(self, body: bytes) -> None:
        """Publish this as the retained state of the article master."""
        if self._publisher is not None:
            self._publisher.publish_articles(body)

    def reply(self, reply: "Outgoing") -> None:
        """Answer somebody as soon as there is a connection."""
        if self._publisher is not None:
            self._publisher.reply(reply)

    def replay(self, wanted: ReplayRange) -> bool:
        """Send events again, behind what waits; False when too many wishes wait."""
        return self._publisher is not None and self._publisher.replay(wanted)

"""The central system's own acknowledgement: what counts as delivered where an intake is there.

A PUBACK never proves that a broker has an event on its disk, nor that anybody keeps it. The intake says so itself,
on the box's `ack` topic: `{"epoch": "...", "upTo": 4711}`, everything of this epoch up to there, without a hole, is
committed in its database. It announces itself, retained, on `udi/v1/{tenant}/intake`: `{"acks": true, "since":
"..."}`. The box remembers that on its disk: from then on a PUBACK delivers nothing, until the intake says
`{"acks": false}`, or a technician sets `confirm`.

How far it is believed: up to the highest event that has its PUBACK, and only within the epoch that it names; one
beyond is refused and an alarm, because an intake (or whoever may publish there) cannot have what was not sent.

Example: events 1..60 are stored, 1..7 have their PUBACK. `upTo` 60: refused. `upTo` 5: 1..5 are delivered. An
announcement with another `since` (the intake's stream was made anew): sending begins again at 6.
"""

import logging
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import UNREADABLE
from gateway.mqtt.connection import Message
from gateway.mqtt.delivery_memory import DeliveryMemory
from gateway.mqtt.delivery_state import DeliveryState
from gateway.mqtt.publisher_status import StatusReporter
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.reader import OutboxReader
from gateway.system.signed_envelope import SignatureRefusedError, Unseal

log = logging.getLogger(__name__)

ACK_SECONDS: Final = 60.0
"""An intake that is there acknowledges within seconds; after this its silence is an alarm, and what it has not
acknowledged is sent again once."""
RESEND_MOST_SECONDS: Final = 3600.0
"""The pause before it is sent again doubles up to this: a thousand boxes must not storm an intake that is away."""
ANNOUNCEMENT_SECONDS: Final = 10.0
"""A retained announcement comes right behind the subscription."""
MAX_AHEAD: Final = 1000
"""Events sent beyond the last acknowledged one, at most: so many come twice when the intake loses them."""
MISSING: Final = (
    "the intake's announcement is gone from the broker (was its storage wiped?): events are held until it "
    'announces itself again; [broker] confirm = "puback" goes on without it'
)
MAX_SINCE: Final = 128
"""Characters of what an announcement says of its beginning."""


class Acknowledgement(Struct, frozen=True, rename="camel"):
    """What stands on the `ack` topic."""

    epoch: str
    up_to: int


class Announcement(Struct, frozen=True):
    """What stands, retained, on the tenant's `intake` topic."""

    acks: bool
    since: str | int | float | None = None
    """When the intake began, or began anew; another one makes boxes send again what it has not acknowledged."""


_acks = msgspec.json.Decoder(Acknowledgement)
_announcements = msgspec.json.Decoder(Announcement)


class ApplicationAck:
    """How far the central system has acknowledged, over one connection. Used by the publisher's thread."""

    def __init__(
        self,
        settings: BrokerSettings,
        memory: DeliveryMemory,
        state: DeliveryState,
        reader: OutboxReader,
        reporter: StatusReporter,
        unseal: Unseal,
        now: Callable[[], float],
    ) -> None:
        """`now`: CLOCK_MONOTONIC, seconds."""
        self._confirm = settings.confirm
        self._memory = memory
        self._state = state
        self._reader = reader
        self._reporter = reporter
        self._unseal = unseal
        self._now = now
        self._announced = False
        self._began = now()
        self._acked: dict[str, int] = {}
        self._early: tuple[str, int] | None = None
        self._sent = 0
        self._upto = max(state.delivered, reader.delivered())
        self._pause = ACK_SECONDS
        self._waiting_since: float | None = None
        self._moved_at = now()
        self.again = False
        """What is not acknowledged is to be sent again; whoever does so resets it."""

    @property
    def awaited(self) -> bool:
        """Whether it is the acknowledgement that counts."""
        return self._confirm == "ack" or (self._confirm == "auto" and self._memory.value.acks is True)

    @property
    def upto(self) -> int:
        """Every event up to this one is acknowledged."""
        return self._upto

    def missing(self) -> str | None:
        """Say why nothing may be sent where an intake that was met is not announced any more; None where it may."""
        if self._confirm != "auto" or not self.awaited or self._announced:
            return None
        if self._now() - self._began < ANNOUNCEMENT_SECONDS:
            return ""
        return MISSING

    def take_announcement(self, message: Message) -> None:
        """Read an announcement; what is wrong with one is logged, and it counts for nothing."""
        if not message.body and self.awaited:
            log.warning("the intake's announcement was removed")
            self._announced = False
            self._began = self._now()
            return
        try:
            said = _announcements.decode(self._unseal(message.body))
        except (*UNREADABLE, SignatureRefusedError) as error:
            log.warning("announcement of an intake refused: %s", error)
            return
        since = None if said.since is None else str(said.since)[:MAX_SINCE]
        before = self._memory.value
        if said.acks and before.acks and since != before.since:
            log.info("the intake begins anew since=%s", since)
            self.again = True
        if said.acks is not before.acks:
            log.warning("intake acks=%s since=%s", said.acks, since)
        self._memory.change(acks=said.acks, since=since)
        self._announced = said.acks

    def take(self, message: Message) -> None:
        """Read an acknowledgement; what is wrong with one is logged, and it counts for nothing."""
        try:
            said = _acks.decode(self._unseal(message.body))
        except (*UNREADABLE, SignatureRefusedError) as error:
            self._refuse(str(error))
            return
        if said.up_to <= self._upto:
            return
        if self._reader.epoch_of(said.up_to) != said.epoch:
            self._refuse(f"it says {said.up_to} of epoch {said.epoch[:16]!r}, which is no event of this box")
        elif said.up_to <= self._state.published:
            self._believe(said.epoch, said.up_to)
        elif said.up_to <= self._sent:
            self._early = (said.epoch, said.up_to)  # it has overtaken a PUBACK
        else:
            self._refuse(
                f"it says {said.up_to}, and the broker has taken events up to {self._state.published} only"
            )

    def sent(self, sequence: int) -> None:
        """Note that an event was handed to the broker over this connection."""
        self._sent = sequence

    def _believe(self, epoch: str, upto: int) -> None:
        self._acked[epoch] = max(upto, self._acked.get(epoch, 0))
        if self._reporter.value.ack_problem is not None:
            self._reporter.change(ack_problem=None)

    def _refuse(self, why: str) -> None:
        problem = f"an acknowledgement was refused: {why}"
        if problem != self._reporter.value.ack_problem:
            log.warning("%s", problem)
            self._reporter.change(ack_problem=problem)

    def confirmed(self, published: int) -> int:
        """Return up to which event everything is acknowledged; `published`: up to where the broker has them.

        Epochs follow one another in the file: an acknowledgement of the newer one says nothing of older events.
        """
        before = self._upto
        if self._early is not None and self._early[1] <= published:
            self._believe(*self._early)
            self._early = None
        newest = max(self._acked.values(), default=0)
        while self._upto < min(published, newest):
            following = self._reader.first_after(self._upto)
            if following is None:
                break
            sequence, epoch = following
            acked = self._acked.get(epoch, 0)
            if acked < sequence:
                break
            self._upto = min(acked, published)
        now = self._now()
        if self._upto >= published:
            self._waiting_since = None
            self._moved_at = now
        elif self._upto > before or self._waiting_since is None:
            self._waiting_since = self._moved_at = now
        if self._upto > before:
            self._pause = ACK_SECONDS
        return self._upto

    def may_send(self, sequence: int) -> bool:
        """Return whether an event is near enough behind the acknowledged ones."""
        return sequence <= self._upto + MAX_AHEAD

    @property
    def waiting_since(self) -> float | None:
        """Since when events with a PUBACK wait for their acknowledgement; None while none does."""
        return self._waiting_since

    def overdue(self) -> bool:
        """Return whether the intake has been silent for so long that everything is to be sent again."""
        if self._waiting_since is None or self._now() - self._moved_at < self._pause:
            return False
        self._moved_at = self._now()
        self._pause = min(RESEND_MOST_SECONDS, 2 * self._pause)
        return True

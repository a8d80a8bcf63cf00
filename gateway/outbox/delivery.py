"""What the outbox's writer asks of delivery, and the delivery of a box that stands alone."""

from typing import Protocol

from gateway.outbox.entry import DeliveryMarks


class Delivery(Protocol):
    """The way out of the outbox. Safe from any thread; never waits."""

    @property
    def connected(self) -> bool:
        """Whether an event that is stored now can leave at once: then its time is final."""

    @property
    def outbox_damaged(self) -> bool:
        """Whether the outbox was found damaged as it was read."""

    def wake(self) -> None:
        """Say that there is something new to send."""

    def take_marks(self) -> DeliveryMarks:
        """Return what the outbox is to note; new dead letters are returned once."""

    def outbox_replaced(self) -> None:
        """Say that the outbox was salvaged into a new file."""


class StandAlone:
    """A box without a broker: what was exported counts as delivered."""

    connected = False
    outbox_damaged = False

    def __init__(self) -> None:
        self._exported = 0

    def exported(self, upto: int) -> None:
        """Note that every event up to this one was exported."""
        self._exported = max(self._exported, upto)

    def wake(self) -> None:
        """Nobody waits for events."""

    def take_marks(self) -> DeliveryMarks:
        """Return how far events were exported."""
        return DeliveryMarks(delivered=self._exported, published=self._exported)

    def outbox_replaced(self) -> None:
        """Nobody reads the outbox."""

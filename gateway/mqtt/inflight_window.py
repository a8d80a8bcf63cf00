"""What is under way: events handed to the broker and not acknowledged, and how far delivery has come. Pure.

Delivery counts only as an unbroken row of acknowledged (or dead) events, because the outbox remembers one number.
"""

from collections import deque
from typing import Final

CAUTIOUS: Final = 1
"""One event at a time: after a refusal, so that order holds, and to find the event that breaks connections."""


class InflightWindow:
    """The events between the outbox and the broker. A connection's end calls `restart`."""

    def __init__(self, delivered: int, size: int) -> None:
        self.delivered = delivered
        self.size = size
        self._order: deque[int] = deque()
        self._settled: set[int] = set()
        self._under_way: dict[int, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def settled(self, sequence: int) -> bool:
        """The broker has this one already, though one before it is missing: it is not sent again."""
        return sequence in self._settled

    def pass_over(self, sequence: int) -> None:
        """Reach an event on the way through the backlog that is settled already."""
        self._order.append(sequence)
        self._advance()

    def sent(self, mid: int, sequence: int, now: float) -> None:
        """An event was handed to the broker under this packet identifier."""
        self._order.append(sequence)
        self._under_way[mid] = (sequence, now)

    def answered(self, mid: int) -> int | None:
        """The broker answered: return the sequence, or None for what is not an event."""
        entry = self._under_way.pop(mid, None)
        return None if entry is None else entry[0]

    def settle(self, sequence: int) -> None:
        """An event is delivered or dead."""
        if not self._order or self._order[0] != sequence:
            self._settled.add(sequence)
            return
        self.delivered = self._order.popleft()
        if self._settled:
            self._advance()

    def oldest(self) -> tuple[int, float] | None:
        """Sequence and time of the event that has waited longest for its acknowledgement."""
        return next(iter(self._under_way.values()), None)

    @property
    def stalled(self) -> bool:
        """Everything is answered, and yet an event is neither delivered nor dead: it was refused for now."""
        return bool(self._order) and not self._under_way

    def restart(self) -> None:
        """Begin again behind what is delivered; what is settled further on stays so."""
        self._order.clear()
        self._under_way.clear()
        self._settled = {sequence for sequence in self._settled if sequence > self.delivered}

    def _advance(self) -> None:
        while self._order and self._order[0] in self._settled:
            self.delivered = self._order.popleft()
            self._settled.discard(self.delivered)

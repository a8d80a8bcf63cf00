"""Finds the event that a broker cannot stand: one that takes the connection down each time it is sent.

A broker may hang up on an event instead of refusing it (a size limit under MQTT 3.1.1). After a connection broke
with events under way, the next session sends one event at a time (`CAUTIOUS`); the one that was alone under way
when the connection broke BREAKS_BEFORE_PARKED times in a row becomes a dead letter.

Example: 100 events are under way, the connection breaks; event 41, the oldest, is suspected. The next session has
first `online` acknowledged (so that a bad network is nobody's fault), then sends 41 alone: delivered. 42 ... 56 the
same; 57 breaks the connection. Twice alone: 57 is parked, its notice goes in its place, and the line goes on.
"""

from typing import Final

BREAKS_BEFORE_PARKED: Final = 2
"""An event that was alone under way when the broker hung up, this often in a row, is the reason."""
MAX_CONVICTIONS: Final = 3
"""So many events in a row can be at fault. When not one goes through between them, it is the broker that hangs up
on everything (some do on a topic that is not allowed), and the line waits instead of becoming dead letters."""


class PoisonDetector:
    """Which event may be breaking connections. Pure; it outlives connections."""

    def __init__(self) -> None:
        self.sequence: int | None = None
        self._breaks = 0
        self._convictions = 0

    def broke(self, sequence: int, *, alone: bool) -> bool:
        """Note that a connection broke right after this event, the oldest under way; True when it is convicted."""
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
        """Note that an event went through: the broker takes events."""
        self._convictions = 0

    def broker_was_down(self) -> None:
        """Note that the broker could not be reached: what broke before was its own doing."""
        self._breaks = 0

    def cleared(self) -> None:
        """Note that no event is suspect."""
        self.sequence = None
        self._breaks = 0

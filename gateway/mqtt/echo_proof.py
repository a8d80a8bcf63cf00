"""Under MQTT 3.1.1: an event is delivered when it has come back, because a PUBACK says success to everything.

mosquitto answers a publish that its access list denies with a PUBACK like any other (3.1.1 has no reason codes), so
the box subscribes to its own `scan` topic, and an event counts when both its PUBACK and its echo have come. Events
that got a PUBACK and no echo within ECHO_SECONDS are sent again after a pause, and the path is called unproven.

Example: 10 and 11 are sent. PUBACK 10, echo 10: 10 counts. PUBACK 11, and no echo: after ECHO_SECONDS the line is
held, `path unproven`, and begins again at 11.
"""

from typing import Final

ECHO_SECONDS: Final = 10.0
"""A broker that passes events on does so in milliseconds; a slow link has sent the PUBACK just as late."""


class EchoProof:
    """What was sent over one connection and has not come back. Pure; times are CLOCK_MONOTONIC seconds."""

    def __init__(self) -> None:
        self.proven = False
        """Something of one's own has come back on this connection."""
        self._sent: dict[bytes, int] = {}
        self._echoed: set[int] = set()
        self._answered: dict[int, float] = {}

    def sent(self, sequence: int, body: bytes) -> None:
        """An event was handed to the broker."""
        self._sent[body] = sequence

    def answered(self, sequence: int, now: float) -> bool:
        """Take the PUBACK of an event; return whether it counts as delivered."""
        if sequence in self._echoed:
            self._echoed.discard(sequence)
            return True
        self._answered[sequence] = now
        return False

    def echoed(self, body: bytes) -> int | None:
        """Take what came back; return the event that counts as delivered now, if there is one."""
        self.proven = True
        sequence = self._sent.pop(body, None)
        if sequence is None:
            return None
        if self._answered.pop(sequence, None) is not None:
            return sequence
        self._echoed.add(sequence)
        return None

    @property
    def waits(self) -> bool:
        """Whether an event has its PUBACK and waits for its echo."""
        return bool(self._answered)

    def overdue(self, now: float) -> bool:
        """Return whether an event has waited for its echo for too long."""
        oldest = next(iter(self._answered.values()), None)
        return oldest is not None and now - oldest > ECHO_SECONDS

    def restart(self) -> None:
        """Forget what is under way: it is sent again."""
        self._sent.clear()
        self._echoed.clear()
        self._answered.clear()

"""How fast events go: a token bucket for a backlog, and the pause while the broker takes none. Pure."""

import random
from typing import Final

HOLD_FIRST: Final = 1.0
HOLD_MOST: Final = 60.0
"""Seconds between two tries while the broker takes no events."""
MAX_DOUBLINGS: Final = 10


class TokenBucket:
    """Lets `rate` events a second pass, with one second's worth at once; no limit without a rate."""

    def __init__(self, rate: float | None, now: float, burst: float | None = None) -> None:
        """`burst`: so many may pass at once, and at the start."""
        self._rate = rate
        self._most = burst or max(rate or 0.0, 1.0)
        self._tokens = burst or 1.0
        self._at = now

    def take(self, now: float) -> bool:
        """Return whether one more event may go."""
        if not self._rate:
            return True
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class LineHold:
    """The pause after a refusal that may pass: doubled with each one in a row, with jitter."""

    def __init__(self) -> None:
        self._until = 0.0
        self._refusals = 0

    @property
    def refused(self) -> bool:
        """Whether the newest try was refused: behind a refused event nothing may go."""
        return self._refusals > 0

    def holds(self, now: float) -> bool:
        """Return whether the pause goes on."""
        return now < self._until

    def begin(self, now: float) -> None:
        """Note a refusal; one that comes during the pause belongs to the same try."""
        if self.holds(now):
            return
        ceiling = min(HOLD_MOST, HOLD_FIRST * 2**self._refusals)
        self._until = now + random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreads load
        self._refusals = min(self._refusals + 1, MAX_DOUBLINGS)

    def over(self) -> None:
        """Note that the broker takes events again."""
        self._refusals = 0

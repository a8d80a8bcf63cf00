"""How fast events go: a bucket of tokens, a window that follows the broker, a pause while it takes none. Pure."""

import random
from typing import Final

HOLD_FIRST: Final = 1.0
HOLD_MOST: Final = 60.0
"""Seconds between two tries while the broker takes no events."""
MAX_DOUBLINGS: Final = 10
EASY_SECONDS: Final = 0.5
"""A broker that answers within this has room for more; over any network its answer takes less."""
HARD_SECONDS: Final = 2.0
"""One that takes longer has more before it than it can do. NATS ends a connection after 5 s, and everything on it comes
again, which is more still."""


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


class Pace:
    """How many events may be under way, by how long the broker takes to answer.

    A window that only a number bounds is too small for one box on a long line, and too large for a thousand that come
    back together: theirs are one queue at the broker. So it begins with one event, grows by one with each answer
    that comes soon (it doubles in a round trip), and is halved when answers take long.

    Example, a broker of 700 events a second: one box has 100 under way after seven round trips. A thousand with one
    each make it answer after 1.4 s: none grows, and none is cut off.
    """

    def __init__(self, most: int) -> None:
        self.size = 1
        self._most = most
        self._shrunk_at = -HARD_SECONDS

    def answered(self, count: int, delay: float, now: float) -> None:
        """Take note of answers, and of how long the oldest of them took; seconds, CLOCK_MONOTONIC."""
        if delay < EASY_SECONDS:
            self.size = min(self._most, self.size + count)
        elif delay > HARD_SECONDS and now - self._shrunk_at >= delay:
            self.size = max(1, self.size // 2)
            self._shrunk_at = now  # answers to what was sent before say nothing of the smaller window

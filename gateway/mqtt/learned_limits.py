"""What a broker was seen not to take, where its CONNACK says no limit (mosquitto's `message_size_limit`).

Such a broker refuses what is too large with a PUBACK of reason 0x95, or hangs up on it. What was learnt counts for
LEARNT_SECONDS over all connections: then it is tried again, because somebody may have raised the limit.
"""

import time
from typing import Final

LEARNT_SECONDS: Final = 300.0
"""Between two tries of what the broker did not take: each may cost the connection."""


class LearnedLimits:
    """Used by the publisher's thread."""

    def __init__(self) -> None:
        self._limits: dict[str, tuple[int, float]] = {}

    def note(self, url: str, size: int) -> None:
        """Note that a broker has not taken a packet of so many bytes."""
        known = self.limit(url)
        self._limits[url] = (min(size - 1, size if known is None else known), time.monotonic() + LEARNT_SECONDS)

    def limit(self, url: str) -> int | None:
        """Return how large a packet may be, as far as was learnt; None where nothing was."""
        found = self._limits.get(url)
        return None if found is None or time.monotonic() >= found[1] else found[0]

"""What is acknowledged when. Pure: time is an argument, seconds of a monotonic clock.

A frontier is acknowledged at once when it has moved, and some times again, because an acknowledgement travels
without one of its own.
"""

import heapq
from collections.abc import Mapping
from typing import Final

from intake.store import Stream

REPEATS: Final = (2.0, 15.0, 60.0)
"""Seconds after an acknowledgement in which it goes out again: it may have overtaken the broker's own PUBACK,
by which the box measures it, or have met a box that was just connecting."""


class Acknowledgements:
    """The frontiers that boxes are to know."""

    def __init__(self) -> None:
        self._frontiers: dict[Stream, int] = {}
        self._due: list[tuple[float, Stream, int, int]] = []

    def committed(self, frontiers: Mapping[Stream, int], now: float) -> dict[Stream, int]:
        """Take what a transaction made durable; return what is to be acknowledged at once.

        A stream that was touched without moving is acknowledged, too: a copy came because the box does not know.
        Never less than was acknowledged before.
        """
        for stream, frontier in frontiers.items():
            newest = self._frontiers[stream] = max(frontier, self._frontiers.get(stream, 0))
            heapq.heappush(self._due, (now + REPEATS[0], stream, newest, 0))
        return {stream: self._frontiers[stream] for stream in frontiers}

    def due(self, now: float) -> dict[Stream, int]:
        """Return what is to be acknowledged again."""
        again = {}
        while self._due and self._due[0][0] <= now:
            _, stream, frontier, times = heapq.heappop(self._due)
            if self._frontiers.get(stream) != frontier:
                continue  # a later one has its own repeats
            again[stream] = frontier
            if times + 1 < len(REPEATS):
                heapq.heappush(self._due, (now + REPEATS[times + 1], stream, frontier, times + 1))
        return again

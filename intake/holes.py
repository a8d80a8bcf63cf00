"""Asks boxes for what is missing: a hole that has stood for some seconds, again and again at growing intervals.

Several intakes share the work: whoever moves `stream.asked` on has the right to ask.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from intake.store import Gap, Hole, Store

HOLE_SECONDS: Final = 5
"""What is under way out of order arrives within a second or two; then it is asked for."""
LOOK_SECONDS: Final = 1.0
"""How often holes are looked for."""
LONGEST_PAUSE_SECONDS: Final = 3600
"""A box that has not sent it after some hours is away, or no longer has it."""
MAX_RANGES: Final = 4
"""Holes of one stream asked for at a time: a box keeps a short list of replays."""
MAX_RANGE: Final = 10_000
"""Numbers of one request: a box sends them behind its fresh scans, at its pace."""
MAX_STREAMS: Final = 200
"""Streams asked in one look: after a wiped broker every box has a hole, and each second has its share."""


class Holes:
    """What is missing, and when to ask for it."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._next_look = 0.0
        self._numbers = itertools.count(1)
        self._asker = f"intake-{os.getpid()}-{int(now().timestamp())}"

    def due(self, monotonic: float) -> Iterator[tuple[str, bytes]]:
        """Yield (source of the box, command) for what is to be asked for now. Raises DatabaseError."""
        if monotonic < self._next_look:
            return
        self._next_look = monotonic + LOOK_SECONDS
        now = self._now()
        for one in self._overdue(now):
            if self._store.claim(one, now):
                for gap in self._store.gaps(one.stream, MAX_RANGES):
                    yield one.stream.source, self._command(gap, now)

    def _overdue(self, now: datetime) -> list[Hole]:
        holes = self._store.holes(now - timedelta(seconds=HOLE_SECONDS))
        due = [one for one in holes if one.asked is None or now - one.asked >= pause_after(one.asks)]
        due.sort(key=lambda one: (one.asked is not None, one.asked))
        return due[:MAX_STREAMS]

    def _command(self, gap: Gap, now: datetime) -> bytes:
        last = min(gap.last, gap.first + MAX_RANGE - 1)
        command: dict[str, Any] = {
            "id": f"{self._asker}-{next(self._numbers)}",
            "issuedAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "args": {"from": gap.first, "to": last},
        }
        return msgspec.json.encode(command)


def pause_after(asks: int) -> timedelta:
    """Return how long after the last request the next one comes.

    >>> [pause_after(asks).seconds for asks in (0, 1, 3, 20)]
    [5, 10, 40, 3600]
    """
    return timedelta(seconds=min(HOLE_SECONDS * 2 ** min(asks, 12), LONGEST_PAUSE_SECONDS))

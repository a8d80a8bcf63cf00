"""Sends deltas, keeps `articles/state`, and sends again what a box says that it does not have.

A box says on its `articles` topic which delta of each source it had last. One that was away when a recall went
out is behind; what it misses goes out again until it says that it has it, at growing intervals.
"""

from typing import Final

import msgspec
from msgspec import Struct

from intake.boxes import delta_numbers
from intake.deltas import DeltaRow, Deltas
from intake.messages import BoxMessage
from intake.signing import Signer
from intake.sources import Source
from intake.topics import TenantTopics

LOOK_SECONDS: Final = 1.0
"""How often the database is asked for what a command has stored: a recall is in force within two seconds."""
FIRST_AGAIN_SECONDS: Final = 10.0
"""A box says what it has taken within seconds of a delta."""
LONGEST_AGAIN_SECONDS: Final = 3600.0
"""One that takes nothing refuses them, which its health says."""
MAX_AGAIN: Final = 200
"""Deltas of a source sent again at a time. A box that misses more sees the gap, and asks for the source's file."""


class _Behind(Struct, kw_only=True):
    """A box that has not had the newest delta of a source."""

    number: int
    due: float
    pause: float


class DeltaSender:
    """Used by the service's thread. Times are seconds of a monotonic clock."""

    def __init__(self, source: Source, deltas: Deltas, topics: TenantTopics, signer: Signer) -> None:
        self._source = source
        self._deltas = deltas
        self._topics = topics
        self._signer = signer
        self._next_look = 0.0
        self._newest: dict[str, int] = {}
        self._behind: dict[tuple[str, str], _Behind] = {}

    def heard(self, message: BoxMessage, now: float) -> None:
        """Take what a box says of its article master."""
        has = delta_numbers(message.text)
        for name, newest in self._newest.items():
            key, number = (message.source, name), has.get(name, 0)
            known = self._behind.get(key)
            if number >= newest:
                self._behind.pop(key, None)
            elif known is None or known.number != number:
                self._behind[key] = _Behind(number=number, due=now + FIRST_AGAIN_SECONDS, pause=FIRST_AGAIN_SECONDS)

    def announce(self) -> None:
        """Say, retained, which delta of each source is the newest. Raises DatabaseError."""
        newest = dict(self._deltas.newest())
        self._newest = newest
        if newest:
            self._source.publish(self._topics.state, msgspec.json.encode(newest), qos=1, retain=True)

    def due(self, now: float) -> None:
        """Send what is new, and what boxes have missed. Raises DatabaseError."""
        if now < self._next_look or not self._source.ready:
            return
        self._next_look = now + LOOK_SECONDS
        fresh = self._deltas.unsent()
        if fresh:
            self._send(fresh)
            self._deltas.mark_sent(fresh)
            self.announce()
        lowest: dict[str, int] = {}
        for (_, name), one in self._behind.items():
            if one.due <= now:
                lowest[name] = min(one.number, lowest.get(name, one.number))
                one.pause = min(one.pause * 2, LONGEST_AGAIN_SECONDS)
                one.due = now + one.pause
        for name, number in lowest.items():
            self._send(self._deltas.behind(name, number, MAX_AGAIN))

    def _send(self, rows: list[DeltaRow]) -> None:
        for row in rows:
            self._source.publish(self._topics.deltas, self._signer.signed(row.body.encode()), qos=1)

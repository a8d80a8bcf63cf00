"""Sends deltas, keeps `articles/state`, and sends again what a box says that it does not have.

A box says on its `articles` topic which delta of each source it had last, and which before it never came. One that
was away when a recall went out lacks it; what it lacks goes out again until it has come, at growing intervals.
"""

from typing import Final

import msgspec
from msgspec import Struct

from intake.boxes import Held, deltas_held
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

MAX_RUNS: Final = 100
"""Runs of numbers asked of the database at a time; boxes that were away together lack the same ones."""


class _Behind(Struct, kw_only=True):
    """A box that lacks deltas of a source."""

    lacks: tuple[tuple[int, int], ...]
    """First and last number of each run of them."""
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
        held = deltas_held(message.text)
        for name, newest in self._newest.items():
            key, lacks = (message.source, name), held.get(name, Held(name)).lacks(newest)
            known = self._behind.get(key)
            if not lacks:
                self._behind.pop(key, None)
            elif known is None or known.lacks != lacks:
                self._behind[key] = _Behind(lacks=lacks, due=now + FIRST_AGAIN_SECONDS, pause=FIRST_AGAIN_SECONDS)

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
        lacking: dict[str, set[tuple[int, int]]] = {}
        for (_, name), one in self._behind.items():
            if one.due <= now:
                lacking.setdefault(name, set()).update(one.lacks)
                one.pause = min(one.pause * 2, LONGEST_AGAIN_SECONDS)
                one.due = now + one.pause
        for name, runs in lacking.items():
            self._send(self._deltas.wanted(name, sorted(runs)[-MAX_RUNS:], MAX_AGAIN))

    def _send(self, rows: list[DeltaRow]) -> None:
        for row in rows:
            self._source.publish(self._topics.deltas, self._signer.signed(row.body.encode()), qos=1)

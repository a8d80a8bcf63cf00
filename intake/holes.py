"""Asks boxes for what is missing: a hole that has stood for some seconds, again and again at growing intervals.

A box answers when it has sent the range, with how many events these were. Where it sent fewer than were asked for,
and exactly so many are still missing when what was under way has arrived, the box no longer has them (its journal
keeps delivered events for a month): the frontier passes them, and the table `stand_in` names them.

Several intakes share the work: whoever moves `stream.asked` on has the right to ask.
"""

import itertools
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from intake.event import Place
from intake.store import Gap, Hole, Store, Stream

log = logging.getLogger(__name__)

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
ARRIVED_SECONDS: Final = 30.0
"""After a box's word that it has sent a range: what was under way has arrived, or was given to another intake."""
MAX_ASKED: Final = 5000
"""Ranges whose answers are waited for; an older one is asked for again."""
MAX_STREAMS: Final = 200
"""Streams asked in one look: after a wiped broker every box has a hole, and each second has its share."""


class _Result(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    first: int
    last: int
    done: bool = False
    sent: int | None = None


class _Reply(Struct, frozen=True):
    id: str | None = None
    ok: bool = False
    result: Any = None


class _Asked(Struct, kw_only=True):
    """A range that was asked for."""

    stream: Stream
    gap: Gap
    sent: int | None = None
    """Events the box has sent of it, once it says that it has done so."""
    look: float = 0.0
    """When what it sent has arrived, CLOCK_MONOTONIC seconds."""


_replies: Final = msgspec.json.Decoder(_Reply)


class Holes:
    """What is missing, and when to ask for it."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._next_look = 0.0
        self._numbers = itertools.count(1)
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
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
                    yield one.stream.source, self._command(one.stream, gap, now)

    def heard(self, body: bytes, monotonic: float) -> None:
        """Take what a box says of a range; what is wrong with it counts for nothing."""
        try:
            reply = _replies.decode(body)
            result = msgspec.convert(reply.result, _Result)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return
        asked = self._asked.get(reply.id or "")
        if asked is not None and reply.ok and result.done and result.sent is not None:
            asked.sent, asked.look = result.sent, monotonic + ARRIVED_SECONDS

    def given_up(self, monotonic: float) -> dict[Stream, int]:
        """Pass numbers that a box no longer has; return the frontiers that have moved. Raises DatabaseError."""
        frontiers: dict[Stream, int] = {}
        for key, asked in list(self._asked.items()):
            if asked.sent is None or monotonic < asked.look:
                continue
            del self._asked[key]
            gap, numbers = asked.gap, asked.gap.last - asked.gap.first + 1
            missing = self._store.missing(asked.stream, gap)
            if missing and len(missing) == numbers - asked.sent:
                log.warning("given up source=%s numbers=%d from=%d", asked.stream.source, len(missing), missing[0])
                places = [
                    Place(source=asked.stream.source, epoch=asked.stream.epoch, sequence=one) for one in missing
                ]
                frontiers |= self._store.stand_in(places, "the box no longer has it").frontiers
        return frontiers

    def _overdue(self, now: datetime) -> list[Hole]:
        holes = self._store.holes(now - timedelta(seconds=HOLE_SECONDS))
        due = [one for one in holes if one.asked is None or now - one.asked >= pause_after(one.asks)]
        due.sort(key=lambda one: (one.asked is not None, one.asked))
        return due[:MAX_STREAMS]

    def _command(self, which: Stream, gap: Gap, now: datetime) -> bytes:
        wanted = Gap(first=gap.first, last=min(gap.last, gap.first + MAX_RANGE - 1))
        identity = f"{self._asker}-{next(self._numbers)}"
        self._asked[identity] = _Asked(stream=which, gap=wanted)
        if len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)
        command: dict[str, Any] = {
            "id": identity,
            "issuedAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "args": {"epoch": which.epoch, "from": wanted.first, "to": wanted.last},
        }
        return msgspec.json.encode(command)


def pause_after(asks: int) -> timedelta:
    """Return how long after the last request the next one comes.

    >>> [pause_after(asks).seconds for asks in (0, 1, 3, 20)]
    [5, 10, 40, 3600]
    """
    return timedelta(seconds=min(HOLE_SECONDS * 2 ** min(asks, 12), LONGEST_PAUSE_SECONDS))

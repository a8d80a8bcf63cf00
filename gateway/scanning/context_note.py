"""What is kept of a station's context for a restart: sealed or hashed as events carry it, never in clear.

Written with each change of the context, in the transaction of the scan that changed it. Whether it still holds
after a restart depends on when it was used last: the newest event says that. What cannot be dated has ended.
"""

from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.events import cloudevent
from gateway.outbox.entry import StationNote
from gateway.station.context import ContextItem
from gateway.station.values import QUESTION_NS, Ended, Kept, MoveTimes, Station
from gateway.system.clock import ClockReading

KEY: Final = "context"
_BOUND: Final = frozenset({"case", "patient"})


class _Part(Struct, frozen=True):
    item: ContextItem
    since_ns: int
    """Monotonic time of the boot."""


class _Note(Struct, frozen=True):
    boot_id: str
    monotonic_ns: int
    wall_ns: int
    synchronised: bool
    context: dict[str, _Part]
    ended: dict[str, _Part]
    asks: bool = False
    """Whether what has ended may go on, when somebody says so."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Note)


def note(station: Station, clock: ClockReading) -> StationNote:
    """Return what is kept of a station's context."""
    ended = {} if station.ended is None else station.ended.items
    text = _encoder.encode(
        _Note(
            boot_id=clock.boot_id,
            monotonic_ns=clock.monotonic_ns,
            wall_ns=clock.wall_ns,
            synchronised=clock.synchronised,
            context={key: _part(kept) for key, kept in station.context.items()},
            ended={key: _part(kept) for key, kept in ended.items()},
            asks=station.ended is not None and station.ended.asks,
        )
    )
    return StationNote(key=KEY, text=text.decode())


def restored(
    station: Station, text: str | None, used_ns: int | None, clock: ClockReading, times: MoveTimes, restore_ns: int
) -> Station:
    """Return a station with the context of an earlier life, where it still holds; else one that asks for it.

    `text`: what was kept; `used_ns`: when something was scanned last, in this boot's monotonic time.
    """
    try:
        kept = None if text is None else _decoder.decode(text)
    except cloudevent.UNREADABLE:
        return station
    if kept is None or station.context or not (kept.context or kept.ended):
        return station
    offset_ns = _offset(kept, clock)
    context, before = (
        {key: Kept(item=part.item, since_ns=part.since_ns + (offset_ns or 0)) for key, part in parts.items()}
        for parts in (kept.context, kept.ended)
    )
    now_ns = clock.monotonic_ns
    last_ns = now_ns if offset_ns is None else max(kept.monotonic_ns + offset_ns, used_ns or 0)
    goes_on = offset_ns is not None and now_ns - last_ns <= min(restore_ns, times.context_ns)
    if goes_on:
        flagged = bool(context.keys() & _BOUND)
        held = {key: replace(one, restored=flagged) for key, one in context.items()}
        station = replace(station, context=held, context_until_ns=last_ns + times.context_ns)
        return _ended(station, before, last_ns, asks=kept.asks)
    if context.keys() & _BOUND:  # a question that was not answered before is not asked about it
        return _ended(station, context, last_ns, asks=True)
    return _ended(station, before, last_ns, asks=kept.asks)


def _ended(station: Station, items: dict[str, Kept], at_ns: int, *, asks: bool) -> Station:
    if not items.keys() & _BOUND:
        return station
    return replace(station, ended=Ended(items=items, why="restart", asks=asks, until_ns=at_ns + QUESTION_NS))


def _offset(kept: _Note, clock: ClockReading) -> int | None:
    """Return what added to a monotonic time of the note gives this boot's; None where no clock tells."""
    if kept.boot_id == clock.boot_id:
        return 0
    if not (kept.synchronised and clock.synchronised):
        return None
    return (clock.monotonic_ns - clock.wall_ns) - (kept.monotonic_ns - kept.wall_ns)


def _part(kept: Kept) -> _Part:
    """`mark` names the same identity as long as the process lives, and is written nowhere."""
    return _Part(item=replace(kept.item, mark=None), since_ns=kept.since_ns)

"""What is kept of a station for a restart: what is chosen on each scanner, and the context.

The context is kept sealed or hashed as events carry it, never in clear, with the mark by which it is known again: its
key is gone when the power is. The note is written with each change, in the
transaction of the scan that changed it. Whether it still holds after a restart depends on when it was used last: the
newest event says that. What cannot be dated has ended: an action or a quantity that has ended is said with the next
item of its scanner, as where its time is up.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.events import cloudevent
from gateway.outbox.entry import StationNote
from gateway.station.context import ContextItem
from gateway.station.settings import Action
from gateway.station.values import QUESTION_NS, Chosen, Counted, Ended, Kept, MoveTimes, PushedCase, Station
from gateway.system.clock import ClockReading

KEY: Final = "context"
_BOUND: Final = frozenset({"case", "patient"})


class _Part(Struct, frozen=True):
    item: ContextItem
    since_ns: int
    """Monotonic time of the boot."""
    pushed: PushedCase | None = None


class _Note(Struct, frozen=True):
    boot_id: str
    monotonic_ns: int
    wall_ns: int
    synchronised: bool
    context: dict[str, _Part]
    ended: dict[str, _Part]
    asks: bool = False
    """Whether what has ended may go on, when somebody says so."""
    chosen: dict[str, Chosen] = {}
    counted: dict[str, Counted] = {}
    fell_back: dict[str, Action] = {}
    quantity_ended: frozenset[str] = frozenset()
    pushed: tuple[PushedCase, ...] = ()
    clash_ns: int | None = None


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
            chosen=dict(station.chosen),
            counted=dict(station.counted),
            fell_back=dict(station.fell_back),
            quantity_ended=station.quantity_ended,
            pushed=station.pushed,
            clash_ns=station.clash_ns,
        )
    )
    return StationNote(key=KEY, text=text.decode())


def restored(
    station: Station,
    text: str | None,
    used_ns: Mapping[str, int],
    clock: ClockReading,
    times: MoveTimes,
    restore_ns: int,
) -> Station:
    """Return a station with what an earlier life has chosen, and its context where it still holds; else it asks.

    `text`: what was kept; `used_ns`: scanner -> when it scanned something last, in this boot's monotonic time.
    """
    try:
        kept = None if text is None else _decoder.decode(text)
    except cloudevent.UNREADABLE:
        return station
    if kept is None:
        return station
    offset_ns = _offset(kept, clock)
    station = _chosen(station, kept, offset_ns, used_ns, clock.monotonic_ns, times)
    if station.context:  # of a reload
        return station
    last_ns = clock.monotonic_ns
    if offset_ns is not None:
        last_ns = max(kept.monotonic_ns + offset_ns, *used_ns.values(), 0)
    away_ns = None if offset_ns is None else clock.monotonic_ns - last_ns
    goes_on = away_ns is not None and away_ns <= min(restore_ns, times.context_ns)
    return _with_context(station, kept, offset_ns, clock.monotonic_ns, last_ns, times if goes_on else None)


def _with_context(
    station: Station, kept: _Note, offset_ns: int | None, now_ns: int, last_ns: int, times: MoveTimes | None
) -> Station:
    """Return a station with the context of an earlier life, used last at `last_ns`.

    `times`: None where it has ended.
    """
    context, before = (
        {key: _kept(part, offset_ns, now_ns) for key, part in parts.items()} for parts in (kept.context, kept.ended)
    )
    pushes = [one for push in kept.pushed if (one := _in_time(push, offset_ns, now_ns)) is not None]
    case = context.get("case")
    pushed = None if case is None else case.pushed
    if pushed is not None and (times is None or "patient" not in context):  # its time decides, not its last use
        pushes.append(pushed)
        if "patient" not in context:
            del context["case"]
    station = replace(station, pushed=tuple(pushes), clash_ns=_shifted(kept.clash_ns, offset_ns))
    flagged = bool(context.keys() & _BOUND)
    if times is not None:
        held = {key: replace(one, restored=flagged) for key, one in context.items()}
        until_ns = max(last_ns + times.context_ns, pushed.until_ns if pushed is not None else 0)
        station = replace(station, context=held, context_until_ns=until_ns)
    elif flagged:  # a question that was not answered before is not asked about it
        return _ended(station, context, last_ns, asks=True)
    return _ended(station, before, last_ns, asks=kept.asks)


def _chosen(
    station: Station,
    kept: _Note,
    offset_ns: int | None,
    used_ns: Mapping[str, int],
    now_ns: int,
    times: MoveTimes,
) -> Station:
    """Return a station with the actions and quantities of an earlier life; those whose time is up have ended."""
    if station.chosen or station.counted or station.fell_back or station.quantity_ended:  # of a reload: newer
        return station
    chosen, fell_back = {}, dict(kept.fell_back)
    for scanner, one in kept.chosen.items():
        span_ns = 0 if one.one_item else times.lasting_ns  # each item under it has prolonged it
        until_ns = 0 if offset_ns is None else max(one.until_ns + offset_ns, used_ns.get(scanner, 0) + span_ns)
        if now_ns <= until_ns:
            chosen[scanner] = replace(one, until_ns=until_ns)
        elif one.action != "undo":
            fell_back[scanner] = one.action
    counted = {
        scanner: replace(one, until_ns=one.until_ns + offset_ns)
        for scanner, one in kept.counted.items()
        if offset_ns is not None and now_ns <= one.until_ns + offset_ns
    }
    ended = kept.quantity_ended | (kept.counted.keys() - counted.keys())
    return replace(station, chosen=chosen, counted=counted, fell_back=fell_back, quantity_ended=ended)


def changed(before: Station, after: Station) -> bool:
    """Return whether something is to be kept anew. That a lasting action goes on is seen from the events."""
    if any(getattr(before, name) != getattr(after, name) for name in _KEPT):
        return True
    if before.chosen is after.chosen:
        return False
    return _undated(before) != _undated(after)


_KEPT: Final = ("context", "ended", "counted", "fell_back", "quantity_ended", "pushed", "clash_ns")


def _undated(station: Station) -> dict[str, Chosen]:
    return {scanner: replace(one, until_ns=0) for scanner, one in station.chosen.items()}


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


def _kept(part: _Part, offset_ns: int | None, now_ns: int) -> Kept:
    pushed = None if part.pushed is None else _in_time(part.pushed, offset_ns, now_ns)
    return Kept(item=part.item, since_ns=part.since_ns + (offset_ns or 0), pushed=pushed)


def _in_time(pushed: PushedCase, offset_ns: int | None, now_ns: int) -> PushedCase | None:
    """Return a pushed case in this boot's time; None where it is over, or nobody can tell."""
    if offset_ns is None or pushed.until_ns + offset_ns <= now_ns:
        return None
    return replace(pushed, from_ns=pushed.from_ns + offset_ns, until_ns=pushed.until_ns + offset_ns)


def _shifted(at_ns: int | None, offset_ns: int | None) -> int | None:
    return None if at_ns is None or offset_ns is None else at_ns + offset_ns


def _part(kept: Kept) -> _Part:
    return _Part(item=replace(kept.item, pseudonym=None), since_ns=kept.since_ns, pushed=kept.pushed)

"""Which case, patient and place a scan belongs to: what binds, what ends, and what is asked. Pure.

Theory of operation. A case and a patient belong together only when the second was scanned within a minute of the
*first* scan of the other; scanning one of them again moves nothing. Any later one belongs to somebody else until a
person says otherwise: the other part ends, the signal is one of its own, and the screen asks "same patient?". The
code `same patient` answers: what had ended is set again beside what came.

    10:00 case A, 10:01 wristband of P    together: A is P's
    11:30 wristband of Q                  Q is set, A has ended; the screen asks
    11:31 code "same patient"             A is Q's (P's reserve number became Q's person number)
    11:31 or a stem                       the stem is Q's, and its event says NO_CASE

All parts end together when nothing was scanned for a while, because the next patient comes without a word; what is
then scanned says which part it lacks. A context that was read back after a restart holds, but each event says so
until somebody scans a part of it again, or answers the question.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from gateway.station.context import ContextItem, ContextKind
from gateway.station.pushed_case import clashes, due, is_anothers, with_case
from gateway.station.values import QUESTION_NS, TOGETHER_NS, Ended, EndedWhy, Kept, MoveTimes, Station
from gateway.station.workflow import SYMBOLS, Input

_GOES_WITH: Final[Mapping[ContextKind, ContextKind]] = {"case": "patient", "patient": "case"}
"""What ends with a new one of its kind: a case is one patient's."""
_PERFORMER: Final = "performer"


def key_of(kind: ContextKind, scanner: str) -> str:
    """Return where a kind is kept: a member of staff holds one scanner, everything else is the station's."""
    return f"{_PERFORMER}:{scanner}" if kind == _PERFORMER else kind


def context_of(station: Station, scanner: str) -> tuple[ContextItem, ...]:
    """Return what the scans of a scanner belong to."""
    own = key_of("performer", scanner)
    return tuple(
        kept.item for key, kept in station.context.items() if key == own or not key.startswith(f"{_PERFORMER}:")
    )


def asks(station: Station) -> bool:
    """Return whether the screen asks if the same patient is meant."""
    ended = station.ended
    return (ended is not None and ended.asks) or is_restored(station)


def is_bound(station: Station) -> bool:
    """Return whether a case or a patient is set."""
    return bool(station.context.keys() & _GOES_WITH.keys())


def is_restored(station: Station) -> bool:
    """Return whether case or patient are from before a restart, and nobody has confirmed them."""
    return any(station.context[kind].restored for kind in _GOES_WITH if kind in station.context)


def lacking(station: Station) -> frozenset[ContextKind]:
    """Return what of case and patient has ended and was not set anew."""
    if station.ended is None:
        return frozenset()
    return frozenset(kind for kind in _GOES_WITH if kind in station.ended.items and kind not in station.context)


def input_of(station: Station, item: ContextItem, at_ns: int) -> Input:
    """Return which input a context code is: one that ends another part, or may go on with an ended one, asks."""
    before = station.context.get(item.kind)
    if item.kind not in _GOES_WITH or (before is not None and before.item.is_same(item)):
        return Input.CONTEXT
    if item.kind == "patient" and clashes(station, item, at_ns):
        return Input.CONTEXT_CLASHES
    if _ends_other(station, item, at_ns):
        return Input.CONTEXT_ASKS
    if item.kind == "patient" and _joins(station, item, at_ns):
        return Input.CONTEXT
    ended = station.ended
    goes_on = ended is not None and ended.asks and _GOES_WITH[item.kind] in _unset(ended, station.context)
    return Input.CONTEXT_ASKS if goes_on and before is None else Input.CONTEXT


def moved(
    station: Station, what: Input, scanner: str, item: ContextItem | None, at_ns: int, times: MoveTimes
) -> Station:
    """Return the station behind an input of the region `context`."""
    until_ns = max(station.context_until_ns, at_ns + times.context_ns)
    if what in SYMBOLS:
        return replace(station, context_until_ns=until_ns)
    match what:
        case Input.CONTEXT | Input.CONTEXT_ASKS | Input.CONTEXT_CLASHES if item is not None:
            station = replace(_set(station, item, scanner, at_ns), context_until_ns=until_ns)
            return _pushed_beside(station, what, item, at_ns)
        case Input.PUSHED:
            return with_case(station, at_ns)
        case Input.CLEAR_CONTEXT | Input.CLOSE_CASE:
            own = key_of("performer", scanner)
            left = {key: kept for key, kept in station.context.items() if key.startswith(_PERFORMER) and key != own}
            why: EndedWhy = "cleared" if what is Input.CLEAR_CONTEXT else "closed"
            return _ended(replace(station, context=left), station.context, why, at_ns)
    return ended(station, "time", at_ns) if what is Input.ELAPSED else station


def _pushed_beside(station: Station, what: Input, item: ContextItem, at_ns: int) -> Station:
    """Return the station with what a context code means for a case that the central system has set."""
    if what is Input.CONTEXT_CLASHES:
        return replace(station, clash_ns=at_ns)
    if item.kind == "case":
        return replace(station, clash_ns=None)
    return with_case(station, at_ns) if item.kind == "patient" and _joins(station, item, at_ns) else station


def ended(station: Station, why: EndedWhy, at_ns: int) -> Station:
    """Return a station whose whole context has ended."""
    return _ended(replace(station, context={}), station.context, why, at_ns)


def _ended(station: Station, before: Mapping[str, Kept], why: EndedWhy, at_ns: int) -> Station:
    """Note what has ended; what ended earlier and was not set anew is still lacking, and no longer asked for."""
    parts = {key: kept for key, kept in before.items() if key not in station.context}
    if station.ended is not None and not parts.keys() & _GOES_WITH.keys():
        parts = {**station.ended.items, **parts}
    bound = bool(parts.keys() & _GOES_WITH.keys())
    if why != "replaced":
        station = replace(station, clash_ns=None)
    note = Ended(
        items=parts, why=why, asks=bound and why not in {"cleared", "closed"}, until_ns=at_ns + QUESTION_NS
    )
    return replace(station, ended=note if bound else station.ended)


def _set(station: Station, item: ContextItem, scanner: str, at_ns: int) -> Station:
    context, key = dict(station.context), key_of(item.kind, scanner)
    before = context.get(key)
    if before is not None and before.item.is_same(item):  # sealed once: events show that nothing has changed
        confirmed = {one: replace(kept, restored=False) for one, kept in context.items()}
        return replace(station, context=confirmed)
    item = _sealed_before(station, item)
    if item.kind not in _GOES_WITH:
        return replace(station, context={**context, key: Kept(item=item, since_ns=at_ns)})
    other = _GOES_WITH[item.kind]
    if _ends_other(station, item, at_ns):
        gone: dict[str, Kept] = {other: context.pop(other)}
        station = _ended(replace(station, context=context), {**context, **gone}, "replaced", at_ns)
    elif before is not None:  # another patient, where none was left to be asked about
        station = replace(station, ended=None)
    context[key] = Kept(item=item, since_ns=at_ns)
    context = {one: replace(kept, restored=False) for one, kept in context.items()}
    station = replace(station, context=context)
    if station.ended is not None and not _unset(station.ended, context) & _GOES_WITH.keys():
        station = replace(station, ended=None)
    return station


def _sealed_before(station: Station, item: ContextItem) -> ContextItem:
    """Return the item as it was sealed before its context ended: the case goes on, and events show that."""
    kept = None if station.ended is None else station.ended.items.get(item.kind)
    return kept.item if kept is not None and kept.item.is_same(item) else item


def answered(station: Station, at_ns: int, times: MoveTimes) -> Station:
    """Return a station after the answer: what had ended goes on beside what came, and what was restored holds."""
    station = replace(station, context_until_ns=max(station.context_until_ns, at_ns + times.context_ns))
    context = {key: replace(kept, restored=False) for key, kept in station.context.items()}
    if station.ended is None or not station.ended.asks:
        return replace(station, context=context)
    again = {key: station.ended.items[key] for key in _unset(station.ended, context)}
    kept_again = {
        key: replace(kept, restored=False, pushed=kept.pushed if _goes_on(kept, at_ns) else None)
        for key, kept in again.items()
    }
    return replace(station, context={**context, **kept_again}, ended=None, clash_ns=None)


def _goes_on(kept: Kept, at_ns: int) -> bool:
    """Return whether the time of a pushed case is not up; else it goes on because a person says so."""
    return kept.pushed is not None and kept.pushed.until_ns > at_ns


def _joins(station: Station, patient: ContextItem, at_ns: int) -> bool:
    """Return whether a wristband lets the pushed case that is due take hold."""
    pushed = due(station, at_ns)
    return pushed is not None and not is_anothers(station, pushed, patient)


def _ends_other(station: Station, item: ContextItem, at_ns: int) -> bool:
    """Return whether a case ends the patient, or a patient the case; a pushed case takes its first one in its time."""
    other = station.context.get(_GOES_WITH[item.kind])
    if other is None:
        return False
    if other.pushed is not None:
        return clashes(station, item, at_ns)
    return at_ns - other.since_ns > TOGETHER_NS


def _unset(ended_context: Ended, context: Mapping[str, Kept]) -> frozenset[str]:
    """Return what of an ended context is not set now."""
    return frozenset(ended_context.items) - context.keys()

"""A case that the central system has set for a station: when it takes hold, whose it is, and when it ends. Pure.

Theory of operation. The central system knows the plan: this room, this case, from then until then. A person at the
station knows what is going on. So a pushed case never displaces what was scanned:

    07:50 pushed: case A from 08:00 to 10:00, then B from 10:00 to 12:00
    08:00 nothing is set                      A takes hold by itself
    08:20 wristband of P                      P is A's: the first patient within its time
    09:10 wristband of Q                      clash: A ends, Q is set, an alarm; the screen asks "same patient?"
    09:11 code "same patient"                 A is Q's (P's reserve number became Q's person number)
    10:00 A's time is up                      all ends, the screen asks; B waits, because the operation may last
    10:05 code "same patient"                 A goes on; B waits until it has ended
    or 10:05 the next wristband               B takes hold, and is that patient's

Where nothing is set and nothing is asked, it takes hold by itself; else with the first wristband scanned in its time
while no other case is set. Where a patient is set already, the screen asks whether the case is hers. A push may say
whose case it is (a pseudonym, which this box can compare where it has the key): then it takes hold beside that
patient without a question, and any other wristband clashes, the first one, too.
"""

from typing import Final

from msgspec.structs import replace

from gateway.station.context import ContextItem
from gateway.station.values import Ended, Kept, PushedCase, Station

MAX_PUSHED: Final = 16
"""Cases that wait for their time: a room has fewer in a day. The one that begins last is dropped."""


def with_push(station: Station, pushed: PushedCase, at_ns: int) -> Station:
    """Return the station with a case pushed, in place of an earlier push of it; one whose time is over ends it."""
    rest = [one for one in station.pushed if not one.item.is_same(pushed.item)]
    kept = station.context.get("case")
    if kept is not None and kept.pushed is not None and kept.item.is_same(pushed.item):
        until_ns = max(pushed.until_ns, at_ns)
        case = replace(kept, pushed=pushed)
        return replace(
            station,
            context={**station.context, "case": case},
            context_until_ns=until_ns,
            pushed=tuple(rest),
        )
    if pushed.until_ns > at_ns:
        rest = sorted([*rest, pushed], key=lambda one: one.from_ns)[:MAX_PUSHED]
    return replace(station, pushed=tuple(rest))


def due(station: Station, at_ns: int) -> PushedCase | None:
    """Return the case that may take hold now; None while another one is set."""
    if "case" in station.context:
        return None
    return next((one for one in station.pushed if one.from_ns <= at_ns < one.until_ns), None)


def begins(station: Station, at_ns: int) -> bool:
    """Return whether a pushed case takes hold by itself: nothing is set, or its own patient, and nothing is asked."""
    pushed = due(station, at_ns)
    if pushed is None or _asks(station):
        return False
    patient = station.context.get("patient")
    return patient is None or (pushed.patient is not None and patient.item.pseudonym == pushed.patient)


def is_offered(station: Station, at_ns: int) -> bool:
    """Return whether to ask if a pushed case is that of the patient who is set: nothing else says so."""
    pushed = due(station, at_ns)
    asked = pushed is None or pushed.offered or pushed.patient is not None or _asks(station)
    return not asked and "patient" in station.context


def with_offer(station: Station, at_ns: int) -> Station:
    """Return the station that asks whether the due case is that of the patient who is set."""
    pushed = due(station, at_ns)
    if pushed is None:
        return station
    before = {} if station.ended is None else station.ended.items
    case = Kept(item=pushed.item, since_ns=at_ns, pushed=pushed)
    offered = replace(pushed, offered=True)
    return replace(
        station,
        pushed=tuple(offered if one is pushed else one for one in station.pushed),
        ended=Ended(items={**before, "case": case}, why="pushed", asks=True, until_ns=pushed.until_ns),
    )


def _asks(station: Station) -> bool:
    return station.ended is not None and station.ended.asks


def with_case(station: Station, at_ns: int) -> Station:
    """Return the station with the due case set, beside the patient if there is one."""
    pushed = due(station, at_ns)
    if pushed is None:
        return station
    ended = station.ended
    if ended is not None and "case" in ended.items:
        left = {key: kept for key, kept in ended.items.items() if key != "case"}
        ended = replace(ended, items=left, asks=False) if "patient" in left else None
    return replace(
        station,
        ended=ended,
        context={**station.context, "case": Kept(item=pushed.item, since_ns=at_ns, pushed=pushed)},
        context_until_ns=pushed.until_ns,
        pushed=tuple(one for one in station.pushed if one is not pushed),
        clash_ns=None,
    )


def is_anothers(station: Station, pushed: PushedCase, patient: ContextItem) -> bool:
    """Return whether a wristband is not that of a pushed case's patient, as far as this station knows."""
    if pushed.patient is not None:
        return patient.pseudonym != pushed.patient
    ended = station.ended
    before = None if ended is None else ended.items.get("patient")
    its_case = None if ended is None else ended.items.get("case")
    of_another = its_case is not None and not its_case.item.is_same(pushed.item)
    return of_another and before is not None and before.item.is_same(patient)


def clashes(station: Station, patient: ContextItem, at_ns: int) -> bool:
    """Return whether a wristband is another's than that of the pushed case in force, or due."""
    kept = station.context.get("case")
    if kept is None:
        pushed = due(station, at_ns)
        return pushed is not None and pushed.patient is not None and is_anothers(station, pushed, patient)
    if kept.pushed is None:
        return False
    before = station.context.get("patient")
    if before is not None:
        return not before.item.is_same(patient)
    return is_anothers(station, kept.pushed, patient)


def settled(station: Station, at_ns: int) -> Station:
    """Return the station without pushes whose time is over, or whose case is set."""
    kept = station.context.get("case")
    left = tuple(
        one for one in station.pushed if one.until_ns > at_ns and not (kept and kept.item.is_same(one.item))
    )
    return station if len(left) == len(station.pushed) else replace(station, pushed=left)


def context_ends_ns(station: Station) -> int:
    """Return when the context ends if nothing is scanned: when the time of its pushed case is up, at the latest."""
    kept = station.context.get("case")
    until_ns = station.context_until_ns
    return until_ns if kept is None or kept.pushed is None else min(until_ns, kept.pushed.until_ns)


def deadline_ns(station: Station) -> int | None:
    """Return when a pushed case begins, is asked about or is over if nothing is scanned; None where none waits."""
    begin = [one.from_ns for one in station.pushed if _moves(station, one.from_ns)]
    return min((*begin, *(one.until_ns for one in station.pushed)), default=None)


def _moves(station: Station, at_ns: int) -> bool:
    return begins(station, at_ns) or is_offered(station, at_ns)

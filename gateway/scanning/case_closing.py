"""Closing a case: what was used, wasted and returned for it, and what somebody must still sort out. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from gateway.events import cloudevent
from gateway.events.exports.netting import InForce, in_force
from gateway.events.stored_event import StoredEvent
from gateway.model import Disposition

MAX_EVENTS: Final = 2000
"""Newest events of the journal that are gone through: ten of the longest operations, some 50 ms."""
MAX_LINES: Final = 200
"""Pieces and unresolved scans that a closing names one by one, some 60 KB; beyond, it counts them."""
UNRESOLVED: Final = ("INCOMPLETE_LABEL", "ARTICLE_UNKNOWN", "LABELS_INTERLEAVED", "KEYED_ONCE", "UNLABELLED")
"""Findings on a booked scan that a person must sort out."""
REFUSED: Final = "REFUSED"


def closed(events: Iterable[StoredEvent], context: cloudevent.Context, since: str | None) -> cloudevent.CaseData:
    """Return what a case comes to. `events`: the newest of the journal; those of other cases are left out."""
    own = [one for one in events if _is_of(one, context)]
    counted = in_force(own)
    used = [one for one in counted if one.event.data.action == "consume" and one.quantity]
    lines = tuple(_line(one) for one in used)
    unresolved = tuple(_unresolved(own, counted))
    return cloudevent.CaseData(
        case=context.case,
        patient=context.patient,
        location=context.location,
        opened=since,
        used=sum(one.quantity for one in used),
        wasted=_pieces(counted, "discard"),
        returned=_pieces(counted, "return"),
        explanted=_pieces(counted, "explant"),
        unresolved=len(unresolved),
        items=lines[:MAX_LINES],
        open_questions=unresolved[:MAX_LINES],
    )


def _is_of(stored: StoredEvent, context: cloudevent.Context) -> bool:
    try:
        event = cloudevent.decode_scan(stored.body)
    except cloudevent.UNREADABLE:
        return False
    own = event.data.context
    if context.case is not None:
        return own.case == context.case
    return own.patient == context.patient


def _pieces(counted: Iterable[InForce], action: str) -> int:
    return sum(one.quantity for one in counted if one.event.data.action == action)


def _line(one: InForce) -> cloudevent.CaseItem:
    article = one.event.data.article
    return cloudevent.CaseItem(
        event=one.event.id,
        quantity=one.quantity,
        implant=article.implant if article else None,
        **_named(one.event.data),
    )


def _question(event: cloudevent.ScanEvent, *why: str) -> cloudevent.CaseQuestion:
    return cloudevent.CaseQuestion(event=event.id, why=why, **_named(event.data))


def _named(data: cloudevent.ScanData) -> dict[str, str | None]:
    """Return what names the piece of a scan."""
    udi, article = data.udi, data.article
    return {
        "device_identifier": udi.device_identifier if udi else None,
        "lot_number": udi.lot_number if udi else None,
        "serial_number": udi.serial_number if udi else None,
        "article_number": article.article_number if article else None,
        "trade_name": article.trade_name if article else None,
    }


def _unresolved(own: Iterable[StoredEvent], counted: Iterable[InForce]) -> Iterator[cloudevent.CaseQuestion]:
    """Yield what was booked with a doubt, and what was refused and neither booked, read again nor taken back."""
    settled: set[object] = set()
    for one in counted:
        data = one.event.data
        codes = [finding.code for finding in data.verdict.findings if finding.code in UNRESOLVED]
        if codes and one.quantity:
            yield _question(one.event, *codes)
        if data.used_despite is not None:
            settled.add(data.used_despite.event)
    events = [cloudevent.decode_scan(stored.body) for stored in own]
    for event in events:
        if event.data.undoes is not None:
            settled.add(event.data.undoes)
        elif event.data.verdict.disposition is Disposition.ACCEPTED:
            settled.add(_label(event))  # also where it was taken back afterwards
    seen: set[object] = set()
    for event in events:
        refused = event.data.verdict.disposition is Disposition.REFUSED
        label = _label(event)
        if refused and not {event.id, event.data.repeats, label} & settled and label not in seen:
            seen.add(label)
            yield _question(event, REFUSED)


def _label(event: cloudevent.ScanEvent) -> object:
    return tuple(symbol.text for symbol in event.data.symbols)

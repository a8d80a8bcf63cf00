"""What is reported of a label that could not be read: made of its scan event, or of a keyed entry without one. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

from drivers.model import InputQuality
from gateway.events import cloudevent
from gateway.events.label_problem import LabelProblemData, Part, UnreadPart
from gateway.model import Decoded
from gateway.outbox.entry import NewEvent, NewLabelProblem, Write
from gateway.station.values import CANCELLED, KeyedEnded
from gateway.system.clock import NS, ClockReading
from gateway.udi import decode

TYPED_ONCE = "KEYED_ONCE"
"""The verdict's finding on a number that was typed once."""
_NO_CHECK_DIGIT: frozenset[Part] = frozenset({"lot", "serial", "donation"})


def problems_of(events: Iterable[Write]) -> Iterator[NewLabelProblem]:
    """Yield what is to be reported of the events of one scan; of one that was given up at once nothing is."""
    made = [write for write in events if isinstance(write, NewEvent)]
    given_up = {one.data.undoes for one in made if one.data.reason == CANCELLED}
    for event in made:
        if event.data.entry != "scanned" and event.id not in given_up and event.data.used_despite is None:
            yield problem_of(event)


def problem_of(event: NewEvent) -> NewLabelProblem:
    """Return the report of a label that was typed, or of an item without one; the same event gives the same id."""
    data, article = event.data, event.data.article
    return NewLabelProblem(
        id=str(uuid5(NAMESPACE_OID, f"{event.id} label-problem")),
        time_ns=event.time_ns,
        data=LabelProblemData(
            event=event.id,
            why=data.entry_reason or "not-read",
            unread=tuple(_unread(event)),
            station=data.station,
            clock=data.clock,
            context=data.context,
            issuer=data.udi.issuer if data.udi else None,
            device_identifier=data.udi.device_identifier if data.udi else None,
            article_number=article.article_number if article else None,
            trade_name=article.trade_name if article else None,
            manufacturer_name=article.manufacturer_name if article else None,
        ),
    )


def nothing_recorded(
    effect: KeyedEnded,
    station: cloudevent.Station,
    stamp: cloudevent.ClockStamp,
    context: cloudevent.Context,
    clock: ClockReading,
) -> NewLabelProblem:
    """Return the report of a keyed entry that has ended by time with nothing to be booked."""
    return NewLabelProblem(
        id=effect.id,
        time_ns=clock.wall_at(effect.at_ns),
        data=LabelProblemData(
            event=None,
            why=effect.entry.unread,
            unread=(UnreadPart(what="label", typed="no"),),
            refused=effect.entry.refused,
            station=station,
            clock=stamp,
            context=context,
        ),
    )


def _unread(event: NewEvent) -> Iterator[UnreadPart]:
    """Yield what stands in typed symbols alone."""
    data = event.data
    if data.entry == "unlabelled":
        yield UnreadPart(what="label", typed="no")
        return
    today = datetime.fromtimestamp(event.time_ns / NS, UTC).date()
    typed: set[Part] = set()
    read: set[Part] = set()
    for symbol in data.symbols:
        parts = set(_parts(decode(symbol.text, symbol.symbology, today=today)))
        (typed if InputQuality.TYPED in symbol.quality else read).update(parts)
    once = any(found.code == TYPED_ONCE for found in data.verdict.findings)
    for part in sorted(typed - read):
        yield UnreadPart(what=part, typed="once" if once and part in _NO_CHECK_DIGIT else "proved")
    if "device-identifier" not in typed | read:
        yield UnreadPart(what="device-identifier", typed="no")


def _parts(decoded: Decoded) -> Iterator[Part]:
    said: tuple[tuple[Part, str | None], ...] = (
        ("device-identifier", decoded.device_identifier),
        ("lot", decoded.lot_number),
        ("serial", decoded.serial_number),
        ("donation", decoded.donation_identification_number),
        ("expiry", decoded.expiration_date),
    )
    yield from (part for part, value in said if value is not None)

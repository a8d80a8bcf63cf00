"""What is in force of a journal: one use for each piece, whatever was read twice, taken back or thrown away. Pure.

The rule, which the integration page gives to every consumer: events that an undo names, refused ones and repeats
do not count; a discard or return that corrects a use takes its pieces off it. A repeat whose first event was taken
back stands in its place.

    consume screw, 6          6 screws used
    consume screw (repeats)   6: the same label read twice
    discard screw, 1          5 used, 1 wasted
    undo of the discard       6
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator

import msgspec
from msgspec import Struct

from gateway.events import cloudevent
from gateway.events.stored_event import StoredEvent
from gateway.model import Disposition

MAX_EVENTS = 1_000_000
"""Events netted at once, some 2 GB: a large clinic's years. More are netted in parts (`--since`, `--until`)."""


class InForce(Struct, frozen=True, kw_only=True):
    """One event that counts."""

    event: cloudevent.ScanEvent
    quantity: int
    """Pieces that count now; 0: all were thrown away or returned."""
    explanted: cloudevent.ScanEvent | None = None
    """Of an implant: the event that took it out."""


def in_force(events: Iterable[StoredEvent]) -> list[InForce]:
    """Return the events of a journal that count, in their order; what cannot be read counts for nothing."""
    scans, undone = _done(events)
    once = list(_once(scans.values(), undone))
    away: Counter[str] = Counter()
    out: dict[str, cloudevent.ScanEvent] = {}
    for event in once:
        corrects = event.data.corrects
        if corrects is not None and event.data.action == "explant":
            out[corrects] = event
        elif corrects is not None:
            away[corrects] += event.data.quantity
    return [
        InForce(event=event, quantity=max(0, event.data.quantity - away[event.id]), explanted=out.get(event.id))
        for event in once
    ]


def _once(scans: Iterable[cloudevent.ScanEvent], undone: Container[str]) -> Iterator[cloudevent.ScanEvent]:
    """Yield each label's event once: the first, or the repeat that stands in its place."""
    stood_in: set[str] = set()
    for event in scans:
        first = event.data.repeats
        if first is None or (first in undone and first not in stood_in):
            stood_in.add(first or event.id)
            yield event


def _done(events: Iterable[StoredEvent]) -> tuple[dict[str, cloudevent.ScanEvent], set[str]]:
    """Return what was accepted and not taken back, by id, and the ids of what was taken back."""
    scans: dict[str, cloudevent.ScanEvent] = {}
    undone: set[str] = set()
    for stored in events:
        try:
            event = cloudevent.decode_scan(stored.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if event.type != cloudevent.SCAN_TYPE:
            continue
        if event.data.undoes is not None:
            scans.pop(event.data.undoes, None)
            undone.add(event.data.undoes)
        elif event.data.verdict.disposition is Disposition.ACCEPTED:
            scans[event.id] = event
    return scans, undone

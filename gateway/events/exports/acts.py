"""Events as acts: what was done with which article, for standards that know no refusals and no undo of their own.

An undo is an event that names another; here it comes with the event it takes back. What has no place in such a
standard is left out and counted, never bent into something else.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from gateway.events import cloudevent
from gateway.events.stored_event import StoredEvent
from gateway.model import Decoded, Disposition, Issuer

MAX_REMEMBERED: Final = 5000
"""Scans kept to find the one that an undo takes back: it is among the last of its station, an hour's at most."""
DIGITAL_LINK: Final = "https://id.gs1.org"
"""Root of canonical GS1 Digital Link URIs (GS1 Digital Link Standard: URI Syntax, 5.2)."""


class Act(Struct, frozen=True, kw_only=True):
    """One thing that was done."""

    event: cloudevent.ScanEvent
    undone: cloudevent.ScanEvent | None = None
    """Of an undo: the event that it takes back, which did not happen."""
    corrected: cloudevent.ScanEvent | None = None
    """The use that it corrects: of a discard, a return or an explant, and of the undo of one."""
    before: int = 0
    """Pieces of `corrected`, or of the use that is taken back, that counted as used until now."""
    left: int = 0
    """Pieces of it that count as used now."""
    stood: str = ""
    """Id under which the use stood until now, where a correction is an event in the place of another."""
    stands: str = ""
    """Id under which it stands now."""


class _Known(Struct):
    event: cloudevent.ScanEvent
    stands: str
    away: int = 0
    """Pieces of it that were thrown away or returned since."""

    @property
    def left(self) -> int:
        """Pieces of it that count as used."""
        return max(0, self.event.data.quantity - self.away)


class Acts:
    """Reads stored events; iterate once. `left_out` counts, by reason, what is no act.

    A repeat is no second piece, and what was refused did not happen; what was booked in spite of it is a use like
    any other.
    """

    def __init__(self, events: Iterable[StoredEvent]) -> None:
        self._events = events
        self._recent: OrderedDict[str, _Known] = OrderedDict()
        self._undone: OrderedDict[str, None] = OrderedDict()
        self._repeats: OrderedDict[str, cloudevent.ScanEvent] = OrderedDict()
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Act]:
        for stored in self._events:
            try:
                event = cloudevent.decode_scan(stored.body)
            except cloudevent.UNREADABLE:
                self.left_out["no scan" if _is_another(stored.body) else "unreadable"] += 1
                continue
            if event.type != cloudevent.SCAN_TYPE:
                self.left_out["no scan"] += 1
            elif event.data.undoes is not None:
                yield from self._taken_back(event, event.data.undoes)
            elif event.data.verdict.disposition is Disposition.REFUSED:
                self.left_out["refused"] += 1
            elif event.data.repeats is not None and event.data.repeats not in self._undone:
                self.left_out["repeat"] += 1
                _remember(self._repeats, event.id, event)
            else:
                yield self._use(event)

    def _taken_back(self, event: cloudevent.ScanEvent, undoes: str) -> Iterator[Act]:
        """Yield the undo, and the use for which a repeat stands now whose first event was taken back."""
        if self._repeats.pop(undoes, None) is not None:
            return
        _remember(self._undone, undoes, None)
        undone = self._recent.pop(undoes, None)
        if undone is None:
            self.left_out["undo of an event that is not among these"] += 1
            return
        yield self._act(event, undone, sign=-1)
        repeat = next((one for one in self._repeats.values() if one.data.repeats == undoes), None)
        if repeat is not None:
            del self._repeats[repeat.id]
            yield self._use(repeat)

    def _use(self, event: cloudevent.ScanEvent) -> Act:
        self._undone.pop(event.data.repeats or "", None)  # this one stands in its place
        _remember(self._recent, event.id, _Known(event, event.id))
        return self._act(event, None, sign=1)

    def _act(self, event: cloudevent.ScanEvent, taken_back: _Known | None, *, sign: Literal[1, -1]) -> Act:
        undone = None if taken_back is None else taken_back.event
        cause = (undone or event).data
        used = self._recent.get(cause.corrects or "")
        if used is None:
            return Act(event=event, undone=undone, before=0 if taken_back is None else taken_back.left)
        if cause.action == "explant":
            return Act(event=event, undone=undone, corrected=used.event, before=used.left, left=used.left)
        before, stood = used.left, used.stands
        used.away += sign * cause.quantity
        used.stands = str(uuid5(UUID(used.event.id), event.id))
        return Act(
            event=event,
            undone=undone,
            corrected=used.event,
            before=before,
            left=used.left,
            stood=stood,
            stands=used.stands,
        )


class _Type(Struct, frozen=True):
    type: str


_types: Final = msgspec.json.Decoder(_Type)


def _is_another(body: bytes) -> bool:
    """Return whether it is an event of another type: of a case, of the clock, one that was parked."""
    try:
        return _types.decode(body).type != cloudevent.SCAN_TYPE
    except cloudevent.UNREADABLE:
        return False


Value = TypeVar("Value")


def _remember(known: OrderedDict[str, Value], key: str, value: Value) -> None:
    known[key] = value
    if len(known) > MAX_REMEMBERED:
        known.popitem(last=False)


def instance_uri(udi: Decoded) -> str | None:
    """Return the URI of one physical item, identifier and serial number; None where the label has none."""
    if udi.device_identifier is None or udi.serial_number is None:
        return None
    return f"{_class_of(udi)}{_qualifier(udi, '21', udi.serial_number)}"


def class_uri(udi: Decoded) -> str | None:
    """Return the URI of an article, with its lot where the label has one; None without device identifier."""
    if udi.device_identifier is None:
        return None
    lot = _qualifier(udi, "10", udi.lot_number) if udi.lot_number else ""
    return f"{_class_of(udi)}{lot}"


def _class_of(udi: Decoded) -> str:
    identifier = quote(udi.device_identifier or "", safe="")
    if udi.issuer is Issuer.GS1:
        return f"{DIGITAL_LINK}/01/{identifier}"
    return f"urn:scangate:di:{udi.issuer}:{identifier}"


def _qualifier(udi: Decoded, ai: str, value: str) -> str:
    """GS1 writes the AI; elsewhere a URN of ours says the same in words."""
    escaped = quote(value, safe="")
    if udi.issuer is Issuer.GS1:
        return f"/{ai}/{escaped}"
    return f":{'serial' if ai == '21' else 'lot'}:{escaped}"

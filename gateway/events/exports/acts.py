"""Events as acts: what was done with which article, for standards that know no refusals and no undo of their own.

An undo is an event that names another; here it comes with the event it takes back. What has no place in such a
standard is left out and counted, never bent into something else.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

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


class Acts:
    """Reads stored events; iterate once. `left_out` counts, by reason, what is no act."""

    def __init__(self, events: Iterable[StoredEvent]) -> None:
        self._events = events
        self._recent: OrderedDict[str, cloudevent.ScanEvent] = OrderedDict()
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Act]:
        for stored in self._events:
            try:
                event = cloudevent.decode_scan(stored.body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.left_out["unreadable"] += 1
                continue
            if event.type != cloudevent.SCAN_TYPE:
                self.left_out["no scan"] += 1
            elif event.data.action == "undo":
                undone = self._recent.get(event.data.undoes or "")
                if undone is None:
                    self.left_out["undo of an event that is not among these"] += 1
                else:
                    yield Act(event=event, undone=undone)
            elif event.data.verdict.disposition is Disposition.REFUSED:
                self.left_out["refused"] += 1
            else:
                self._recent[event.id] = event
                if len(self._recent) > MAX_REMEMBERED:
                    self._recent.popitem(last=False)
                yield Act(event=event)


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

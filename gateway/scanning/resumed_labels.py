"""Labels that went out incomplete because the daemon was killed between two symbols: their partner may still come.

What is in force of the journal is taken for the station's own memory of it: the rest of the label, scanned after the
restart, completes the event as it would have without one.
"""

from base64 import b64decode
from typing import Final

from msgspec import convert
from msgspec.structs import replace

from drivers.model import InputQuality
from gateway.events import cloudevent
from gateway.station.context import ContextItem, ContextKind
from gateway.station.pairing import LINEAR_GS1, WHOLE_GS1, is_element_string
from gateway.station.protect import PersonRef
from gateway.station.values import MAX_CLOSED, Item, Label, Meaning, MoveTimes, Station, Symbol

INCOMPLETE: Final = "INCOMPLETE_LABEL"
"""The verdict's finding on half a label."""
_KINDS: Final[tuple[ContextKind, ...]] = ("case", "location", "patient", "performer")


def with_label(station: Station, identity: str, data: cloudevent.ScanData, at_ns: int, times: MoveTimes) -> Station:
    """Return a station that waits for the rest of an incomplete label; as it was for any other event.

    `at_ns`: when it was scanned, in this boot's time.
    """
    if data.udi is None or all(finding.code != INCOMPLETE for finding in data.verdict.findings):
        return station
    symbols = tuple(_symbol(one, at_ns) for one in data.symbols)
    item = Item(
        id=identity,
        scanner=data.station.scanner,
        symbols=symbols,
        at_ns=at_ns,
        meaning=_meaning(data),
        label=Label(
            decoded=data.udi,
            match=data.article.match if data.article else Label().match,
            linear=any(one.symbology in LINEAR_GS1 and is_element_string(one.text) for one in symbols),
            two_dimensional=any(one.symbology in WHOLE_GS1 for one in symbols),
        ),
        missing=("production-identifier" if data.udi.complete else "device-identifier",),
        until_ns=at_ns + times.pairing_ns,
    )
    before = station.closed_items.get(item.scanner, ())
    return replace(station, closed_items={**station.closed_items, item.scanner: (*before, item)[-MAX_CLOSED:]})


def _symbol(one: cloudevent.Symbol, at_ns: int) -> Symbol:
    return Symbol(
        text=one.text,
        symbology=one.symbology,
        raw=b64decode(one.raw),
        quality=frozenset(InputQuality(name) for name in one.quality if name in set(InputQuality)),
        at_ns=at_ns,
    )


def _meaning(data: cloudevent.ScanData) -> Meaning:
    values = ((kind, getattr(data.context, kind)) for kind in _KINDS)
    return Meaning(
        action=data.action if data.action != "undo" else "consume",
        reason=data.reason,
        quantity=data.quantity,
        quantity_given=data.quantity != 1,
        one_item=data.action in {"discard", "return", "explant"},
        destination=data.destination,
        context=tuple(
            ContextItem(kind=kind, value=value if isinstance(value, str) else convert(value, PersonRef))
            for kind, value in values
            if value is not None
        ),
    )

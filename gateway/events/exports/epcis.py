"""Events as an EPCIS 2.0 document (GS1 EPCIS 2.0 in JSON-LD, with the Core Business Vocabulary CBV 2.0).

CBV has no word for consuming, so a consumed article was dispensed. An undo is the undone event once more with an
error declaration (EPCIS 2.0, 7.4.1.4). What the box knows beyond the standard stands under the prefix `scangate:`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.events import cloudevent
from gateway.events.exports.acts import Act, Acts, class_uri, instance_uri

CONTEXT: Final = (
    "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    {"scangate": "urn:scangate:epcis:"},
)
WORDS: Final[dict[str, tuple[str, str | None, str | None]]] = {
    "consume": ("OBSERVE", "dispensing", "dispensed"),
    "receive": ("OBSERVE", "receiving", None),
    "return": ("OBSERVE", None, "returned"),
    "discard": ("DELETE", "destroying", "disposed"),
    "inventory": ("OBSERVE", "stock_taking", None),
    "transfer": ("OBSERVE", "shipping", "in_transit"),
    "explant": ("OBSERVE", "removing", None),
}
"""Action -> EPCIS action, CBV business step (7.1), CBV disposition (7.2). `returned` goes with several steps, and
the box does not know which: to the store or to the supplier."""
PERSON_FIELDS: Final = frozenset({"patient", "performer"})
"""A trading partner's document never names who was treated or by whom, not even sealed."""


def lines(acts: Acts, created: str) -> Iterator[bytes]:
    """Yield the document piece by piece. `created`: RFC 3339 time of its making."""
    head = msgspec.json.encode(
        {"@context": CONTEXT, "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": created}
    )
    yield head[:-1] + b',"epcisBody":{"eventList":['
    separator = b"\n"
    for act in acts:
        made = events(act)
        if not made:
            scan = act.undone or act.event
            acts.left_out["no UDI" if scan.data.action in WORDS else f"action {scan.data.action}"] += 1
        for one in made:
            yield separator + msgspec.json.encode(one)
            separator = b",\n"
    yield b"\n]}}\n"


def document(act: Act) -> bytes | None:
    """Return a document of one act; None for one that has no place in EPCIS."""
    made = events(act)
    if not made:
        return None
    head = {"@context": CONTEXT, "type": "EPCISDocument", "schemaVersion": "2.0"}
    return msgspec.json.encode(head | {"creationDate": act.event.recordedtime, "epcisBody": {"eventList": made}})


def events(act: Act) -> list[dict[str, Any]]:
    """Return the ObjectEvents of one act: its own, and what it makes of the use that it corrects.

    None for an action that EPCIS has no word for, nor for a scan without device identifier, which it cannot name.
    """
    event = _object_event(act)
    return [] if event is None else [event, *_corrections(act)]


def _object_event(act: Act) -> dict[str, Any] | None:
    scan = act.undone or act.event
    what = _what(scan)
    if what is None or scan.data.action not in WORDS:
        return None
    action, step, disposition = WORDS[scan.data.action]
    event: dict[str, Any] = {
        "type": "ObjectEvent",
        "eventID": f"urn:uuid:{scan.id}",
        "eventTime": scan.time,
        "eventTimeZoneOffset": _offset(scan.time),
    }
    if act.undone is not None:
        event["errorDeclaration"] = {"declarationTime": act.event.time, "reason": "did_not_occur"}
    event |= what
    event["action"] = action
    if step is not None:
        event["bizStep"] = step
    if disposition is not None:
        event["disposition"] = disposition
    event["readPoint"] = {"id": f"{scan.source}:{scan.data.station.id}"}
    location = scan.data.context.location
    if location is not None:
        event["bizLocation"] = {"id": location}
    return event | _beyond(scan)


def _corrections(act: Act) -> Iterator[dict[str, Any]]:
    """Yield what a discard or return makes of the use that it corrects: declared an error, and what is left of it.

    EPCIS 2.0, 7.4.1.4: an event is never changed; the events in its place are named.
    """
    used = act.corrected
    if used is None or not act.stands:
        return
    instead = [f"urn:uuid:{act.stands}"] if act.left else [f"urn:uuid:{act.event.id}"]
    declaration = {"declarationTime": act.event.time, "reason": "did_not_occur", "correctiveEventIDs": instead}
    if act.before:
        yield from (one | {"errorDeclaration": declaration} for one in _use(used, act.before, act.stood))
    if act.left:
        yield from _use(used, act.left, act.stands)


def _use(used: cloudevent.ScanEvent, quantity: int, identity: str) -> Iterator[dict[str, Any]]:
    data = msgspec.structs.replace(used.data, quantity=quantity)
    event = _object_event(Act(event=msgspec.structs.replace(used, data=data)))
    if event is not None:
        yield event | {"eventID": f"urn:uuid:{identity}"}


def _what(scan: cloudevent.ScanEvent) -> dict[str, Any] | None:
    """One item with a serial number is itself; everything else is a quantity of its class."""
    udi = scan.data.udi
    if udi is None:
        return None
    item = instance_uri(udi)
    if item is not None and scan.data.quantity == 1:
        return {"epcList": [item]}
    of_class = class_uri(udi)
    return None if of_class is None else {"quantityList": [{"epcClass": of_class, "quantity": scan.data.quantity}]}


def _beyond(scan: cloudevent.ScanEvent) -> dict[str, Any]:
    """What a hospital wants to know and EPCIS has no field for."""
    data = scan.data
    fields = {
        "scangate:sequence": scan.sequence,
        "scangate:epoch": scan.epoch,
        "scangate:expirationDate": data.udi.expiration_date if data.udi else None,
        "scangate:reason": data.reason,
        "scangate:repeats": data.repeats,
        "scangate:corrects": data.corrects,
        "scangate:usedDespite": " ".join(data.used_despite.findings) if data.used_despite else None,
        "scangate:destination": data.destination,
        "scangate:articleNumber": data.article.article_number if data.article else None,
        "scangate:clockSynchronised": data.clock.synchronised or data.clock.corrected,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _offset(time: str) -> str:
    """Return the time zone of an RFC 3339 time as EPCIS wants it: +01:00."""
    return datetime.fromisoformat(time).isoformat()[-6:]

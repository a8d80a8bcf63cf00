"""What one event becomes for a receiver: the projections are those of `scangate outbox export`. Pure."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from gateway.events import cloudevent
from gateway.events.exports import csv, epcis, fhir_transaction, hl7v2
from gateway.events.exports.acts import Act
from gateway.events.stored_event import StoredEvent
from gateway.model import Disposition
from intake.forward.identities import Unsealer

Form = Literal["fhir-r4", "fhir-r5", "hl7v2", "epcis", "csv", "ndjson"]
CONTENT_TYPES: Final[dict[str, str]] = {
    "fhir-r4": "application/fhir+json; fhirVersion=4.0",
    "fhir-r5": "application/fhir+json; fhirVersion=5.0",
    "hl7v2": "x-application/hl7-v2+er7; charset=utf-8",
    "epcis": "application/ld+json",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/cloudevents+json",
}
SUFFIXES: Final[dict[str, str]] = {
    "fhir-r4": ".json",
    "fhir-r5": ".json",
    "epcis": ".jsonld",
    "hl7v2": ".hl7",
    "csv": ".csv",
    "ndjson": ".ndjson",
}
Find = Callable[[str, str], bytes | None]
"""(source, id) -> the body of a stored event; None when there is none."""


def project(body: bytes, form: Form, find: Find, unsealer: Unsealer | None) -> bytes | None:
    """Return what is sent for one stored event; None for one that has no place in the form.

    Raises ValueError for an event of a form that this version cannot project; it becomes a dead letter.
    """
    if form == "ndjson":
        return body + b"\n"
    if form == "csv":
        return b"".join(csv.lines([StoredEvent(sequence=_sequence(body), body=body, state="delivered")]))
    act = _act(body, find, unsealer)
    if act is None:
        return None
    if form == "hl7v2":
        message = hl7v2.message(act)
        return None if message is None else message.encode()
    if form == "epcis":
        return _epcis(act)
    bundle = fhir_transaction.bundle(act, "R4" if form == "fhir-r4" else "R5")
    return None if bundle is None else msgspec.json.encode(bundle)


class _Head(msgspec.Struct, frozen=True):
    type: str
    sequence: str = "0"


_heads: Final = msgspec.json.Decoder(_Head)


def _sequence(body: bytes) -> int:
    return int(_heads.decode(body).sequence)


def _act(body: bytes, find: Find, unsealer: Unsealer | None) -> Act | None:
    """Return what was done; None for what is no scan, was refused, or takes back what is not here."""
    if _heads.decode(body).type != cloudevent.SCAN_TYPE:
        return None
    event = _opened(body, unsealer)
    if event.data.action != "undo":
        return None if event.data.verdict.disposition is Disposition.REFUSED else Act(event=event)
    undone = find(event.source, event.data.undoes) if event.data.undoes else None
    return None if undone is None else Act(event=event, undone=_opened(undone, unsealer))


def _opened(body: bytes, unsealer: Unsealer | None) -> cloudevent.ScanEvent:
    event = cloudevent.decode_scan(body)
    return event if unsealer is None else unsealer.opened(event)


def _epcis(act: Act) -> bytes | None:
    event = epcis.object_event(act)
    if event is None:
        return None
    return msgspec.json.encode(
        {
            "@context": epcis.CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": act.event.recordedtime,
            "epcisBody": {"eventList": [event]},
        }
    )

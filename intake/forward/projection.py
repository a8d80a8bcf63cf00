"""What one event becomes for a receiver: the projections are those of `scangate outbox export`. Pure."""

from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from gateway.events import cloudevent
from gateway.events.exports import csv, epcis, fhir_transaction, hl7v2
from gateway.events.exports.acts import Act, Acts
from gateway.events.stored_event import StoredEvent
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
Related = Callable[[bytes], list[bytes]]
"""Takes the body of an event; returns the bodies of the earlier ones that it and they name, in their order."""
Payload = tuple[str, bytes]
"""(id of the event that it speaks of, content)."""


def project(body: bytes, form: Form, related: Related, unsealer: Unsealer | None) -> list[Payload]:
    """Return what is sent for one stored event; nothing for one that has no place in the form.

    Raises ValueError for an event of a form that this version cannot project; it becomes a dead letter.
    """
    head = _heads.decode(body)
    if form == "ndjson":
        return [(head.id, body + b"\n")]
    if form == "csv":
        stored = StoredEvent(sequence=int(head.sequence), body=body, state="delivered")
        return [(head.id, b"".join(csv.lines([stored])))]
    if head.type != cloudevent.SCAN_TYPE:
        return []
    made = [(act.event.id, _content(act, form)) for act in _acts(body, related, unsealer)]
    return [(name, content) for name, content in made if content is not None]


def _content(act: Act, form: Form) -> bytes | None:
    if form == "hl7v2":
        message = hl7v2.message(act)
        return None if message is None else message.encode()
    if form == "epcis":
        return epcis.document(act)
    bundle = fhir_transaction.bundle(act, "R4" if form == "fhir-r4" else "R5")
    return None if bundle is None else msgspec.json.encode(bundle)


class _Head(msgspec.Struct, frozen=True):
    type: str
    id: str
    sequence: str = "0"


_heads: Final = msgspec.json.Decoder(_Head)


def _acts(body: bytes, related: Related, unsealer: Unsealer | None) -> list[Act]:
    """Return what was done by this event, in the light of those before it that it names."""
    bodies = [_opened(one, unsealer) for one in (*related(body), body)]
    arrived = 0

    def stored() -> Iterator[StoredEvent]:
        nonlocal arrived
        for one in bodies:
            arrived += 1
            yield StoredEvent(sequence=arrived, body=one, state="delivered")

    return [act for act in Acts(stored()) if arrived == len(bodies)]


def _opened(body: bytes, unsealer: Unsealer | None) -> bytes:
    return body if unsealer is None else msgspec.json.encode(unsealer.opened(cloudevent.decode_scan(body)))

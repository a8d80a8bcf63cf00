"""Events as FHIR R5 resources, in a Bundle of the type collection.

Consumed with a patient: a Device, and for each piece a DeviceUsage whose patient is the pseudonym of the event.
Consumed without: a SupplyDelivery of that Device. Taken back, thrown away or returned is the same resource, entered
in error; an explant is it, stopped. FHIR has nothing that says
no more than that something was received, counted or thrown away here; such events are left out, and counted.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from gateway.events import cloudevent
from gateway.events.exports.acts import Act, Acts
from gateway.model import Decoded, Issuer

URI_SYSTEM: Final = "urn:ietf:rfc:3986"
"""The value is a URI: a UUID, or the GS1 Digital Link of a place."""
ISSUERS: Final = {
    Issuer.GS1: "http://hl7.org/fhir/NamingSystem/gs1-di",
    Issuer.HIBCC: "http://hl7.org/fhir/NamingSystem/hibcc-diI",
    Issuer.ICCBBA: "http://hl7.org/fhir/NamingSystem/iccbba-other-di",
    Issuer.IFA: "http://hl7.org/fhir/NamingSystem/ifa-gmbh-di",
}
"""FHIR R5, Device.udiCarrier.issuer, spelt as there."""
ITEM_TYPE: Final = {
    "coding": [{"system": "http://hl7.org/fhir/supplydelivery-supplyitemtype", "code": "device"}],
}


def lines(acts: Acts, created: str) -> Iterator[bytes]:
    """Yield the bundle piece by piece. `created`: RFC 3339 time of its making."""
    head = msgspec.json.encode({"resourceType": "Bundle", "type": "collection", "timestamp": created})
    yield head[:-1] + b',"entry":['
    separator = b"\n"
    for act in acts:
        scan = act.undone or act.event
        if scan.data.action != "consume" and act.corrected is None:
            acts.left_out[f"action {scan.data.action}"] += 1
            continue
        for resource in resources(act):
            entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
            yield separator + msgspec.json.encode(entry)
            separator = b",\n"
    yield b"\n]}\n"


def resources(act: Act) -> Iterator[dict[str, Any]]:
    """Yield what one consumed article becomes, a DeviceUsage for each piece.

    Of an undo, and of a discard, return or explant that corrects a use: the records of that use again, with their
    new status.
    """
    cause = act.undone or act.event
    scan = act.corrected or cause
    undone = act.undone is not None and act.corrected is None
    quantity = scan.data.quantity
    used = act.left if act.corrected is not None else quantity
    device = f"{scan.id[:-1]}{_other(scan.id[-1])}"
    if not undone and act.corrected is None:
        yield _device(scan, device)
    patient = scan.data.context.patient
    if patient is None:
        yield _delivery(scan, device, used, undone=undone or not used)
        return
    taken_out = cause.data.quantity if cause.data.action == "explant" and act.undone is None else 0
    for piece in range(quantity):
        status = "entered-in-error" if undone or piece >= used else _status(scan)
        if piece < taken_out:
            status = "stopped"
        yield _usage(scan, piece, device, person(patient, "patient"), status)


def piece_id(scan: cloudevent.ScanEvent, piece: int) -> str:
    """Return the id of the record of one piece, 0 the first: the same whenever it is exported."""
    return str(uuid5(UUID(scan.id), str(piece))) if piece else scan.id


def _status(scan: cloudevent.ScanEvent) -> str:
    implant = scan.data.article is not None and scan.data.article.implant
    return "active" if implant else "completed"  # an implant stays in use when the operation is over


def _other(digit: str) -> str:
    """Derive the device's id from the event's: the same whenever it is exported, and another than the event's."""
    return "0123456789abcdef"[int(digit, 16) ^ 8]


def _device(scan: cloudevent.ScanEvent, identity: str) -> dict[str, Any]:
    udi, article = scan.data.udi or Decoded(ok=False), scan.data.article
    name = article.trade_name if article else None
    number = article.article_number if article else None
    return _without_none(
        {
            "resourceType": "Device",
            "id": identity,
            "identifier": [{"system": f"{scan.source}:article-number", "value": number}] if number else None,
            "udiCarrier": [_carrier(scan, udi)] if udi.device_identifier and udi.issuer else None,
            "status": "active",
            "manufacturer": article.manufacturer_name if article else None,
            "lotNumber": udi.lot_number,
            "serialNumber": udi.serial_number,
            "manufactureDate": _date_time(udi.manufacture_date, scan.time),
            "expirationDate": _date_time(udi.expiration_date, scan.time),
            "name": [{"value": name, "type": "user-friendly-name"}] if name else None,
        }
    )


def _carrier(scan: cloudevent.ScanEvent, udi: Decoded) -> dict[str, Any]:
    return {
        "deviceIdentifier": udi.device_identifier,
        "issuer": ISSUERS[udi.issuer or Issuer.GS1],
        "carrierAIDC": scan.data.symbols[0].raw,
        "carrierHRF": udi.hri,
        "entryType": "barcode",
    }


def _usage(
    scan: cloudevent.ScanEvent, piece: int, device: str, patient: dict[str, Any], status: str
) -> dict[str, Any]:
    performer, case = scan.data.context.performer, scan.data.context.case
    identity = piece_id(scan, piece)
    return _without_none(
        {
            "resourceType": "DeviceUsage",
            "id": identity,
            "extension": _place(scan),
            "identifier": [{"system": URI_SYSTEM, "value": f"urn:uuid:{identity}"}],
            "status": status,
            "patient": patient,
            "context": {"identifier": _case(case)} if case is not None else None,
            "timingDateTime": scan.time,
            "dateAsserted": scan.recordedtime,
            "informationSource": person(performer, "performer") if performer is not None else None,
            "device": {"reference": {"reference": f"urn:uuid:{device}"}},
        }
    )


def _case(case: str | Mapping[str, str]) -> dict[str, str]:
    """Return a case as the identifier of an encounter: in clear, or as the event carries it."""
    if isinstance(case, str):
        scheme, _, value = case.partition(":")
        return {"system": f"urn:scangate:case:{scheme}", "value": value}
    return {"system": f"urn:scangate:case:{case['scheme']}:{case['kid']}", "value": case["value"]}


def _place(scan: cloudevent.ScanEvent) -> list[dict[str, str]] | None:
    """Return where it was used: DeviceUsage has no element for it."""
    location = scan.data.context.location
    return None if location is None else [{"url": "urn:scangate:fhir:location", "valueUri": location}]


def _delivery(scan: cloudevent.ScanEvent, device: str, quantity: int, *, undone: bool) -> dict[str, Any]:
    location, case = scan.data.context.location, scan.data.context.case
    of_case = None if case is None else {"url": "urn:scangate:fhir:case", "valueIdentifier": _case(case)}
    return _without_none(
        {
            "resourceType": "SupplyDelivery",
            "id": scan.id,
            "extension": [of_case] if of_case else None,
            "identifier": [{"system": URI_SYSTEM, "value": f"urn:uuid:{scan.id}"}],
            "status": "entered-in-error" if undone else "completed",
            "type": ITEM_TYPE,
            "suppliedItem": [
                {
                    "quantity": {"value": scan.data.quantity if undone else quantity},
                    "itemReference": {"reference": f"urn:uuid:{device}"},
                }
            ],
            "occurrenceDateTime": scan.time,
            "destination": {"identifier": {"system": URI_SYSTEM, "value": location}} if location else None,
        }
    )


def person(protected: Mapping[str, str], role: str) -> dict[str, Any]:
    """Return a reference to a person by the pseudonym of the event: the key that made it is part of the system."""
    system = f"urn:scangate:{role}:{protected['scheme']}:{protected['kid']}"
    return {"identifier": {"system": system, "value": protected["value"]}}


def _date_time(date: str | None, time: str) -> str | None:
    """A FHIR dateTime with hours needs seconds and a zone: those of the box."""
    return f"{date}:00{time[-6:]}" if date and "T" in date else date


def _without_none(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if value is not None}

"""Events as FHIR R5 resources, in a Bundle of the type collection.

Consumed with a patient: a Device and a DeviceUsage whose patient is the pseudonym the event carries. Consumed
without: a SupplyDelivery of that Device. An undo is the same resource, entered in error. FHIR has nothing that says
no more than that something was received, counted or thrown away here; such events are left out, and counted.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

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
        if scan.data.action != "consume":
            acts.left_out[f"action {scan.data.action}"] += 1
            continue
        for resource in resources(act):
            entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
            yield separator + msgspec.json.encode(entry)
            separator = b",\n"
    yield b"\n]}\n"


def resources(act: Act) -> Iterator[dict[str, Any]]:
    """Yield what one consumed article becomes; of an undo the record again, with its new status."""
    scan = act.undone or act.event
    undone = act.undone is not None
    device = f"{scan.id[:-1]}{_other(scan.id[-1])}"
    if not undone:
        yield _device(scan, device)
    patient = scan.data.context.patient
    if patient is not None:
        yield _usage(scan, device, person(patient, "patient"), undone=undone)
    else:
        yield _delivery(scan, device, undone=undone)


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


def _usage(scan: cloudevent.ScanEvent, device: str, patient: dict[str, Any], *, undone: bool) -> dict[str, Any]:
    implant = scan.data.article is not None and scan.data.article.implant
    status = "active" if implant else "completed"  # an implant stays in use when the operation is over
    performer = scan.data.context.performer
    return _without_none(
        {
            "resourceType": "DeviceUsage",
            "id": scan.id,
            "identifier": [{"system": URI_SYSTEM, "value": f"urn:uuid:{scan.id}"}],
            "status": "entered-in-error" if undone else status,
            "patient": patient,
            "timingDateTime": scan.time,
            "dateAsserted": scan.recordedtime,
            "informationSource": person(performer, "performer") if performer is not None else None,
            "device": {"reference": {"reference": f"urn:uuid:{device}"}},
        }
    )


def _delivery(scan: cloudevent.ScanEvent, device: str, *, undone: bool) -> dict[str, Any]:
    location = scan.data.context.location
    return _without_none(
        {
            "resourceType": "SupplyDelivery",
            "id": scan.id,
            "identifier": [{"system": URI_SYSTEM, "value": f"urn:uuid:{scan.id}"}],
            "status": "entered-in-error" if undone else "completed",
            "type": ITEM_TYPE,
            "suppliedItem": [
                {
                    "quantity": {"value": scan.data.quantity},
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

"""EPCIS 2.0 and FHIR R5: each act in the standard's words, checked with the standards' own structure."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from fhir.resources.bundle import Bundle

from gateway.events import cloudevent
from gateway.events.exports import epcis, fhir
from gateway.events.exports.acts import MAX_REMEMBERED, Acts
from gateway.events.stored_event import StoredEvent
from gateway.model import Decoded, Disposition, Finding, Issuer, Severity, Verdict
from tests.outbox.events import draft

CREATED = "2026-11-22T10:00:00.000+01:00"
PATIENT = {"scheme": "personnummer", "kid": "2026a", "value": "c2VhbGVk"}
HIBC = Decoded(
    ok=True, issuer=Issuer.HIBCC, device_identifier="A99912345", lot_number="LOT/1", complete=True, hri="+A99912345"
)
SHELF = None
THEATRE = "https://id.gs1.org/414/7350012340005"


def scan(number: int, **changes: Any) -> StoredEvent:  # noqa: ANN401 - fields of ScanData
    """Make a stored event; `number` is its sequence and part of its id."""
    one = draft(number)
    context = changes.pop("context", cloudevent.Context())
    data = msgspec.structs.replace(one.data, context=context, **changes)
    at = cloudevent.Position(epoch="5f0c2a9b1d7e4c83", sequence=number, recorded_ns=one.time_ns)
    body = cloudevent.scan_event(identity(number), "urn:scangate:vgr:su:gw01", one.time_ns, data, at)
    return StoredEvent(sequence=number, body=body, state="delivered")


def identity(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def undo(number: int, undone: int) -> StoredEvent:
    return scan(number, action="undo", undoes=identity(undone), udi=None)


REFUSED = Verdict(
    disposition=Disposition.REFUSED,
    findings=(Finding(code="EXPIRED", severity=Severity.ERROR, message="expired"),),
)


def epcis_events(*stored: StoredEvent) -> tuple[list[dict[str, Any]], Acts]:
    acts = Acts(stored)
    document = json.loads(b"".join(epcis.lines(acts, CREATED)))
    assert document["type"] == "EPCISDocument"
    assert document["schemaVersion"] == "2.0"
    assert document["@context"][0].endswith("epcis-context.jsonld")
    events: list[dict[str, Any]] = document["epcisBody"]["eventList"]
    for event in events:
        well_formed(event)
    return events, acts


EPCIS_FIELDS = {
    "type", "eventID", "eventTime", "eventTimeZoneOffset", "errorDeclaration", "epcList", "quantityList", "action",
    "bizStep", "disposition", "readPoint", "bizLocation",
}  # fmt: skip
"""EPCIS 2.0, 7.4.1 and 7.4.2, as far as they are used; all else is an extension, with a prefix."""


def well_formed(event: dict[str, Any]) -> None:
    """Check an ObjectEvent as the EPCIS 2.0 JSON schema does: required fields, no unknown ones, URIs, words."""
    assert {"type", "eventTime", "eventTimeZoneOffset", "action"} <= event.keys()
    assert {name for name in event if ":" not in name} <= EPCIS_FIELDS
    assert event["type"] == "ObjectEvent"
    assert event["action"] in {"OBSERVE", "ADD", "DELETE"}
    assert event["eventTimeZoneOffset"][0] in "+-"
    assert len(event["eventTimeZoneOffset"]) == 6
    assert bool(event.get("epcList")) != bool(event.get("quantityList"))
    for uri in (*event.get("epcList", ()), *(one["epcClass"] for one in event.get("quantityList", ()))):
        assert uri.startswith(("https://id.gs1.org/01/", "urn:scangate:di:"))


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("consume", {"action": "OBSERVE", "bizStep": "dispensing", "disposition": "dispensed"}),
        ("receive", {"action": "OBSERVE", "bizStep": "receiving"}),
        ("return", {"action": "OBSERVE", "disposition": "returned"}),
        ("discard", {"action": "DELETE", "bizStep": "destroying", "disposition": "disposed"}),
        ("inventory", {"action": "OBSERVE", "bizStep": "stock_taking"}),
    ],
)
def test_epcis_says_the_action_in_cbv_words(action: str, said: dict[str, str]) -> None:
    (event,), _ = epcis_events(scan(1, action=action))
    assert {key: event[key] for key in ("action", "bizStep", "disposition") if key in event} == said
    assert event["eventID"] == f"urn:uuid:{identity(1)}"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, {"epcList": ["https://id.gs1.org/01/09520001000102/21/S000001"]}),
        ({"quantity": 4}, {"quantityList": [{"epcClass": "https://id.gs1.org/01/09520001000102", "quantity": 4}]}),
        (
            {"udi": HIBC},
            {"quantityList": [{"epcClass": "urn:scangate:di:HIBCC:A99912345:lot:LOT%2F1", "quantity": 1}]},
        ),
    ],
)
def test_epcis_names_the_item_or_its_class(changes: dict[str, Any], what: dict[str, Any]) -> None:
    (event,), _ = epcis_events(scan(1, **changes))
    assert {key: event[key] for key in ("epcList", "quantityList") if key in event} == what


def test_epcis_undo_is_the_event_again_with_an_error_declaration() -> None:
    (first, second), acts = epcis_events(scan(1), undo(2, 1))
    declaration = second.pop("errorDeclaration")
    assert declaration["reason"] == "did_not_occur"
    assert second == first
    assert not acts.left_out


def test_epcis_tells_the_place_and_no_person() -> None:
    context = cloudevent.Context(location=THEATRE, patient=PATIENT, performer=PATIENT)
    (event,), _ = epcis_events(scan(1, context=context))
    assert event["bizLocation"] == {"id": THEATRE}
    assert "c2VhbGVk" not in json.dumps(event)


def test_what_has_no_place_is_counted() -> None:
    broken = StoredEvent(sequence=9, body=b"{", state="waiting")
    events, acts = epcis_events(scan(1, verdict=REFUSED), scan(2, udi=SHELF), undo(3, 77), broken)
    assert events == []
    assert acts.left_out == {
        "refused": 1,
        "no UDI": 1,
        "undo of an event that is not among these": 1,
        "unreadable": 1,
    }


def test_only_so_many_events_are_remembered() -> None:
    def journal() -> Iterator[StoredEvent]:
        for number in range(1, MAX_REMEMBERED + 2):
            yield scan(number)
        yield undo(MAX_REMEMBERED + 2, 1)

    acts = Acts(journal())
    assert sum(1 for _ in acts) == MAX_REMEMBERED + 1
    assert sum(acts.left_out.values()) == 1


def fhir_resources(*stored: StoredEvent) -> tuple[dict[str, dict[str, Any]], Acts]:
    """Return the bundle's resources by type; every one has passed the FHIR R5 model."""
    acts = Acts(stored)
    text = b"".join(fhir.lines(acts, CREATED))
    bundle = Bundle.model_validate_json(text)
    assert bundle.type == "collection"
    resources = [entry["resource"] for entry in json.loads(text)["entry"]]
    return {one["resourceType"]: one for one in resources}, acts


def test_fhir_with_a_patient_is_a_device_and_its_usage() -> None:
    context = cloudevent.Context(patient=PATIENT, performer={**PATIENT, "scheme": "badge"})
    made, _ = fhir_resources(scan(1, context=context))
    assert set(made) == {"Device", "DeviceUsage"}
    usage, device = made["DeviceUsage"], made["Device"]
    assert usage["patient"] == {
        "identifier": {"system": "urn:scangate:patient:personnummer:2026a", "value": "c2VhbGVk"}
    }
    assert usage["status"] == "completed"
    assert usage["device"]["reference"]["reference"] == f"urn:uuid:{device['id']}"
    assert device["serialNumber"] == "S000001"
    assert device["udiCarrier"][0]["issuer"] == "http://hl7.org/fhir/NamingSystem/gs1-di"
    assert device["udiCarrier"][0]["carrierHRF"] == "(01)09520001000102(21)S000001"


def test_fhir_without_a_patient_is_a_supply_delivery() -> None:
    made, _ = fhir_resources(scan(1, quantity=3, context=cloudevent.Context(location=THEATRE)))
    assert set(made) == {"Device", "SupplyDelivery"}
    delivery = made["SupplyDelivery"]
    assert delivery["status"] == "completed"
    assert delivery["suppliedItem"][0]["quantity"] == {"value": 3}
    assert delivery["destination"]["identifier"]["value"] == THEATRE


@pytest.mark.parametrize("context", [cloudevent.Context(), cloudevent.Context(patient=PATIENT)])
def test_fhir_undo_is_the_record_entered_in_error(context: cloudevent.Context) -> None:
    first, _ = fhir_resources(scan(1, context=context))
    both, acts = fhir_resources(scan(1, context=context), undo(2, 1))
    kind = "DeviceUsage" if context.patient else "SupplyDelivery"
    assert both[kind] == {**first[kind], "status": "entered-in-error"}
    assert not acts.left_out


@pytest.mark.parametrize(
    ("expires", "written"),
    [("2028-06-30", "2028-06-30"), ("2028-06-30T14:30", r"2028-06-30T14:30:00[+-]\d\d:\d\d")],
)
def test_fhir_dates(expires: str, written: str) -> None:
    udi = msgspec.structs.replace(HIBC, expiration_date=expires)
    made, _ = fhir_resources(scan(1, udi=udi))
    assert re.fullmatch(written, made["Device"]["expirationDate"])


def test_fhir_takes_only_what_was_used_up() -> None:
    made, acts = fhir_resources(scan(1, action="receive"), scan(2, action="inventory"))
    assert made == {}
    assert acts.left_out == {"action receive": 1, "action inventory": 1}


def test_fhir_of_a_shelf_label_is_an_article_without_udi() -> None:
    made, _ = fhir_resources(scan(1, udi=SHELF))
    assert "udiCarrier" not in made["Device"]

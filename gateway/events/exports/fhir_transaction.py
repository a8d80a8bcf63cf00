"""Events as FHIR transactions, R4 or R5: a bundle of the type transaction for each event.

A bundle may be sent any number of times: each resource is put by its identifier (conditional update, FHIR R4 and
R5, RESTful API). The first time creates it, every other one leaves it as it is, and an undo finds it to say that
it was entered in error. The resources are those of `fhir`; in R4 they have that release's names:
DeviceUseStatement for DeviceUsage, one suppliedItem.
"""

from typing import Any, Final, Literal

from gateway.events.exports import fhir
from gateway.events.exports.acts import Act
from gateway.events.exports.fhir import URI_SYSTEM

Release = Literal["R4", "R5"]
R4_NAMES: Final = {"DeviceUsage": "DeviceUseStatement"}


def bundle(act: Act, release: Release) -> dict[str, Any] | None:
    """Return the transaction of one act; None for one that FHIR has no resource for (see `fhir`)."""
    scan = act.undone or act.event
    if scan.data.action != "consume":
        return None
    made = list(fhir.resources(Act(event=scan)))
    if act.undone is not None:
        made = [resource | _status_of(act, resource) for resource in made]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(resource, release) for resource in made],
    }


def _status_of(act: Act, resource: dict[str, Any]) -> dict[str, Any]:
    """Of an undo: the record's new status. The device is what it was."""
    if resource["resourceType"] == "Device":
        return {}
    undone = next(each for each in fhir.resources(act) if each["resourceType"] == resource["resourceType"])
    return {"status": undone["status"]}


def _entry(resource: dict[str, Any], release: Release) -> dict[str, Any]:
    identity = f"urn:uuid:{resource['id']}"
    own = {"system": URI_SYSTEM, "value": identity}
    others = [each for each in resource.get("identifier", ()) if each != own]
    made = {name: value for name, value in resource.items() if name != "id"} | {"identifier": [own, *others]}
    if release == "R4":
        made = _as_r4(made)
    kind = made["resourceType"]
    return {
        "fullUrl": identity,
        "resource": made,
        "request": {"method": "PUT", "url": f"{kind}?identifier={URI_SYSTEM}|{identity}"},
    }


def _as_r4(resource: dict[str, Any]) -> dict[str, Any]:
    made = dict(resource)
    made["resourceType"] = R4_NAMES.get(made["resourceType"], made["resourceType"])
    if made["resourceType"] == "Device":
        names = made.pop("name", None)
        if names:
            made["deviceName"] = [{"name": one["value"], "type": one["type"]} for one in names]
    elif made["resourceType"] == "DeviceUseStatement":
        made["subject"] = made.pop("patient")
        made["device"] = made["device"]["reference"]
        made["recordedOn"] = made.pop("dateAsserted")
        source = made.pop("informationSource", None)
        if source is not None:
            made["source"] = source
    elif made["resourceType"] == "SupplyDelivery":
        made["suppliedItem"] = made["suppliedItem"][0]
    return made

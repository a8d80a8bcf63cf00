"""Events as FHIR transactions, R4 or R5: a bundle of the type transaction for each event.

A bundle may be sent any number of times: each resource is put by its identifier (conditional update, FHIR R4 and
R5, RESTful API). The first time creates it, every other one leaves it as it is, and an undo finds it to say that
it was entered in error; the device it names is referred to by its identifier, too (conditional reference). The
resources are those of `fhir`; in R4 they have that release's names: DeviceUseStatement for DeviceUsage, one
suppliedItem.
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
    if scan.data.action != "consume" and act.corrected is None:
        return None
    made = list(fhir.resources(act))
    inside = {f"urn:uuid:{resource['id']}" for resource in made}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(resource, inside, release) for resource in made],
    }


def _entry(resource: dict[str, Any], inside: set[str], release: Release) -> dict[str, Any]:
    identity = f"urn:uuid:{resource['id']}"
    own = {"system": URI_SYSTEM, "value": identity}
    others = [each for each in resource.get("identifier", ()) if each != own]
    made = {name: value for name, value in resource.items() if name != "id"} | {"identifier": [own, *others]}
    made = _with_known_device(made, inside)
    if release == "R4":
        made = _as_r4(made)
    return {
        "fullUrl": identity,
        "resource": made,
        "request": {"method": "PUT", "url": _by_identifier(made["resourceType"], identity)},
    }


def _by_identifier(kind: str, identity: str) -> str:
    return f"{kind}?identifier={URI_SYSTEM}|{identity}"


def _with_known_device(resource: dict[str, Any], inside: set[str]) -> dict[str, Any]:
    """Refer to a device that an earlier bundle has made."""

    def known(reference: dict[str, str]) -> dict[str, str]:
        name = reference["reference"]
        return reference if name in inside else {"reference": _by_identifier("Device", name)}

    if resource["resourceType"] == "DeviceUsage":
        return resource | {"device": {"reference": known(resource["device"]["reference"])}}
    if resource["resourceType"] == "SupplyDelivery":
        items = [item | {"itemReference": known(item["itemReference"])} for item in resource["suppliedItem"]]
        return resource | {"suppliedItem": items}
    return resource


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
        made.pop("context", None)  # R4 has no element for it
        source = made.pop("informationSource", None)
        if source is not None:
            made["source"] = source
    elif made["resourceType"] == "SupplyDelivery":
        made["suppliedItem"] = made["suppliedItem"][0]
    return made

"""The samples of every format: the whole of what comes of them. Their README says where each shape is from."""

from typing import Any

import msgspec
import pytest

from tests.articles.reading import sample

CUP, STEM, OLD, PATCH = "09520001001000", "09520001001017", "09520001001024", "09520001001031"
BOX, CASE, OLD_BOX = "19520001001007", "59520001001005", "19520001001021"
USE, OTHER = "09520001001109", "09520001001123"
WITHDRAWN = {"status": "discontinued", "statusReason": "not in commercial distribution", "statusFrom": "2023-06-30"}
LABELLED = {"sterile": True, "singleUse": True, "lotRequired": True, "expiryRequired": True}
NORDIC = {
    "tradeName": "Nordic Cup",
    "description": "Acetabular cup, uncemented, 44 mm",
    "manufacturerName": "Example Orthopaedics AB",
    "catalogNumber": "1044-44",
}


def package(base: str, quantity: int, **more: object) -> dict[str, object]:
    return {"packageLevel": "package", "baseDeviceIdentifier": base, "baseQuantity": quantity, **more}


GUDID: dict[str, dict[str, Any]] = {
    CUP: {**NORDIC, **LABELLED},
    STEM: {
        "tradeName": "Nordic Stem",
        "description": "Femoral stem, size 9",
        "manufacturerName": "Example Orthopaedics AB",
        "catalogNumber": "NS-9",
        **LABELLED,
        "serialRequired": True,
    },
    OLD: {
        "tradeName": "Old Catheter",
        "description": "Catheter, withdrawn",
        "manufacturerName": "Example Vascular Inc",
        "catalogNumber": "77-001",
        **LABELLED,
        **WITHDRAWN,
    },
    "A99912345": {
        "issuer": "HIBCC",
        "tradeName": "HIBC Screw",
        "description": "Cortical screw 3.5 mm",
        "manufacturerName": "Example Screws GmbH",
        "catalogNumber": "HS1",
        "singleUse": True,
        "lotRequired": True,
        "expiryRequired": True,
    },
    "A9999XYZ100T0479": {  # of the form of a HIBC, too: identifiers.txt says whose it is
        "issuer": "ICCBBA",
        "tradeName": "Tissue Patch",
        "description": "Pericardial patch",
        "manufacturerName": "Example Tissue Bank",
        "catalogNumber": "TP-1",
        **LABELLED,
    },
    BOX: package(CUP, 5),
    CASE: package(CUP, 20),  # four boxes of five
    OLD_BOX: package(OLD, 10, **WITHDRAWN),
    USE: {"packageLevel": "unitOfUse", "baseDeviceIdentifier": STEM},
    "A99912346": package("A99912345", 12, issuer="HIBCC"),
    OTHER: {"packageLevel": "primary", "baseDeviceIdentifier": "A99912345"},
}
ACCESSGUDID: dict[str, dict[str, Any]] = {
    CUP: {**NORDIC, **LABELLED},
    BOX: {**NORDIC, **LABELLED, **package(CUP, 5)},
    CASE: {**NORDIC, **LABELLED, **package(CUP, 20)},
    OLD: {
        "tradeName": "Old Catheter",
        "manufacturerName": "Example Vascular Inc",
        "catalogNumber": "OC-1",
        **LABELLED,
        **WITHDRAWN,
    },
}
NO_LONGER = {"status": "discontinued", "statusReason": "no longer placed on the EU market"}
EXAMPLE = {"manufacturerName": "Example Orthopaedics AB"}
EUDAMED_SEARCH: dict[str, dict[str, Any]] = {
    CUP: {
        **EXAMPLE,
        "tradeName": "Nordisk skål 44 mm",
        "catalogNumber": "1044-44",
        "riskClass": "III",
        "sterile": True,
    },
    "E4942176111": {
        **EXAMPLE,
        "issuer": "HIBCC",
        "tradeName": "Bitgaffel",
        "catalogNumber": "2176",
        "riskClass": "I",
    },
    OLD: {**EXAMPLE, "tradeName": "Gammal kateter", "catalogNumber": "77-001", "riskClass": "IIa", **NO_LONGER},
    PATCH: {
        **EXAMPLE,
        "tradeName": "Äldre plåster",
        "catalogNumber": "P-1",
        "status": "discontinued",
        "statusReason": "not intended for the EU market",
    },
}
SKAL = {"tradeName": "Nordisk skål", "catalogNumber": "1044-44", **LABELLED}
EUDAMED_DETAIL: dict[str, dict[str, Any]] = {
    CUP: SKAL,
    "A99912345": {**SKAL, "issuer": "HIBCC", "packageLevel": "primary", "baseDeviceIdentifier": CUP},
    USE: {**SKAL, "packageLevel": "unitOfUse", "baseDeviceIdentifier": CUP},
    OLD: {
        "tradeName": "Gammal kateter",
        "catalogNumber": "77-001",
        "sterile": True,
        "singleUse": True,
        "serialRequired": True,
        **NO_LONGER,
        "statusFrom": "2024-01-15",
    },
}
DEFINED = {**NORDIC, "articleNumber": "VGR-1044", "lotRequired": True, "expiryRequired": True}
FHIR: dict[str, dict[str, Any]] = {
    CUP: DEFINED,
    "A99912345": {**DEFINED, "issuer": "HIBCC", "packageLevel": "primary", "baseDeviceIdentifier": CUP},
    BOX: {**DEFINED, **package(CUP, 5)},
    CASE: {**DEFINED, **package(CUP, 20)},
    STEM: {
        **EXAMPLE,
        "tradeName": "Nordic Stem",
        "lotRequired": True,
        "serialRequired": True,
        "status": "recalled",
        "statusReason": "recall of certain lots",
        "statusFrom": "2025-06-02",
    },
    OLD: {"catalogNumber": "P-7"},  # a corrective action that is no recall
}
PEPPOL: dict[str, dict[str, Any]] = {
    CUP: {
        **EXAMPLE,
        "articleNumber": "100-44",
        "tradeName": "Höftskål 44 mm",
        "description": "Acetabular cup & liner",
        "catalogNumber": "1044-44",
    },
    BOX: {
        **EXAMPLE,
        "articleNumber": "100-44-5",
        "tradeName": "Höftskål 44 mm, 5 st",
        "catalogNumber": "1044-44",
        **package(CUP, 5),
    },
    OLD: {
        **EXAMPLE,
        "articleNumber": "77",
        "tradeName": "Gammal kateter",
        "catalogNumber": "77-001",
        "status": "discontinued",
        "statusReason": "deleted from the supplier's catalogue",
    },
    "": {**EXAMPLE, "articleNumber": "KOMP-10", "tradeName": "Kompress"},  # its standard number is no GTIN
}
ITEM = {
    **EXAMPLE,
    "articleNumber": "VGR-1044",
    "description": "Höftskål 44 mm&liner",
    "catalogNumber": "1044-44",
    "implant": True,
    "consignment": True,
    "owner": "Example Supplier AB",
    "sterile": True,
    "expiryRequired": True,
}
HL7: dict[str, dict[str, Any]] = {
    CUP: ITEM,
    BOX: {**ITEM, **package(CUP, 5)},
    CASE: {**ITEM, **package(CUP, 20)},
    "VGR-77": {
        "description": "Gammal kateter",
        "manufacturerName": "Example Vascular Inc",
        "catalogNumber": "77-001",
        "status": "discontinued",
        "statusReason": "deactivated in the item master",
    },
    "VGR-5": {"description": "Kompress", "status": "discontinued", "statusReason": "inactive in the item master"},
    "VGR-6": {"description": "Borttagen", "status": "discontinued", "statusReason": "deleted from the item master"},
}


MORE = {"fhir": {"identifier_system": "urn:oid:1.2.752.0.0"}}


@pytest.mark.parametrize(
    ("file_format", "name", "expected"),
    [
        ("gudid", "gudid/device.txt", GUDID),
        ("accessgudid", "accessgudid.json", ACCESSGUDID),
        ("eudamed", "eudamed_search.json", EUDAMED_SEARCH),
        ("eudamed", "eudamed_detail.ndjson", EUDAMED_DETAIL),
        ("fhir", "fhir_bundle.json", FHIR),
        ("peppol", "peppol_catalogue.xml", PEPPOL),
        ("hl7-mfn", "item_master.hl7", HL7),
    ],
)
def test_sample(file_format: str, name: str, expected: dict[str, dict[str, object]]) -> None:
    wanted: dict[str, dict[str, object]] = {}
    for key, fields in expected.items():
        number = fields.get("articleNumber", key)
        own = {"deviceIdentifier": key, "issuer": "GS1"} if key[:1].isdigit() else {"articleNumber": number}
        own = {"deviceIdentifier": key} if "issuer" in fields else own
        wanted[key or str(number)] = {**own, **fields}
    found = {
        key: msgspec.to_builtins(article)
        for key, article in sample(file_format, name, **MORE.get(file_format, {})).items()
    }
    assert found == wanted

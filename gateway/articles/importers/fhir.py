"""FHIR DeviceDefinition of R5 or R4 as JSON: in a Bundle, a list, one a line (bulk export), or alone.

http://hl7.org/fhir/R5/devicedefinition.html, http://hl7.org/fhir/R4/devicedefinition.html. The file is read twice:
organisations may stand behind the devices that refer to them. A recall of some lots or serial numbers does not say
which: the whole article counts as recalled, and the reason says that the label decides.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Struct

from gateway.articles.importers.base import SourceRecord, unusable
from gateway.articles.importers.json_entries import JsonEntriesError, entries
from gateway.articles.reports import Rejection
from gateway.articles.settings import Field, SourceSettings

LISTS: Final = frozenset({"entry"})
NAMES: Final = ("registered-name", "user-friendly-name")
"""Types of deviceName that make the trade name, the better first."""
SCOPES: Final = {"lot-numbers": "of certain lots", "serial-numbers": "of certain serial numbers"}
MAX_ORGANISATIONS: Final = 10_000
"""Names of manufacturers kept from a Bundle; more than any hospital's suppliers."""
MAX_DEPTH: Final = 16
"""Packages inside each other."""


class _Udi(Struct, rename="camel"):
    device_identifier: str
    issuer: str = ""


class _Name(Struct):
    name: str
    type: str = ""


class _Identifier(Struct):
    value: str | None = None
    system: str | None = None


class _Reference(Struct):
    display: str | None = None
    reference: str | None = None


class _Packaging(Struct, rename="camel"):
    count: int | None = None
    udi_device_identifier: list[_Udi] = []
    packaging: "list[_Packaging]" = []


class _Period(Struct):
    start: str | None = None
    end: str | None = None


class _Contained(Struct, rename="camel"):
    resource_type: str = ""
    id: str | None = None
    name: str | None = None


class _CorrectiveAction(Struct):
    recall: bool
    scope: str = ""
    period: _Period | None = None


class _Definition(Struct, rename="camel"):
    description: str | None = None
    identifier: list[_Identifier] = []
    udi_device_identifier: list[_Udi] = []
    part_number: str | None = None
    model_number: str | None = None
    manufacturer: _Reference | None = None
    device_name: list[_Name] = []
    packaging: list[_Packaging] = []
    production_identifiers: list[str] = msgspec.field(name="productionIdentifierInUDI", default=[])
    corrective_action: _CorrectiveAction | None = None
    contained: list[_Contained] = []
    manufacturer_string: str | None = None
    """R4, as `manufacturerReference`."""
    manufacturer_reference: _Reference | None = None


def read_fhir(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Rejection]:
    """Yield each DeviceDefinition and its packages. SourceFileError: it is no JSON."""
    organisations: dict[str, str] = {}
    today = datetime.now(UTC).date().isoformat()
    try:
        if stream.seekable():
            _note_organisations(organisations, stream)
            stream.seek(0)
        for number, value in entries(stream, LISTS):
            resource: Any = value.get("resource", value) if isinstance(value, dict) else value
            kind = resource.get("resourceType") if isinstance(resource, dict) else None
            if kind == "DeviceDefinition":
                try:
                    definition = msgspec.convert(_of_r5(resource), _Definition)
                except msgspec.ValidationError as error:
                    yield Rejection(line=number, reason=f"no DeviceDefinition of R5 or R4: {error}")
                    continue
                texts = _texts(definition, organisations, source.identifier_system, today)
                yield from _records(number, definition, texts)
            elif kind is None:
                yield Rejection(line=number, reason="it is no FHIR resource: it has no resourceType")
    except JsonEntriesError as error:
        raise unusable(stream, source, str(error), "export it again") from error


def _note_organisations(organisations: dict[str, str], stream: BinaryIO) -> None:
    for _, value in entries(stream, LISTS):
        inside = value.get("resource", value) if isinstance(value, dict) else value
        if isinstance(inside, dict) and inside.get("resourceType") == "Organization":
            _remember(organisations, value, inside)


def _remember(organisations: dict[str, str], entry: Any, resource: Any) -> None:  # noqa: ANN401 - a JSON tree
    """Note the name of an Organization that devices behind it may refer to."""
    name = resource.get("name")
    if isinstance(name, str) and len(organisations) < MAX_ORGANISATIONS:
        organisations[f"Organization/{resource.get('id')}"] = name
        organisations[str(entry.get("fullUrl"))] = name


def _of_r5(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource without what R4 has under the same name in another form."""
    manufacturer = resource.get("manufacturer")
    return (
        resource if not isinstance(manufacturer, str) else {**resource, "manufacturer": {"display": manufacturer}}
    )


def _records(number: int, definition: _Definition, texts: dict[Field, str]) -> Iterator[SourceRecord | Rejection]:
    first = definition.udi_device_identifier[0] if definition.udi_device_identifier else None
    own: dict[Field, str] = {}
    if first is not None:
        own = {"deviceIdentifier": first.device_identifier, "issuer": _issuer(first)}
    yield SourceRecord(number, {**texts, **own})
    for other in definition.udi_device_identifier[1:]:
        yield _other(number, texts, other, first, level="primary", quantity="1")
    yield from _packages(number, texts, first, definition.packaging, 1)


def _packages(
    number: int, texts: dict[Field, str], base: _Udi | None, packagings: Sequence[_Packaging], depth: int
) -> Iterator[SourceRecord | Rejection]:
    if depth > MAX_DEPTH:
        yield Rejection(line=number, column="packaging", reason=f"more than {MAX_DEPTH} packages inside each other")
        return
    for packaging in packagings:
        quantity = _pieces(packaging, depth)
        for udi in packaging.udi_device_identifier:
            if base is None or udi.device_identifier != base.device_identifier:
                yield _other(number, texts, udi, base, level="package", quantity=quantity)
        yield from _packages(number, texts, base, packaging.packaging, depth + 1)


def _pieces(packaging: _Packaging, depth: int) -> str:
    """Return how many devices are in a package (its count times what is inside it), "" where it is not said."""
    if packaging.count is None or depth > MAX_DEPTH:
        return ""
    if not packaging.packaging:
        return str(packaging.count)
    inside = _pieces(packaging.packaging[0], depth + 1)
    return str(packaging.count * int(inside)) if inside and len(packaging.packaging) == 1 else ""


def _other(
    number: int, texts: dict[Field, str], udi: _Udi, base: _Udi | None, *, level: str, quantity: str
) -> SourceRecord:
    more: dict[Field, str] = {
        "deviceIdentifier": udi.device_identifier,
        "issuer": _issuer(udi),
        "packageLevel": level,
        "baseDeviceIdentifier": "" if base is None else base.device_identifier,
        "baseQuantity": quantity,
    }
    return SourceRecord(number, {**texts, **more})


def _manufacturer(definition: _Definition, organisations: dict[str, str]) -> str:
    inside = {f"#{one.id}": one.name or "" for one in definition.contained if one.resource_type == "Organization"}
    named = definition.manufacturer or definition.manufacturer_reference or _Reference()
    reference = named.reference or ""
    return (
        definition.manufacturer_string
        or named.display
        or inside.get(reference)
        or organisations.get(reference)
        or organisations.get("/".join(reference.split("/")[-2:]), "")
    )


def _is_over(period: _Period | None, today: str) -> bool:
    """Return whether a corrective action ended before today; one without an end goes on."""
    return period is not None and period.end is not None and period.end[:10] < today[: len(period.end[:10])]


def _texts(
    definition: _Definition, organisations: dict[str, str], system: str | None, today: str
) -> dict[Field, str]:
    """Return what holds for the device and its packages alike."""
    names = {name.type: name.name for name in reversed(definition.device_name)}
    required = definition.production_identifiers
    texts: dict[Field, str] = {
        "articleNumber": next(
            (one.value for one in definition.identifier if one.value and system and one.system == system), ""
        ),
        "tradeName": next(filter(None, [*map(names.get, NAMES), *names.values()]), ""),
        "description": definition.description or "",
        "manufacturerName": _manufacturer(definition, organisations),
        "catalogNumber": definition.part_number or definition.model_number or "",
        "lotRequired": "1" if "lot-number" in required else "",
        "serialRequired": "1" if "serial-number" in required else "",
        "expiryRequired": "1" if "expiration-date" in required else "",
    }
    action = definition.corrective_action
    if action is not None and action.recall and not _is_over(action.period, today):
        begun = "" if action.period is None else (action.period.start or "")[:10]
        texts["status"] = "recalled"
        texts["statusReason"] = f"recall {SCOPES[action.scope]}" if action.scope in SCOPES else "recall"
        texts["statusFrom"] = begun if len(begun) == len("YYYY-MM-DD") else ""
    return texts


def _issuer(udi: _Udi) -> str:
    """Return the issuing agency that an issuer's URI names, "" for one the master cannot tell."""
    uri = udi.issuer.casefold()
    return next((agency for agency in ("GS1", "HIBCC", "ICCBBA", "IFA") if agency.casefold() in uri), "")

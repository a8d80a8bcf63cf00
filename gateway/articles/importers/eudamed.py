"""EUDAMED's JSON: devices as its public search (`content`) or its export (`value`) lists them, or a detail a line.

A search result has the plain facts; the detail of a device adds which production identifiers its label carries and
its other identifiers, and its packages: `containedItem` is a tree that begins with the device itself, and each item's
`containedItems` are the packages that hold `numberOfItems` of it. HIBC identifiers stand there without `+`.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from gateway.articles.importers.base import SourceRecord, unusable
from gateway.articles.importers.json_entries import JsonEntriesError, entries
from gateway.articles.importers.packaging import MAX_DEPTH
from gateway.articles.reports import Rejection
from gateway.articles.settings import Field, SourceSettings

LISTS: Final = frozenset({"content", "value"})
LANGUAGES: Final = ("sv", "en")
"""Of a text in several languages, the first of these that is there, else whichever comes first."""
STATUSES: Final[dict[str, tuple[str, str]]] = {
    "": ("", ""),
    "on-the-market": ("", ""),
    "no-longer-placed-on-the-market": ("discontinued", "no longer placed on the EU market"),
    "not-intended-for-eu-market": ("discontinued", "not intended for the EU market"),
    "not-placed-on-the-market": ("discontinued", "not placed on the EU market"),
}
"""End of `refdata.device-model-status.*` -> status and its reason."""
RISK_CLASSES: Final = frozenset({"i", "iia", "iib", "iii", "a", "b", "c", "d"})
"""Ends of `refdata.risk-class.class-*` the master knows; those of the older directives are left out."""


class _Code(Struct):
    code: str | None = None


class _Language(Struct, rename="camel"):
    iso_code: str | None = None


class _Text(Struct):
    text: str | None = None
    language: _Language | None = None


class _Texts(Struct, rename="camel"):
    texts: list[_Text] | None = None
    text_by_default_language: str | None = None


class _Identifier(Struct, rename="camel"):
    code: str | None = None
    issuing_agency: _Code | None = None


class _Status(Struct, rename="camel"):
    type: _Code | None = None
    status_date: str | None = None


class _ProductionIdentifiers(Struct, rename="camel"):
    batch_number: bool | None = None
    serialization_number: bool | None = None
    expiration_date: bool | None = None


class _Item(Struct, rename="camel"):
    """The device, or a package."""

    item_identifier: _Identifier | None = None
    number_of_items: int | None = None
    item_status: _Code | None = None
    contained_items: list["_Item"] | None = None
    """The packages that hold it."""


class _Device(Struct, rename="camel"):
    primary_di: str | _Identifier
    issuing_agency: _Code | str | None = None
    basic_udi: str | _Identifier | None = None
    latest_version: bool | None = None
    trade_name: str | _Texts | None = None
    additional_description: str | _Texts | None = None
    manufacturer_name: str | None = None
    reference: str | None = None
    risk_class: _Code | None = None
    device_status_type: _Code | None = None
    device_status: _Status | None = None
    sterile: bool | None = None
    single_use: bool | None = None
    implantable: bool | None = None
    udi_pi_type: _ProductionIdentifiers | None = None
    secondary_di: _Identifier | None = None
    direct_marking_di: _Identifier | None = None
    unit_of_use: _Identifier | None = None
    contained_item: _Item | None = None


def read_eudamed(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Rejection]:
    """Yield each device in its latest version, and its other identifiers. SourceFileError: it is no JSON."""
    try:
        for number, value in entries(stream, LISTS):
            try:
                device = msgspec.convert(value, _Device, strict=False)
            except msgspec.ValidationError as error:
                yield Rejection(line=number, reason=f"no device of EUDAMED: {error}")
                continue
            if device.latest_version is not False:
                yield from _records(number, device)
    except JsonEntriesError as error:
        raise unusable(stream, source, str(error), "fetch it again") from error


def _records(number: int, device: _Device) -> Iterator[SourceRecord | Rejection]:
    if isinstance(device.primary_di, str):
        identifier, issuer = device.primary_di, _agency(device.issuing_agency) or _agency_of(device.basic_udi)
    else:
        identifier, issuer = device.primary_di.code or "", _agency(device.primary_di.issuing_agency)
    texts = _device_texts(device)
    yield SourceRecord(number, {**texts, "deviceIdentifier": identifier, "issuer": issuer})
    others = (
        ("primary", device.secondary_di),
        ("primary", device.direct_marking_di),
        ("unitOfUse", device.unit_of_use),
    )
    for level, other in others:
        if other is not None and other.code and other.code != identifier:
            more: dict[Field, str] = {
                "deviceIdentifier": other.code,
                "issuer": _agency(other.issuing_agency),
                "packageLevel": level,
                "baseDeviceIdentifier": identifier,
            }
            yield SourceRecord(number, {**texts, **more})
    if device.contained_item is not None:
        yield from _packages(number, texts, identifier, device.contained_item.contained_items or [], {identifier})


def _packages(
    number: int, texts: dict[Field, str], inside: str, packages: list[_Item], within: set[str]
) -> Iterator[SourceRecord | Rejection]:
    """Yield the packages that hold `inside`, and those that hold them. `within`: what is in each of them."""
    for package in packages:
        identifier = package.item_identifier or _Identifier()
        code = identifier.code or ""
        if not code or code in within or len(within) > MAX_DEPTH:
            reason = f"a package of {inside[:40]} has the identifier of what is in it, or none"
            yield Rejection(line=number, column="containedItem", reason=reason)
            continue
        more: dict[Field, str] = {
            "deviceIdentifier": code,
            "issuer": _agency(identifier.issuing_agency),
            "packageLevel": "package",
            "baseDeviceIdentifier": inside,
            "baseQuantity": "" if package.number_of_items is None else str(package.number_of_items),
        }
        if package.item_status is not None:
            more |= _status_texts(package.item_status, "")
        yield SourceRecord(number, {**texts, **more})
        yield from _packages(number, texts, code, package.contained_items or [], {*within, code})


def _status_texts(status: _Code | None, when: str) -> dict[Field, str]:
    word = _end(status)
    barred, reason = STATUSES.get(word, (word, ""))
    return {"status": barred, "statusReason": reason, "statusFrom": when if barred else ""}


def _device_texts(device: _Device) -> dict[Field, str]:
    when = ""
    status = device.device_status_type
    if device.device_status is not None:
        status = device.device_status.type or status
        when = (device.device_status.status_date or "")[:10]
    risk = _end(device.risk_class).removeprefix("class-")
    required = device.udi_pi_type or _ProductionIdentifiers()
    return {
        "tradeName": _text(device.trade_name),
        "description": _text(device.additional_description),
        "manufacturerName": device.manufacturer_name or "",
        "catalogNumber": device.reference or "",
        "riskClass": risk if risk in RISK_CLASSES else "",
        "implant": "1" if device.implantable else "",
        "sterile": "1" if device.sterile else "",
        "singleUse": "1" if device.single_use else "",
        "lotRequired": "1" if required.batch_number else "",
        "serialRequired": "1" if required.serialization_number else "",
        "expiryRequired": "1" if required.expiration_date else "",
        **_status_texts(status, when),
    }


def _end(code: _Code | None) -> str:
    """Return the last part of a `refdata.list.word`."""
    return "" if code is None or code.code is None else code.code.rpartition(".")[2]


def _agency(code: _Code | str | None) -> str:
    return _end(_Code(code)) if isinstance(code, str) else _end(code)


def _agency_of(basic_udi: str | _Identifier | None) -> str:
    """Return the agency that a Basic UDI-DI's own form tells; "" where it does not.

    HIBC's begins with `++` (HIBC Basic UDI-DI specification); search results often lack the agency.
    """
    text = basic_udi.code or "" if isinstance(basic_udi, _Identifier) else basic_udi or ""
    return "HIBCC" if text.startswith("++") else ""


def _text(text: str | _Texts | None) -> str:
    if text is None or isinstance(text, str):
        return text or ""
    by_language = {
        one.language.iso_code if one.language is not None else None: one.text
        for one in text.texts or ()
        if one.text
    }
    choices = [*map(by_language.get, LANGUAGES), text.text_by_default_language, *by_language.values()]
    return next(filter(None, choices), "")

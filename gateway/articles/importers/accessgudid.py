"""AccessGUDID's JSON: devices as `devices/lookup.json` answers, in a list, one a line, or alone.

dunsNumber and gmdnTerms are not read: they are others' property.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Struct

from gateway.articles.importers.base import SourceRecord, unusable
from gateway.articles.importers.gudid import LEVELS, status_texts
from gateway.articles.importers.json_entries import JsonEntriesError, entries
from gateway.articles.importers.packaging import Content, pieces
from gateway.articles.reports import Rejection
from gateway.articles.settings import Field, SourceSettings

LISTS: Final = frozenset({"devices", "results"})


class _Identifier(Struct, rename="camel"):
    device_id: str
    device_id_type: str
    device_id_issuing_agency: str = ""
    contains_di_number: str | None = msgspec.field(name="containsDINumber", default=None)
    pkg_quantity: str | int | None = None
    pkg_discontinue_date: str | None = None
    pkg_status: str | None = None


class _Identifiers(Struct):
    identifier: list[_Identifier] | _Identifier
    """One that stands alone is no list: the JSON was made from XML."""


class _Sterilization(Struct, rename="camel"):
    device_sterile: bool | None = None


class _Device(Struct, rename="camel"):
    identifiers: _Identifiers
    brand_name: str | None = None
    version_model_number: str | None = None
    catalog_number: str | None = None
    company_name: str | None = None
    device_description: str | None = None
    device_comm_distribution_status: str | None = None
    device_comm_distribution_end_date: str | None = None
    single_use: bool | None = None
    implant_flag: bool | str | None = None
    lot_batch: bool | None = None
    serial_number: bool | None = None
    expiration_date: bool | None = None
    sterilization: _Sterilization | None = None


def read_accessgudid(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Rejection]:
    """Yield each device and its other identifiers. SourceFileError: it is no JSON."""
    try:
        for number, value in entries(stream, LISTS):
            try:
                device = msgspec.convert(_unwrapped(value), _Device, strict=False)
            except msgspec.ValidationError as error:
                yield Rejection(line=number, reason=f"no device of AccessGUDID: {error}")
                continue
            yield from _records(number, device)
    except JsonEntriesError as error:
        raise unusable(stream, source, str(error), "fetch it again") from error


def _unwrapped(value: Any) -> Any:  # noqa: ANN401 - a JSON tree
    for key in ("gudid", "device"):
        if isinstance(value, dict) and isinstance(value.get(key), dict):
            value = value[key]
    return value


def _records(number: int, device: _Device) -> Iterator[SourceRecord | Rejection]:
    listed = device.identifiers.identifier
    listed = listed if isinstance(listed, list) else [listed]
    primary = next((one for one in listed if one.device_id_type.casefold() == "primary"), None)
    if primary is None:
        yield Rejection(line=number, column="deviceIdType", reason="the device has no primary identifier")
        return
    texts = _texts(device)
    own: dict[Field, str] = {"deviceIdentifier": primary.device_id, "issuer": primary.device_id_issuing_agency}
    status = status_texts(
        device.device_comm_distribution_status or "", device.device_comm_distribution_end_date or ""
    )
    yield SourceRecord(number, {**texts, **own, **status})
    contents = {
        one.device_id: Content(one.contains_di_number or "", str(one.pkg_quantity or ""))
        for one in listed
        if one.device_id_type.casefold() == "package"
    }
    for one in listed:
        level = LEVELS.get(one.device_id_type.casefold())
        if level is None:
            continue
        count = pieces(contents[one.device_id], primary.device_id, contents) if level == "package" else "1"
        if count is None:
            reason = (
                f"{one.device_id[:40]} contains {str(one.contains_di_number)[:40]}, which is not listed with it"
            )
            yield Rejection(line=number, column="containsDINumber", reason=reason)
            continue
        package: dict[Field, str] = {
            "deviceIdentifier": one.device_id,
            "issuer": one.device_id_issuing_agency,
            "packageLevel": level,
            "baseDeviceIdentifier": primary.device_id,
            "baseQuantity": count,
        }
        ended = status_texts(one.pkg_status or "", one.pkg_discontinue_date or "")
        yield SourceRecord(number, {**texts, **package, **(ended or status)})


def _texts(device: _Device) -> dict[Field, str]:
    """Return what holds for the device and its packages alike."""
    sterile = device.sterilization is not None and device.sterilization.device_sterile
    return {
        "tradeName": device.brand_name or "",
        "description": device.device_description or "",
        "manufacturerName": device.company_name or "",
        "catalogNumber": device.catalog_number or device.version_model_number or "",
        "sterile": "1" if sterile else "",
        "singleUse": "1" if device.single_use else "",
        "implant": "1" if str(device.implant_flag).casefold() in {"y", "yes", "true", "1"} else "",
        "lotRequired": "1" if device.lot_batch else "",
        "serialRequired": "1" if device.serial_number else "",
        "expiryRequired": "1" if device.expiration_date else "",
    }

"""What is plugged in, which `[[scanner]]` reads it, and what to write to read what none does."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drivers.base import ScannerSettings
from drivers.hardware import DRIVER_OF, SUBSYSTEM_OF, Bare, Device, choose, devices, identity_of
from drivers.model import ConnectionState, ScannerIdentity
from drivers.vendors import maker

InventoryRow = dict[str, Any]
"""name, driver, device, state, hardware, why, calibrated, gsSeen; name is None for a device that is left alone."""

UNTOUCHED = "left alone"
NO_NODE = "wrong mode"
"""Plugged in, and in a mode in which it is no serial port, keyboard or HID POS device."""


def everything() -> list[Device]:
    """Look for every device that could be a scanner's."""
    return [device for subsystem in DRIVER_OF for device in devices(subsystem)]


def from_configuration(scanners: Iterable[ScannerSettings]) -> Iterator[InventoryRow]:
    """Yield the configured scanners while no daemon can be asked: what would be read."""
    for settings in scanners:
        row: InventoryRow = {
            "name": settings.name,
            "driver": settings.driver,
            "device": settings.device,
            "match": None if settings.match is None else msgspec.to_builtins(settings.match),
            "calibrated": None,
            "gsSeen": None,
            "failure": None,
        }
        if settings.driver == "replay":
            there = Path(settings.device or "").exists()
            yield {
                **row,
                "link": "a recording" if there else ConnectionState.MISSING.value,
                "detail": None,
                "identity": None,
            }
            continue
        subsystem = SUBSYSTEM_OF[settings.driver]
        choice = choose(settings, subsystem)
        identity = None if choice.path is None else identity_of(choice.path, subsystem)
        yield {
            **row,
            "link": ConnectionState.MISSING.value if choice.path is None else "plugged in",
            "detail": choice.detail or None,
            "identity": msgspec.to_builtins(identity or ScannerIdentity()),
        }


def listing(
    configured: Iterable[Mapping[str, Any]], plugged_in: Sequence[Device], bare: Iterable[Bare] = ()
) -> list[InventoryRow]:
    """Join the configured scanners, as the daemon tells of them, with what is plugged in."""
    rows: list[InventoryRow] = []
    read: set[str] = set()
    for one in configured:
        identity = one["identity"] or {}
        path = identity.get("device") or one["device"]
        if path is not None:
            read.add(_node(path))
        rows.append(
            {
                **one,
                "device": path or _match(one["match"] or {}),
                "state": one["link"],
                "hardware": hardware(identity),
                "why": one["failure"] or one["detail"],
            }
        )
    rows.extend(_untouched(device, plugged_in) for device in plugged_in if _node(device.path) not in read)
    rows.extend(_bare(device) for device in bare)
    return rows


def hardware(identity: Mapping[str, str | None]) -> str | None:
    """Say in a word which piece of hardware it is."""
    usb = f"{identity['vendor']}:{identity['product']}" if identity.get("vendor") else None
    return " ".join(part for part in (usb, identity.get("serial"), identity.get("port")) if part) or None


def _untouched(device: Device, plugged_in: Sequence[Device]) -> InventoryRow:
    identity = msgspec.to_builtins(device.identity)
    return {
        "name": None,
        "driver": DRIVER_OF[device.subsystem],
        "device": device.path,
        "match": None,
        "state": UNTOUCHED,
        "hardware": " ".join(
            part for part in (device.name or maker(device.identity.vendor), hardware(identity)) if part
        )
        or None,
        "identity": identity,
        "calibrated": None,
        "gsSeen": None,
        "why": _why(device, plugged_in),
    }


def _bare(device: Bare) -> InventoryRow:
    """Return the row of a scanner in a mode that has no node."""
    identity = msgspec.to_builtins(device.identity)
    return {
        "name": None,
        "driver": None,
        "device": None,
        "match": None,
        "state": NO_NODE,
        "hardware": " ".join(part for part in (device.name, hardware(identity)) if part) or None,
        "identity": identity,
        "calibrated": None,
        "gsSeen": None,
        "why": f"it is plugged in, {device.advice}",
    }


def _why(device: Device, plugged_in: Sequence[Device]) -> str:
    if device.unreadable is not None:
        return f"it cannot be read: {device.unreadable}"
    driver = DRIVER_OF[device.subsystem]
    return f'no [[scanner]] names it; to read it: driver = "{driver}", {_setting(device, plugged_in)}'


def _setting(device: Device, plugged_in: Sequence[Device]) -> str:
    """Return the setting that names this device and no other one that is plugged in."""
    identity = device.identity
    if identity.vendor is None or identity.product is None:
        return f'device = "{device.path}"'
    alike = [
        other.identity
        for other in plugged_in
        if other.subsystem == device.subsystem
        and other.unreadable is None
        and (other.identity.vendor, other.identity.product) == (identity.vendor, identity.product)
    ]
    match = {"vendor": identity.vendor, "product": identity.product}
    if len(alike) > 1:
        by_serial = identity.serial and [other.serial for other in alike].count(identity.serial) == 1
        key, value = ("serial", identity.serial) if by_serial else ("port", identity.port)
        if value is not None:
            match[key] = value
    return f"match = {_match(match)}"


def _match(match: Mapping[str, str | None]) -> str:
    return "{ " + ", ".join(f'{key} = "{value}"' for key, value in match.items() if value is not None) + " }"


def _node(path: str) -> str:
    try:
        return str(Path(path).resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links
        return path

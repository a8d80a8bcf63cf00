"""Makers of barcode scanners by USB vendor id, and what is known of the modes of their scanners.

From this table come the udev rules (`drivers.udev_rules`), the names in `scangate scanners list` and what it says
of a scanner in a mode that has no device node. Vendor ids: the usb.ids list (2025-07-26) and the makers' documents.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

_ANY_GUIDE: Final = (
    "the programming barcode for a USB serial port (CDC, virtual COM port) in the guide of its model"
)
_HONEYWELL: Final = "`USB Serial` (TERMID130) among the Plug and Play codes in the user's guide of its model"
_ZEBRA: Final = "`CDC COM Port Emulation` under USB Device Type in the product reference guide of its model"
_DATALOGIC: Final = "`USB-COM-STD` under Interface Selection in the product reference guide of its model"


class Vendor(Struct, frozen=True):
    """One USB vendor id."""

    name: str
    serial_mode: str = _ANY_GUIDE
    """Which barcode makes its scanners serial ports. Never the barcode itself: it differs between models."""
    modes: Mapping[str, str] = MappingProxyType({})
    """USB product id -> the mode that it stands for. Other models have other product ids."""


VENDORS: Final[Mapping[str, Vendor]] = MappingProxyType(
    {
        "0536": Vendor("Hand Held Products (Honeywell)", _HONEYWELL),
        "05e0": Vendor(
            "Symbol Technologies (Zebra)",
            _ZEBRA,
            {"1200": "HID keyboard", "1701": "CDC serial port", "1900": "SNAPI (for Zebra's own drivers)"},
        ),
        "05f9": Vendor(
            "PSC Scanning (Datalogic)",
            _DATALOGIC,
            {"2206": "HID keyboard", "4204": "USB-COM serial port", "1206": "IBM/OEM point of sale"},
        ),
        "065a": Vendor("Optoelectronics (Opticon)"),
        "067e": Vendor("Intermec (Honeywell)", _HONEYWELL),
        "0745": Vendor("Syntech (CipherLab)"),
        "080c": Vendor("Datalogic S.p.A.", _DATALOGIC),
        "08fb": Vendor("Socket Communications"),
        "0c2e": Vendor("Metrologic (Honeywell)", _HONEYWELL),
        "0db5": Vendor("Access-IS"),
        "11fa": Vendor(
            "Code Corporation",
            _ANY_GUIDE,
            {"0200": "HID keyboard", "0206": "HID POS", "0215": "CDC serial port", "0204": "VCOM serial port"},
        ),
        "1777": Vendor("Microscan"),
        "1eab": Vendor(
            "Fujian Newland", _ANY_GUIDE, {"1e03": "HID keyboard", "1e06": "CDC serial port", "1e10": "HID POS"}
        ),
        "23d0": Vendor("Youjie (Honeywell)", _HONEYWELL),
        "27dd": Vendor("Mindeo"),
    }
)


def maker(vendor: str | None) -> str:
    """Return the maker's name for a USB vendor id; empty where it is none of the table."""
    known = VENDORS.get(vendor or "")
    return known.name if known else ""


def mode_of(vendor: str | None, product: str | None) -> str:
    """Return the mode that a product id stands for; empty where it is not known."""
    known = VENDORS.get(vendor or "")
    return known.modes.get(product or "", "") if known else ""


def to_serial(vendor: str | None) -> str:
    """Return which barcode makes a vendor's scanner a serial port."""
    known = VENDORS.get(vendor or "")
    return known.serial_mode if known else _ANY_GUIDE

"""The one place that knows every driver and dialect. Each is imported when a scanner needs it, not before."""

import difflib
import importlib
from collections.abc import Callable, Mapping
from typing import cast

from drivers.base import Dialect, Scanner, ScannerSettings, UnknownDriverError

DRIVERS: Mapping[str, str] = {
    "serial": "drivers.serial_port:SerialScanner",
    "hid-keyboard": "drivers.hid_keyboard:HidKeyboardScanner",
    "hid-pos": "drivers.hid_pos:HidPosScanner",
    "replay": "drivers.replay:ReplayScanner",
}
"""`driver` of the configuration -> module and class, built from ScannerSettings and a Dialect."""

DIALECTS: Mapping[str, str] = {
    "plain": "drivers.dialects.plain:PlainDialect",
    "honeywell": "drivers.dialects.honeywell:HoneywellDialect",
    "zebra-ssi": "drivers.dialects.zebra_ssi:ZebraSsiDialect",
    "datalogic": "drivers.dialects.datalogic:DatalogicDialect",
}
"""`dialect` of the configuration -> module and class, built from ScannerSettings."""

FEEDBACK: Mapping[str, tuple[str, ...]] = {
    "plain": ("beep", "none"),
    "honeywell": ("beep", "host-ack", "none"),
    "zebra-ssi": ("beep", "none"),
    "datalogic": ("beep", "cordless", "none"),
}
"""`dialect` -> the values of `feedback` that mean something to it. To a plain scanner none does; `beep` is every
scanner's default."""


def open_scanner(settings: ScannerSettings) -> Scanner:
    """Return the scanner that the settings describe; the first `read` opens its device.

    Raises UnknownDriverError where no driver or dialect has the name the settings give.
    """
    driver = cast(
        "Callable[[ScannerSettings, Dialect], Scanner]", _load(DRIVERS, "driver", settings.driver, settings)
    )
    return driver(settings, dialect_for(settings))


def dialect_for(settings: ScannerSettings) -> Dialect:
    """Return a new dialect for the scanner. Raises UnknownDriverError."""
    dialect = cast("Callable[[ScannerSettings], Dialect]", _load(DIALECTS, "dialect", settings.dialect, settings))
    return dialect(settings)


def _load(known: Mapping[str, str], key: str, name: str, settings: ScannerSettings) -> object:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        allowed = ", ".join(f'"{one}"' for one in sorted(known))
        raise UnknownDriverError(
            "use",
            f"scanner {settings.name!r}",
            f'there is no {key} "{name}"',
            f'did you mean "{near[0]}"?' if near else f"{key} is one of {allowed}",
            recoverable=False,
        )
    module, _, attribute = known[name].partition(":")
    return getattr(importlib.import_module(module), attribute)

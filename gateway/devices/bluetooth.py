"""What a scanner on Bluetooth needs of the box: an adapter, BlueZ, and a link."""

import re
import shutil
from collections.abc import Iterable
from typing import Final

from drivers import hardware
from drivers.base import ScannerSettings

ADDRESS: Final = re.compile(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")


def wanted(scanners: Iterable[ScannerSettings]) -> list[str]:
    """Return the names of the scanners that the configuration finds on Bluetooth."""
    return [
        one.name
        for one in scanners
        if (one.device or "").startswith("/dev/rfcomm")
        or (one.match is not None and ADDRESS.fullmatch(one.match.serial or ""))
    ]


def missing() -> tuple[str, str] | None:
    """Return what the box lacks for Bluetooth, and what to do about it; None where it lacks nothing."""
    if shutil.which("bluetoothctl", path="/usr/bin:/bin:/usr/local/bin") is None:
        return "BlueZ is not installed", "apt install bluez"
    adapters = hardware.SYSFS / "bluetooth"
    if not any(adapters.glob("hci*")):
        return "no Bluetooth adapter is there", "plug one in, or switch it on (rfkill unblock bluetooth)"
    return None

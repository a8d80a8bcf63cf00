"""Which USB device stands behind a device node, as sysfs and udev's links tell it. Best effort: never raises."""

import re
from pathlib import Path

from drivers.model import ScannerIdentity

SYSFS_TTY = Path("/sys/class/tty")
BY_PATH = Path("/dev/serial/by-path")

_USB_INTERFACE = re.compile(r"(?P<bus>\d+)-(?P<ports>[\d.]+):(?P<interface>\d+\.\d+)")
"""Name of a USB interface's folder in sysfs, such as `1-1.2:1.0`."""
_SERIAL_PORT_SUFFIX = re.compile(r"-port\d+$")
"""What udev appends to ID_PATH for each port of a USB serial adapter."""


def tty_identity(device: str, sysfs: Path = SYSFS_TTY, by_path: Path = BY_PATH) -> ScannerIdentity:
    """Return what is known of the serial device at the path `device`; None for what is not."""
    node = _resolve(Path(device))
    folder = _resolve(sysfs / node.name / "device")
    usb = next((parent for parent in (folder, *folder.parents) if _text(parent / "idVendor")), None)
    return ScannerIdentity(
        device=device,
        vendor=_text(usb / "idVendor") if usb else None,
        product=_text(usb / "idProduct") if usb else None,
        serial=_text(usb / "serial") if usb else None,
        port=_id_path(node, by_path) or (_port_in_sysfs(folder) if usb else None),
    )


def _id_path(node: Path, by_path: Path) -> str | None:
    """Return udev's ID_PATH of a node: the name of its link, without the adapter's port number."""
    try:
        names = [link.name for link in by_path.iterdir() if _resolve(link) == node]
    except OSError:
        return None
    # Newer udev makes a second link that names the USB revision (`usbv2`); the older name is the one that lasts.
    names.sort(key=lambda name: ("-usbv" in name, name))
    return _SERIAL_PORT_SUFFIX.sub("", names[0]) if names else None


def _port_in_sysfs(folder: Path) -> str | None:
    """Return the end of an ID_PATH, which sysfs tells without udev; it lacks the name of the host controller."""
    for part in reversed(folder.parts):
        if match := _USB_INTERFACE.fullmatch(part):
            return f"usb-0:{match['ports']}:{match['interface']}"
    return None


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL in the name
        return path


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except (OSError, ValueError):
        return None

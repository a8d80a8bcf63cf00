"""Which scanners are plugged in, which USB device stands behind a node, and which node is a configured scanner's.

Everything comes from sysfs, so that it works without udev too. Nothing here opens a device: what the configuration
does not name is left alone.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from drivers.base import DeviceMatch, ScannerSettings
from drivers.model import ConnectionState, ScannerIdentity
from drivers.vendors import VENDORS, maker, mode_of, to_serial

Subsystem = Literal["tty", "input", "hidraw"]

SYSFS = Path("/sys/class")
DEV = Path("/dev")

MAX_DESCRIPTOR_BYTES: Final = 4096
"""HID_MAX_DESCRIPTOR_SIZE of Linux (include/uapi/linux/hid.h)."""

DRIVER_OF: Final[dict[Subsystem, str]] = {"tty": "serial", "input": "hid-keyboard", "hidraw": "hid-pos"}
"""`driver` of the configuration that reads the nodes of a subsystem."""
SUBSYSTEM_OF: Final[dict[str, Subsystem]] = {driver: subsystem for subsystem, driver in DRIVER_OF.items()}

_KIND: Final[dict[Subsystem, str]] = {
    "tty": "serial port",
    "input": "keyboard",
    "hidraw": "HID point-of-sale scanner",
}
_NODES: Final[dict[Subsystem, tuple[str, str]]] = {
    "tty": ("tty", ""),
    "input": ("event", "input"),
    "hidraw": ("hidraw", ""),
}
"""Subsystem -> how its nodes' names begin, and their folder below /dev."""
_RADIO: Final = ("rfcomm",)
"""Serial ports over Bluetooth (SPP)."""
LINK_DOWN: Final = "its Bluetooth link is down: press its trigger, or pair it again (bluetoothctl)"
_USB_NAME: Final = re.compile(r"\d+-(?P<ports>[\d.]+(?::\d+\.\d+)?)")
"""Name of a USB device's or interface's folder in sysfs, such as `1-1.2` or `1-1.2:1.0`."""
_HID: Final = re.compile(r"^HID_(ID|UNIQ|NAME)=(.+)$", re.MULTILINE)
_HID_ID: Final = re.compile(r"(?P<bus>[0-9A-F]{4}):0*(?P<vendor>[0-9A-F]{4}):0*(?P<product>[0-9A-F]{4})")
_BLUETOOTH: Final = "0005"
"""BUS_BLUETOOTH (include/uapi/linux/input.h)."""
_TYPING_KEYS: Final = (16, 28, 30)
"""KEY_Q, KEY_ENTER, KEY_A (linux/input-event-codes.h): what has these types text; media keys and mice do not."""
_HID_POS_PAGE: Final = (b"\x05\x8c", b"\x06\x8c\x00")
"""Global item `Usage Page (Bar Code Scanner)` of a report descriptor, with one byte of data and with two (HID 1.11,
6.2.2.7; HID POS 1.02)."""


class Choice(Struct, frozen=True, kw_only=True):
    """Which node a configured scanner is to be read from."""

    path: str | None
    """None: none, and `connection` and `detail` say why."""
    others: tuple[str, ...] = ()
    """Further nodes of the same interface, which the scanner may use as well."""
    connection: ConnectionState = ConnectionState.MISSING
    detail: str = ""
    """What to do about it, for a person."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every node to be opened."""
        return () if self.path is None else (self.path, *self.others)


class Device(Struct, frozen=True, kw_only=True):
    """One node that could be a scanner's."""

    subsystem: Subsystem
    path: str
    identity: ScannerIdentity
    name: str = ""
    """What the device calls itself."""
    unreadable: str | None = None
    """Why its codes cannot be read, though it speaks of bar codes; None: as far as is known, they can."""


def choose(settings: ScannerSettings, subsystem: Subsystem) -> Choice:
    """Return the node of a scanner, or why there is none. Opens nothing, never raises."""
    if settings.device is not None:
        if not _exists(Path(settings.device)):
            return Choice(
                path=None, detail=f"{settings.device} is not there: plug the scanner in, or correct `device`"
            )
        return _linked([settings.device], subsystem)
    match = settings.match or DeviceMatch()
    if match == DeviceMatch():
        return Choice(path=None, detail="neither `device` nor `match` says which device it is")
    there = devices(subsystem)
    fitting = [device for device in there if device.unreadable is None and fits(match, device.identity)]
    if not fitting:
        return Choice(path=None, detail=_absent(match, subsystem, there))
    one_interface = len({replace(device.identity, device=None) for device in fitting}) == 1
    if len(fitting) == 1 or (subsystem == "input" and one_interface):
        # Several keyboards of one interface are one scanner, which may type on any of them.
        return _linked([device.path for device in fitting], subsystem)
    return Choice(path=None, detail=_ambiguous(match, fitting))


def _linked(paths: Sequence[str], subsystem: Subsystem) -> Choice:
    """Return the nodes, but not those of a Bluetooth device whose link is down."""
    if subsystem != "tty" and is_bluetooth(paths[0], subsystem) and not bluetooth_connected():
        return Choice(path=None, detail=LINK_DOWN)
    return Choice(path=paths[0], others=tuple(paths[1:]), connection=ConnectionState.CONNECTED)


def identity_of(path: str, subsystem: Subsystem) -> ScannerIdentity:
    """Return what is known of the device at a path; None for what is not. Never raises."""
    entry = SYSFS / subsystem / _resolve(Path(path)).name
    return ScannerIdentity(device=path) if entry == SYSFS / subsystem else _identity_at(path, entry)


def _identity_at(path: str, entry: Path) -> ScannerIdentity:
    if address := _text(entry / "address"):
        return ScannerIdentity(device=path, serial=_shown(address))
    return _identity(path, _resolve(entry / "device"))


def is_bluetooth(path: str, subsystem: Subsystem) -> bool:
    """Return whether a HID device at a path is a Bluetooth one."""
    return _hid(_resolve(SYSFS / subsystem / _resolve(Path(path)).name / "device")).get("bus") == _BLUETOOTH


def bluetooth_connected() -> bool:
    """Return whether any Bluetooth device is connected; True where the kernel does not say.

    Since BlueZ 5.77 a keyboard's node may outlive its link. Which device a connection (`hci0:256`) is to, sysfs
    does not tell: with several devices, one that is away is noticed only when its node goes.
    """
    entries = [entry.name for entry in _entries(SYSFS / "bluetooth")]
    return not entries or any(":" in name for name in entries)


def devices(subsystem: Subsystem) -> list[Device]:
    """Return every node that could be a scanner's: serial ports, keyboards, HID point-of-sale devices.

    Mice, media keys, other HID devices, virtual consoles and UARTs without hardware are none.
    """
    begins, folder = _NODES[subsystem]
    found = []
    for entry in _entries(SYSFS / subsystem):
        device = entry / "device"
        radio = (entry / "address").exists()  # a serial port over Bluetooth
        if entry.name.startswith((begins, *_RADIO)) and (device.exists() or radio) and _usable(subsystem, entry):
            path = str(DEV / folder / entry.name)
            where = _resolve(device)
            found.append(
                Device(
                    subsystem=subsystem,
                    path=path,
                    identity=_identity_at(path, entry),
                    name=_name(where, device),
                    unreadable=_undescribed(device) if subsystem == "hidraw" else None,
                )
            )
    return found


def fits(match: DeviceMatch, identity: ScannerIdentity) -> bool:
    """Return whether a device is one that `match` describes: all that is given fits."""
    return (
        _lower(match.vendor) in {None, identity.vendor}
        and _lower(match.product) in {None, identity.product}
        and match.serial in {None, identity.serial}
        and (match.port is None or _same_port(match.port, identity.port))
    )


def _lower(digits: str | None) -> str | None:
    return None if digits is None else digits.lower()


def hardware_key(identity: ScannerIdentity) -> str:
    """Name the piece of hardware: by its serial number, else by the place it is plugged in.

    Two pieces that share a serial number are distinguished by the scanner's name, which `match.port` gives them.
    """
    kind = f"{identity.vendor}:{identity.product}" if identity.vendor else "unknown"
    if identity.serial:
        return f"{kind} serial {identity.serial}"
    return f"{kind} at {identity.port or identity.device}"


def _ambiguous(match: DeviceMatch, fitting: Sequence[Device]) -> str:
    places = " and ".join(f"{device.path} (port {device.identity.port or 'unknown'})" for device in fitting)
    serials = {device.identity.serial for device in fitting}
    by_serial = match.serial is None and None not in serials and len(serials) == len(fitting)
    setting = "`match.serial` or `match.port`" if by_serial else "`match.port`"
    return f"several devices fit `match`: {places}; say which one with {setting}"


def _absent(match: DeviceMatch, subsystem: Subsystem, there: Sequence[Device]) -> str:
    wanted = ", ".join(
        f"{key} {value}"
        for key in ("vendor", "product", "serial", "port")
        if (value := getattr(match, key)) is not None
    )
    unreadable = next((device for device in there if fits(match, device.identity)), None)
    if unreadable is not None:
        return f"{unreadable.path} fits `match`, but cannot be read: {unreadable.unreadable}"
    swapped = _swapped(match, there)
    if swapped is not None:
        return f"{_KIND[subsystem]} with {wanted} is not there, but {swapped}"
    elsewhere = _other_mode(match, subsystem)
    if elsewhere is not None:
        return elsewhere
    return f"no {_KIND[subsystem]} with {wanted} is plugged in; `scangate scanners list` shows what is"


def _other_mode(match: DeviceMatch, subsystem: Subsystem) -> str | None:
    """Return what to do about a scanner that is there in another mode: its product id, or interface, is another."""
    port = match.port and re.sub(r":\d+\.\d+$", "", match.port)
    loose = DeviceMatch(vendor=match.vendor, serial=match.serial, port=port)
    if loose == DeviceMatch():
        loose = match
    certain = match.serial is not None or port is not None
    others = (one for other in DRIVER_OF if other != subsystem for one in devices(other))
    for found in others:
        if fits(loose, found.identity):
            kind, driver = _KIND[found.subsystem], DRIVER_OF[found.subsystem]
            same = match.product is None or match.product.lower() == found.identity.product
            setting = f'driver = "{driver}"' + ("" if same else f', match.product = "{found.identity.product}"')
            subject = "it" if certain or same else "a scanner of its maker"
            return (
                f"{subject} is plugged in as a {kind}, not as a {_KIND[subsystem]}: set {setting}, "
                "or switch the interface of the scanner itself"
            )
    bare = next((one for one in without_node() if fits(loose, one.identity)), None)
    return None if bare is None else f"{'it' if certain else 'a scanner of its maker'} is plugged in, {bare.advice}"


class Bare(Struct, frozen=True, kw_only=True):
    """A USB device of a scanner's maker without a node that could be read."""

    identity: ScannerIdentity
    name: str
    advice: str
    """What to do about it."""


def without_node() -> list[Bare]:
    """Return the USB devices of scanners' makers that are in a mode without serial port, keyboard and HID POS."""
    nodes = [_resolve(entry / "device") for kind in DRIVER_OF for entry in _entries(SYSFS / kind)]
    found = []
    for entry in _entries(SYSFS.parent / "bus/usb/devices"):
        usb = _resolve(entry)
        vendor, product = _text(usb / "idVendor"), _text(usb / "idProduct")
        if vendor not in VENDORS or any(node.is_relative_to(usb) for node in nodes):
            continue
        mode = mode_of(vendor, product)
        found.append(
            Bare(
                identity=ScannerIdentity(
                    vendor=vendor, product=product, serial=_shown(_text(usb / "serial")), port=_id_path(usb)
                ),
                name=_name(usb, usb) or maker(vendor),
                advice=f"but in {mode or 'a mode that has no node to read'}: scan {to_serial(vendor)}",
            )
        )
    return found


def _swapped(match: DeviceMatch, there: Sequence[Device]) -> str | None:
    """Return what is known of a device that fits but for its serial number: a broken one may have been replaced."""
    if match.serial is None or match == DeviceMatch(serial=match.serial):
        return None
    loose = DeviceMatch(vendor=match.vendor, product=match.product, port=match.port)
    like = next((device.identity for device in there if fits(loose, device.identity)), None)
    if like is None:
        return None
    serial = like.serial or "none"
    mend = f"set match.serial to {like.serial}" if like.serial else "use match.port instead of match.serial"
    return f"one of its kind, serial number {serial}, is in port {like.port}: if it replaces it, {mend}"


def _same_port(wanted: str, found: str | None) -> bool:
    """Return whether a port is meant: as a whole, or without the interface at its end (`usb-0:1.2`: every part)."""
    return found is not None and (found == wanted or found.rpartition(":")[0] == wanted)


def _identity(path: str, folder: Path) -> ScannerIdentity:
    hid = _hid(folder)
    usb = None if hid.get("bus") == _BLUETOOTH else _usb_device(folder)
    if usb is None:
        # A Bluetooth device may hang below its adapter, which is a USB device of its own.
        return ScannerIdentity(
            device=path,
            vendor=_lower(hid.get("vendor")),
            product=_lower(hid.get("product")),
            serial=_shown(hid.get("UNIQ")),
            port=None if hid.get("bus") == _BLUETOOTH else _id_path(folder),
        )
    interface = next((number for at in _upwards(folder, usb) if (number := _text(at / "bInterfaceNumber"))), None)
    return ScannerIdentity(
        device=path,
        vendor=_text(usb / "idVendor"),
        product=_text(usb / "idProduct"),
        serial=_shown(_text(usb / "serial")),
        port=_id_path(folder),
        interface=interface,
    )


def _usb_device(folder: Path) -> Path | None:
    return next((parent for parent in (folder, *folder.parents) if _text(parent / "idVendor")), None)


def _hid(folder: Path) -> dict[str, str]:
    """Return what the kernel says of a HID device: bus, vendor, product (hex digits), UNIQ, NAME; else nothing."""
    for parent in (folder, *folder.parents):
        texts = dict(_HID.findall(_text(parent / "uevent") or ""))
        if found := _HID_ID.fullmatch(texts.pop("ID", "")):
            return {key: value.strip() for key, value in texts.items() if value.strip()} | found.groupdict()
    return {}


def _id_path(folder: Path) -> str | None:
    """Return where a device is plugged in, as udev's `path_id` builds ID_PATH for USB, PCI and platform devices."""
    parts: list[str] = []
    last = ""  # of several folders of one bus in a row the innermost counts
    for parent in (folder, *folder.parents):
        bus = _resolve(parent / "subsystem").name if (parent / "subsystem").exists() else ""
        usb = _USB_NAME.fullmatch(parent.name) if bus in {"", "usb"} else None
        bus = bus or ("usb" if usb else "")
        if bus != last:
            if usb:
                parts.insert(0, f"usb-0:{usb['ports']}")
            elif bus in {"pci", "platform"}:
                parts.insert(0, f"{bus}-{parent.name}")
            last = bus or last
    return "-".join(parts) or None


def _usable(subsystem: Subsystem, entry: Path) -> bool:
    if subsystem == "tty":
        return _text(entry / "type") != "0"  # PORT_UNKNOWN: a UART that nothing answers for
    if subsystem == "input":
        return _types_text(_text(entry / "device/capabilities/key") or "")
    descriptor = _bytes(entry / "device/report_descriptor")
    return any(page in descriptor for page in _HID_POS_PAGE)


def _undescribed(device: Path) -> str | None:
    """Return what is wrong with the report descriptor of a HID point-of-sale device, or of its other interface."""
    from drivers.hid_report import DescriptorError, report_layout

    try:
        report_layout(_bytes(device / "report_descriptor"))
    except DescriptorError as error:
        return str(error)
    return None


def _types_text(capabilities: str) -> bool:
    """Read the lowest word of a bit map of keys, which sysfs prints last, in hexadecimal."""
    try:
        lowest = int(capabilities.rsplit(maxsplit=1)[-1], 16)
    except (ValueError, IndexError):
        return False
    return all(lowest >> key & 1 for key in _TYPING_KEYS)


def _name(where: Path, device: Path) -> str:
    hid = _hid(where)
    if hid.get("bus") == _BLUETOOTH and "NAME" in hid:
        return _shown(hid["NAME"]) or ""
    usb = _usb_device(where)
    if usb is not None:
        texts = " ".join(part for part in (_text(usb / "manufacturer"), _text(usb / "product")) if part)
        if texts:
            return _shown(texts) or ""
    return _shown(_text(device / "name")) or ""


def _shown(text: str | None) -> str | None:
    """Return what a device says of itself without what could drive a terminal: anybody can build a device."""
    return None if text is None else "".join(one if one.isprintable() else "?" for one in text)


def _upwards(folder: Path, until: Path) -> Iterator[Path]:
    for parent in (folder, *folder.parents):
        yield parent
        if parent == until:
            return


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda entry: (len(entry.name), entry.name))
    except OSError:
        return []


def _exists(path: Path) -> bool:
    """Return whether there is something; what may not be looked at counts, opening it says why."""
    try:
        path.stat()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL in the name
        return path


def _text(path: Path) -> str | None:
    return _bytes(path).decode(errors="replace").strip() or None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_DESCRIPTOR_BYTES)
    except (OSError, ValueError):
        return b""

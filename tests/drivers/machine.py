"""A machine with devices plugged in: its sysfs and its /dev, below a folder.

The trees are laid out as Linux does it (Documentation/ABI/testing/sysfs-bus-usb, Documentation/hid).
"""

from pathlib import Path

from tests.drivers.hid_pos_reports import PLAIN, REMOTE_MASTERMIND

PCI = "pci0000:00/0000:00:14.0/usb1"
KEYBOARD = "1 0 fffffffff fffffffffffffffe"
"""capabilities/key of a USB keyboard: KEY_ESC and everything above it (linux/input-event-codes.h)."""
MEDIA_KEYS = "1000000000007 ff9f207ac14057ff febeffdfffefffff 0"
POS_REPORT = PLAIN
OTHER_POS_REPORT = REMOTE_MASTERMIND
"""The maintenance interface beside the first: it speaks of bar codes, too."""
VENDOR_REPORT = bytes.fromhex("0600ff0901a101")


class Machine:
    """A sysfs and a /dev below a folder."""

    def __init__(self, root: Path) -> None:
        self.sysfs = root / "sys/class"
        self.dev = root / "dev"
        self._devices = root / "sys/devices"
        self._bus = root / "sys/bus"
        self.dev.mkdir()

    def usb(
        self,
        at: str,
        *,
        kind: str = "0c2e:0b61",
        serial: str | None = None,
        controller: str = PCI,
        product: str = "",
    ) -> Path:
        """Plug a device into a USB port: `1-1.2` is port 2 of the hub in port 1 of bus 1. Return its folder."""
        folder = self._devices / controller
        if controller == PCI:
            self._link(self._devices / "pci0000:00/0000:00:14.0", "pci")
        for parts in range(1, at.count(".") + 2):
            folder /= ".".join(at.split(".")[:parts])
            self._link(folder, "usb")
        vendor, _, model = kind.partition(":")
        texts = {"idVendor": vendor, "idProduct": model, "serial": serial, "product": product}
        for name, text in texts.items():
            if text:
                (folder / name).write_text(text + "\n", encoding="ascii")
        listed = self._bus / "usb/devices" / at
        listed.parent.mkdir(parents=True, exist_ok=True)
        if not listed.is_symlink():
            listed.symlink_to(folder)
        return folder

    def tty(self, usb: Path, name: str, interface: int = 0) -> None:
        """Give a USB device a serial port: ttyUSB sits one folder deeper than ttyACM."""
        where = self._interface(usb, interface)
        if name.startswith("ttyUSB"):
            where /= name
            self._link(where, "usb-serial")
        self._node("tty", name, where)

    def keyboard(
        self, usb: Path, number: int, interface: int = 0, keys: str = KEYBOARD, collection: int | None = None
    ) -> None:
        """Give a USB device an input node. `collection`: number of the HID device that has several."""
        hid = number if collection is None else collection
        where = self._interface(usb, interface) / f"0003:0C2E:0B61.{hid:04X}" / f"input/input{number}"
        (where / "capabilities").mkdir(parents=True)
        (where / "capabilities/key").write_text(keys + "\n", encoding="ascii")
        (where / "name").write_text("a keyboard\n", encoding="ascii")
        self._link(where.parents[1], "hid")
        self._node("input", f"event{number}", where, folder="input")

    def hidraw(self, usb: Path, number: int, report: bytes, interface: int = 0) -> None:
        """Give a USB device a hidraw node."""
        where = self._interface(usb, interface) / f"0003:0C2E:0B61.{number:04X}"
        self._link(where, "hid")
        (where / "report_descriptor").write_bytes(report)
        self._node("hidraw", f"hidraw{number}", where)

    def elsewhere(self, path: str, bus: str, uevent: str = "") -> Path:
        """Make a device that is on no USB."""
        where = self._devices / path
        self._link(where, bus)
        if uevent:
            (where / "uevent").write_text(uevent, encoding="ascii")
        return where

    def on_board(self, name: str, where: Path, kind: str) -> None:
        self._node("tty", name, where)
        (self.sysfs / "tty" / name / "type").write_text(kind + "\n", encoding="ascii")

    def bluetooth_keyboard(
        self, number: int, *, below: Path | None = None, uniq: str = "00:11:22:33:44:55", name: str = ""
    ) -> None:
        """Pair a scanner that types: by uhid, or by hidp below the USB adapter whose folder is `below`."""
        uevent = f"DRIVER=hid-generic\nHID_ID=0005:00000C2E:00000B61\nHID_PHYS=aa\nHID_UNIQ={uniq}\n"
        uevent += f"HID_NAME={name}\n" if name else ""
        if below is None:
            where = self.elsewhere(f"virtual/misc/uhid/0005:0C2E:0B61.{number:04X}", "hid", uevent)
        else:
            where = self._interface(below, 0) / f"bluetooth/hci0/hci0:{number}/0005:0C2E:0B61.{number:04X}"
            self._link(where, "hid")
            (where / "uevent").write_text(uevent, encoding="ascii")
        where = where / f"input/input{number}"
        (where / "capabilities").mkdir(parents=True)
        (where / "capabilities/key").write_text(KEYBOARD, encoding="ascii")
        self._node("input", f"event{number}", where, folder="input")

    def radio(self, *connections: str) -> None:
        """Show an adapter and its connections, such as `hci0:256`."""
        folder = self.sysfs / "bluetooth"
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            entry.rmdir()
        for name in ("hci0", *connections):
            (folder / name).mkdir()

    def rfcomm(self, number: int, address: str) -> None:
        """Bind a serial port over Bluetooth (SPP), which has no device while it is not connected."""
        entry = self.sysfs / f"tty/rfcomm{number}"
        entry.mkdir(parents=True)
        (entry / "address").write_text(address + "\n", encoding="ascii")
        (self.dev / entry.name).touch()

    def unplug(self, subsystem: str, name: str) -> None:
        (self.sysfs / subsystem / name / "device").unlink()

    def _interface(self, usb: Path, number: int) -> Path:
        where = usb / f"{usb.name}:1.{number}"
        self._link(where, "usb")
        (where / "bInterfaceNumber").write_text(f"{number:02x}\n", encoding="ascii")
        return where

    def _node(self, subsystem: str, name: str, where: Path, folder: str = "") -> None:
        entry = self.sysfs / subsystem / name
        entry.mkdir(parents=True)
        (entry / "device").symlink_to(where)
        (self.dev / folder).mkdir(exist_ok=True)
        (self.dev / folder / name).touch()

    def _link(self, folder: Path, bus: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (self._bus / bus).mkdir(parents=True, exist_ok=True)
        if not (folder / "subsystem").exists():
            (folder / "subsystem").symlink_to(self._bus / bus)

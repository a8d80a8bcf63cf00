"""Runs in the guest: any USB scanner, made by the kernel itself (dummy_hcd and configfs), and a Bluetooth one (uhid).

It is enumerated by a real USB host, gets its usbhid or cdc_acm driver and its udev rules, and can be pulled.

    gadget.py plug NAME VENDOR PRODUCT SERIAL KIND[+KIND] [UDC]   KIND: keyboard, pos or acm; SERIAL - is none
    gadget.py unplug NAME                  pull the cable
    gadget.py replug NAME [UDC]            plug it in again, into the same or another port
    gadget.py send NAME KIND FILE [GAP]    send the reports or bytes in FILE, with GAP seconds after each report
    gadget.py break NAME KIND FILE         the same, and the cable is pulled at once behind the last report
    gadget.py leds NAME                    the host's last output report: lights such as Caps Lock, as a number
    gadget.py ring VENDOR PRODUCT ADDRESS FIFO    be a Bluetooth keyboard, and send the reports written to FIFO, until
                                           killed: what BlueZ makes, a HID device on bus 0005 that a process holds
"""

import os
import select
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GADGETS = Path("/sys/kernel/config/usb_gadget")
CONTROLLERS = Path("/sys/class/udc")
PORTS = 4
"""USB ports that a scanner may be plugged into."""

# The boot keyboard's report descriptor (HID 1.11, appendix B.1): eight modifiers, one reserved byte, five lights,
# six keys.
KEYBOARD = bytes.fromhex(
    "05010906a101 050719e029e71500250175019508 8102 95017508 8103"
    "95057501 050819012905 9102 95017503 9103"
    "95067508 15002565 050719002965 8100 c0"
)
# A bar-code scanner's scanned data report (HID usage tables, page 0x8C): id 2, byte count, AIM identifier, 56 bytes
# of decoded data, a vendor's code, a constant byte, and one bit: continued.
POS = bytes.fromhex(
    "058c0902a101 0912a102 8502 150026ff007508"
    "9501 0501093b 8102 9503 058c09fb09fc09fd 8102 9538 09fe 820201"
    "9501 0666ff0904 8102 9501 8103 058c09ff 2501 75019501 8102 9507 8103 c0 c0"
)
REPORT_BYTES = {"keyboard": 8, "pos": 64}

# include/uapi/linux/uhid.h. CREATE2: type; name, phys, uniq; size of the descriptor, bus; vendor, product, version,
# country. INPUT2: type, size.
UHID_CREATE2, UHID_INPUT2 = 11, 12
CREATE2 = struct.Struct("=I128s64s64sHHIIII")
INPUT2 = struct.Struct("=IH")
BUS_BLUETOOTH = 5
RING_SECONDS = 0.0075
"""Between two reports: the shortest connection interval of Bluetooth Low Energy. No cable slows it down here."""


def main(command: str, *arguments: str) -> None:
    """Do one command."""
    commands: dict[str, Callable[..., None]] = {
        "plug": plug,
        "unplug": unplug,
        "replug": replug,
        "send": send,
        "break": break_off,
        "leds": leds,
        "ring": ring,
    }
    commands[command](*arguments)


def plug(name: str, vendor: str, product: str, serial: str, kinds: str, controller: str = "") -> None:
    """Make a scanner and plug it in."""
    subprocess.run(["modprobe", "-a", "libcomposite", "usb_f_hid", "usb_f_acm"], check=True)
    subprocess.run(["modprobe", "dummy_hcd", f"num={PORTS}"], check=True)
    gadget = GADGETS / name
    (gadget / "strings/0x409").mkdir(parents=True)
    (gadget / "configs/c.1").mkdir(parents=True)
    (gadget / "idVendor").write_text(f"0x{vendor}")
    (gadget / "idProduct").write_text(f"0x{product}")
    strings = {"serialnumber": serial, "manufacturer": "Test", "product": "Scanner"}
    for key, value in strings.items():
        if value != "-":
            (gadget / "strings/0x409" / key).write_text(value)
    for kind in kinds.split("+"):
        function = gadget / "functions" / (f"acm.{name}" if kind == "acm" else f"hid.{name}-{kind}")
        function.mkdir(parents=True)
        if kind != "acm":
            boot = int(kind == "keyboard")
            (function / "protocol").write_text(str(boot))
            (function / "subclass").write_text(str(boot))
            (function / "report_length").write_text(str(REPORT_BYTES[kind]))
            (function / "report_desc").write_bytes(KEYBOARD if boot else POS)
        (gadget / "configs/c.1" / function.name).symlink_to(function)
    replug(name, controller)


def unplug(name: str) -> None:
    """Pull the cable."""
    (GADGETS / name / "UDC").write_text("\n")


def replug(name: str, controller: str = "") -> None:
    """Plug it into a port, the first free one where none is named."""
    taken = {(one / "UDC").read_text().strip() for one in GADGETS.iterdir()}
    free = next(one.name for one in sorted(CONTROLLERS.iterdir()) if one.name not in taken)
    (GADGETS / name / "UDC").write_text(controller or free)


def send(name: str, kind: str, file: str, gap: str = "0") -> None:
    """Send a file's content, report by report, waiting for each to be taken."""
    content = Path(file).read_bytes()
    size = REPORT_BYTES.get(kind, len(content) or 1)
    pause = float(gap)
    device = os.open(_device(name, kind), os.O_WRONLY)
    for start in range(0, len(content), size):
        os.write(device, content[start : start + size])
        if pause:
            time.sleep(pause)  # how fast the scanner types
    os.close(device)


def break_off(name: str, kind: str, file: str) -> None:
    """Send, and pull the cable before anybody can take the silence for an end."""
    send(name, kind, file)
    unplug(name)


def leds(name: str) -> None:
    """Print the newest output report that has come; 0 when none came."""
    device = os.open(_device(name, "keyboard"), os.O_RDONLY)
    value = 0
    while select.select([device], [], [], 0.2)[0]:
        value = os.read(device, 8)[0]
    sys.stdout.write(str(value))


def ring(vendor: str, product: str, address: str, fifo: str) -> None:
    """Make a Bluetooth keyboard, and pass on what comes. It is gone when this process is."""
    os.mkfifo(fifo)
    device = os.open("/dev/uhid", os.O_RDWR)
    identity = (b"Ring scanner", b"", address.encode(), len(KEYBOARD), BUS_BLUETOOTH)
    os.write(device, CREATE2.pack(UHID_CREATE2, *identity, int(vendor, 16), int(product, 16), 0, 0) + KEYBOARD)
    reports = os.open(fifo, os.O_RDWR)  # for writing too: it does not end when a writer closes
    while report := os.read(reports, REPORT_BYTES["keyboard"]):
        os.write(device, INPUT2.pack(UHID_INPUT2, len(report)) + report)
        time.sleep(RING_SECONDS)


def _device(name: str, kind: str) -> str:
    functions = GADGETS / name / "functions"
    if kind == "acm":
        return f"/dev/ttyGS{(functions / f'acm.{name}' / 'port_num').read_text().strip()}"
    major, minor = (functions / f"hid.{name}-{kind}" / "dev").read_text().strip().split(":")
    return f"/dev/char/{major}:{minor}"


if __name__ == "__main__":
    main(*sys.argv[1:])

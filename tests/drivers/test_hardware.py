"""Which device stands behind a node.

The trees are laid out as Linux (Documentation/ABI/testing/sysfs-bus-usb) and udev (60-serial.rules) do it.
"""

from pathlib import Path

import pytest

from drivers.hardware import tty_identity
from drivers.model import ScannerIdentity


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return the root of a machine with a CDC scanner as ttyACM0 and an RS-232 adapter as ttyUSB0."""
    usb = tmp_path / "sys/devices/pci0000:00/0000:00:14.0/usb1/1-1"
    for name, interface, serial in (("1-1.2", "1-1.2:1.0", "S123"), ("1-1.3", "1-1.3:1.0/ttyUSB0", None)):
        (usb / name / interface).mkdir(parents=True)
        (usb / name / "idVendor").write_text("0c2e\n", encoding="ascii")
        (usb / name / "idProduct").write_text("0aaa\n", encoding="ascii")
        if serial:
            (usb / name / "serial").write_text(serial + "\n", encoding="ascii")
    dev = tmp_path / "dev"
    (dev / "serial/by-path").mkdir(parents=True)
    (dev / "serial/by-id").mkdir(parents=True)
    for tty, device in (("ttyACM0", "1-1.2/1-1.2:1.0"), ("ttyUSB0", "1-1.3/1-1.3:1.0/ttyUSB0")):
        (tmp_path / "sys/class/tty" / tty).mkdir(parents=True)
        (tmp_path / "sys/class/tty" / tty / "device").symlink_to(usb / device)
        (dev / tty).touch()
    (dev / "serial/by-id/usb-scanner-if00").symlink_to("../../ttyACM0")
    return tmp_path


def identify(machine: Path, device: str) -> ScannerIdentity:
    return tty_identity(str(machine / "dev" / device), machine / "sys/class/tty", machine / "dev/serial/by-path")


def test_a_usb_scanner(machine: Path) -> None:
    by_path = machine / "dev/serial/by-path"
    (by_path / "pci-0000:00:14.0-usbv2-0:1.2:1.0").symlink_to("../../ttyACM0")
    (by_path / "pci-0000:00:14.0-usb-0:1.2:1.0").symlink_to("../../ttyACM0")
    device = "serial/by-id/usb-scanner-if00"
    assert identify(machine, device) == ScannerIdentity(
        device=str(machine / "dev" / device),
        vendor="0c2e",
        product="0aaa",
        serial="S123",
        port="pci-0000:00:14.0-usb-0:1.2:1.0",
    )


def test_a_scanner_on_an_adapter(machine: Path) -> None:
    (machine / "dev/serial/by-path/pci-0000:00:14.0-usb-0:1.3:1.0-port0").symlink_to("../../ttyUSB0")
    found = identify(machine, "ttyUSB0")
    assert (found.vendor, found.serial, found.port) == ("0c2e", None, "pci-0000:00:14.0-usb-0:1.3:1.0")


def test_without_udev_the_port_comes_from_sysfs(machine: Path) -> None:
    assert identify(machine, "ttyACM0").port == "usb-0:1.2:1.0"


@pytest.mark.parametrize("device", ["ttyS9", "", "a\0b"])
def test_what_is_not_known_is_none(machine: Path, device: str) -> None:
    found = identify(machine, device)
    assert (found.vendor, found.product, found.serial, found.port) == (None, None, None, None)


def test_a_loop_of_links(machine: Path) -> None:
    (machine / "dev/loop").symlink_to("loop")
    assert identify(machine, "loop").vendor is None

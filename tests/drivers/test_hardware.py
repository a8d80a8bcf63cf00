"""Which device stands behind a node, and which node is a configured scanner's.

The trees are laid out as Linux (Documentation/ABI/testing/sysfs-bus-usb, Documentation/hid) and udev do it; the
names of ports are those that udev's path_id gives for the same tree.
"""

from pathlib import Path

import msgspec
import pytest

from drivers import hardware
from drivers.base import DeviceMatch, ScannerSettings
from drivers.hardware import Choice, choose, devices, hardware_key, identity_of, without_node
from drivers.model import ConnectionState, ScannerIdentity
from tests.drivers.machine import MEDIA_KEYS, OTHER_POS_REPORT, PCI, POS_REPORT, VENDOR_REPORT, Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(hardware, "SYSFS", made.sysfs)
    monkeypatch.setattr(hardware, "DEV", made.dev)
    return made


def wanting(subsystem: hardware.Subsystem, **match: str) -> Choice:
    settings = ScannerSettings(name="desk", match=msgspec.convert(match, DeviceMatch))
    return choose(settings, subsystem)


def test_identity_of_a_usb_scanner(machine: Machine) -> None:
    machine.tty(machine.usb("1-1.2", serial="S123"), "ttyACM0", interface=1)
    link = machine.dev / "serial/by-id/usb-scanner-if00"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../ttyACM0")
    assert identity_of(str(link), "tty") == ScannerIdentity(
        device=str(link),
        vendor="0c2e",
        product="0b61",
        serial="S123",
        port="pci-0000:00:14.0-usb-0:1.2:1.1",
        interface="01",
    )


def test_what_a_device_says_of_itself_drives_no_terminal(machine: Machine) -> None:
    machine.tty(machine.usb("1-1.2", serial="S\x1b[2J1", product="Scan\x1b]0;x\x07ner"), "ttyACM0")
    (found,) = devices("tty")
    assert (found.identity.serial, found.name) == ("S?[2J1", "Scan?]0;x?ner")
    assert wanting("tty", serial="S?[2J1").connection is ConnectionState.CONNECTED


PI4 = "platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0/usb1"


@pytest.mark.parametrize(
    ("at", "controller", "port"),
    [
        ("1-4", PCI, "pci-0000:00:14.0-usb-0:4:1.0"),
        ("1-1.4.3.2", PCI, "pci-0000:00:14.0-usb-0:1.4.3.2:1.0"),  # hub behind hub behind hub
        ("1-1.3", PI4, "platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3:1.0"),
        ("1-1", "platform/soc/3f980000.usb/usb1", "platform-3f980000.usb-usb-0:1:1.0"),
        ("1-1.3", "no/subsystem/links", "usb-0:1.3:1.0"),
    ],
)
def test_the_port_is_named_as_udev_does(machine: Machine, at: str, controller: str, port: str) -> None:
    for path, bus in {
        "platform/scb": "platform",
        "platform/scb/fd500000.pcie": "platform",
        "platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0": "pci",
        "platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0": "pci",
        "platform/soc": "platform",
        "platform/soc/3f980000.usb": "platform",
    }.items():
        machine.elsewhere(path, bus)
    machine.tty(machine.usb(at, controller=controller), "ttyUSB0")
    machine.keyboard(machine.usb(at, controller=controller), 3)
    assert identity_of("ttyUSB0", "tty").port == port
    assert identity_of("event3", "input").port == port


@pytest.mark.parametrize("device", ["ttyS9", "", "a\0b", "/"])
def test_what_is_not_known_is_none(machine: Machine, device: str) -> None:
    assert machine.dev.exists()
    assert identity_of(device, "tty") == ScannerIdentity(device=device)


def test_a_loop_of_links(machine: Machine) -> None:
    (machine.dev / "loop").symlink_to("loop")
    assert identity_of(str(machine.dev / "loop"), "tty").vendor is None
    settings = ScannerSettings(name="desk", device=str(machine.dev / "loop"))
    assert choose(settings, "tty").path is None


def test_a_bluetooth_keyboard(machine: Machine) -> None:
    machine.bluetooth_keyboard(7)
    (found,) = devices("input")
    assert (found.identity.vendor, found.identity.product) == ("0c2e", "0b61")
    assert found.identity.serial == "00:11:22:33:44:55"


def test_only_what_could_be_a_scanner_is_listed(machine: Machine) -> None:
    scanner = machine.usb("1-1", product="Xenon 1900")
    machine.keyboard(scanner, 1)
    machine.keyboard(scanner, 2, interface=1, keys=MEDIA_KEYS)
    machine.keyboard(scanner, 3, interface=2, keys="")
    machine.hidraw(scanner, 0, POS_REPORT)
    machine.hidraw(scanner, 1, VENDOR_REPORT, interface=3)
    machine.on_board("ttyS0", machine.elsewhere("platform/serial8250", "platform"), "0")
    machine.on_board("ttyAMA0", machine.elsewhere("platform/fe201000.serial", "platform"), "32")
    (machine.sysfs / "tty/tty1").mkdir()
    assert [Path(one.path).name for one in devices("input")] == ["event1"]
    assert [Path(one.path).name for one in devices("hidraw")] == ["hidraw0"]
    assert [(Path(one.path).name, one.identity.port) for one in devices("tty")] == [
        ("ttyAMA0", "platform-fe201000.serial")
    ]
    assert {one.name for one in devices("input")} == {"Xenon 1900"}


@pytest.mark.parametrize(
    ("match", "node"),
    [
        ({"vendor": "0c2e", "product": "0b61"}, "event4"),
        ({"serial": "S1"}, "event4"),
        ({"vendor": "05e0", "port": "pci-0000:00:14.0-usb-0:2:1.0"}, "event5"),
        ({"port": "pci-0000:00:14.0-usb-0:2"}, "event5"),  # the port as a whole, without the interface
    ],
)
def test_the_node_that_fits(machine: Machine, match: dict[str, str], node: str) -> None:
    machine.keyboard(machine.usb("1-1", serial="S1"), 4)
    machine.keyboard(machine.usb("1-2", kind="05e0:1200"), 5)
    machine.keyboard(machine.usb("1-3", kind="046d:c31c", serial="office"), 6)
    assert wanting("input", **match) == Choice(
        path=str(machine.dev / "input" / node), connection=ConnectionState.CONNECTED
    )


def test_two_that_fit_are_both_refused(machine: Machine) -> None:
    machine.keyboard(machine.usb("1-1.1"), 4)
    machine.keyboard(machine.usb("1-1.2"), 5)
    refused = wanting("input", vendor="0c2e", product="0b61")
    assert (refused.path, refused.connection) == (None, ConnectionState.MISSING)
    for words in ("pci-0000:00:14.0-usb-0:1.1:1.0", "pci-0000:00:14.0-usb-0:1.2:1.0", "with `match.port`"):
        assert words in refused.detail
    for port, node in (("1.1", "event4"), ("1.2", "event5")):
        assert (wanting("input", port=f"pci-0000:00:14.0-usb-0:{port}:1.0").path or "").endswith(node)


def test_twins_keep_their_names_when_the_nodes_change_theirs(machine: Machine) -> None:
    """After a reboot the kernel may number them the other way round."""
    machine.keyboard(machine.usb("1-1.1"), 4)
    machine.keyboard(machine.usb("1-1.2"), 5)
    first = "pci-0000:00:14.0-usb-0:1.1:1.0"
    keys = {hardware_key(identity_of(wanting("input", port=first).path or "", "input"))}
    machine.unplug("input", "event4")
    machine.unplug("input", "event5")
    machine.keyboard(machine.usb("1-1.2"), 8)
    machine.keyboard(machine.usb("1-1.1"), 9)
    again = wanting("input", port=first)
    assert (again.path or "").endswith("event9")
    assert {hardware_key(identity_of(again.path or "", "input"))} == keys


@pytest.mark.parametrize(
    ("serials", "setting"), [(("S1", "S2"), "`match.serial` or `match.port`"), (("S1", "S1"), "with `match.port`")]
)
def test_twins_with_serial_numbers(machine: Machine, serials: tuple[str, str], setting: str) -> None:
    for number, serial in enumerate(serials, 1):
        machine.tty(machine.usb(f"1-{number}", serial=serial), f"ttyACM{number}")
    assert setting in wanting("tty", vendor="0c2e").detail
    by_serial = wanting("tty", vendor="0c2e", serial="S1")
    assert (by_serial.path is not None) == (len(set(serials)) == 2)


def test_two_ports_of_one_device(machine: Machine) -> None:
    device = machine.usb("1-1", serial="S1")
    machine.tty(device, "ttyACM0", interface=0)
    machine.tty(device, "ttyACM1", interface=2)
    assert "usb-0:1:1.0" in wanting("tty", serial="S1").detail
    assert (wanting("tty", serial="S1", port="pci-0000:00:14.0-usb-0:1:1.2").path or "").endswith("ttyACM1")


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"vendor": "05e0"}, "no keyboard with vendor 05e0 is plugged in; `scangate scanners list` shows"),
        ({"vendor": "1eab"}, 'plugged in as a serial port, not as a keyboard: set driver = "serial"'),
        ({"vendor": "0c2e", "serial": "OLD"}, "serial number NEW, is in port pci-0000:00:14.0-usb-0:1:1.0: if it"),
        ({"vendor": "046d", "serial": "OLD"}, "use match.port instead of match.serial"),
        ({}, "neither `device` nor `match`"),
    ],
)
def test_why_there_is_none(machine: Machine, match: dict[str, str], words: str) -> None:
    machine.keyboard(machine.usb("1-1", serial="NEW"), 4)
    machine.keyboard(machine.usb("1-2", kind="046d:c31c"), 5)
    machine.tty(machine.usb("1-3", kind="1eab:0c06"), "ttyACM0")
    refused = wanting("input", **match)
    assert (refused.path, refused.connection) == (None, ConnectionState.MISSING)
    assert words in refused.detail


def test_the_other_interface_of_a_point_of_sale_scanner_is_no_scanner(machine: Machine) -> None:
    scanner = machine.usb("1-1")
    machine.hidraw(scanner, 0, OTHER_POS_REPORT)
    only_other = wanting("hidraw", vendor="0c2e")
    assert only_other.path is None
    assert "hidraw0 fits `match`, but cannot be read: " in only_other.detail
    machine.hidraw(scanner, 1, POS_REPORT, interface=1)
    assert (wanting("hidraw", vendor="0c2e").path or "").endswith("hidraw1")
    assert [one.unreadable is None for one in devices("hidraw")] == [False, True]


def test_a_new_scanner_in_the_port_of_a_broken_one_is_taken(machine: Machine) -> None:
    machine.tty(machine.usb("1-1", serial="OLD"), "ttyACM0")
    port = "pci-0000:00:14.0-usb-0:1:1.0"
    old = identity_of(wanting("tty", port=port).path or "", "tty")
    machine.unplug("tty", "ttyACM0")
    machine.tty(machine.usb("1-1", serial="NEW"), "ttyACM1")
    new = identity_of(wanting("tty", port=port).path or "", "tty")
    assert (hardware_key(old), hardware_key(new)) == ("0c2e:0b61 serial OLD", "0c2e:0b61 serial NEW")


def test_an_explicit_path(machine: Machine, tmp_path: Path) -> None:
    settings = ScannerSettings(name="desk", device=str(tmp_path / "scanner"))
    assert (
        choose(settings, "tty").detail
        == f"{settings.device} is not there: plug the scanner in, or correct `device`"
    )
    (tmp_path / "scanner").touch()
    assert choose(settings, "tty") == Choice(path=settings.device, connection=ConnectionState.CONNECTED)
    assert machine.dev.exists()


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        (ScannerIdentity(vendor="0c2e", product="0b61", serial="S1", port="p"), "0c2e:0b61 serial S1"),
        (ScannerIdentity(vendor="0c2e", product="0b61", port="p"), "0c2e:0b61 at p"),
        (ScannerIdentity(device="/dev/ttyAMA0"), "unknown at /dev/ttyAMA0"),
    ],
)
def test_what_a_piece_of_hardware_is_known_by(identity: ScannerIdentity, key: str) -> None:
    assert hardware_key(identity) == key


ADAPTER = "8087:0a2b"


def test_a_bluetooth_scanner_is_itself_and_not_its_adapter(machine: Machine) -> None:
    """Under hidp the kernel hangs the input device below the USB adapter."""
    adapter = machine.usb("1-7", kind=ADAPTER, product="Bluetooth adapter")
    machine.bluetooth_keyboard(3, below=adapter, uniq="00:11:22:33:44:55", name="Ring A")
    machine.bluetooth_keyboard(4, below=adapter, uniq="00:11:22:33:44:66", name="Ring B")
    machine.radio("hci0:3", "hci0:4")
    first, second = devices("input")
    assert (first.name, second.name) == ("Ring A", "Ring B")
    assert first.identity == ScannerIdentity(
        device=first.path, vendor="0c2e", product="0b61", serial="00:11:22:33:44:55"
    )
    assert hardware_key(first.identity) != hardware_key(second.identity), "they share no calibration"
    assert wanting("input", vendor="0c2e", serial="00:11:22:33:44:66").path == second.path
    assert wanting("input", vendor="8087").path is None
    assert "match.serial" in wanting("input", vendor="0c2e", product="0b61").detail


def test_a_node_that_outlives_its_bluetooth_link(machine: Machine) -> None:
    """BlueZ keeps uhid devices of paired scanners since 5.77."""
    machine.bluetooth_keyboard(3)
    assert wanting("input", vendor="0c2e").path is not None, "the kernel does not say"
    machine.radio()
    away = wanting("input", vendor="0c2e")
    assert (away.path, away.connection) == (None, ConnectionState.MISSING)
    assert "Bluetooth link is down" in away.detail
    machine.radio("hci0:256")
    assert wanting("input", vendor="0c2e").connection is ConnectionState.CONNECTED


def test_a_serial_port_over_bluetooth(machine: Machine) -> None:
    machine.rfcomm(0, "00:11:22:33:44:55")
    (found,) = devices("tty")
    assert found.identity == ScannerIdentity(device=str(machine.dev / "rfcomm0"), serial="00:11:22:33:44:55")
    assert wanting("tty", serial="00:11:22:33:44:55").path == str(machine.dev / "rfcomm0")


def test_vendor_and_product_in_capitals(machine: Machine) -> None:
    machine.tty(machine.usb("1-1", kind="05e0:17ab"), "ttyACM0")
    assert wanting("tty", vendor="05E0", product="17AB").path == str(machine.dev / "ttyACM0")


def test_two_keyboard_collections_of_one_interface_are_one_scanner(machine: Machine) -> None:
    """Linux gives each application collection an input device of its own (HID_QUIRK_INPUT_PER_APP)."""
    scanner = machine.usb("1-1")
    machine.keyboard(scanner, 3, collection=9)
    machine.keyboard(scanner, 4, collection=9)
    found = wanting("input", vendor="0c2e", product="0b61")
    assert found.paths == tuple(str(machine.dev / "input" / name) for name in ("event3", "event4"))
    machine.keyboard(scanner, 5, interface=1)
    assert wanting("input", vendor="0c2e").path is None, "another interface may be another thing"


def test_a_usage_page_of_two_bytes(machine: Machine) -> None:
    """HID 1.11, 6.2.2.7: an item's data may take more bytes than it needs."""
    machine.hidraw(machine.usb("1-1"), 0, b"\x06\x8c\x00" + POS_REPORT[2:])
    (found,) = devices("hidraw")
    assert found.unreadable is None


@pytest.mark.parametrize(
    ("kind", "wanted", "words"),
    [
        ("1eab:1e06", {"vendor": "1eab", "product": "1e03"}, 'driver = "serial", match.product = "1e06"'),
        ("11fa:0215", {"vendor": "11fa", "product": "0200", "serial": "S1"}, 'match.product = "0215"'),
    ],
)
def test_a_scanner_in_another_mode(machine: Machine, kind: str, wanted: dict[str, str], words: str) -> None:
    machine.tty(machine.usb("1-1", kind=kind, serial="S1"), "ttyACM0")
    detail = wanting("input", **wanted).detail
    subject = "it" if "serial" in wanted else "a scanner of its maker"
    assert detail.startswith(f"{subject} is plugged in as a serial port, not as a keyboard: set ")
    assert words in detail


@pytest.mark.parametrize(
    ("kind", "mode", "barcode"),
    [
        ("05e0:1900", "SNAPI", "`CDC COM Port Emulation`"),
        ("05f9:1206", "IBM/OEM", "`USB-COM-STD`"),
        ("0c2e:0999", "a mode that has no node", "`USB Serial`"),
    ],
)
def test_a_scanner_without_a_node(machine: Machine, kind: str, mode: str, barcode: str) -> None:
    machine.usb("1-1", kind=kind, serial="S1")
    machine.usb("1-2", kind="046d:c31c")
    (found,) = without_node()
    assert mode in found.advice
    assert barcode in found.advice
    vendor, _, product = kind.partition(":")
    assert found.identity == ScannerIdentity(
        vendor=vendor, product=product, serial="S1", port="pci-0000:00:14.0-usb-0:1"
    )
    assert barcode in wanting("tty", vendor=vendor, serial="S1").detail
    machine.tty(machine.sysfs.parent / "devices" / PCI / "1-1", "ttyACM0")
    assert without_node() == []

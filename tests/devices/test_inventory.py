"""The table of `scangate scanners list`: what is read, what is left alone, and what to write to read it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers import hardware
from drivers.base import ScannerSettings
from gateway.devices.inventory import NO_NODE, UNTOUCHED, InventoryRow, everything, from_configuration, listing
from tests.drivers.machine import OTHER_POS_REPORT, POS_REPORT, Machine

PORT = "pci-0000:00:14.0-usb-0:{}:1.0"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(hardware, "SYSFS", made.sysfs)
    monkeypatch.setattr(hardware, "DEV", made.dev)
    return made


def configured(*scanners: dict[str, Any]) -> list[ScannerSettings]:
    return msgspec.convert(scanners, list[ScannerSettings])


def table(*scanners: dict[str, Any]) -> list[InventoryRow]:
    return listing(list(from_configuration(configured(*scanners))), everything())


def test_what_no_scanner_names_is_left_alone_and_said_how_to_read(machine: Machine) -> None:
    machine.keyboard(machine.usb("1-1", kind="046d:c31c", product="Office Keyboard"), 3)
    machine.hidraw(machine.usb("1-2", serial="S1"), 0, POS_REPORT)
    machine.tty(machine.usb("1-3", kind="1eab:0c06"), "ttyACM0")
    rows = table()
    assert {row["state"] for row in rows} == {UNTOUCHED}
    assert {row["name"] for row in rows} == {None}
    assert [row["why"].partition("to read it: ")[2] for row in rows] == [
        'driver = "serial", match = { vendor = "1eab", product = "0c06" }',
        'driver = "hid-keyboard", match = { vendor = "046d", product = "c31c" }',
        'driver = "hid-pos", match = { vendor = "0c2e", product = "0b61" }',
    ]
    assert rows[1]["hardware"] == f"Office Keyboard 046d:c31c {PORT.format(1)}"


def test_what_cannot_be_read_is_said_so(machine: Machine) -> None:
    scanner = machine.usb("1-1")
    machine.hidraw(scanner, 0, POS_REPORT)
    machine.hidraw(scanner, 1, OTHER_POS_REPORT, interface=1)
    first, second = table()
    assert first["why"].endswith('match = { vendor = "0c2e", product = "0b61" }')
    assert second["why"].startswith("it cannot be read: ")


@pytest.mark.parametrize(
    ("serials", "added"),
    [
        (("S1", "S2"), ['serial = "S1"', 'serial = "S2"']),
        (("S1", "S1"), [f'port = "{PORT.format(1)}"', f'port = "{PORT.format(2)}"']),
        ((None, None), [f'port = "{PORT.format(1)}"', f'port = "{PORT.format(2)}"']),
    ],
)
def test_twins_are_told_apart(machine: Machine, serials: tuple[str | None, str | None], added: list[str]) -> None:
    for number, serial in enumerate(serials, 1):
        machine.keyboard(machine.usb(f"1-{number}", serial=serial), number)
    rows = table()
    assert [row["why"].partition('product = "0b61", ')[2].removesuffix(" }") for row in rows] == added


def test_what_a_scanner_reads_is_listed_once(machine: Machine) -> None:
    machine.keyboard(machine.usb("1-1"), 3)
    machine.tty(machine.usb("1-2", kind="1eab:0c06"), "ttyACM0")
    link = machine.dev / "scanner"
    link.symlink_to("ttyACM0")
    rows = table(
        {"name": "front", "driver": "hid-keyboard", "match": {"vendor": "0c2e", "product": "0b61"}},
        {"name": "back", "device": str(link)},
        {"name": "gone", "match": {"vendor": "05e0"}},
        {"name": "demo", "driver": "replay", "device": "scans.ndjson"},
    )
    assert [(row["name"], row["state"], row["device"]) for row in rows] == [
        ("front", "plugged in", str(machine.dev / "input/event3")),
        ("back", "plugged in", str(link)),
        ("gone", "missing", '{ vendor = "05e0" }'),
        ("demo", "missing", "scans.ndjson"),
    ]
    assert rows[0]["hardware"] == f"0c2e:0b61 {PORT.format(1)}"
    assert [bool(row["why"]) for row in rows] == [False, False, True, False]


def test_what_the_daemon_tells_wins(machine: Machine) -> None:
    machine.tty(machine.usb("1-2", kind="1eab:0c06"), "ttyACM0")
    node = str(machine.dev / "ttyACM0")
    told = {
        "name": "front",
        "driver": "serial",
        "device": None,
        "match": {"vendor": "1eab"},
        "link": "busy",
        "detail": "held by another program",
        "failure": None,
        "identity": {"device": node, "vendor": "1eab", "product": "0c06", "serial": None, "port": "p"},
        "calibrated": False,
        "gsSeen": False,
    }
    (row,) = listing([told], everything())
    assert (row["device"], row["state"], row["hardware"], row["why"]) == (
        node,
        "busy",
        "1eab:0c06 p",
        "held by another program",
    )


def test_a_scanner_in_a_mode_without_a_node_is_listed_with_what_to_scan(machine: Machine) -> None:
    machine.usb("1-1", kind="05e0:1900", product="Symbol Bar Code Scanner")
    (row,) = listing([], everything(), hardware.without_node())
    assert (row["name"], row["state"], row["driver"]) == (None, NO_NODE, None)
    assert row["hardware"] == "Symbol Bar Code Scanner 05e0:1900 pci-0000:00:14.0-usb-0:1"
    assert "SNAPI" in row["why"]
    assert "product reference guide" in row["why"]


def test_a_nameless_scanner_has_its_makers_name(machine: Machine) -> None:
    machine.tty(machine.usb("1-1", kind="27dd:0103"), "ttyACM0")
    (row,) = listing([], everything())
    assert row["hardware"].startswith("Mindeo 27dd:0103")

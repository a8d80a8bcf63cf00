"""A serial scanner that is found by what it is, wherever the system puts it."""

import os
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers import hardware
from drivers.base import DeviceMatch, Scanner, ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.model import ConnectionChange, ConnectionState, RawScan, ScannerIdentity, ScannerInput
from drivers.serial_port import SerialScanner
from tests.drivers.machine import Machine

EAN = b"]E04006381333931"
HOUR_NS = 3_600_000_000_000
PORT = "pci-0000:00:14.0-usb-0:1.2:1.0"

Take = Callable[[Scanner, int], list[ScannerInput]]


class Usb:
    """Serial scanners that are plugged into a machine: nodes that are ptys."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._open: dict[str, tuple[int, int]] = {}

    def plug(self, port: str, node: str, serial: str | None = None) -> None:
        scanner, daemon = self._open[node] = os.openpty()
        tty.setraw(daemon)
        self.machine.tty(self.machine.usb(port, serial=serial), node)
        path = self.machine.dev / node
        path.unlink()
        path.symlink_to(os.ttyname(daemon))
        assert scanner

    def unplug(self, node: str) -> None:
        self.machine.unplug("tty", node)
        (self.machine.dev / node).unlink()
        for descriptor in self._open.pop(node):
            os.close(descriptor)

    def scan(self, node: str, data: bytes) -> None:
        os.write(self._open[node][0], data)

    def close(self) -> None:
        for node in list(self._open):
            self.unplug(node)


@pytest.fixture
def usb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Usb]:
    machine = Machine(tmp_path)
    monkeypatch.setattr(hardware, "SYSFS", machine.sysfs)
    monkeypatch.setattr(hardware, "DEV", machine.dev)
    monkeypatch.setattr("drivers.node.FIRST_RETRY_NS", HOUR_NS)
    plugged = Usb(machine)
    yield plugged
    plugged.close()


@pytest.fixture
def scanner() -> Iterator[SerialScanner]:
    settings = ScannerSettings(name="desk", match=DeviceMatch(vendor="0c2e", port=PORT), idle_ms=20)
    made = SerialScanner(settings, PlainDialect(settings))
    made.watched = True
    yield made
    made.close()


def links(inputs: list[ScannerInput]) -> list[ConnectionState]:
    return [one.connection for one in inputs if isinstance(one, ConnectionChange)]


def test_it_is_found_when_it_comes_and_under_whatever_name(usb: Usb, scanner: SerialScanner, take: Take) -> None:
    assert links(take(scanner, 1)) == [ConnectionState.MISSING]
    assert "no serial port with vendor 0c2e" in scanner.connection_detail
    assert scanner.identity() == ScannerIdentity()
    for node, serial in (("ttyACM0", "OLD"), ("ttyACM5", "NEW")):  # the second one replaces a broken one
        usb.plug("1-1.2", node, serial)
        scanner.look_again()
        assert links(take(scanner, 1)) == [ConnectionState.CONNECTED]
        assert (scanner.connection_detail, scanner.identity().device) == ("", str(usb.machine.dev / node))
        usb.scan(node, EAN + b"\r")
        (scan,) = take(scanner, 1)
        assert isinstance(scan, RawScan)
        usb.unplug(node)
        assert links(take(scanner, 1)) == [ConnectionState.MISSING]


def test_another_one_in_another_port_is_left_alone(usb: Usb, scanner: SerialScanner, take: Take) -> None:
    usb.plug("1-1.3", "ttyACM0")
    assert links(take(scanner, 1)) == [ConnectionState.MISSING]
    scanner.look_again()
    assert scanner.read(0.1) is None
    usb.plug("1-1.2", "ttyACM1")
    scanner.look_again()
    assert links(take(scanner, 1)) == [ConnectionState.CONNECTED]
    scanner.look_again()  # news of others do not disturb it
    assert scanner.read(0.05) is None
    assert scanner.connection is ConnectionState.CONNECTED


def test_news_come_also_while_it_looks(usb: Usb, scanner: SerialScanner, take: Take) -> None:
    """What is told between two reads is not forgotten."""
    assert links(take(scanner, 1)) == [ConnectionState.MISSING]
    scanner.look_again()
    usb.plug("1-1.2", "ttyACM0")
    scanner.look_again()
    assert links(take(scanner, 1)) == [ConnectionState.CONNECTED]


def test_two_that_fit(usb: Usb, take: Take) -> None:
    usb.plug("1-1.2", "ttyACM0")
    usb.plug("1-1.3", "ttyACM1")
    settings = ScannerSettings(name="desk", match=DeviceMatch(vendor="0c2e"))
    scanner = SerialScanner(settings, PlainDialect(settings))
    assert links(take(scanner, 1)) == [ConnectionState.MISSING]
    assert "several devices fit `match`" in scanner.connection_detail
    scanner.close()


@pytest.mark.parametrize(
    ("codes", "flagged"),
    [
        ([b"]d2010952000100010210L1"], [True]),
        ([b"]d2010952000100010210L1\x1d21S", b"]d2010952000100010210L1"], [False, False]),
        ([b"]d2010952000100010210L1", b"]d210A\x1d21B", b"]d2010952000100010210L1"], [True, False, False]),
        ([b"]E04006381333931", b"]d20109520001000102"], [False, False]),
    ],
)
def test_codes_that_may_lack_gs_are_flagged_until_one_came(
    usb: Usb, scanner: SerialScanner, take: Take, codes: list[bytes], flagged: list[bool]
) -> None:
    usb.plug("1-1.2", "ttyACM0")
    take(scanner, 1)
    usb.scan("ttyACM0", b"".join(code + b"\r" for code in codes))
    scans = take(scanner, len(codes))
    assert ["gs-never-seen" in one.quality for one in scans if isinstance(one, RawScan)] == flagged

"""The serial driver on a pty: unplugging, who may open it, and what is in the way of the bytes."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Protocol

import pytest

from drivers.base import DriverError, Scanner, ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.framing import MAX_FRAME_BYTES
from drivers.model import (
    ConnectionChange,
    ConnectionState,
    Discarded,
    DiscardReason,
    RawScan,
    ScannerInput,
)
from drivers.serial_port import SerialScanner

GS1 = b"]d20108717648200274\x1d1728063010A1"
EAN = b"4006381333931"
NOBODY = 65534


class SerialCable(Protocol):
    """The fixture `cable`."""

    name: Path

    @property
    def node(self) -> str: ...
    def plug(self, *, as_terminal: bool = False) -> None: ...
    def pull(self) -> None: ...
    def unplug(self) -> None: ...
    def scan(self, data: bytes) -> None: ...
    def heard(self, size: int) -> bytes: ...


Take = Callable[[Scanner, int], list[ScannerInput]]


def scanner_on(device: str, baud: int = 9600, idle_ms: int = 20) -> SerialScanner:
    settings = ScannerSettings(name="desk", device=device, baud=baud, idle_ms=idle_ms)
    return SerialScanner(settings, PlainDialect(settings))


def begin(scanner: SerialScanner) -> None:
    """Read until a code has begun."""
    end = monotonic() + 10
    while scanner.dialect.deadline_ns() is None:
        assert scanner.read(0) is None
        assert monotonic() < end


@pytest.fixture
def scanner(cable: SerialCable) -> Iterator[SerialScanner]:
    made = scanner_on(str(cable.name))
    yield made
    made.close()


@pytest.fixture
def patient_scanner(cable: SerialCable) -> Iterator[SerialScanner]:
    """Return one that lets half a code stand for longer than a test takes to pull its cable."""
    made = scanner_on(str(cable.name), idle_ms=300)
    yield made
    made.close()


def said(inputs: list[ScannerInput]) -> list[bytes | ConnectionState | tuple[DiscardReason, int]]:
    """Return data of scans, links, reason and length of what was discarded."""
    out: list[bytes | ConnectionState | tuple[DiscardReason, int]] = []
    for one in inputs:
        if isinstance(one, RawScan):
            out.append(one.frame.data)
        elif isinstance(one, ConnectionChange):
            out.append(one.connection)
        else:
            out.append((one.reason, one.length))
    return out


def test_unplugged_in_the_middle_of_a_label(cable: SerialCable, patient_scanner: SerialScanner, take: Take) -> None:
    scanner = patient_scanner
    cable.plug()
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
    for _ in range(3):
        cable.scan(GS1[:11])
        begin(scanner)
        cable.unplug()
        assert said(take(scanner, 2)) == [(DiscardReason.BROKEN_OFF, 11), ConnectionState.MISSING]
        assert scanner.connection is ConnectionState.MISSING
        assert not scanner.send(b"x")
        cable.plug()
        assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
        cable.scan(EAN + b"\r")
        assert said(take(scanner, 1)) == [EAN]


def test_the_rest_of_a_label_after_the_replug_is_no_label(
    cable: SerialCable, patient_scanner: SerialScanner, take: Take
) -> None:
    scanner = patient_scanner
    cable.plug()
    take(scanner, 1)
    cable.scan(EAN[:5])
    begin(scanner)
    cable.unplug()
    assert said(take(scanner, 2)) == [(DiscardReason.BROKEN_OFF, 5), ConnectionState.MISSING]
    cable.plug()
    cable.scan(EAN[5:] + b"\r" + EAN + b"\r" + GS1 + b"\r")
    assert said(take(scanner, 4)) == [ConnectionState.CONNECTED, (DiscardReason.BROKEN_OFF, 8), EAN, GS1]


def test_a_name_that_outlives_its_device(cable: SerialCable, scanner: SerialScanner, take: Take) -> None:
    cable.plug()
    take(scanner, 1)
    cable.pull()
    assert said(take(scanner, 1)) == [ConnectionState.MISSING]
    assert scanner.read(0.35) is None
    cable.unplug()
    cable.plug()
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]


def test_a_replug_under_another_node(cable: SerialCable, scanner: SerialScanner, take: Take) -> None:
    cable.plug()
    take(scanner, 1)
    before = cable.node
    cable.unplug()
    assert said(take(scanner, 1)) == [ConnectionState.MISSING]
    in_the_way, other = os.openpty()
    cable.plug()
    assert cable.node != before
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
    cable.scan(GS1 + b"\r")
    assert said(take(scanner, 1)) == [GS1]
    os.close(in_the_way)
    os.close(other)


def test_a_missing_scanner_is_reported_once_and_found_when_it_comes(
    cable: SerialCable, scanner: SerialScanner, take: Take
) -> None:
    (missing,) = take(scanner, 1)
    assert isinstance(missing, ConnectionChange)
    assert missing.connection is ConnectionState.MISSING
    assert str(cable.name) in missing.detail
    assert "plug the scanner in" in missing.detail
    assert scanner.read(0.35) is None
    cable.plug()
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]


def test_a_scanner_that_another_program_holds(cable: SerialCable, scanner: SerialScanner, take: Take) -> None:
    cable.plug()
    holder = os.open(cable.node, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    (busy,) = take(scanner, 1)
    assert isinstance(busy, ConnectionChange)
    assert busy.connection is ConnectionState.BUSY
    assert "stop that program" in busy.detail
    assert scanner.read(0.35) is None
    os.close(holder)
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
    other = os.open(cable.node, os.O_RDWR | os.O_NOCTTY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_scanner_that_may_not_be_opened(cable: SerialCable, take: Take) -> None:
    cable.plug()
    node = cable.node
    scanner = scanner_on(node)
    Path(node).chmod(0o600)
    os.seteuid(NOBODY)
    try:
        (forbidden,) = take(scanner, 1)
        assert isinstance(forbidden, ConnectionChange)
        assert forbidden.connection is ConnectionState.NO_PERMISSION
        assert "dialout" in forbidden.detail
        assert scanner.read(0.35) is None
    finally:
        os.seteuid(0)
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
    scanner.close()


@pytest.mark.parametrize("baud", [0, -1, 10**12])
def test_a_baud_rate_that_does_not_exist(cable: SerialCable, baud: int) -> None:
    cable.plug()
    scanner = scanner_on(str(cable.name), baud)
    with pytest.raises(DriverError, match=f"does not take {baud} baud; correct `baud` of desk") as caught:
        scanner.read(0)
    assert not caught.value.recoverable
    scanner.close()


def test_a_path_that_is_no_serial_port(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file, tmp_path, Path(os.devnull)):
        scanner = scanner_on(str(path))
        with pytest.raises(DriverError, match="it is no serial port; correct `device` of desk") as caught:
            scanner.read(0)
        assert not caught.value.recoverable
        scanner.close()


def test_codes_read_while_nobody_listened_are_not_lost(
    cable: SerialCable, scanner: SerialScanner, take: Take
) -> None:
    cable.plug()
    cable.scan(GS1 + b"\r" + EAN + b"\r")
    assert said(take(scanner, 3)) == [ConnectionState.CONNECTED, GS1, EAN]


def test_what_came_while_the_port_was_a_terminal_is_not_believed(
    cable: SerialCable, scanner: SerialScanner, take: Take
) -> None:
    cable.plug(as_terminal=True)
    cable.scan(GS1 + b"\x04\r")
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
    assert scanner.read(0.1) is None
    cable.scan(GS1 + b"\x04\r")
    assert said(take(scanner, 1)) == [GS1 + b"\x04"]


def test_every_byte_but_the_terminator_is_data(cable: SerialCable, scanner: SerialScanner, take: Take) -> None:
    cable.plug()
    take(scanner, 1)
    data = b"]d2" + bytes(byte for byte in range(256) if byte != ord("\r"))
    cable.scan(data + b"\r")
    assert said(take(scanner, 1)) == [data]


def test_a_burst(cable: SerialCable, scanner: SerialScanner, take: Take) -> None:
    cable.plug()
    take(scanner, 1)
    codes = [b"]d221%06d" % number for number in range(3000)]
    sender = Thread(target=cable.scan, args=(b"".join(code + b"\r\n" for code in codes),))
    sender.start()
    assert said(take(scanner, len(codes))) == codes
    sender.join()


def test_a_code_that_is_too_long_is_reported_once(cable: SerialCable, scanner: SerialScanner, take: Take) -> None:
    cable.plug()
    take(scanner, 1)
    sender = Thread(target=cable.scan, args=(b"7" * (5 * MAX_FRAME_BYTES) + b"\r" + GS1 + b"\r",))
    sender.start()
    assert take(scanner, 1) == [
        Discarded(scanner="desk", reason=DiscardReason.TOO_LONG, length=5 * MAX_FRAME_BYTES)
    ]
    assert said(take(scanner, 1)) == [GS1]
    sender.join()


def test_a_code_without_its_terminator_is_part_of_a_code(
    cable: SerialCable, scanner: SerialScanner, take: Take
) -> None:
    cable.plug()
    take(scanner, 1)
    cable.scan(GS1)
    assert said(take(scanner, 1)) == [(DiscardReason.UNTERMINATED, len(GS1))]


def test_what_is_sent_reaches_the_scanner(cable: SerialCable, scanner: SerialScanner, take: Take) -> None:
    cable.plug()
    take(scanner, 1)
    command = bytes(range(256))
    assert scanner.send(command)
    assert cable.heard(len(command)) == command


def test_a_scanner_that_does_not_listen_holds_nobody_up(
    cable: SerialCable, scanner: SerialScanner, take: Take
) -> None:
    cable.plug()
    take(scanner, 1)
    assert not scanner.send(b"\x07" * 1_000_000)
    cable.scan(GS1 + b"\r")
    assert said(take(scanner, 1)) == [GS1]


def test_no_descriptor_is_left_open(cable: SerialCable, take: Take) -> None:
    cable.plug()
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208  (names are enough, the entries vanish)
    for _ in range(3):
        scanner = scanner_on(str(cable.name))
        take(scanner, 1)
        scanner.close()
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  (as above)

"""The serial driver on a pty: unplugging, who may open it, and what is in the way of the bytes."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Protocol

import pytest

from drivers.base import DriverError, FrameDiscarded, Scanner, ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.framing import MAX_FRAME_BYTES
from drivers.model import ConnectionChange, ConnectionState, Discarded, DiscardReason, RawScan, ScannerInput
from drivers.port_holders import holders, words
from drivers.serial_port import SEND_NS, SerialScanner

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
    def free(self) -> None: ...


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
    assert "ModemManager" in busy.detail
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
    began = monotonic()
    assert not scanner.send(b"\x07" * 1_000_000)
    assert monotonic() - began < 5 * SEND_NS / 1e9
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


RIVAL = """
import os, select, sys, termios, tty
child = os.fork()  # a process of somebody else's, not this one's child
if child:
    os.waitpid(child, 0)
    sys.exit()
print(os.getpid(), flush=True)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
if sys.argv[2] == "set up":
    tty.setraw(fd, termios.TCSANOW)
print("there", flush=True)
sys.stdin.readline()
if sys.argv[2] == "reads":
    data = b""
    while not data.endswith(b"\\r"):  # the port is set so that a read never waits
        select.select([fd], [], [])
        data += os.read(fd, 4096)
    print("took", flush=True)
    sys.stdin.readline()
"""
"""Another program on the port, such as a login prompt or ModemManager."""


class Rival:
    """A process that has the port open."""

    def __init__(self, path: str, does: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", RIVAL, path, does], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.pid = int(self._process.stdout.readline())
        self.answer("there")

    def answer(self, expected: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == expected + "\n"

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def leave(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()


@pytest.fixture(params=["root", "scangate"])
def user(request: pytest.FixtureRequest, cable: SerialCable) -> Iterator[str]:
    """Root, to whom the kernel opens an exclusive port all the same, or a user like the daemon's."""
    if os.geteuid() != 0:
        if request.param == "root":
            pytest.skip("only root can be root")
        yield request.param
        return
    cable.plug()
    if request.param == "scangate":
        Path(cable.node).chmod(0o666)
        os.seteuid(NOBODY)
    yield request.param
    os.seteuid(0)


def test_another_program_that_sets_the_line_up_anew(cable: SerialCable, take: Take, user: str) -> None:
    """What a login prompt and ModemManager do before they read anything."""
    scanner = scanner_on(cable.node)
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
    os.seteuid(0)
    rival = Rival(cable.node, "set up")
    if user != "root":
        os.seteuid(NOBODY)
    busy = None
    while busy is None:
        busy = scanner.read(0.02)
    assert isinstance(busy, ConnectionChange)
    assert busy.connection is ConnectionState.BUSY
    if user == "root":
        assert f"(process {rival.pid}) holds {cable.node}" in busy.detail
    else:
        assert "serial-getty@" in busy.detail
    assert scanner.read(0.35) is None, "it stays busy"
    rival.leave()
    cable.free()
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
    cable.scan(GS1 + b"\r")
    assert said(take(scanner, 1)) == [GS1]
    scanner.close()


def test_another_program_that_takes_bytes(cable: SerialCable, scanner: SerialScanner, take: Take) -> None:
    """The rest of a code is no code, and the operator hears that something came."""
    cable.plug()
    assert said(take(scanner, 1)) == [ConnectionState.CONNECTED]
    rival = Rival(cable.node, "reads")
    cable.scan(EAN[:5])
    begin(scanner)
    taking = scanner._session
    assert taking is not None
    rival.go_on()
    cable.scan(EAN[5:] + b"\r")
    rival.answer("took")
    with pytest.raises(OSError, match="busy"):
        taking.receive(0)
    assert list(taking.broken()) == [FrameDiscarded(reason=DiscardReason.TAKEN, length=5)]
    rival.leave()


def test_who_holds_a_port(cable: SerialCable) -> None:
    cable.plug()
    assert holders(str(cable.name)) == (), "the test itself does not count"
    rival = Rival(cable.node, "waits")
    (found,) = holders(str(cable.name))
    assert found.pid == rival.pid
    assert found.name in words(str(cable.name))
    rival.leave()
    assert holders(str(cable.name)) == ()
    assert "serial-getty@" in words(str(cable.name))

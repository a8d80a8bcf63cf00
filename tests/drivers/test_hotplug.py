"""News of devices reach scanners that would otherwise wait for ever: their own retries are an hour apart here."""

import os
import socket
import struct
import subprocess
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from drivers import hotplug
from drivers.base import DeviceMatch, Scanner, ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.hotplug import NETLINK_KOBJECT_UEVENT, UDEV_GROUP, Hotplug, folders_of
from drivers.model import ConnectionChange, ConnectionState, RawScan, ScannerIdentity, ScannerInput
from drivers.serial_port import SerialScanner

EAN = b"4006381333931"
NOBODY = 65534
DEADLINE_S = 20.0
HOUR_NS = 3_600_000_000_000


class Reading:
    """A scanner that is read by a thread, as the daemon does."""

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        self.got: list[ScannerInput] = []
        self._more = Event()
        self._over = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            one = self.scanner.read(DEADLINE_S)
            if one is not None:
                self.got.append(one)
                self._more.set()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = monotonic() + DEADLINE_S
        while not holds():
            assert monotonic() < end, f"{what}: {self.got}"
            self._more.wait(0.02)
            self._more.clear()

    def links(self) -> list[ConnectionState]:
        return [one.connection for one in self.got if isinstance(one, ConnectionChange)]

    def codes(self) -> list[bytes]:
        return [one.frame.data for one in self.got if isinstance(one, RawScan)]

    def stop(self) -> None:
        self._over.set()
        self.scanner.wake()
        self._thread.join()
        self.scanner.close()


class Port:
    """A pty with a name that comes and goes, in a folder that does, too (/dev/serial/by-id)."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self.scanner = self.node = -1

    def plug(self) -> None:
        self.scanner, self.node = os.openpty()
        tty.setraw(self.node)
        self.name.parent.mkdir(parents=True, exist_ok=True)
        self.name.symlink_to(os.ttyname(self.node))

    def unplug(self) -> None:
        self.name.unlink()
        self.name.parent.rmdir()
        os.close(self.scanner)
        os.close(self.node)

    def scan(self, data: bytes) -> None:
        os.write(self.scanner, data)


@pytest.fixture(autouse=True)
def hours_between_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.node.FIRST_RETRY_NS", HOUR_NS)
    monkeypatch.setattr("drivers.node.LAST_RETRY_NS", HOUR_NS)


@pytest.fixture
def begin() -> Iterator[Callable[[str], Reading]]:
    """Return a function that reads the scanner on a path, watched; the test's end stops all of it."""
    begun: list[tuple[Reading, Hotplug]] = []

    def start(device: str) -> Reading:
        settings = ScannerSettings(name="desk", device=device, idle_ms=20)
        reading = Reading(SerialScanner(settings, PlainDialect(settings)))
        watch = Hotplug(lambda: [reading.scanner])
        watch.__enter__()
        begun.append((reading, watch))
        return reading

    yield start
    for reading, watch in begun:
        watch.__exit__()
        reading.stop()
        assert not reading.scanner.watched


def test_a_scanner_comes_goes_and_comes_again(tmp_path: Path, begin: Callable[[str], Reading]) -> None:
    port = Port(tmp_path / "serial/by-id/usb-scanner")
    reading = begin(str(port.name))
    reading.until(lambda: reading.scanner.watched and reading.links() == [ConnectionState.MISSING], "it is missed")
    for times in range(1, 4):
        port.plug()
        reading.until(lambda: reading.links()[-1] is ConnectionState.CONNECTED, "it is found")
        port.scan(EAN + b"\r")
        reading.until(lambda n=times: len(reading.codes()) == n, "it is read")  # type: ignore[misc]  # a default
        port.unplug()
        reading.until(lambda: reading.links()[-1] is ConnectionState.MISSING, "it is missed")
    assert reading.codes() == [EAN] * 3
    assert reading.links() == [ConnectionState.MISSING, *[ConnectionState.CONNECTED, ConnectionState.MISSING] * 3]


def test_a_scanner_that_is_there_before_the_start(tmp_path: Path, begin: Callable[[str], Reading]) -> None:
    port = Port(tmp_path / "by-id/usb-scanner")
    port.plug()
    port.scan(b"]E0" + EAN + b"\r")
    reading = begin(str(port.name))
    reading.until(lambda: bool(reading.codes()), "it is read")
    assert reading.links() == [ConnectionState.CONNECTED]
    port.unplug()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_permission_comes_late(begin: Callable[[str], Reading]) -> None:
    """The node appears as root's own; udev's rules give it to the group a moment later."""
    scanner, node = os.openpty()
    tty.setraw(node)
    path = Path(os.ttyname(node))
    path.chmod(0o600)
    with subprocess.Popen(["sh", "-c", f"read go; chmod 666 {path}"], stdin=subprocess.PIPE) as udev:
        os.seteuid(NOBODY)
        try:
            reading = begin(str(path))
            reading.until(
                lambda: reading.scanner.watched and reading.links() == [ConnectionState.NO_PERMISSION],
                "it is forbidden",
            )
            udev.communicate(b"go\n")
            reading.until(lambda: reading.links()[-1] is ConnectionState.CONNECTED, "it is read")
        finally:
            os.seteuid(0)
    os.close(scanner)
    os.close(node)


def test_a_port_that_another_program_holds_is_tried_again_by_itself(
    tmp_path: Path, begin: Callable[[str], Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody tells of a program that lets go."""
    import fcntl

    monkeypatch.setattr("drivers.node.FIRST_RETRY_NS", 10_000_000)
    monkeypatch.setattr("drivers.node.LAST_RETRY_NS", 10_000_000)
    port = Port(tmp_path / "by-id/usb-scanner")
    port.plug()
    holder = os.open(port.name, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    reading = begin(str(port.name))
    reading.until(lambda: reading.scanner.watched and reading.links() == [ConnectionState.BUSY], "it is held")
    os.close(holder)
    reading.until(lambda: reading.links()[-1] is ConnectionState.CONNECTED, "it is read")
    port.unplug()


def say_as_udev(action: str, subsystem: str, name: str, group: int = UDEV_GROUP) -> None:
    """Send what udevd sends when its rules have run: a header of 40 bytes, then the device's properties."""
    told = {
        "ACTION": action,
        "DEVPATH": f"/devices/virtual/{subsystem}/{name}",
        "SUBSYSTEM": subsystem,
        "DEVNAME": f"/dev/{name}",
        "SEQNUM": "1",
    }
    properties = b"".join(f"{key}={value}\0".encode() for key, value in told.items())
    header = b"libudev\0" + struct.pack(">I", 0xFEEDCAFE) + struct.pack("=3I", 40, 40, len(properties)) + bytes(16)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as udevd:
        udevd.bind((0, 0))
        udevd.sendto(header + properties, (0, group))


class Ear(Scanner):
    """A scanner that only counts how often it is told to look."""

    def __init__(self) -> None:
        self.settings = ScannerSettings(name="ear", match=DeviceMatch(vendor="0c2e"))
        self.told = 0
        self.more = Event()

    connection = ConnectionState.MISSING

    def look_again(self) -> None:
        self.told += 1
        self.more.set()

    def read(self, timeout: float) -> ScannerInput | None:
        raise NotImplementedError(timeout)

    def send(self, data: bytes) -> bool:
        return not data

    def identity(self) -> ScannerIdentity:
        return ScannerIdentity()

    def wake(self) -> None: ...

    def close(self) -> None: ...

    def wait(self, times: int) -> None:
        end = monotonic() + DEADLINE_S
        while self.told < times:
            assert monotonic() < end
            self.more.wait(0.02)
            self.more.clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may speak to who listens for udev")
def test_udevs_news_reach_the_scanners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control = tmp_path / "control"
    control.touch()
    monkeypatch.setattr(hotplug, "UDEV_CONTROL", control)
    ear = Ear()
    with Hotplug(lambda: [ear]):
        ear.wait(1)
        for told, (action, subsystem) in enumerate(
            [("add", "input"), ("change", "hidraw"), ("remove", "tty"), ("add", "tty")], 2
        ):
            try:
                say_as_udev(action, subsystem, "event3")
            except PermissionError:
                pytest.skip("this container may not speak for udev")
            ear.wait(told)
        assert ear.watched
        say_as_udev("add", "block", "sda")
        say_as_udev("add", "tty", "ttyACM0", group=1)  # the kernel's: the rules have not run yet
        say_as_udev("add", "tty", "ttyACM0")
        ear.wait(6)
        assert ear.told == 6
    assert not ear.watched


def test_which_folders_are_watched(tmp_path: Path) -> None:
    def scanner(driver: str = "serial", **which: object) -> Scanner:
        import msgspec

        settings = msgspec.convert({"name": "desk", "driver": driver, **which}, ScannerSettings)
        return SerialScanner(settings, PlainDialect(settings))

    (tmp_path / "link").symlink_to("/dev/pts/0")
    (tmp_path / "loop").symlink_to("loop")
    cases = [
        (scanner(device=str(tmp_path / "link")), True, [Path("/dev/pts"), tmp_path]),
        (scanner(device=str(tmp_path / "a/b/none")), True, [tmp_path]),
        (scanner(device=str(tmp_path / "loop")), True, [tmp_path]),
        (scanner(device="/dev/pts/7"), True, [Path("/dev/pts")]),
        (scanner(device="/dev/serial/by-id/none"), True, []),
        (scanner(device="/dev/serial-none/by-id/none"), False, [Path("/dev")]),
        (scanner(match={"vendor": "0c2e"}), True, []),
        (scanner("replay", device="scans.ndjson"), False, []),
    ]
    for one, udev, folders in cases:
        assert folders_of([one], udev=udev) == folders, one.settings
        one.close()
    assert Path("/dev") in folders_of([scanner(match={"vendor": "0c2e"})], udev=False)
    assert folders_of([], udev=False) == []


def test_where_nothing_can_be_watched_scanners_look_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import resource

    ear = Ear()
    ear.settings = ScannerSettings(name="ear", device=str(tmp_path / "none"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    watch = Hotplug(lambda: [ear])
    monkeypatch.setattr(hotplug, "UDEV_CONTROL", tmp_path / "none")
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with watch:
            ear.wait(1)
            assert not ear.watched
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "scanners look by themselves" in caplog.text

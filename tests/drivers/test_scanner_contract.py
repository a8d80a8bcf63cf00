"""What every Scanner does, whatever stands behind it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic, monotonic_ns, thread_time
from typing import Literal, Protocol

import pytest

from drivers.base import Scanner, ScannerSettings
from drivers.catalogue import dialect_for, open_scanner
from drivers.hid_keyboard import HidKeyboardScanner
from drivers.hid_node import HidScanner
from drivers.hid_pos import HidPosScanner
from drivers.model import ConnectionChange, ConnectionState, RawScan, ScannerInput
from tests.drivers.hid_pos_reports import access_is
from tests.drivers.hidraws import Hidraws
from tests.drivers.keyboards import Keyboards
from tests.drivers.typist import Typist

CODES = ["]d20108717648200274\x1d1728063010A1", "4006381333931", "]A0+A99912345/$$52001510X3"]
JOIN_S = 20.0
FOREVER_S = 3600.0
"""A read that ends by itself only long after the test would have been given up."""


class SerialCable(Protocol):
    """The fixture `cable`."""

    name: Path

    def plug(self) -> None: ...
    def scan(self, data: bytes) -> None: ...


Take = Callable[[Scanner, int], list[ScannerInput]]
Case = tuple[Scanner, Callable[[], None]]
Driver = Literal["serial", "hid-keyboard", "hid-pos", "replay"]


def as_report(code: str) -> bytes:
    aim_id = code[:3] if code.startswith("]") else "\0\0\0"
    return access_is(code.removeprefix(aim_id).encode(), aim_id=aim_id.encode())


@pytest.fixture(params=["serial", "hid-keyboard", "hid-pos", "replay"])
def case(request: pytest.FixtureRequest, cable: SerialCable, tmp_path: Path) -> Iterator[Case]:
    """Return a scanner and a function that makes it read CODES (a recording needs no one to do so)."""
    keyboard, hidraw, recording = Keyboards(), Hidraws(), tmp_path / "recording.ndjson"

    def play() -> None:
        cable.scan(b"".join(code.encode() + b"\r" for code in CODES))

    def type_it() -> None:
        for code in CODES:
            keyboard.type(Typist().events(code, monotonic_ns(), 0))

    def report() -> None:
        hidraw.send(*map(as_report, CODES))

    def already_recorded() -> None:
        """Do nothing."""

    def settings(driver: Driver, device: object) -> ScannerSettings:
        return ScannerSettings(name="desk", driver=driver, device=str(device), idle_ms=20)

    scanner: Scanner
    if request.param == "serial":
        cable.plug()
        scanner, begin = open_scanner(settings("serial", cable.name)), play
    elif request.param == "hid-keyboard":
        typing = settings("hid-keyboard", "/dev/input/event7")
        scanner, begin = HidKeyboardScanner(typing, dialect_for(typing), keyboard), type_it
    elif request.param == "hid-pos":
        reporting = settings("hid-pos", "/dev/hidraw0")
        scanner, begin = HidPosScanner(reporting, dialect_for(reporting), hidraw), report
    else:
        recording.write_text("".join(json.dumps({"text": code}) + "\n" for code in CODES), encoding="utf-8")
        scanner, begin = open_scanner(settings("replay", recording)), already_recorded
    yield scanner, begin
    scanner.close()
    keyboard.pull()


def test_it_connects_and_hands_on_codes_in_order_until_it_falls_silent(case: Case, take: Take) -> None:
    scanner, play = case
    links = [scanner.connection]
    assert take(scanner, 1) == [ConnectionChange(scanner="desk", connection=ConnectionState.CONNECTED)]
    links.append(scanner.connection)
    assert links == [ConnectionState.MISSING, ConnectionState.CONNECTED]
    play()
    scans = [one for one in take(scanner, len(CODES)) if isinstance(one, RawScan)]
    assert [(one.symbology or "") + one.text for one in scans] == CODES
    assert {one.scanner for one in scans} == {"desk"}
    assert all(0 < one.frame.started_ns <= monotonic() * 1e9 for one in scans)
    assert scanner.read(0.05) is None
    assert scanner.read(0) is None


def test_a_read_that_waits_costs_no_time_of_the_processor(case: Case, take: Take) -> None:
    scanner, play = case
    take(scanner, 1)
    play()
    take(scanner, len(CODES))
    began, busy = monotonic(), thread_time()
    assert scanner.read(0.3) is None
    assert monotonic() - began >= 0.29
    assert thread_time() - busy < 0.15, "it waits, and does not ask again and again"


def test_wake_ends_a_read_and_is_remembered(case: Case, take: Take) -> None:
    scanner, play = case
    take(scanner, 1)
    play()
    take(scanner, len(CODES))
    scanner.wake()
    assert scanner.read(FOREVER_S) is None
    got: list[ScannerInput | None] = []
    reader = Thread(target=lambda: got.append(scanner.read(FOREVER_S)), daemon=True)
    reader.start()
    scanner.wake()
    reader.join(JOIN_S)
    assert got == [None]


def test_close_ends_a_read_and_may_be_repeated(case: Case, take: Take) -> None:
    scanner, play = case
    take(scanner, 1)
    play()
    take(scanner, len(CODES))
    reader = Thread(target=scanner.read, args=(FOREVER_S,), daemon=True)
    reader.start()
    scanner.close()
    reader.join(JOIN_S)
    assert not reader.is_alive()
    scanner.close()
    scanner.wake()
    assert scanner.read(JOIN_S) is None
    assert scanner.connection is ConnectionState.MISSING
    assert not scanner.send(b"x")


def test_news_of_devices_disturb_nobody(case: Case, take: Take) -> None:
    scanner, play = case
    scanner.look_again()
    take(scanner, 1)
    scanner.look_again()
    play()
    assert len(take(scanner, len(CODES))) == len(CODES)
    assert scanner.connection is ConnectionState.CONNECTED
    scanner.close()
    scanner.look_again()
    assert scanner.read(0) is None


def test_it_takes_bytes_only_while_it_is_there_if_it_takes_any(case: Case, take: Take) -> None:
    scanner, _ = case
    takes_any = not isinstance(scanner, HidScanner)
    assert not scanner.send(b"\x07")
    take(scanner, 1)
    assert scanner.send(b"\x07") is takes_any
    assert scanner.send(b"") is takes_any


def test_it_names_what_it_was_opened_by(case: Case) -> None:
    scanner, _ = case
    assert scanner.identity().device == scanner.settings.device


def test_building_one_needs_no_device(tmp_path: Path) -> None:
    drivers: list[Driver] = ["serial", "hid-keyboard", "hid-pos", "replay"]
    for driver in drivers:
        settings = ScannerSettings(name="desk", driver=driver, device=str(tmp_path / "none"))
        scanner = open_scanner(settings)
        assert scanner.connection is ConnectionState.MISSING
        assert scanner.identity().vendor is None
        scanner.close()

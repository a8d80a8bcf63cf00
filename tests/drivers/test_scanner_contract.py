"""What every Scanner does, whatever stands behind it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic, thread_time
from typing import Protocol

import pytest

from drivers.base import Scanner, ScannerSettings
from drivers.model import Link, LinkChange, RawScan, ScannerInput
from drivers.registry import open_scanner

CODES = ["]d20108717648200274\x1d1728063010A1", "4006381333931", "]A0+A99912345/$$52001510X3"]
JOIN_S = 10.0


class SerialCable(Protocol):
    """The fixture `cable`."""

    name: Path

    def plug(self) -> None: ...
    def scan(self, data: bytes) -> None: ...


Take = Callable[[Scanner, int], list[ScannerInput]]
Case = tuple[Scanner, Callable[[], None]]


@pytest.fixture(params=["serial", "replay"])
def case(request: pytest.FixtureRequest, cable: SerialCable, tmp_path: Path) -> Iterator[Case]:
    """Return a scanner and a function that makes it read CODES (a recording needs no one to do so)."""

    def play() -> None:
        cable.scan(b"".join(code.encode() + b"\r" for code in CODES))

    def already_recorded() -> None:
        """Do nothing."""

    if request.param == "serial":
        cable.plug()
        settings = ScannerSettings(name="desk", driver="serial", device=str(cable.name), idle_ms=20)
    else:
        recording = tmp_path / "recording.ndjson"
        recording.write_text("".join(json.dumps({"text": code}) + "\n" for code in CODES), encoding="utf-8")
        settings = ScannerSettings(name="desk", driver="replay", device=str(recording), idle_ms=20)
    scanner = open_scanner(settings)
    yield scanner, play if request.param == "serial" else already_recorded
    scanner.close()


def test_it_connects_and_hands_on_codes_in_order_until_it_falls_silent(case: Case, take: Take) -> None:
    scanner, play = case
    links = [scanner.link]
    assert take(scanner, 1) == [LinkChange(scanner="desk", link=Link.CONNECTED)]
    links.append(scanner.link)
    assert links == [Link.MISSING, Link.CONNECTED]
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
    assert thread_time() - busy < 0.03


def test_wake_ends_a_read_and_is_remembered(case: Case, take: Take) -> None:
    scanner, play = case
    take(scanner, 1)
    play()
    take(scanner, len(CODES))
    scanner.wake()
    began = monotonic()
    assert scanner.read(JOIN_S) is None
    got: list[ScannerInput | None] = []
    reader = Thread(target=lambda: got.append(scanner.read(JOIN_S)))
    reader.start()
    scanner.wake()
    reader.join(JOIN_S)
    assert got == [None]
    assert monotonic() - began < JOIN_S / 2


def test_close_ends_a_read_and_may_be_repeated(case: Case, take: Take) -> None:
    scanner, play = case
    take(scanner, 1)
    play()
    take(scanner, len(CODES))
    reader = Thread(target=scanner.read, args=(JOIN_S,))
    reader.start()
    scanner.close()
    reader.join(JOIN_S / 2)
    assert not reader.is_alive()
    scanner.close()
    scanner.wake()
    assert scanner.read(JOIN_S) is None
    assert scanner.link is Link.MISSING
    assert not scanner.send(b"x")


def test_it_takes_bytes_only_while_it_is_there(case: Case, take: Take) -> None:
    scanner, _ = case
    assert not scanner.send(b"\x07")
    take(scanner, 1)
    assert scanner.send(b"\x07")
    assert scanner.send(b"")


def test_it_names_what_it_was_opened_by(case: Case) -> None:
    scanner, _ = case
    assert scanner.identity().device == scanner.settings.device


def test_building_one_needs_no_device(tmp_path: Path) -> None:
    for driver in ("serial", "replay"):
        settings = ScannerSettings(name="desk", driver=driver, device=str(tmp_path / "none"))
        scanner = open_scanner(settings)
        assert scanner.link is Link.MISSING
        assert scanner.identity().vendor is None
        scanner.close()

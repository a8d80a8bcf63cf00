"""A scanner's thread: what ends a fault of its driver, and what is asked before its first scan."""

import json
import os
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from drivers.base import Scanner, ScannerSettings
from drivers.model import ConnectionChange, ConnectionState, RawScan, ScannerInput
from gateway.scanning import reader as reader_module
from gateway.scanning.inbox import Inbox
from gateway.scanning.reader import Reader

DEADLINE_S = 20.0


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "RETRY_SECONDS", 0.01)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def begin(inbox: Inbox) -> Iterator[Callable[..., Reader]]:
    begun: list[Reader] = []

    def start(settings: ScannerSettings, on_connected: Callable[[Scanner], None] = lambda _: None) -> Reader:
        reader = Reader(settings, inbox, on_connected)
        reader.start()
        begun.append(reader)
        return reader

    yield start
    for reader in begun:
        reader.stop()
        reader.join(DEADLINE_S)
        assert not reader._thread.is_alive()


def take(inbox: Inbox, count: int) -> list[ScannerInput]:
    got: list[ScannerInput] = []
    end = monotonic() + DEADLINE_S
    while len(got) < count:
        assert monotonic() < end, got
        got += inbox.take(0.1)[0]
    return got


def until(holds: Callable[[], object]) -> None:
    end = monotonic() + DEADLINE_S
    while not holds():
        assert monotonic() < end
        os.sched_yield()


def test_what_a_person_mends_needs_no_restart(
    tmp_path: Path, inbox: Inbox, begin: Callable[..., Reader], caplog: pytest.LogCaptureFixture
) -> None:
    recording = tmp_path / "scans.ndjson"
    reader = begin(ScannerSettings(name="demo", driver="replay", device=str(recording)))
    until(lambda: reader.trouble)
    assert "No such file" in (reader.trouble or "")
    aside = tmp_path / "aside"
    aside.write_text(json.dumps({"text": "]d201A"}))
    aside.replace(recording)
    link, scan = take(inbox, 2)
    assert isinstance(link, ConnectionChange)
    assert isinstance(scan, RawScan)
    assert reader.trouble is None
    assert sum("cannot be read" in record.message for record in caplog.records) == 1


def test_another_device_in_its_place_needs_no_restart(
    tmp_path: Path, inbox: Inbox, begin: Callable[..., Reader]
) -> None:
    port = tmp_path / "port"
    port.symlink_to(os.devnull)
    reader = begin(ScannerSettings(name="desk", device=str(port)))
    until(lambda: "it is no serial port" in (reader.trouble or ""))
    scanner, node = os.openpty()
    tty.setraw(node)
    aside = tmp_path / "aside"
    aside.symlink_to(os.ttyname(node))
    aside.replace(port)
    (link,) = take(inbox, 1)
    assert isinstance(link, ConnectionChange)
    assert link.connection is ConnectionState.CONNECTED
    os.close(scanner)
    os.close(node)


def test_hardware_is_known_before_its_first_scan(
    tmp_path: Path, inbox: Inbox, begin: Callable[..., Reader]
) -> None:
    recording = tmp_path / "scans.ndjson"
    recording.write_text(json.dumps({"text": "]d201A"}))
    known: list[str] = []
    begin(
        ScannerSettings(name="demo", driver="replay", device=str(recording)),
        lambda scanner: known.append(f"{scanner.settings.name}, {len(inbox.take(0)[0])} scans"),
    )
    take(inbox, 2)
    assert known == ["demo, 0 scans"]


def test_a_driver_that_is_made_anew_hears_news_too(tmp_path: Path, begin: Callable[..., Reader]) -> None:
    reader = begin(ScannerSettings(name="desk", device=str(tmp_path / "none")))
    first = reader.scanner
    first.watched = True

    def broken(timeout: float) -> ScannerInput | None:
        raise RuntimeError(timeout)

    first.read = broken  # type: ignore[method-assign]  # a fault that no device can be made to provoke
    first.wake()
    until(lambda: reader.scanner is not first)
    assert reader.scanner.watched

"""The station registry: a file that is the old one or the new one, whatever happens."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from drivers.base import ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.model import ScannerIdentity
from drivers.replay import ReplayScanner
from gateway.devices.station_registry import (
    MAX_REGISTRY_BYTES,
    FirmwareRecord,
    RegistryError,
    SafeJSONStorage,
    StationRegistry,
)

KIND = {"vendor": "0c2e", "product": "0b61", "interface": "00"}
FIRST = {**KIND, "serial": "S1", "port": "usb-0:1:1.0"}
OTHER = {**KIND, "serial": "S2", "port": "usb-0:1:1.0"}
NAMELESS = {**KIND, "serial": None, "port": "usb-0:1:1.0"}
ELSEWHERE = {**NAMELESS, "port": "usb-0:2:1.0"}
UART: dict[str, str | None] = {"device": "/dev/ttyAMA0"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.json"


@pytest.fixture
def registry(path: Path) -> Iterator[StationRegistry]:
    opened = StationRegistry(path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("before", "after", "replaces"),
    [
        (FIRST, FIRST, None),
        (FIRST, {**FIRST, "port": "usb-0:2:1.0"}, None),  # the same one, plugged in elsewhere
        (FIRST, OTHER, "0c2e:0b61 serial S1"),
        (FIRST, NAMELESS, "0c2e:0b61 serial S1"),
        (NAMELESS, FIRST, "0c2e:0b61 at usb-0:1:1.0"),
        (NAMELESS, ELSEWHERE, "0c2e:0b61 at usb-0:1:1.0"),
        (NAMELESS, NAMELESS, None),
        (UART, UART, None),
        (UART, FIRST, None),
        ({}, {}, None),
    ],
)
def test_other_hardware_under_the_same_name(
    registry: StationRegistry,
    before: dict[str, str | None],
    after: dict[str, str | None],
    replaces: str | None,
) -> None:
    assert registry.scanner_seen("front", before, "2026-11-21") is None
    assert registry.scanner_seen("front", after, "2026-11-22") == replaces
    (known,) = registry.scanners()
    noted = {"replaced": {"hardware": replaces, "when": "2026-11-22"}} if replaces else {}
    assert (
        known == {"name": "front", "identity": after, "firstSeen": "2026-11-21", "lastSeen": "2026-11-22"} | noted
    )


class Recording(ReplayScanner):
    """A scanner whose hardware can be changed."""

    def __init__(self, identity: Mapping[str, str | None], **settings: object) -> None:
        super().__init__(
            msgspec.convert({"name": "front", "device": "none", **settings}, ScannerSettings),
            PlainDialect(ScannerSettings(name="front")),
        )
        self.hardware = ScannerIdentity(**identity)

    def identity(self) -> ScannerIdentity:
        return self.hardware


def test_trust_belongs_to_the_hardware_and_outlives_the_daemon(registry: StationRegistry, path: Path) -> None:
    scanner = Recording(FIRST)
    registry.recognise(scanner)
    assert (scanner.calibrated, scanner.gs_seen) == (False, False)
    registry.note_gs(scanner)
    registry.note_calibration(scanner, "2026-11-21")
    assert (scanner.calibrated, scanner.gs_seen) == (True, True)
    scanner.hardware = ScannerIdentity(**OTHER)
    registry.recognise(scanner)
    assert (scanner.calibrated, scanner.gs_seen) == (False, False)
    again = StationRegistry(path)
    again.load()
    scanner.hardware = ScannerIdentity(**FIRST)
    again.recognise(scanner)
    assert (scanner.calibrated, scanner.gs_seen) == (True, True)
    assert again.trust(scanner).calibrated == "2026-11-21"
    again.close()


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"idle_ms": 300}, True),
        ({"layout": "se"}, False),
        ({"gs": ["f8"]}, False),
        ({"terminator": "TAB"}, False),
        ({"driver": "hid-keyboard"}, False),
        ({"name": "back"}, False),
    ],
)
def test_a_calibration_holds_for_the_settings_it_was_made_with(
    registry: StationRegistry,
    changed: dict[str, object],
    holds: bool,  # noqa: FBT001 - a column of the table
) -> None:
    registry.note_calibration(Recording(FIRST), "2026-11-21")
    scanner = Recording(FIRST, **changed)
    registry.recognise(scanner)
    assert scanner.calibrated is holds


def test_trust_that_cannot_be_read_is_none(path: Path) -> None:
    path.write_bytes(b"{")
    opened = StationRegistry(path)
    opened.load()
    scanner = Recording(FIRST)
    opened.recognise(scanner)
    assert not scanner.calibrated
    opened.close()


def test_a_technician_can_read_it(registry: StationRegistry, path: Path) -> None:
    registry.scanner_seen("främre", FIRST, "2026-11-21")
    assert '"name": "främre"' in path.read_text()
    again = StationRegistry(path)
    assert [one["name"] for one in again.scanners()] == ["främre"]
    again.close()


WRITER = """
import os, sys, signal
from pathlib import Path
from gateway.devices import station_registry as registry
def cut(*_): os.kill(os.getpid(), signal.SIGKILL)
setattr(*{
    "before-flush": (registry.os, "fsync", cut),
    "before-rename": (Path, "replace", cut),
}[sys.argv[2]])
registry.StationRegistry(Path(sys.argv[1])).scanner_seen("other", {}, "later")
"""


@pytest.mark.parametrize("moment", ["before-flush", "before-rename"])
def test_a_crash_while_writing_leaves_the_old_file(registry: StationRegistry, path: Path, moment: str) -> None:
    registry.scanner_seen("front", FIRST, "2026-11-21")
    before = path.read_bytes()
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", WRITER, str(path), moment], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    assert path.with_suffix(".new").exists(), "it was writing"
    assert registry.scanner_seen("third", OTHER, "2026-11-22") is None
    assert [one["name"] for one in registry.scanners()] == ["front", "third"]


TRUSTED = {"name": "front", "hardware": "0c2e:0b61 serial S1", "trust": {"gsSeen": True}}
WRONG: dict[str, bytes] = {
    "cut off": b'{"scanners": {',
    "no UTF-8": b"\xff",
    "too large": b" " * (MAX_REGISTRY_BYTES + 1),
    "nested without end": b"[" * 200_000,
    "nested in a document": b'{"trust": {"1": ' + b'{"a":' * 200_000,
    "a list": b"[]",
    "no table": b'{"trust": 7}',
    "no number": json.dumps({"trust": {"x": TRUSTED}}).encode(),
    "no document": b'{"trust": {"1": 7}}',
    "a document of nothing": b'{"trust": {"1": {}}}',
    "another type": json.dumps({"trust": {"1": {**TRUSTED, "trust": {"gsSeen": "yes"}}}}).encode(),
    "no settings": b'{"firmware": {"1": {"name": "front", "firmware": 7}}}',
    "no identity": b'{"scanners": {"1": {"name": "front", "identity": [], "firstSeen": "", "lastSeen": ""}}}',
    "no counts": b'{"labels": {"1": {"completing": {"a": {"b": "c"}}}}}',
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_file_that_is_no_registry_is_set_aside_and_named(path: Path, content: bytes) -> None:
    """RFC 8259, 9: how deep a text nests is not limited by JSON, and a file may hold anything (CWE-674)."""
    path.write_bytes(content)
    opened = StationRegistry(path)
    opened.load()
    assert opened.completing_symbols() == {}
    assert opened.firmware("front") is None
    assert opened.scanner_seen("front", FIRST, "2026-11-21") is None
    assert "station.json.corrupt" in (opened.trouble or "")
    opened.close()
    assert path.with_name("station.json.corrupt").read_bytes() == content
    again = StationRegistry(path)
    again.load()
    assert again.trouble is None
    assert [one["name"] for one in again.scanners()] == ["front"]
    again.close()


def test_a_file_that_cannot_even_be_set_aside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"[")

    def refuses(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuses)
    opened = StationRegistry(path)
    with pytest.raises(RegistryError, match=r"cannot set aside .*: Read-only file system; move it away"):
        opened.load()
    opened.close()


def test_ten_thousand_scanners(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is plugged in under one name over the years: the file stays small, what is calibrated stays in it."""
    monkeypatch.setattr("gateway.devices.station_registry.MAX_DOCUMENTS", 20)
    opened = StationRegistry(path)
    opened.note_calibration(Recording(FIRST), "2026-11-21")
    for number in range(100):
        opened.note_gs(Recording({**KIND, "serial": f"T{number}"}))
        opened.scanner_seen(f"scanner-{number}", FIRST, "2026-11-21")
    tables = json.loads(path.read_text())
    assert {name: len(documents) <= 20 for name, documents in tables.items()} == {"trust": True, "scanners": True}
    again = StationRegistry(path)
    again.load()
    assert again.trust(Recording(FIRST)).calibrated == "2026-11-21"
    assert again.trust(Recording({**KIND, "serial": "T99"})).gs_seen
    assert not again.trust(Recording({**KIND, "serial": "T0"})).gs_seen
    again.close()
    opened.close()


def test_a_loose_cable_does_not_wear_out_the_disk(
    registry: StationRegistry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[object] = []
    write = SafeJSONStorage.write

    def note(self: SafeJSONStorage, data: Mapping[str, Mapping[str, object]]) -> None:
        written.append(data)
        write(self, data)

    monkeypatch.setattr(SafeJSONStorage, "write", note)
    for hour in range(24):
        registry.scanner_seen("front", FIRST, f"2026-11-21T{hour:02}:00:00+01:00")
    assert len(written) == 1
    registry.scanner_seen("front", FIRST, "2026-11-22T00:00:00+01:00")
    registry.scanner_seen("front", OTHER, "2026-11-22T00:01:00+01:00")
    assert len(written) == 3
    assert '"lastSeen": "2026-11-22T00:01:00+01:00"' in path.read_text()


def test_a_disk_that_cannot_be_written(path: Path) -> None:
    storage = SafeJSONStorage(path.parent / "none" / "station.json")
    assert storage.read() is None
    with pytest.raises(RegistryError, match=r"cannot write .*: No such file or directory; check the disk"):
        storage.write({"scanners": {}})


def test_what_is_written_is_flushed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, then its directory: else a power cut may bring the old name back to an empty file."""
    flushed: list[str] = []
    flush = os.fsync

    def note(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    SafeJSONStorage(path).write({"scanners": {}})
    assert flushed == ["station.new", path.parent.name]
    assert json.loads(path.read_text()) == {"scanners": {}}


def test_settings_of_scanners_outlive_the_daemon(tmp_path: Path) -> None:
    record = FirmwareRecord(profile="honeywell", identity={"serial": "S-1"}, values={"TERMID": "130"}, when="2026")
    first = StationRegistry(tmp_path / "station.json")
    assert first.firmware("front") is None
    first.note_firmware("front", FirmwareRecord(profile="zebra", identity={}, values={}))
    first.note_firmware("front", record)
    assert StationRegistry(tmp_path / "station.json").firmware("front") == record

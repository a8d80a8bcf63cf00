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
    with pytest.raises(RegistryError):
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


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"scanners": {', "cannot read .*; move it away; it is made anew"),
        (b"\xff", "cannot read"),
        (b" " * (MAX_REGISTRY_BYTES + 1), "far too large"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_so_and_left(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    opened = StationRegistry(path)
    with pytest.raises(RegistryError, match=words):
        opened.scanner_seen("front", FIRST, "2026-11-21")
    opened.close()
    assert path.read_bytes() == content


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


def test_settings_that_cannot_be_understood_are_told(tmp_path: Path) -> None:
    (tmp_path / "station.json").write_text(json.dumps({"firmware": {"1": {"name": "front", "firmware": 7}}}))
    with pytest.raises(RegistryError, match="move it away"):
        StationRegistry(tmp_path / "station.json").firmware("front")

"""The station registry: a file that is the old one or the new one, whatever happens."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.registry import MAX_REGISTRY_BYTES, RegistryError, SafeJSONStorage, StationRegistry

FIRST = {"serial": "S1", "port": "usb-1-1"}
OTHER = {"serial": "S2", "port": "usb-1-1"}


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
        (FIRST, OTHER, "S1"),
        ({"serial": None}, FIRST, None),
        (FIRST, {"serial": None}, "S1"),
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
    assert known == {"name": "front", "identity": after, "firstSeen": "2026-11-21", "lastSeen": "2026-11-22"}


def test_a_technician_can_read_it(registry: StationRegistry, path: Path) -> None:
    registry.scanner_seen("främre", FIRST, "2026-11-21")
    assert '"name": "främre"' in path.read_text()
    again = StationRegistry(path)
    assert [one["name"] for one in again.scanners()] == ["främre"]
    again.close()


WRITER = """
import os, sys, signal
from pathlib import Path
from gateway import registry
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

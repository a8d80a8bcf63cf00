"""The station registry: a small TinyDB file that a technician can read over SSH. Never on the scan path.

TinyDB rewrites its whole file for each change. Its own storage does so in place, and a power cut then leaves half a
file; this one writes aside, flushes and renames.
"""

import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, convert
from tinydb import Query, TinyDB
from tinydb.storages import Storage
from tinydb.table import Table

from drivers.base import Scanner, ScannerSettings
from drivers.hardware import hardware_key
from drivers.model import ScannerIdentity
from gateway.events.cloudevent import UNREADABLE

log = logging.getLogger(__name__)

MAX_REGISTRY_BYTES: Final = 4 * 1024 * 1024
"""A station has a few dozen documents; more is not a registry."""
MAX_DOCUMENTS: Final = 500
"""Documents of a table: ten times the scanners of a large station, and some 200 KB. The oldest go first, and of
hardware what was never calibrated."""
DAY: Final = len("2026-11-22")
"""Of RFC 3339: when a scanner was seen last is noted once a day."""


class RegistryError(Exception):
    """The registry cannot be read or written: operation, file, cause, next step."""

    def __init__(self, operation: str, path: Path, cause: object, hint: str) -> None:
        super().__init__(f"cannot {operation} {path}: {cause}; {hint}")


class Trust(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is known of one piece of hardware under a scanner's name."""

    calibrated_as: str | None = None
    """`proved_by` of the settings that its calibration holds for; None: never calibrated."""
    calibrated: str | None = None
    """When, RFC 3339."""
    gs_seen: bool = False
    """It has sent a GS at some time."""


class FirmwareRecord(Struct, frozen=True, kw_only=True, rename="camel"):
    """A scanner's own settings when they were last known to be as needed."""

    profile: str
    identity: dict[str, str | None]
    """What the scanner said of itself: model, firmware, serial."""
    values: dict[str, str]
    """Name of the setting -> its value, as the scanner writes it."""
    when: str = ""
    """RFC 3339."""


class _OfHardware(Struct):
    name: str
    hardware: str
    trust: Trust


class _OfScanner(Struct, rename="camel"):
    name: str
    identity: ScannerIdentity
    first_seen: str
    last_seen: str


class _OfFirmware(Struct):
    name: str
    firmware: FirmwareRecord


class _OfLabels(Struct):
    completing: dict[str, dict[str, int]]


class _Tables(Struct):
    """What the file holds: table -> document's number -> document."""

    trust: dict[int, _OfHardware] = {}
    scanners: dict[int, _OfScanner] = {}
    firmware: dict[int, _OfFirmware] = {}
    labels: dict[int, _OfLabels] = {}


_tables = msgspec.json.Decoder(_Tables)


class SafeJSONStorage(Storage):
    """TinyDB storage that leaves the old file or the new one, whatever happens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set_aside: Path | None = None
        """Where a file lies that held something else than a registry; None: there was none since the start."""

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Return the whole registry, or None when there is none yet. Raises RegistryError.

        A file that holds anything else is set aside: a box that knows no scanner yet reads them all, and says so.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_REGISTRY_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RegistryError("read", self._path, error.strerror, "check its owner") from error
        try:
            if len(data) > MAX_REGISTRY_BYTES:
                raise ValueError("it is far too large")
            _tables.decode(data)
            read: dict[str, dict[str, Any]] = msgspec.json.decode(data)
        except UNREADABLE as error:
            self._put_aside(error)
            return None
        return read

    def _put_aside(self, why: Exception) -> None:
        aside = self._path.with_name(f"{self._path.name}.corrupt")
        log.error("the station registry cannot be used, and is set aside as %s: %s", aside, why)
        try:
            self._path.replace(aside)
        except OSError as error:
            raise RegistryError("set aside", self._path, error.strerror, "move it away; it is made anew") from error
        self.set_aside = aside

    def write(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace the whole registry durably. Raises RegistryError."""
        aside = self._path.with_suffix(".new")
        try:
            with aside.open("w", encoding="utf-8") as file:
                json.dump(data, file, indent=1, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path)
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise RegistryError("write", self._path, error.strerror, "check the disk and its owner") from error


def proved_by(settings: ScannerSettings) -> str:
    """Name what a calibration proves: with another layout, GS or terminator the same hardware types otherwise."""
    return f"{settings.driver} {settings.layout} {' '.join(settings.gs)} {settings.terminator}"


class StationRegistry:
    """What this station has seen: its scanners, where they sit, and how far they are trusted. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = TinyDB(path, storage=SafeJSONStorage)
        self._storage: SafeJSONStorage = self._db.storage  # type: ignore[assignment]  # the one it has made
        self._lock = threading.Lock()
        self._trust: dict[tuple[str, str], Trust] = {}

    def load(self) -> None:
        """Read what `recognise` knows, which then asks no disk. Raises RegistryError."""
        with self._lock:
            for document in self._db.table("trust").all():
                trust = convert(document["trust"], Trust)
                self._trust[document["name"], document["hardware"]] = trust

    def recognise(self, scanner: Scanner) -> None:
        """Set how far the hardware that answers now is trusted. Reads no disk."""
        trust = self.trust(scanner)
        scanner.calibrated = trust.calibrated_as == proved_by(scanner.settings)
        scanner.gs_seen = trust.gs_seen

    def trust(self, scanner: Scanner) -> Trust:
        """Return what is known of the hardware that answers now. Reads no disk."""
        return self._trust.get((scanner.settings.name, hardware_key(scanner.identity())), Trust())

    def note_gs(self, scanner: Scanner) -> None:
        """Note for good that this hardware sends GS. Raises RegistryError."""
        self._set_trust(scanner, gs_seen=True)

    def note_calibration(self, scanner: Scanner, when: str) -> None:
        """Note that this hardware, with these settings, types what labels say. Raises RegistryError."""
        self._set_trust(scanner, calibrated_as=proved_by(scanner.settings), calibrated=when)
        self.recognise(scanner)

    def _set_trust(self, scanner: Scanner, **changes: str | bool) -> None:
        name, hardware = scanner.settings.name, hardware_key(scanner.identity())
        with self._lock:
            trust = msgspec.structs.replace(self._trust.get((name, hardware), Trust()), **changes)
            document = {"name": name, "hardware": hardware, "trust": msgspec.to_builtins(trust)}
            table = self._db.table("trust")
            table.upsert(document, (Query().name == name) & (Query().hardware == hardware))
            self._bound(table)
            self._trust[name, hardware] = trust

    def scanner_seen(self, name: str, identity: Mapping[str, str | None], when: str) -> str | None:
        """Note that a scanner answers; return what it replaces when other hardware answers under its name.

        Hardware without a serial number is known by its port: another of its kind in the same port is not noticed.
        Raises RegistryError.
        """
        with self._lock:
            table = self._db.table("scanners")
            where = Query().name == name
            known = next(iter(table.search(where)), None)
            if known is None:
                table.insert({"name": name, "identity": dict(identity), "firstSeen": when, "lastSeen": when})
                self._bound(table)
                return None
            if known["identity"] == dict(identity) and known["lastSeen"][:DAY] == when[:DAY]:
                return None  # a cable that is loose must not wear out the disk
            before = convert(known["identity"], ScannerIdentity)
            other = hardware_key(before) != hardware_key(ScannerIdentity(**identity))
            replaced = hardware_key(before) if other and (before.vendor or before.serial) else None
            changes: dict[str, object] = {"identity": dict(identity), "lastSeen": when}
            if replaced is not None:
                changes["replaced"] = {"hardware": replaced, "when": when}
            table.update(changes, where)
            return replaced

    def note_firmware(self, name: str, record: FirmwareRecord) -> None:
        """Note a scanner's own settings. Raises RegistryError."""
        document = {"name": name, "firmware": msgspec.to_builtins(record)}
        with self._lock:
            table = self._db.table("firmware")
            table.upsert(document, Query().name == name)
            self._bound(table)

    def firmware(self, name: str) -> FirmwareRecord | None:
        """Return a scanner's settings as last noted, or None. Raises RegistryError."""
        with self._lock:
            found = self._db.table("firmware").search(Query().name == name)
        return convert(found[0]["firmware"], FirmwareRecord) if found else None

    def completing_symbols(self) -> dict[str, dict[str, int]]:
        """Return how often which symbol completed the labels of an article. Raises RegistryError."""
        with self._lock:
            documents = self._db.table("labels").all()
        return convert(documents[0]["completing"], dict[str, dict[str, int]]) if documents else {}

    def note_completing_symbols(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Keep them: one document, written whole. Raises RegistryError."""
        with self._lock:
            table = self._db.table("labels")
            if table.all():
                table.update({"completing": dict(counts)})
            else:
                table.insert({"completing": dict(counts)})

    @property
    def trouble(self) -> str | None:
        """Say what was lost of it since the start; None where nothing was."""
        aside = self._storage.set_aside
        if aside is None:
            return None
        return f"the station registry was damaged: calibrate the scanners again; see {aside}, check the disk"

    def _bound(self, table: Table) -> None:
        """Remove what was noted first where there are too many; one more is rare, and 10 % make room for many."""
        documents = table.all()
        if len(documents) > MAX_DOCUMENTS:
            documents.sort(key=lambda one: (bool(one.get("trust", {}).get("calibrated")), one.doc_id))
            table.remove(doc_ids=[one.doc_id for one in documents[: len(documents) - MAX_DOCUMENTS * 9 // 10]])

    def scanners(self) -> list[dict[str, Any]]:
        """Return every scanner this station has seen. Raises RegistryError."""
        with self._lock:
            return [dict(document) for document in self._db.table("scanners").all()]

    def close(self) -> None:
        """Close the file."""
        self._db.close()

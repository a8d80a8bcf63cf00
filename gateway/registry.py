"""The station registry: a small TinyDB file that a technician can read over SSH. Never on the scan path.

TinyDB rewrites its whole file for each change. Its own storage does so in place, and a power cut then leaves half a
file; this one writes aside, flushes and renames.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tinydb import Query, TinyDB
from tinydb.storages import Storage

MAX_REGISTRY_BYTES: Final = 4 * 1024 * 1024
"""A station has a few dozen documents; more is not a registry."""


class RegistryError(Exception):
    """The registry cannot be read or written: operation, file, cause, next step."""

    def __init__(self, operation: str, path: Path, cause: object, hint: str) -> None:
        super().__init__(f"cannot {operation} {path}: {cause}; {hint}")


class SafeJSONStorage(Storage):
    """TinyDB storage that leaves the old file or the new one, whatever happens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Return the whole registry, or None when there is none yet. Raises RegistryError."""
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_REGISTRY_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RegistryError("read", self._path, error.strerror, "check its owner") from error
        if len(data) > MAX_REGISTRY_BYTES:
            raise RegistryError("read", self._path, "it is far too large", "move it away; it is made anew")
        try:
            tables = json.loads(data)
        except ValueError as error:
            raise RegistryError("read", self._path, error, "move it away; it is made anew") from error
        if not isinstance(tables, dict):
            raise RegistryError("read", self._path, "it holds no tables", "move it away; it is made anew")
        return tables

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


class StationRegistry:
    """What this station has seen: its scanners and where they sit."""

    def __init__(self, path: Path) -> None:
        self._db = TinyDB(path, storage=SafeJSONStorage)

    def scanner_seen(self, name: str, identity: Mapping[str, str | None], when: str) -> str | None:
        """Note that a scanner answers; return what it replaces when other hardware answers under its name."""
        table = self._db.table("scanners")
        where = Query().name == name
        known = next(iter(table.search(where)), None)
        if known is None:
            table.insert({"name": name, "identity": dict(identity), "firstSeen": when, "lastSeen": when})
            return None
        before = known["identity"]
        replaced = before["serial"] if before.get("serial") and before["serial"] != identity.get("serial") else None
        table.update({"identity": dict(identity), "lastSeen": when}, where)
        return replaced

    def scanners(self) -> list[dict[str, Any]]:
        """Return every scanner this station has seen."""
        return [dict(document) for document in self._db.table("scanners").all()]

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

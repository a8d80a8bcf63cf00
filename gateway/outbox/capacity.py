"""How much room the scans have: the outbox is bounded by its own size and by the free space of its disk."""

import os
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from gateway.outbox.settings import MIB, OutboxSettings

Bound = Literal["max_bytes", "min_free_bytes"]


class Capacity(StrEnum):
    """How full the outbox is."""

    FREE = "free"
    FILLING = "filling"
    """70 % of the allowed size, or of the way to the last allowed free byte, is used."""
    NEARLY_FULL = "nearly-full"
    """90 %. Delivered history is given up."""
    FULL = "full"
    """New scans are refused. What is not delivered is kept."""


LEVELS: Final = ((1.0, Capacity.FULL), (0.9, Capacity.NEARLY_FULL), (0.7, Capacity.FILLING))


class CapacityReport(Struct, frozen=True, kw_only=True):
    """One look at the disk and the database."""

    level: Capacity
    used_bytes: int
    """Pages of the database that hold something."""
    free_bytes: int
    """What the file system and the database's empty pages still hold."""
    bound: Bound = "max_bytes"
    """Which of the two settings is nearer to its limit."""

    def remedy(self, settings: OutboxSettings) -> str:
        """Return what to do about an outbox that is full."""
        if self.bound == "max_bytes":
            return "restore the way to the broker, export them, or raise outbox.max_bytes"
        return (
            f"the disk has {self.free_bytes // MIB} MiB left and outbox.min_free_bytes keeps "
            f"{settings.min_free_bytes // MIB} MiB: make room on the disk, or lower outbox.min_free_bytes"
        )


def measure(db: sqlite3.Connection, directory: Path, settings: OutboxSettings) -> CapacityReport:
    """Look at how much room there is. Raises sqlite3.Error, OSError."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (unused,) = db.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    disk = os.statvfs(directory)
    used_bytes = (pages - unused) * page_bytes
    free_bytes = disk.f_bavail * disk.f_frsize + unused * page_bytes
    of_size, of_disk = used_bytes / settings.max_bytes, settings.min_free_bytes / (free_bytes or 1)
    used = max(of_size, of_disk)
    level = next((name for share, name in LEVELS if used >= share), Capacity.FREE)
    bound: Bound = "max_bytes" if of_size >= of_disk else "min_free_bytes"
    return CapacityReport(level=level, used_bytes=used_bytes, free_bytes=free_bytes, bound=bound)

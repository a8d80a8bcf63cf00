"""How much room the scans have: the outbox is bounded by its own size and by the free space of its disk."""

import os
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.outbox.settings import OutboxSettings


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


def measure(db: sqlite3.Connection, directory: Path, settings: OutboxSettings) -> CapacityReport:
    """Look at how much room there is. Raises sqlite3.Error, OSError."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (unused,) = db.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    disk = os.statvfs(directory)
    used_bytes = (pages - unused) * page_bytes
    free_bytes = disk.f_bavail * disk.f_frsize + unused * page_bytes
    used = max(used_bytes / settings.max_bytes, settings.min_free_bytes / (free_bytes or 1))
    level = next((name for share, name in LEVELS if used >= share), Capacity.FREE)
    return CapacityReport(level=level, used_bytes=used_bytes, free_bytes=free_bytes)

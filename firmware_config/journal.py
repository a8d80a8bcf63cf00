"""The journal of a scanner: what was read before, what is intended, how far it came. One small file, written whole.

A gateway that dies half way leaves it open; the next run finishes what it tells. A value in force looks the same
whether or not it is kept, so without the journal a run that died before keeping would never be noticed.
"""

import os
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from firmware_config.errors import JournalError
from firmware_config.model import Identity


class Stage(StrEnum):
    """How far a run came. Written before what it names is done."""

    INTENDED = "intended"
    """Nothing was written yet."""
    RAM = "ram"
    """Values are being put in force."""
    KEEPING = "keeping"
    """Values are being written to flash."""
    DONE = "done"
    RESTORED = "restored"
    """A step failed, and what was there before is there again."""


class ProgrammingRecord(Struct, frozen=True, kw_only=True):
    """One run on one scanner."""

    profile: str
    identity: Identity
    before: dict[str, str]
    """Values in force before anything was written."""
    before_kept: dict[str, str]
    """Values in flash before anything was written, as far as the scanner tells them."""
    intended: dict[str, str]
    stage: Stage
    flash_writes: int
    """Of all runs on this scanner. Counted before the write, so one that a power cut prevented counts too."""

    @property
    def is_open(self) -> bool:
        """Whether the run did not come to an end."""
        return self.stage not in {Stage.DONE, Stage.RESTORED}

    def is_of(self, identity: Identity) -> bool:
        """Whether it is this scanner's: model and serial number are the same. Firmware may have been updated."""
        return (self.identity.model, self.identity.serial) == (identity.model, identity.serial)


def load(path: Path) -> ProgrammingRecord | None:
    """Return the record, or None where there is none yet. Raises JournalError for what cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ProgrammingRecord)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise JournalError(
            "read", str(path), str(error), "remove it if it is damaged: the scanner is read anew", recoverable=False
        ) from error


def save(path: Path, record: ProgrammingRecord) -> None:
    """Bring the record to the disk, whole. Raises JournalError; the record before stays then."""
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with aside.open("wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(record)))
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise JournalError(
            "write", str(path), error.strerror or str(error), "free space or mend its directory", recoverable=True
        ) from error

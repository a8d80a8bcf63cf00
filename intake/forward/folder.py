"""Events as files in a folder, each written whole: a system that reads a drop folder never sees half of one."""

import os
from pathlib import Path

from intake.forward import ReceiverAwayError


class FolderReceiver:
    """Writes one file an event, named after its place, so that a second writing replaces the first."""

    def __init__(self, directory: Path, suffix: str) -> None:
        self._directory = directory
        self._suffix = suffix

    def send(self, payload: bytes, name: str) -> None:
        """Write it; confirmed when file and name are on the disk."""
        made = self._directory / f".{name}.part"
        try:
            with made.open("wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            made.rename(self._directory / f"{name}{self._suffix}")
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ReceiverAwayError(f"cannot write into {self._directory}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing stays open."""

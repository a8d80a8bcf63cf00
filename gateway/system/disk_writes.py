"""What this daemon makes the disk write: an SD card wears out by it."""

from pathlib import Path
from typing import Final

IO: Final = Path("/proc/self/io")
"""proc_pid_io(5): `write_bytes` is what this process caused to be sent to the storage layer, whole pages."""


class Wear:
    """Bytes written since it was made; `stored`: sequence of the newest scan then."""

    def __init__(self, stored: int, source: Path = IO) -> None:
        self._source = source
        self._stored = stored
        self._begin = self._read()

    def look(self, stored: int) -> tuple[int | None, int | None]:
        """Return bytes written, and of them for each scan stored since; None where it is not known."""
        now = self._read()
        if now is None or self._begin is None:
            return None, None
        written, scans = now - self._begin, stored - self._stored
        return written, written // scans if scans > 0 else None

    def _read(self) -> int | None:
        try:
            lines = self._source.read_text(encoding="ascii").splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))
        except (OSError, ValueError, IndexError, StopIteration):
            return None  # a kernel without task accounting

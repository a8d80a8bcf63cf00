"""A daemon whose clock a test moves: `python -m tests.shifted_clock run -c FILE` with SHIFTED_CLOCK=FILE.

What the daemon reads of the time, in nanoseconds, is the machine's plus what the file says (two integers of 64 bits:
for the wall clock, for the monotonic one). What it *waits* for is real time. systemd is taken to have set the clock.
"""

import mmap
import os
import struct
import sys
import time
from pathlib import Path
from typing import Final

VARIABLE: Final = "SHIFTED_CLOCK"
FORM: Final = "qq"
NS: Final = 1_000_000_000


class ShiftedClock:
    """The test's side of the file."""

    def __init__(self, path: Path, midnight_ns: int) -> None:
        """`midnight_ns`: the wall time of second 0."""
        self.path = path
        self._midnight_ns = midnight_ns
        self._boot_ns = 1000 * NS
        """Monotonic time of second 0: changes with each boot."""
        path.write_bytes(struct.pack(FORM, 0, 0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self.set(0)

    def set(self, second: float) -> None:
        """Make it that second now; time goes on from there."""
        ns = int(second * NS)
        wall = self._midnight_ns + ns - _real_wall()
        self._map[:] = struct.pack(FORM, wall, self._boot_ns + ns - _real_monotonic())

    def boot(self) -> None:
        """Let the monotonic clock begin elsewhere, as it does when the machine starts."""
        self._boot_ns -= 500 * NS


_real_wall, _real_monotonic = time.time_ns, time.monotonic_ns


def main() -> int:
    """Run the command line of the daemon with the moved clock."""
    with Path(os.environ[VARIABLE]).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 0)
    time.time_ns = lambda: _real_wall() + struct.unpack(FORM, shared)[0]
    time.monotonic_ns = lambda: _real_monotonic() + struct.unpack(FORM, shared)[1]
    from gateway.cli import main as command_line
    from gateway.system import clock

    clock.SYNCHRONISED_FLAG = Path(os.environ[VARIABLE])  # type: ignore[misc]
    return command_line()


if __name__ == "__main__":
    sys.exit(main())

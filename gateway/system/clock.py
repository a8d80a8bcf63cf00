"""Time as this box knows it: wall clock, monotonic clock, boot, and whether the wall clock can be believed.

A Raspberry Pi has no battery-backed clock: after a power cut it wakes in the past until the network tells it the
time. So whether the clock is synchronised is asked of systemd, never guessed, and beside the wall time every scan
carries the boot id and the monotonic time, from which the true time can be computed later.
"""

import os
import time
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway import RELEASED

SYNCHRONISED_FLAG: Final = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd(8) touches it when it has set the clock in this boot."""
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
ASK_SECONDS: Final = 2.0
"""timedate1 is started on demand; a bus that does not answer by then is taken as a no."""
ASK_AGAIN_SECONDS: Final = 10.0
ASK_MOST_SECONDS: Final = 600.0
"""Between two questions to timedate1, which systemd starts for each: soon at first, then every ten minutes."""
LOCAL_TIME: Final = "/etc/localtime"
NS: Final = 1_000_000_000


class ClockReading(Struct, frozen=True, kw_only=True):
    """One look at the clock."""

    wall_ns: int
    """CLOCK_REALTIME, nanoseconds since 1970 UTC."""
    monotonic_ns: int
    """CLOCK_MONOTONIC, nanoseconds since some moment of this boot."""
    boot_id: str
    synchronised: bool
    """systemd says the wall clock has been set by a time source in this boot."""
    lower_bound_ns: int
    """The true time is not earlier than this, whatever the wall clock says."""

    def wall_at(self, monotonic_ns: int) -> int:
        """Wall time of a moment of this boot, nanoseconds."""
        return self.wall_ns - (self.monotonic_ns - monotonic_ns)

    def today(self) -> date:
        """Local date: of the wall clock when it can be believed, else of the later of it and the lower bound."""
        ns = self.wall_ns if self.synchronised else max(self.wall_ns, self.lower_bound_ns)
        return date.fromtimestamp(ns // NS)  # noqa: DTZ012 - the box's zone is what is wanted

    def certain_date(self) -> date:
        """Return the earliest local date it can be now."""
        ns = self.wall_ns if self.synchronised else self.lower_bound_ns
        return date.fromtimestamp(ns // NS)  # noqa: DTZ012 - the box's zone is what is wanted


class Clock:
    """The box's clock. `now` is cheap; `observe` asks systemd and is called now and then."""

    def __init__(self) -> None:
        self._boot_id = boot_id()
        self._synchronised = SYNCHRONISED_FLAG.exists()
        self._ask_at = 0.0
        self._ask_pause = ASK_AGAIN_SECONDS
        self._zone = _zone()
        released = datetime.fromisoformat(RELEASED).replace(tzinfo=UTC)
        self._lower_bound_ns = int(released.timestamp()) * NS

    def now(self) -> ClockReading:
        """Read the clock."""
        wall_ns = time.time_ns()
        if self._synchronised:
            self._lower_bound_ns = max(self._lower_bound_ns, wall_ns)
        return ClockReading(
            wall_ns=wall_ns,
            monotonic_ns=time.monotonic_ns(),
            boot_id=self._boot_id,
            synchronised=self._synchronised,
            lower_bound_ns=self._lower_bound_ns,
        )

    def not_before(self, wall_ns: int) -> None:
        """Learn that the true time is not earlier than this (a master's date, the last trusted scan)."""
        self._lower_bound_ns = max(self._lower_bound_ns, wall_ns)

    def observe(self) -> bool:
        """Ask systemd whether the clock is synchronised; may take seconds, so never on the scan path.

        The flag file costs nothing. timedate1, which knows other time services, is started for each question, so it
        is asked at growing intervals. A changed time zone is taken up, too.
        """
        if (zone := _zone()) != self._zone:
            self._zone = zone
            time.tzset()
        if not self._synchronised:
            self._synchronised = SYNCHRONISED_FLAG.exists() or self._ask()
        return self._synchronised

    def _ask(self) -> bool:
        now = time.monotonic()
        if now < self._ask_at:
            return False
        self._ask_at = now + self._ask_pause
        self._ask_pause = min(ASK_MOST_SECONDS, 2 * self._ask_pause)
        return _timedate_says_synchronised()


def _zone() -> tuple[str, int] | None:
    """Return what changes with the box's time zone: where /etc/localtime leads, and when that was written."""
    try:
        return os.path.realpath(LOCAL_TIME), os.stat(LOCAL_TIME).st_mtime_ns  # noqa: PTH116 - follows the link
    except OSError:
        return None


def boot_id() -> str:
    """Return the kernel's id of this boot, 32 hex digits.

    The hardened unit hides /proc/sys from the daemon and passes the id in the environment instead.
    """
    given = os.environ.get("SCANGATE_BOOT_ID")
    if given:
        return given.replace("-", "")
    try:
        return BOOT_ID.read_text().strip().replace("-", "")
    except OSError:
        return os.urandom(16).hex()


def local_rfc3339(wall_ns: int) -> str:
    """Format a wall time in the box's time zone with milliseconds: `2026-11-21T22:41:07.312+01:00`."""
    seconds, rest = divmod(wall_ns, NS)
    moment, offset = _local_second(seconds, (time.tzname, time.timezone))
    return f"{moment}.{rest // 1_000_000:03}{offset}"


@lru_cache(maxsize=4)
def _local_second(seconds: int, _zone: tuple[tuple[str, str], int]) -> tuple[str, str]:
    """Return a second of the box's present zone, and the offset from UTC: most events need one second twice."""
    local = time.localtime(seconds)  # a third of what datetime takes
    hours, minutes = divmod(abs(local.tm_gmtoff) // 60, 60)
    sign = "-" if local.tm_gmtoff < 0 else "+"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{sign}{hours:02}:{minutes:02}"


def _timedate_says_synchronised() -> bool:
    """NTPSynchronized of org.freedesktop.timedate1, which also knows chrony and ntpd."""
    import subprocess

    command = (
        "busctl", "--system", "--no-pager", "get-property", "org.freedesktop.timedate1",
        "/org/freedesktop/timedate1", "org.freedesktop.timedate1", "NTPSynchronized",
    )  # fmt: skip
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.split() == ["b", "true"]

"""What the board says of itself: temperature, and whether a Raspberry Pi is starved of power or slowed by heat."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.monitoring.health import BoardHealth

THERMAL: Final = Path("sys/class/thermal/thermal_zone0/temp")
"""Millidegrees Celsius (kernel, thermal sysfs interface)."""
THROTTLED: Final = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
"""Hexadecimal flags (Raspberry Pi documentation, `vcgencmd get_throttled`); other boards have no such file."""
UNDER_VOLTAGE: Final = 1 << 0
CAPPED_OR_THROTTLED: Final = 1 << 1 | 1 << 2 | 1 << 3
"""Frequency capped, throttled, soft temperature limit."""
SINCE_BOOT: Final = 16
"""The same flags, shifted by so many bits, tell what has been since the boot."""


def read_board(root: Path = Path("/")) -> BoardHealth | None:
    """Read what there is to read below `root`; None on a machine that tells nothing. Never raises."""
    temperature = _number(root / THERMAL, 10)
    flags = _number(root / THROTTLED, 16)
    if temperature is None and flags is None:
        return None
    return BoardHealth(
        temperature_celsius=None if temperature is None else round(temperature / 1000, 1),
        under_voltage=None if flags is None else bool(flags & UNDER_VOLTAGE),
        under_voltage_since_boot=None if flags is None else bool(flags >> SINCE_BOOT & UNDER_VOLTAGE),
        throttled=None if flags is None else bool(flags & CAPPED_OR_THROTTLED),
    )


def _number(path: Path, base: int) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii").strip(), base)
    return None

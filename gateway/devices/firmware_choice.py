"""Which scanner and which profile a command means. Pure."""

from collections.abc import Sequence

from drivers.base import ScannerSettings
from firmware_config.errors import ProfileError
from firmware_config.profiles import names
from gateway.config.loader import ConfigError


def chosen_scanner(scanners: Sequence[ScannerSettings], name: str | None) -> ScannerSettings:
    """Return the scanner of that name, or the only one. Raises ConfigError."""
    if name is None and len(scanners) == 1:
        return scanners[0]
    for settings in scanners:
        if settings.name == name:
            return settings
    known = ", ".join(settings.name for settings in scanners)
    said = "say which scanner" if name is None else f"there is no scanner {name!r}"
    raise ConfigError(f"{said}: this station has {known or 'none'}")


def chosen_profile(settings: ScannerSettings, name: str | None) -> str:
    """Return the profile that was given, or the scanner's own. Raises ProfileError."""
    chosen = name or settings.firmware_profile
    if chosen is None:
        raise ProfileError(
            "choose",
            f"a profile for {settings.name}",
            "neither --profile nor its firmware_profile names one",
            f"there are {', '.join(names())}",
            recoverable=False,
        )
    return chosen

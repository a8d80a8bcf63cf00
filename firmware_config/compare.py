"""What differs between a scanner and a profile. Pure."""

from collections.abc import Collection

from msgspec import Struct

from firmware_config.model import Difference, ScannerProfile, Setting, SettingsReading
from firmware_config.vendors.base import VendorProtocol


class Comparison(Struct, frozen=True, kw_only=True):
    """A scanner beside a profile."""

    differences: tuple[Difference, ...]
    left_out: tuple[Setting, ...]
    """Differ, and may not be written because they are not verified."""
    unknown: tuple[Setting, ...]


def settings_of(profile: ScannerProfile) -> tuple[Setting, ...]:
    """Return the settings that a port can carry."""
    return tuple(setting for setting in profile.settings if setting.by == "port")


def compare(
    vendor: VendorProtocol,
    profile: ScannerProfile,
    reading: SettingsReading,
    *,
    allow_unverified: bool,
    unkept: Collection[str] = (),
) -> Comparison:
    """Compare. `unkept` names settings that count as different whatever is in force: nobody knows of the flash."""
    differences = []
    left_out = []
    unknown = []
    for setting in settings_of(profile):
        if setting.name not in reading.values:
            unknown.append(setting)
            continue
        present = _present(vendor, setting, reading)
        if present is None and setting.name not in unkept:
            continue
        if not (setting.verified or allow_unverified):
            left_out.append(setting)
            continue
        differences.append(
            Difference(
                setting=setting,
                present=reading.values[setting.name] if present is None else present,
                wanted=setting.value,
                bytes=() if vendor.cannot_write else vendor.keep_messages({setting.name: setting.value}),
                meaning=setting.meaning,
            )
        )
    return Comparison(differences=tuple(differences), left_out=tuple(left_out), unknown=tuple(unknown))


def serves(vendor: VendorProtocol, setting: Setting, value: str) -> bool:
    """Return whether a value is what the setting wants, or serves as well."""
    return any(vendor.same(value, good) for good in (setting.value, *setting.also))


def _present(vendor: VendorProtocol, setting: Setting, reading: SettingsReading) -> str | None:
    """Return the value that does not serve: the one in force, else the one in flash."""
    values = [reading.values[setting.name]]
    if reading.kept is not None and setting.name in reading.kept:
        values.append(reading.kept[setting.name])
    return next((value for value in values if not serves(vendor, setting, value)), None)

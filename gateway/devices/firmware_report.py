"""What is said of a scanner's settings: bytes that can be read, and reports as plain values. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from drivers.base import ScannerSettings
from firmware_config.model import Difference, Report, ScannerProfile, Setting


def readable(data: bytes) -> str:
    """Return bytes as text, with what is no printable ASCII as `<16>`."""
    return "".join(chr(one) if 0x20 <= one < 0x7F else f"<{one:02X}>" for one in data)  # noqa: PLR2004 - ASCII


def profile_told(profile: ScannerProfile) -> dict[str, Any]:
    """Return a profile as one row of a listing."""
    verified = sum(setting.verified for setting in profile.settings)
    return {
        "name": profile.name,
        "vendor": profile.vendor,
        "title": profile.title,
        "models": list(profile.models),
        "overThePort": not profile.refused,
        "refused": profile.refused or None,
        "settings": len(profile.settings),
        "verified": verified,
        "use": profile.use,
        "notes": list(profile.notes),
    }


def setting_told(setting: Setting) -> dict[str, Any]:
    """Return a setting as one row."""
    return {
        "setting": setting.name,
        "intent": setting.intent.value,
        "wanted": setting.value,
        "meaning": setting.meaning,
        "verified": setting.verified,
        "whyUnverified": setting.why_unverified or None,
        "source": setting.source,
        "by": setting.by,
    }


def present_told(profile: ScannerProfile, report: Report) -> Iterator[dict[str, Any]]:
    """Yield each setting with what the scanner says, as one row."""
    different = {one.setting.name for one in report.differences} | {one.name for one in report.left_out}
    for setting in profile.settings:
        row = setting_told(setting)
        row["present"] = report.before.values.get(setting.name)
        row["differs"] = None if row["present"] is None else setting.name in different
        yield row


def difference_told(difference: Difference) -> dict[str, Any]:
    """Return a difference as one row, with the bytes that would keep it."""
    return {
        **setting_told(difference.setting),
        "present": difference.present,
        "wanted": difference.wanted,
        "bytes": [one.hex(" ") for one in difference.bytes],
        "text": " ".join(readable(one) for one in difference.bytes),
    }


def report_told(scanner: str, report: Report) -> dict[str, Any]:
    """Return a report as plain values."""
    return {
        "scanner": scanner,
        "profile": report.profile,
        "identity": msgspec.to_builtins(report.identity),
        "asNeeded": report.as_needed,
        "differences": [difference_told(one) for one in report.differences],
        "leftOut": [setting_told(one) for one in report.left_out],
        "unknown": [one.name for one in report.unknown],
        "messages": [one.hex(" ") for one in report.messages],
        "applied": report.applied,
        "flashWrites": report.flash_writes,
        "restored": report.restored,
        "trouble": report.trouble or None,
    }


def unlike(settings: ScannerSettings, use: Mapping[str, str]) -> Iterator[str]:
    """Yield what `[[scanner]]` should say for a scanner that is set as the profile wants it."""
    for key, wanted in use.items():
        present = getattr(settings, key)
        if present != wanted:
            yield f'{settings.name}: set {key} = "{wanted}" in its [[scanner]], which has "{present}"'

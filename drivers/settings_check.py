"""Settings of scanners that leave open which device is meant, or give two scanners the same one. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import structs

from drivers.base import DeviceMatch, ScannerSettings
from drivers.catalogue import FEEDBACK

_DEVICE_HINT = '`device` is a path, `match` a table such as { vendor = "0c2e", product = "0b61" }'


def wrong(scanners: Sequence[ScannerSettings]) -> Iterator[str]:
    """Yield what is wrong: the key, and what is allowed there."""
    for index, settings in enumerate(scanners):
        key = f"scanner[{index}]"
        yield from (f"{key}.{what}" for what in _wrong_alone(settings))
        for other in scanners[:index]:
            if settings.driver != other.driver:
                continue
            if settings.device is not None and settings.device == other.device and settings.driver != "replay":
                yield f"{key}.device = {settings.device!r}: {other.name} reads it already"
            if settings.match is not None and other.match is not None and _overlap(settings.match, other.match):
                yield (
                    f"{key}.match: could be the same device as that of {other.name}: give both a `serial`, "
                    "or both a `port` (`scangate scanners list` shows them)"
                )


_HAS_EFFECT: Final = {
    "serial": {"baud", "terminator", "idle_ms", "dialect", "feedback", "firmware_profile"},
    "hid-keyboard": {"terminator", "idle_ms", "layout", "gs"},
    "hid-pos": {"terminator", "idle_ms"},
    "replay": {"terminator", "idle_ms", "dialect"},
}
"""`driver` -> the settings that mean something to it."""


def without_effect(settings: ScannerSettings) -> Iterator[str]:
    """Yield the settings that differ from their default and mean nothing to the scanner's driver."""
    optional = set().union(*_HAS_EFFECT.values())
    for field in structs.fields(settings):
        if field.name in optional - _HAS_EFFECT[settings.driver] and getattr(settings, field.name) != field.default:
            yield f"{field.name} has no effect: driver = {settings.driver!r} does not use it; remove it"


def _wrong_alone(settings: ScannerSettings) -> Iterator[str]:
    match = settings.match
    if settings.device is not None and match is not None:
        yield f"match: give `device` or `match`, not both; {_DEVICE_HINT}"
    elif settings.device is None and match is None:
        yield f"device: missing, and there is no `match`; {_DEVICE_HINT}"
    elif match is not None and settings.driver == "replay":
        yield "match: a recording is no device; give its path as `device`"
    elif match == DeviceMatch():
        yield "match: empty, it would fit every device; give `vendor` and `product`, or `port`"
    elif match is not None and settings.driver == "hid-keyboard" and not _names_a_kind(match):
        yield (
            "match: would fit other keyboards, too; a hid-keyboard needs `vendor` and `product`, or `port` "
            "(`scangate scanners list` shows them)"
        )
    allowed = FEEDBACK.get(settings.dialect, ())
    if settings.feedback not in allowed:
        yield f"feedback = {settings.feedback!r}: {settings.dialect} scanners have {', '.join(allowed)}"


def _names_a_kind(match: DeviceMatch) -> bool:
    return match.port is not None or (match.vendor is not None and match.product is not None)


def _overlap(one: DeviceMatch, other: DeviceMatch) -> bool:
    """Return whether one device could fit both: nothing that both give differs."""
    pairs = zip(structs.astuple(one), structs.astuple(other), strict=True)
    return all(None in pair or str(pair[0]).lower() == str(pair[1]).lower() for pair in pairs)

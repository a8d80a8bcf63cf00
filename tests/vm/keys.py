"""What scanners type (tests/drivers/typist.py), as QEMU and as gadgets in the guest need it."""

from collections.abc import Iterable
from typing import Final

from tests.drivers.typist import Typist, boot_reports
from tests.vm.labels import AIM, text

QCODES: Final[dict[int, str]] = {
    **{0x04 + place: letter for place, letter in enumerate("abcdefghijklmnopqrstuvwxyz")},
    **{0x1E + place: digit for place, digit in enumerate("1234567890")},
    0x28: "ret",
    0x2B: "tab",
    0x2C: "spc",
    0x2D: "minus",
    0x2E: "equal",
    0x2F: "bracket_left",
    0x30: "bracket_right",
    0x33: "semicolon",
    0x36: "comma",
    0x37: "dot",
    0x38: "slash",
    0x39: "caps_lock",
    0xE0: "ctrl",
    0xE1: "shift",
    0xE2: "alt",
    0xE6: "alt_r",
}
"""HID usage (page 0x07) -> QEMU's name of the key (QKeyCode)."""


def movements(typist: Typist, numbers: Iterable[int]) -> list[tuple[int, bool]]:
    """Return the key movements of labels, with their AIM identifiers."""
    return [move for number in numbers for move in typist.movements(AIM + text(number))]


def reports(typist: Typist, *numbers: int) -> bytes:
    """Return the same as reports of a boot keyboard, for `Box.send`."""
    return b"".join(boot_reports(movements(typist, numbers)))


def qcodes(moves: Iterable[tuple[int, bool]]) -> list[tuple[str, bool]]:
    """Return key movements by QEMU's names, for `Machine.press`."""
    return [(QCODES[usage], pressed) for usage, pressed in moves]

"""Keyboard layouts: one file each, named as `layout` of the configuration names it."""

import importlib
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

Levels = tuple[str, str, str]
"""What a key writes alone, with Shift and with AltGr. Empty: nothing. A combining character is a dead key."""


class KeyboardLayout(Struct, frozen=True, kw_only=True):
    """What the keys write."""

    keys: Mapping[int, Levels]
    """Key code -> characters."""
    decimal: str
    """The decimal key of the keypad, while Num Lock is on."""
    alt_gr: bool
    """The right Alt key chooses the third character. Else it is an Alt key like the left one."""
    caps_lock_letters_only: bool = True
    """Caps Lock changes letters alone. Else systems differ in what it does to other keys."""


def row(first: int, alone: str, shifted: str, alt_gr: str = "") -> dict[int, Levels]:
    """Return the levels of keys in a row from the key code `first`; a blank below AltGr stands for nothing."""
    third = alt_gr.ljust(len(alone))
    return {
        first + place: (one, two, three.strip())
        for place, (one, two, three) in enumerate(zip(alone, shifted, third, strict=True))
    }


NAMES: Final = ("us", "gb", "se", "no", "dk", "fi", "de", "fr")
"""`layout` of the configuration."""


def layout(name: str) -> KeyboardLayout:
    """Return the layout called `name`. Raises ModuleNotFoundError where there is none."""
    found: KeyboardLayout = importlib.import_module(f"drivers.layouts.{name}").LAYOUT
    return found

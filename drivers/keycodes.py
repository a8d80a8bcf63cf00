"""Groups of keys that the decoder tells apart; single keys have their names of Linux in `evdev.ecodes`.

Key codes name positions: KEY_RIGHTBRACE is the key right of P, whatever the layout writes with it.
"""

from typing import Final

from evdev import ecodes

SHIFTS: Final = frozenset({ecodes.KEY_LEFTSHIFT, ecodes.KEY_RIGHTSHIFT})
CTRLS: Final = frozenset({ecodes.KEY_LEFTCTRL, ecodes.KEY_RIGHTCTRL})
METAS: Final = frozenset({ecodes.KEY_LEFTMETA, ecodes.KEY_RIGHTMETA})
MODIFIERS: Final = SHIFTS | CTRLS | METAS | {ecodes.KEY_LEFTALT, ecodes.KEY_RIGHTALT}

KEYPAD_DIGITS: Final = {ecodes.ecodes[f"KEY_KP{digit}"]: digit for digit in "0123456789"}
"""They move the cursor while Num Lock is off."""
KEYPAD_SIGNS: Final = {
    ecodes.KEY_KPASTERISK: "*",
    ecodes.KEY_KPMINUS: "-",
    ecodes.KEY_KPPLUS: "+",
    ecodes.KEY_KPSLASH: "/",
}
"""The same with and without Num Lock."""

TYPING_KEYS: Final = frozenset(
    {
        *range(ecodes.KEY_1, ecodes.KEY_BACKSPACE),
        *range(ecodes.KEY_TAB, ecodes.KEY_LEFTCTRL),
        *range(ecodes.KEY_A, ecodes.KEY_LEFTSHIFT),
        *range(ecodes.KEY_BACKSLASH, ecodes.KEY_RIGHTSHIFT),
        *KEYPAD_DIGITS,
        *KEYPAD_SIGNS,
        ecodes.KEY_KPDOT,
        ecodes.KEY_SPACE,
        ecodes.KEY_102ND,
        ecodes.KEY_RO,
        ecodes.KEY_KPENTER,
        ecodes.KEY_KPEQUAL,
        ecodes.KEY_KPCOMMA,
        ecodes.KEY_YEN,
    }
)
"""Keys that write in some layout or other. What is none of them steers a computer."""

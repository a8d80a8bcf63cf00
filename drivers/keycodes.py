"""Names of events and keys that scanners and keyboards send (Linux, include/uapi/linux/input-event-codes.h).

Key codes name positions: KEY_RIGHTBRACE is the key right of P, whatever the layout writes with it.
"""

from typing import Final

EV_SYN: Final = 0
EV_KEY: Final = 1
EV_LED: Final = 0x11
SYN_REPORT: Final = 0
SYN_DROPPED: Final = 3

LED_NUML: Final = 0
LED_CAPSL: Final = 1

KEY_1: Final = 2
KEY_6: Final = 7
KEY_TAB: Final = 15
KEY_Q: Final = 16
KEY_RIGHTBRACE: Final = 27
KEY_ENTER: Final = 28
KEY_LEFTCTRL: Final = 29
KEY_A: Final = 30
KEY_D: Final = 32
KEY_GRAVE: Final = 41
KEY_LEFTSHIFT: Final = 42
KEY_BACKSLASH: Final = 43
KEY_Z: Final = 44
KEY_RIGHTSHIFT: Final = 54
KEY_LEFTALT: Final = 56
KEY_SPACE: Final = 57
KEY_CAPSLOCK: Final = 58
KEY_F8: Final = 66
KEY_NUMLOCK: Final = 69
KEY_102ND: Final = 86
KEY_RO: Final = 89
KEY_KPENTER: Final = 96
KEY_RIGHTCTRL: Final = 97
KEY_RIGHTALT: Final = 100
KEY_DOWN: Final = 108
KEY_KPEQUAL: Final = 117
KEY_KPCOMMA: Final = 121
KEY_YEN: Final = 124
KEY_LEFTMETA: Final = 125
KEY_RIGHTMETA: Final = 126
KEY_MAX: Final = 0x2FF

SHIFTS: Final = frozenset({KEY_LEFTSHIFT, KEY_RIGHTSHIFT})
CTRLS: Final = frozenset({KEY_LEFTCTRL, KEY_RIGHTCTRL})
METAS: Final = frozenset({KEY_LEFTMETA, KEY_RIGHTMETA})
MODIFIERS: Final = SHIFTS | CTRLS | METAS | {KEY_LEFTALT, KEY_RIGHTALT}

KEYPAD_DIGITS: Final = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
"""KEY_KP0 to KEY_KP9; they move the cursor while Num Lock is off."""
KEY_KPDOT: Final = 83
KEYPAD_SIGNS: Final = {55: "*", 74: "-", 78: "+", 98: "/"}
"""The same with and without Num Lock."""

TYPING_KEYS: Final = frozenset(
    {
        *range(KEY_1, 14),
        *range(KEY_TAB, KEY_LEFTCTRL),
        *range(KEY_A, KEY_LEFTSHIFT),
        *range(KEY_BACKSLASH, KEY_RIGHTSHIFT),
        *KEYPAD_DIGITS,
        *KEYPAD_SIGNS,
        KEY_KPDOT,
        KEY_SPACE,
        KEY_102ND,
        KEY_RO,
        KEY_KPENTER,
        KEY_KPEQUAL,
        KEY_KPCOMMA,
        KEY_YEN,
    }
)
"""Keys that write in some layout or other. What is none of them steers a computer."""

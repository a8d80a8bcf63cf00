"""A scanner that types: turns a text into the key movements of a USB keyboard, as events or as boot reports.

Its tables are its own, written by HID usages as a scanner's maker writes them, so that a slip in `drivers.layouts`
does not cancel out here.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

Caps = Literal["ignores", "compensates", "brackets"]
"""What a scanner does about Caps Lock: nothing; turn Shift round while the LED is lit; press it around codes."""
Event = tuple[int, int, int, int]
"""type, code, value, time in nanoseconds."""

INPUT_EVENT: Final = struct.Struct("@llHHi")
EV_SYN, EV_KEY, EV_MSC = 0, 1, 4
MSC_SCAN = 4
SYN_DROPPED = 3

CTRL, SHIFT, ALT, META, ALT_GR = 0xE0, 0xE1, 0xE2, 0xE3, 0xE6
ENTER, TAB, SPACE, CAPS_LOCK, F8, F9, DOWN, NUM_LOCK, KP_ENTER = (
    0x28,
    0x2B,
    0x2C,
    0x39,
    0x41,
    0x42,
    0x51,
    0x53,
    0x58,
)
LEFT_BRACKET_SIDE = 0x30
"""Usage "Keyboard ] and }": the key right of P and its neighbour."""

KEY_CODES: Final = dict(
    zip(
        range(0x04, 0x3A),
        (
            *(
                30,
                48,
                46,
                32,
                18,
                33,
                34,
                35,
                23,
                36,
                37,
                38,
                50,
                49,
                24,
                25,
                16,
                19,
                31,
                20,
                22,
                47,
                17,
                45,
                21,
                44,
            ),
            *(2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
            *(28, 1, 14, 15, 57, 12, 13, 26, 27, 43, 43, 39, 40, 41, 51, 52, 53, 58),
        ),
        strict=True,
    )
) | {
    F8: 66,
    F9: 67,
    DOWN: 108,
    NUM_LOCK: 69,
    0x64: 86,
    **dict(zip(range(0x54, 0x64), (98, 55, 74, 78, 96, 79, 80, 81, 75, 76, 77, 71, 72, 73, 82, 83), strict=True)),
    **dict(zip(range(0xE0, 0xE8), (29, 42, 56, 125, 97, 54, 100, 126), strict=True)),
}
"""HID usage (page 0x07) -> key code, as Linux maps them (drivers/hid/hid-input.c, hid_keyboard)."""

_LETTERS: Final = {chr(ord("a") + place): 0x04 + place for place in range(26)}
_DIGITS: Final = {digit: 0x1E + place for place, digit in enumerate("1234567890")}
_NORDIC: Final = {0x2F, 0x33, 0x34}
"""Where a Swedish keyboard has its letters beyond Z."""

_LEVELS: Final[tuple[tuple[int, ...], ...]] = ((), (SHIFT,), (ALT_GR,))
_US: Final = (
    *((0x1E + place, "\0" + sign) for place, sign in enumerate("!@#$%^&*()")),
    *((0x2D, "-_"), (0x2E, "=+"), (0x2F, "[{"), (0x30, "]}"), (0x31, "\\|"), (0x33, ";:"), (0x34, "'\"")),
    *((0x35, "`~"), (0x36, ",<"), (0x37, ".>"), (0x38, "/?")),
)
"""Usage -> what it writes alone, with Shift and with AltGr (NUL: a digit, or nothing)."""
_SE: Final = (
    *((0x1E, "\0!"), (0x1F, '\0"@'), (0x20, "\0#£"), (0x21, "\0¤$"), (0x22, "\0%"), (0x23, "\0&"), (0x24, "\0/{")),
    *((0x25, "\0(["), (0x26, "\0)]"), (0x27, "\0=}"), (0x2D, "+?\\"), (0x2F, "åÅ"), (0x31, "'*"), (0x33, "öÖ")),
    *((0x34, "äÄ"), (0x35, "§½"), (0x36, ",;"), (0x37, ".:"), (0x38, "-_"), (0x64, "<>|"), (0x08, "\0\0€")),
    (0x10, "\0\0µ"),
)
_SE_DEAD: Final = ((0x2E, "\u00b4`"), (0x30, "\u00a8^~"))
_SE_ACCENTED: Final = {"é": "\u00b4e", "É": "\u00b4E", "ü": "\u00a8u", "à": "`a", "ñ": "~n", "ê": "^e"}

Press = tuple[int, tuple[int, ...]]
"""A key and the modifiers held with it."""


def _presses(keys: tuple[tuple[int, str], ...]) -> dict[str, Press]:
    return {
        sign: (usage, modifiers)
        for usage, signs in keys
        for sign, modifiers in zip(signs, _LEVELS, strict=False)
        if sign != "\0"
    }


def _se() -> dict[str, tuple[Press, ...]]:
    dead = _presses(_SE_DEAD)
    table: dict[str, tuple[Press, ...]] = {sign: (press,) for sign, press in _presses(_SE).items()}
    for accent, press in dead.items():
        table[accent] = (press, (SPACE, ()))
    for letter, (accent, base) in ((letter, tuple(parts)) for letter, parts in _SE_ACCENTED.items()):
        table[letter] = (dead[accent], (_LETTERS[base.lower()], (SHIFT,) if base.isupper() else ()))
    return table


XKB: Final[dict[str, dict[int, list[str]]]] = {
    name: {int(code): levels for code, levels in keys.items()}
    for name, keys in json.loads((Path(__file__).parent / "xkb_layouts.json").read_text()).items()
}
"""Layout -> key code -> what it writes alone, with Shift and with AltGr in xkeyboard-config 2.35.1: symbols
us(basic), gb(basic), se(basic), no(basic), dk(basic), fi(classic), de(basic), fr(basic), with what they include. A
combining character is a dead key; empty: nothing, or no character that a label may hold."""
_USAGES: Final = {code: usage for usage, code in KEY_CODES.items()}
_DEAD: Final = {"\u0301": "\u00b4", "\u0300": "`", "\u0308": "\u00a8", "\u0302": "^", "\u0303": "~"}
WINDOWS_DEAD: Final = {("fr", 3, 2), ("fr", 8, 2)}
"""Layout, key and level that are dead keys on Windows (KBDFR: AltGr with 2 and with 7) and none in XKB."""

WINDOWS_LACKS: Final = {("fr", 41, 1)}
"""What XKB alone writes (the tilde above the superscript two): no scanner types it so."""


def _from_xkb(name: str) -> dict[str, tuple[Press, ...]]:
    table: dict[str, tuple[Press, ...]] = {}
    for level, modifiers in enumerate(_LEVELS):  # a scanner presses no more keys than it must
        for code, levels in XKB[name].items():
            sign, press = levels[level], (_USAGES[code], modifiers)
            dead = sign in _DEAD or (name, code, level) in WINDOWS_DEAD
            if (
                sign
                and (name, code, level) not in WINDOWS_LACKS
                and (not dead or _DEAD.get(sign, sign) not in table)
            ):
                table.setdefault(_DEAD.get(sign, sign), (press, (SPACE, ())) if dead else (press,))
    return table


SIGNS: Final[dict[str, dict[str, tuple[Press, ...]]]] = {
    **{name: _from_xkb(name) for name in ("gb", "no", "dk", "fi", "de", "fr")},
    "us": {sign: (press,) for sign, press in _presses(_US).items()},
    "se": _se(),
}
"""Layout -> character -> the keys for it; us and se without digits and letters from A to Z."""


class Typist(NamedTuple):
    """How one scanner is set up."""

    layout: Literal["us", "gb", "se", "no", "dk", "fi", "de", "fr"] = "us"
    gs: str | None = "ctrl-]"
    """None: it types nothing for GS."""
    terminator: Literal["CR", "TAB", "none"] = "CR"
    caps: Caps = "ignores"
    caps_lit: bool = False
    """The host shows it that Caps Lock is on."""
    keypad: bool = False
    """Digits come from the keypad."""

    def movements(self, text: str) -> list[tuple[int, bool]]:
        """Return (usage, pressed) for a text and its terminator."""
        bracket = list(_tap(CAPS_LOCK)) if self.caps == "brackets" else []
        moves = bracket.copy()
        for character in text:
            moves += self._character(character)
        moves += {"CR": list(_tap(ENTER)), "TAB": list(_tap(TAB)), "none": []}[self.terminator]
        return moves + bracket

    def _character(self, character: str) -> Iterator[tuple[int, bool]]:
        if character == "\x1d":
            yield from self._gs()
        elif character == " ":
            yield from _tap(SPACE)
        elif character in _DIGITS and self.keypad:
            yield from _tap(0x59 + "1234567890".index(character))
        elif self.layout not in {"us", "se"}:
            for usage, modifiers in SIGNS[self.layout][character]:
                letter = character.isalpha() and modifiers in ((), (SHIFT,))
                yield from _tap(usage, *(self._shift(upper=SHIFT in modifiers) if letter else modifiers))
        elif character in _DIGITS:
            yield from _tap(_DIGITS[character])
        elif character.lower() in _LETTERS:
            yield from _tap(_LETTERS[character.lower()], *self._shift(upper=character.isupper()))
        else:
            for usage, modifiers in SIGNS[self.layout][character]:
                letter = usage in _LETTERS.values() or (self.layout == "se" and usage in _NORDIC)
                plain = letter and ALT_GR not in modifiers
                yield from _tap(usage, *(self._shift(upper=SHIFT in modifiers) if plain else modifiers))

    def _shift(self, *, upper: bool) -> tuple[int, ...]:
        turned = self.caps == "brackets" or (self.caps == "compensates" and self.caps_lit)
        return (SHIFT,) if upper is not turned else ()

    def _gs(self) -> Iterator[tuple[int, bool]]:
        match self.gs:
            case "ctrl-]":
                yield from _tap(LEFT_BRACKET_SIDE, CTRL)
            case "f8":
                yield from _tap(F8)
            case "down":
                yield from _tap(DOWN)
            case "alt-029":
                yield from alt("029")
            case _:
                return

    def events(self, text: str, start_ns: int = 0, step_ns: int = 1_000_000) -> list[Event]:
        """Return what the kernel tells of it, one packet each `step_ns`."""
        return events(self.movements(text), start_ns, step_ns)


def _tap(usage: int, *modifiers: int) -> Iterator[tuple[int, bool]]:
    for modifier in modifiers:
        yield modifier, True
    yield usage, True
    yield usage, False
    for modifier in reversed(modifiers):
        yield modifier, False


def tap(usage: int, *modifiers: int) -> list[tuple[int, bool]]:
    """Press and release one key while modifiers are held."""
    return list(_tap(usage, *modifiers))


def alt(digits: str) -> list[tuple[int, bool]]:
    """Hold Alt and type digits on the keypad."""
    moves = [(ALT, True)]
    for digit in digits:
        moves += _tap(0x59 + "1234567890".index(digit))
    return [*moves, (ALT, False)]


def events(moves: list[tuple[int, bool]], start_ns: int = 0, step_ns: int = 1_000_000) -> list[Event]:
    """Return what the kernel tells of key movements: scan code, key, end of packet."""
    told: list[Event] = []
    for place, (usage, pressed) in enumerate(moves):
        now = start_ns + place * step_ns
        told += [
            (EV_MSC, MSC_SCAN, 0x70000 | usage, now),
            (EV_KEY, KEY_CODES[usage], int(pressed), now),
            (EV_SYN, 0, 0, now),
        ]
    return told


def pack(told: list[Event]) -> bytes:
    """Return the bytes that evdev gives for events (struct input_event)."""
    return b"".join(
        INPUT_EVENT.pack(now // 1_000_000_000, now % 1_000_000_000 // 1_000, kind, code, value)
        for kind, code, value, now in told
    )


def boot_reports(moves: list[tuple[int, bool]]) -> list[bytes]:
    """Return the 8-byte reports of a USB boot keyboard (HID 1.11, appendix B.1), one a movement."""
    held: list[int] = []
    modifiers = 0
    reports = []
    for usage, pressed in moves:
        if usage >= CTRL:
            bit = 1 << (usage - CTRL)
            modifiers = modifiers | bit if pressed else modifiers & ~bit
        elif pressed:
            held.append(usage)
        else:
            held.remove(usage)
        reports.append(bytes([modifiers, 0, *held[:6]]).ljust(8, b"\0"))
    return reports

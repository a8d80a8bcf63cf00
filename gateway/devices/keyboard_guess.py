"""Which layout, and which key for GS, a scanner types that was read wrongly. Pure.

How it works. The text of the calibration symbol is known, and so are the layouts. For every layout and every way to
type GS, the text is typed as such a scanner would type it. Where something was read, the set-ups count of which the
configured decoder reads the same; where the code was thrown away, those that press the same keys.

Example: configured is `us`, and the scanner types `de`. `]` is AltGr+9 there, which is no character on a US
keyboard: the code is thrown away. Of its keys, the one that `de` has for `z` stands where the text has `z`; in
`se`, `no` and `dk`, which press the same keys for most signs, it would be another one.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from evdev import ecodes
from msgspec.structs import replace

from drivers.base import ScannerSettings
from drivers.keymap import ENTER, STROKE_MASK, KeyEvent, key_decoder
from drivers.layouts import NAMES, KeyboardLayout, layout
from drivers.model import Discarded, Frame, RawScan, Strokes

if TYPE_CHECKING:
    from drivers.framing import Framed

_GS: Final = "\x1d"
_SPACING: Final = {"\u0301": "\u00b4", "\u0300": "`", "\u0308": "\u00a8", "\u0302": "^", "\u0303": "~"}
_STEP_NS: Final = 1_000_000
_MODIFIERS: Final = ((), (ecodes.KEY_LEFTSHIFT,), (ecodes.KEY_RIGHTALT,))
_GS_PRESSES: Final[dict[str, tuple[tuple[int, tuple[int, ...]], ...]]] = {
    "ctrl-]": ((ecodes.KEY_RIGHTBRACE, (ecodes.KEY_LEFTCTRL,)),),
    "f8": ((ecodes.KEY_F8, ()),),
    "down": ((ecodes.KEY_DOWN, ()),),
    "alt-029": (),
    "": (),
}
"""`gs` of the configuration -> the keys for it; empty: the scanner types nothing for GS."""

Press = tuple[int, tuple[int, ...]]
_ENDINGS: Final = {ecodes.KEY_ENTER, ecodes.KEY_KPENTER, ecodes.KEY_TAB}


class SetUp(NamedTuple):
    """How a scanner types."""

    layout: str
    gs: str
    """Empty: nothing comes for GS."""


def candidates(item: RawScan | Discarded, text: str, settings: ScannerSettings) -> list[SetUp]:
    """Return the set-ups of a scanner that makes `item` of `text`, read with these settings."""
    if isinstance(item, Discarded):
        strokes = list(item.strokes)
        while strokes and strokes[-1][0] in _ENDINGS:
            strokes.pop()
        return [one for one in _set_ups() if any(_ends_with(strokes, each) for each in _strokes(text, one))]
    bare = replace(settings, name="", device=None, match=None)
    return [one for one in _set_ups() if any(item.text.endswith(each) for each in _texts(text, one, bare))]


def _ends_with(strokes: list[tuple[int, int]], expected: Strokes) -> bool:
    """Return whether the keys end with the expected ones: what goes before them is an AIM identifier."""
    return tuple(strokes[-len(expected) :]) == expected


def _set_ups() -> Iterator[SetUp]:
    for name in NAMES:
        for gs in _GS_PRESSES:
            yield SetUp(name, gs)


def _ways(name: str) -> list[dict[str, tuple[Press, ...]]]:
    """Return the keys that a scanner may press for each character: it may prefer dead keys, or not."""
    table = layout(name)
    first, second = presses_of(table, dead_keys=True), presses_of(table, dead_keys=False)
    return [first] if first == second else [first, second]


@lru_cache(maxsize=len(NAMES) * len(_GS_PRESSES))
def _strokes(text: str, scanner: SetUp) -> tuple[Strokes, ...]:
    """Return the keys that such a scanner presses for a text, as a decoder notes them."""
    found = []
    for keys in _ways(scanner.layout):
        pressed: list[tuple[int, int]] = []
        held = 0
        for code, value in _events(text, scanner.gs, keys):
            mask = STROKE_MASK.get(code, 0)
            held = held | mask if value else held & ~mask
            if value and not mask:
                pressed.append((code, held))
        found.append(Strokes(pressed))
    return tuple(found)


@lru_cache(maxsize=len(NAMES) * len(_GS_PRESSES))
def _texts(text: str, scanner: SetUp, settings: ScannerSettings) -> frozenset[str]:
    """Return what the decoder reads when such a scanner types a text and Enter; empty where it reads nothing."""
    found = set()
    for keys in _ways(scanner.layout):
        decoder = key_decoder(settings)
        done: list[Framed] = []
        now = 0
        for now, (code, value) in enumerate(_events(text + ENTER, scanner.gs, keys), 1):
            done += decoder.feed(KeyEvent(ecodes.EV_KEY, code, value, now * _STEP_NS))
        done += decoder.idle((now + 1) * _STEP_NS + settings.idle_ms * 1_000_000)
        found |= {one.data.decode() for one in done if isinstance(one, Frame)}
    return frozenset(found)


def _events(text: str, gs: str, keys: Mapping[str, tuple[Press, ...]]) -> Iterator[tuple[int, int]]:
    """Yield key code and value of the movements for a text."""
    for character in text:
        if character == _GS and gs == "alt-029":
            yield ecodes.KEY_LEFTALT, 1
            for digit in "029":
                yield from _tap(ecodes.ecodes[f"KEY_KP{digit}"], ())
            yield ecodes.KEY_LEFTALT, 0
            continue
        for code, modifiers in _GS_PRESSES[gs] if character == _GS else keys.get(character, ()):
            yield from _tap(code, modifiers)


def _tap(code: int, modifiers: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    for modifier in modifiers:
        yield modifier, 1
    yield code, 1
    yield code, 0
    for modifier in reversed(modifiers):
        yield modifier, 0


def presses_of(table: KeyboardLayout, *, dead_keys: bool) -> dict[str, tuple[Press, ...]]:
    """Return the keys for each character that a layout writes, as few as it takes.

    `dead_keys`: where there are both, a dead key and the space bar, and not a key of its own.
    """
    found: dict[str, tuple[Press, ...]] = {ENTER: ((ecodes.KEY_ENTER, ()),)}
    dead: dict[str, tuple[Press, ...]] = {}
    for level, modifiers in enumerate(_MODIFIERS):
        for code, levels in table.keys.items():
            character = levels[level]
            if character in _SPACING:
                dead.setdefault(_SPACING[character], ((code, modifiers), (ecodes.KEY_SPACE, ())))
            elif character:
                found.setdefault(character, ((code, modifiers),))
    return found | dead if dead_keys else dead | found

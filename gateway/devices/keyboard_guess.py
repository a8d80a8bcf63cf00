"""Which layout, and which key for GS, a scanner types that was read wrongly. Pure.

How it works. The text of the calibration symbol is known, and so are the layouts. For every layout and every way to
type GS, the text is typed as such a scanner would and read by the decoder as it is configured: what comes out is
the scanner's signature. The set-ups whose signature is what really came are the candidates.

Example: configured is `us`, and `-` came as `/`. Only `de` and the Nordic layouts have `-` on the key that writes
`/` in the United States; `y` came as `z`, which leaves `de`.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

from evdev import ecodes
from msgspec.structs import replace

from drivers.base import FrameDiscarded, ScannerSettings
from drivers.keymap import ENTER, KeyEvent, key_decoder
from drivers.layouts import NAMES, Layout, layout
from drivers.model import Discarded, RawScan

if TYPE_CHECKING:
    from drivers.framing import Framed

AIM_IDS: Final = ("", "]d1")
"""What scanners type before the text: nothing, or an AIM identifier. What is discarded has the same length with
each of them, and of what is read only the end is compared."""
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
Signature = str | tuple[str, str, int]
"""The text that was read; or reason, clue and length of what was discarded."""


class SetUp(NamedTuple):
    """How a scanner types."""

    layout: str
    gs: str
    """Empty: nothing comes for GS."""


def candidates(item: RawScan | Discarded, text: str, settings: ScannerSettings) -> list[SetUp]:
    """Return the set-ups of a scanner that makes `item` of `text`, read with these settings."""
    bare = replace(settings, name="", device=None, match=None)
    return [one for one in _set_ups() if any(_agrees(item, each) for each in _signatures(text, one, bare))]


def _agrees(item: RawScan | Discarded, signature: Signature) -> bool:
    if isinstance(item, RawScan):
        return isinstance(signature, str) and item.text.endswith(signature)
    return (item.reason.value, item.clue, item.length) == signature


def _set_ups() -> Iterator[SetUp]:
    for name in NAMES:
        for gs in _GS_PRESSES:
            yield SetUp(name, gs)


@lru_cache(maxsize=len(NAMES) * len(_GS_PRESSES))
def _signatures(text: str, scanner: SetUp, settings: ScannerSettings) -> frozenset[Signature]:
    found: set[Signature] = set()
    table = layout(scanner.layout)
    ways = [presses_of(table, dead_keys=True)]
    if (other := presses_of(table, dead_keys=False)) != ways[0]:
        ways.append(other)
    for aim_id, keys in product(AIM_IDS, ways):
        decoder = key_decoder(settings)
        done: list[Framed] = []
        now = 0
        for now, event in enumerate(_events(aim_id + text, scanner.gs, keys), 1):
            code, value = event
            done += decoder.feed(KeyEvent(ecodes.EV_KEY, code, value, now * _STEP_NS))
        done += decoder.idle((now + 1) * _STEP_NS + settings.idle_ms * 1_000_000)
        if len(done) == 1:
            (only,) = done
            if isinstance(only, FrameDiscarded):
                found.add((only.reason.value, only.clue, only.length))
            else:
                found.add(only.data.decode())
    return frozenset(found)


def _events(text: str, gs: str, keys: Mapping[str, tuple[Press, ...]]) -> Iterator[tuple[int, int]]:
    """Yield key code and value of the movements for a text and Enter."""
    for character in text + ENTER:
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


def presses_of(table: Layout, *, dead_keys: bool) -> dict[str, tuple[Press, ...]]:
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

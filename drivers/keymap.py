"""Key events -> codes. Pure: the time (CLOCK_MONOTONIC, nanoseconds) comes with each event.

A keyboard scanner presses keys, and the host has to know which characters its maker meant: the layout, the locks
and the way the scanner writes GS decide that. What is not certain is thrown away whole and reported, or flagged.

How it works. `KeyDecoder` keeps which modifiers are held and how the locks stand (`drivers.locks`), and makes a
character of each key that is pressed, or a reason why it makes none. `_KeyFramer` collects the characters up to the
terminator's key. A reason spoils the frame: it is thrown away when it ends, and not before, so that its rest is no
code. Three things take more than one key: a dead key waits for its letter, Alt for the digits of its code, and
after lost events (SYN_DROPPED) nothing counts until the kernel has said which keys are held now (`state_lost`,
`restate`).

Example, layout `se`, gs = ["ctrl-]"]: AltGr+9, `d`, `2`, ..., Ctrl+KEY_RIGHTBRACE, ..., Enter. AltGr+9 is `]` in
the layout's table. Ctrl with the key right of P is GS, wherever the layout has its `]`. Enter ends the frame
`]d2...<GS>...`. Had the scanner pressed F8 for GS, the frame would be discarded with reason FORBIDDEN_KEYS and the
clue `F8`.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple

from evdev import ecodes
from msgspec.structs import replace

from drivers import keycodes
from drivers.base import DriverError, FrameDiscarded, ScannerSettings, Terminator
from drivers.framing import MAX_FRAME_BYTES, Framed, TerminatorFramer
from drivers.key_names import forbidden
from drivers.layouts import KeyboardLayout, layout
from drivers.locks import Lock, Locks
from drivers.model import DiscardReason, Frame, InputQuality, Strokes
from drivers.raw_scan import begins_with_aim_id

ENTER: Final = "\r"
TAB: Final = "\t"
GS: Final = "\x1d"
RS: Final = "\x1e"
EOT: Final = "\x04"

ENDINGS: Final[dict[Terminator, str]] = {"CR": ENTER, "LF": ENTER, "CRLF": ENTER, "TAB": TAB, "none": ""}
"""The key behind a code under each setting of `terminator`: a keyboard has one key for all ends of lines."""

MAX_ALT_DIGITS: Final = 4
"""Alt codes go up to Alt+0255."""

_ENVELOPE: Final = b"[)>"
"""Begins a message of ISO/IEC 15434 (IFA's PPN codes), which holds RS and EOT besides GS."""
_AIM_ID_LENGTH: Final = 3
_SPACING: Final = {"\u0301": "\u00b4", "\u0300": "`", "\u0308": "\u00a8", "\u0302": "^", "\u0303": "~"}
"""Dead key -> what it writes before the space bar (Windows, for which scanners are made)."""


STROKE_MASK: Final = {
    ecodes.KEY_LEFTSHIFT: 1,
    ecodes.KEY_RIGHTSHIFT: 1,
    ecodes.KEY_LEFTCTRL: 2,
    ecodes.KEY_RIGHTCTRL: 2,
    ecodes.KEY_LEFTALT: 4,
    ecodes.KEY_RIGHTALT: 8,
}
"""Modifier -> its bit in `Strokes`."""


class KeyEvent(NamedTuple):
    """One event of a keyboard (struct input_event)."""

    type: int
    code: int
    value: int
    time_ns: int
    """CLOCK_MONOTONIC, nanoseconds."""


class _KeyFramer(TerminatorFramer):
    """Frames of typed characters. One that is spoilt, or ends within a character, is thrown away when it ends."""

    def __init__(self, ending: bytes, idle_ns: int) -> None:
        super().__init__(ending, idle_ns)
        self.dead = ""
        """A dead key that waits for its letter."""
        self.alt: str | None = None
        """Digits typed since Alt was pressed; None: no Alt code is being typed."""
        self._spoilt: DiscardReason | None = None
        self._clue = ""
        self.strokes: list[tuple[int, int]] = []
        """Keys pressed, as `Strokes` has them; at most MAX_FRAME_BYTES."""

    @property
    def enveloped(self) -> bool:
        """The code is a message of ISO/IEC 15434."""
        start = _AIM_ID_LENGTH if begins_with_aim_id(self._held) else 0
        return self._held.startswith(_ENVELOPE, start)

    def touch(self, now_ns: int) -> None:
        """Note that keys move, though no character has come of it yet: it is not silent."""
        self._last_ns = now_ns

    def note(self, code: int, held: Iterable[int]) -> None:
        """Note a key that was pressed, and the modifiers held with it. Locks are none of a layout."""
        if code not in {ecodes.KEY_CAPSLOCK, ecodes.KEY_NUMLOCK} and len(self.strokes) < MAX_FRAME_BYTES:
            self.strokes.append((code, sum({STROKE_MASK.get(one, 0) for one in held})))

    def spoil(self, reason: DiscardReason, now_ns: int, clue: str = "") -> None:
        """Throw away what is typed from the last terminator or silence to the next. Loss outranks other reasons."""
        self.begin(now_ns)
        self._last_ns = now_ns
        if self._spoilt is None or reason is DiscardReason.DROPPED:
            self._spoilt = reason
            self._clue = clue

    def _end(self, now_ns: int, *, ended: bool = True) -> list[Framed]:
        if self.dead or self.alt is not None:
            self.spoil(DiscardReason.UNREADABLE, now_ns)
        if self._spoilt is None:
            return super()._end(now_ns, ended=ended)
        self._doubtful = False
        return self._discard(self._spoilt)

    def _discard(self, reason: DiscardReason) -> list[Framed]:
        if self._spoilt is None:
            return super()._discard(reason)
        typed = self._spoilt in {DiscardReason.UNREADABLE, DiscardReason.FORBIDDEN_KEYS}
        discarded = FrameDiscarded(
            reason=self._spoilt,
            length=self._length,
            clue=self._clue,
            strokes=Strokes(self.strokes if typed else ()),
        )
        self._reset()
        return [discarded]

    def _reset(self) -> None:
        super()._reset()
        self.dead = ""
        self.alt = None
        self._spoilt = None
        self._clue = ""
        self.strokes.clear()


class KeyDecoder:
    """One keyboard scanner. Never shared: two scanners that type at once must not mix."""

    def __init__(self, layout: KeyboardLayout, gs: Iterable[str], ending: str, idle_ns: int) -> None:
        self._layout = layout
        self._gs = frozenset(gs)
        self._idle_ns = idle_ns
        self._framer = _KeyFramer(ending.encode("ascii"), idle_ns)
        self._last_ns = 0
        self._skipping = False
        self._lost = False
        self._dropped = False
        self._held: set[int] = set()
        self._alts = {ecodes.KEY_LEFTALT} if layout.alt_gr else {ecodes.KEY_LEFTALT, ecodes.KEY_RIGHTALT}
        self._caps = Lock(at_rest=False, settled=True)
        self._num = Lock(at_rest=True, settled=True)

    def opened(self, now_ns: int, held: Iterable[int] = (), locks: Locks | None = None) -> None:
        """Begin anew with a keyboard opened just now, on which these keys are held and the locks stand so.

        Its first code counts only after a silence: its beginning may have been typed before.
        """
        locks = locks or Locks()
        self._framer.opened(now_ns)
        self._last_ns = now_ns
        self._skipping = self._lost = self._dropped = False
        self._caps = Lock(at_rest=locks.caps, settled=locks.settled)
        self._num = Lock(at_rest=locks.num, settled=locks.settled)
        self._forget(held)

    @property
    def misled(self) -> bool:
        """Another program has switched an LED: the scanner has to be shown how the locks stand."""
        return self._caps.misled or self._num.misled

    @property
    def state_lost(self) -> bool:
        """Events were lost: `restate` needs which keys are held now."""
        return self._lost

    def restate(self, held: Iterable[int]) -> None:
        """Take the keys that are held now, after events were lost."""
        self._lost = False
        self._forget(held)

    def feed(self, event: KeyEvent) -> list[Framed]:
        """Take one event; return what became complete with it."""
        kind, code, value, time_ns = event
        if kind == ecodes.EV_SYN:
            self._synchronise(code, time_ns)
        elif kind == ecodes.EV_LED and not self._skipping:
            self._light(code, value, time_ns)
        if self._skipping or kind != ecodes.EV_KEY or value not in (0, 1):  # 2: the kernel repeats a key held long
            return []
        done = self._framed(self._framer.idle(time_ns))
        if time_ns - self._last_ns >= self._idle_ns:
            self._caps.silence()
            self._num.silence()
        self._last_ns = time_ns
        self._framer.touch(time_ns)
        if code in keycodes.MODIFIERS:
            done += self._modifier(code, pressed=value == 1, now_ns=time_ns)
        elif value == 1:
            done += self._press(code, time_ns)
        return done

    def idle(self, now_ns: int) -> list[Framed]:
        """Return what counts as finished because nothing came until `now_ns`."""
        return self._framed(self._framer.idle(now_ns))

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next if nothing arrives, or None if nothing is pending."""
        return self._framer.deadline_ns()

    def broken(self) -> list[Framed]:
        """Forget what is half typed, because the scanner is gone; return its FrameDiscarded."""
        return self._framer.broken()

    def _synchronise(self, code: int, now_ns: int) -> None:
        """After SYN_DROPPED the rest of its packet counts for nothing (Linux, event-codes.rst)."""
        if code == ecodes.SYN_DROPPED:
            # No look at the clock: what was lost filled the time since the last event.
            self._skipping = self._dropped = True
            self._framer.spoil(DiscardReason.DROPPED, now_ns)
        elif code == ecodes.SYN_REPORT and self._skipping:
            self._skipping = False
            self._lost = True
            self._last_ns = now_ns
            self._framer.touch(now_ns)
            self._forget(())
            self._caps.missed()
            self._num.missed()

    def _light(self, code: int, value: int, now_ns: int) -> None:
        """Other programs that have the device open can switch its LEDs in spite of the grab."""
        self._last_ns = now_ns
        if code == ecodes.LED_CAPSL:
            self._caps.light(right=value == 0)
        elif code == ecodes.LED_NUML:
            self._num.light(right=value == 1)

    def _forget(self, held: Iterable[int]) -> None:
        self._held = set(keycodes.MODIFIERS.intersection(held))
        self._framer.dead = ""
        self._framer.alt = None

    def _framed(self, outputs: list[Framed]) -> list[Framed]:
        """Flag the first code after a loss."""
        for place, output in enumerate(outputs):
            if self._dropped and isinstance(output, Frame):
                self._dropped = False
                outputs[place] = replace(output, quality=output.quality | {InputQuality.DROPPED_BEFORE})
        return outputs

    def _modifier(self, code: int, *, pressed: bool, now_ns: int) -> list[Framed]:
        if pressed is (code in self._held) and not self._framer.at_rest:
            # The kernel tells changes only: an earlier one was missed, and characters were read wrongly since.
            self._framer.spoil(DiscardReason.DROPPED, now_ns)
        if pressed:
            self._held.add(code)
            if code in keycodes.METAS:
                self._framer.spoil(DiscardReason.FORBIDDEN_KEYS, now_ns, forbidden(code, self._held, None))
            elif code in self._alts:
                self._framer.begin(now_ns)
                self._framer.alt = ""
            return []
        self._held.discard(code)
        digits = self._framer.alt
        if code in self._alts and digits is not None:
            self._framer.alt = None
            return self._write(self._alt_character(digits), now_ns, code, digits)
        return []

    def _press(self, code: int, now_ns: int) -> list[Framed]:
        held = self._held
        shift = not keycodes.SHIFTS.isdisjoint(held)
        ctrl = not keycodes.CTRLS.isdisjoint(held)
        third = self._layout.alt_gr and ecodes.KEY_RIGHTALT in held
        self._framer.note(code, held)
        if not keycodes.METAS.isdisjoint(held):
            return self._write(DiscardReason.FORBIDDEN_KEYS, now_ns, code)
        if not self._alts.isdisjoint(held):
            digit = None if shift or ctrl or third else keycodes.KEYPAD_DIGITS.get(code)
            return self._alt_digit(digit, now_ns, code)
        if code in {ecodes.KEY_CAPSLOCK, ecodes.KEY_NUMLOCK} and not (ctrl or third):
            (self._caps if code == ecodes.KEY_CAPSLOCK else self._num).press()
            return []
        if ctrl:
            return self._write(self._control(code, shift=shift, third=third), now_ns, code)
        return self._write(self._character(code, shift=shift, third=third), now_ns, code)

    def _write(
        self, typed: str | DiscardReason, now_ns: int, code: int, alt_digits: str | None = None
    ) -> list[Framed]:
        """Add a character to the code, or spoil the code because of the key or Alt code that it came from."""
        if isinstance(typed, DiscardReason):
            named = typed is DiscardReason.FORBIDDEN_KEYS
            self._framer.spoil(typed, now_ns, forbidden(code, self._held, alt_digits) if named else "")
            return []
        if unicodedata.combining(typed):
            if self._framer.dead:  # two in a row: systems differ in what comes of it
                self._framer.spoil(DiscardReason.UNREADABLE, now_ns)
            self._framer.begin(now_ns)
            self._framer.dead = typed
            return []
        if self._framer.dead and typed not in {ENTER, TAB}:
            whole = _composed(self._framer.dead, typed)
            self._framer.dead = ""
            if whole is None:
                self._framer.spoil(DiscardReason.UNREADABLE, now_ns)
            typed = whole or typed
        return self._framed(self._framer.feed(typed.encode(), now_ns))

    def _alt_digit(self, digit: str | None, now_ns: int, code: int) -> list[Framed]:
        digits = self._framer.alt
        if digit is None or digits is None or len(digits) == MAX_ALT_DIGITS:
            return self._write(DiscardReason.FORBIDDEN_KEYS, now_ns, code)
        self._framer.alt = digits + digit
        return []

    def _alt_character(self, digits: str) -> str | DiscardReason:
        """Return what Alt with these keypad digits writes: with a leading zero, a character of Windows-1252.

        Without one it is a character of the PC's own code page. The two agree in ASCII, and scanners fill up codes
        to three digits as well as to four, so Alt+093 and Alt+93 are both `]`.
        """
        if not digits:
            return DiscardReason.FORBIDDEN_KEYS
        try:
            text = bytes([int(digits)]).decode("cp1252")
        except ValueError:
            return DiscardReason.UNREADABLE
        if text < " ":
            written = text == GS or (self._framer.enveloped and text in {RS, EOT})
            return text if "alt-029" in self._gs and written else DiscardReason.FORBIDDEN_KEYS
        return text if text <= "~" or digits.startswith("0") else DiscardReason.UNREADABLE

    def _control(self, code: int, *, shift: bool, third: bool) -> str | DiscardReason:
        """Return what Ctrl with a key writes: `]` by its place on a US keyboard, or by what the layout writes."""
        levels = self._layout.keys.get(code, ("", "", ""))
        if "ctrl-]" in self._gs:
            if (code == ecodes.KEY_RIGHTBRACE and not third) or (third and levels[2] == "]"):
                return GS  # with Shift too: some scanners press it with every control character
            if self._framer.enveloped and not third:
                if code == ecodes.KEY_6:
                    return RS  # Ctrl+^, by its place on a US keyboard
                if code == ecodes.KEY_D and not shift:
                    return EOT
        return DiscardReason.FORBIDDEN_KEYS

    def _character(self, code: int, *, shift: bool, third: bool) -> str | DiscardReason:
        if code in {ecodes.KEY_ENTER, ecodes.KEY_KPENTER} and not third:
            return ENTER
        if not shift and not third and (written := self._without_modifiers(code)):
            return written
        return self._by_layout(code, shift=shift, third=third)

    def _without_modifiers(self, code: int) -> str | None:
        """Return what keys write in every layout, or None for the layout's keys."""
        if code == ecodes.KEY_TAB:
            return TAB
        if (code == ecodes.KEY_F8 and "f8" in self._gs) or (code == ecodes.KEY_DOWN and "down" in self._gs):
            return GS
        if code == ecodes.KEY_F9 and "f8" in self._gs and self._framer.enveloped:
            return RS
        if self._num.on and (code == ecodes.KEY_KPDOT or code in keycodes.KEYPAD_DIGITS):
            return keycodes.KEYPAD_DIGITS.get(code, self._layout.decimal)
        return keycodes.KEYPAD_SIGNS.get(code)

    def _by_layout(self, code: int, *, shift: bool, third: bool) -> str | DiscardReason:
        if code not in keycodes.TYPING_KEYS:
            return DiscardReason.FORBIDDEN_KEYS
        alone, shifted, with_alt_gr = self._layout.keys.get(code, ("", "", ""))
        if third:
            return (not shift and with_alt_gr) or DiscardReason.UNREADABLE
        letter = alone.upper() == shifted
        if alone != shifted and (letter or not self._layout.caps_lock_letters_only):
            if self._caps.on is None or (self._caps.on and not letter):
                return DiscardReason.UNREADABLE
            shift = shift is not self._caps.on
        return (shifted if shift else alone) or DiscardReason.UNREADABLE


def _composed(dead: str, typed: str) -> str | None:
    """Return the letter with its accent, or the accent alone before the space bar; None where systems differ."""
    if typed == " ":
        return _SPACING[dead]
    whole = unicodedata.normalize("NFC", typed + dead)
    return whole if len(whole) == 1 and whole <= "\xff" else None


def key_decoder(settings: ScannerSettings) -> KeyDecoder:
    """Return the decoder for a scanner's settings. Raises DriverError for a terminator that no key stands for."""
    ending = ENDINGS.get(settings.terminator)
    if ending is None:
        allowed = ", ".join(f'"{name}"' for name in ENDINGS)
        raise DriverError(
            "read",
            f"scanner {settings.name!r}",
            f'a keyboard has no key for terminator "{settings.terminator}"',
            f"terminator is one of {allowed}",
            recoverable=False,
        )
    return KeyDecoder(layout(settings.layout), settings.gs, ending, settings.idle_ms * 1_000_000)

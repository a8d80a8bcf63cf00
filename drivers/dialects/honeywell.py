"""Honeywell: codes with a terminator, menu commands and their answers, Host ACK.

Source: user guides of the Xenon 1900/1902, Xenon XP 1950 and Granit 1981i: Menu Commands, Host ACK.

A menu command is `SYN M CR`, then tag, subtag and data, then `.` (kept in flash) or `!` (until power is lost). The
scanner echoes each setting with ACK, ENQ (no such tag) or NAK (no such data) before the punctuation.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from drivers.base import ScannerSettings
from drivers.dialects.answers import ECHO_END, MAX_ANSWER_BYTES
from drivers.dialects.plain import PlainDialect
from drivers.model import Signal

MENU: Final = b"\x16M\r"
BEEP: Final = b"\x16\x07\r"
TRIGGER: Final = b"\x16T\r"
RELEASE: Final = b"\x16U\r"
"""Press and let go of the trigger."""

GREEN: Final = b"\x1b1,"
LOW: Final = b"\x1b4,"
MEDIUM: Final = b"\x1b5,"
HIGH: Final = b"\x1b6,"
GOOD: Final = b"\x1b7,"
RAZZ: Final = b"\x1b8,"
"""Host ACK: green light for 135 ms, beeps, "transmitted", "not transmitted". They may be strung together."""

BEEPS: Final[Mapping[Signal, bytes]] = {
    Signal.ACCEPTED: BEEP,
    Signal.MORE: BEEP * 2,
    Signal.WARNING: BEEP * 3,
    Signal.REFUSED: BEEP * 4,
    Signal.TROUBLE: BEEP * 5,
    Signal.DEVIATING: BEEP * 6,
    Signal.QUESTION: BEEP * 7,
}
"""Without Host ACK a scanner has one beep, and only their number tells."""
HOST_ACK: Final[Mapping[Signal, bytes]] = {
    Signal.ACCEPTED: GOOD,
    Signal.MORE: MEDIUM + HIGH + GREEN,
    Signal.WARNING: HIGH + LOW + HIGH,
    Signal.REFUSED: RAZZ * 2,  # the guides' "item not on file"
    Signal.TROUBLE: RAZZ + LOW * 3,
    Signal.DEVIATING: MEDIUM + LOW + GREEN,
    Signal.QUESTION: LOW + MEDIUM + HIGH,
}
"""A scanner set to Host ACK is silent and reads nothing more until one of these comes, for ten seconds. The answer
is the signal itself: a "transmitted" ahead of a refusal would sound like acceptance. Verified by the guides for
cordless scanners, whose interface is 000 or 130; not for corded ones, so it is not the default."""


class Answer(StrEnum):
    """What the scanner says of one setting."""

    DONE = "\x06"
    NO_SUCH_TAG = "\x05"
    NO_SUCH_DATA = "\x15"


class MenuAnswer(Struct, frozen=True, kw_only=True):
    """The answer to one setting of a menu command."""

    text: str
    """Tag, subtag and data as echoed; for a question, with the value in the place of the `?`."""
    answer: Answer


def menu_command(*settings: str, permanent: bool = False) -> bytes:
    """Return the command for settings such as `BEPLVL2`, or questions such as `BEPLVL?`.

    Without `permanent` it holds until power is lost: flash wears. Raises ValueError for what would end the command
    early, is no setting, or sets back more than one.
    """
    for setting in settings:
        if not _SETTING.fullmatch(setting):
            raise ValueError(f"expected a setting such as 'BEPLVL2', got {setting!r}")
        if _SETS_BACK.match(setting):
            raise ValueError(f"{setting!r} sets back more than one setting, or starts the scanner anew")
    if not settings:
        raise ValueError("expected at least one setting")
    return MENU + ";".join(settings).encode("ascii") + (b"." if permanent else b"!")


def menu_answers(reply: bytes) -> tuple[MenuAnswer, ...]:
    """Return what a Reply says, setting by setting; what is no answer is passed over."""
    answers = []
    begin = 0
    for mark in ECHO_END.finditer(reply):
        text = _TEXT.search(reply[max(begin, mark.start() - MAX_ANSWER_BYTES) : mark.start()])
        begin = mark.end()
        if text is not None:
            answer = Answer(reply[mark.start() : mark.start() + 1].decode("ascii"))
            answers.append(MenuAnswer(text=text[0].decode("ascii"), answer=answer))
    return tuple(answers)


_SETTING: Final = re.compile(r"[A-Z0-9](?:(?![.,;!])[ -~])*")
"""Anything printable but the punctuation, which ends a setting or the command."""
_SETS_BACK: Final = re.compile(r"DEFALT|DEFOVR|RESET_|[A-Z0-9_]{3}DFT", re.IGNORECASE)
"""Custom defaults on or off, start anew, default a whole group: the interface may be among what changes."""
_TEXT: Final = re.compile(rb"[ -~]+\Z")


class HoneywellDialect(PlainDialect):
    """Codes and answers, and beeps."""

    def __init__(self, settings: ScannerSettings) -> None:
        super().__init__(settings)
        self._signals = {"beep": BEEPS, "host-ack": HOST_ACK}.get(settings.feedback, {})

    def signal(self, signal: Signal) -> bytes:
        """Return the beeps, or the answer a scanner set to Host ACK waits for: it takes only one."""
        return self._signals.get(signal, b"")

"""Datalogic Gryphon and PowerScan: codes with a terminator, host commands, service mode.

Source: product reference guides of the Gryphon I GD44xx/GBT4400/GM44xx and GD/GBT/GM4200 (Message Formatting: LED
and Beeper Control), of the Gryphon and PowerScan (RS-232 Host Commands), and the service mode description.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from drivers.base import ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.model import Signal

GOOD_READ: Final = b"\x01"
"""Good-read tone, also where the good-read beep is switched off."""
NOT_ON_FILE: Final = b"F"
"""A long series of beeps. It disables the scanner, which ENABLE undoes."""
ENABLE: Final = b"E"

TONES: Final[Mapping[Signal, bytes]] = {
    Signal.ACCEPTED: GOOD_READ,
    Signal.MORE: GOOD_READ * 2,
    Signal.WARNING: GOOD_READ * 3,
    Signal.REFUSED: NOT_ON_FILE + ENABLE,
    Signal.TROUBLE: (NOT_ON_FILE + ENABLE) * 2,
    Signal.DEVIATING: GOOD_READ * 4,
    Signal.QUESTION: GOOD_READ * 5,
}
"""Host commands of the RS-232 and USB-COM interfaces."""


def cordless_message(*steps: int) -> bytes:
    """Return a message from the host to a cordless scanner: `DC2`, an `ESC [ n q` for each step, `CR`.

    0 short high tone, 1 short low, 2 long low, 3 good read, 4 bad transmission, 5 wait 100 ms, 6 and 7 green LED on
    and off, 8 and 9 green spot (on older models red LED) on and off.
    """
    return b"\x12" + b"".join(b"\x1b[%dq" % step for step in steps) + b"\r"


CORDLESS: Final[Mapping[Signal, bytes]] = {
    Signal.ACCEPTED: cordless_message(6, 3, 7),
    Signal.MORE: cordless_message(0, 0),
    Signal.WARNING: cordless_message(3, 5, 1, 1),
    Signal.REFUSED: cordless_message(4, 4),
    Signal.TROUBLE: cordless_message(2, 2, 2, 2),
    Signal.DEVIATING: cordless_message(3, 5, 0),
    Signal.QUESTION: cordless_message(1, 0, 1, 0),
}

ENTER: Final = "S"
APPLY: Final = "r01"
"""Until power is lost."""
SAVE: Final = "Ar"
"""To flash; the scanner starts anew."""
DISCARD: Final = "s"
IDENTIFY: Final = "+$!"
_WIPES_EVERYTHING: Final = frozenset({"AE", "Ae", "P"})
"""`$P,AE,P` and `$P,Ae,P` wipe every setting, the interface type included: the host would lose the scanner."""


class ServiceAnswer(Struct, frozen=True, kw_only=True):
    """The answer to one command of service mode."""

    done: bool
    value: str
    """What was asked for; empty for a command."""


def service_command(*commands: str) -> bytes:
    """Return commands of service mode, joined; raises ValueError for what wipes the scanner or is no command."""
    for command in commands:
        if not command or not command.isascii() or not command.isprintable() or "," in command or " " in command:
            raise ValueError(f"expected a command such as 'CGDTM02', got {command!r}")
        if command in _WIPES_EVERYTHING:
            raise ValueError(f"{command!r} can wipe every setting of the scanner, its interface included")
    if not commands:
        raise ValueError("expected at least one command")
    return ("$" + ",".join(commands) + "\r").encode("ascii")


def write_item(item: str, value: str) -> str:
    """Return the command that sets a configuration item."""
    return f"C{item}{value}"


def read_item(item: str) -> str:
    """Return the command that asks for a configuration item."""
    return f"c{item}"


def service_answers(reply: bytes) -> tuple[ServiceAnswer, ...]:
    """Return what a Reply says, command by command."""
    text = reply.decode("latin-1").strip("\r\n").removeprefix("$")
    return tuple(
        ServiceAnswer(done=one.startswith(">"), value=one[1:]) for one in text.split(",") if one[:1] in {">", "@"}
    )


class DatalogicDialect(PlainDialect):
    """Codes and answers, and tones."""

    def __init__(self, settings: ScannerSettings) -> None:
        super().__init__(settings)
        self._signals = {"beep": TONES, "cordless": CORDLESS}.get(settings.feedback, {})

    def signal(self, signal: Signal) -> bytes:
        """Return the tones that tell the operator."""
        return self._signals.get(signal, b"")

"""Honeywell: menu commands. `!` speaks of the table in force, `.` of the one in flash.

Source: Xenon 1900/1902 User's Guide, Serial Programming Commands (p. 11-1 to 11-3): menu command syntax, query
commands, responses. That a question with `.` reads the flash is said there of the storage table; not tried.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from drivers.dialects.honeywell import Answer, MenuAnswer, menu_answers, menu_command
from firmware_config.errors import NoAnswerError, RefusedError
from firmware_config.model import Identity, SettingsReading
from firmware_config.port import Port
from firmware_config.vendors.base import VendorProtocol, ask, converse

_CLEARED_BY: Final[Mapping[str, str]] = {"SUFBK2": "SUFCA2", "PREBK2": "PRECA2"}
"""These add to what is there, so it is cleared first, in the same command."""
_REVISION_LINE: Final = re.compile(
    rb"(?:Product Name|Boot Revision|Software Part Number|Software Revision|Serial Number|Supported IF):[ -~]{0,80}"
)
"""Lines of the answer to REVINF in the user guides of Xenon, Granit and Voyager."""
_LINE: Final = re.compile(r"^\s*([^:\r\n]+?)\s*:\s*([^\r\n]*?)\s*$", re.MULTILINE)


class Honeywell(VendorProtocol):
    """Xenon, Granit and the like on a serial port, USB or RS-232."""

    name: ClassVar[str] = "honeywell"

    def identify(self, port: Port) -> Identity:
        """Ask for the revision lines. Their wording is not confirmed, so what is not found is None."""
        try:
            heard = ask(port, menu_command("REVINF"), _revision, "identify")
        except NoAnswerError:
            return Identity()
        lines = {key.lower(): value or None for key, value in _LINE.findall(heard)}
        return Identity(
            model=lines.get("product name"),
            firmware=lines.get("software revision") or lines.get("software part number"),
            serial=lines.get("serial number"),
        )

    def query(self, port: Port, names: Sequence[str]) -> SettingsReading:
        """Ask setting by setting: a model that lacks one says ENQ to it alone."""
        values: dict[str, str] = {}
        kept: dict[str, str] = {}
        unknown: list[str] = []
        for name in names:
            in_force = ask(port, menu_command(name + "?"), _echo(name), f"read {name} of")
            in_flash = ask(port, menu_command(name + "?", permanent=True), _echo(name), f"read {name} of")
            answered = [one.text[len(name) :] for one in (in_force, in_flash) if one.answer is Answer.DONE]
            if answered:  # a model that tells only one of the tables is taken at that
                values[name], kept[name] = answered[0], answered[-1]
            else:
                unknown.append(name)
        return SettingsReading(values=values, kept=kept, unknown=tuple(unknown))

    def ram_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return one command for each setting."""
        return tuple(menu_command(*_written(name, value)) for name, value in values.items())

    def keep_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return one command for all: one write to flash."""
        settings = [part for name, value in values.items() for part in _written(name, value)]
        return (menu_command(*settings, permanent=True),)

    def tell(self, port: Port, message: bytes) -> None:
        """Send a command; every setting in it must be echoed with ACK."""
        expected = message.count(b";") + 1

        def find(heard: bytes) -> tuple[MenuAnswer, ...] | None:
            answers = menu_answers(heard)
            return answers if len(answers) >= expected else None

        for one in converse(port, message, find, "set"):
            if one.answer is not Answer.DONE:
                why = "it has no such setting" if one.answer is Answer.NO_SUCH_TAG else "it does not take the value"
                raise RefusedError(
                    "set", one.text, why, "the model differs from the profile's manuals", recoverable=False
                )

    def is_answer(self, frame: bytes) -> bool:
        """Return whether a frame is a line of the answer to REVINF, whose last line alone the dialect knows."""
        return _REVISION_LINE.fullmatch(frame) is not None

    def same(self, present: str, wanted: str) -> bool:
        """Compare without regard to case (hex digits) and leading zeros."""
        return _canonical(present) == _canonical(wanted)


def _canonical(value: str) -> str:
    return value.upper().lstrip("0") or "0" * bool(value)


def _written(name: str, value: str) -> tuple[str, ...]:
    clear = _CLEARED_BY.get(name)
    if clear is None:
        return (name + value,)
    return (clear, name + value) if value else (clear,)


def _revision(heard: bytes) -> str | None:
    """Return the lines of a revision answer when its end is there."""
    end = re.search(rb"REVINF[ -~]*[\x05\x06\x15][.!]", heard, re.IGNORECASE)
    return heard[: end.start()].decode("latin-1") if end else None


def _echo(name: str) -> Callable[[bytes], MenuAnswer | None]:
    def find(heard: bytes) -> MenuAnswer | None:
        for one in menu_answers(heard):
            at = one.text.upper().rfind(name)
            if at >= 0:
                return MenuAnswer(text=one.text[at:], answer=one.answer)
        return None

    return find

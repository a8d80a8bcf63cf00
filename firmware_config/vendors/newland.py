"""Newland: commands of Honeywell's kind in a frame of their own; `#` until power is lost, `@` for good.

Source: NLS-HR42 User Guide, Use of Programming Command (p. 15, 16); NLS-HR52 User Manual, the same chapter.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Final

from firmware_config.errors import RefusedError
from firmware_config.model import Identity, SettingsReading
from firmware_config.port import Port
from firmware_config.vendors.base import VendorProtocol, ask, converse

HEAD: Final = b"~\x010000"
ANSWER_HEAD: Final = b"\x02\x010000"
TAIL: Final = b";\x03"
IN_FORCE: Final = b"#"
IN_FLASH: Final = b"@"
CURRENT: Final = "*"
"""Asks for the present value. Honeywell writes `?`, and has another meaning for `*`."""
ACK: Final = b"\x06"

_SETTING: Final = re.compile(r"[A-Z0-9]{6}(?:(?![,;@#~])[ -~])*")
_BANNED: Final = re.compile(r"FACDEF|\w{3}DEF|DEF\w{3}|ALL\w{3}", re.IGNORECASE)
"""What sets everything, or a whole group, back."""
_ANSWER: Final = re.compile(
    re.escape(ANSWER_HEAD) + rb"[@#](?P<name>[A-Z0-9]{6})(?P<value>[ -~]*?)(?P<mark>[\x05\x06\x15])" + TAIL
)


def command(setting: str, storage: bytes) -> bytes:
    """Return the command for one setting such as `C11ENA1`, or question such as `C11ENA*`.

    Raises ValueError for what is none, and for what sets back more than one setting.
    """
    if not _SETTING.fullmatch(setting) or _BANNED.match(setting):
        raise ValueError(f"expected a setting such as 'C11ENA1', got {setting!r}")
    return HEAD + storage + setting.encode("ascii") + TAIL


class Newland(VendorProtocol):
    """NLS-HR series and engines on a serial port."""

    name: ClassVar[str] = "newland"

    def identify(self, port: Port) -> Identity:  # noqa: ARG002 - the interface's argument
        """Return nothing: how these scanners are asked who they are is not confirmed."""
        return Identity()

    def query(self, port: Port, names: Sequence[str]) -> SettingsReading:
        """Ask setting by setting."""
        values: dict[str, str] = {}
        unknown: list[str] = []
        for name in names:
            message = command(name + CURRENT, IN_FORCE)
            mark, value = ask(port, message, partial(_answer, name), f"read {name} of")
            if mark == ACK:
                values[name] = value
            else:
                unknown.append(name)
        return SettingsReading(values=values, unknown=tuple(unknown))

    def ram_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return one command for each setting."""
        return tuple(command(name + value, IN_FORCE) for name, value in values.items())

    def keep_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return one command, and one write to flash, for each setting."""
        return tuple(command(name + value, IN_FLASH) for name, value in values.items())

    def tell(self, port: Port, message: bytes) -> None:
        """Send a command; it must be echoed with ACK."""
        name = message[len(HEAD) + 1 :][:6].decode("ascii")
        mark, _ = converse(port, message, partial(_answer, name), "set")
        if mark != ACK:
            raise RefusedError(
                "set",
                name,
                "the scanner refused it",
                "the model differs from the profile's manuals",
                recoverable=False,
            )


def _answer(name: str, heard: bytes) -> tuple[bytes, str] | None:
    for found in _ANSWER.finditer(heard):
        if found["name"].decode("ascii") == name:
            return found["mark"], found["value"].decode("ascii")
    return None

"""Cognex DataMan: control commands (DMCC). Settings can be read; how they are kept is not confirmed.

Source: DataMan Control Commands Overview (docs.cognex.com): header `||checksum:id>`, extended answers
`||checksum:id[status]value`; without COM.DMCC-RESPONSE 1 a reader answers nothing that differs from a code.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Final

from firmware_config.errors import NoAnswerError
from firmware_config.model import Identity, SettingsReading
from firmware_config.port import Port
from firmware_config.vendors.base import VendorProtocol, ask, converse

DONE: Final = 0
"""Status of a command that was executed; 101 no such command, 102 no such parameter."""
_ANSWER: Final = re.compile(rb"\|\|0:(?P<id>\d+)\[(?P<status>\d+)\](?P<value>[^\r\n]*)\r\n")
_NAME: Final = re.compile(r"[A-Z0-9-]+(?:\.[A-Z0-9-]+)+")


def question(name: str, number: int) -> bytes:
    """Return the question for a setting such as `SYMBOL.DATAMATRIX`; its answer carries the number."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"expected a setting such as 'SYMBOL.DATAMATRIX', got {name!r}")
    return f"||0:{number}>GET {name}\r\n".encode("ascii")


class Cognex(VendorProtocol):
    """DataMan readers on a serial port."""

    name: ClassVar[str] = "cognex"
    cannot_write: ClassVar[str] = "how DataMan readers keep settings is not confirmed by a manual that was read"

    def identify(self, port: Port) -> Identity:
        """Ask for type, firmware and serial number; what a reader does not know is None."""
        try:
            found = self._read(port, ("DEVICE.TYPE", "DEVICE.FIRMWARE-VER", "DEVICE.SERIAL-NUMBER"), once=True)
        except NoAnswerError:
            return Identity()
        return Identity(
            model=found.get("DEVICE.TYPE"),
            firmware=found.get("DEVICE.FIRMWARE-VER"),
            serial=found.get("DEVICE.SERIAL-NUMBER"),
        )

    def query(self, port: Port, names: Sequence[str]) -> SettingsReading:
        """Ask setting by setting."""
        values = self._read(port, names)
        return SettingsReading(values=values, unknown=tuple(name for name in names if name not in values))

    def _read(self, port: Port, names: Sequence[str], *, once: bool = False) -> dict[str, str]:
        values: dict[str, str] = {}
        for number, name in enumerate(names, 1):
            status, value = (converse if once else ask)(
                port, question(name, number), partial(_answer, number), f"read {name} of"
            )
            if status == DONE:
                values[name] = value
        return values

    def ram_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:  # noqa: ARG002 - the interface's argument
        """Return nothing: see `cannot_write`."""
        return ()

    def keep_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:  # noqa: ARG002 - the interface's argument
        """Return nothing: see `cannot_write`."""
        return ()

    def tell(self, port: Port, message: bytes) -> None:
        """Nothing is ever sent."""

    def same(self, present: str, wanted: str) -> bool:
        """Compare without regard to case."""
        return present.upper() == wanted.upper()


def _answer(number: int, heard: bytes) -> tuple[int, str] | None:
    for found in _ANSWER.finditer(heard):
        if int(found["id"]) == number:
            return int(found["status"]), found["value"].decode("latin-1")
    return None

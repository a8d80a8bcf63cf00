"""Datalogic: configuration items in service mode.

Every line enters service mode, does its work and leaves it, so that a gateway that dies between two lines leaves a
scanner that reads. Models that answer at 115200 baud garble such a line's answer; only they are entered, asked and
left line by line.

Source: service mode description (`$S`, `$C`, `$c`, `$r01`, `$Ar`, `$s`, chained commands and their answers). Not
confirmed: that a line may end with `s`, and that `r01` leaves service mode; were it not so, the next question does.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from drivers.dialects.answers import DONE, FAILED
from drivers.dialects.datalogic import (
    APPLY,
    DISCARD,
    ENTER,
    IDENTIFY,
    SAVE,
    ServiceAnswer,
    read_item,
    service_answers,
    service_command,
    write_item,
)
from firmware_config.errors import NoAnswerError, PortGoneError, RefusedError
from firmware_config.model import Identity, SettingsReading
from firmware_config.port import Port
from firmware_config.vendors.base import VendorProtocol, ask, converse

SERVICE_BAUD: Final = 115_200
"""Speed of service mode on the RS-232 models that have a speed of their own for it."""
REOPEN_SECONDS: Final = 5.0
"""A port that only changes its speed is there at once; this covers a USB adapter that hesitates."""
Find = Callable[[bytes], tuple[ServiceAnswer, ...] | None]


class Datalogic(VendorProtocol):
    """Gryphon and PowerScan on USB-COM or RS-232."""

    name: ClassVar[str] = "datalogic"
    resets_when_kept: ClassVar[bool] = True

    def __init__(self) -> None:
        self._own_speed = False

    def identify(self, port: Port) -> Identity:
        """Ask who it is. How the answer is laid out is not confirmed: its whole text is the model.

        Raises NoAnswerError: every model answers something in service mode.
        """
        try:
            answers = self._ask(port, (IDENTIFY,), "identify")
        except RefusedError:
            return Identity()
        return Identity(model=answers[0].value.strip() or None)

    def query(self, port: Port, names: Sequence[str]) -> SettingsReading:
        """Ask for all items at once; where the scanner fails one, ask for each."""
        try:
            return SettingsReading(values=self._read(port, names))
        except RefusedError:
            values: dict[str, str] = {}
            unknown: list[str] = []
            for name in names:
                try:
                    values |= self._read(port, (name,))
                except RefusedError:
                    unknown.append(name)
            return SettingsReading(values=values, unknown=tuple(unknown))

    def _read(self, port: Port, names: Sequence[str]) -> dict[str, str]:
        answers = self._ask(port, tuple(map(read_item, names)), "read settings of")
        return dict(zip(names, (one.value for one in answers), strict=True))

    def ram_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return one line for all items."""
        return (service_command(ENTER, *itertools.starmap(write_item, values.items()), APPLY),)

    def keep_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return one line for all items: one write to flash, after which the scanner starts anew."""
        return (service_command(ENTER, *itertools.starmap(write_item, values.items()), SAVE),)

    def tell(self, port: Port, message: bytes) -> None:
        """Send a line; each command in it must succeed."""
        count = message.count(b",")
        if self._own_speed:
            self._inside(port, lambda: converse(port, b"$" + message[len(_ENTERED) :], _answers(count), "set"))
            return
        try:
            converse(port, message, _answers(count, entered=True), "set")
        except RefusedError:
            port.write(_LEAVE)
            raise

    def same(self, present: str, wanted: str) -> bool:
        """Compare without regard to the case of hex digits."""
        return present.upper() == wanted.upper()

    def _ask(self, port: Port, commands: tuple[str, ...], doing: str) -> tuple[ServiceAnswer, ...]:
        """Ask within service mode, at the configured speed, or else at service mode's own."""
        if not self._own_speed:
            line = service_command(ENTER, *commands, DISCARD)
            try:
                return ask(port, line, _answers(len(commands), entered=True), doing)
            except RefusedError:
                port.write(_LEAVE)
                raise
            except NoAnswerError as silence:
                answers = self._at_own_speed(port, commands, doing)
                if answers is None:
                    raise silence from None
                self._own_speed = True
                return answers
        return self._inside(port, lambda: ask(port, service_command(*commands), _answers(len(commands)), doing))

    def _at_own_speed(self, port: Port, commands: tuple[str, ...], doing: str) -> tuple[ServiceAnswer, ...] | None:
        find = _answers(len(commands))
        try:
            return self._inside(port, lambda: ask(port, service_command(*commands), find, doing))
        except NoAnswerError:
            return None

    def _inside(self, port: Port, work: Callable[[], tuple[ServiceAnswer, ...]]) -> tuple[ServiceAnswer, ...]:
        """Enter service mode, change to its speed, work, leave it and change back, whatever becomes of the work."""
        port.write(service_command(ENTER))
        port.reopen(REOPEN_SECONDS, SERVICE_BAUD)
        try:
            return work()
        finally:
            with suppress(PortGoneError):  # work that starts the scanner anew has left already
                port.write(_LEAVE)
            port.reopen(REOPEN_SECONDS, None)


_LEAVE: Final = service_command(DISCARD)
_ENTERED: Final = b"$S,"


def _answers(count: int, *, entered: bool = False) -> Find:
    """Return what finds the answers to `count` commands in a line; raises RefusedError where one failed."""

    def find(heard: bytes) -> tuple[ServiceAnswer, ...] | None:
        for line in heard.split(b"\r")[:-1]:
            at = max(line.rfind(DONE), line.rfind(FAILED))
            if at < 0:
                continue
            answers = service_answers(line[at:])[entered:][:count]
            if len(answers) < count or not all(one.done for one in answers):
                raise RefusedError(
                    "set or read",
                    "the scanner",
                    f"it answered {line[at:].decode('latin-1')!r}",
                    "the model differs from the profile's manuals",
                    recoverable=False,
                )
            return answers
        return None

    return find

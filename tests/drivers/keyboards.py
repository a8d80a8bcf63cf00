"""A keyboard of our own: struct input_event comes out of a pipe, and what a kernel would say is set by hand."""

import os
from contextlib import suppress

import evdev._input as evdev_input

from drivers.base import ScannerSettings
from drivers.hardware import Choice
from drivers.keymap import KeyEvent
from drivers.locks import Locks
from drivers.model import ConnectionState
from tests.drivers.typist import INPUT_EVENT, Event, pack

MOST_EVENTS = 64
"""What one read takes (python-evdev), and what the kernel keeps for one client of a keyboard."""


class Keyboards:
    """Opens the one keyboard that is plugged in; it is that keyboard itself too."""

    def __init__(self) -> None:
        self.plugged = True
        self.refusal: OSError | None = None
        self.keys: frozenset[int] = frozenset()
        """Keys held now."""
        self.locks = Locks()
        self.shown = 0
        """How often the driver put the LEDs right."""
        self.opened: list[str] = []
        self._scanner: int | None = None
        self.fd = -1

    def choose(self, settings: ScannerSettings) -> Choice:
        if not self.plugged:
            return Choice(path=None, detail="plug it in")
        return Choice(path=settings.device, connection=ConnectionState.CONNECTED)

    def open(self, path: str) -> "Keyboards":
        if self.refusal is not None:
            raise self.refusal
        self.opened.append(path)
        self.fd, self._scanner = os.pipe()
        os.set_blocking(self.fd, False)
        return self

    def read(self) -> list[KeyEvent]:
        """Read as python-evdev does."""
        return [
            KeyEvent(kind, code, value, (seconds * 1_000_000 + micros) * 1_000)
            for seconds, micros, kind, code, value in evdev_input.device_read_many(self.fd)
        ]

    def held(self) -> frozenset[int]:
        return self.keys

    def show_locks(self) -> None:
        self.shown += 1

    def close(self) -> None:
        os.close(self.fd)

    def type(self, told: list[Event]) -> None:
        self.write(pack(told))

    def write(self, data: bytes) -> None:
        """Send all of the data, whole events at a time; waits while the reader is behind, stops when it is gone."""
        assert self._scanner is not None
        size = MOST_EVENTS * INPUT_EVENT.size
        with suppress(BrokenPipeError):
            for at in range(0, len(data), size):
                os.write(self._scanner, data[at : at + size])  # below PIPE_BUF: as a whole or not at all

    def pull(self) -> None:
        """Cut the connection."""
        if self._scanner is not None:
            os.close(self._scanner)
            self._scanner = None

"""A keyboard of our own: struct input_event comes out of a pipe, and what a kernel would say is set by hand."""

import os
from contextlib import suppress

from drivers.base import ScannerSettings
from drivers.hardware import Choice
from drivers.locks import Locks
from drivers.model import Link
from tests.drivers.typist import Event, pack


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
        return Choice(path=settings.device, link=Link.CONNECTED)

    def open(self, path: str) -> "Keyboards":
        if self.refusal is not None:
            raise self.refusal
        self.opened.append(path)
        self.fd, self._scanner = os.pipe()
        os.set_blocking(self.fd, False)
        return self

    def held(self) -> frozenset[int]:
        return self.keys

    def show_locks(self) -> None:
        self.shown += 1

    def close(self) -> None:
        os.close(self.fd)

    def type(self, told: list[Event]) -> None:
        self.write(pack(told))

    def write(self, data: bytes) -> None:
        """Send all of the data; waits while the reader is behind, and stops when it is gone."""
        assert self._scanner is not None
        with suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._scanner, data) :]

    def pull(self) -> None:
        """Cut the connection."""
        if self._scanner is not None:
            os.close(self._scanner)
            self._scanner = None

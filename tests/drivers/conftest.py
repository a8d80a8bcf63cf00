"""A cable to pull: a pty behind a name such as udev makes below /dev/serial/by-id."""

import fcntl
import os
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from drivers.base import Scanner
from drivers.model import ScannerInput

DEADLINE_S = 10.0


class Cable:
    """A serial scanner as the machine sees it: a node, a name that comes and goes with it, and bytes."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self._scanner: int | None = None
        self._node: int | None = None

    @property
    def node(self) -> str:
        assert self._node is not None
        return os.ttyname(self._node)

    def plug(self, *, as_terminal: bool = False) -> None:
        """Make the device appear, set up as a program left it or, as after a boot, as a terminal."""
        self._scanner, self._node = os.openpty()
        if not as_terminal:
            tty.setraw(self._node)
        self.name.symlink_to(self.node)

    def pull(self) -> None:
        """Cut the connection; node and name stay, as they do until udev has tidied up."""
        assert self._scanner is not None
        os.close(self._scanner)
        self._scanner = None

    def free(self) -> None:
        """Do what the kernel does to a tty when the last program closes it, and not to a pty."""
        assert self._node is not None
        fcntl.ioctl(self._node, termios.TIOCNXCL)

    def unplug(self) -> None:
        """Cut the connection; node and name go with it."""
        self.name.unlink(missing_ok=True)
        for fd in (self._scanner, self._node):
            if fd is not None:
                os.close(fd)
        self._scanner = self._node = None

    def scan(self, data: bytes) -> None:
        """Send all of the data; waits while the reader is behind."""
        assert self._scanner is not None
        while data:
            data = data[os.write(self._scanner, data) :]

    def heard(self, size: int) -> bytes:
        """Return what the gateway wrote to the scanner, waiting for `size` bytes."""
        assert self._scanner is not None
        data = b""
        while len(data) < size:
            data += os.read(self._scanner, size - len(data))
        return data


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    made = Cable(tmp_path / "usb-scanner-if00")
    yield made
    made.unplug()


@pytest.fixture
def take() -> Callable[[Scanner, int], list[ScannerInput]]:
    """Return a function that reads that many inputs, within a deadline."""

    def read(scanner: Scanner, count: int) -> list[ScannerInput]:
        inputs: list[ScannerInput] = []
        end = monotonic() + DEADLINE_S
        while len(inputs) < count:
            left = end - monotonic()
            assert left > 0, f"only {inputs} came"
            if (one := scanner.read(left)) is not None:
                inputs.append(one)
        return inputs

    return read

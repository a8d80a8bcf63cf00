"""A hidraw node of our own: a socket that keeps reports apart as hidraw does, and what a kernel would say."""

import os
import socket

from drivers.base import ScannerSettings
from drivers.hardware import Choice
from drivers.model import ConnectionState
from tests.drivers.hid_pos_reports import ACCESS_IS


class Hidraws:
    """Opens the one node that is plugged in; it is that node itself too."""

    def __init__(self, descriptor: bytes = ACCESS_IS) -> None:
        self.descriptor = descriptor
        self.opened: list[str] = []
        self.refusal: OSError | None = None
        self.plugged = True
        self._scanner: socket.socket | None = None
        self._fd = -1

    def choose(self, settings: ScannerSettings) -> Choice:
        return (
            Choice(path=settings.device, connection=ConnectionState.CONNECTED)
            if self.plugged
            else Choice(path=None, detail="away")
        )

    def open(self, path: str) -> "Hidraws":
        if self.refusal is not None:
            raise self.refusal
        self.opened.append(path)
        self._scanner, node = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        node.setblocking(False)
        self._fd = node.detach()
        return self

    @property
    def fd(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)
        self.pull()

    def send(self, *reports: bytes) -> None:
        assert self._scanner is not None
        for report in reports:
            self._scanner.sendall(report)

    def pull(self) -> None:
        if self._scanner is not None:
            self._scanner.close()
            self._scanner = None

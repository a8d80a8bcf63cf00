"""What the daemon tells systemd: sd_notify(3), a datagram to the socket that $NOTIFY_SOCKET names."""

import os
import socket
import time
from contextlib import suppress
from typing import Final

WATCHDOG_SHARE: Final = 3
"""The watchdog is fed three times in its interval: one late turn of the loop does no harm."""

MAIN_SECONDS: Final = 120.0
"""Longest turn of the main loop: a slow disk under the registry, a bus that does not answer."""
AT_WORK_MICROSECONDS: Final = 60_000_000
"""How long the start may take beyond each word that it goes on."""


class ServiceManager:
    """Tells systemd how the daemon is; does nothing where it was not started by systemd."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        # Not blocking: a manager that does not read must not stop the scans.
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_UNIX, kind) if address else None
        self._status = ""
        self._main_turned: float | None = None
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        self.feed_seconds = int(microseconds) / 1e6 / WATCHDOG_SHARE if microseconds.isdigit() else None
        """How often `alive` is to be called, or None where no watchdog waits."""

    def ready(self, status: str) -> None:
        """Everything that must work at start works."""
        self._tell(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`; sent when it changes."""
        if status != self._status:
            self._status = status
            self._tell(f"STATUS={status}")

    def main_turned(self) -> None:
        """Note that the main loop goes on."""
        self._main_turned = time.monotonic()

    def alive(self) -> None:
        """Feed the watchdog, unless the main loop stands still: nobody would act on a signal, or see what is stuck."""
        if self._main_turned is None or time.monotonic() - self._main_turned < MAIN_SECONDS:
            self._tell("WATCHDOG=1")

    def at_work(self) -> None:
        """Say that something long goes on, at the start or later: neither is to be taken for a standstill."""
        self._tell(f"WATCHDOG=1\nEXTEND_TIMEOUT_USEC={AT_WORK_MICROSECONDS}")

    def stopping(self) -> None:
        """The ordered stop has begun."""
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()

    def _tell(self, message: str) -> None:
        if self._socket is not None:
            with suppress(OSError):  # systemd gone or busy: the daemon's work matters more
                self._socket.sendto(message.encode(), self._address)

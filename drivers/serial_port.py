"""Serial scanners (USB-CDC, USB adapters, RS-232) through pyserial: open, read, come back after an unplug.

8 data bits, no parity, 1 stop bit, no flow control: XON/XOFF would eat bytes of a code, and scanners leave the
other lines open.
"""

import errno
import math
import os
import select
import termios
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from threading import Lock
from time import monotonic_ns

import serial

from drivers.base import Dialect, DialectOutput, DriverError, Scanner, ScannerSettings
from drivers.hardware import tty_identity
from drivers.model import Link, LinkChange, ScannerIdentity, ScannerInput
from drivers.raw_scan import to_inputs

READ_BYTES = 4096
"""Most that is read at once: what the kernel's line discipline holds. It also bounds what waits to be handed on."""
FIRST_RETRY_NS = 100_000_000
"""Pause before the first attempt to open again: a scanner that re-enumerates is back within a few of these."""
LAST_RETRY_NS = 1_000_000_000
"""Longest pause between attempts: an attempt costs microseconds, and a replugged scanner should answer at once."""
SEND_NS = 200_000_000
"""Longest a write may take: the worker that sends must not wait for a scanner that has stopped listening."""

_NS_PER_MS = 1_000_000
_BUSY = {errno.EBUSY, errno.EAGAIN}  # TIOCEXCL, and flock
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_NO_PORT = {errno.ENOTTY, errno.EISDIR}


class _Port(serial.Serial):
    """A port that keeps, when opened, what is waiting in it, unless the terminal driver has tampered with that."""

    _tampered = True

    def _reconfigure_port(self, force_update: bool = False) -> None:  # noqa: FBT001, FBT002  (pyserial's signature)
        """Set the line up; notice whether it was still set up as a terminal for people, as it is after a boot."""
        if self.fd is not None:
            self._tampered = bool(termios.tcgetattr(self.fd)[3] & termios.ICANON)
        super()._reconfigure_port(force_update)  # type: ignore[misc]  # the stubs leave it out

    def _reset_input_buffer(self) -> None:
        """Throw away only what came in while the line was a terminal, which turns CR into LF and swallows EOT.

        A scanner holds back what it read while nobody had the port open and sends it at the opening. Throwing that
        away, as pyserial does, loses codes, and cuts in two the one that is arriving. The framing knows how to tell
        the end of a code from a whole one (`Dialect.opened`).
        """
        if self._tampered and self.fd is not None:
            termios.tcflush(self.fd, termios.TCIFLUSH)


class SerialScanner(Scanner):
    """A scanner on a tty. The thread that reads is the only one that opens it and notices that it went."""

    def __init__(self, settings: ScannerSettings, dialect: Dialect) -> None:
        self.settings = settings
        self.dialect = dialect
        self._port: _Port | None = None
        self._link: Link | None = None
        self._pending: deque[ScannerInput] = deque()  # filled by one read at a time, and only when empty
        self._retry_ns = 0
        self._pause_ns = FIRST_RETRY_NS
        self._announced = False
        self._closed = False
        self._reading = Lock()  # held while reading: the descriptor is closed by the reader, or when there is none
        self._writing = Lock()  # held while writing and while the port changes: descriptors are used again
        self._waking = Lock()
        self._wake_fd: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._wake_fd, select.POLLIN)

    @property
    def link(self) -> Link:
        """Whether the scanner can be read now."""
        return Link.MISSING if self._closed or self._link is None else self._link

    def identity(self) -> ScannerIdentity:
        """Tell which USB device and port stand behind the device path now, as far as the system says."""
        return tty_identity(self.settings.device)

    def read(self, timeout: float) -> ScannerInput | None:
        """Return the next scan, discarded frame or change of link, or None after `timeout` seconds.

        Raises DriverError for a baud rate the port does not take and for a path that is no serial port.
        """
        with self._reading:
            return self._read(monotonic_ns() + int(timeout * 1_000_000_000))

    def _read(self, end_ns: int) -> ScannerInput | None:
        woken = False
        while True:
            if self._pending:
                return self._pending.popleft()
            now = monotonic_ns()
            if self._closed or woken:
                return None
            if self._port is None and now >= self._retry_ns:
                self._open(now)
                continue
            due = self._retry_ns if self._port is None else self.dialect.deadline_ns()
            ready = self._wait(end_ns if due is None else min(due, end_ns), now)
            now = monotonic_ns()
            woken = self._wake_fd in ready
            if woken:
                self._drain_wake()
            if self._port is not None:
                if self._port.fileno() in ready:
                    self._receive(self._port, hung_up=not ready[self._port.fileno()] & select.POLLIN, now=now)
                else:
                    # Only now: the time is up and nothing is waiting in the port either.
                    self._take(self.dialect.idle(now))
                    self._announce_at_rest()
            if not self._pending and now >= end_ns:
                return None

    def _wait(self, until_ns: int, now: int) -> dict[int, int]:
        """Return descriptor -> events of what is ready, as soon as anything is."""
        return dict(self._poll.poll(max(0, math.ceil((until_ns - now) / _NS_PER_MS))))

    def _receive(self, port: _Port, *, hung_up: bool, now: int) -> None:
        """Read what is there. A tty that is gone reports an error, or is readable and holds nothing."""
        try:
            data = os.read(port.fileno(), READ_BYTES)
        except BlockingIOError:
            if hung_up:
                self._lose(now)
            return
        except OSError:
            self._lose(now)
            return
        if not data:
            self._lose(now)
            return
        self._announce()
        self._take(self.dialect.feed(data, now))

    def _take(self, outputs: Iterable[DialectOutput]) -> None:
        self._pending.extend(to_inputs(self.settings.name, outputs))

    def _open(self, now: int) -> None:
        """Try to open the port; say so when the link changed, and when not, plan the next attempt."""
        port = _Port(exclusive=True, xonxoff=False, rtscts=False, dsrdtr=False)
        try:
            if self.settings.baud < 1:
                raise ValueError(self.settings.baud)  # noqa: TRY301  (0 baud would hang up, and pyserial allows it)
            port.baudrate = self.settings.baud
            port.port = self.settings.device
            port.open()
        except (OSError, ValueError, OverflowError, termios.error) as error:
            self._plan_retry(now)
            self._report(*self._explain(error))
            return
        with self._writing:
            self._port = port
        self._poll.register(port.fileno(), select.POLLIN)
        self._announced = False
        self.dialect.opened(monotonic_ns())
        self._announce_at_rest()

    def _explain(self, error: Exception) -> tuple[Link, str]:
        """Return the link and what to do about it. Raises DriverError where waiting does not help."""
        device = self.settings.device
        number = _errno(error)
        if number in _BUSY:
            return Link.BUSY, f"{device} is held by another program (ModemManager, a terminal): stop that program"
        if number in _FORBIDDEN:
            return Link.NO_PERMISSION, (
                f"{device} may not be opened by this user: add the user to the group that owns it (usually dialout)"
            )
        if number in _NO_PORT and not isinstance(error, ValueError):
            raise DriverError(
                "open",
                device,
                "it is no serial port",
                f"correct `device` of {self.settings.name}",
                recoverable=False,
            ) from error
        if isinstance(error, (ValueError, OverflowError)) and number not in {errno.EIO, errno.ENODEV}:
            raise DriverError(
                "open",
                device,
                f"it does not take {self.settings.baud} baud",
                f"correct `baud` of {self.settings.name}; 9600 and 115200 are usual",
                recoverable=False,
            ) from error
        if number == errno.ENOENT:
            return Link.MISSING, f"{device} is not there: plug the scanner in, or correct `device`"
        return Link.MISSING, f"{device} does not answer ({error}): unplug the scanner and plug it in again"

    def _lose(self, now: int) -> None:
        self._take(self.dialect.broken())
        self._let_go()
        self._plan_retry(now)
        self._report(Link.MISSING, f"{self.settings.device} went away: plug the scanner in again")

    def _plan_retry(self, now: int) -> None:
        self._retry_ns = now + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LAST_RETRY_NS)

    def _let_go(self) -> None:
        with self._writing:
            port, self._port = self._port, None
            if port is None:
                return
            self._poll.unregister(port.fileno())
            # Closing a tty waits until a scanner that may be gone has taken what was written to it.
            with suppress(OSError, termios.error):
                port.reset_output_buffer()
            with suppress(OSError):
                port.close()

    def _announce_at_rest(self) -> None:
        """Call the scanner connected once the dialect is sure that the next byte begins a code."""
        if self._port is not None and self.dialect.deadline_ns() is None:
            self._announce()

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            self._pause_ns = FIRST_RETRY_NS
            self._report(Link.CONNECTED, "")

    def _report(self, link: Link, detail: str) -> None:
        """Hand on a change of link, once."""
        if link is not self._link:
            self._link = link
            self._pending.append(LinkChange(scanner=self.settings.name, link=link, detail=detail))

    def send(self, data: bytes) -> bool:
        """Write bytes to the scanner within SEND_NS; False when it is gone or does not take them."""
        end_ns = monotonic_ns() + SEND_NS
        with self._writing:
            if self._port is None:
                return False
            fd = self._port.fileno()
            writable = select.poll()
            writable.register(fd, select.POLLOUT)
            while data:
                left_ms = (end_ns - monotonic_ns()) // _NS_PER_MS
                try:
                    if left_ms <= 0 or not writable.poll(left_ms):
                        return False
                    data = data[os.write(fd, data) :]
                except BlockingIOError:
                    continue
                except OSError:
                    return False
            return True

    def wake(self) -> None:
        """Make a `read` that waits return at once; if none waits, the next one does."""
        with self._waking:
            if self._wake_fd is not None:
                os.eventfd_write(self._wake_fd, 1)

    def _drain_wake(self) -> None:
        with self._waking, suppress(BlockingIOError):
            if self._wake_fd is not None:
                os.eventfd_read(self._wake_fd)

    def close(self) -> None:
        """Let the device go, after the `read` that may be waiting has returned. May be called more than once."""
        self._closed = True
        self.wake()
        with self._reading:
            self._let_go()
            with self._waking:
                if self._wake_fd is not None:
                    os.close(self._wake_fd)
                    self._wake_fd = None


def _errno(error: BaseException | None) -> int | None:
    """Return the error number; pyserial hides some of them in the exception it was handling."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if isinstance(error, termios.error) and error.args:
            return int(error.args[0])
        error = error.__context__
    return None

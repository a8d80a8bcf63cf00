"""Serial scanners (USB-CDC, USB adapters, RS-232) through pyserial: open, read, come back after an unplug.

8 data bits, no parity, 1 stop bit, no flow control: XON/XOFF would eat bytes of a code, and scanners leave the
other lines open.

Another program on the same port (a login prompt, ModemManager, brltty) takes bytes, and what is left of a code must
not pass for one. TIOCEXCL keeps others out who open it later, but not root's; those show themselves in that they
set the line up anew, or in that the port was readable and holds nothing. Then the frame is discarded as TAKEN and
the port closed. Its exclusive mode lives on in the other program's open descriptor, so that opening it fails with
EBUSY until that program has left; to root the kernel opens it all the same, and `/proc` says who holds it
(`port_holders`).
"""

import errno
import os
import select
import termios
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from fcntl import ioctl
from time import monotonic_ns, sleep
from typing import Final

import serial

from drivers.base import Dialect, DialectOutput, DriverError, FrameDiscarded, Loan, ScannerSettings, Send
from drivers.hardware import Choice
from drivers.model import ConnectionState, DiscardReason
from drivers.node import FORBIDDEN, NodeScanner, OpenDevice
from drivers.port_holders import holders, words

READ_BYTES = 4096
"""Most that is read at once: what the kernel's line discipline holds. It also bounds what waits to be handed on."""
SEND_NS = 200_000_000
"""Longest a write may take: the worker that sends must not wait for a scanner that has stopped listening."""
LAST_BYTES_SECONDS: Final = 0.05
"""For what the kernel no longer counts: the FIFO of a UART or of a USB adapter, at 9600 baud some 50 bytes."""
MAX_HELD: Final = 16
"""Signals that wait for the end of a loan; more than an operator scans in that time. Of more, the oldest go."""

_NS_PER_MS = 1_000_000
_BUSY = {errno.EBUSY, errno.EAGAIN}  # TIOCEXCL, and flock
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


class _SerialSession:
    """An open port and the dialect that is spoken over it."""

    def __init__(self, port: _Port, dialect: Dialect, hear: Callable[[bytes], None]) -> None:
        self.fd = port.fileno()
        self._port = port
        self._dialect = dialect
        self._hear = hear
        self._attributes = termios.tcgetattr(self.fd)
        self._taken: int | None = None  # bytes of a frame of which another program has taken others
        dialect.opened(monotonic_ns())

    def receive(self, now_ns: int) -> Iterable[DialectOutput]:
        """Read what is there. Raises OSError: ENODEV when the device is gone, EBUSY when another program reads too.

        A tty that is gone reports an error, or is readable and holds nothing. One that is there, was readable and
        holds nothing has been read by another program.
        """
        try:
            data = os.read(self.fd, READ_BYTES)
        except BlockingIOError:
            data = b""
        if self._changed() or not data:
            self._taken = len(data)
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self._hear(data)
        return self._dialect.feed(data, now_ns)

    def _changed(self) -> bool:
        """Return whether another program has set the line up otherwise. Raises OSError ENODEV when it is gone."""
        try:
            return termios.tcgetattr(self.fd) != self._attributes
        except termios.error as error:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from error

    def idle(self, now_ns: int) -> Iterable[DialectOutput]:
        if self._changed():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return self._dialect.idle(now_ns)

    def deadline_ns(self) -> int | None:
        return self._dialect.deadline_ns()

    def broken(self) -> Iterable[DialectOutput]:
        half = list(self._dialect.broken())
        if self._taken is None:
            return half
        length = self._taken + sum(one.length for one in half if isinstance(one, FrameDiscarded))
        return [FrameDiscarded(reason=DiscardReason.TAKEN, length=length)]

    def close(self) -> None:
        # Closing a tty waits until a scanner that may be gone has taken what was written to it.
        with suppress(OSError, termios.error):
            self._port.reset_output_buffer()
        self._port.close()


class SerialScanner(NodeScanner):
    """A scanner on a tty."""

    _subsystem = "tty"

    def __init__(self, settings: ScannerSettings, dialect: Dialect) -> None:
        super().__init__(settings, dialect)
        self._deaf = False
        self._loan: SerialLoan | None = None

    def _take(self, outputs: Iterable[DialectOutput]) -> None:
        outputs = tuple(outputs)
        super()._take(outputs)
        for one in outputs:
            if isinstance(one, Send):
                self.send(one.data)  # a scanner that does not take it sends again, what it sent stays in the kernel

    def _begin(self, choice: Choice) -> OpenDevice:
        """Open the port. Raises OSError, and DriverError for a baud rate it does not take."""
        (path,) = choice.paths
        if self._connection is ConnectionState.BUSY and holders(path):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))  # the kernel would open it for root all the same
        port = _Port(exclusive=True, xonxoff=False, rtscts=False, dsrdtr=False)
        try:
            if self.settings.baud < 1:
                raise ValueError(self.settings.baud)  # noqa: TRY301  (0 baud would hang up, and pyserial allows it)
            loan = self._loan
            port.baudrate = self.settings.baud if loan is None or loan.baud is None else loan.baud
            port.port = path
            port.open()
            ioctl(port.fileno(), termios.TIOCEXCL)
        except termios.error as error:
            raise OSError(*error.args) from error
        except (ValueError, OverflowError) as error:
            if _errno(error) in {errno.EIO, errno.ENODEV}:
                raise OSError(_errno(error), str(error)) from error
            raise DriverError(
                "open",
                path,
                f"it does not take {self.settings.baud} baud",
                f"correct `baud` of {self.settings.name}; 9600 and 115200 are usual",
                recoverable=False,
            ) from error
        self._deaf = False
        return _SerialSession(port, self.dialect, self._heard)

    def _explain(self, error: OSError, path: str) -> tuple[ConnectionState, str]:
        """Return the connection and what to do about it. Raises DriverError where waiting does not help."""
        number = _errno(error)
        if number in _BUSY:
            return (
                ConnectionState.BUSY,
                words(path),
            )
        if number in FORBIDDEN:
            return ConnectionState.NO_PERMISSION, (
                f"{path} may not be opened by this user: add the user to the group that owns it (usually dialout); if"
                " a login prompt ran on it, it has taken it over: unplug the scanner and plug it in again"
            )
        if number in _NO_PORT:
            raise DriverError(
                "open",
                path,
                "it is no serial port",
                f"correct `device` of {self.settings.name}",
                recoverable=False,
            ) from error
        return ConnectionState.MISSING, f"{path} does not answer ({error}): unplug the scanner and plug it in again"

    def send(self, data: bytes) -> bool:
        """Write bytes to the scanner within SEND_NS; False when it is gone or does not take them.

        One that did not take the last bytes is not waited for again: its silence costs other scanners nothing more.
        While the line is lent they may be held until it comes back.
        """
        with self._changing:
            if self._loan is not None and self._loan.hold:
                self._loan.held.append(data)
                return True
            return self._write(data)

    def _write(self, data: bytes) -> bool:
        """Write bytes, as `send` says; called with the lock held."""
        end_ns = monotonic_ns() + (0 if self._deaf else SEND_NS)
        if self._session is None:
            return False
        fd = self._session.fd
        writable = select.poll()
        writable.register(fd, select.POLLOUT)
        while data:
            left_ms = max(0, (end_ns - monotonic_ns()) // _NS_PER_MS)
            try:
                if not writable.poll(left_ms):
                    self._deaf = True
                    return False
                data = data[os.write(fd, data) :]
            except BlockingIOError:
                continue
            except OSError:
                return False
        self._deaf = False
        return True

    def lend(self, hear: Callable[[bytes], None], *, hold: bool) -> Loan:
        """Lend the line. Raises DriverError when somebody has it."""
        with self._changing:
            if self._loan is not None:
                raise DriverError(
                    "lend the line of",
                    f"scanner {self.settings.name}",
                    "its settings are being looked at by somebody else",
                    "try again when that is done",
                    recoverable=True,
                )
            self._loan = SerialLoan(self, hear, hold=hold)
            return self._loan

    def is_open_for(self, loan: "SerialLoan") -> bool:
        """Return whether the borrower may write now."""
        with self._changing:
            return self._loan is loan and self._session is not None and not self._renewing

    def write_for(self, loan: "SerialLoan", data: bytes) -> bool:
        """Write the borrower's bytes; False when the line is not there, or no longer lent."""
        with self._changing:
            if self._loan is not loan or self._renewing:
                return False
            self._deaf = False
            return self._write(data)

    def reopen_for(self, loan: "SerialLoan", baud: int | None) -> None:
        """Have the reading thread open the line anew, at the speed given, once what was written has gone out."""
        with self._changing:
            if self._loan is loan:
                self._let_out()
                loan.baud = baud
                self._renew_soon()

    def take_back(self, loan: "SerialLoan", last_words: bytes) -> None:
        """End a loan: what was held is sent now, unless the line must first be opened at its own speed."""
        with self._changing:
            if self._loan is not loan:
                return
            self._deaf = False
            if last_words:
                self._write(last_words)
            other_speed = loan.baud not in {None, self.settings.baud}
            while loan.held and not other_speed:
                self._write(loan.held.popleft())
            self._loan = None
            if other_speed:
                self._renew_soon()

    def _let_out(self) -> None:
        """Wait until what was written has gone out: closing throws away the rest. Called with the lock held."""
        if self._session is None:
            return
        count = array("i", [0])
        end_ns = monotonic_ns() + SEND_NS
        with suppress(OSError):
            while monotonic_ns() < end_ns:
                ioctl(self._session.fd, termios.TIOCOUTQ, count)
                sleep(LAST_BYTES_SECONDS)
                if count[0] == 0:
                    return

    def _heard(self, data: bytes) -> None:
        loan = self._loan
        if loan is not None:
            loan.hear(data)

    def _renew_soon(self) -> None:
        """Have the reading thread open the line anew; called with the lock held."""
        self._renewing = True
        self.wake()


class SerialLoan:
    """The line of a serial scanner while it is lent (`drivers.base.Loan`)."""

    def __init__(self, scanner: SerialScanner, hear: Callable[[bytes], None], *, hold: bool) -> None:
        self.hear = hear
        self.hold = hold
        self.held: deque[bytes] = deque(maxlen=MAX_HELD)
        """What `send` was given meanwhile."""
        self.baud: int | None = None
        """Speed of the line while it is lent; None: that of the settings."""
        self._scanner = scanner

    @property
    def open(self) -> bool:
        """The line is there, and is not about to be opened anew."""
        return self._scanner.is_open_for(self)

    def write(self, data: bytes) -> bool:
        """Write bytes to the scanner; False when the line is gone."""
        return self._scanner.write_for(self, data)

    def reopen(self, baud: int | None) -> None:
        """Have the line opened anew at this speed."""
        self._scanner.reopen_for(self, baud)

    def end(self, last_words: bytes = b"") -> None:
        """Give the line back."""
        self._scanner.take_back(self, last_words)


def _errno(error: BaseException | None) -> int | None:
    """Return the error number; pyserial hides some of them in the exception it was handling."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if isinstance(error, termios.error) and error.args:
            return int(error.args[0])
        error = error.__context__
    return None

"""What the drivers of scanners behind a device node share: choosing it, opening it, coming back after an unplug."""

import errno
import math
import os
import select
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from threading import Lock
from time import monotonic_ns
from typing import ClassVar, Final, Protocol

from drivers.base import Dialect, DialectOutput, Scanner, ScannerSettings
from drivers.hardware import Choice, Subsystem, choose, identity_of
from drivers.model import ConnectionChange, ConnectionState, ScannerIdentity, ScannerInput
from drivers.raw_scan import inputs_of

FIRST_RETRY_NS: Final = 100_000_000
"""Pause before the first attempt to open again: a scanner that re-enumerates is back within a few of these."""
LAST_RETRY_NS: Final = 1_000_000_000
"""Longest pause between attempts where no news will come: nothing watches the devices, or another program holds the
node, and its letting go is announced by nobody. An attempt costs microseconds."""

_NS_PER_MS: Final = 1_000_000
FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})
"""What opening a node says that this user may not open."""


class OpenDevice(Protocol):
    """An opened device and what makes frames of what it sends; the methods are those of `Dialect`."""

    @property
    def fd(self) -> int:
        """Descriptor of the node; reading it does not block."""

    def receive(self, now_ns: int) -> Iterable[DialectOutput]:
        """Read what is there. Raises BlockingIOError if that is nothing, another OSError if the device is gone."""

    def idle(self, now_ns: int) -> Iterable[DialectOutput]:
        """Return what counts as finished because nothing came until `now_ns`. Raises OSError as `receive` does."""

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next, or None."""

    def broken(self) -> Iterable[DialectOutput]:
        """Forget what is half read; return its FrameDiscarded."""

    def close(self) -> None:
        """Close the device."""


class NodeScanner(Scanner):
    """A scanner behind a device node. The thread that reads alone opens it and notices that it went."""

    _subsystem: ClassVar[Subsystem]

    def __init__(self, settings: ScannerSettings, dialect: Dialect) -> None:
        self.settings = settings
        self.dialect = dialect
        self._session: OpenDevice | None = None
        self._path: str | None = None
        self._connection: ConnectionState | None = None
        self._pending: deque[ScannerInput] = deque()  # filled by one read at a time, and only when empty
        self._retry_ns: int | None = 0  # None: when there is news
        self._pause_ns = FIRST_RETRY_NS
        self._news = False
        self._announced = False
        self._closed = False
        self._renewing = False  # the node is to be opened anew; set by any thread, with a wake-up
        self._changing = Lock()  # held while the node changes, and by who uses its descriptor beside the reader
        self._reading = Lock()  # held while reading: the node is closed by the reader, or when there is none
        self._waking = Lock()
        self._wake_fd: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._wake_fd, select.POLLIN)

    @abstractmethod
    def _begin(self, choice: Choice) -> OpenDevice:
        """Open the node (or nodes). Raises OSError, and DriverError for a device that can never be read."""

    @abstractmethod
    def _explain(self, error: OSError, path: str) -> tuple[ConnectionState, str]:
        """Return the connection and what to do about it. Raises DriverError where waiting does not help."""

    def _opened(self, path: str) -> None:
        """Note what is to be known of a node that has been opened."""

    def _choose(self) -> Choice:
        """Return which node to open."""
        return choose(self.settings, self._subsystem)

    @property
    def connection(self) -> ConnectionState:
        """Return whether the scanner can be read now."""
        return ConnectionState.MISSING if self._closed or self._connection is None else self._connection

    def identity(self) -> ScannerIdentity:
        """Return which device it is, as far as the system says."""
        path = self._path or self.settings.device
        return ScannerIdentity() if path is None else identity_of(path, self._subsystem)

    def read(self, timeout: float) -> ScannerInput | None:
        """Return the next scan, discarded frame or change of connection, or None after `timeout` seconds.

        Raises DriverError for a device that is none of its kind.
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
            if self._renewing:
                self._renew(now)
            if self._session is None and (self._news or (self._retry_ns is not None and now >= self._retry_ns)):
                self._open(now)
                continue
            due = self._retry_ns if self._session is None else self._session.deadline_ns()
            ready = self._wait(end_ns if due is None else min(due, end_ns), now)
            now = monotonic_ns()
            woken = self._wake_fd in ready
            if woken:
                self._drain_wake()
            if self._session is not None:
                if self._session.fd in ready:
                    self._receive(self._session, hung_up=not ready[self._session.fd] & select.POLLIN, now=now)
                else:
                    self._rest(self._session, now)
            if not self._pending and now >= end_ns:
                return None

    def _wait(self, until_ns: int, now: int) -> dict[int, int]:
        """Return descriptor -> events of what is ready, as soon as anything is."""
        return dict(self._poll.poll(max(0, math.ceil((until_ns - now) / _NS_PER_MS))))

    def _receive(self, session: OpenDevice, *, hung_up: bool, now: int) -> None:
        try:
            outputs = session.receive(now)
        except BlockingIOError:
            if hung_up:
                self._lose(now)
            return
        except OSError as error:
            self._lose(now, error)
            return
        self._announce()
        self._take(outputs)

    def _rest(self, session: OpenDevice, now: int) -> None:
        """Note that the time is up and nothing waits in the node either."""
        try:
            outputs = session.idle(now)
        except OSError as error:
            self._lose(now, error)
            return
        self._take(outputs)
        self._announce_at_rest()

    def _take(self, outputs: Iterable[DialectOutput]) -> None:
        self._pending.extend(inputs_of(self, outputs))

    def _open(self, now: int) -> None:
        """Try to open the node; say so when the connection changed, and when not, plan the next attempt."""
        self._news = False  # what comes from here on is news again
        choice = self._choose()
        if choice.path is None:
            self._stay_closed(now, choice.connection, choice.detail, announced=True)
            return
        try:
            session = self._begin(choice)
        except OSError as error:
            connection, detail = self._explain(error, choice.path)
            self._stay_closed(now, connection, detail, announced=connection is ConnectionState.NO_PERMISSION)
            return
        with self._changing:
            self._session = session
        self._path = choice.path
        self._opened(choice.path)
        self._poll.register(session.fd, select.POLLIN)
        self._announced = False
        self._announce_at_rest()

    def _stay_closed(self, now: int, connection: ConnectionState, detail: str, *, announced: bool) -> None:
        """Say why nothing is open, and try again when there is news, or soon where a change is not `announced`."""
        if self.watched and announced:
            self._retry_ns = None
        else:
            self._plan_retry(now)
        self._report(connection, detail)

    def _lose(self, now: int, error: OSError | None = None) -> None:
        """Close the node: the device is gone, another program holds it (EBUSY), or its link is down (ENOLINK)."""
        if self._session is not None:
            self._take(self._session.broken())
        path = self._path or ""
        self._close_node()
        self._plan_retry(now)
        if error is not None and error.errno in {errno.EBUSY, errno.ENOLINK}:
            self._report(*self._explain(error, path))
        else:
            self._report(ConnectionState.MISSING, f"{path} went away: plug the scanner in again")

    def _renew(self, now: int) -> None:
        """Close the node and open it again. That is no change of the connection unless it fails."""
        if self._session is not None:
            self._take(self._session.broken())
            self._close_node()
        self._retry_ns, self._pause_ns = now, FIRST_RETRY_NS
        self._renewing = False

    def _plan_retry(self, now: int) -> None:
        self._retry_ns = now + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LAST_RETRY_NS)

    def _close_node(self) -> None:
        with self._changing:
            session, self._session, self._path = self._session, None, None
            if session is not None:
                self._poll.unregister(session.fd)
                with suppress(OSError):
                    session.close()

    def _announce_at_rest(self) -> None:
        """Call the scanner connected once it is sure that what comes next begins a code."""
        if self._session is not None and self._session.deadline_ns() is None:
            self._announce()

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            self._pause_ns = FIRST_RETRY_NS
            self._report(ConnectionState.CONNECTED, "")

    def _report(self, connection: ConnectionState, detail: str) -> None:
        """Hand on a change of connection, once."""
        self.connection_detail = detail
        if connection is not self._connection:
            self._connection = connection
            self._pending.append(ConnectionChange(scanner=self.settings.name, connection=connection, detail=detail))

    def look_again(self) -> None:
        """Try to open the node now, if it is not open. Safe from any thread."""
        self._news = True
        if self._session is None:
            self.wake()

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
        """Close the device, after the `read` that may be waiting has returned. May be called more than once."""
        self._closed = True
        self.wake()
        with self._reading:
            self._close_node()
            with self._waking:
                if self._wake_fd is not None:
                    os.close(self._wake_fd)
                    self._wake_fd = None

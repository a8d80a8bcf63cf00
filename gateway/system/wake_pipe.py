"""Wakes a thread that waits in `select`: a pipe whose reading end it watches."""

import os
import threading
from contextlib import suppress


class WakePipe:
    """`wake` may be called from any thread, also after `close`."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lock = threading.Lock()
        self._open = True

    def fileno(self) -> int:
        """Return the descriptor to select on; readable after a wake-up."""
        return self._read

    def wake(self) -> None:
        """Make it readable. Nothing happens once it is closed: the descriptor may be somebody else's by then."""
        with self._lock, suppress(BlockingIOError):  # a full pipe wakes just as well
            if self._open:
                os.write(self._write, b"\0")

    @property
    def writer(self) -> int:
        """The writing end, for signal.set_wakeup_fd."""
        return self._write

    def read(self) -> bytes:
        """Return what was written since: a zero for each wake-up, a signal's number for a signal."""
        with suppress(BlockingIOError):
            return os.read(self._read, 4096)
        return b""

    def clear(self) -> None:
        """Forget the wake-ups so far."""
        self.read()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close both ends; more than once does no harm."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._read)
                os.close(self._write)

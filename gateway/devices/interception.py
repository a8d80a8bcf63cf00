"""Takes the next scan of a scanner out of the pipeline and to whoever asked for it, for a bounded time.

A calibration scan is no scan of an article: it is not stored, judged or published. `Interceptions.take` is asked
first for everything that scanners bring; it costs one look at an empty dictionary while nobody calibrates.
"""

import queue
import threading
import time
from typing import Final

from drivers.model import ConnectionChange, Discarded, RawScan, ScannerInput

MAX_SECONDS: Final = 120.0
"""Longest diversion: whoever asked for it may have walked away, and the next scan is then an article's."""
LEASE_SECONDS: Final = 8.0
"""Who awaits the scan must ask for it at least so often: a terminal that was closed takes no article's scan."""


class InterceptedError(Exception):
    """The next scan of this scanner is awaited by somebody else already."""


class Interception:
    """The next scan of one scanner, for whoever began it."""

    def __init__(self, scanner: str, seconds: float) -> None:
        self.scanner = scanner
        self._until = time.monotonic() + min(seconds, MAX_SECONDS)
        self._lease = time.monotonic() + LEASE_SECONDS
        self._came: queue.SimpleQueue[RawScan | Discarded] = queue.SimpleQueue()

    @property
    def over(self) -> bool:
        """Its time is up, or nobody asks for it any more."""
        return time.monotonic() >= min(self._until, self._lease)

    def wait(self, seconds: float) -> RawScan | Discarded | None:
        """Return what the scanner brought within so many seconds (at most LEASE_SECONDS), or None."""
        now = time.monotonic()
        if not self.over:
            self._lease = now + LEASE_SECONDS
        try:
            return self._came.get(timeout=max(0.0, min(seconds, self._until - now, LEASE_SECONDS)))
        except queue.Empty:
            return None

    def deliver(self, item: RawScan | Discarded) -> None:
        """Hand over what the scanner brought."""
        self._came.put(item)


class Interceptions:
    """Which scanners' next scan goes elsewhere. Thread-safe."""

    def __init__(self) -> None:
        self._active: dict[str, Interception] = {}
        self._lock = threading.Lock()

    def begin(self, scanner: str, seconds: float) -> Interception:
        """Divert the next scan of a scanner, if it comes within so many seconds. Raises InterceptedError."""
        with self._lock:
            present = self._active.get(scanner)
            if present is not None and not present.over:
                raise InterceptedError(
                    f"the next scan of {scanner} is awaited by somebody else already: try again later"
                )
            diversion = self._active[scanner] = Interception(scanner, seconds)
            return diversion

    def end(self, diversion: Interception) -> None:
        """Let the scans go their way again; a diversion ends by itself with its scan and with its time."""
        with self._lock:
            if self._active.get(diversion.scanner) is diversion:
                del self._active[diversion.scanner]

    def take(self, item: ScannerInput) -> bool:
        """Return whether a scan is diverted and must not go through the pipeline. The first one ends the diversion.

        Whoever reads the scanner still acknowledges it where the protocol asks for that, or it comes again.
        """
        if not self._active or isinstance(item, ConnectionChange):
            return False
        with self._lock:
            diversion = self._active.pop(item.scanner, None)
        if diversion is None or diversion.over:
            return False
        diversion.deliver(item)
        return True

"""Takes the next scan of a scanner out of the pipeline and to whoever asked for it, for a bounded time.

A calibration scan is no scan of an article: it is not stored, judged or published. `Interceptions.take` is asked
first for everything that scanners bring; it costs one look at an empty dictionary while nobody calibrates.

What follows the scan at once is taken too: the rest of an ending that the configuration does not know would come as
a code of its own, after every code.
"""

import threading
import time
from typing import Final

from drivers.model import ConnectionChange, Discarded, RawScan, ScannerInput

MAX_SECONDS: Final = 120.0
"""Longest interception: whoever asked for it may have walked away, and the next scan is then an article's."""
LEASE_SECONDS: Final = 8.0
"""Who awaits the scan must ask for it at least so often: a terminal that was closed takes no article's scan."""
MAX_AFTER_SECONDS: Final = 3.0
"""Longest look at what follows; nobody scans an article so soon after the calibration symbol."""


class InterceptedError(Exception):
    """The next scan of this scanner is awaited by another client already."""


class Interception:
    """The next scan of one scanner, and what follows it, for whoever began it."""

    def __init__(self, scanner: str, seconds: float, after_seconds: float = 0.0) -> None:
        """`after_seconds`: how long what follows the scan is taken too."""
        self.scanner = scanner
        self._until = time.monotonic() + min(seconds, MAX_SECONDS)
        self._after = min(after_seconds, MAX_AFTER_SECONDS)
        self._asked_until = time.monotonic() + LEASE_SECONDS
        self._news = threading.Condition()
        self._came: list[RawScan | Discarded] = []
        self._closes: float | None = None

    @property
    def over(self) -> bool:
        """Its time is up, or nobody asks for it any more."""
        return time.monotonic() >= min(self._until, self._asked_until)

    @property
    def awaits(self) -> bool:
        """Whether what the scanner brings now belongs to it."""
        return time.monotonic() < self._closes if self._closes is not None else not self.over

    def wait(self, seconds: float) -> tuple[RawScan | Discarded, ...]:
        """Return the scan and what followed it; nothing where it did not come within so many seconds.

        At most LEASE_SECONDS, and what follows is waited for beyond them.
        """
        now = time.monotonic()
        if not self.over:
            self._asked_until = now + LEASE_SECONDS
        with self._news:
            self._news.wait_for(lambda: self._came, max(0.0, min(seconds, self._until - now, LEASE_SECONDS)))
            while self._closes is not None and (left := self._closes - time.monotonic()) > 0:
                self._news.wait(left)
            return tuple(self._came)

    def deliver(self, item: RawScan | Discarded) -> None:
        """Hand over what the scanner brought."""
        with self._news:
            self._came.append(item)
            if self._closes is None:
                self._closes = time.monotonic() + self._after
            self._news.notify_all()


class Interceptions:
    """Which scanners' next scan goes elsewhere. Thread-safe."""

    def __init__(self) -> None:
        self._active: dict[str, Interception] = {}
        self._lock = threading.Lock()

    def begin(self, scanner: str, seconds: float, after_seconds: float = 0.0) -> Interception:
        """Take the next scan of a scanner, if it comes within so many seconds. Raises InterceptedError."""
        with self._lock:
            present = self._active.get(scanner)
            if present is not None and present.awaits:
                raise InterceptedError(
                    f"the next scan of {scanner} is awaited by somebody else already: try again later"
                )
            begun = self._active[scanner] = Interception(scanner, seconds, after_seconds)
            return begun

    def end(self, interception: Interception) -> None:
        """Stop taking; an interception ends by itself with its scan and with its time."""
        with self._lock:
            if self._active.get(interception.scanner) is interception:
                del self._active[interception.scanner]

    def take(self, item: ScannerInput) -> bool:
        """Return whether a scan is taken and must not go through the pipeline.

        Whoever reads the scanner still acknowledges it where the protocol asks for that, or it comes again.
        """
        if not self._active or isinstance(item, ConnectionChange):
            return False
        with self._lock:
            interception = self._active.get(item.scanner)
            if interception is None:
                return False
            if not interception.awaits:
                del self._active[item.scanner]
                return False
        interception.deliver(item)
        return True

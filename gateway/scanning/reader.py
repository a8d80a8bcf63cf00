"""One thread per scanner: reads it for ever and hands what comes to the worker. It never waits for a disk."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from drivers.base import DriverError, Scanner, ScannerSettings
from drivers.catalogue import open_scanner
from drivers.model import ConnectionChange, ConnectionState, Discarded, DiscardReason, RawScan
from gateway.devices.scanner_reader import AnswerFilter
from gateway.scanning.inbox import Inbox

log = logging.getLogger(__name__)

READ_SECONDS: Final = 5.0
"""Longest wait in one read; a stop ends it at once."""
RETRY_SECONDS: Final = 5.0
"""Between two tries with a driver that failed, also where only a person can mend it: with another scanner in the
same port, with a corrected recording."""
STUCK_SECONDS: Final = 60.0
"""A read that has not returned for so long hangs in the kernel."""
DRAIN_SILENCE_SECONDS: Final = 0.15
"""At a stop: a scanner that is silent so long has sent what it had."""
DRAIN_SECONDS: Final = 1.5
"""At a stop: what is still being sent then stays with the scanner."""


class Reader:
    """Reads one scanner in a thread of its own."""

    def __init__(
        self, settings: ScannerSettings, inbox: Inbox, on_connected: Callable[[Scanner], None] = lambda _: None
    ) -> None:
        """`on_connected` is called with hardware before the first scan of it is read; it must not wait for a disk."""
        self.scanner: Scanner = open_scanner(settings)
        self.name = settings.name
        self.failure: str | None = None
        """What its driver said last, while it reads nothing."""
        self.dropped = 0
        """Scans that found the queue full."""
        self.heard_at = time.monotonic()
        """When it last brought something, or came."""
        self.unterminated = 0
        """Codes in a row that came without the configured terminator, and were refused for that."""
        self._answers: AnswerFilter | None = None
        self._inbox = inbox
        self._on_connected = on_connected
        self._stopping = threading.Event()
        self._close_at_end = False
        self._turned = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"reader-{self.name}", daemon=True)

    def start(self) -> None:
        """Begin reading."""
        self._thread.start()

    @property
    def leased(self) -> bool:
        """Whether the scanner's line is lent for the time being."""
        return self._answers is not None

    def begin_lease(self, answers: AnswerFilter) -> None:
        """Pass every input to `answers` first: answers to commands may look like codes."""
        self._answers = answers

    def end_lease(self, answers: AnswerFilter) -> None:
        """Stop passing input to `answers`; nothing happens when another filter is in place."""
        if self._answers is answers:
            self._answers = None

    def stop(self) -> None:
        """Ask it to read what the scanner still sends, and end. Returns at once."""
        self._stopping.set()
        self.scanner.wake()

    def join(self, seconds: float) -> None:
        """Wait for its end."""
        self._thread.join(seconds)

    def close(self) -> None:
        """Close the port, once the worker has answered the last scan; a thread that hangs closes its own."""
        self._close_at_end = True
        if not self._thread.is_alive():
            self.scanner.close()

    @property
    def trouble(self) -> str | None:
        """Why it reads nothing, where waiting for the scanner does not help."""
        if time.monotonic() - self._turned > STUCK_SECONDS:
            return "its driver does not return; unplug the scanner and plug it in again"
        return self.failure

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._read(READ_SECONDS)
                except DriverError as error:
                    if str(error) != self.failure:
                        self.failure = str(error)
                        log.error("scanner=%s cannot be read: %s", self.name, error)  # noqa: TRY400 - it says it all
                    self._stopping.wait(RETRY_SECONDS)
                except Exception as error:  # a driver's fault costs its scanner seconds, not the shift
                    self.failure = f"the driver failed: {type(error).__name__}"
                    log.exception("scanner=%s the driver failed and is made anew", self.name)
                    self._stopping.wait(RETRY_SECONDS)
                    self._make_anew()
            if self.failure is None:
                self._drain()
        finally:
            if self._close_at_end:
                self.scanner.close()

    def _make_anew(self) -> None:
        failed = self.scanner
        failed.close()
        scanner = open_scanner(failed.settings)
        scanner.watched = failed.watched
        self.scanner = scanner
        scanner.look_again()  # news that came to the failed one

    def _drain(self) -> None:
        """Take what the scanner is still sending. The wake-up that came with the stop counts as no silence."""
        deadline = time.monotonic() + DRAIN_SECONDS
        silences = 0
        while silences < 2 and time.monotonic() < deadline:  # noqa: PLR2004 - see above
            silences = 0 if self._read(DRAIN_SILENCE_SECONDS) else silences + 1

    def _read(self, timeout: float) -> bool:
        self._turned = time.monotonic()
        item = self.scanner.read(timeout)
        self.failure = None
        if item is None:
            return False
        if isinstance(item, ConnectionChange) and item.connection is ConnectionState.CONNECTED:
            self._on_connected(self.scanner)
        answers = self._answers
        if answers is not None and answers.withholds(item):
            return True
        self.heard_at = time.monotonic()
        if isinstance(item, Discarded) and item.reason is DiscardReason.UNTERMINATED:
            self.unterminated += 1
        elif isinstance(item, RawScan):
            self.unterminated = 0
        if not self._inbox.offer(item) and not isinstance(item, ConnectionChange):
            self.dropped += 1
        return True

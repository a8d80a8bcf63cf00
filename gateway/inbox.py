"""The one queue between the readers and the worker: bounded for scans, always open for the daemon's own words."""

import threading
from collections import deque
from enum import StrEnum
from typing import Final

from drivers.model import ScannerInput

MAX_SCANS: Final = 256
"""What the readers may run ahead of the disk: half a minute of the fastest operator, in some 100 KB."""
MAX_BATCH: Final = 64
"""Scans stored in one transaction, at most: what is queued already, never waited for."""


class Notice(StrEnum):
    """What other threads ask of the worker. The same notice waits only once."""

    UNSETTLED = "unsettled"
    """The publisher is ready for events whose times are not settled."""
    CLOCK_SET = "clock-set"
    """The clock has become trustworthy."""
    STOP = "stop"
    """No reader will bring anything more."""


class Inbox:
    """Thread-safe; one taker."""

    def __init__(self) -> None:
        self._scans: deque[ScannerInput] = deque()
        self._notices: dict[Notice, None] = {}
        self._changed = threading.Condition(threading.Lock())

    def offer(self, scan: ScannerInput) -> bool:
        """Hand in what a scanner brought; False when the queue is full, and then it is not taken."""
        with self._changed:
            if len(self._scans) >= MAX_SCANS:
                return False
            self._scans.append(scan)
            self._changed.notify()
        return True

    def post(self, notice: Notice) -> None:
        """Tell the worker something."""
        with self._changed:
            self._notices[notice] = None
            self._changed.notify()

    def take(self, timeout: float) -> tuple[list[ScannerInput], list[Notice]]:
        """Wait up to `timeout` seconds for something; return what is there, in order."""
        with self._changed:
            if not self._scans and not self._notices:
                self._changed.wait(timeout)
            batch = [self._scans.popleft() for _ in range(min(len(self._scans), MAX_BATCH))]
            notices = list(self._notices)
            if Notice.STOP in self._notices and self._scans:
                notices.remove(Notice.STOP)
            self._notices = dict.fromkeys(notice for notice in self._notices if notice not in notices)
        return batch, notices

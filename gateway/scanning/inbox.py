"""The one queue between the readers and the worker: bounded for scans, always open for the daemon's own words."""

import threading
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from drivers.model import ConnectionChange, ScannerInput

MAX_SCANS: Final = 256
"""What the readers may run ahead of the disk: half a minute of the fastest operator, in some 100 KB."""
MAX_BATCH: Final = 64
"""Scans stored in one transaction, at most: what is queued already, never waited for."""
MAX_JOBS: Final = 64
"""Small jobs that wait for their turn between scans; who is turned away tries again."""

Job = Callable[[], None]
"""Something to be done by the worker: short (milliseconds), because a scan may wait behind it."""


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
        self._changes: dict[str, ConnectionChange] = {}
        self._notices: dict[Notice, None] = {}
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition(threading.Lock())

    def offer(self, scan: ScannerInput) -> bool:
        """Hand in what a scanner brought; False when the queue is full, and then it is not taken.

        That a scanner came or went is taken always; of several such, the newest of each scanner counts.
        """
        with self._changed:
            if isinstance(scan, ConnectionChange):
                self._changes[scan.scanner] = scan  # the newest says how it is, and there is room for it always
            elif len(self._scans) >= MAX_SCANS:
                return False
            else:
                self._scans.append(scan)
            self._changed.notify()
        return True

    def post(self, notice: Notice) -> None:
        """Tell the worker something."""
        with self._changed:
            self._notices[notice] = None
            self._changed.notify()

    def submit(self, job: Job) -> bool:
        """Have the worker do a job between two scans; False when too many wait, and then it is not taken."""
        with self._changed:
            if len(self._jobs) >= MAX_JOBS:
                return False
            self._jobs.append(job)
            self._changed.notify()
        return True

    def next_job(self) -> Job | None:
        """Take the oldest job; None when there is none."""
        with self._changed:
            return self._jobs.popleft() if self._jobs else None

    def take(self, timeout: float) -> tuple[list[ScannerInput], list[Notice]]:
        """Wait up to `timeout` seconds for something, or a job; return the scans and notices, in order."""
        with self._changed:
            if not (self._scans or self._changes or self._notices or self._jobs):
                self._changed.wait(timeout)
            changes = list(self._changes.values())
            self._changes.clear()
            batch: list[ScannerInput] = [*changes]
            batch += [self._scans.popleft() for _ in range(min(len(self._scans), MAX_BATCH))]
            notices = list(self._notices)
            if Notice.STOP in self._notices and self._scans:
                notices.remove(Notice.STOP)
            self._notices = dict.fromkeys(notice for notice in self._notices if notice not in notices)
        return batch, notices

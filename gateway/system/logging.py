"""Log lines: key=value on stderr, for the journal. What a scanner read never stands in one."""

import logging
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Final

PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""logging level -> syslog priority (sd-daemon(3))."""


LINES_IN_A_WHILE: Final = 30
WHILE_SECONDS: Final = 60.0
"""Of each kind of line, half a line a second is enough to see what goes on."""

CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""What could begin another line or drive a terminal."""


class _KeyValue(logging.Formatter):
    """`level=info area=mqtt.publisher connected url=...`; the journal adds the time itself."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        area = record.name.removeprefix("gateway.")
        line = f"level={record.levelname.lower()} area={area} {record.getMessage()}"
        if record.exc_info and record.exc_info[0] is not None:
            line += f" {_origin(record.exc_info[0], record.exc_info[2])}"
        line = CONTROL.sub(" ", line)
        if self._journal:
            return f"<{PRIORITIES.get(record.levelno, 6)}>{line}"
        return f"time={self.formatTime(record, '%Y-%m-%dT%H:%M:%S')} {line}"


class RepeatedLines(logging.Filter):
    """Lets so many lines of one kind pass in a while: what goes wrong a thousand times a second fills no disk.

    Lines are of one kind when they come from one place in the program. How many were left out is said with the next
    one that passes.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._kinds: dict[tuple[str, int], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written."""
        now = self._now()
        key = (record.pathname, record.lineno)
        begun, passed, left_out = self._kinds.get(key, [now, 0.0, 0.0])
        if now - begun >= WHILE_SECONDS:
            begun, passed = now, 0.0
        if passed >= LINES_IN_A_WHILE:
            self._kinds[key] = [begun, passed, left_out + 1]
            return False
        if left_out:
            record.msg = f"{record.msg} (left out before: {left_out:.0f})"
        self._kinds[key] = [begun, passed + 1, 0.0]
        return True


def _origin(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Say which exception and where. Its own words are left out: they quote what could not be read."""
    places = [f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in extract_tb(trace)]
    return f"exception={kind.__name__} at={'>'.join(places)}"


def set_up(level: int = logging.INFO) -> None:
    """Send this process's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RepeatedLines())
    handler.setFormatter(_KeyValue(journal="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level, handlers=[handler], force=True)

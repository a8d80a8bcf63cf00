"""Log lines: key=value on stderr, for the journal. What a scanner read never stands in one."""

import logging
import os
import re
import sys
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Final

PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""logging level -> syslog priority (sd-daemon(3))."""


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


def _origin(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Say which exception and where. Its own words are left out: they quote what could not be read."""
    places = [f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in extract_tb(trace)]
    return f"exception={kind.__name__} at={'>'.join(places)}"


def set_up(level: int = logging.INFO) -> None:
    """Send this process's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_KeyValue(journal="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level, handlers=[handler], force=True)

"""Log lines: key=value on stderr, for the journal. What a scanner read never stands in one."""

import logging
import os
import sys
from typing import Final

PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""logging level -> syslog priority (sd-daemon(3))."""


class _KeyValue(logging.Formatter):
    """`level=info area=delivery.publisher connected url=...`; the journal adds the time itself."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        area = record.name.removeprefix("gateway.")
        line = f"level={record.levelname.lower()} area={area} {record.getMessage()}"
        if record.exc_info:
            line += " " + " | ".join(self.formatException(record.exc_info).splitlines())
        line = line.replace("\n", " ")
        if self._journal:
            return f"<{PRIORITIES.get(record.levelno, 6)}>{line}"
        return f"time={self.formatTime(record, '%Y-%m-%dT%H:%M:%S')} {line}"


def set_up(level: int = logging.INFO) -> None:
    """Send this process's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_KeyValue(journal="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level, handlers=[handler], force=True)

"""Looks through the list of unknown articles, piece by piece, for those that the master has learnt since."""

import logging
import time
from collections.abc import Callable
from typing import Final

from gateway.outbox.writer import Outbox
from gateway.system.clock import ClockReading

log = logging.getLogger(__name__)

WALK_SECONDS: Final = 60.0
"""Between two walks through the list: who maintains the master sees the list shrink within a minute or two."""


class Relearning:
    """Where the present walk has come to. Used by the outbox's writer, when no scan comes."""

    def __init__(self, knows: Callable[[str, str | None], bool]) -> None:
        """`knows(identifier, issuer)` asks the master; without issuer the identifier is a label's text."""
        self._knows = knows
        self._after: str | None = ""
        self._next_walk = 0.0

    def go_on(self, outbox: Outbox, clock: ClockReading) -> None:
        """Look at the next piece, some milliseconds of look-ups. Raises OutboxError."""
        if self._after is None:
            if time.monotonic() < self._next_walk:
                return
            self._after = ""
        learnt, self._after = outbox.settle_unknown(self._knows, clock, self._after)
        self._next_walk = time.monotonic() + WALK_SECONDS
        if learnt:
            log.info("articles that were unknown are known now count=%d", learnt)

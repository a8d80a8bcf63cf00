"""Looks whether the preferred broker is back, while one further down the list is used and at rest."""

import logging
import time
from typing import Final

from gateway.mqtt.connection import answers

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 300.0
"""Between two looks at a preferred broker that failed: one that flaps must not drag a thousand boxes along."""


class BrokerProbe:
    """Used by the publisher's thread, for one connection."""

    def __init__(self, preferred: str, present: str) -> None:
        self._preferred = preferred
        self._elsewhere = present != preferred
        self._look_at = time.monotonic() + LOOK_SECONDS

    def preferred_is_back(self) -> bool:
        """Return whether it is worth while to change; asks the network at most every LOOK_SECONDS."""
        now = time.monotonic()
        if not self._elsewhere or now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        back = answers(self._preferred)
        if back:
            log.info("the preferred broker answers again url=%s", self._preferred)
        return back

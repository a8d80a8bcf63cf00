"""When delivered history may go by its age: only by a clock that has gone evenly. Pure.

A wrong time server, or a hand at the clock, can set a synchronised clock months ahead; every delivered scan would
then be too old at once, and gone before anybody sets the clock right. A size needs no clock, so a full disk is
another matter (`room`).
"""

from typing import Final

from gateway.events.cloudevent import DAY_NS
from gateway.system.clock import NS, ClockReading

STEADY_NS: Final = DAY_NS
"""So long a clock must have gone evenly, by the monotonic clock, after a step: a person has a day to notice."""
STEP_NS: Final = 3600 * NS
"""A change of the wall clock against the monotonic one that is a step: more than a time server ever slews."""
AWAY_NS: Final = 3 * DAY_NS
"""A box that was off for longer, by its own clock, may have been off, or its clock may be wrong."""


class Retention:
    """Follows the clock. `last_trusted_ns`: when the newest event with a synchronised clock was recorded."""

    def __init__(self, last_trusted_ns: int | None) -> None:
        self._last_trusted_ns = last_trusted_ns
        self._offset_ns: int | None = None
        self._believed_from_ns = 0

    def cutoff(self, clock: ClockReading, keep_days: int) -> int | None:
        """Return before when events must have been recorded to be too old; None while the clock does not say."""
        if not clock.synchronised:
            return None
        offset_ns = clock.wall_ns - clock.monotonic_ns
        if self._steps(clock.wall_ns, offset_ns):
            self._believed_from_ns = clock.monotonic_ns + STEADY_NS
        self._offset_ns = offset_ns
        if clock.monotonic_ns < self._believed_from_ns:
            return None
        return clock.wall_ns - keep_days * DAY_NS

    def _steps(self, wall_ns: int, offset_ns: int) -> bool:
        if self._offset_ns is not None:
            return abs(offset_ns - self._offset_ns) > STEP_NS
        if self._last_trusted_ns is None:
            return False
        return not -STEP_NS <= wall_ns - self._last_trusted_ns <= AWAY_NS

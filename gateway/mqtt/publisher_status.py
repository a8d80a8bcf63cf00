"""What the publisher says of itself: one frozen value, replaced whole, for whoever asks from another thread."""

import logging
import time
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

log = logging.getLogger(__name__)


class PublisherStatus(Struct, frozen=True, kw_only=True):
    """How the way to the central system is."""

    url: str | None = None
    """The broker it is connected to."""
    protocol: str | None = None
    """`5` or `3.1.1`, of the connection made last."""
    downgraded: str | None = None
    """Why MQTT 3.1.1 is spoken with a broker that has not said that it knows no other; None where it is not."""
    problem: str | None = None
    """Why nothing is delivered now, for a person."""
    connected_since: float | None = None
    """CLOCK_MONOTONIC seconds."""
    breaks: tuple[float, ...] = ()
    """When the newest connections broke, CLOCK_MONOTONIC seconds; at most `MAX_BREAKS`."""
    broke_because: str | None = None
    """Why the connection broke last; None since an event has gone through."""
    acknowledged: int = 0
    """PUBACKs with success since the start."""
    refused: int = 0
    """Other PUBACKs since the start."""
    path_proven: bool | None = None
    """Whether events are known to pass: by MQTT 5's PUBACK, by their echo under 3.1.1, or by the central system's
    own acknowledgement. None before the first event of a connection."""
    acks_awaited: bool = False
    """What counts as delivered is the central system's own acknowledgement."""
    ack_age: float | None = None
    """Since when (CLOCK_MONOTONIC seconds) events with a PUBACK wait for it; None while none does."""
    ack_problem: str | None = None
    """Why the newest acknowledgement was not believed."""
    heartbeat: float = 0.0
    """When its loop last turned, CLOCK_MONOTONIC seconds."""
    inbound_problem: str | None = None
    """Why commands and deltas do not come in; None when they do."""
    state_problem: str | None = None
    """Why health and the like are not published as retained messages."""
    memory_problem: str | None = None
    """Why what is to be remembered over a restart is not."""
    taken_over_at: float | None = None
    """When (CLOCK_MONOTONIC seconds) another client connected with this box's client id, and ended a connection."""
    replays: int = 0
    """Ranges of events that are being sent again."""
    broker_certificate_ends: float | None = None
    """Seconds since 1970; None without TLS. Of the connection made last."""


MAX_BREAKS = 16
"""Breaks remembered: enough to call a connection unsteady."""


class StatusReporter:
    """Replaces the status. `value` may be read from any thread; changes are made by the publisher's."""

    def __init__(self) -> None:
        self.value = PublisherStatus(heartbeat=time.monotonic())

    def change(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of PublisherStatus
        """Replace some fields."""
        self.value = replace(self.value, **changes)

    def problem(self, problem: str | None) -> None:
        """Say why nothing is delivered, or (None) that it is again."""
        if problem == self.value.problem:
            return
        if problem:
            log.warning("not delivering problem=%r", problem)
        self.change(problem=problem)

    def broke(self, now: float, why: str) -> None:
        """Note that a connection broke."""
        self.change(breaks=(*self.value.breaks, now)[-MAX_BREAKS:], broke_because=why)

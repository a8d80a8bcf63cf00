"""What others read of the worker: one frozen value, replaced whole."""

from collections.abc import Mapping

from msgspec import Struct

from gateway.outbox.capacity import CapacityReport
from gateway.station.view import StationView


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """The worker and its outbox, as of its newest turn."""

    epoch: str
    epoch_begins: int
    """First sequence number of the epoch."""
    stored: int
    """Sequence of the newest stored event; 0 before the first."""
    delivered: int
    """Every event up to this one is delivered or dead, as the disk has it."""
    dead_letters: int
    capacity: CapacityReport
    lost: str | None
    """Which events a salvage could not read, for a person."""
    view: StationView | None = None
    """What a display shows of the station; None before the worker runs."""
    trouble: str | None = None
    """Why the last scan could not be stored; None when it could."""
    master_trouble: str | None = None
    """Why the article master cannot be used; None when it can."""
    unknown_articles: int = 0
    """Articles that were scanned and that the master does not know, as of some seconds ago."""
    oldest_waiting_ns: int | None = None
    """When the oldest scan that is not delivered was recorded, as of some seconds ago."""
    counters: Mapping[str, int] = {}
    """Events: accepted, refused, undo; of these incomplete, repeat. Scans: more, control.<kind>, foreign.<why>,
    context.<kind>, context-refused.<kind>.<why>, withheld.<kind>, discarded.<reason>, retransmission, trouble,
    fault."""

"""The `[outbox]` section of the configuration."""

from typing import Annotated

from msgspec import Meta, Struct

MIB = 1024 * 1024
DELIVERED_DAYS = 30
ALONE_DAYS = 3650
"""Ten years: an implant is looked for as long as it may be in a patient."""


class OutboxSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[outbox]`: how much room the scans may take."""

    max_bytes: Annotated[int, Meta(ge=MIB)] = 1024 * MIB
    """Size of the database, at most; some 700,000 scans."""
    min_free_bytes: Annotated[int, Meta(ge=0)] = 128 * MIB
    """Space left on the disk, at least."""
    keep_delivered_days: Annotated[int, Meta(ge=0, le=3650)] | None = None
    """How long delivered scans stay as a journal, in days of a trusted clock. Left out: 30 with a broker; without
    one 3650, because the journal is all there is (some 2 KB a scan, and bounded by max_bytes)."""

    def days(self, *, alone: bool) -> int:
        """Return how many days delivered scans stay; `alone`: this box has no broker."""
        if self.keep_delivered_days is not None:
            return self.keep_delivered_days
        return ALONE_DAYS if alone else DELIVERED_DAYS

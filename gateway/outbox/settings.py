"""The `[outbox]` section of the configuration."""

from typing import Annotated

from msgspec import Meta, Struct

MIB = 1024 * 1024


class OutboxSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[outbox]`: how much room the scans may take."""

    max_bytes: Annotated[int, Meta(ge=MIB)] = 1024 * MIB
    """Size of the database, at most; some 700,000 scans."""
    min_free_bytes: Annotated[int, Meta(ge=0)] = 128 * MIB
    """Space left on the disk, at least."""
    keep_delivered_days: Annotated[int, Meta(ge=0, le=3650)] = 30
    """How long delivered scans stay as a journal, in days of a trusted clock."""

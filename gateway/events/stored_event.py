"""One event as it lies in the outbox, whatever its type."""

from msgspec import Struct


class StoredEvent(Struct, frozen=True, kw_only=True):
    """One event as it lies in the outbox."""

    sequence: int
    body: bytes
    state: str
    """waiting | delivered | dead."""

"""What the service has done since its start, for `/metrics`."""

from collections.abc import Sequence

from intake.sources import ReceivedMessage
from intake.store import Committed


class Counters:
    """Written by the service's thread alone; whoever reads may see one batch half counted."""

    def __init__(self) -> None:
        self.messages = 0
        self.stored = 0
        self.copies = 0
        self.poison = 0
        self.batches = 0
        self.replays = 0
        self.database_problem: str | None = None
        """Why the last batch was not taken; None when it was."""

    def batch(self, deliveries: Sequence[ReceivedMessage], committed: Committed) -> None:
        """Count a committed batch."""
        self.messages += len(deliveries)
        self.stored += committed.stored
        self.copies += committed.copies
        self.poison += committed.poisoned
        self.batches += 1

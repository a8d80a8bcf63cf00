"""How far one outbox file is delivered, as the publisher knows it before the file does.

The publisher's thread writes it; the outbox's writer takes the marks and brings them to the disk. When a damaged
outbox is salvaged into a new file, its state ends with it: a new `DeliveryState` takes its place, and what a
session of the old file still reports goes nowhere.
"""

from collections import deque
from pathlib import Path
from typing import TypeVar

from gateway.outbox.entry import Dead, DeliveryMarks

_T = TypeVar("_T")
Letter = tuple[int, int]
"""A dead letter that is to be sent again: its sequence, and when a person asked for it (ns)."""


class DeliveryState:
    """The delivery of one outbox file."""

    def __init__(self, outbox: Path) -> None:
        self.outbox = outbox
        self._delivered = 0
        self._published = 0
        self._parked: deque[Dead] = deque()
        self._revived: deque[int] = deque()
        self._reasons: dict[int, str] = {}
        self._answered: set[Letter] = set()
        self._damaged = self._superseded = False

    @property
    def delivered(self) -> int:
        """Every event up to this one is delivered, or a dead letter whose notice is."""
        return self._delivered

    @property
    def published(self) -> int:
        """Every event up to this one has its PUBACK."""
        return self._published

    @property
    def damaged(self) -> bool:
        """The file cannot be read on: whoever writes it is to salvage it."""
        return self._damaged

    @property
    def superseded(self) -> bool:
        """Another file has taken its place: a session that reads this one ends."""
        return self._superseded

    def report(self, delivered: int, published: int) -> None:
        """Note how far delivery has come; it never goes back."""
        self._published = max(self._published, published)
        if delivered > self._delivered:
            self._delivered = delivered
            for sequence in [one for one in self._reasons if one <= delivered]:
                del self._reasons[sequence]

    def park(self, sequence: int, reason: str) -> None:
        """Make an event a dead letter: its notice goes out in its place."""
        self._reasons[sequence] = reason
        self._parked.append(Dead(sequence=sequence, reason=reason))

    def parked_because(self, sequence: int) -> str | None:
        """Return why an event became a dead letter, where the file may not know yet; None for any other."""
        return self._reasons.get(sequence)

    def letter_delivered(self, letter: Letter) -> None:
        """Note that a dead letter was sent again and delivered."""
        self._answered.add(letter)
        self._revived.append(letter[0])

    def letter_refused(self, letter: Letter, reason: str) -> None:
        """Note that a dead letter was sent again and stays one."""
        self._answered.add(letter)
        self._parked.append(Dead(sequence=letter[0], reason=reason))

    def unanswered(self, letters: list[Letter]) -> list[Letter]:
        """Return those of the letters on the disk that are still to be sent: an answer may not be written yet."""
        self._answered.intersection_update(letters)  # the rest is written: whoever asks once more means it
        return [one for one in letters if one not in self._answered]

    def found_damaged(self) -> None:
        """Note that the file cannot be read on."""
        self._damaged = True

    def supersede(self) -> None:
        """Another file takes its place. Safe from any thread."""
        self._superseded = True

    def take_marks(self) -> DeliveryMarks:
        """Return what the file does not know yet. Called by the thread that writes the file."""
        delivered, published = self._delivered, self._published  # first: a dead letter is parked before it counts
        return DeliveryMarks(
            delivered=delivered, published=published, parked=_drain(self._parked), revived=_drain(self._revived)
        )


def _drain(queue: deque[_T]) -> tuple[_T, ...]:
    taken = []
    while queue:
        taken.append(queue.popleft())
    return tuple(taken)

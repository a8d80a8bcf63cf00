"""What a lease, a calibration and the settings monitor need of the thread that reads a scanner."""

from typing import Protocol

from drivers.base import Scanner
from drivers.model import ScannerInput


class AnswerFilter(Protocol):
    """Decides which input of a scanner is the answer to a command and no code."""

    def withholds(self, item: ScannerInput) -> bool:
        """Return whether this is an answer, or may be one. Called by the reading thread."""


class ScannerReader(Protocol):
    """The thread that reads one scanner."""

    name: str
    scanner: Scanner
    heard_at: float
    """CLOCK_MONOTONIC seconds of the last input that was no answer, or of the start."""

    @property
    def trouble(self) -> str | None:
        """Why it reads nothing, where waiting for the scanner does not help."""

    def begin_lease(self, answers: AnswerFilter) -> None:
        """Pass every input to `answers` first, until `end_lease`."""

    def end_lease(self, answers: AnswerFilter) -> None:
        """Stop passing input to `answers`; nothing happens when another filter is in place."""

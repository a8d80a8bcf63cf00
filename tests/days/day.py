"""A working day at a station as a table, lived through with the real pipeline and a real outbox on a shifted clock.

Each line: time, scanner, what is scanned, what is signalled. At the end only the events on the disk speak: the
reports made of them must equal what really happened.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from drivers.model import Signal
from gateway.events.exports.netting import InForce, in_force
from gateway.events.stored_event import StoredEvent
from tests.outbox.events import stored
from tests.scanning.stage import Stage, control

MORE, ACCEPTED, WARNING, REFUSED = Signal.MORE, Signal.ACCEPTED, Signal.WARNING, Signal.REFUSED
DEVIATING, QUESTION = Signal.DEVIATING, Signal.QUESTION
POWER_CUT = "power cut"


class Line(NamedTuple):
    """One thing that happens. A code in capitals is a control code."""

    at: str
    """hh:mm:ss, or d+hh:mm:ss of a later day."""
    scanner: str
    code: str
    signal: Signal | None
    """None: a power cut."""
    odd: bool = False
    """The scan is not what a person should have done, or the article is not right: amber or red is deserved."""


Used = Counter[tuple[str | None, str | None, str, str | None]]
"""Pieces by case, patient (as a mark of the event), device identifier, and serial or lot number."""


class Day:
    """A station through a day."""

    def __init__(self, directory: Path, profile: str, **station: Any) -> None:  # noqa: ANN401 - TOML
        self._directory, self._profile, self._settings = directory, profile, station
        self._count = 0
        self.stage = self._begin(0.0)
        self.amber = 0
        self.right = 0

    def _begin(self, now: float) -> Stage:
        return Stage(self._directory, self._profile, **self._settings).begin(now, self._count)

    def live(self, lines: list[Line]) -> None:
        """Let everything happen; what is signalled must be what the table says."""
        for line in lines:
            now = seconds(line.at)
            if line.signal is None:
                self._count = self.stage._count
                self.stage.close()
                self.stage = self._begin(now)
                continue
            self.stage.wait(now)
            code = control(line.code) if line.code.isupper() and line.code.isalnum() else line.code
            signal = self.stage.scan(now, code, line.scanner)
            assert signal is line.signal, (line, self.findings())
            if not line.odd:
                self.right += 1
                self.amber += signal in {WARNING, REFUSED}
        self.stage.wait(now + 60)

    def findings(self) -> list[str]:
        """The newest event's, for whoever reads a failure."""
        return [one.code for one in self.stage.drafts[-1].data.verdict.findings] if self.stage.drafts else []

    def events(self) -> list[StoredEvent]:
        """What stands on the disk."""
        bodies = stored(self._directory / "outbox.db")
        return [StoredEvent(sequence=one, body=body, state="waiting") for one, body in bodies.items()]

    def used(self) -> Used:
        """What was used for whom, of the events alone."""
        found: Used = Counter()
        for one in in_force(self.events()):
            if one.event.data.action == "consume" and one.quantity:
                found[key(one)] += one.quantity
        return found

    def close(self) -> None:
        self.stage.close()


def key(one: InForce) -> tuple[str | None, str | None, str, str | None]:
    """Who, and what."""
    context, udi = one.event.data.context, one.event.data.udi
    patient = None if context.patient is None else context.patient["value"][:6]
    assert context.case is None or isinstance(context.case, str)
    text = one.event.data.symbols[0].text
    di = udi.device_identifier if udi and udi.device_identifier else text
    return (context.case, patient, di, (udi.serial_number or udi.lot_number) if udi else None)


def seconds(at: str) -> float:
    """Seconds since midnight of the first day."""
    day, _, time = at.rpartition("+")
    hours, minutes, rest = time.split(":")
    return int(day or 0) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)

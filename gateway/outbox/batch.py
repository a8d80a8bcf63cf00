"""The rows of one append to the outbox: what is written of events, symbols and items that stay open."""

from collections.abc import Sequence

from gateway.events import cloudevent
from gateway.events.label_problem import label_problem_event
from gateway.outbox import entry as drafting
from gateway.outbox.checksums import of_event
from gateway.outbox.entry import (
    JournalledSymbol,
    NewCase,
    NewEvent,
    NewLabelProblem,
    StationNote,
    UnderWay,
    Write,
)
from gateway.system.clock import ClockReading


class AppendBatch:
    """The rows of one append: whatever can go wrong here happens before a transaction begins."""

    def __init__(
        self,
        writes: Sequence[Write],
        first: int,
        epoch: str,
        source: str,
        clock: ClockReading,
        *,
        sealed: bool,
    ) -> None:
        """`first`: the next sequence number; `sealed`: the events' times are final."""
        self._trusted, self._sealed = int(clock.synchronised), int(sealed)
        self.drafts: list[NewEvent] = []
        self.sequences: list[int] = []
        """Of the drafts."""
        self.events: list[tuple[int, int, int, int, bytes, int]] = []
        """Rows of the table `event`."""
        self.closed: set[str] = set()
        """Scanners whose open item became an event."""
        self.holds: dict[str, bytes] = {}
        """Scanner -> its item, open at the end of the batch, as it is kept."""
        self.notes: dict[str, str] = {}
        """Key -> what the station keeps for a restart."""
        settled: list[tuple[object, ...]] = []
        waiting: dict[str, list[tuple[object, ...]]] = {}
        for write in writes:
            if isinstance(write, StationNote):
                self.notes[write.key] = write.text
                continue
            if isinstance(write, NewCase | NewLabelProblem):
                at = cloudevent.Position(epoch=epoch, sequence=first + len(self.events), recorded_ns=clock.wall_ns)
                self._add(at, _report(write, source, at))
                continue
            if isinstance(write, JournalledSymbol):
                self.holds[write.scanner] = drafting.encode(write.draft)
                waiting.setdefault(write.scanner, []).append(_symbol_rows(None, write.draft)[-1])
                continue
            draft = write.in_true_time(clock)
            if draft.closes is not None:
                self.closed.add(draft.closes)
                self.holds.pop(draft.closes, None)
                waiting.pop(draft.closes, None)
            at = cloudevent.Position(epoch=epoch, sequence=first + len(self.events), recorded_ns=clock.wall_ns)
            self._add(at, cloudevent.scan_event(draft.id, source, draft.time_ns, draft.data, at))
            self.drafts.append(draft)
            self.sequences.append(at.sequence)
            settled.extend(_symbol_rows(at.sequence, draft))
        self.symbols = [*settled, *(row for rows in waiting.values() for row in rows)]

    def leaves(self, before: UnderWay) -> UnderWay:
        """Return what is under way behind this batch."""
        items = {scanner: item for scanner, item in before.items.items() if scanner not in self.closed}
        return UnderWay(items={**items, **self.holds}, notes={**before.notes, **self.notes})

    def _add(self, at: cloudevent.Position, body: bytes) -> None:
        row = (at.sequence, at.recorded_ns, self._trusted, self._sealed, body)
        self.events.append((*row, of_event(*row)))


def _report(write: NewCase | NewLabelProblem, source: str, at: cloudevent.Position) -> bytes:
    if isinstance(write, NewCase):
        return cloudevent.case_event(write.id, source, write.time_ns, write.data, at)
    return label_problem_event(write.id, source, write.time_ns, write.data, at)


def _symbol_rows(sequence: int | None, draft: NewEvent) -> list[tuple[object, ...]]:
    scanner, when = draft.data.station.scanner, draft.data.clock.monotonic_ns
    return [
        (sequence, scanner, when, symbol.symbology, raw)
        for symbol, raw in zip(draft.data.symbols, draft.raw, strict=True)
    ]

"""What came of one scan, or of time: what is to be stored, signalled and counted. Values."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from drivers.model import RawScan, Signal
from gateway.outbox.entry import JournalledSymbol, NewCase, NewEvent, NewLabelProblem, StationNote, Write
from gateway.scanning.case_summary import summary_of
from gateway.scanning.transaction import verdict_signal
from gateway.station.privacy import Withheld
from gateway.station.values import LABEL_COMPLETED
from gateway.station.view import StationView

INCOMPLETE: Final = "INCOMPLETE_LABEL"
"""The verdict's finding on half a label."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one scan, or of time."""

    scanner: str
    signal: Signal | None
    """For the operator, once `writes` are on disk; None: nothing is to be signalled."""
    writes: tuple[Write, ...] = ()
    moved: bool = True
    """The station's memory has changed: if that cannot be kept, the scan has not happened."""
    withheld: Withheld | None = None
    """It was no label of an article; this is all that is kept of it."""
    counts: tuple[str, ...] = ()
    """Beside those that `writes` give."""
    news: Mapping[str, str] = {}
    """For who watches: `control`, `foreign`, `context`, `contextRefused` or `discarded`, and which. Never what a
    code holds."""
    remark: str | None = None
    """For the log: what a technician should do."""

    def tally(self) -> Iterator[str]:
        """Yield the name of every counter that it raises."""
        yield from self.counts
        for write in self.writes:
            if isinstance(write, StationNote):
                continue
            if isinstance(write, NewCase | NewLabelProblem):
                yield "case" if isinstance(write, NewCase) else "label-problem"
                continue
            if isinstance(write, JournalledSymbol):
                yield "more"
                continue
            data = write.data
            if data.reason == LABEL_COMPLETED:
                yield "completed"
                continue
            yield "undo" if data.action == "undo" else data.verdict.disposition
            if data.repeats is not None:
                yield "repeat"
            if any(finding.code == INCOMPLETE for finding in data.verdict.findings):
                yield "incomplete"

    def case(self) -> NewCase | None:
        """Return the closing of a case that it holds, if there is one."""
        return next((write for write in self.writes if isinstance(write, NewCase)), None)

    def messages(self, view: StationView | None) -> Iterator[dict[str, object]]:
        """Yield the messages for the watchers. A label that the scan closed, and that is another one's, comes first."""
        events = [
            write
            for write in self.writes
            if isinstance(write, NewEvent) and write.data.reason != LABEL_COMPLETED  # the whole event follows it
        ]
        common: dict[str, object] = {"scanner": self.scanner}
        if self.moved:
            common["station"] = view
        for draft in events[:-1]:
            closed = {"signal": verdict_signal(draft.data), "id": draft.id, "data": draft.data, "withheld": None}
            yield {**common, **closed}
        newest = events[-1] if events else None
        yield {
            **common,
            "signal": self.signal,
            "id": newest.id if newest else None,
            "data": newest.data if newest else None,
            "withheld": self.withheld,
            **({"closed": summary_of(case.data)} if (case := self.case()) else {}),
            **self.news,
        }


class Answered:
    """The last frame of each scanner that was answered: should it come again, it is answered in the same way."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[bytes, Outcome]] = {}

    def note(self, scan: RawScan, outcome: Outcome) -> None:
        """Remember what came of a frame. One that met trouble was not taken, and is new when it comes again."""
        if outcome.signal is Signal.TROUBLE:
            self._last.pop(scan.scanner, None)
        else:
            answer = replace(outcome, writes=(), counts=("retransmission",), withheld=None, news={}, remark=None)
            self._last[scan.scanner] = (scan.frame.data, answer)

    def again(self, scan: RawScan) -> Outcome | None:
        """Return the answer to a frame that its scanner sends again; None for a new one."""
        data, outcome = self._last.get(scan.scanner, (b"", None))
        return outcome if scan.frame.retransmission and data == scan.frame.data else None

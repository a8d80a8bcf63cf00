"""What a station knows from one scan to the next, and one scan's way through it: effects become drafts."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from drivers.model import Signal
from gateway.events import cloudevent
from gateway.model import Disposition
from gateway.outbox.entry import JournalledSymbol, NewEvent
from gateway.scanning.event_builder import EventBuilder, Reading
from gateway.station.machine import IllegalMoveError, Step, forgotten
from gateway.station.repeats import Key, Repeats
from gateway.station.values import MAX_UNDO, Effect, OpenLabel, Published, Station
from gateway.station.workflow import Output
from gateway.system.clock import ClockReading

OF_SYMBOLS: Final[Mapping[Output, Signal]] = {Output.HOLD: Signal.MORE, Output.REMIND: Signal.MORE}
"""What the scanner is told of a symbol; of an item that becomes an event its verdict says it."""
OF_CODES: Final[Mapping[Output, Signal]] = {
    Output.IDENTIFY: Signal.MORE,
    Output.TAKE_BACK: Signal.ACCEPTED,
    Output.ACCEPT: Signal.ACCEPTED,
    Output.REFUSE: Signal.REFUSED,
}
"""What it is told of a control or context code, whatever else came of it."""
_RANK: Final = (Signal.ACCEPTED, Signal.MORE, Signal.WARNING, Signal.REFUSED)
"""The worst last: of several things that came of one scan, the operator must hear that one."""


class StationState(Struct, frozen=True, kw_only=True):
    """All that a station knows from one scan to the next. A value."""

    station: Station = Station()
    held: Mapping[str, NewEvent] = {}
    """Scanner -> its open item as it is journalled: what it becomes if nothing more comes."""
    repeats: Repeats = Repeats()
    recent: dict[str, cloudevent.ScanData] = {}
    """Id -> event, of the newest that were not taken back, the newest last."""

    def with_event(
        self, identity: str, data: cloudevent.ScanData, at_ns: int, key: Key | None, window_ns: int
    ) -> "StationState":
        """Remember an event for repeats of it, and for who takes it back."""
        recent = {**self.recent, identity: data}
        if len(recent) > MAX_UNDO:
            del recent[next(iter(recent))]
        repeats = self.repeats.with_event(key, data.repeats or identity, at_ns, window_ns)
        return replace(self, recent=recent, repeats=repeats)

    def without(self, identity: str) -> "StationState":
        """Forget an event that was taken back."""
        recent = {one: data for one, data in self.recent.items() if one != identity}
        repeats = self.repeats.without(identity)
        return replace(self, station=forgotten(self.station, identity), recent=recent, repeats=repeats)


class ScanTransaction:
    """One scan's way: `memory` is where it has led to, `writes` what is to be stored."""

    def __init__(
        self, memory: StationState, drafting: EventBuilder, repeat_ns: int, clock: ClockReading, scanner: str = ""
    ) -> None:
        """`scanner`: the one that has read something; what ends on others at that time is not told there."""
        self.memory = memory
        self.writes: list[NewEvent | JournalledSymbol] = []
        self.clock = clock
        self._drafting = drafting
        self._repeat_ns = repeat_ns
        self._scanner = scanner
        self._signals: list[Signal] = []
        self._answer: Signal | None = None

    @property
    def signal(self) -> Signal:
        """What the operator is told, once `writes` are on disk: the worst that came of the scan."""
        if self._answer is not None:
            return self._answer
        return max(self._signals, key=_RANK.index, default=Signal.ACCEPTED)

    def make(self, step: Step, reading: Reading | None = None) -> None:
        """Go along with a move; `reading` is what the item it touched says."""
        self.memory = replace(self.memory, station=step.station)
        for effect in step.effects:
            self._write(effect, reading)
        for output in step.outputs:
            if output in OF_SYMBOLS:
                self._signals.append(OF_SYMBOLS[output])
            self._answer = OF_CODES.get(output, self._answer)

    def confirm(self, identity: str) -> None:
        """Signal again what became of an event: a further symbol of its label was scanned."""
        data = self.memory.recent.get(identity)
        if data is not None:
            self._signals.append(verdict_signal(data))

    def _write(self, effect: Effect, reading: Reading | None) -> None:
        match effect:
            case OpenLabel(item=item):
                draft = self._event(effect, reading)
                self.memory = replace(self.memory, held={**self.memory.held, item.scanner: draft})
                self.writes.append(JournalledSymbol(scanner=item.scanner, draft=draft))
            case Published(item=item, was_open=was_open, closed=closed):
                as_held = was_open and closed
                draft = self.memory.held[item.scanner] if as_held else self._event(effect, reading)
                if was_open:
                    draft = replace(draft, closes=item.scanner)
                    held = {name: one for name, one in self.memory.held.items() if name != item.scanner}
                    self.memory = replace(self.memory, held=held)
                key, at_ns = self._drafting.repeat_key(draft.data), item.symbols[-1].at_ns
                self.memory = self.memory.with_event(draft.id, draft.data, at_ns, key, self._repeat_ns)
                self.writes.append(draft)
                if item.scanner == self._scanner:
                    self._signals.append(verdict_signal(draft.data))
            case _:
                undone = self.memory.recent.get(effect.done.id)
                self.writes.append(self._drafting.undo(effect, undone, self.clock))
                self.memory = self.memory.without(effect.done.id)

    def _event(self, effect: OpenLabel | Published, reading: Reading | None) -> NewEvent:
        """Make the event of an item as it stands, and name what it repeats."""
        if reading is None:
            raise IllegalMoveError("an item is to be written and nothing has been read of it")
        item = effect.item
        draft = self._drafting.event(item, reading, self.clock)
        key = self._drafting.repeat_key(draft.data)
        first = self.memory.repeats.first_of(key, item.symbols[-1].at_ns, self._repeat_ns)
        if first is None and self._drafting.profile.lot_repeats:
            first = item.label.again_of
        return draft if first is None else replace(draft, data=replace(draft.data, repeats=first))


def verdict_signal(data: cloudevent.ScanData) -> Signal:
    """Tell an event's verdict to the operator; a repeat deserves a look, too."""
    verdict = data.verdict
    if verdict.disposition is Disposition.REFUSED:
        return Signal.REFUSED
    return Signal.WARNING if verdict.warned or data.repeats is not None else Signal.ACCEPTED

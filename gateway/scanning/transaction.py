"""One scan's way through a station: effects become what is to be stored."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from drivers.model import Signal
from gateway.events import cloudevent
from gateway.model import Disposition
from gateway.outbox.entry import JournalledSymbol, NewEvent, Write
from gateway.scanning.code_input import WRONG_QUANTITY
from gateway.scanning.event_builder import EventBuilder, ItemReading
from gateway.scanning.label_problems import problems_of
from gateway.scanning.station_state import StationState
from gateway.station import machine
from gateway.station.machine import IllegalMoveError, Transition
from gateway.station.rules import AWAY
from gateway.station.values import (
    CaseClosed,
    Effect,
    Item,
    KeyedEnded,
    MoveTimes,
    OpenLabel,
    Published,
    TakenBack,
    UsedDespite,
)
from gateway.station.workflow import Output
from gateway.system.clock import ClockReading

OF_SYMBOLS: Final[Mapping[Output, Signal]] = {Output.HOLD: Signal.MORE, Output.REMIND: Signal.MORE}
"""The signal for a symbol; of an item that becomes an event its verdict says it."""
OF_CODES: Final[Mapping[Output, Signal]] = {
    Output.IDENTIFY: Signal.MORE,
    Output.TYPE: Signal.MORE,
    Output.TAKE_BACK: Signal.ACCEPTED,
    Output.WITHDRAW: Signal.ACCEPTED,
    Output.BOOK: Signal.WARNING,
    Output.CLOSE_CASE: Signal.ACCEPTED,
    Output.ACCEPT: Signal.ACCEPTED,
    Output.OVERRIDE: Signal.WARNING,
    Output.ASK: Signal.QUESTION,
    Output.ALARM: Signal.REFUSED,
    Output.REFUSE: Signal.REFUSED,
}
"""The signal for a control or context code, whatever else came of it."""
_REFUSED: Final = Disposition.REFUSED
_RANK: Final = (Signal.ACCEPTED, Signal.MORE, Signal.DEVIATING, Signal.WARNING, Signal.REFUSED)
"""The worst last: of several things that came of one scan, the operator must hear that one."""


class ScanTransaction:
    """One scan's way: `memory` is where it has led to, `writes` what is to be stored."""

    def __init__(
        self, memory: StationState, builder: EventBuilder, times: MoveTimes, clock: ClockReading, scanner: str = ""
    ) -> None:
        """`scanner`: the one that has read something; what ends on others at that time is not signalled there."""
        self.memory = memory
        self.writes: list[Write] = []
        self.clock = clock
        self._builder = builder
        self._times = times
        self._scanner = scanner
        self._signals: list[Signal] = []
        self._answer: Signal | None = None
        self._unresolved = False
        """A case was closed, and somebody must sort something out."""

    @property
    def signal(self) -> Signal:
        """The signal to the operator, once `writes` are on disk: the worst that came of the scan."""
        if self._answer is not None:
            return self._answer
        return max(self._signals, key=_RANK.index, default=Signal.ACCEPTED)

    def make(self, step: Transition, reading: ItemReading | None = None) -> None:
        """Go along with a move; `reading` is what the item it touched says."""
        self.memory = replace(self.memory, station=step.station)
        for effect in step.effects:
            self._write(effect, reading)
        for output in step.outputs:
            if output in OF_SYMBOLS:
                self._signals.append(OF_SYMBOLS[output])
            self._answer = OF_CODES.get(output, self._answer)
            if output is Output.CLOSE_CASE and self._unresolved:
                self._answer = Signal.WARNING

    @property
    def stored(self) -> tuple[Write, ...]:
        """What is to be stored: what came of the scan, and what is reported of labels that could not be read."""
        return (*self.writes, *problems_of(self.writes))

    def confirm(self, identity: str) -> None:
        """Signal again what became of an event: a further symbol of its label was scanned."""
        data = self.memory.recent.get(identity)
        if data is not None:
            self._signals.append(verdict_signal(data))

    def _write(self, effect: Effect, reading: ItemReading | None) -> None:
        match effect:
            case Published(item=item, was_open=was_open, closed=closed):
                as_held = was_open and closed
                draft = self.memory.held[item.scanner] if as_held else self._event(effect, reading)
                if was_open:
                    draft = replace(draft, closes=item.scanner)
                    held = {name: one for name, one in self.memory.held.items() if name != item.scanner}
                    self.memory = replace(self.memory, held=held)
                self._remember(draft, item.at_ns)
                self.writes.append(draft)
                if item.scanner == self._scanner:
                    self._signals.append(verdict_signal(draft.data))
                if draft.data.verdict.disposition is _REFUSED and not closed:
                    self._choose_again(item, draft)
            case OpenLabel(item=item):
                draft = self._event(effect, reading)
                self.memory = replace(self.memory, held={**self.memory.held, item.scanner: draft})
                self.writes.append(JournalledSymbol(scanner=item.scanner, draft=draft))
            case TakenBack(done=done):
                undone = self.memory.recent.get(done.id)
                self.writes.append(self._builder.undo(effect, undone, self.clock))
                self.memory = self.memory.without(done.id)
            case KeyedEnded():
                self.writes.append(self._builder.nothing_recorded(effect, self.clock))
            case CaseClosed():
                closing = self._builder.case(effect, self.writes, self.clock)
                self._unresolved = bool(closing.data.unresolved)
                self.writes.append(closing)
            case UsedDespite(refused=refused, at_ns=at_ns):
                draft = self._builder.used_despite(effect, self.memory.recent[refused], self.clock)
                self.memory = self.memory.without_refusals(refused)
                self._remember(draft, at_ns)
                self.writes.append(draft)

    def _remember(self, draft: NewEvent, at_ns: int) -> None:
        key = self._builder.repeat_key(draft.data)
        self.memory = self.memory.with_event(draft.id, draft.data, at_ns, key, self._builder.repeat_ns)

    def _choose_again(self, item: Item, draft: NewEvent) -> None:
        """Let what was chosen for an item that was refused hold for the label's next reading."""
        wrong = any(finding.code in WRONG_QUANTITY for finding in draft.data.verdict.findings)
        at_ns = item.at_ns
        station = machine.refused(self.memory.station, item, at_ns, self._times, quantity=not wrong)
        self.memory = replace(self.memory, station=station)

    def _event(self, effect: OpenLabel | Published, reading: ItemReading | None) -> NewEvent:
        """Make the event of an item as it stands."""
        if reading is None:
            raise IllegalMoveError("an item is to be written and nothing has been read of it")
        return self._builder.event(effect.item, reading, self.memory, self.clock)


def verdict_signal(data: cloudevent.ScanData) -> Signal:
    """Return what tells the operator an event's verdict; a repeat deserves a look, and so does what is not used."""
    verdict = data.verdict
    if verdict.disposition is _REFUSED:
        return Signal.REFUSED
    if verdict.warned or data.repeats is not None:
        return Signal.WARNING
    return Signal.DEVIATING if data.action in AWAY else Signal.ACCEPTED

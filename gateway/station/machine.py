"""Makes the moves of the workflow's table. Pure: no I/O, no clock, time is an argument.

What an item means (action, quantity, context) is settled by its first symbol: a code that is scanned between two
symbols of a label is about what comes behind the label. An action that was chosen, and a quantity, end when nothing
has been scanned under them for `action_ns`; a part of the context ends its time after it was set; undoing is
possible for its time after the last event or undo.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.station.context import ContextItem, ContextKind
from gateway.station.control_codes import ControlCode
from gateway.station.values import (
    MAX_UNDO,
    ON_THE_WIRE_NS,
    Chosen,
    Counted,
    Done,
    Effect,
    Item,
    Kept,
    Meaning,
    OpenLabel,
    Published,
    Rules,
    Station,
    Symbol,
    TakenBack,
)
from gateway.station.workflow import ITEMS, TABLE, Input, Output, Region, Row, State

TOGETHER_NS: Final = 60_000_000_000
"""A patient scanned so shortly before a new case is that case's, and the other way round; an earlier one is the
last case's."""
_GOES_WITH: Final[Mapping[ContextKind, ContextKind]] = {"case": "patient", "patient": "case"}
"""What ends with a new one of its kind: a case is one patient's."""


class IllegalMoveError(RuntimeError):
    """The input is not possible in the present state; nothing has changed. The fault of code, not of a person."""


class Step(Struct, frozen=True, kw_only=True):
    """What one input did."""

    station: Station
    effects: tuple[Effect, ...] = ()
    """What is to be written, in this order."""
    outputs: tuple[Output, ...] = ()
    """Everything that came of it."""


class Given(Struct, frozen=True, kw_only=True):
    """One input, with what belongs to its kind: a symbol, a control code or a context code."""

    input: Input
    scanner: str
    at_ns: int
    id: str = ""
    """For the event that may come of it."""
    symbol: Symbol | None = None
    missing: tuple[str, ...] = ()
    """What the item lacks once it has the symbol."""
    code: ControlCode | None = None
    context: ContextItem | None = None


def state_of(station: Station, region: Region, scanner: str) -> State:
    """Name the state of a region; of the pairing, that of one scanner."""
    match region:
        case Region.PAIRING:
            return State.WAITING if scanner in station.open_items else State.IDLE
        case Region.ACTION:
            return State.DEFAULT if station.chosen is None else State.CHOSEN
        case Region.QUANTITY:
            return State.ONE if station.counted is None else State.COUNTED
        case Region.CONTEXT:
            return State.SET if station.context else State.EMPTY
        case Region.UNDO:
            return State.OPEN if station.done else State.CLOSED


def step(station: Station, given: Given, rules: Rules) -> Step:
    """Make one move in every region that the input concerns. Raises IllegalMoveError; then nothing has changed."""
    concerned = [region for region in Region if given.input in _INPUTS[region]]
    for region in concerned:
        _row(station, region, given.input, given.scanner)  # all of them are legal, or none is made
    move = _Move(station, given, rules)
    for region in concerned:
        move.make(region)
    return Step(station=move.station, effects=tuple(move.effects), outputs=tuple(move.outputs))


def elapse(station: Station, at_ns: int, rules: Rules, scanner: str | None = None) -> Step:
    """Let time pass until `at_ns`: what has run out ends.

    `scanner`: the one that has just read something at that moment, so that nothing of it is on the wire any more.
    """
    effects: list[Effect] = []
    outputs: list[Output] = []
    for name, item in sorted(station.open_items.items(), key=lambda one: one[1].until_ns):
        if at_ns > item.until_ns + (0 if name == scanner else ON_THE_WIRE_NS):
            move = _Move(station, Given(input=Input.ELAPSED, scanner=name, at_ns=at_ns), rules)
            move.make(Region.PAIRING)
            station = move.station
            effects.extend(move.effects)
            outputs.extend(move.outputs)
    for region, over in (
        (Region.ACTION, station.chosen is not None and at_ns > station.chosen.until_ns),
        (Region.QUANTITY, station.counted is not None and at_ns > station.counted.until_ns),
        (Region.CONTEXT, any(at_ns > kept.until_ns for kept in station.context.values())),
        (Region.UNDO, bool(station.done) and at_ns > station.undo_until_ns),
    ):
        if over:
            move = _Move(station, Given(input=Input.ELAPSED, scanner="", at_ns=at_ns), rules)
            move.make(region)
            station = move.station
    return Step(station=station, effects=tuple(effects), outputs=tuple(outputs))


def resumed(station: Station, done: Done, at_ns: int, rules: Rules) -> Station:
    """Return a station that knows an event of an earlier life; `at_ns` is when it was, in this boot's time."""
    return replace(
        station,
        done=(*station.done, done)[-MAX_UNDO:],
        undo_until_ns=max(station.undo_until_ns, at_ns + rules.undo_ns),
    )


_INPUTS: Final = {region: frozenset(given for _, given in rows) for region, rows in TABLE.items()}


def _row(station: Station, region: Region, given: Input, scanner: str) -> Row:
    state = state_of(station, region, scanner)
    row = TABLE[region].get((state, given))
    if row is None:
        raise IllegalMoveError(f"{region}: {given} is not possible in the state '{state}'")
    return row


class _Move:
    """One input on its way through the regions; `station` is where it has come to."""

    def __init__(self, station: Station, given: Given, rules: Rules) -> None:
        self.station = station
        self.effects: list[Effect] = []
        self.outputs: list[Output] = []
        self._given = given
        self._rules = rules
        self._newest: Done | None = None
        """The event that was made last."""

    def make(self, region: Region, given: Input | None = None) -> None:
        """Do what the table says of the input, or of one that the machine makes itself."""
        given = given or self._given.input
        row = _row(self.station, region, given, self._given.scanner)
        self.outputs.extend(row.outputs)
        match region:
            case Region.PAIRING:
                for output in row.outputs:
                    self._pair(output)
            case Region.ACTION:
                self._choose(given)
            case Region.QUANTITY:
                self._count(given)
            case Region.CONTEXT:
                self._set(given)
            case Region.UNDO:
                self._undo(given)
        after = state_of(self.station, region, self._given.scanner)
        if after not in row.after:
            raise IllegalMoveError(f"{region}: {given} led to the state '{after}'")

    def _pair(self, output: Output) -> None:
        given, items = self._given, dict(self.station.open_items)
        match output:
            case Output.CLOSE:
                item = items.pop(given.scanner)
                self._publish(item, items, was_open=True, closed=True)
            case Output.PUBLISH:
                own = given.input is Input.STRAY  # the open item stays open
                before = None if own else items.pop(given.scanner, None)
                self._publish(self._with_symbol(before), items, was_open=before is not None, closed=own)
            case Output.HOLD:
                item = self._with_symbol(items.get(given.scanner))
                items[given.scanner] = item
                self.station = replace(self.station, open_items=items)
                self.effects.append(OpenLabel(item=item))
            case Output.REMIND:
                item = items[given.scanner]
                items[given.scanner] = replace(item, until_ns=self._later(item.until_ns, self._rules.pairing_ns))
                self.station = replace(self.station, open_items=items)

    def _publish(self, item: Item, rest: Mapping[str, Item], *, was_open: bool, closed: bool) -> None:
        done = Done(id=item.id, scanner=item.scanner, quantity=item.meaning.quantity)
        self.station = replace(self.station, open_items=rest)
        self.effects.append(Published(item=item, was_open=was_open, closed=closed))
        self._newest = done
        self.make(Region.UNDO, Input.EVENT)

    def _with_symbol(self, item: Item | None) -> Item:
        """Return the item with the symbol laid to it, or a new one."""
        given = self._given
        if given.symbol is None:
            raise IllegalMoveError(f"{given.input} without a symbol")
        until_ns = given.at_ns + self._rules.pairing_ns
        if item is not None:
            symbols = (*item.symbols, given.symbol)
            return replace(item, symbols=symbols, missing=given.missing, until_ns=until_ns)
        return Item(
            id=given.id,
            scanner=given.scanner,
            symbols=(given.symbol,),
            meaning=self._meaning(),
            missing=given.missing,
            until_ns=until_ns,
        )

    def _meaning(self) -> Meaning:
        chosen, counted = self.station.chosen, self.station.counted
        takes_quantity = counted is not None and self._given.input in ITEMS
        return Meaning(
            action=chosen.action if chosen else self._rules.default_action,
            reason=chosen.reason if chosen else None,
            quantity=counted.quantity if counted is not None and takes_quantity else 1,
            context=self._context(),
        )

    def _context(self) -> tuple[ContextItem, ...]:
        return tuple(kept.item for kept in self.station.context.values())

    def _choose(self, given: Input) -> None:
        chosen, code = self.station.chosen, self._given.code
        if given is Input.ACTION and code is not None and code.action is not None:
            until_ns = self._given.at_ns + self._rules.action_ns
            chosen = Chosen(action=code.action, reason=code.reason, until_ns=until_ns)
        elif given in {Input.CANCEL, Input.ELAPSED}:
            chosen = None
        elif chosen is not None:
            chosen = replace(chosen, until_ns=self._later(chosen.until_ns, self._rules.action_ns))
        self.station = replace(self.station, chosen=chosen)

    def _count(self, given: Input) -> None:
        counted, code = None, self._given.code
        if given is Input.QUANTITY and code is not None and code.quantity is not None:
            counted = Counted(quantity=code.quantity, until_ns=self._given.at_ns + self._rules.action_ns)
        self.station = replace(self.station, counted=counted)

    def _set(self, given: Input) -> None:
        context, item, now_ns = dict(self.station.context), self._given.context, self._given.at_ns
        match given:
            case Input.CONTEXT if item is not None:
                before = context.get(item.kind)
                if before is not None and before.item.is_same(item):
                    item = before.item  # sealed once: who reads the events sees that nothing has changed
                elif before is not None:
                    self._drop_what_went_with(item.kind, context)
                context[item.kind] = Kept(item=item, until_ns=now_ns + self._rules.context_ns)
            case Input.CLEAR_CONTEXT:
                context = {}
            case Input.ELAPSED:
                context = {kind: kept for kind, kept in context.items() if now_ns <= kept.until_ns}
        self.station = replace(self.station, context=context)

    def _drop_what_went_with(self, kind: ContextKind, context: dict[str, Kept]) -> None:
        """End the last patient with a new case, and the last case with a new patient, unless scanned just now."""
        kept = context.get(_GOES_WITH.get(kind, ""))
        if kept and self._given.at_ns > kept.until_ns - self._rules.context_ns + TOGETHER_NS:
            del context[kept.item.kind]

    def _undo(self, given: Input) -> None:
        station, now = self.station, self._given
        match given:
            case Input.EVENT if self._newest is not None:
                self.station = resumed(station, self._newest, now.at_ns, self._rules)
            case Input.UNDO if station.done:
                until_ns = self._later(station.undo_until_ns, self._rules.undo_ns)
                own = [done for done in station.done if done.scanner == now.scanner]
                undone = (own or station.done)[-1]  # two people may work at one station
                left = tuple(done for done in station.done if done.id != undone.id)
                self.station = replace(station, done=left, undo_until_ns=until_ns)
                self.effects.append(
                    TakenBack(
                        id=now.id,
                        scanner=now.scanner,
                        at_ns=now.at_ns,
                        done=undone,
                        context=self._context(),
                    )
                )
            case Input.ELAPSED:
                self.station = replace(station, done=())

    def _later(self, until_ns: int, span_ns: int) -> int:
        """Prolong a time; never shorten it, where scanners' triggers come out of order."""
        return max(until_ns, self._given.at_ns + span_ns)

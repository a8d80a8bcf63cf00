"""Makes the moves of the workflow's table. Pure: no I/O, no clock, time is an argument.

What an item means (action, quantity, context) is settled by its first symbol: a code that is scanned between two
symbols of a label is about what comes behind the label. An action that was chosen, and a quantity, end when nothing
has been scanned under them for `action_ns`; a part of the context ends its time after it was set; undoing is
possible for its time after the last event or undo.
"""

from collections.abc import Mapping
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from gateway.station.context import ContextItem, ContextKind
from gateway.station.control_codes import ControlCode
from gateway.station.values import (
    LABEL_COMPLETED,
    MAX_CLOSED,
    MAX_UNDO,
    ON_THE_WIRE_NS,
    Chosen,
    Counted,
    Done,
    Effect,
    Item,
    Kept,
    Label,
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
    symbols: tuple[Symbol, ...] = ()
    """All of the item, once it has the symbol that was read; none where nothing comes of the symbol."""
    label: Label | None = None
    """What that item says; of KNOWN and SAME, the known label with the symbol noted."""
    target: str | None = None
    """KNOWN: id of the closed item that the symbol belongs to."""
    replaces: tuple[str, ...] = ()
    """Ids of the closed items that the item takes up."""
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


def comparable(station: Station, given: Given, rules: Rules) -> tuple[Item, ...]:
    """Return the labels just closed on a scanner that a symbol may belong to: those that mean what it would mean.

    A quantity given since, another action or another case is about another piece.
    """
    meaning = _Move(station, replace(given, input=Input.WHOLE), rules).meaning()
    return tuple(
        item
        for item in station.closed_items.get(given.scanner, ())
        if given.at_ns <= item.until_ns
        and station.counted is None
        and (item.meaning.action, item.meaning.reason) == (meaning.action, meaning.reason)
        and len(item.meaning.context) == len(meaning.context)
        and all(one.is_same(other) for one, other in zip(item.meaning.context, meaning.context, strict=True))
    )


def forgotten(station: Station, identity: str) -> Station:
    """Return a station without an event that was taken back: no symbol belongs to it any more."""
    return replace(
        station,
        done=tuple(done for done in station.done if done.id != identity),
        closed_items={
            scanner: tuple(item for item in items if item.id != identity)
            for scanner, items in station.closed_items.items()
        },
    )


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
                self._complete(self._item(before), items, was_open=before is not None, closed=own)
            case Output.REPLACE:
                self._complete(self._item(None), items, was_open=False, closed=False)
            case Output.HOLD:
                items[given.scanner] = self._item(items.get(given.scanner))
                self._take_up_replaced()
                self.station = replace(self.station, open_items=items)
                self.effects.append(OpenLabel(item=items[given.scanner]))
            case Output.REMIND:
                item = items[given.scanner]
                until_ns = self._later(item.until_ns, self._rules.pairing_ns)
                items[given.scanner] = replace(item, label=given.label or item.label, until_ns=until_ns)
                self.station = replace(self.station, open_items=items)
            case Output.CONFIRM:
                self._note()

    def _complete(self, item: Item, rest: Mapping[str, Item], *, was_open: bool, closed: bool) -> None:
        self._take_up_replaced()
        self._publish(item, rest, was_open=was_open, closed=closed)

    def _publish(self, item: Item, rest: Mapping[str, Item], *, was_open: bool, closed: bool) -> None:
        done = Done(id=item.id, scanner=item.scanner, quantity=item.meaning.quantity)
        self.station = replace(self.station, open_items=rest)
        self.effects.append(Published(item=item, was_open=was_open, closed=closed))
        self._remember(item)
        self._newest = done
        self.make(Region.UNDO, Input.EVENT)

    def _take_up_replaced(self) -> None:
        """Undo the events of the closed labels that the item takes up, and forget those labels."""
        given = self._given
        for item in self.station.closed_items.get(given.scanner, ()):
            if item.id in given.replaces:
                self.effects.append(
                    TakenBack(
                        id=str(uuid5(NAMESPACE_OID, f"{given.id} completes {item.id}")),
                        scanner=given.scanner,
                        at_ns=given.at_ns,
                        done=Done(id=item.id, scanner=item.scanner, quantity=item.meaning.quantity),
                        context=item.meaning.context,
                        reason=LABEL_COMPLETED,
                    )
                )
                self.station = forgotten(self.station, item.id)

    def _remember(self, item: Item) -> None:
        """Keep a closed label for the symbols of it that may still come."""
        before = self.station.closed_items.get(item.scanner, ())
        alive = tuple(one for one in before if one.until_ns >= self._given.at_ns)
        kept = (*alive, item)[-MAX_CLOSED:]
        self.station = replace(self.station, closed_items={**self.station.closed_items, item.scanner: kept})

    def _note(self) -> None:
        """Note that a symbol of a closed label was scanned, too, or again: further ones may come."""
        given = self._given
        noted = tuple(
            replace(
                item,
                label=given.label or item.label,
                until_ns=self._later(item.until_ns, self._rules.pairing_ns),
            )
            if item.id == given.target
            else item
            for item in self.station.closed_items.get(given.scanner, ())
        )
        self.station = replace(self.station, closed_items={**self.station.closed_items, given.scanner: noted})

    def _item(self, before: Item | None) -> Item:
        """Return the item with the symbol that was read: `before`, a closed one that it takes up, or a new one."""
        given = self._given
        if not given.symbols or given.label is None:
            raise IllegalMoveError(f"{given.input} without a symbol")
        taken_up = [one for one in self.station.closed_items.get(given.scanner, ()) if one.id in given.replaces]
        first = min((*taken_up, *((before,) if before else ())), key=lambda one: one.symbols[0].at_ns, default=None)
        return Item(
            id=given.id if before is None else before.id,
            scanner=given.scanner,
            symbols=given.symbols,
            meaning=self.meaning() if first is None else first.meaning,
            label=given.label,
            missing=given.missing,
            until_ns=given.at_ns + self._rules.pairing_ns,
        )

    def meaning(self) -> Meaning:
        """Return what an item that begins now means."""
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
                self.station = replace(forgotten(station, undone.id), undo_until_ns=until_ns)
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

"""Makes the moves of the workflow's table. Pure: no I/O, no clock, time is an argument.

What an item means (action, quantity, context) is settled by its first symbol: a code that is scanned between two
symbols of a label is about what comes behind the label. How long things last:

| what | whose | ends |
|---|---|---|
| discard, return, explant | the scanner's | with its next item; after `action_ns` without one; locked by a code: when it is ended, or after `lasting_ns` without an item |
| receive, inventory, order, transfer | the scanner's | when nothing was scanned under them for `lasting_ns` |
| a quantity | the scanner's | with its next item; with the action, where that lasts, else after `action_ns` |
| keyed entry | the scanner's | with its label; `keyed_ns` after the last character |
| the context | the station's, a member of staff the scanner's | all of it, when nothing was scanned for `context_ns` |
| undoing | the station's | `undo_ns` after the last event or undo |

The context's moves are in `gateway.station.binding`.
"""  # noqa: E501 - a table

from collections.abc import Callable, Mapping
from typing import Final, Literal
from uuid import NAMESPACE_OID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from gateway.station import binding, keyed_entry, pushed_case
from gateway.station.context import ContextItem
from gateway.station.control_codes import ControlCode
from gateway.station.pairing import BY_HAND
from gateway.station.region_state import state_of
from gateway.station.settings import LASTING, Action, EntryReason
from gateway.station.values import (
    CANCELLED,
    LABEL_COMPLETED,
    MAX_CLOSED,
    MAX_UNDO,
    ON_THE_WIRE_NS,
    CaseClosed,
    Chosen,
    Count,
    Counted,
    Done,
    Effect,
    Item,
    KeyedEntry,
    Label,
    Meaning,
    MoveTimes,
    Obeyed,
    OpenLabel,
    Published,
    Station,
    Symbol,
    TakenBack,
    UsedDespite,
)
from gateway.station.workflow import ITEMS, SYMBOLS, TABLE, Input, Output, Region, WorkflowRow


class IllegalMoveError(RuntimeError):
    """The input is not possible in the present state; nothing has changed. The fault of code, not of a person."""


class Transition(Struct, frozen=True, kw_only=True):
    """What one input did."""

    station: Station
    effects: tuple[Effect, ...] = ()
    """What is to be written, in this order."""
    outputs: tuple[Output, ...] = ()
    """Everything that came of it."""


class Occurrence(Struct, frozen=True, kw_only=True):
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
    known: str | None = None
    """KNOWN: id of the closed item that the symbol belongs to."""
    replaces: tuple[str, ...] = ()
    """Ids of the closed items that the item takes up."""
    like: Meaning | None = None
    """What the item means where it is scanned again behind an action for one item: what it meant then."""
    missing: tuple[str, ...] = ()
    """What the item lacks once it has the symbol."""
    code: ControlCode | None = None
    once: str | None = None
    """Kind of the code, of those that do one thing."""
    context: ContextItem | None = None
    target: Done | None = None
    """The event that is taken back, or that is booked all the same; None: the newest."""
    repeats: Mapping[str, tuple[Done, ...]] = {}
    """Of an undo: id of an event -> the events that repeat it."""
    count: Count | None = None
    """Of a code that begins a count."""
    entry: KeyedEntry | None = None
    """KEYED, KEY and MISTYPED: the keyed entry as it is then."""


def step(station: Station, what: Occurrence, times: MoveTimes) -> Transition:
    """Make one move in every region that the input concerns. Raises IllegalMoveError; then nothing has changed."""
    move = _Move(station, what, times)  # a station of its own: where one region's move is illegal, none is made
    for region in _CONCERNED.get(what.input, ()):
        move.make(region)
    if what.input is not Input.AGAIN:
        obeyed = {name: one for name, one in station.obeyed.items() if name != what.scanner}
        if what.once is not None and Output.REFUSE not in move.outputs:
            obeyed[what.scanner] = Obeyed(kind=what.once, at_ns=what.at_ns)
        if obeyed != station.obeyed:
            move.station = replace(move.station, obeyed=obeyed)
    return Transition(station=move.station, effects=tuple(move.effects), outputs=tuple(move.outputs))


def elapse(  # noqa: C901, PLR0912 - one branch for each thing that ends by time
    station: Station, at_ns: int, times: MoveTimes, scanner: str | None = None
) -> Transition:
    """Let time pass until `at_ns`: what has run out ends.

    `scanner`: the one that has just read something at that moment, so that nothing of it is on the wire any more.
    """
    effects: list[Effect] = []
    outputs: list[Output] = []

    def ended(region: Region, name: str = "", what: Input = Input.ELAPSED, since_ns: int = at_ns) -> None:
        nonlocal station
        move = _Move(station, Occurrence(input=what, scanner=name, at_ns=since_ns), times)
        move.make(region)
        station = move.station
        effects.extend(move.effects)
        outputs.extend(move.outputs)

    if station.open_items:
        for name, item in sorted(station.open_items.items(), key=lambda one: one[1].until_ns):
            if at_ns > item.until_ns + (0 if name == scanner else ON_THE_WIRE_NS):
                ended(Region.PAIRING, name)
    if station.keyed:
        for name, entry in station.keyed.items():
            if at_ns > entry.until_ns + (0 if name == scanner else ON_THE_WIRE_NS):
                ended(Region.KEYED, name)
    for name in [name for name, one in station.chosen.items() if at_ns > one.until_ns]:
        ended(Region.ACTION, name)
    for name in [name for name, one in station.counted.items() if at_ns > one.until_ns]:
        ended(Region.QUANTITY, name)
    over_ns = pushed_case.context_ends_ns(station)
    if station.context and at_ns > over_ns:
        ended(Region.CONTEXT, since_ns=over_ns)
    if station.ended is not None and station.ended.asks and at_ns > station.ended.until_ns:
        ended(Region.QUESTION)
    if station.done and at_ns > station.undo_until_ns:
        ended(Region.UNDO)
    station = pushed_case.settled(station, at_ns)
    if pushed_case.begins(station, at_ns):
        ended(Region.CONTEXT, what=Input.PUSHED)
    elif pushed_case.is_offered(station, at_ns):
        ended(Region.QUESTION, what=Input.OFFERED)
    return Transition(station=station, effects=tuple(effects), outputs=tuple(outputs))


def deadline_ns(station: Station) -> int | None:
    """Return when `elapse` has something to do if nothing is scanned, or None."""
    pushed = pushed_case.deadline_ns(station)
    return min(
        (
            *(item.until_ns + ON_THE_WIRE_NS for item in station.open_items.values()),
            *((pushed_case.context_ends_ns(station),) if station.context else ()),
            *((station.ended.until_ns,) if station.ended and station.ended.asks else ()),
            *(one.until_ns for one in station.chosen.values()),
            *(one.until_ns for one in station.counted.values()),
            *(one.until_ns + ON_THE_WIRE_NS for one in station.keyed.values()),
            *((station.undo_until_ns,) if station.done else ()),
            *((pushed,) if pushed is not None else ()),
        ),
        default=None,
    )


def comparable(station: Station, scanner: str, at_ns: int, times: MoveTimes) -> tuple[Item, ...]:
    """Return the labels just closed on a scanner that a symbol may belong to: those that mean what it would mean.

    A quantity given since, another action or another case is about another piece. An action for one item has ended
    with its item, and a further symbol of that item is of it all the same.
    """
    alive = [item for item in station.closed_items.get(scanner, ()) if at_ns <= item.until_ns]
    if not alive or scanner in station.counted:
        return ()
    present = _meaning(station, Occurrence(input=Input.SAME, scanner=scanner, at_ns=at_ns), times)
    if present.one_item:
        return ()
    chosen = scanner in station.chosen
    return tuple(item for item in alive if _means_the_same(item.meaning, present, chosen=chosen))


def _means_the_same(one: Meaning, present: Meaning, *, chosen: bool) -> bool:
    of_one_item = one.one_item and not chosen
    same = (one.action, one.reason, one.destination, one.count) == (
        present.action,
        present.reason,
        present.destination,
        present.count,
    )
    return (of_one_item or same) and _same_context(one, present)


def _same_context(one: Meaning, other: Meaning) -> bool:
    if not one.context and not other.context:
        return True
    mine, its = ({item.kind: item for item in meaning.context} for meaning in (one, other))
    return mine.keys() == its.keys() and all(item.is_same(its[kind]) for kind, item in mine.items())


def incomplete_of(station: Station, scanner: str, label: Label, at_ns: int, times: MoveTimes) -> Item | None:
    """Return the label of the same article that went out incomplete on a scanner, and that this one completes."""
    decoded = label.decoded
    incomplete = [item for item in station.closed_items.get(scanner, ()) if item.missing]
    if not incomplete:
        return None
    present = _meaning(station, Occurrence(input=Input.SAME, scanner=scanner, at_ns=at_ns), times)
    for item in reversed(incomplete):
        before = item.label.decoded
        if (
            at_ns <= item.until_ns + times.undo_ns
            and before.device_identifier is not None
            and (before.issuer, before.device_identifier) == (decoded.issuer, decoded.device_identifier)
            and before.lot_number in {None, decoded.lot_number}
            and before.serial_number in {None, decoded.serial_number}
            and _same_context(item.meaning, present)
        ):
            return item
    return None


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


def resumed(station: Station, done: Done, at_ns: int, times: MoveTimes) -> Station:
    """Return a station that knows an event, also one of an earlier life; `at_ns`: when it was, in this boot's time.

    What could no longer be taken back then cannot be now.
    """
    before = station.done if at_ns <= station.undo_until_ns else ()
    return replace(
        station,
        done=(*before, done)[-MAX_UNDO:],
        undo_until_ns=max(station.undo_until_ns, at_ns + times.undo_ns),
    )


def refused(station: Station, item: Item, at_ns: int, times: MoveTimes, *, quantity: bool) -> Station:
    """Return a station in which what was chosen for an item that was refused holds for the next one of its scanner.

    The label is scanned again, and must not be booked under the default action, nor as one piece, then. `quantity`:
    the quantity, too; not where it is what was wrong.
    """
    meaning, scanner = item.meaning, item.scanner
    chosen, counted = dict(station.chosen), dict(station.counted)
    if meaning.one_item and scanner not in chosen:
        chosen[scanner] = Chosen(
            action=meaning.action, reason=meaning.reason, until_ns=at_ns + times.action_ns, count=meaning.count
        )
    if quantity and meaning.quantity_given and scanner not in counted:
        counted[scanner] = Counted(quantity=meaning.quantity, until_ns=at_ns + times.action_ns)
    return replace(station, chosen=chosen, counted=counted)


_CONCERNED: Final = {
    given: tuple(region for region in Region if any(one is given for _, one in TABLE[region])) for given in Input
}
"""Input -> the regions that have a row for it."""
_PAIRING: Final = Region.PAIRING
_UNDO: Final = Region.UNDO
_EVENT: Final = Input.EVENT


def _row(station: Station, region: Region, what: Input, scanner: str) -> WorkflowRow:
    state = state_of(station, region, scanner)
    row = TABLE[region].get((state, what))
    if row is None:
        raise IllegalMoveError(f"{region}: {what} is not possible in the state '{state}'")
    return row


class _Move:
    """One input on its way through the regions; `station` is where it has come to."""

    def __init__(self, station: Station, what: Occurrence, times: MoveTimes) -> None:
        self.station = station
        self.effects: list[Effect] = []
        self.outputs: list[Output] = []
        self._what = what
        self._times = times
        self._before = station
        self._newest: Done | None = None
        """The event that was made last."""

    def make(self, region: Region, what: Input | None = None) -> None:
        """Do what the table says of the input, or of one that the machine makes itself."""
        what = what or self._what.input
        row = _row(self.station, region, what, self._what.scanner)
        self.outputs.extend(row.outputs)
        if region is _PAIRING:
            for output in row.outputs:
                self._pair(output)
        else:
            _MOVES[region](self, what)
        after = state_of(self.station, region, self._what.scanner)
        if after not in row.after:
            raise IllegalMoveError(f"{region}: {what} led to the state '{after}'")

    def _pair(self, output: Output) -> None:
        what, items = self._what, dict(self.station.open_items)
        match output:
            case Output.REFUSE:
                pass
            case Output.PUBLISH:
                own = what.input is Input.STRAY  # the open item stays open
                before = None if own else items.pop(what.scanner, None)
                self._complete(self._item(before), items, was_open=before is not None, closed=own)
            case Output.CLOSE:
                item = items.pop(what.scanner)
                self._publish(item, items, was_open=True, closed=True)
            case Output.WITHDRAW:
                self.make(_UNDO, Input.WITHDRAWN)
            case Output.REPLACE:
                self._complete(self._item(None), items, was_open=False, closed=False)
            case Output.HOLD:
                items[what.scanner] = self._item(items.get(what.scanner))
                self._take_up_replaced()
                self.station = replace(self.station, open_items=items)
                self.effects.append(OpenLabel(item=items[what.scanner]))
            case Output.REMIND:
                item = items[what.scanner]
                until_ns = self._later(item.until_ns, self._wait_ns(item.missing))
                items[what.scanner] = replace(item, label=what.label or item.label, until_ns=until_ns)
                self.station = replace(self.station, open_items=items)
            case Output.CONFIRM:
                self._note()

    def _complete(self, item: Item, rest: Mapping[str, Item], *, was_open: bool, closed: bool) -> None:
        self._take_up_replaced()
        self._publish(item, rest, was_open=was_open, closed=closed)

    def _publish(self, item: Item, rest: Mapping[str, Item], *, was_open: bool, closed: bool) -> None:
        self.station = replace(self.station, open_items=rest, closed_items=self._closed_with(item))
        self.effects.append(Published(item=item, was_open=was_open, closed=closed))
        self._newest = Done(id=item.id, scanner=item.scanner, quantity=item.meaning.quantity)
        self.make(_UNDO, _EVENT)

    def _take_up_replaced(self) -> None:
        """Undo the events of the closed labels that the item takes up, and forget those labels."""
        what = self._what
        for item in self.station.closed_items.get(what.scanner, ()):
            if item.id in what.replaces:
                self.effects.append(
                    TakenBack(
                        id=str(uuid5(NAMESPACE_OID, f"{what.id} completes {item.id}")),
                        scanner=what.scanner,
                        at_ns=what.at_ns,
                        done=Done(id=item.id, scanner=item.scanner, quantity=item.meaning.quantity),
                        reason=LABEL_COMPLETED,
                    )
                )
                self.station = forgotten(self.station, item.id)

    def _closed_with(self, item: Item) -> Mapping[str, tuple[Item, ...]]:
        """Return the closed labels with one more, kept for the symbols of it that may still come."""
        before = self.station.closed_items.get(item.scanner, ())
        spare_ns = self._times.undo_ns
        alive = tuple(one for one in before if one.until_ns + (spare_ns if one.missing else 0) >= self._what.at_ns)
        kept = (*alive, item)[-MAX_CLOSED:]
        return {**self.station.closed_items, item.scanner: kept}

    def _note(self) -> None:
        """Note that a symbol of a closed label was scanned, too, or again: further ones may come."""
        what = self._what
        noted = tuple(
            replace(
                item,
                label=what.label or item.label,
                until_ns=self._later(item.until_ns, self._times.pairing_ns),
            )
            if item.id == what.known
            else item
            for item in self.station.closed_items.get(what.scanner, ())
        )
        self.station = replace(self.station, closed_items={**self.station.closed_items, what.scanner: noted})

    def _item(self, before: Item | None) -> Item:
        """Return the item with the symbol that was read: `before`, a closed one that it takes up, or a new one."""
        what = self._what
        if what.label is None or not (what.symbols or what.input is Input.UNLABELLED):
            raise IllegalMoveError(f"{what.input} without a symbol")
        taken_up = [one for one in self.station.closed_items.get(what.scanner, ()) if one.id in what.replaces]
        first = min((*taken_up, *((before,) if before else ())), key=lambda one: one.began_ns, default=None)
        if before is not None and before.meaning.quantity_given:  # said anew for the label that is scanned again
            first = before
        if first is None or self._is_another(first.meaning, what.label):
            meaning = _meaning(self._before, what, self._times)
        else:
            meaning = first.meaning
        return Item(
            id=what.id if before is None else before.id,
            scanner=what.scanner,
            symbols=what.symbols,
            at_ns=what.at_ns,
            meaning=meaning,
            label=what.label,
            missing=what.missing,
            until_ns=what.at_ns + self._wait_ns(what.missing),
            unread=self._unread(),
        )

    def _wait_ns(self, missing: tuple[str, ...]) -> int:
        """Return how long a label waits for its next symbol: people type more slowly than they scan."""
        return self._times.pairing_ns if BY_HAND.isdisjoint(missing) else self._times.keyed_ns

    def _unread(self) -> EntryReason | None:
        """Return why an item was not scanned; None for one that was."""
        what = self._what
        if what.input is Input.UNLABELLED:
            return what.code.unread if what.code else None
        entry = self.station.keyed.get(what.scanner)
        return entry.unread if entry is not None and any(one.typed for one in what.symbols) else None

    def key(self, what: Input) -> None:
        """Begin, go on with or end keyed entry."""
        scanner, at_ns = self._what.scanner, self._what.at_ns
        self.station, ended = keyed_entry.moved(
            self.station, what, scanner, self._what.entry, at_ns, self._times.keyed_ns
        )
        if ended is not None:
            self.effects.append(ended)

    def _is_another(self, meaning: Meaning, label: Label) -> bool:
        """Return whether a label taken for one scanned again turns out to be another piece's, by its lot or serial."""
        closed = self.station.closed_items.get(self._what.scanner, ())
        first = next((item.label.decoded for item in closed if item.id == meaning.again), None)
        if first is None:
            return False
        pairs = (
            (first.lot_number, label.decoded.lot_number),
            (first.serial_number, label.decoded.serial_number),
        )
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)

    def choose(self, what: Input) -> None:
        """Take an action's code, or what an item makes of the action chosen before."""
        scanner, station = self._what.scanner, self.station
        if what in SYMBOLS and scanner not in station.chosen and scanner not in station.fell_back:
            return
        chosen, fell_back = dict(station.chosen), dict(station.fell_back)
        present = chosen.get(scanner)
        code = self._what.code
        if what is Input.ACTION and code is not None and code.action is not None:
            fell_back.pop(scanner, None)
            chosen.pop(scanner, None)
            if code.action != self._times.default_action or self._what.count is not None:
                span = self._span(code.action, locked=False)
                chosen[scanner] = Chosen(
                    action=code.action,
                    reason=code.reason,
                    until_ns=self._what.at_ns + span,
                    count=self._what.count,
                )
        elif what is Input.CANCEL:
            chosen.pop(scanner, None)
            fell_back.pop(scanner, None)
        elif what is Input.ELAPSED and present is not None:
            del chosen[scanner]
            if present.action != "undo":
                fell_back[scanner] = present.action
        elif present is not None:
            locked = present.locked or what is Input.LOCK
            place = self._what.context if what is Input.DESTINATION else None
            later = replace(
                present,
                locked=locked,
                destination=str(place.value) if place is not None else present.destination,
                until_ns=self._later(present.until_ns, self._span(present.action, locked=locked)),
            )
            ends = what in {*ITEMS, Input.TAKEN_BACK, Input.NOT_FOUND} and present.one_item
            chosen.pop(scanner) if ends else chosen.update({scanner: later})
        if what in ITEMS:
            fell_back.pop(scanner, None)
        closed = station.closed_items
        if what in {Input.ACTION, Input.CANCEL}:  # the label of an action for one item, scanned again, is a new one
            own = tuple(item for item in closed.get(scanner, ()) if not item.meaning.one_item)
            closed = {**closed, scanner: own}
        self.station = replace(station, chosen=chosen, fell_back=fell_back, closed_items=closed)

    def _span(self, action: Action | Literal["undo"], *, locked: bool) -> int:
        return self._times.lasting_ns if locked or action in LASTING else self._times.action_ns

    def count(self, what: Input) -> None:
        """Take a quantity's code; an item uses the quantity up."""
        scanner, code = self._what.scanner, self._what.code
        if what in ITEMS and scanner not in self.station.counted and scanner not in self.station.quantity_ended:
            return
        counted = dict(self.station.counted)
        ended = self.station.quantity_ended - {scanner}
        present = counted.pop(scanner, None)
        if what in {Input.QUANTITY, Input.QUANTITY_AGAIN} and code is not None:
            span = self._times.action_ns
            chosen = self.station.chosen.get(scanner)
            if chosen is not None:
                span = max(span, self._span(chosen.action, locked=chosen.locked))
            until_ns = self._what.at_ns + span
            if code.digit is None:
                counted[scanner] = Counted(quantity=code.quantity or 1, until_ns=until_ns)
            else:
                typed = present if present is not None and present.digits else None
                number = 10 * (typed.quantity if typed else 0) + code.digit
                digits = (typed.digits if typed else 0) + 1
                counted[scanner] = Counted(quantity=number, until_ns=until_ns, digits=digits)
        elif what is Input.ELAPSED:
            ended |= {scanner}
        self.station = replace(self.station, counted=counted, quantity_ended=ended)

    def set_context(self, what: Input) -> None:
        """Take a context's code; a symbol prolongs the context."""
        if what is Input.CLOSE_CASE:
            context = self.station.context
            first = context.get("case") or context.get("patient")
            self.effects.append(
                CaseClosed(
                    id=self._what.id,
                    scanner=self._what.scanner,
                    at_ns=self._what.at_ns,
                    context=binding.context_of(self.station, self._what.scanner),
                    since_ns=first.since_ns if first else None,
                )
            )
        self.station = binding.moved(
            self.station, what, self._what.scanner, self._what.context, self._what.at_ns, self._times
        )
        if what is Input.ELAPSED:
            self.make(Region.QUESTION, Input.ENDED)

    def ask(self, what: Input) -> None:
        """Take the answer, or the end of the time for it; the question itself came with the context's move."""
        if what is Input.SAME_PATIENT:
            self.station = binding.answered(self.station, self._what.at_ns, self._times)
        if what is Input.OFFERED:
            self.station = pushed_case.with_offer(self.station, self._what.at_ns)
        if what is Input.ELAPSED and self.station.ended is not None:
            self.station = replace(self.station, ended=replace(self.station.ended, asks=False))

    def undo(self, what: Input) -> None:
        """Take back an event, or note one that can be taken back."""
        station, now = self.station, self._what
        match what:
            case Input.EVENT if self._newest is not None:
                self.station = resumed(station, self._newest, now.at_ns, self._times)
            case Input.WITHDRAWN if self._newest is not None:
                self._take_back(self._newest, now.id, reason=CANCELLED)
            case Input.UNDO if station.done:
                own = [done for done in station.done if done.scanner == now.scanner]
                self._take_back_whole((own or station.done)[-1])  # two people may work at one station
                until_ns = self._later(station.undo_until_ns, self._times.undo_ns)
                self.station = replace(self.station, undo_until_ns=until_ns)
            case Input.TAKEN_BACK if now.target is not None:
                self._take_back_whole(now.target)
            case Input.USED if now.target is not None:
                self.effects.append(
                    UsedDespite(id=now.id, scanner=now.scanner, at_ns=now.at_ns, refused=now.target.id)
                )
                self._newest = Done(id=now.id, scanner=now.scanner, quantity=now.target.quantity)
                self.make(_UNDO, _EVENT)
            case Input.ELAPSED:
                self.station = replace(station, done=())

    def _take_back_whole(self, undone: Done) -> None:
        """Take back an event and what repeats it: none of them is to stand in its place."""
        identity = self._what.id
        for one in self._what.repeats.get(undone.id, ()):
            self._take_back(one, str(uuid5(NAMESPACE_OID, f"{identity} takes back {one.id}")))
        self._take_back(undone, identity)

    def _take_back(self, undone: Done, identity: str, reason: str | None = None) -> None:
        self.station = forgotten(self.station, undone.id)
        self.effects.append(
            TakenBack(id=identity, scanner=self._what.scanner, at_ns=self._what.at_ns, done=undone, reason=reason)
        )

    def _later(self, until_ns: int, span_ns: int) -> int:
        """Prolong a time; never shorten it, where scanners' triggers come out of order."""
        return max(until_ns, self._what.at_ns + span_ns)


_MOVES: Final[Mapping[Region, Callable[[_Move, Input], None]]] = {
    Region.ACTION: _Move.choose,
    Region.QUANTITY: _Move.count,
    Region.KEYED: _Move.key,
    Region.CONTEXT: _Move.set_context,
    Region.QUESTION: _Move.ask,
    Region.UNDO: _Move.undo,
}


def _meaning(station: Station, what: Occurrence, times: MoveTimes) -> Meaning:
    """Return what an item means that begins now."""
    if what.like is not None:
        return what.like
    scanner = what.scanner
    chosen = station.chosen.get(scanner)
    counted = station.counted.get(scanner) if what.input in ITEMS else None
    action = times.default_action if chosen is None or chosen.action == "undo" else chosen.action
    return Meaning(
        action=action,
        reason=chosen.reason if chosen else None,
        quantity=counted.quantity if counted else 1,
        quantity_given=counted is not None,
        one_item=chosen is not None and chosen.one_item,
        destination=chosen.destination if chosen else None,
        fell_back=station.fell_back.get(scanner),
        quantity_ended=scanner in station.quantity_ended,
        count=chosen.count if chosen else None,
        context=binding.context_of(station, scanner),
        restored=binding.is_restored(station),
        lacks=binding.lacking(station),
    )


__all__ = [
    "SYMBOLS",
    "IllegalMoveError",
    "Occurrence",
    "Transition",
    "elapse",
    "refused",
    "resumed",
    "state_of",
    "step",
]

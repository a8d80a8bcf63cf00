"""From a symbol as read to what is to be stored and signalled: decode, guard, pair, look up, judge.

All that a station knows stands in one value, `memory`. Whoever could not store what came of a scan puts the earlier
one back, and the scan has not happened.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from msgspec.structs import replace

from drivers.model import InputQuality, RawScan, Signal
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import Config
from gateway.events import cloudevent
from gateway.model import Decoded, LookUp, Match
from gateway.outbox.entry import NewEvent, NewLabelProblem, StationNote
from gateway.scanning import station_note
from gateway.scanning.case_summary import CaseSummary, summary_of
from gateway.scanning.code_input import coded, is_typing, typed_by_code
from gateway.scanning.completing_symbols import CompletingSymbols
from gateway.scanning.event_builder import EventBuilder, ItemReading, event_context
from gateway.scanning.label_problems import problems_of
from gateway.scanning.outcome import Outcome
from gateway.scanning.resumed_labels import with_label
from gateway.scanning.station_state import StationState, done_of
from gateway.scanning.stories import Journal, NoJournal, event_of_label
from gateway.scanning.transaction import ScanTransaction, verdict_signal
from gateway.station import binding, context, control_codes, keyed_entry, machine, pairing, pushed_case
from gateway.station.assets import asset_of
from gateway.station.context import ContextItem, ContextReader, ContextRefused
from gateway.station.control_codes import ControlCode, ControlCodes, ForeignCode
from gateway.station.keys import StationKeys, read_keys
from gateway.station.label import says_more, statements
from gateway.station.label_engine import Move, Placement, SymbolRead, own_number, place
from gateway.station.machine import Occurrence
from gateway.station.patterns import bounded
from gateway.station.persons import names_person
from gateway.station.privacy import PERSONS, withheld
from gateway.station.protect import PersonRef
from gateway.station.values import (
    MAX_SYMBOLS,
    ON_THE_WIRE_NS,
    CaseClosed,
    Item,
    KeyedEntry,
    Meaning,
    MoveTimes,
    PushedCase,
    Station,
    Symbol,
)
from gateway.station.view import StationView, view_of
from gateway.station.workflow import Input
from gateway.system.clock import NS, ClockReading
from gateway.udi import decode, gs1
from gateway.udi.personal import is_free_of_persons, redact

UNREAD: Final = "GS1_UNKNOWN_AI"
_NEW: Final = Move.NEW
NO_LABEL: Final = ItemReading(decoded=Decoded(ok=False), look_up=LookUp(match=Match.NONE))
"""What is read of an item without a label."""
RESUMED_EVENTS: Final = 256
"""Newest events looked at when the daemon starts, for repeats and for what can be undone: 10 ms."""


class Pipeline:
    """The way of one scan. Reads the article master, and else does no I/O. Used by one thread."""

    def __init__(
        self,
        config: Config,
        master: ArticleMaster,
        keys: StationKeys | None = None,
        journal: Journal | None = None,
        *,
        station: Station = Station(),  # noqa: B008 - frozen
        completing: CompletingSymbols | None = None,
    ) -> None:
        """`keys`: those of the configuration where they are not given. `journal`: none where left out.

        `station`: what an earlier life has chosen. `completing`: what it has learned of labels.
        """
        settings = config.station
        keys = keys or read_keys(settings.code_key_file, config.context)
        self.memory = StationState(station=station)
        self.completing: Final = completing or CompletingSymbols()
        """Which symbol of an article's label completes it."""
        self.key_trouble: Final = keys.trouble
        """Why a configured key cannot be used, one line each."""
        self._settings = settings
        self._patterns = tuple(bounded(pattern) for pattern in settings.item_patterns)
        self._codes = ControlCodes(config.gateway.site, keys.control)
        self._contexts = ContextReader(config.context, keys.protector)
        self._builder = EventBuilder(config, master, journal or NoJournal())
        profile = self._builder.profile
        self._times = MoveTimes(
            pairing_ns=settings.pairing_seconds * NS,
            keyed_ns=settings.keyed_seconds * NS,
            action_ns=settings.action_seconds * NS,
            lasting_ns=(settings.lasting_seconds or profile.lasting_seconds) * NS,
            undo_ns=settings.undo_seconds * NS,
            context_ns=(config.context.seconds or profile.context_seconds) * NS,
            default_action=settings.default_action,
        )
        self._restore_ns = config.context.restore_seconds * NS

    @property
    def master_trouble(self) -> str | None:
        """Why the article master cannot be used; None when it can."""
        return self._builder.master_trouble

    def knows(self, identifier: str, issuer: str | None) -> bool:
        """Return whether the master knows an article; without `issuer` the identifier is a label's text."""
        look_up = self._builder.look_up(identifier, identifier if issuer else None)
        return look_up.match is not Match.NONE

    def deadline_ns(self) -> int | None:
        """When `elapse` has something to do if nothing is scanned, CLOCK_MONOTONIC; None: nothing is under way."""
        return machine.deadline_ns(self.memory.station)

    def consider(self, scan: RawScan, clock: ClockReading, identity: str) -> Outcome:
        """Take one scan; `identity` is the id of the event it may become or begin."""
        at_ns = scan.frame.started_ns
        transaction = ScanTransaction(self.memory, self._builder, self._times, clock, scan.scanner)
        transaction.make(machine.elapse(self.memory.station, at_ns, self._times, scan.scanner))
        code = self._codes.read(scan.text)
        what = Occurrence(input=Input.WHO_AM_I, scanner=scan.scanner, at_ns=at_ns, id=identity)
        entry = transaction.memory.station.keyed.get(scan.scanner)
        if isinstance(code, ControlCode) and entry is not None and is_typing(code):
            return self._consider_key(code, entry, transaction, what)
        if isinstance(code, ControlCode):
            what = coded(what, code, transaction.memory, self._times.default_action)
            transaction.make(machine.step(transaction.memory.station, what, self._times), NO_LABEL)
            news = {"control": code.kind, "input": what.input.value}
            return self._done(transaction, scan.scanner, counts=(f"control.{code.kind}",), news=news)
        if isinstance(code, ForeignCode):
            return Outcome(
                scanner=scan.scanner,
                signal=Signal.REFUSED,
                moved=False,
                counts=(f"foreign.{code.why}",),
                news={"foreign": code.why},
                remark=control_codes.WHAT_TO_DO[code.why],
            )
        if entry is not None and scan.symbology is None:  # a line from the keypad
            news = {"keyed": self._take_typed(entry.text + scan.text, transaction, what)}
            return self._done(transaction, scan.scanner, news=news)
        return self._consider_text(scan, transaction, what)

    def _consider_key(
        self, code: ControlCode, entry: KeyedEntry, transaction: ScanTransaction, what: Occurrence
    ) -> Outcome:
        """Take a code of keyed entry; one that is no character finishes the field that is being typed."""
        news = "typed"
        finishes, ends = code.kind in {"field", "keyed-end"}, code.kind == "keyed-end"
        if finishes and entry.text:
            news = self._take_typed(entry.text, transaction, what, ends=ends)
            if news != "typed":
                return self._key_done(code, news, transaction, what)
            entry = transaction.memory.station.keyed.get(what.scanner, entry)
        elif ends:
            news = self._end_typed(transaction, what)
        if not ends:
            after = typed_by_code(entry, code)
            what = replace(what, input=Input.IMPOSSIBLE if after is None else Input.KEY, code=code, entry=after)
            transaction.make(machine.step(transaction.memory.station, what, self._times))
        return self._key_done(code, news, transaction, what)

    def _key_done(self, code: ControlCode, news: str, transaction: ScanTransaction, what: Occurrence) -> Outcome:
        counts = (f"control.{code.kind}",)
        return self._done(transaction, what.scanner, counts, {"control": code.kind, "keyed": news})

    def _take_typed(self, typed: str, transaction: ScanTransaction, what: Occurrence, *, ends: bool = False) -> str:
        """Take a field or a whole text that was typed; return `typed`, or the code for which it is refused."""
        today, station = transaction.clock.today(), transaction.memory.station
        entry, open_item = station.keyed[what.scanner], station.open_items.get(what.scanner)
        text = keyed_entry.label_text(entry.field, typed, open_item.label.decoded if open_item else None)
        decoded = decode(text or "", today=today)
        fault = keyed_entry.NOT_UNDERSTOOD if text is None else keyed_entry.fault_of(typed, decoded)
        if text is None or fault is not None:
            fault = keyed_entry.PERSON if names_person(typed) else fault or keyed_entry.NOT_UNDERSTOOD
            return self._mistyped(fault, transaction, what)
        symbol = Symbol(
            text=text, symbology=None, raw=text.encode(), quality=frozenset({InputQuality.TYPED}), at_ns=what.at_ns
        )
        look_up = self._builder.look_up(text, decoded.device_identifier)
        read = SymbolRead(symbol=symbol, decoded=decoded, look_up=look_up)
        placement = place(read, open_item, (), window_ns=self._times.pairing_ns, today=today, keyed=True)
        known = placement.label.decoded if placement.label else decoded
        if not known.ok or (open_item is not None and placement.move in {Move.NEW, Move.STRAY}):
            return self._mistyped(keyed_entry.OTHER_LABEL, transaction, what)
        what, reading = self._placed(what, read, placement, station, (), today, ends=ends)
        transaction.make(machine.step(station, what, self._times), reading)
        return "disagrees" if placement.move is Move.DISAGREES else "typed"

    def _mistyped(self, fault: str, transaction: ScanTransaction, what: Occurrence) -> str:
        station = transaction.memory.station
        entry = keyed_entry.refused(station.keyed[what.scanner], fault)
        transaction.make(machine.step(station, replace(what, input=Input.MISTYPED, entry=entry), self._times))
        return fault

    def _end_typed(self, transaction: ScanTransaction, what: Occurrence) -> str:
        """End keyed entry by its code: the label is an event, once its lot and serial number were typed twice."""
        station = transaction.memory.station
        item = station.open_items.get(what.scanner)
        if item is None:
            transaction.make(machine.step(station, replace(what, input=Input.IMPOSSIBLE), self._times))
            return "nothing-typed"
        symbol, decoded = item.symbols[-1], item.label.decoded
        look_up = self._builder.look_up(symbol.text, decoded.device_identifier)
        read = SymbolRead(symbol=symbol, decoded=decoded, look_up=look_up)
        again = not {pairing.Missing.TYPED_AGAIN, pairing.Missing.DEVICE_IDENTIFIER}.isdisjoint(item.missing)
        whole = Placement(move=Move.SAME if again else Move.JOINS, symbols=item.symbols, label=item.label)
        if again:
            what = replace(what, input=Input.SAME, label=item.label)
            transaction.make(machine.step(station, what, self._times))
            return "typed"
        what, reading = self._placed(what, read, whole, station, (), transaction.clock.today(), ends=True)
        transaction.make(machine.step(station, what, self._times), reading)
        return "typed"

    def _consider_text(  # noqa: C901 - one after the other, what a text can be
        self, scan: RawScan, transaction: ScanTransaction, what: Occurrence
    ) -> Outcome:
        """Take what is no control code: a context code, a label, or neither."""
        today = transaction.clock.today()
        text, redacted = scan.text, False
        whole = decoded = decode(text, scan.symbology, today=today)
        if not is_free_of_persons(text, whole, PERSONS):
            text, redacted = redact(text, scan.symbology, PERSONS)
            decoded = decode(text, scan.symbology, today=today) if redacted else whole
        look_up = self._builder.look_up(text, decoded.device_identifier)
        unread = tuple(
            found
            for found in whole.findings
            if found.code == UNREAD and found.element is None and found not in decoded.findings
        )
        if unread:  # it may have been a name and is gone; that something could not be read is to be known
            decoded = replace(decoded, ok=False, findings=(*decoded.findings, *unread))
        found = self._contexts.read(scan.text, scan.symbology, whole, known=look_up.match is not Match.NONE)
        if isinstance(found, ContextRefused):
            return _refused_context(scan.scanner, found)
        if isinstance(found, ContextItem):
            station = transaction.memory.station
            what = replace(what, input=_context_input(station, found, what), context=found)
            transaction.make(machine.step(station, what, self._times))
            news = {"context": found.kind, "input": what.input.value}
            return self._done(transaction, scan.scanner, counts=(f"context.{found.kind}",), news=news)
        station = transaction.memory.station
        open_item = station.open_items.get(scan.scanner)
        closed = machine.comparable(station, scan.scanner, what.at_ns, self._times)
        labels = (*([open_item] if open_item else ()), *reversed(closed))
        kept_back = None
        if own_number(text, labels) is None:
            kept_back = withheld(
                text,
                scan.symbology,
                decoded,
                look_up,
                self._patterns,
                redacted=redacted,
                waiting=any(item.label.decoded.issuer is decoded.issuer for item in labels),
            )
        if kept_back is not None:
            counts = (f"withheld.{kept_back.kind}",)
            return Outcome(
                scanner=scan.scanner, signal=Signal.REFUSED, moved=False, withheld=kept_back, counts=counts
            )
        typed = scan.symbology is None and gs1.is_hri(text)
        symbol = Symbol(
            text=text,
            symbology=scan.symbology,
            raw=(scan.symbology or "").encode() + text.encode() if redacted else scan.frame.data,
            quality=scan.quality | ({InputQuality.TYPED} if typed else frozenset()),
            at_ns=what.at_ns,
            redacted=redacted,
        )
        chosen = station.chosen.get(scan.scanner)
        if chosen is not None and chosen.action == "undo":
            return self._take_back(text, transaction, what)
        read = SymbolRead(symbol=symbol, decoded=decoded, look_up=look_up)
        if scan.scanner in station.keyed:
            closed = ()  # keyed entry is of one label, and of none that went before
        window_ns = self._times.pairing_ns
        placement = place(read, open_item, closed, window_ns=window_ns, today=today)
        if scan.scanner in station.keyed and open_item is not None and placement.move in {Move.NEW, Move.STRAY}:
            transaction.make(machine.step(station, replace(what, input=Input.LEFT), self._times))
            station = transaction.memory.station
            closed = machine.comparable(station, scan.scanner, what.at_ns, self._times)
            placement = place(read, None, closed, window_ns=window_ns, today=today)
        unit = asset_of(decoded)
        if unit is not None and unit.scheme == "SSCC" and self._builder.profile.receives:
            station = self._receiving(station, what)
            closed = machine.comparable(station, scan.scanner, what.at_ns, self._times)
        what, reading = self._placed(what, read, placement, station, closed, today)
        transaction.make(machine.step(station, what, self._times), reading)
        if placement.move is Move.KNOWN and placement.target is not None:
            transaction.confirm(placement.target)
        return self._done(transaction, scan.scanner)

    def _receiving(self, station: Station, what: Occurrence) -> Station:
        """Return the station as a delivery's label leaves it: what is scanned behind it is received."""
        if what.scanner in station.chosen:
            return station
        receive = ControlCode(kind="action", action="receive")
        return machine.step(station, replace(what, input=Input.ACTION, code=receive), self._times).station

    def _take_back(self, text: str, transaction: ScanTransaction, what: Occurrence) -> Outcome:
        """Take back the event of a label that was scanned behind the code `take back an item`."""
        memory = transaction.memory
        present = event_context(binding.context_of(memory.station, what.scanner))
        found = event_of_label(text, memory, present)
        if found is None:
            what = replace(what, input=Input.NOT_FOUND)
        else:
            target = done_of(found, memory.recent[found])
            what = replace(what, input=Input.TAKEN_BACK, target=target, repeats=memory.repeated())
        transaction.make(machine.step(memory.station, what, self._times))
        return self._done(transaction, what.scanner, news={"input": what.input.value})

    def _placed(
        self,
        what: Occurrence,
        read: SymbolRead,
        placement: Placement,
        station: Station,
        closed: tuple[Item, ...],
        today: date,
        *,
        ends: bool = False,
    ) -> tuple[Occurrence, ItemReading]:
        """Return the input that a placement is, and what is read of the item it makes.

        `ends`: keyed entry ends with this symbol, whatever the label lacks.
        """
        label, symbols = placement.label, placement.symbols
        if label is None or not symbols:
            known = Input.SAME if placement.target is None else Input.KNOWN
            what = replace(what, input=known, label=label, known=placement.target)
            return what, ItemReading(decoded=read.decoded, look_up=read.look_up)
        decoded, look_up = label.decoded, read.look_up
        if len(symbols) > 1:
            look_up = self._builder.look_up(symbols[0].text, decoded.device_identifier)
            label = replace(label, article=look_up.article, match=look_up.match)
        texts = [(one.text, one.symbology) for one in symbols]
        lacking = pairing.missing(decoded, texts, look_up, self._builder.profile)
        by_hand = _lacking_by_hand(symbols, decoded, today, keyed=what.scanner in station.keyed and not ends)
        awaited = set(lacking) & {pairing.Missing.DEVICE_IDENTIFIER} if ends else set(lacking)
        waits = bool(awaited or by_hand) and decoded.ok and len(symbols) < MAX_SYMBOLS
        lacking = (*lacking, *by_hand)
        replaces = placement.replaces
        if not lacking and placement.move is not Move.STRAY:
            earlier = machine.incomplete_of(station, what.scanner, label, what.at_ns, self._times)
            replaces = (*replaces, *((earlier.id,) if earlier and earlier.id not in replaces else ()))
        what = replace(
            what,
            input=_input(placement, waits=waits, idle=what.scanner not in station.open_items),
            symbols=symbols,
            label=label,
            replaces=replaces,
            missing=lacking,
            like=_like(read, closed) if placement.move is _NEW else None,
        )
        return what, ItemReading(decoded=decoded, look_up=look_up, remarks=placement.remarks)

    def close_case(self, clock: ClockReading, identity: str) -> Outcome | None:
        """Close the case that is set, as its code does, for a command or the screen; None: none is set."""
        transaction = ScanTransaction(self.memory, self._builder, self._times, clock)
        transaction.make(machine.elapse(self.memory.station, clock.monotonic_ns, self._times))
        if not binding.is_bound(transaction.memory.station):
            return None
        station = transaction.memory.station
        over_ns = clock.monotonic_ns - ON_THE_WIRE_NS - 1
        half = {name: replace(item, until_ns=over_ns) for name, item in station.open_items.items()}
        transaction.make(machine.elapse(replace(station, open_items=half), clock.monotonic_ns, self._times))
        what = Occurrence(input=Input.CLOSE_CASE, scanner="", at_ns=clock.monotonic_ns, id=identity)
        transaction.make(machine.step(transaction.memory.station, what, self._times))
        news = {"control": "close-case", "input": what.input.value}
        return self._done(transaction, "", counts=("control.close-case",), news=news)

    def case(self, clock: ClockReading) -> CaseSummary | None:
        """Return what the case that is set comes to until now; None: none is set."""
        context = self.memory.station.context
        if not binding.is_bound(self.memory.station):
            return None
        first = context.get("case") or context["patient"]
        effect = CaseClosed(
            id="",
            scanner="",
            at_ns=clock.monotonic_ns,
            context=binding.context_of(self.memory.station, ""),
            since_ns=first.since_ns,
        )
        return summary_of(self._builder.case(effect, (), clock).data)

    def read_case(self, text: str) -> ContextItem | None:
        """Return the case that a text names, as its code would; None for a text that is none. Any thread."""
        found = self._contexts.read(text, None, decode(text, None, today=date.min))
        return found if isinstance(found, ContextItem) and found.kind == "case" else None

    def can_compare(self, patient: PersonRef) -> bool:
        """Return whether a pseudonym is made with the key of this station, so that a wristband can be compared."""
        return self._contexts.compares(patient)

    def push(self, pushed: PushedCase, clock: ClockReading) -> Outcome:
        """Take a case that the central system has set, in place of an earlier push of it. Monotonic times."""
        transaction = ScanTransaction(self.memory, self._builder, self._times, clock)
        transaction.make(machine.elapse(self.memory.station, clock.monotonic_ns, self._times))
        station = pushed_case.with_push(transaction.memory.station, pushed, clock.monotonic_ns)
        transaction.make(machine.elapse(station, clock.monotonic_ns, self._times))
        return replace(self._done(transaction, "", counts=("pushed-case",)), signal=None)

    def elapse(self, clock: ClockReading) -> list[Outcome]:
        """Let time pass: labels whose next symbol did not come in time go out as they stand."""
        return self._elapse(clock, clock.monotonic_ns)

    def finish(self, clock: ClockReading) -> list[Outcome]:
        """Publish every label that is scanned by half: nobody will scan the rest of it here."""
        last = max((item.until_ns for item in self.memory.station.open_items.values()), default=None)
        return [] if last is None else self._elapse(clock, last + ON_THE_WIRE_NS + 1)

    def _elapse(self, clock: ClockReading, at_ns: int) -> list[Outcome]:
        transaction = ScanTransaction(self.memory, self._builder, self._times, clock)
        transaction.make(machine.elapse(self.memory.station, at_ns, self._times))
        before, self.memory = self.memory, transaction.memory
        outcomes = [
            _of_time(write) for write in transaction.writes if isinstance(write, NewEvent | NewLabelProblem)
        ]
        notes = _notes(before.station, self.memory.station, clock)
        return [*outcomes, *([Outcome(scanner="", signal=None, writes=notes)] if notes else [])]

    def resume(
        self, bodies: Iterable[bytes], clock: ClockReading, note: str | None = None
    ) -> tuple[StationNote, ...]:
        """Learn what was scanned before the daemon started: repeats are known as such, and undoing goes on.

        `note`: what was kept of the context, which goes on where its last use is not long ago. Returns what is
        to be kept of it now: one that has ended must not come back at the next restart, when there is a newer use.
        """
        memory = self.memory
        used_ns: dict[str, int] = {}
        for body in bodies:
            try:
                event = cloudevent.decode_scan(body)
                data, at_ns = event.data, _moment(event, clock)
            except cloudevent.UNREADABLE:
                continue  # a clock event, or a damaged disk
            if at_ns is None or data.station.id != self._builder.station_id:
                continue
            used_ns[data.station.scanner] = at_ns
            if data.undoes is not None:
                memory = memory.without(data.undoes)
                continue
            if data.used_despite is not None and data.used_despite.event in memory.recent:
                memory = memory.without_refusals(data.used_despite.event)
            key = self._builder.repeat_key(data)
            memory = memory.with_event(event.id, data, at_ns, key, self._builder.repeat_ns)
            station = machine.resumed(memory.station, done_of(event.id, data), at_ns, self._times)
            station = with_label(station, event.id, data, at_ns, self._times)
            memory = replace(memory, station=station)
        station = station_note.restored(memory.station, note, used_ns, clock, self._times, self._restore_ns)
        station = machine.elapse(station, clock.monotonic_ns, self._times).station
        self.memory = replace(memory, station=station)
        kept = station_note.note(station, clock)
        return () if note is None and not station_note.changed(Station(), station) else (kept,)

    def close(self) -> None:
        """Close the article master and the journal."""
        self._builder.close()

    def _done(
        self,
        transaction: ScanTransaction,
        scanner: str,
        counts: tuple[str, ...] = (),
        news: Mapping[str, str] | None = None,
    ) -> Outcome:
        before, self.memory = self.memory, transaction.memory
        return Outcome(
            scanner=scanner,
            signal=transaction.signal,
            writes=(*transaction.stored, *_notes(before.station, self.memory.station, transaction.clock)),
            counts=counts,
            news=news or {},
        )

    def view(self, clock: ClockReading) -> StationView:
        """Return what a display shows of the station now."""
        newest = next(reversed(self.memory.recent), None)
        return view_of(
            self.memory.station, self._builder.station_id, newest, self._settings, clock, self.completing.suggested
        )


def _of_time(write: NewEvent | NewLabelProblem) -> Outcome:
    """Return what comes of a label, or of a keyed entry without one, whose time is up."""
    scanner = write.data.station.scanner
    if isinstance(write, NewLabelProblem):
        return Outcome(scanner=scanner, signal=Signal.REFUSED, writes=(write,), news={"keyed": "ended"})
    return Outcome(scanner=scanner, signal=verdict_signal(write.data), writes=(write, *problems_of((write,))))


def _lacking_by_hand(
    symbols: Sequence[Symbol], decoded: Decoded, today: date, *, keyed: bool
) -> tuple[pairing.Missing, ...]:
    """Return what is still to be typed of a label: a number again; `keyed`: the code that ends keyed entry."""
    typed = any(one.typed for one in symbols)
    again = typed and keyed_entry.is_to_be_typed_again(symbols, today)
    goes_on = keyed and (typed or not says_more(statements(decoded)))
    return (
        *((pairing.Missing.TYPED_AGAIN,) if again else ()),
        *((pairing.Missing.END,) if goes_on else ()),
    )


def _like(read: SymbolRead, closed: tuple[Item, ...]) -> Meaning | None:
    """Return what a label meant that is scanned again at once behind an action for one item, else None.

    Who doubts the signal scans it again: that is no use of what was just thrown away.
    """
    for item in closed:
        if item.meaning.one_item and any(one.text == read.symbol.text for one in item.symbols):
            return replace(item.meaning, quantity=1, quantity_given=False, again=item.id)
    return None


def _input(placement: Placement, *, waits: bool, idle: bool) -> Input:
    """Return the input that a placement is; `idle`: no label waits, so that one just closed can wait again."""
    match placement.move:
        case Move.STRAY:
            return Input.STRAY
        case Move.DISAGREES:
            return Input.DISAGREES
        case Move.LATE:
            return Input.BEGINS if waits and idle else Input.LATE
        case Move.JOINS:
            return Input.CONTINUES if waits else Input.COMPLETES
        case _:
            return Input.BEGINS if waits else Input.WHOLE


def _context_input(station: Station, item: ContextItem, what: Occurrence) -> Input:
    chosen = station.chosen.get(what.scanner)
    if item.kind == "location" and chosen is not None and chosen.action == "transfer":
        return Input.DESTINATION
    return binding.input_of(station, item, what.at_ns)


def _notes(before: Station, after: Station, clock: ClockReading) -> tuple[StationNote, ...]:
    """Return what is to be kept for a restart, where it has changed."""
    return (station_note.note(after, clock),) if station_note.changed(before, after) else ()


def _refused_context(scanner: str, found: ContextRefused) -> Outcome:
    return Outcome(
        scanner=scanner,
        signal=Signal.REFUSED,
        moved=False,
        counts=(f"context-refused.{found.kind}.{found.why}",),
        news={"contextRefused": found.kind, "why": found.why},
        remark=context.WHAT_TO_DO[found.why],
    )


def _moment(event: cloudevent.ScanEvent, clock: ClockReading) -> int | None:
    """Return when an event was scanned, in this boot's monotonic time; None where no clock tells."""
    stamp = event.data.clock
    if stamp.boot_id == clock.boot_id:
        return stamp.monotonic_ns
    if not (clock.synchronised and (stamp.synchronised or stamp.corrected)):
        return None
    return clock.monotonic_ns - (clock.wall_ns - cloudevent.parse_time(event.time))

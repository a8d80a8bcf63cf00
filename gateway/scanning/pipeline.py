"""From a symbol as read to what is to be stored and signalled: decode, guard, pair, look up, judge.

All that a station knows stands in one value, `memory`. Whoever could not store what came of a scan puts the earlier
one back, and the scan has not happened.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from msgspec.structs import replace

from drivers.model import RawScan, Signal
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import Config
from gateway.events import cloudevent
from gateway.model import Match
from gateway.outbox.entry import NewEvent, StationNote
from gateway.scanning import station_note
from gateway.scanning.case_summary import CaseSummary, summary_of
from gateway.scanning.code_input import coded
from gateway.scanning.completing_symbols import CompletingSymbols
from gateway.scanning.event_builder import EventBuilder, Reading, event_context
from gateway.scanning.outcome import Outcome
from gateway.scanning.resumed_labels import with_label
from gateway.scanning.station_state import StationState, done_of
from gateway.scanning.stories import Journal, NoJournal, event_of_label
from gateway.scanning.transaction import ScanTransaction, verdict_signal
from gateway.station import binding, context, control_codes, machine, pairing, pushed_case
from gateway.station.assets import asset_of
from gateway.station.context import ContextItem, ContextReader, ContextRefused
from gateway.station.control_codes import ControlCode, ControlCodes, ForeignCode
from gateway.station.keys import StationKeys, read_keys
from gateway.station.label_engine import Move, Placement, SymbolRead, own_number, place
from gateway.station.machine import Occurrence
from gateway.station.patterns import bounded
from gateway.station.privacy import PERSONS, withheld
from gateway.station.protect import PersonRef
from gateway.station.values import (
    MAX_SYMBOLS,
    ON_THE_WIRE_NS,
    CaseClosed,
    Item,
    Meaning,
    MoveTimes,
    PushedCase,
    Station,
    Symbol,
)
from gateway.station.view import StationView, view_of
from gateway.station.workflow import Input
from gateway.system.clock import NS, ClockReading
from gateway.udi import decode
from gateway.udi.personal import is_free_of_persons, redact

UNREAD: Final = "GS1_UNKNOWN_AI"
_NEW: Final = Move.NEW
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
        if isinstance(code, ControlCode):
            what = coded(what, code, transaction.memory, self._times.default_action)
            transaction.make(machine.step(transaction.memory.station, what, self._times))
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
        return self._consider_text(scan, transaction, what)

    def _consider_text(self, scan: RawScan, transaction: ScanTransaction, what: Occurrence) -> Outcome:
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
        symbol = Symbol(
            text=text,
            symbology=scan.symbology,
            raw=(scan.symbology or "").encode() + text.encode() if redacted else scan.frame.data,
            quality=scan.quality,
            at_ns=what.at_ns,
            redacted=redacted,
        )
        chosen = station.chosen.get(scan.scanner)
        if chosen is not None and chosen.action == "undo":
            return self._take_back(text, transaction, what)
        read = SymbolRead(symbol=symbol, decoded=decoded, look_up=look_up)
        placement = place(read, open_item, closed, window_ns=self._times.pairing_ns, today=today)
        unit = asset_of(decoded)
        if unit is not None and unit.scheme == "SSCC" and self._builder.profile.receives:
            station = self._receiving(station, what)
            closed = machine.comparable(station, scan.scanner, what.at_ns, self._times)
        what, reading = self._placed(what, read, placement, station, closed)
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
    ) -> tuple[Occurrence, Reading]:
        """Return the input that a placement is, and what is read of the item it makes."""
        label, symbols = placement.label, placement.symbols
        if label is None or not symbols:
            known = Input.SAME if placement.target is None else Input.KNOWN
            what = replace(what, input=known, label=label, known=placement.target)
            return what, Reading(decoded=read.decoded, look_up=read.look_up)
        decoded, look_up = label.decoded, read.look_up
        if len(symbols) > 1:
            look_up = self._builder.look_up(symbols[0].text, decoded.device_identifier)
            label = replace(label, article=look_up.article, match=look_up.match)
        texts = [(one.text, one.symbology) for one in symbols]
        lacking = pairing.missing(decoded, texts, look_up, self._builder.profile)
        waits = bool(lacking) and decoded.ok and len(symbols) < MAX_SYMBOLS
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
        return what, Reading(decoded=decoded, look_up=look_up, remarks=placement.remarks)

    def close_case(self, clock: ClockReading, identity: str) -> Outcome | None:
        """Close the case that is set, as its code does, for who asks from elsewhere; None: none is set."""
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
        """Let every half scanned label go out: nobody will scan the rest of it here."""
        last = max((item.until_ns for item in self.memory.station.open_items.values()), default=None)
        return [] if last is None else self._elapse(clock, last + ON_THE_WIRE_NS + 1)

    def _elapse(self, clock: ClockReading, at_ns: int) -> list[Outcome]:
        transaction = ScanTransaction(self.memory, self._builder, self._times, clock)
        transaction.make(machine.elapse(self.memory.station, at_ns, self._times))
        before, self.memory = self.memory, transaction.memory
        outcomes = [
            Outcome(scanner=draft.data.station.scanner, signal=verdict_signal(draft.data), writes=(draft,))
            for draft in transaction.writes
            if isinstance(draft, NewEvent)
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
            writes=(*transaction.writes, *_notes(before.station, self.memory.station, transaction.clock)),
            counts=counts,
            news=news or {},
        )

    def view(self, clock: ClockReading) -> StationView:
        """Return what a display shows of the station now."""
        newest = next(reversed(self.memory.recent), None)
        return view_of(
            self.memory.station, self._builder.station_id, newest, self._settings, clock, self.completing.suggested
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

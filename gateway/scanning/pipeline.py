"""From a symbol as read to what is to be stored and told: decode, guard, pair, look up, judge.

All that a station knows stands in one value, `memory`. Whoever could not store what came of a scan puts the earlier
one back, and the scan has not happened.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from msgspec.structs import replace

from drivers.model import RawScan, Signal
from gateway.articles.store import ArticleMaster
from gateway.config.loader import Config
from gateway.events import cloudevent
from gateway.model import Decoded, Match
from gateway.outbox.entry import NewEvent, StationNote
from gateway.scanning import context_note
from gateway.scanning.code_input import coded
from gateway.scanning.event_builder import EventBuilder, Reading, event_context
from gateway.scanning.outcome import Outcome
from gateway.scanning.station_state import StationState
from gateway.scanning.stories import NoJournal, UsedPieces, event_of_label
from gateway.scanning.transaction import ScanTransaction, verdict_signal
from gateway.station import binding, context, control_codes, machine, pairing
from gateway.station.context import ContextItem, ContextReader, ContextRefused
from gateway.station.control_codes import ControlCode, ControlCodes, ForeignCode
from gateway.station.keys import StationKeys, read_keys
from gateway.station.machine import Occurrence
from gateway.station.patterns import bounded
from gateway.station.privacy import is_person, withheld
from gateway.station.values import MAX_SYMBOLS, ON_THE_WIRE_NS, Done, Item, MoveTimes, Station, Symbol
from gateway.station.view import StationView, view_of
from gateway.station.workflow import Input
from gateway.system.clock import NS, ClockReading
from gateway.udi import decode
from gateway.udi.personal import redact

RESUMED_EVENTS: Final = 256
"""Newest events looked at when the daemon starts, for repeats and for what can be undone: 10 ms."""


class Pipeline:
    """The way of one scan. Reads the article master, and else does no I/O. Used by one thread."""

    def __init__(
        self,
        config: Config,
        master: ArticleMaster,
        keys: StationKeys | None = None,
        used_pieces: UsedPieces | None = None,
    ) -> None:
        """`keys`: those of the configuration where they are not given. `used_pieces`: what the journal knows."""
        settings = config.station
        keys = keys or read_keys(settings.code_key_file, config.context)
        self.memory = StationState()
        self.key_trouble: Final = keys.trouble
        """Why a configured key cannot be used, one line each."""
        self._settings = settings
        self._patterns = tuple(bounded(pattern) for pattern in settings.item_patterns)
        self._codes = ControlCodes(config.gateway.site, keys.control)
        self._contexts = ContextReader(config.context, keys.protector)
        self._builder = EventBuilder(config, master, used_pieces or NoJournal())
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
        """Tell whether the master knows an article; without `issuer` the identifier is a label's text."""
        look_up = self._builder.look_up(identifier, identifier if issuer else None)
        return look_up.match is not Match.NONE

    def deadline_ns(self) -> int | None:
        """When `elapse` has something to do if nothing is scanned, CLOCK_MONOTONIC; None: nothing is under way."""
        return self.memory.station.deadline_ns()

    def consider(self, scan: RawScan, clock: ClockReading, identity: str) -> Outcome:
        """Take one scan; `identity` is the id of the event it may become or begin."""
        at_ns = scan.frame.started_ns
        transaction = ScanTransaction(self.memory, self._builder, self._times, clock)
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
        text, redacted = redact(scan.text, scan.symbology, is_person)
        today = transaction.clock.today()
        decoded = decode(text, scan.symbology, today=today)
        look_up = self._builder.look_up(text, decoded.device_identifier)
        whole = decode(scan.text, scan.symbology, today=today) if redacted else decoded
        found = self._contexts.read(scan.text, scan.symbology, whole, known=look_up.match is not Match.NONE)
        if isinstance(found, ContextRefused):
            return _refused_context(scan.scanner, found)
        if isinstance(found, ContextItem):
            station = transaction.memory.station
            what = replace(what, input=_context_input(station, found, what), context=found)
            transaction.make(machine.step(station, what, self._times))
            news = {"context": found.kind, "input": what.input.value}
            return self._done(transaction, scan.scanner, counts=(f"context.{found.kind}",), news=news)
        item = transaction.memory.station.open_items.get(scan.scanner)
        label = transaction.memory.open_label(scan.scanner)
        waiting = label is not None and label.issuer is decoded.issuer
        kept_back = withheld(
            text, scan.symbology, decoded, look_up, self._patterns, redacted=redacted, waiting=waiting
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
        chosen = transaction.memory.station.chosen.get(scan.scanner)
        if chosen is not None and chosen.action == "undo":
            return self._take_back(text, transaction, what)
        alone = Reading(decoded=decoded, look_up=look_up)
        what = replace(what, symbol=symbol)
        if item is not None and label is not None:
            what, reading = self._placed(what, symbol, alone, item, label, today)
        else:
            what, reading = self._new(what, symbol, alone)
        transaction.make(machine.step(transaction.memory.station, what, self._times), reading)
        return self._done(transaction, scan.scanner)

    def _take_back(self, text: str, transaction: ScanTransaction, what: Occurrence) -> Outcome:
        """Take back the event of a label that was scanned behind the code `take back an item`."""
        memory = transaction.memory
        present = event_context(binding.context_of(memory.station, what.scanner))
        found = event_of_label(text, memory, present)
        if found is None:
            what = replace(what, input=Input.NOT_FOUND)
        else:
            data = memory.recent[found]
            target = Done(id=found, scanner=data.station.scanner, quantity=data.quantity)
            what = replace(what, input=Input.TAKEN_BACK, target=target)
        transaction.make(machine.step(memory.station, what, self._times))
        return self._done(transaction, what.scanner, news={"input": what.input.value})

    def _placed(
        self, what: Occurrence, symbol: Symbol, alone: Reading, item: Item, label: Decoded, today: date
    ) -> tuple[Occurrence, Reading]:
        """Tell what a symbol is to the label under way: the input, and what is read of the item it makes."""
        before = [(one.text, one.symbology) for one in item.symbols]
        here = (symbol.text, symbol.symbology)
        together = pairing.joined([*before, here], today)
        if any(one.text == symbol.text for one in item.symbols) or pairing.is_same(together):
            return replace(what, input=Input.SAME), alone
        if pairing.is_stray(together, label, alone.decoded):
            remarks = tuple(found for found in together.findings if found.code == pairing.LINK)
            begun, _ = self._new(what, symbol, alone)
            return replace(begun, input=Input.STRAY), replace(alone, remarks=remarks)
        if not pairing.belongs(together, label, alone.decoded, here):
            return self._new(what, symbol, alone)
        look_up = self._builder.look_up(item.symbols[0].text, together.device_identifier)
        lacking = pairing.missing(together, [*before, here], look_up, self._builder.profile)
        goes_on = lacking and len(before) + 1 < MAX_SYMBOLS
        what = replace(what, input=Input.CONTINUES if goes_on else Input.COMPLETES, missing=lacking)
        return what, Reading(decoded=together, look_up=look_up)

    def _new(self, what: Occurrence, symbol: Symbol, alone: Reading) -> tuple[Occurrence, Reading]:
        """Tell whether a symbol is a label by itself, or the first of several."""
        here = [(symbol.text, symbol.symbology)]
        lacking = pairing.missing(alone.decoded, here, alone.look_up, self._builder.profile)
        waits = lacking and alone.decoded.ok  # a damaged symbol is refused at once, and scanned again
        return replace(what, input=Input.BEGINS if waits else Input.WHOLE, missing=lacking), alone

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
            Outcome(scanner=draft.data.station.scanner, signal=verdict_signal(draft), writes=(draft,))
            for draft in transaction.writes
            if isinstance(draft, NewEvent)
        ]
        notes = _notes(before.station, self.memory.station, clock)
        return [*outcomes, *([Outcome(scanner="", signal=None, writes=notes)] if notes else [])]

    def resume(self, bodies: Iterable[bytes], clock: ClockReading, note: str | None = None) -> None:
        """Learn what was scanned before the daemon started: repeats are known as such, and undoing goes on.

        `note`: what was kept of the context, which goes on where its last use is not long ago.
        """
        memory = self.memory
        used_ns: int | None = None
        for body in bodies:
            try:
                event = cloudevent.decode_scan(body)
                data, at_ns = event.data, _moment(event, clock)
            except cloudevent.UNREADABLE:
                continue  # a clock event, or a damaged disk
            if at_ns is None or data.station.id != self._builder.station_id:
                continue
            used_ns = at_ns
            if data.undoes is not None:
                memory = memory.without(data.undoes)
                continue
            if data.used_despite is not None and data.used_despite.event in memory.recent:
                memory = memory.without_refusals(data.used_despite.event)
            key = self._builder.repeat_key(data)
            memory = memory.with_event(event.id, data, at_ns, key, self._builder.repeat_ns)
            done = Done(id=event.id, scanner=data.station.scanner, quantity=data.quantity)
            memory = replace(memory, station=machine.resumed(memory.station, done, at_ns, self._times))
        station = context_note.restored(memory.station, note, used_ns, clock, self._times, self._restore_ns)
        station = machine.elapse(station, clock.monotonic_ns, self._times).station
        self.memory = replace(memory, station=station)

    def close(self) -> None:
        """Let the article master go."""
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
        return view_of(self.memory.station, self._builder.station_id, newest, self._settings, clock)


def _context_input(station: Station, item: ContextItem, what: Occurrence) -> Input:
    chosen = station.chosen.get(what.scanner)
    if item.kind == "location" and chosen is not None and chosen.action == "transfer":
        return Input.DESTINATION
    return binding.input_of(station, item, what.at_ns)


def _notes(before: Station, after: Station, clock: ClockReading) -> tuple[StationNote, ...]:
    """Return what is to be kept for a restart, where it has changed."""
    changed = (before.context, before.ended) != (after.context, after.ended)
    return (context_note.note(after, clock),) if changed else ()


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

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
from gateway.outbox.entry import NewEvent
from gateway.scanning.event_builder import EventBuilder, Reading
from gateway.scanning.outcome import Outcome
from gateway.scanning.transaction import ScanTransaction, StationState, verdict_signal
from gateway.station import context, control_codes, machine, pairing
from gateway.station.context import ContextItem, ContextReader, ContextRefused
from gateway.station.control_codes import ControlCode, ControlCodes, ForeignCode
from gateway.station.keys import StationKeys, read_keys
from gateway.station.machine import Given
from gateway.station.patterns import bounded
from gateway.station.privacy import is_person, withheld
from gateway.station.values import MAX_SYMBOLS, ON_THE_WIRE_NS, Done, Item, Rules, Station, Symbol
from gateway.station.view import StationView, view_of
from gateway.station.workflow import Input
from gateway.system.clock import NS, ClockReading
from gateway.udi import decode
from gateway.udi.personal import redact

RESUMED_EVENTS: Final = 256
"""Newest events looked at when the daemon starts, for repeats and for what can be undone: 10 ms."""
_CONTROL: Final[Mapping[control_codes.Kind, Input]] = {
    "action": Input.ACTION,
    "quantity": Input.QUANTITY,
    "undo": Input.UNDO,
    "cancel": Input.CANCEL,
    "clear-context": Input.CLEAR_CONTEXT,
    "who-am-i": Input.WHO_AM_I,
}


class Pipeline:
    """The way of one scan. Reads the article master, and else does no I/O. Used by one thread."""

    def __init__(
        self,
        config: Config,
        master: ArticleMaster,
        keys: StationKeys | None = None,
        *,
        station: Station = Station(),  # noqa: B008 - frozen
    ) -> None:
        """`keys`: those of the configuration where they are not given; `station`: what an earlier life has chosen."""
        settings = config.station
        keys = keys or read_keys(settings.code_key_file, config.context)
        self.memory = StationState(station=station)
        self.key_trouble: Final = keys.trouble
        """Why a configured key cannot be used, one line each."""
        self._settings = settings
        self._patterns = tuple(bounded(pattern) for pattern in settings.item_patterns)
        self._codes = ControlCodes(config.gateway.site, keys.control)
        self._contexts = ContextReader(config.context, keys.protector)
        self._drafting = EventBuilder(config, master)
        seconds = settings.repeat_seconds
        self._repeat_ns = (self._drafting.profile.repeat_seconds if seconds is None else seconds) * NS
        self._rules = Rules(
            pairing_ns=settings.pairing_seconds * NS,
            action_ns=settings.action_seconds * NS,
            undo_ns=settings.undo_seconds * NS,
            context_ns=config.context.seconds * NS,
            default_action=settings.default_action,
        )

    @property
    def master_trouble(self) -> str | None:
        """Why the article master cannot be used; None when it can."""
        return self._drafting.master_trouble

    def knows(self, identifier: str, issuer: str | None) -> bool:
        """Tell whether the master knows an article; without `issuer` the identifier is a label's text."""
        look_up = self._drafting.look_up(identifier, identifier if issuer else None)
        return look_up.match is not Match.NONE

    def deadline_ns(self) -> int | None:
        """When `elapse` has something to do if nothing is scanned, CLOCK_MONOTONIC; None: nothing is under way."""
        return self.memory.station.deadline_ns()

    def consider(self, scan: RawScan, clock: ClockReading, identity: str) -> Outcome:
        """Take one scan; `identity` is the id of the event it may become or begin."""
        at_ns = scan.frame.started_ns
        turn = ScanTransaction(self.memory, self._drafting, self._repeat_ns, clock)
        turn.make(machine.elapse(self.memory.station, at_ns, self._rules, scan.scanner))
        code = self._codes.read(scan.text)
        given = Given(input=Input.WHO_AM_I, scanner=scan.scanner, at_ns=at_ns, id=identity)
        if isinstance(code, ControlCode):
            turn.make(machine.step(turn.memory.station, _coded(given, code), self._rules))
            return self._done(turn, scan.scanner, counts=(f"control.{code.kind}",), news={"control": code.kind})
        if isinstance(code, ForeignCode):
            return Outcome(
                scanner=scan.scanner,
                signal=Signal.REFUSED,
                moved=False,
                counts=(f"foreign.{code.why}",),
                news={"foreign": code.why},
                remark=control_codes.WHAT_TO_DO[code.why],
            )
        return self._consider_text(scan, turn, given)

    def _consider_text(self, scan: RawScan, turn: ScanTransaction, given: Given) -> Outcome:
        """Take what is no control code: a context code, a label, or neither."""
        text, redacted = redact(scan.text, scan.symbology, is_person)
        today = turn.clock.today()
        decoded = decode(text, scan.symbology, today=today)
        look_up = self._drafting.look_up(text, decoded.device_identifier)
        whole = decode(scan.text, scan.symbology, today=today) if redacted else decoded
        found = self._contexts.read(scan.text, scan.symbology, whole, known=look_up.match is not Match.NONE)
        if isinstance(found, ContextRefused):
            return _refused_context(scan.scanner, found)
        if isinstance(found, ContextItem):
            set_ = replace(given, input=Input.CONTEXT, context=found)
            turn.make(machine.step(turn.memory.station, set_, self._rules))
            return self._done(turn, scan.scanner, counts=(f"context.{found.kind}",), news={"context": found.kind})
        item = turn.memory.station.open_items.get(scan.scanner)
        label = turn.memory.open_label(scan.scanner)
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
            at_ns=given.at_ns,
            redacted=redacted,
        )
        alone = Reading(decoded=decoded, look_up=look_up)
        given = replace(given, symbol=symbol)
        if item is not None and label is not None:
            given, reading = self._placed(given, symbol, alone, item, label, today)
        else:
            given, reading = self._new(given, symbol, alone)
        turn.make(machine.step(turn.memory.station, given, self._rules), reading)
        return self._done(turn, scan.scanner)

    def _placed(
        self, given: Given, symbol: Symbol, alone: Reading, item: Item, label: Decoded, today: date
    ) -> tuple[Given, Reading]:
        """Tell what a symbol is to the label under way: the input, and what is read of the item it makes."""
        before = [(one.text, one.symbology) for one in item.symbols]
        here = (symbol.text, symbol.symbology)
        together = pairing.joined([*before, here], today)
        if any(one.text == symbol.text for one in item.symbols) or pairing.is_same(together):
            return replace(given, input=Input.SAME), alone
        if pairing.is_stray(together, label, alone.decoded):
            remarks = tuple(found for found in together.findings if found.code == pairing.LINK)
            begun, _ = self._new(given, symbol, alone)
            return replace(begun, input=Input.STRAY), replace(alone, remarks=remarks)
        if not pairing.belongs(together, label, alone.decoded, here):
            return self._new(given, symbol, alone)
        look_up = self._drafting.look_up(item.symbols[0].text, together.device_identifier)
        lacking = pairing.missing(together, [*before, here], look_up, self._drafting.profile)
        goes_on = lacking and len(before) + 1 < MAX_SYMBOLS
        given = replace(given, input=Input.CONTINUES if goes_on else Input.COMPLETES, missing=lacking)
        return given, Reading(decoded=together, look_up=look_up)

    def _new(self, given: Given, symbol: Symbol, alone: Reading) -> tuple[Given, Reading]:
        """Tell whether a symbol is a label by itself, or the first of several."""
        here = [(symbol.text, symbol.symbology)]
        lacking = pairing.missing(alone.decoded, here, alone.look_up, self._drafting.profile)
        waits = lacking and alone.decoded.ok  # a damaged symbol is refused at once, and scanned again
        return replace(given, input=Input.BEGINS if waits else Input.WHOLE, missing=lacking), alone

    def elapse(self, clock: ClockReading) -> list[Outcome]:
        """Let time pass: labels whose next symbol did not come in time go out as they stand."""
        return self._elapse(clock, clock.monotonic_ns)

    def finish(self, clock: ClockReading) -> list[Outcome]:
        """Let every half scanned label go out: nobody will scan the rest of it here."""
        last = max((item.until_ns for item in self.memory.station.open_items.values()), default=None)
        return [] if last is None else self._elapse(clock, last + ON_THE_WIRE_NS + 1)

    def _elapse(self, clock: ClockReading, at_ns: int) -> list[Outcome]:
        turn = ScanTransaction(self.memory, self._drafting, self._repeat_ns, clock)
        step = machine.elapse(self.memory.station, at_ns, self._rules)
        turn.make(step)
        self.memory = turn.memory
        return [
            Outcome(scanner=draft.data.station.scanner, signal=verdict_signal(draft), writes=(draft,))
            for draft in turn.writes
            if isinstance(draft, NewEvent)
        ]

    def resume(self, bodies: Iterable[bytes], clock: ClockReading) -> None:
        """Learn what was scanned before the daemon started: repeats are known as such, and undoing goes on."""
        memory = self.memory
        for body in bodies:
            try:
                event = cloudevent.decode_scan(body)
                data, at_ns = event.data, _moment(event, clock)
            except cloudevent.UNREADABLE:
                continue  # a clock event, or a damaged disk
            if at_ns is None or data.station.id != self._drafting.station_id:
                continue
            if data.undoes is not None:
                memory = memory.without(data.undoes)
                continue
            key = self._drafting.repeat_key(data)
            memory = memory.with_event(event.id, data, at_ns, key, self._repeat_ns)
            done = Done(id=event.id, scanner=data.station.scanner, quantity=data.quantity)
            memory = replace(memory, station=machine.resumed(memory.station, done, at_ns, self._rules))
        station = machine.elapse(memory.station, clock.monotonic_ns, self._rules).station
        self.memory = replace(memory, station=station)

    def close(self) -> None:
        """Let the article master go."""
        self._drafting.close()

    def _done(
        self,
        turn: ScanTransaction,
        scanner: str,
        counts: tuple[str, ...] = (),
        news: Mapping[str, str] | None = None,
    ) -> Outcome:
        self.memory = turn.memory
        return Outcome(
            scanner=scanner,
            signal=turn.signal,
            writes=tuple(turn.writes),
            counts=counts,
            news=news or {},
        )

    def view(self, clock: ClockReading) -> StationView:
        """Return what a display shows of the station now."""
        newest = next(reversed(self.memory.recent), None)
        return view_of(self.memory.station, self._drafting.station_id, newest, self._settings, clock)


def _coded(given: Given, code: ControlCode) -> Given:
    return replace(given, input=_CONTROL[code.kind], code=code)


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

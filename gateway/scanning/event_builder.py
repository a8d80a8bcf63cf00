"""From what was scanned to an event that waits for its place in the order: look up, judge, put together."""

import logging
from base64 import b64decode
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from gateway.articles.errors import MasterError
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import Config
from gateway.events import cloudevent
from gateway.events.stored_event import StoredEvent
from gateway.model import Decoded, Disposition, Finding, LookUp, Severity, Verdict
from gateway.outbox.entry import NewCase, NewEvent, NewLabelProblem, Write
from gateway.outbox.used_pieces import piece_of
from gateway.scanning.case_closing import MAX_EVENTS, closed
from gateway.scanning.label_problems import nothing_recorded
from gateway.scanning.station_state import StationState
from gateway.scanning.stories import Journal, is_away, story_of, whose
from gateway.station.assets import Asset, asset_of
from gateway.station.context import ContextItem
from gateway.station.pairing import Missing, missing_part
from gateway.station.profiles import PROFILES
from gateway.station.repeats import Key, key_of
from gateway.station.values import CaseClosed, Item, KeyedEnded, Meaning, TakenBack, UsedDespite
from gateway.station.verdict import CLEAN, Circumstances, judge
from gateway.system.clock import NS, ClockReading, local_rfc3339

log = logging.getLogger(__name__)

_REFUSED: Final = Disposition.REFUSED


class ItemReading(Struct, frozen=True, kw_only=True):
    """What the symbols of an item say together, and what the master says of it."""

    decoded: Decoded
    look_up: LookUp
    remarks: tuple[Finding, ...] = ()
    """What is to be said of the label beside what its symbols say."""


class EventBuilder:
    """Makes the events of one station. Reads the article master, and else does no I/O. Used by one thread."""

    def __init__(self, config: Config, master: ArticleMaster, journal: Journal) -> None:
        self.settings = config.station
        self.station_id = config.station.id or config.gateway.id
        self.profile = PROFILES[config.station.profile]
        seconds = config.station.repeat_seconds
        self.repeat_ns = (self.profile.repeat_seconds if seconds is None else seconds) * NS
        self._journal = journal
        self._max_age_days = config.articles.max_age_days
        self._master = master
        self.master_trouble: str | None = None
        """Why the article master cannot be used; None when it can."""

    def look_up(self, text: str, device_identifier: str | None) -> LookUp:
        """Ask the master; one that cannot be read is an alarm, not a lost scan, and recalls by deltas hold."""
        try:
            look_up = self._master.look_up(text, device_identifier)
        except MasterError as error:
            if str(error) != self.master_trouble:
                log.error("article master: %s", error)  # noqa: TRY400 - its words say it all
            self.master_trouble = str(error)
            return self._master.look_up_deltas(text, device_identifier)
        self.master_trouble = None
        return look_up

    def close(self) -> None:
        """Close the article master and the journal."""
        self._master.close()
        self._journal.close()

    def event(self, item: Item, reading: ItemReading, state: StationState, clock: ClockReading) -> NewEvent:
        """Make the event of an item as it stands; `state` knows what went before with the same piece."""
        decoded = reading.decoded
        if reading.remarks:
            decoded = replace(decoded, ok=False, findings=(*decoded.findings, *reading.remarks))
        lacking = missing_part(item.missing, decoded.issuer)
        asset = asset_of(decoded)
        meaning = item.meaning
        data = cloudevent.ScanData(
            action=meaning.action,
            reason=meaning.reason,
            quantity=meaning.quantity,
            undoes=None,
            repeats=None,
            station=self._station(item.scanner),
            clock=_stamp(clock, item.began_ns),
            symbols=tuple(cloudevent.symbol(one.raw, one.symbology, one.text, one.quality) for one in item.symbols),
            udi=decoded if decoded.complete or lacking else None,
            article=cloudevent.event_article(reading.look_up, clock.wall_ns),
            verdict=CLEAN,
            context=event_context(meaning.context),
            count=None if meaning.count is None else convert(to_builtins(meaning.count), cloudevent.CountSession),
            destination=meaning.destination,
            entry=entry_of(item),
            entry_reason=item.unread,
            asset=(
                cloudevent.EventAsset(scheme=asset.scheme, identifier=asset.identifier)
                if asset is not None and asset.scheme != "SSCC"
                else None
            ),
            logistic_unit=asset.identifier if asset is not None and asset.scheme == "SSCC" else None,
        )
        at_ns = item.at_ns
        repeats = None if _is_deliberate(meaning, data.udi) else self._first_of(data, at_ns, state)
        if repeats is None and self.profile.lot_repeats:
            repeats = item.label.again_of
        story = story_of(data, reading.look_up, repeats, state, self._journal)
        circumstances = Circumstances(
            redacted=any(symbol.redacted for symbol in item.symbols),
            quality=frozenset().union(*(symbol.quality for symbol in item.symbols)),
            missing=lacking,
            entry=data.entry,
            typed_once=Missing.TYPED_AGAIN in item.missing,
            interleaved=item.label.interleaved,
            max_age_days=self._max_age_days,
            meaning=meaning,
            story=story,
        )
        verdict = judge(decoded, reading.look_up, clock, self.settings, circumstances)
        if verdict.disposition is _REFUSED:  # it repeats what was refused, never what was booked
            data = replace(data, verdict=verdict)
            data = replace(data, repeats=self._first_of(data, at_ns, state))
        else:
            data = replace(data, verdict=verdict, repeats=story.repeats, corrects=story.corrects)
        raw = tuple(symbol.raw for symbol in item.symbols)
        return NewEvent(id=item.id, time_ns=clock.wall_at(item.began_ns), data=data, raw=raw)

    def undo(self, back: TakenBack, undone: cloudevent.ScanData | None, clock: ClockReading) -> NewEvent:
        """Make the event that takes another one back; `undone` is that one's data where it is still known.

        It carries the context of what it takes back, whatever is set by now.
        """
        data = cloudevent.ScanData(
            action="undo",
            reason=back.reason,
            quantity=back.done.quantity,
            undoes=back.done.id,
            repeats=None,
            station=self._station(back.scanner),
            clock=_stamp(clock, back.at_ns),
            symbols=(),
            udi=undone.udi if undone else None,
            article=undone.article if undone else None,
            verdict=CLEAN,
            context=undone.context if undone else cloudevent.Context(),
        )
        return NewEvent(id=back.id, time_ns=clock.wall_at(back.at_ns), data=data, raw=())

    def used_despite(self, effect: UsedDespite, refused: cloudevent.ScanData, clock: ClockReading) -> NewEvent:
        """Make the event that books what was refused: the same label, its errors now warnings."""
        errors = tuple(one.code for one in refused.verdict.findings if one.severity is Severity.ERROR)
        findings = tuple(
            replace(one, severity=Severity.WARNING) if one.severity is Severity.ERROR else one
            for one in refused.verdict.findings
        )
        data = replace(
            refused,
            repeats=None,
            station=self._station(effect.scanner),
            clock=_stamp(clock, effect.at_ns),
            verdict=Verdict(disposition=Disposition.ACCEPTED, findings=findings),
            used_despite=cloudevent.Refused(event=effect.refused, findings=errors),
        )
        raw = tuple(b64decode(symbol.raw) for symbol in refused.symbols)
        return NewEvent(id=effect.id, time_ns=clock.wall_at(effect.at_ns), data=data, raw=raw)

    def case(self, effect: CaseClosed, writes: Sequence[Write], clock: ClockReading) -> NewCase:
        """Make the event that closes a case. `writes`: what came of the same scan and is not in the journal yet."""
        stored = self._journal.newest(MAX_EVENTS)
        at = cloudevent.Position(epoch="", sequence=0, recorded_ns=clock.wall_ns)
        own = [
            StoredEvent(sequence=0, body=cloudevent.scan_event(one.id, "", one.time_ns, one.data, at), state="")
            for one in writes
            if isinstance(one, NewEvent)
        ]
        since = None if effect.since_ns is None else local_rfc3339(clock.wall_at(effect.since_ns))
        data = closed([*stored, *own], event_context(effect.context), since)
        return NewCase(id=effect.id, time_ns=clock.wall_at(effect.at_ns), data=data)

    def nothing_recorded(self, effect: KeyedEnded, clock: ClockReading) -> NewLabelProblem:
        """Make the event of a keyed entry that has ended with nothing to be booked."""
        station, stamp = self._station(effect.scanner), _stamp(clock, effect.at_ns)
        return nothing_recorded(effect, station, stamp, event_context(effect.context), clock)

    def repeat_key(self, data: cloudevent.ScanData) -> Key | None:
        """Return what a repeat of this event has in common with it."""
        if data.entry == "unlabelled":
            return None  # nothing says that it is the same one
        texts = tuple([symbol.text for symbol in data.symbols])
        refused = data.verdict.disposition is _REFUSED
        action = f"refused {data.action}" if refused else data.action
        if (asset := _asset(data)) is not None and asset.single:
            return (action, asset.scheme, asset.identifier, None)
        return key_of(action, data.udi, texts, self.profile, whose(data.context))

    def _first_of(self, data: cloudevent.ScanData, at_ns: int, state: StationState) -> str | None:
        """Return the event that this one repeats: of a piece thrown away since, another one is used."""
        first = state.repeats.first_of(self.repeat_key(data), at_ns, self.repeat_ns)
        away = first is not None and any(is_away(first, other) for other in state.recent.values())
        return None if away else first

    def _station(self, scanner: str) -> cloudevent.Station:
        return cloudevent.Station(id=self.station_id, scanner=scanner, profile=self.settings.profile)


def entry_of(item: Item) -> cloudevent.Entry:
    """Return how an item came: `keyed` where any of its symbols was typed."""
    if not item.symbols:
        return "unlabelled"
    return "keyed" if any(one.typed for one in item.symbols) else "scanned"


def _is_deliberate(meaning: Meaning, udi: Decoded | None) -> bool:
    """Return whether a code was scanned for this piece of a lot: how many, or that it is thrown away or returned.

    Who does that anew means another piece. A serial number stays one piece.
    """
    return (meaning.quantity_given or meaning.one_item) and meaning.again is None and piece_of(udi) is None


def _stamp(clock: ClockReading, at_ns: int) -> cloudevent.ClockStamp:
    return cloudevent.ClockStamp(
        synchronised=clock.synchronised, corrected=False, boot_id=clock.boot_id, monotonic_ns=at_ns
    )


def event_context(items: Sequence[ContextItem]) -> cloudevent.Context:
    """Return a context as events carry it."""
    if not items:
        return NO_CONTEXT
    return convert({item.kind: to_builtins(item.value) for item in items}, cloudevent.Context)


NO_CONTEXT: Final = cloudevent.Context()


def _asset(data: cloudevent.ScanData) -> Asset | None:
    if data.logistic_unit is not None:
        return Asset(scheme="SSCC", identifier=data.logistic_unit)
    return None if data.asset is None else Asset(scheme=data.asset.scheme, identifier=data.asset.identifier)

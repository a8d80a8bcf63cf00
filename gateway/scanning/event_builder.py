"""From what was scanned to an event that waits for its place in the order: look up, judge, put together."""

import logging
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from gateway.articles.errors import MasterError
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import Config
from gateway.events import cloudevent
from gateway.model import Decoded, Disposition, Finding, LookUp, Match, Verdict
from gateway.outbox.entry import NewEvent
from gateway.station.context import ContextItem
from gateway.station.pairing import missing_part
from gateway.station.profiles import PROFILES
from gateway.station.repeats import Key, key_of
from gateway.station.values import Item, TakenBack
from gateway.station.verdict import Circumstances, judge
from gateway.system.clock import ClockReading

log = logging.getLogger(__name__)

NOTHING_TO_JUDGE: Final = Verdict(disposition=Disposition.ACCEPTED)


class Reading(Struct, frozen=True, kw_only=True):
    """What the symbols of an item say together, and what the master says of it."""

    decoded: Decoded
    look_up: LookUp
    remarks: tuple[Finding, ...] = ()
    """What is to be said of the label beside what its symbols say."""


class EventBuilder:
    """Makes the events of one station. Reads the article master, and else does no I/O. Used by one thread."""

    def __init__(self, config: Config, master: ArticleMaster) -> None:
        self.settings = config.station
        self.station_id = config.station.id or config.gateway.id
        self.profile = PROFILES[config.station.profile]
        self._max_age_days = config.articles.max_age_days
        self._master = master
        self.master_trouble: str | None = None
        """Why the article master cannot be used; None when it can."""

    def look_up(self, text: str, device_identifier: str | None) -> LookUp:
        """Ask the master; a master that cannot be read is an alarm, not a lost scan."""
        try:
            look_up = self._master.look_up(text, device_identifier)
        except MasterError as error:
            if str(error) != self.master_trouble:
                log.error("article master: %s", error)  # noqa: TRY400 - its words say it all
            self.master_trouble = str(error)
            return LookUp(match=Match.NONE)
        self.master_trouble = None
        return look_up

    def close(self) -> None:
        """Let the article master go."""
        self._master.close()

    def event(self, item: Item, reading: Reading, clock: ClockReading) -> NewEvent:
        """Make the event of an item as it stands; whether it repeats an earlier one, its caller knows."""
        decoded = reading.decoded
        if reading.remarks:
            decoded = replace(decoded, ok=False, findings=(*decoded.findings, *reading.remarks))
        lacking = missing_part(item.missing, decoded.issuer)
        circumstances = Circumstances(
            redacted=any(symbol.redacted for symbol in item.symbols),
            quality=frozenset().union(*(symbol.quality for symbol in item.symbols)),
            missing=lacking,
            interleaved=item.label.interleaved,
            max_age_days=self._max_age_days,
        )
        meaning, first = item.meaning, item.symbols[0]
        data = cloudevent.ScanData(
            action=meaning.action,
            reason=meaning.reason,
            quantity=meaning.quantity,
            undoes=None,
            repeats=None,
            station=self._station(item.scanner),
            clock=_stamp(clock, first.at_ns),
            symbols=tuple(cloudevent.symbol(one.raw, one.symbology, one.text, one.quality) for one in item.symbols),
            udi=decoded if decoded.complete or lacking else None,
            article=cloudevent.event_article(reading.look_up, clock.wall_ns),
            verdict=judge(decoded, reading.look_up, clock, self.settings, circumstances),
            context=_context(meaning.context),
        )
        raw = tuple(symbol.raw for symbol in item.symbols)
        return NewEvent(id=item.id, time_ns=clock.wall_at(first.at_ns), data=data, raw=raw)

    def undo(self, back: TakenBack, undone: cloudevent.ScanData | None, clock: ClockReading) -> NewEvent:
        """Make the event that takes another one back; `undone` is that one's data where it is still known."""
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
            verdict=NOTHING_TO_JUDGE,
            context=_context(back.context),
        )
        return NewEvent(id=back.id, time_ns=clock.wall_at(back.at_ns), data=data, raw=())

    def repeat_key(self, data: cloudevent.ScanData) -> Key | None:
        """Return what a repeat of this event has in common with it."""
        texts = tuple(symbol.text for symbol in data.symbols)
        return key_of(data.action, data.udi, texts, self.profile, _whose(data.context))

    def _station(self, scanner: str) -> cloudevent.Station:
        return cloudevent.Station(id=self.station_id, scanner=scanner, profile=self.settings.profile)


def _whose(context: cloudevent.Context) -> str | None:
    """Return what stands for case and patient, the same as long as they are set; None where neither is."""
    if context.case is None and context.patient is None:
        return None
    return f"{context.case} {context.patient}"


def _stamp(clock: ClockReading, at_ns: int) -> cloudevent.ClockStamp:
    return cloudevent.ClockStamp(
        synchronised=clock.synchronised, corrected=False, boot_id=clock.boot_id, monotonic_ns=at_ns
    )


def _context(items: Sequence[ContextItem]) -> cloudevent.Context:
    return convert({item.kind: to_builtins(item.value) for item in items}, cloudevent.Context)

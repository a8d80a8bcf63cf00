"""All that a station knows from one scan to the next. A value."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.events import cloudevent
from gateway.outbox.entry import NewEvent
from gateway.station.machine import forgotten
from gateway.station.repeats import Key, Repeats
from gateway.station.values import Done, Station

MAX_RECENT: Final = 128
"""Events remembered, some 0.5 MB: twice the pieces of a long operation. An item is taken back, and what is thrown
away is known as used, as long as its event is among them; a serial number is found in the journal behind that."""


def done_of(identity: str, data: cloudevent.ScanData) -> Done:
    """Return an event as one that can be taken back."""
    return Done(id=identity, scanner=data.station.scanner, quantity=data.quantity)


class StationState(Struct, frozen=True, kw_only=True):
    """All that a station knows from one scan to the next. A value."""

    station: Station = Station()
    held: Mapping[str, NewEvent] = {}
    """Scanner -> its open item as it is journalled: what it becomes if nothing more comes."""
    repeats: Repeats = Repeats()
    recent: dict[str, cloudevent.ScanData] = {}
    """Id -> event, of the newest that were not taken back, the newest last."""

    def with_event(
        self, identity: str, data: cloudevent.ScanData, at_ns: int, key: Key | None, window_ns: int
    ) -> "StationState":
        """Remember an event for repeats of it, and for who takes it back."""
        recent = {**self.recent, identity: data}
        if len(recent) > MAX_RECENT:
            del recent[next(iter(recent))]
        repeats = self.repeats.with_event(key, data.repeats or identity, at_ns, window_ns)
        return replace(self, recent=recent, repeats=repeats)

    def repeated(self) -> Mapping[str, tuple[Done, ...]]:
        """Return which events repeat which one; id of the first -> the others, the oldest first."""
        found: dict[str, tuple[Done, ...]] = {}
        for identity, data in self.recent.items():
            if data.repeats is not None:
                found[data.repeats] = (*found.get(data.repeats, ()), done_of(identity, data))
        return found

    def without(self, identity: str) -> "StationState":
        """Forget an event that was taken back."""
        recent = {one: data for one, data in self.recent.items() if one != identity}
        repeats = self.repeats.without(identity)
        return replace(self, station=forgotten(self.station, identity), recent=recent, repeats=repeats)

    def without_refusals(self, identity: str) -> "StationState":
        """Forget a refused event that was booked all the same, and the repeats of it: they are booked once."""
        first = self.recent[identity].repeats or identity
        gone = {one for one, data in self.recent.items() if first in {one, data.repeats}}
        done = tuple(one for one in self.station.done if one.id not in gone)
        recent = {one: data for one, data in self.recent.items() if one not in gone}
        return replace(
            self,
            station=replace(self.station, done=done),
            recent=recent,
            repeats=self.repeats.without(first),
        )

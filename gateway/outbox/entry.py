"""What is handed to the outbox: events that wait for their place in the order, and items that are half scanned."""

import msgspec
from msgspec import Struct

from gateway.events import cloudevent
from gateway.events.label_problem import LabelProblemData
from gateway.system.clock import ClockReading


class NewEvent(Struct, frozen=True, kw_only=True):
    """An event that waits for its place in the order."""

    id: str
    """Random UUID; the event keeps it however often it is sent."""
    time_ns: int
    """Wall time when the trigger was pulled."""
    data: cloudevent.ScanData
    raw: tuple[bytes, ...]
    """The bytes of each symbol in `data.symbols`."""
    closes: str | None = None
    """Scanner whose open item this event is; None for an item that was never open."""

    def in_true_time(self, clock: ClockReading) -> "NewEvent":
        """Return it with its time corrected, where the clock has been set since it was made in this boot."""
        stamp = self.data.clock
        if stamp.synchronised or not clock.synchronised or stamp.boot_id != clock.boot_id:
            return self
        replace = msgspec.structs.replace
        data = replace(self.data, clock=replace(stamp, corrected=True))
        return replace(self, time_ns=clock.wall_at(stamp.monotonic_ns), data=data)


class JournalledSymbol(Struct, frozen=True, kw_only=True):
    """One more symbol of an item whose label has further ones: to be on disk before the next is asked for."""

    scanner: str
    """Where the item is open; one item of a scanner at a time."""
    draft: NewEvent
    """The item as it stands, which becomes an event as it is if nothing more comes."""


class StationNote(Struct, frozen=True, kw_only=True):
    """What a station keeps for a restart beside its events, such as the case and patient that are set."""

    key: str
    text: str
    """Replaces what was kept under the key before. Never an identity in clear."""


class UnderWay(Struct, frozen=True, kw_only=True):
    """What stations have under way, as the disk has it."""

    items: dict[str, bytes] = {}
    """Scanner -> its item that is not complete, encoded."""
    notes: dict[str, str] = {}
    """Key -> text of the notes."""


class NewCase(Struct, frozen=True, kw_only=True):
    """A case that was closed; its event takes its place in the order."""

    id: str
    time_ns: int
    data: cloudevent.CaseData


class NewLabelProblem(Struct, frozen=True, kw_only=True):
    """A label that could not be read; its event takes its place in the order."""

    id: str
    time_ns: int
    data: LabelProblemData


Write = NewCase | NewLabelProblem | NewEvent | JournalledSymbol | StationNote


class Dead(Struct, frozen=True, kw_only=True):
    """An event that the broker will never take as it is."""

    sequence: int
    reason: str


class DeliveryMarks(Struct, frozen=True, kw_only=True):
    """What delivery has come to since the outbox last noted it."""

    delivered: int = 0
    """Every event up to this one is delivered, or dead and its notice delivered."""
    published: int = 0
    """Every event up to this one has its PUBACK."""
    parked: tuple[Dead, ...] = ()
    """New dead letters."""
    revived: tuple[int, ...] = ()
    """Dead letters that were sent again and delivered."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(NewEvent)


def encode(draft: NewEvent) -> bytes:
    """Return a draft as it is kept while its item is open."""
    return _encoder.encode(draft)


def decode(text: bytes) -> NewEvent:
    """Read a kept draft. Raises what `wire.UNREADABLE` lists."""
    return _decoder.decode(text)

"""One piece, one story: what went before with the piece that is scanned now. Pure, but for the journal it asks.

A serial number is one piece of the world, and is found as far back as the journal goes. A lot is not: a piece of a
lot that is thrown away is taken for one that was used when the same lot was used in the same case, and the operator
is marked (`corrects`, and a warning for an implant).
"""

from collections.abc import Iterator
from typing import Final, Protocol

from gateway.events import cloudevent
from gateway.events.stored_event import StoredEvent
from gateway.model import Disposition, LookUp, Match
from gateway.outbox.used_pieces import Piece, piece_of
from gateway.scanning.station_state import StationState
from gateway.station.occasion import Story
from gateway.station.rules import AWAY
from gateway.station.settings import LASTING
from gateway.station.verdict import PACKAGES

CARTON_NS: Final = 5_000_000_000
"""The label of a package again within so long may be the same package: nobody lifts the next one faster."""


class Journal(Protocol):
    """What a station needs of the journal."""

    def used_by(self, piece: Piece) -> str | None:
        """Return the id of the event in force that consumed a piece, or None."""

    def newest(self, limit: int) -> list[StoredEvent]:
        """Return the newest events, the oldest of them first."""

    def close(self) -> None:
        """Close it. May be called more than once."""


class NoJournal:
    """A journal without anything in it, for a station that has none."""

    def used_by(self, piece: Piece) -> str | None:  # noqa: ARG002 - the protocol's
        """Return None."""
        return None

    def newest(self, limit: int) -> list[StoredEvent]:  # noqa: ARG002 - the protocol's
        """Return nothing."""
        return []

    def close(self) -> None:
        """Do nothing."""


def whose(context: cloudevent.Context) -> str | None:
    """Return what stands for case and patient, the same as long as they are set; None where neither is."""
    if context.case is None and context.patient is None:
        return None
    return f"{context.case} {context.patient}"


def story_of(
    data: cloudevent.ScanData, look_up: LookUp, repeats: str | None, state: StationState, journal: Journal
) -> Story:
    """Return what went before with the piece of an event that is being made; `repeats` as the window says it."""
    piece = piece_of(data.udi)
    if data.action == "consume" and repeats is None and piece is not None and _used_up(look_up):
        used = next(_used_here(data, state, piece), None) or journal.used_by(piece)
        return Story(repeats=used, used_before=used)
    if data.action in AWAY and data.udi is not None:
        here = list(_used_here(data, state, piece))
        enough = (one for one in here if _left(one, state.recent[one], state) >= data.quantity)
        used = next(enough, here[0] if here else None)
        if used is None and piece is not None:
            used = journal.used_by(piece)
        return Story(repeats=repeats, corrects=used)
    return Story(
        repeats=repeats,
        carton_again=data.action in LASTING and _is_package(data, look_up) and _just_now(data, state),
        counted_by_another=data.action == "inventory" and _counted(data, state),
    )


def event_of_label(text: str, data_of: StationState, present: cloudevent.Context) -> str | None:
    """Return the id of the newest event in force of a label, in the present case; None where none or several may.

    `text`: of the symbol that was scanned. One that several labels share (a GTIN alone) does not say which.
    """
    found = [
        (identity, _label(data))
        for identity, data in data_of.recent.items()
        if any(symbol.text == text for symbol in data.symbols)
        and whose(data.context) == whose(present)
        and data.verdict.disposition is Disposition.ACCEPTED
        and data.repeats is None
    ]
    if len({label for _, label in found}) != 1:
        return None
    return found[-1][0]


def _label(data: cloudevent.ScanData) -> tuple[object, ...]:
    udi = data.udi
    if udi is None:
        return tuple(symbol.text for symbol in data.symbols)
    return (udi.device_identifier, udi.lot_number, udi.serial_number, udi.expiration_date)


def _used_here(data: cloudevent.ScanData, state: StationState, piece: Piece | None) -> Iterator[str]:
    """Yield the events that consumed this piece, or a piece of its lot in the same case, the newest first."""
    number = None if piece is None else piece[-1]
    for identity, other in reversed(state.recent.items()):
        udi = other.udi
        # most of what is remembered is another piece: that is asked first
        if udi is None or (
            number is not None and number not in (udi.serial_number, udi.donation_identification_number)
        ):
            continue
        if other.action != "consume" or other.repeats is not None:
            continue
        if other.verdict.disposition is Disposition.REFUSED:
            continue
        if piece is not None:
            same = piece_of(udi) == piece
        else:
            same = _label(other) == _label(data) and whose(other.context) == whose(data.context)
        if same and _left(identity, other, state):
            yield identity


def _left(identity: str, used: cloudevent.ScanData, state: StationState) -> int:
    """Return how many pieces of an event were not thrown away or returned since."""
    away = sum(other.quantity for other in state.recent.values() if is_away(identity, other))
    return max(0, used.quantity - away)


def is_away(used: str, other: cloudevent.ScanData) -> bool:
    """Return whether an event throws away or returns what the event `used` had consumed."""
    return other.corrects == used and other.action != "explant"


def _used_up(look_up: LookUp) -> bool:
    """Return whether a piece can be used once only; an instrument with a serial number is used again and again."""
    article = look_up.article
    return article is None or article.implant or article.single_use


def _is_package(data: cloudevent.ScanData, look_up: LookUp) -> bool:
    level = look_up.article.package_level if look_up.article else None
    of_label = data.udi is not None and data.udi.package_level in PACKAGES
    return look_up.match is Match.PACKAGE or level == "package" or (level is None and of_label)


def _just_now(data: cloudevent.ScanData, state: StationState) -> bool:
    newest = next(reversed(state.recent.values()), None)
    return (
        newest is not None
        and newest.action == data.action
        and newest.station.scanner == data.station.scanner
        and newest.clock.boot_id == data.clock.boot_id
        and data.clock.monotonic_ns - newest.clock.monotonic_ns <= CARTON_NS
        and _label(newest) == _label(data)
    )


def _counted(data: cloudevent.ScanData, state: StationState) -> bool:
    if data.count is not None and data.count.mode == "add":
        return False
    return any(
        other.action == "inventory"
        and _label(other) == _label(data)
        and other.context.location == data.context.location
        and (other.count != data.count or (data.count is None and other.station.scanner != data.station.scanner))
        for other in state.recent.values()
    )

"""What a display shows of a station: language-neutral, and free of anything about a person."""

from msgspec import Struct

from gateway.station.settings import Action, StationSettings
from gateway.station.values import Station
from gateway.system.clock import ClockReading, local_rfc3339


class WaitingView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A label whose next symbol is waited for."""

    scanner: str
    symbols: int
    """Symbols scanned so far."""
    missing: tuple[str, ...]
    """What is still to be scanned: device-identifier, production-identifier, lot, serial, expiry."""
    expires_at: str
    """When it goes out as incomplete, local time as in events."""


class StationView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A station at one moment."""

    station: str
    """Its id, as events carry it."""
    profile: str
    language: str
    """sv or en."""
    action: Action
    """What the next item means."""
    reason: str | None
    """Why, for a discard."""
    action_expires_at: str | None
    """When it falls back to the default action; None: this is the default."""
    quantity: int
    """Pieces the next item counts for."""
    context_kinds: tuple[str, ...]
    """What is set of case, location, patient, performer. Never what it is set to."""
    context_expires_at: str | None
    """When the first of them ends."""
    waiting: tuple[WaitingView, ...]
    last_event: str | None
    """Id of the newest event that was not taken back; None where none is remembered."""
    undo_until: str | None
    """Until when; None: there is nothing to take back."""


def view_of(
    station: Station, identity: str, last_event: str | None, settings: StationSettings, clock: ClockReading
) -> StationView:
    """Return what a display shows of a station called `identity`."""

    def moment(at_ns: int | None) -> str | None:
        return None if at_ns is None else local_rfc3339(clock.wall_at(at_ns))

    chosen, counted = station.chosen, station.counted
    return StationView(
        station=identity,
        profile=settings.profile,
        language=settings.language,
        action=chosen.action if chosen else settings.default_action,
        reason=chosen.reason if chosen else None,
        action_expires_at=moment(chosen.until_ns if chosen else None),
        quantity=counted.quantity if counted else 1,
        context_kinds=tuple(sorted(station.context)),
        context_expires_at=moment(min((kept.until_ns for kept in station.context.values()), default=None)),
        waiting=tuple(
            WaitingView(
                scanner=name,
                symbols=len(item.symbols),
                missing=item.missing,
                expires_at=local_rfc3339(clock.wall_at(item.until_ns)),
            )
            for name, item in sorted(station.open_items.items())
        ),
        last_event=last_event,
        undo_until=moment(station.undo_until_ns if station.done else None),
    )

"""What a display shows of a station: language-neutral, and free of anything about a person."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from gateway.station.binding import asks, is_restored, lacking
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
    suggested: str | None
    """What the symbol looks like that completed the last labels of this article: square or linear."""
    expires_at: str
    """When it goes out as incomplete, local time as in events."""


class ScannerView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What holds on one scanner for its next item."""

    scanner: str
    action: Action | Literal["undo"]
    """What the next item means; `undo`: it is taken back."""
    reason: str | None
    """Why, for a discard."""
    quantity: int | None
    """Pieces the next item counts for; None where no quantity was given."""
    one_item: bool
    """The action holds for the next item alone."""
    locked: bool
    destination: str | None
    count: str | None
    """replace or add: a count is under way."""
    expires_at: str | None
    """When it ends if nothing is scanned."""
    fell_back: Action | None
    """The action that has ended by time, until the next item."""


class StationView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A station at one moment."""

    station: str
    """Its id, as events carry it."""
    profile: str
    language: str
    """ISO 639-1 code of what its screen speaks."""
    scanners: tuple[ScannerView, ...]
    """What holds on a scanner alone: those on which something was chosen or given."""
    action: Action | Literal["undo"]
    """What the next item means on the scanner where something was chosen last; else the default action."""
    default_action: Action
    """What it means on a scanner where nothing was chosen."""
    reason: str | None
    """Why, for a discard."""
    action_expires_at: str | None
    """When it falls back to the default action; None: this is the default."""
    quantity: int
    """Pieces the next item counts for, on the scanner where a quantity was given last."""
    context_kinds: tuple[str, ...]
    """What is set of case, location, patient, performer. Never what it is set to."""
    case_since: str | None
    """When the case that is set was scanned first."""
    location: str | None
    """The place that is set."""
    context_expires_at: str | None
    """When the context ends if nothing is scanned."""
    context_restored: bool
    """It is from before a restart, and nobody has confirmed it."""
    ended_kinds: tuple[str, ...]
    """What of case and patient has ended and was not set anew: an implant that is used now lacks it."""
    ended_why: str | None
    """time, restart, replaced, cleared, closed or pushed."""
    clash_since: str | None
    """When a wristband was scanned that is another's than that of the case which the central system has set."""
    asks: bool
    """The screen asks whether the same patient is meant: the code `same patient` says yes."""
    waiting: tuple[WaitingView, ...]
    last_event: str | None
    """Id of the newest event that was not taken back; None where none is remembered."""
    undo_until: str | None
    """Until when; None: there is nothing to take back."""


def view_of(
    station: Station,
    identity: str,
    last_event: str | None,
    settings: StationSettings,
    clock: ClockReading,
    suggested: Callable[[str | None], str | None] = lambda _identifier: None,
) -> StationView:
    """Return what a display shows of a station called `identity`.

    `suggested`: of a device identifier, which symbol of its label to scan next.
    """

    def moment(at_ns: int | None) -> str | None:
        return None if at_ns is None else local_rfc3339(clock.wall_at(at_ns))

    chosen = max(station.chosen.values(), key=lambda one: one.until_ns, default=None)
    counted = max(station.counted.values(), key=lambda one: one.until_ns, default=None)
    case = station.context.get("case")
    place = station.context.get("location")
    return StationView(
        station=identity,
        profile=settings.profile,
        language=settings.language,
        scanners=tuple(
            _scanner(station, name, settings.default_action, moment)
            for name in sorted({*station.chosen, *station.counted, *station.fell_back})
        ),
        action=chosen.action if chosen else settings.default_action,
        default_action=settings.default_action,
        reason=chosen.reason if chosen else None,
        action_expires_at=moment(chosen.until_ns if chosen else None),
        quantity=counted.quantity if counted else 1,
        context_kinds=tuple(sorted({key.partition(":")[0] for key in station.context})),
        case_since=moment(case.since_ns if case else None),
        location=str(place.item.value) if place else None,
        context_expires_at=moment(station.context_until_ns if station.context else None),
        context_restored=is_restored(station),
        ended_kinds=tuple(sorted(lacking(station))),
        ended_why=station.ended.why if station.ended and lacking(station) else None,
        clash_since=moment(station.clash_ns),
        asks=asks(station),
        waiting=tuple(
            WaitingView(
                scanner=name,
                symbols=len(item.symbols),
                missing=item.missing,
                suggested=suggested(item.label.decoded.device_identifier),
                expires_at=local_rfc3339(clock.wall_at(item.until_ns)),
            )
            for name, item in sorted(station.open_items.items())
        ),
        last_event=last_event,
        undo_until=moment(station.undo_until_ns if station.done else None),
    )


def _scanner(
    station: Station, name: str, default: Action, moment: Callable[[int | None], str | None]
) -> ScannerView:
    chosen, counted = station.chosen.get(name), station.counted.get(name)
    return ScannerView(
        scanner=name,
        action=chosen.action if chosen else default,
        reason=chosen.reason if chosen else None,
        quantity=counted.quantity if counted else None,
        one_item=chosen is not None and chosen.one_item,
        locked=chosen is not None and chosen.locked,
        destination=chosen.destination if chosen else None,
        count=chosen.count.mode if chosen and chosen.count else None,
        expires_at=moment(min((one.until_ns for one in (chosen, counted) if one), default=None)),
        fell_back=station.fell_back.get(name),
    )

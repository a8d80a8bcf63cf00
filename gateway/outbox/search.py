"""Finding events in the journal."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from gateway.events.exports.flat import FlatEvent, flat
from gateway.events.stored_event import StoredEvent
from gateway.system.clock import NS

State = Literal["waiting", "delivered", "dead"]

_GTIN_LENGTHS: Final = (8, 12, 13, 14)
_AGE: Final = re.compile(r"([0-9]{1,6})([mhdw])")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


class Search(Struct, frozen=True, kw_only=True):
    """What is looked for; None takes every event."""

    device_identifier: str | None = None
    """A GTIN in any of its lengths, or another issuer's identifier as events carry it."""
    lot_number: str | None = None
    serial_number: str | None = None
    state: State | None = None

    def find(self, events: Iterable[StoredEvent]) -> Iterator[FlatEvent]:
        """Yield the events that fit, in their order."""
        identifiers = _forms(self.device_identifier)
        asked = (self.device_identifier, self.lot_number, self.serial_number)
        needles = [_inside(text) for text in asked if text is not None]
        for stored in events:
            if self.state not in {None, stored.state} or any(needle not in stored.body for needle in needles):
                continue
            event = flat(stored)
            if (
                (identifiers is None or event.device_identifier in identifiers)
                and self.lot_number in {None, event.lot_number}
                and self.serial_number in {None, event.serial_number}
            ):
                yield event


def find_one(events: Iterable[StoredEvent], identity: str) -> StoredEvent | None:
    """Return the event with this id."""
    needle = _inside(identity)
    return next((one for one in events if needle in one.body and flat(one).id == identity), None)


def read_since(text: str, now_ns: int) -> int:
    """Read a moment: `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM`, or an age such as 30m, 2h, 3d, 1w before `now_ns`.

    A time without zone is local time. Nanoseconds since 1970 UTC. Raises ValueError.
    """
    age = _AGE.fullmatch(text)
    if age is not None:
        return now_ns - int(age[1]) * _SECONDS[age[2]] * NS
    try:
        return int(datetime.fromisoformat(text).timestamp()) * NS
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"{text!r} is no time: expected YYYY-MM-DD, YYYY-MM-DDTHH:MM, or an age such as 30m, 2h, 3d, 1w"
        ) from error


def _forms(text: str | None) -> frozenset[str] | None:
    """Return a device identifier as events may carry it: a GTIN as 14 digits, though digits may be IFA's, too."""
    if text is None:
        return None
    padded = text.isascii() and text.isdigit() and len(text) in _GTIN_LENGTHS
    return frozenset({text, text.zfill(max(_GTIN_LENGTHS)) if padded else text})


def _inside(text: str) -> bytes:
    """Return a text as it stands inside a JSON string, to pass over other events without reading them."""
    return msgspec.json.encode(text.encode(errors="replace").decode())[1:-1]

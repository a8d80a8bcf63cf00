"""Finding events in the journal."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta
from typing import Final, Literal

import msgspec
from msgspec import Struct

from gateway.events.exports.flat import FlatEvent, flat
from gateway.events.stored_event import StoredEvent
from gateway.model import Disposition
from gateway.system.clock import NS

State = Literal["waiting", "delivered", "dead"]

_GTIN_LENGTHS: Final = (8, 12, 13, 14)
_AGE: Final = re.compile(r"([0-9]{1,6})([mhdw])")
_DAYS: Final = {"today": 0, "yesterday": 1}
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


class Search(Struct, frozen=True, kw_only=True):
    """What is looked for; None takes every event."""

    device_identifier: str | None = None
    """A GTIN in any of its lengths, or another issuer's identifier as events carry it."""
    lot_number: str | None = None
    serial_number: str | None = None
    state: State | None = None
    refused: bool = False
    """Only scans that the station refused."""
    article: str | None = None
    """Part of the article's number or trade name, in large or small letters."""

    def find(self, events: Iterable[StoredEvent]) -> Iterator[tuple[StoredEvent, FlatEvent]]:
        """Yield the events that fit, in their order."""
        article = None if self.article is None else self.article.casefold()
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
                and (not self.refused or event.disposition == Disposition.REFUSED)
                and (article is None or article in f"{event.article_number} {event.trade_name}".casefold())
            ):
                yield stored, event


def find_one(events: Iterable[StoredEvent], identity: str) -> StoredEvent | None:
    """Return the event with this id."""
    needle = _inside(identity)
    return next((one for one in events if needle in one.body and flat(one).id == identity), None)


def read_since(text: str, now_ns: int) -> int:
    """Read a moment: `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM`, `today`, `yesterday`, or an age such as 30m, 2h, 3d, 1w.

    An age is counted back from `now_ns`; the two words mean the midnight with which that day begins. A time without
    zone is local time. Nanoseconds since 1970 UTC. Raises ValueError.
    """
    age = _AGE.fullmatch(text)
    if age is not None:
        return now_ns - int(age[1]) * _SECONDS[age[2]] * NS
    if text in _DAYS:
        day = datetime.fromtimestamp(now_ns / NS).astimezone().date() - timedelta(days=_DAYS[text])
        return int(datetime.combine(day, time()).timestamp()) * NS
    try:
        return int(datetime.fromisoformat(text).timestamp()) * NS
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"{text!r} is no time: expected YYYY-MM-DD, YYYY-MM-DDTHH:MM, today, yesterday, "
            "or an age such as 30m, 2h, 3d, 1w"
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

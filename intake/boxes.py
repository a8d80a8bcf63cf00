"""What the boxes' own messages say, read from the database."""

from typing import Any, Final

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from intake.database import transaction
from intake.schema import box


class Held(Struct, frozen=True, rename="camel"):
    """How far a source's deltas have come at a box."""

    name: str
    delta_number: int | None = None
    """Of the newest one; None before the first."""
    missing: tuple[tuple[int, int], ...] = ()
    """First and last number of runs below it that have not come."""

    def has(self, number: int) -> bool:
        """Return whether a delta has come."""
        return number <= (self.delta_number or 0) and not any(
            first <= number <= last for first, last in self.missing
        )

    def lacks(self, newest: int) -> tuple[tuple[int, int], ...]:
        """Return the runs of numbers up to the source's newest that have not come.

        >>> Held("miv", 7, ((3, 3),)).lacks(9)
        ((3, 3), (8, 9))
        """
        number = self.delta_number or 0
        below = [(first, min(last, number, newest)) for first, last in self.missing if first <= min(number, newest)]
        return (*below, *(((number + 1, newest),) if number < newest else ()))


class _Articles(Struct, frozen=True):
    sources: tuple[Held, ...] = ()


_decoder: Final = msgspec.json.Decoder(_Articles)


def deltas_held(articles: str) -> dict[str, Held]:
    """Return how far each source's deltas have come, from a box's `articles` message; {} for another text."""
    try:
        return {one.name: one for one in _decoder.decode(articles).sources}
    except (msgspec.DecodeError, RecursionError):
        return {}


class BoxReport(Struct, frozen=True, kw_only=True):
    """What one box says of itself."""

    source: str
    alarms: tuple[str, ...]
    """In its own words, most urgent first."""
    held: dict[str, Held]
    """How far the deltas of each source have come there."""

    def has(self, source: str, number: int) -> bool:
        """Return whether a delta has come there."""
        return self.held.get(source, Held(source)).has(number)


def read_reports(engine: sa.Engine) -> tuple[BoxReport, ...]:
    """Return what every box says of itself. Raises DatabaseError."""
    query = sa.select(box.c.source, box.c.health, box.c.articles).order_by(box.c.source)
    with transaction(engine, "read") as connection:
        return tuple(
            BoxReport(source=row.source, alarms=_alarms(row.health or ""), held=deltas_held(row.articles or ""))
            for row in connection.execute(query)
        )


class _Health(Struct, frozen=True):
    alarms: tuple[Any, ...] = ()


_health: Final = msgspec.json.Decoder(_Health)


def _alarms(health: str) -> tuple[str, ...]:
    try:
        return tuple(str(one) for one in _health.decode(health).alarms)
    except (msgspec.DecodeError, RecursionError):
        return ()

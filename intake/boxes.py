"""What the boxes' own messages say, read from the database."""

from typing import Final

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from intake.database import unusable
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


def taken_by(engine: sa.Engine) -> tuple[dict[str, list[Held]], int]:
    """Return how far the deltas have come at the boxes, by source, and how many boxes there are.

    Raises DatabaseError.
    """
    taken: dict[str, list[Held]] = {}
    try:
        with engine.connect() as connection:
            boxes = connection.scalar(sa.select(sa.func.count()).select_from(box)) or 0
            texts = connection.scalars(sa.select(box.c.articles).where(box.c.articles.is_not(None))).all()
    except sa.exc.DBAPIError as error:
        raise unusable("read", str(engine.url), error) from error
    for text in texts:
        for name, held in deltas_held(text).items():
            taken.setdefault(name, []).append(held)
    return taken, boxes

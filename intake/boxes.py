"""What the boxes' own messages say, read from the database."""

from typing import Final

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from intake.database import unusable
from intake.schema import box


class _Source(Struct, frozen=True, rename="camel"):
    name: str
    delta_number: int | None = None


class _Articles(Struct, frozen=True):
    sources: tuple[_Source, ...] = ()


_decoder: Final = msgspec.json.Decoder(_Articles)


def delta_numbers(articles: str) -> dict[str, int]:
    """Return the newest delta of each source, from a box's `articles` message; {} for another text."""
    try:
        return {one.name: one.delta_number or 0 for one in _decoder.decode(articles).sources}
    except (msgspec.DecodeError, RecursionError):
        return {}


def taken_by(engine: sa.Engine) -> tuple[dict[str, list[int]], int]:
    """Return the newest deltas the boxes have had, by source, and how many boxes there are.

    Raises DatabaseError.
    """
    taken: dict[str, list[int]] = {}
    try:
        with engine.connect() as connection:
            boxes = connection.scalar(sa.select(sa.func.count()).select_from(box)) or 0
            texts = connection.scalars(sa.select(box.c.articles).where(box.c.articles.is_not(None))).all()
    except sa.exc.DBAPIError as error:
        raise unusable("read", str(engine.url), error) from error
    for text in texts:
        for name, number in delta_numbers(text).items():
            taken.setdefault(name, []).append(number)
    return taken, boxes

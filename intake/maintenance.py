"""What a person does to the database now and then: ask again, pass over, look at poison, let old events go."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from msgspec import Struct

from intake.database import transaction
from intake.errors import RefusedError
from intake.event import Place
from intake.schema import event, forward_cursor, poison, stream
from intake.store import Store, Stream

LISTED: Final = 1000
MAX_PASSED: Final = 100_000
"""Numbers passed over by one command: more is a mistake, or another epoch's beginning."""
CHUNK: Final = 5000
"""Events deleted in one transaction: the intake goes on in between."""
SHOWN_BYTES: Final = 200
LEAST_DAYS: Final = 31
"""A box keeps its journal for a month, and may send again what stands in it."""


class PoisonRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """One message of poison."""

    topic: str
    reason: str
    first_received: datetime
    last_received: datetime
    times: int
    sequence: int | None
    """The place it holds; null where it holds none."""
    head: str
    """Its beginning."""


def ask_again(engine: sa.Engine) -> int:
    """Have every hole asked for anew by the running service; return in how many streams. Raises DatabaseError."""
    change = sa.update(stream).where(stream.c.hole_since.is_not(None)).values(asked=None, asks=0)
    with transaction(engine, "write to") as connection:
        return connection.execute(change).rowcount


def pass_over(engine: sa.Engine, store: Store, which: Stream, first: int, last: int, reason: str) -> int:
    """Let the frontier pass numbers that will never come; return where it stands.

    Where it is not known where the stream begins, it begins at `first`. Raises RefusedError, DatabaseError.
    """
    if not 1 <= first <= last or last - first >= MAX_PASSED:
        raise RefusedError(f"{first} to {last}: expected ascending numbers, at most {MAX_PASSED} of them")
    own = (stream.c.source == which.source, stream.c.epoch == which.epoch)
    with transaction(engine, "write to") as connection:
        found = connection.execute(sa.select(stream).where(*own)).first()
        if found is None:
            raise RefusedError(f"nothing has come from {which.source} in epoch {which.epoch}: see `status`")
        if last > found.newest:
            raise RefusedError(f"{last} has not been reached: the newest number that came is {found.newest}")
        if found.begins is None:
            connection.execute(sa.update(stream).where(*own).values(begins=first))
    places = [Place(source=which.source, epoch=which.epoch, sequence=number) for number in range(first, last + 1)]
    return store.stand_in(places, reason).frontiers[which]


def poisons(engine: sa.Engine) -> list[PoisonRow]:
    """Return the newest poison, newest first. Raises DatabaseError."""
    query = sa.select(poison).order_by(poison.c.last_received.desc()).limit(LISTED)
    with transaction(engine, "read") as connection:
        return [
            PoisonRow(
                topic=row.topic,
                reason=row.reason,
                first_received=row.first_received,
                last_received=row.last_received,
                times=row.times,
                sequence=row.sequence,
                head=bytes(row.body[:SHOWN_BYTES]).decode(errors="replace"),
            )
            for row in connection.execute(query)
        ]


def prune(engine: sa.Engine, now: datetime, keep_days: int) -> int:
    """Delete events that are older, acknowledged, and handed on to every receiver; return how many.

    Raises RefusedError, DatabaseError.
    """
    if keep_days < LEAST_DAYS:
        raise RefusedError(f"{keep_days} days: a box may send again what is younger than {LEAST_DAYS} days")
    behind = sa.exists().where(
        forward_cursor.c.source == event.c.source,
        forward_cursor.c.epoch == event.c.epoch,
        forward_cursor.c.sequence < event.c.sequence,
    )
    old = (
        sa.select(event.c.id, event.c.source)
        .join(stream, sa.and_(stream.c.source == event.c.source, stream.c.epoch == event.c.epoch))
        .where(event.c.received < now - timedelta(days=keep_days), event.c.sequence <= stream.c.frontier, ~behind)
        .limit(CHUNK)
    )
    deleted = 0
    while True:
        with transaction(engine, "write to") as connection:
            done = connection.execute(
                sa.delete(event).where(sa.tuple_(event.c.id, event.c.source).in_(old))
            ).rowcount
        deleted += done
        if done < CHUNK:
            return deleted

"""Commits batches, and knows from the database how far each stream is here without a hole: its frontier.

How a transaction works. It first makes the `stream` rows it needs and locks every row of the sources it touches, in
ascending order: two intakes that hold the same boxes' events wait for each other instead of passing each other by
(each would see only its own half of a row of numbers, and the frontier would stop at the half) or locking each
other out for ever. Under the lock, what is in the database cannot change, so that a look before the insert
tells copies from what is new. Then events, poison and stand-ins go in, the frontiers move, and the transaction
commits: a frontier that can be read anywhere stands for rows that are on the disk.

A frontier moves over *places held*: a number of the stream that an event holds, or a stand-in. Example: frontier 7,
newest 7; the batch brings 8, 9 and 11. Nothing was held above 7, so that the batch alone says where to go: frontier
9, newest 11, a hole. The next batch brings 10: now numbers above the frontier are held that this batch does not
know, and the database is read from 10 on: frontier 11, no hole.

Where a stream begins is not always 1: a new epoch begins behind the last number of the former one. Until the first
number is known (the number 1 has come, or the box's health has said `epochBegins`), the frontier stays 0.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql, sqlite

from intake.database import copy_in, transaction, unusable
from intake.event import EventRow, Place, Poison, digest_of
from intake.messages import BoxMessage
from intake.schema import Moment, box, event, poison, stand_in, stream
from intake.topics import topic_of

log = logging.getLogger(__name__)

WALK: Final = 5000
"""Held places read at a time behind a hole that has closed: 10 ms of PostgreSQL, however many wait."""
CHUNK: Final = 500
"""Values in one IN list: far below every driver's limit of parameters."""
MAX_POISON_WITHOUT_PLACE: Final = 10_000
"""Rows of poison that hold no place; whoever floods a topic fills no database. More are only counted and logged."""


class Stream(Struct, frozen=True, order=True):
    """One numbering of a box: its source and epoch."""

    source: str
    epoch: str


class Committed(Struct, frozen=True, kw_only=True):
    """What one transaction made durable."""

    frontiers: dict[Stream, int]
    """The frontier of every stream that was touched and whose beginning is known."""
    stored: int
    """Events that are new."""
    copies: int
    poisoned: int


class ReceivedBatch(Struct, frozen=True, kw_only=True):
    """What is to be committed together."""

    events: tuple[EventRow, ...] = ()
    poison: tuple[Poison, ...] = ()
    boxes: tuple[BoxMessage, ...] = ()


class Gap(Struct, frozen=True, kw_only=True):
    """Numbers of a stream that are not here, while later ones are."""

    first: int
    last: int


class Hole(Struct, frozen=True, kw_only=True):
    """A stream whose frontier stands behind what has come."""

    stream: Stream
    asked: datetime | None
    asks: int


class _Standing(Struct, kw_only=True):
    """One locked row of `stream`, as this transaction changes it."""

    begins: int | None
    frontier: int
    newest: int
    hole_since: datetime | None
    begun: int | None
    """`begins` as the database has it."""
    places: set[int]
    """Held by this batch."""
    stored: int = 0


class Store:
    """The intake's database. Used by one thread at a time; several processes may share the database."""

    def __init__(self, engine: sa.Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    @property
    def url(self) -> str:
        """The database, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    def commit(self, batch: ReceivedBatch) -> Committed:
        """Commit a batch. Raises DatabaseError; then nothing of it is committed.

        A row that the database will not take for what is in it becomes poison that holds its place; the others
        go in.
        """
        try:
            with self._engine.begin() as connection:
                return self._commit(connection, batch)
        except (sa.exc.DataError, sa.exc.IntegrityError) as error:
            if len(batch.events) == 1:
                bad = batch.events[0]
                return self.commit(
                    msgspec.structs.replace(batch, events=(), poison=(*batch.poison, _refused(bad, error)))
                )
            if not batch.events:
                raise unusable("write to", self.url, error) from error
        except sa.exc.DBAPIError as error:
            raise unusable("write to", self.url, error) from error
        half = len(batch.events) // 2
        first = self.commit(msgspec.structs.replace(batch, events=batch.events[:half]))
        second = self.commit(ReceivedBatch(events=batch.events[half:]))
        return Committed(
            frontiers=first.frontiers | second.frontiers,
            stored=first.stored + second.stored,
            copies=first.copies + second.copies,
            poisoned=first.poisoned + second.poisoned,
        )

    def stand_in(self, places: Sequence[Place], reason: str) -> Committed:
        """Let the frontier pass numbers that will never come. Raises DatabaseError."""
        now = self._now()
        with self._used("write to") as connection:
            standings = self._lock(connection, {Stream(one.source, one.epoch) for one in places}, now)
            self._stand_in(connection, ((one, reason) for one in places), now, standings)
            return self._moved(connection, standings, now, copies=0, poisoned=0)

    # -- what is missing

    def holes(self, before: datetime) -> list[Hole]:
        """Return the streams that have had a hole since before a moment. Raises DatabaseError."""
        query = sa.select(stream.c.source, stream.c.epoch, stream.c.asked, stream.c.asks).where(
            stream.c.hole_since < before, stream.c.begins.is_not(None)
        )
        with self._used("read") as connection:
            return [
                Hole(stream=Stream(row.source, row.epoch), asked=row.asked, asks=row.asks)
                for row in connection.execute(query)
            ]

    def gaps(self, which: Stream, most: int) -> list[Gap]:
        """Return the first gaps of a stream. Raises DatabaseError."""
        query = sa.text(
            "SELECT first, last FROM gap WHERE source = :source AND epoch = :epoch ORDER BY first LIMIT :most"
        )
        with self._used("read") as connection:
            found = connection.execute(query, {**msgspec.structs.asdict(which), "most": most})
            return [Gap(first=row.first, last=row.last) for row in found]

    def missing(self, which: Stream, gap: Gap) -> list[int]:
        """Return which numbers of a range are not held. Raises DatabaseError."""
        held: set[int] = set()
        with self._used("read") as connection:
            for table in (event, stand_in):
                query = sa.select(table.c.sequence).where(
                    table.c.source == which.source,
                    table.c.epoch == which.epoch,
                    table.c.sequence.between(gap.first, gap.last),
                )
                held.update(connection.scalars(query))
        return [number for number in range(gap.first, gap.last + 1) if number not in held]

    def claim(self, hole: Hole, now: datetime) -> bool:
        """Take the right to ask for a hole; False when another intake has it. Raises DatabaseError."""
        as_found = stream.c.asked.is_(None) if hole.asked is None else stream.c.asked == hole.asked
        claim = (
            sa.update(stream)
            .where(stream.c.source == hole.stream.source, stream.c.epoch == hole.stream.epoch, as_found)
            .values(asked=now, asks=stream.c.asks + 1)
        )
        with self._used("write to") as connection:
            return connection.execute(claim).rowcount == 1

    def _used(self, operation: str) -> AbstractContextManager[sa.Connection]:
        return transaction(self._engine, operation)

    def _commit(self, connection: sa.Connection, batch: ReceivedBatch) -> Committed:
        now = self._now()
        placed = [one for one in batch.poison if one.place is not None]
        touched = {Stream(one.source, one.epoch) for one in batch.events}
        touched |= {Stream(one.place.source, one.place.epoch) for one in placed if one.place is not None}
        begins = {Stream(one.source, one.epoch): one.begins for each in batch.boxes for one in each.begins}
        standings = self._lock(connection, touched | set(begins), now)
        for which, first in begins.items():
            _begin(standings[which], first)
        fresh, odd, copies = self._sorted_out(connection, batch.events)
        self._insert_events(connection, fresh, standings)
        poisons = [*batch.poison, *odd]
        self._insert_poison(connection, poisons, now)
        self._stand_in(
            connection, ((one.place, one.reason) for one in poisons if one.place is not None), now, standings
        )
        self._insert_boxes(connection, batch.boxes)
        return self._moved(connection, standings, now, copies=copies, poisoned=len(poisons))

    # -- the lock

    def _lock(self, connection: sa.Connection, touched: set[Stream], now: datetime) -> dict[Stream, _Standing]:
        """Make the streams' rows, and lock those of all their sources in ascending order."""
        if not touched:
            return {}
        rows = [
            {"source": one.source, "epoch": one.epoch, "frontier": 0, "newest": 0, "stored": 0, "asks": 0}
            | {"first_received": now, "last_received": now}
            for one in sorted(touched)
        ]
        connection.execute(self._insert(stream).on_conflict_do_nothing(), rows)
        standings = {}
        for sources in _chunks(sorted({one.source for one in touched})):
            found = connection.execute(
                sa.select(stream).where(stream.c.source.in_(sources)).order_by(stream.c.source, stream.c.epoch)
                .with_for_update()
            )  # fmt: skip
            for row in found:
                standings[Stream(row.source, row.epoch)] = _Standing(
                    begins=row.begins,
                    begun=row.begins,
                    frontier=row.frontier,
                    newest=row.newest,
                    hole_since=row.hole_since,
                    places=set(),
                )
        return {which: standings[which] for which in touched}

    # -- what is new

    def _sorted_out(
        self, connection: sa.Connection, events: Sequence[EventRow]
    ) -> tuple[list[EventRow], list[Poison], int]:
        """Return what is new, what claims an identity that stands for something else, and the number of copies."""
        known = {(one.id, one.source): one for one in self._present(connection, {each.id for each in events})}
        fresh: list[EventRow] = []
        odd: list[Poison] = []
        copies = 0
        for one in events:
            before = known.get((one.id, one.source))
            if before is None:
                known[one.id, one.source] = _Known.of(one)
                fresh.append(one)
            elif before == _Known.of(one):
                copies += 1
            else:
                odd.append(_claimed(one, before))
        return fresh, odd, copies

    def _present(self, connection: sa.Connection, ids: set[str]) -> "Iterator[_Known]":
        columns = (event.c.id, event.c.source, event.c.epoch, event.c.sequence, event.c.body)
        if connection.dialect.name == "postgresql":
            yield from (_Known(*row) for row in connection.execute(_PRESENT, {"ids": sorted(ids)}))
            return
        for some in _chunks(sorted(ids)):
            for row in connection.execute(sa.select(*columns).where(event.c.id.in_(some))):
                yield _Known(*row)

    def _insert_events(
        self, connection: sa.Connection, fresh: Sequence[EventRow], standings: dict[Stream, _Standing]
    ) -> None:
        if not fresh:
            return
        rows = []
        for one in fresh:
            standing = standings[Stream(one.source, one.epoch)]
            standing.places.add(one.sequence)
            standing.stored += 1
            late = standing.begins is not None and standing.begins <= one.sequence <= standing.frontier
            rows.append(msgspec.structs.asdict(one) | {"late": late})
        if connection.dialect.name == "postgresql":
            copy_in(connection, event, rows)
        else:
            connection.execute(sa.insert(event), rows)

    # -- what is not an event

    def _insert_poison(self, connection: sa.Connection, poisons: Iterable[Poison], now: datetime) -> None:
        unique = {one.digest: one for one in poisons}
        if not unique:
            return
        placeless = sum(one.place is None for one in unique.values())
        if placeless and self._placeless(connection) + placeless > MAX_POISON_WITHOUT_PLACE:
            log.error("poison not kept messages=%d limit=%d", placeless, MAX_POISON_WITHOUT_PLACE)
            unique = {digest: one for digest, one in unique.items() if one.place is not None}
        rows = [
            {
                "digest": one.digest,
                "topic": one.topic,
                "reason": one.reason,
                "body": one.body,
                "times": 1,
                "first_received": one.received,
                "last_received": now,
                "source": one.place.source if one.place else None,
                "epoch": one.place.epoch if one.place else None,
                "sequence": one.place.sequence if one.place else None,
            }
            for _, one in sorted(unique.items())
        ]
        if rows:
            insert = self._insert(poison)
            again = {"times": poison.c.times + 1, "last_received": insert.excluded.last_received}
            connection.execute(insert.on_conflict_do_update(index_elements=["digest"], set_=again), rows)

    def _placeless(self, connection: sa.Connection) -> int:
        return connection.scalar(sa.select(sa.func.count()).where(poison.c.source.is_(None))) or 0

    def _stand_in(
        self,
        connection: sa.Connection,
        places: Iterable[tuple[Place, str]],
        now: datetime,
        standings: dict[Stream, _Standing],
    ) -> None:
        rows = []
        for place, reason in places:
            standings[Stream(place.source, place.epoch)].places.add(place.sequence)
            rows.append(msgspec.structs.asdict(place) | {"reason": reason, "received": now})
        if rows:
            connection.execute(self._insert(stand_in).on_conflict_do_nothing(), rows)

    def _insert_boxes(self, connection: sa.Connection, messages: Sequence[BoxMessage]) -> None:
        """Keep the newest word of each box; what a message does not say stays as it was."""
        for one in messages:
            values = one.columns()
            insert = self._insert(box).values(source=one.source, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["source"], set_=values))

    # -- the frontier

    def _moved(
        self,
        connection: sa.Connection,
        standings: dict[Stream, _Standing],
        now: datetime,
        *,
        copies: int,
        poisoned: int,
    ) -> Committed:
        """Move the frontiers and write the locked rows."""
        rows = []
        for which, one in sorted(standings.items()):
            before = one.frontier
            self._move(connection, which, one)
            if not one.places and one.begins == one.begun:
                continue  # its box has said again what is known
            if one.frontier >= one.newest and one.begins is not None:
                hole_since = None
            else:
                hole_since = now if one.frontier > before or one.hole_since is None else one.hole_since
            rows.append(
                {
                    "of_source": which.source,
                    "of_epoch": which.epoch,
                    "new_stored": one.stored,
                    "begins": one.begins,
                    "frontier": one.frontier,
                    "newest": one.newest,
                    "last_received": now,
                    "hole_since": hole_since,
                    "moved": one.frontier > before,
                    "arrived": bool(one.places),
                }
            )
        if rows:
            connection.execute(_UPDATE, rows)
        return Committed(
            frontiers={which: one.frontier for which, one in standings.items() if one.begins is not None},
            stored=sum(one.stored for one in standings.values()),
            copies=copies,
            poisoned=poisoned,
        )

    def _move(self, connection: sa.Connection, which: Stream, one: _Standing) -> None:
        if 1 in one.places:
            _begin(one, 1)
        nothing_above = one.newest <= one.frontier
        one.newest = max(one.newest, *one.places, 0)
        if one.begins is None:
            return
        one.frontier = max(one.frontier, one.begins - 1)
        if nothing_above:
            while one.frontier + 1 in one.places:
                one.frontier += 1
        elif one.frontier < one.newest:
            one.frontier = self._walk(connection, which, one.frontier)
        one.newest = max(one.newest, one.frontier)

    def _walk(self, connection: sa.Connection, which: Stream, frontier: int) -> int:
        """Return how far the places held in the database go on from the frontier without a hole."""
        while True:
            held = connection.scalars(_HELD, {**msgspec.structs.asdict(which), "above": frontier}).all()
            last = frontier
            for sequence in held:
                if sequence != last + 1:
                    return last
                last = sequence
            if len(held) < WALK:
                return last
            frontier = last


def _begin(one: _Standing, first: int) -> None:
    """Set where a stream begins, once: what was acknowledged from there on is never taken back."""
    if one.begins is None:
        one.begins = first


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(values), CHUNK):
        yield values[first : first + CHUNK]


class _Known(Struct, frozen=True):
    """What an identity stands for."""

    id: str
    source: str
    epoch: str
    sequence: int
    body: str

    @classmethod
    def of(cls, one: EventRow) -> "_Known":
        """Return it of a row."""
        return cls(one.id, one.source, one.epoch, one.sequence, one.body)


def _claimed(one: EventRow, before: _Known) -> Poison:
    """An event under an identity that stands for another one: never stored over it, and its place does not wait."""
    what = "another place" if (one.epoch, one.sequence) != (before.epoch, before.sequence) else "other content"
    return _as_poison(
        one, f"its id {one.id} has come before with {what}: sequence {before.sequence} of epoch {before.epoch}"
    )


def _refused(one: EventRow, error: sa.exc.DBAPIError) -> Poison:
    return _as_poison(one, " ".join(f"the database does not take it: {error.orig}".split())[:500])


def _as_poison(one: EventRow, reason: str) -> Poison:
    topic = topic_of(one.source, "scan")
    body = one.body.encode()
    return Poison(
        digest=digest_of(topic, body), topic=topic, reason=reason, received=one.received, body=body, place=one.place
    )


_UPDATE: Final = (
    sa.update(stream)
    .where(stream.c.source == sa.bindparam("of_source"), stream.c.epoch == sa.bindparam("of_epoch"))
    .values(
        begins=sa.bindparam("begins"),
        frontier=sa.bindparam("frontier"),
        newest=sa.bindparam("newest"),
        last_received=sa.case(
            (sa.bindparam("arrived", type_=sa.Boolean), sa.bindparam("last_received", type_=Moment)),
            else_=stream.c.last_received,
        ),
        hole_since=sa.bindparam("hole_since"),
        stored=stream.c.stored + sa.bindparam("new_stored", type_=sa.BigInteger),
        asks=sa.case((sa.bindparam("moved", type_=sa.Boolean), 0), else_=stream.c.asks),
    )
)


_PRESENT: Final = sa.select(event.c.id, event.c.source, event.c.epoch, event.c.sequence, event.c.body).where(
    event.c.id == sa.func.any(sa.bindparam("ids", type_=postgresql.ARRAY(postgresql.UUID(as_uuid=False))))
)


def _held_above() -> sa.CompoundSelect[int]:
    """Every place that is held above a number, in ascending order, up to WALK of them."""
    selects = [
        sa.select(table.c.sequence).where(
            table.c.source == sa.bindparam("source"),
            table.c.epoch == sa.bindparam("epoch"),
            table.c.sequence > sa.bindparam("above"),
        )
        for table in (event, stand_in)
    ]
    return sa.union(*selects).order_by("sequence").limit(WALK)


_HELD: Final = _held_above()

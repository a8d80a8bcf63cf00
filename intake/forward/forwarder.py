"""Follows the frontiers and hands on event by event.

Per stream and receiver a cursor says up to which number everything is confirmed, a dead letter, or has no place
in the receiver's form. It never passes the frontier, so that what a receiver gets has no holes, and is in order
for each box. Events that came behind the frontier (`event.late`) are looked for by themselves, and dead letters
whose retry was asked for.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct

from intake.database import DatabaseError, transaction
from intake.forward import Receiver, ReceiverAwayError, RefusedByReceiverError
from intake.forward.identities import Unsealer
from intake.forward.projection import Form, project
from intake.schema import dead_letter, event, forward_cursor, forward_late, stream

log = logging.getLogger(__name__)

READ: Final = 200
"""Events of one stream read at a time."""
LOOK_SECONDS: Final = 1.0
MAX_NAMED: Final = 4
"""Steps from an event to those it names: an undo of a discard of a repeat of a use."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
MAX_REFUSED_IN_ROW: Final = 20
"""So many refused one after the other are no bad events but a receiver that expects something else: hold the
line."""


class Progress(Struct, kw_only=True):
    """What a run has done."""

    confirmed: int = 0
    left_out: int = 0
    dead: int = 0


class Forwarder:
    """One receiver's. One process at a time works for a receiver: see `intake.lock`."""

    def __init__(
        self,
        engine: sa.Engine,
        receiver: Receiver,
        name: str,
        form: Form,
        unsealer: Unsealer | None,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._receiver = receiver
        self._name = name
        self._form = form
        self._unsealer = unsealer
        self._now = now
        self._refused_in_row = 0
        self.progress = Progress()

    def run(self, stop: threading.Event, *, once: bool = False) -> None:
        """Hand on what there is, then what comes. `once`: return when everything that is here is handed on.

        Raises ReceiverAwayError and DatabaseError only with `once`.
        """
        pause = FIRST_PAUSE
        while not stop.is_set():
            try:
                moved = self._turn(stop)
                pause = FIRST_PAUSE
            except (ReceiverAwayError, DatabaseError) as error:
                if once:
                    raise
                log.error("%s; again in %.0f s", error, pause)  # noqa: TRY400 - its cause is in its words
                stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            if not moved:
                if once:
                    return
                stop.wait(LOOK_SECONDS)

    def begin_now(self) -> None:
        """Leave out what is here already: a new receiver begins with what comes. Raises DatabaseError."""
        with self._used("write to") as connection:
            for row in connection.execute(sa.select(stream).where(stream.c.begins.is_not(None))).all():
                self._move(connection, row.source, row.epoch, row.frontier)

    def _turn(self, stop: threading.Event) -> bool:
        """Hand on what is due; return whether there was anything."""
        moved = False
        for source, epoch, cursor, frontier in self._behind():
            for row in self._rows(source, epoch, cursor, frontier):
                if stop.is_set():
                    return True
                self._hand_on(row, self._passed)
                moved = True
        for row in self._late():
            self._hand_on(row, self._late_passed)
            moved = True
        for row in self._retries():
            self._hand_on(row, self._revived)
            moved = True
        return moved

    def _hand_on(self, row: Any, passed: Callable[[sa.Connection, Any], None]) -> None:  # noqa: ANN401 - as below
        """Send one event, and note what came of it in one transaction. Raises ReceiverAwayError, DatabaseError."""
        reason = None
        try:
            payloads = project(row.body.encode(), self._form, lambda _: self._related(row), self._unsealer)
            for name, payload in payloads:
                self._receiver.send(payload, name)
        except RefusedByReceiverError as error:
            self._refused_in_row += 1
            if self._refused_in_row >= MAX_REFUSED_IN_ROW:
                raise ReceiverAwayError(
                    f"{self._name} has refused {self._refused_in_row} events one after the other, the last with "
                    f"{error}; does it expect another form than {self._form}?"
                ) from error
            reason = str(error)
        except ValueError as error:
            reason, payloads = f"cannot be made into {self._form}: {error}", []
        else:
            self._refused_in_row = 0
        with self._used("write to") as connection:
            passed(connection, row)
            if reason is not None:
                self._bury(connection, row, reason)
        if reason is not None:
            self.progress.dead += 1
            log.warning("dead letter receiver=%s id=%s reason=%r", self._name, row.id, reason)
        elif not payloads:
            self.progress.left_out += 1
        else:
            self.progress.confirmed += 1

    # -- what is due

    def _behind(self) -> list[tuple[str, str, int, int]]:
        """Return the streams whose frontier is ahead of this receiver: source, epoch, cursor, frontier."""
        own = sa.and_(
            forward_cursor.c.receiver == self._name,
            forward_cursor.c.source == stream.c.source,
            forward_cursor.c.epoch == stream.c.epoch,
        )
        cursor = sa.func.coalesce(forward_cursor.c.sequence, stream.c.begins - 1)
        query = (
            sa.select(stream.c.source, stream.c.epoch, cursor, stream.c.frontier)
            .select_from(stream.outerjoin(forward_cursor, own))
            .where(stream.c.begins.is_not(None), cursor < stream.c.frontier)
            .order_by(stream.c.source, stream.c.epoch)
        )
        with self._used("read") as connection:
            return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]

    def _rows(self, source: str, epoch: str, cursor: int, frontier: int) -> Iterator[Any]:
        """Yield a stream's events between cursor and frontier, in order; then let the cursor pass stand-ins."""
        while True:
            query = (
                sa.select(*_COLUMNS)
                .where(event.c.source == source, event.c.epoch == epoch)
                .where(event.c.sequence > cursor, event.c.sequence <= frontier)
                .order_by(event.c.sequence, event.c.late)
                .limit(READ)
            )
            with self._used("read") as connection:
                rows = connection.execute(query).all()
            yield from rows
            if len(rows) < READ:
                break
            cursor = rows[-1].sequence
        with self._used("write to") as connection:
            self._move(connection, source, epoch, frontier)

    def _late(self) -> list[Any]:
        had = sa.exists().where(
            forward_late.c.receiver == self._name,
            forward_late.c.source == event.c.source,
            forward_late.c.id == event.c.id,
        )
        query = sa.select(*_COLUMNS).where(event.c.late, ~had).order_by(event.c.received).limit(READ)
        with self._used("read") as connection:
            return list(connection.execute(query))

    def _retries(self) -> list[Any]:
        own = sa.and_(dead_letter.c.source == event.c.source, dead_letter.c.id == event.c.id)
        query = (
            sa.select(*_COLUMNS)
            .join(dead_letter, own)
            .where(dead_letter.c.receiver == self._name, dead_letter.c.retry)
            .order_by(event.c.source, event.c.sequence)
            .limit(READ)
        )
        with self._used("read") as connection:
            return list(connection.execute(query))

    # -- what came of it

    def _passed(self, connection: sa.Connection, row: Any) -> None:  # noqa: ANN401 - a row of `event`
        self._move(connection, row.source, row.epoch, row.sequence)
        if row.late:
            self._late_passed(connection, row)

    def _move(self, connection: sa.Connection, source: str, epoch: str, sequence: int) -> None:
        own = (
            forward_cursor.c.receiver == self._name,
            forward_cursor.c.source == source,
            forward_cursor.c.epoch == epoch,
        )
        values = {"sequence": sequence, "confirmed": self._now()}
        if not connection.execute(sa.update(forward_cursor).where(*own).values(values)).rowcount:
            connection.execute(
                sa.insert(forward_cursor), {"receiver": self._name, "source": source, "epoch": epoch} | values
            )

    def _late_passed(self, connection: sa.Connection, row: Any) -> None:  # noqa: ANN401 - a row of `event`
        connection.execute(
            sa.insert(forward_late), {"receiver": self._name, "source": row.source, "id": str(row.id)}
        )

    def _revived(self, connection: sa.Connection, row: Any) -> None:  # noqa: ANN401 - a row of `event`
        connection.execute(
            sa.delete(dead_letter).where(
                dead_letter.c.receiver == self._name,
                dead_letter.c.source == row.source,
                dead_letter.c.id == str(row.id),
            )
        )

    def _bury(self, connection: sa.Connection, row: Any, reason: str) -> None:  # noqa: ANN401 - a row of `event`
        connection.execute(
            sa.insert(dead_letter),
            {
                "receiver": self._name,
                "source": row.source,
                "id": str(row.id),
                "sequence": row.sequence,
                "reason": reason[:1000],
                "refused": self._now(),
                "retry": False,
            },
        )

    def _related(self, row: Any) -> list[bytes]:  # noqa: ANN401 - a row of `event`
        """Return the earlier events of a box that one names, and those that name the same, in their order."""
        names = {name for name in (row.undoes, row.repeats, row.corrects) if name is not None}
        if not names:
            return []
        columns = (event.c.id, event.c.undoes, event.c.repeats, event.c.corrects, event.c.sequence, event.c.body)
        found: dict[str, Any] = {}
        for _ in range(MAX_NAMED):
            wanted = sorted(map(str, names))
            named = sa.or_(*(column.in_(wanted) for column in columns[:4]))
            query = sa.select(*columns).where(
                event.c.source == row.source, event.c.epoch == row.epoch, event.c.sequence < row.sequence, named
            )
            with self._used("read") as connection:
                found = {str(one.id): one for one in connection.execute(query)}
            more = {str(name) for one in found.values() for name in (one.undoes, one.repeats, one.corrects) if name}
            if more <= names:
                break
            names |= more
        return [one.body.encode() for one in sorted(found.values(), key=lambda one: one.sequence)]

    def _used(self, operation: str) -> AbstractContextManager[sa.Connection]:
        return transaction(self._engine, operation)


_COLUMNS: Final = (
    *(event.c.source, event.c.epoch, event.c.sequence, event.c.id, event.c.late),
    *(event.c.undoes, event.c.repeats, event.c.corrects, event.c.body),
)

"""What the database says of the intake: how far each box has come, what is missing, what is poison."""

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct

from intake.database import unusable
from intake.schema import poison, stand_in

HOLE_ALARM: Final = timedelta(minutes=1)
"""A hole that is asked for closes within seconds where the box is connected."""


class StreamStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """One numbering of one box."""

    source: str
    epoch: str
    stored: int
    """Events in the database."""
    frontier: int
    """Everything up to this number is here; 0 while it is not known where the numbering begins."""
    newest: int
    missing: int
    """Numbers between the two that are not here."""
    hole_since: datetime | None
    last_received: datetime
    lag_seconds: int
    """Since the last event came."""
    status: str | None
    """online | offline, as the box or the broker says."""
    version: str | None
    alarms: int | None
    waiting: int | None
    """Events that wait in the box, by its own word."""
    late: bool
    """Its hole is older than a minute."""


class IntakeStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole."""

    well: bool
    """No hole is older than a minute."""
    streams: tuple[StreamStatus, ...]
    stored: int
    poison: int
    """Messages that are no event, each counted once."""
    passed_over: int
    """Numbers the frontier has passed without an event: see the table `stand_in` for the reasons."""

    def boxes(self) -> tuple[StreamStatus, ...]:
        """Return one row a box: its present numbering, or a former one that still has a hole."""
        chosen: dict[str, StreamStatus] = {}
        for one in self.streams:
            before = chosen.get(one.source)
            if before is None or (one.late, one.last_received) >= (before.late, before.last_received):
                chosen[one.source] = one
        return tuple(chosen.values())


def read_status(engine: sa.Engine, now: datetime) -> IntakeStatus:
    """Read it. Raises DatabaseError."""
    try:
        with engine.connect() as connection:
            rows = connection.execute(sa.select(_BOX_HEALTH).order_by("source", "last_received")).mappings().all()
            missing = {
                (row.source, row.epoch): int(row.missing)
                for row in connection.execute(
                    sa.text(
                        "SELECT source, epoch, sum(last - first + 1) AS missing FROM gap GROUP BY source, epoch"
                    )
                )
            }
            poisons = connection.scalar(sa.select(sa.func.count()).select_from(poison)) or 0
            passed = connection.scalar(sa.select(sa.func.count()).select_from(stand_in)) or 0
    except sa.exc.DBAPIError as error:
        raise unusable("read", str(engine.url), error) from error
    streams = tuple(_stream(dict(row), missing, now) for row in rows)
    return IntakeStatus(
        well=not any(one.late for one in streams),
        streams=streams,
        stored=sum(one.stored for one in streams),
        poison=poisons,
        passed_over=passed,
    )


def _stream(row: dict[str, Any], missing: dict[tuple[str, str], int], now: datetime) -> StreamStatus:
    since = row["hole_since"]
    return StreamStatus(
        source=row["source"],
        epoch=row["epoch"],
        stored=row["stored"],
        frontier=row["frontier"],
        newest=row["newest"],
        missing=missing.get((row["source"], row["epoch"]), 0),
        hole_since=since,
        last_received=row["last_received"],
        lag_seconds=max(0, int((now - row["last_received"]).total_seconds())),
        status=row["status"],
        version=row["version"],
        alarms=row["alarms"],
        waiting=row["waiting"],
        late=since is not None and now - since > HOLE_ALARM,
    )


def _box_health() -> sa.TableClause:
    from intake.schema import Moment

    moments = ("hole_since", "last_received", "health_received")
    others = ("source", "epoch", "stored", "frontier", "newest", "status", "version", "alarms", "waiting")
    return sa.table(
        "box_health",
        *(sa.column(name, Moment()) for name in moments),
        *(sa.column(name) for name in others),
    )


_BOX_HEALTH: Final = _box_health()

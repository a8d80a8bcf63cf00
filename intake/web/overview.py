"""What the page shows, read from the database in one go."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from msgspec import Struct

from intake.boxes import taken_by
from intake.database import transaction
from intake.deltas import DeltaRow, Deltas
from intake.schema import event
from intake.status import Status, read_status

DAYS: Final = 30
UNKNOWN: Final = 10
RECALLS: Final = 10


class Recall(Struct, frozen=True, kw_only=True):
    """One delta, and who has taken it."""

    delta: DeltaRow
    taken: int
    boxes: int


class Overview(Struct, frozen=True, kw_only=True):
    """The page's content."""

    now: datetime
    status: Status
    uses: tuple[tuple[str, int], ...]
    """Day (`YYYY-MM-DD`) and events in force that day, of the last DAYS days, without gaps."""
    unknown: tuple[tuple[str, int], ...]
    """Device identifiers that no master knew, most frequent first."""
    recalls: tuple[Recall, ...]


def read_overview(engine: sa.Engine, now: datetime) -> Overview:
    """Read it. Raises DatabaseError."""
    status = read_status(engine, now)
    taken, boxes = taken_by(engine)
    deltas = Deltas(engine, lambda: now).all(RECALLS)
    first = (now - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    day = sa.func.substr(sa.cast(event.c.time, sa.Text), 1, 10)
    in_force = sa.table("used", sa.column("id"), sa.column("source"))
    with transaction(engine, "read") as connection:
        used = event.join(in_force, sa.and_(in_force.c.id == event.c.id, in_force.c.source == event.c.source))
        query = sa.select(day, sa.func.count()).select_from(used).where(event.c.time >= first).group_by(day)
        counted = {str(row[0]): int(row[1]) for row in connection.execute(query)}
        unknown = connection.execute(
            sa.text("SELECT device_identifier, events FROM unknown_article WHERE device_identifier IS NOT NULL "
                    "ORDER BY events DESC LIMIT :most"),
            {"most": UNKNOWN},
        ).all()  # fmt: skip
    days = [(first + timedelta(days=number)).strftime("%Y-%m-%d") for number in range(DAYS)]
    return Overview(
        now=now,
        status=status,
        uses=tuple((one, counted.get(one, 0)) for one in days),
        unknown=tuple((row.device_identifier, row.events) for row in unknown),
        recalls=tuple(
            Recall(delta=row, taken=sum(held.has(row.number) for held in taken.get(row.source, ())), boxes=boxes)
            for row in deltas
        ),
    )

"""What the page shows, read from the database in one go."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from msgspec import Struct

from intake.boxes import BoxReport, read_reports
from intake.database import transaction
from intake.deltas import DeltaRow, Deltas
from intake.schema import event
from intake.status import IntakeStatus, read_status

DAYS: Final = 30
UNKNOWN: Final = 10
DELTAS: Final = 10
GAPS: Final = 5


class SentDelta(Struct, frozen=True, kw_only=True):
    """One delta, and who has taken it."""

    delta: DeltaRow
    taken: int
    boxes: int
    lacking: tuple[str, ...]
    """Sources of the boxes that have not."""


class Gap(Struct, frozen=True, kw_only=True):
    """Numbers of one box that are missing."""

    first: int
    last: int


class Overview(Struct, frozen=True, kw_only=True):
    """The page's content."""

    now: datetime
    status: IntakeStatus
    uses: tuple[tuple[str, int], ...]
    """Day (`YYYY-MM-DD`) and events in force that day, of the last DAYS days, without gaps."""
    unknown: tuple[tuple[str, int], ...]
    """Device identifiers that no master knew, most frequent first."""
    deltas: tuple[SentDelta, ...]
    """Newest first."""
    alarms: dict[str, tuple[str, ...]]
    """Of each box that has some, in its own words."""
    gaps: dict[str, tuple[Gap, ...]]
    """The first GAPS of each box that has some."""


def read_overview(engine: sa.Engine, now: datetime) -> Overview:
    """Read it. Raises DatabaseError."""
    status = read_status(engine, now)
    reports = read_reports(engine)
    deltas = Deltas(engine, lambda: now).all(DELTAS)
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
        gaps: dict[str, tuple[Gap, ...]] = {}
        for row in connection.execute(sa.text("SELECT source, first, last FROM gap ORDER BY source, first")):
            known = gaps.get(row.source, ())
            if len(known) < GAPS:
                gaps[row.source] = (*known, Gap(first=row.first, last=row.last))
    days = [(first + timedelta(days=number)).strftime("%Y-%m-%d") for number in range(DAYS)]
    return Overview(
        now=now,
        status=status,
        uses=tuple((one, counted.get(one, 0)) for one in days),
        unknown=tuple((row.device_identifier, row.events) for row in unknown),
        deltas=tuple(_sent(row, reports) for row in deltas),
        alarms={one.source: one.alarms for one in reports if one.alarms},
        gaps=gaps,
    )


def _sent(row: DeltaRow, reports: Sequence[BoxReport]) -> SentDelta:
    lacking = tuple(one.source for one in reports if not one.has(row.source, row.number))
    return SentDelta(delta=row, taken=len(reports) - len(lacking), boxes=len(reports), lacking=lacking)

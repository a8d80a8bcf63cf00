"""Events, streams with their frontiers, poison, boxes, and the views that people query."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and views."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    moment: Any = postgresql.TIMESTAMP(timezone=True) if on_postgresql else sa.Text()
    identity: Any = postgresql.UUID(as_uuid=False) if on_postgresql else sa.Text()
    op.create_table(
        "event",
        sa.Column("id", identity, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        *(sa.Column(name, moment, nullable=False) for name in ("time", "recorded", "received")),
        *(sa.Column(name, sa.Text) for name in ("action", "disposition", "reason")),
        sa.Column("quantity", sa.Integer),
        *(sa.Column(name, identity) for name in ("undoes", "repeats", "corrects")),
        *(sa.Column(name, sa.Text) for name in ("issuer", "device_identifier", "lot_number", "serial_number")),
        *(sa.Column(name, sa.Text) for name in ("expiration_date", "manufacture_date")),
        *(sa.Column(name, sa.Text) for name in ("article_match", "article_number", "article_source")),
        *(sa.Column(name, sa.Text) for name in ("trade_name", "manufacturer_name")),
        sa.Column("base_quantity", sa.Integer),
        sa.Column("implant", sa.Boolean),
        *(sa.Column(name, sa.Text) for name in ("station", "location", "case_id", "boot_id")),
        sa.Column("monotonic_ns", sa.BigInteger),
        sa.Column("offset_ns", sa.BigInteger),
        *(sa.Column(name, sa.Text) for name in ("not_before", "not_after")),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    # not unique: what stands in for a parked event shares its sequence
    op.create_index("event_place", "event", ["source", "epoch", "sequence"])
    for name in ("undoes", "corrects", "repeats"):
        given = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"event_{name}", "event", [name], postgresql_where=given, sqlite_where=given)
    op.create_index("event_device", "event", ["device_identifier", "lot_number"])
    op.create_index("event_time", "event", ["time"])
    clocks = sa.text("type = 'scangate.clock.v1'")
    op.create_index("event_clock", "event", ["source", "boot_id"], postgresql_where=clocks, sqlite_where=clocks)
    op.create_table(
        "stand_in",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("received", moment, nullable=False),
    )
    op.create_table(
        "stream",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("begins", sa.BigInteger),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("frontier", "newest", "stored")),
        *(sa.Column(name, moment, nullable=False) for name in ("first_received", "last_received")),
        *(sa.Column(name, moment) for name in ("hole_since", "asked")),
        sa.Column("asks", sa.Integer, nullable=False),
    )
    op.create_table(
        "poison",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        *(sa.Column(name, moment, nullable=False) for name in ("first_received", "last_received")),
        sa.Column("times", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("source", "epoch")),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "box",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("status", sa.Text),
        sa.Column("status_received", moment),
        sa.Column("version", sa.Text),
        sa.Column("alarms", sa.Integer),
        sa.Column("waiting", sa.BigInteger),
        sa.Column("health", sa.Text),
        sa.Column("health_received", moment),
        sa.Column("articles", sa.Text),
        sa.Column("articles_received", moment),
    )
    op.create_table(
        "delta",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("issued", moment, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("summary", "body")),
        sa.Column("sent", moment),
    )
    late = sa.text("late")
    op.create_index("event_late", "event", ["received"], postgresql_where=late, sqlite_where=late)
    op.create_table(
        "forward_cursor",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("receiver", "source", "epoch")),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("confirmed", moment, nullable=False),
    )
    op.create_table(
        "forward_late",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("receiver", "source")),
        sa.Column("id", identity, primary_key=True),
    )
    op.create_table(
        "dead_letter",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("receiver", "source")),
        sa.Column("id", identity, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("refused", moment, nullable=False),
        sa.Column("retry", sa.Boolean, nullable=False),
    )
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


VIEWS = {
    # what happened and counts, by the rule of the integration page: accepted, not taken back, each label once; a
    # repeat whose first event was taken back stands in its place
    "in_force": """
        SELECT e.* FROM event e
        WHERE e.type = 'scangate.scan.v1' AND e.disposition = 'accepted' AND e.undoes IS NULL
          AND NOT EXISTS (SELECT 1 FROM event u WHERE u.undoes = e.id AND u.source = e.source)
          AND (e.repeats IS NULL OR (
            EXISTS (SELECT 1 FROM event u WHERE u.undoes = e.repeats AND u.source = e.source)
            AND NOT EXISTS (
                SELECT 1 FROM event o
                WHERE o.repeats = e.repeats AND o.source = e.source AND o.epoch = e.epoch AND o.sequence < e.sequence
                  AND o.disposition = 'accepted'
                  AND NOT EXISTS (SELECT 1 FROM event u WHERE u.undoes = o.id AND u.source = o.source))))
    """,
    # what was used, and how many pieces of it: those that a later discard or return takes off were not; a piece that
    # was taken out again was
    "used": """
        SELECT * FROM (
            SELECT e.*, coalesce(e.quantity, 1) - coalesce((
                SELECT sum(coalesce(c.quantity, 1)) FROM in_force c
                WHERE c.corrects = e.id AND c.source = e.source AND c.action <> 'explant'), 0) AS used_quantity
            FROM in_force e WHERE e.action = 'consume'
        ) AS netted WHERE used_quantity > 0
    """,
    "article_use": """
        SELECT article_number, device_identifier, lot_number, serial_number, case_id,
               max(trade_name) AS trade_name, sum(used_quantity) AS quantity,
               count(*) AS events, min(time) AS first_used, max(time) AS last_used
        FROM used GROUP BY article_number, device_identifier, lot_number, serial_number, case_id
    """,
    "unknown_article": """
        SELECT issuer, device_identifier, count(*) AS events, count(DISTINCT source) AS boxes,
               min(time) AS first_scanned, max(time) AS last_scanned
        FROM event
        WHERE type = 'scangate.scan.v1' AND article_match = 'none' AND action <> 'undo'
        GROUP BY issuer, device_identifier
    """,
    # numbers above a stream's frontier that are not here, while later ones are
    "gap": """
        SELECT source, epoch, before + 1 AS first, sequence - 1 AS last FROM (
            SELECT source, epoch, sequence,
                   lag(sequence, 1, frontier) OVER (PARTITION BY source, epoch ORDER BY sequence) AS before
            FROM (
                SELECT e.source, e.epoch, e.sequence, s.frontier FROM event e
                JOIN stream s ON s.source = e.source AND s.epoch = e.epoch AND e.sequence > s.frontier
                WHERE s.newest > s.frontier AND s.begins IS NOT NULL
                UNION
                SELECT i.source, i.epoch, i.sequence, s.frontier FROM stand_in i
                JOIN stream s ON s.source = i.source AND s.epoch = i.epoch AND i.sequence > s.frontier
                WHERE s.newest > s.frontier AND s.begins IS NOT NULL
            ) AS held
        ) AS neighbours WHERE sequence > before + 1
    """,
    # the true time of events of boots that learnt the time after they had sent them, or its bounds
    "clock_correction": """
        SELECT e.source, e.id, c.offset_ns + e.monotonic_ns AS true_time_ns, c.not_before, c.not_after
        FROM event e
        JOIN event c ON c.type = 'scangate.clock.v1' AND c.source = e.source AND c.boot_id = e.boot_id
        WHERE e.type = 'scangate.scan.v1' AND e.monotonic_ns IS NOT NULL
    """,
    "box_health": """
        SELECT s.source, s.epoch, s.stored, s.frontier, s.newest, s.hole_since, s.last_received,
               b.status, b.version, b.alarms, b.waiting, b.health_received
        FROM stream s LEFT JOIN box b ON b.source = s.source
    """,
}

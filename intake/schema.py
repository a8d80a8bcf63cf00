"""The tables of the intake, as SQLAlchemy Core knows them. `migrations` makes them; a test holds the two together.

event      one row an event: the identity is (id, source), as CloudEvents 1.0 defines it ("source + id is unique
           for each distinct event"), so that no box can take an identity from another
stand_in   places of a stream that hold no event: poison that is kept, numbers a box no longer has, and why
stream     one row per source and epoch: its frontier, which every transaction that touches it locks first
poison     messages that are no event this version can take
box        what a box says of itself: status, health, article master
delta      article deltas in the order of their numbers
forward_cursor  how far each receiver has confirmed each stream; `forward_late`: which late events, too
dead_letter     events that a receiver will not take
"""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment with a zone: `timestamptz` in PostgreSQL; in SQLite RFC 3339 in UTC, which orders as text."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the database's own type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401 - either form
        """Hand a moment to the database."""
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002
        """Take a moment from the database."""
        return datetime.fromisoformat(value) if isinstance(value, str) else value


EventId: Final = sa.Text().with_variant(postgresql.UUID(as_uuid=False), "postgresql")

metadata: Final = sa.MetaData()

event: Final = sa.Table(
    "event",
    metadata,
    sa.Column("id", EventId, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("time", Moment, nullable=False),
    sa.Column("recorded", Moment, nullable=False),
    sa.Column("received", Moment, nullable=False),
    sa.Column("action", sa.Text),
    sa.Column("disposition", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("quantity", sa.Integer),
    sa.Column("undoes", EventId),
    sa.Column("repeats", EventId),
    sa.Column("corrects", EventId),
    sa.Column("issuer", sa.Text),
    sa.Column("device_identifier", sa.Text),
    sa.Column("lot_number", sa.Text),
    sa.Column("serial_number", sa.Text),
    sa.Column("expiration_date", sa.Text),
    sa.Column("manufacture_date", sa.Text),
    sa.Column("article_match", sa.Text),
    sa.Column("article_number", sa.Text),
    sa.Column("article_source", sa.Text),
    sa.Column("trade_name", sa.Text),
    sa.Column("manufacturer_name", sa.Text),
    sa.Column("base_quantity", sa.Integer),
    sa.Column("implant", sa.Boolean),
    sa.Column("station", sa.Text),
    sa.Column("location", sa.Text),
    sa.Column("case_id", sa.Text),
    sa.Column("boot_id", sa.Text),
    sa.Column("monotonic_ns", sa.BigInteger),
    sa.Column("offset_ns", sa.BigInteger),
    sa.Column("not_before", sa.Text),
    sa.Column("not_after", sa.Text),
    sa.Column("late", sa.Boolean, nullable=False, default=False),
    sa.Column("body", sa.Text, nullable=False),
)
"""`late`: it came behind the frontier, which had passed its place (a dead letter that was sent again)."""

stand_in: Final = sa.Table(
    "stand_in",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("received", Moment, nullable=False),
)

stream: Final = sa.Table(
    "stream",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("begins", sa.BigInteger),
    sa.Column("frontier", sa.BigInteger, nullable=False, default=0),
    sa.Column("newest", sa.BigInteger, nullable=False, default=0),
    sa.Column("stored", sa.BigInteger, nullable=False, default=0),
    sa.Column("first_received", Moment, nullable=False),
    sa.Column("last_received", Moment, nullable=False),
    sa.Column("hole_since", Moment),
    sa.Column("asked", Moment),
    sa.Column("asks", sa.Integer, nullable=False, default=0),
)
"""`begins`: the epoch's first number, null until it is known (it is 1, or the box's health says it); until then the
frontier is 0 and nothing is acknowledged. `newest`: highest place held. `hole_since`: when the frontier was first
behind the newest place without moving since; `asked`, `asks`: when, and how often, the box was last asked for
it."""

poison: Final = sa.Table(
    "poison",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("first_received", Moment, nullable=False),
    sa.Column("last_received", Moment, nullable=False),
    sa.Column("times", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text),
    sa.Column("epoch", sa.Text),
    sa.Column("sequence", sa.BigInteger),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""`source`, `epoch` and `sequence` are those of the place it holds; null where it holds none."""

box: Final = sa.Table(
    "box",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("status", sa.Text),
    sa.Column("status_received", Moment),
    sa.Column("version", sa.Text),
    sa.Column("alarms", sa.Integer),
    sa.Column("waiting", sa.BigInteger),
    sa.Column("health", sa.Text),
    sa.Column("health_received", Moment),
    sa.Column("articles", sa.Text),
    sa.Column("articles_received", Moment),
)
"""`health` and `articles` are the box's own messages as they came."""

delta: Final = sa.Table(
    "delta",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("issued", Moment, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("sent", Moment),
)
"""`body`: the message as it is signed and sent; `sent`: when a broker was handed it first, null until then."""

forward_cursor: Final = sa.Table(
    "forward_cursor",
    metadata,
    sa.Column("receiver", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("confirmed", Moment, nullable=False),
)

forward_late: Final = sa.Table(
    "forward_late",
    metadata,
    sa.Column("receiver", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("id", EventId, primary_key=True),
)

dead_letter: Final = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("receiver", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("id", EventId, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("refused", Moment, nullable=False),
    sa.Column("retry", sa.Boolean, nullable=False),
)
"""`retry`: a person has asked for it to be sent again."""

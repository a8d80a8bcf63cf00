"""Events that receivers will not take: listed, and sent again when a person has mended the cause."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from msgspec import Struct

from intake.database import transaction
from intake.schema import dead_letter

LISTED: Final = 1000


class DeadLetter(Struct, frozen=True, kw_only=True):
    """One of them."""

    receiver: str
    source: str
    id: str
    sequence: int
    reason: str
    refused: datetime
    retry: bool


class DeadLetters:
    """The dead letters in the database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def all(self, receiver: str | None) -> list[DeadLetter]:
        """Return the newest, newest first. Raises DatabaseError."""
        query = sa.select(dead_letter).order_by(dead_letter.c.refused.desc()).limit(LISTED)
        if receiver is not None:
            query = query.where(dead_letter.c.receiver == receiver)
        with transaction(self._engine, "read") as connection:
            return [DeadLetter(**row._asdict() | {"id": str(row.id)}) for row in connection.execute(query)]

    def retry(self, receiver: str | None) -> int:
        """Have them sent again; return how many. Raises DatabaseError."""
        change = sa.update(dead_letter).values(retry=True)
        if receiver is not None:
            change = change.where(dead_letter.c.receiver == receiver)
        with transaction(self._engine, "write to") as connection:
            return connection.execute(change).rowcount

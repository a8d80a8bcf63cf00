"""Runs migrations on the connection that `intake.database` hands over."""

from typing import TYPE_CHECKING, cast

from alembic import context

from intake.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

connection = cast("Connection", context.config.attributes["connection"])
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite"
)
with context.begin_transaction():
    context.run_migrations()

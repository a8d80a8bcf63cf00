"""Opens the intake's database, SQLite or PostgreSQL, and brings its tables to this version.

SQLite runs with a write-ahead log and `synchronous=FULL`: what is committed is on the disk. PostgreSQL does so by
its own defaults (`fsync`, `synchronous_commit`), and a server or role that has switched them off is refused.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import event as hooks

LOCK_SECONDS: Final = 30
"""Another intake's transaction ends within a second; longer is a fault that a person must see."""
STATEMENT_SECONDS: Final = 120
"""A batch takes tenths of a second; a database that needs longer is taken for one that is away."""
CONNECT_SECONDS: Final = 10
MIGRATIONS: Final = Path(__file__).with_name("migrations")
MIGRATION_LOCK: Final = 0x5CA6A7E
"""Key of the advisory lock under which one intake at a time migrates (PostgreSQL, 13.3.5)."""


class DatabaseError(Exception):
    """The database cannot be used: operation, object, cause, next step. `away`: trying again may help."""

    def __init__(self, operation: str, url: str, cause: object, next_step: str, *, away: bool) -> None:
        reason = " ".join(str(cause).split())
        super().__init__(f"cannot {operation} {url}: {reason}; {next_step}")
        self.away = away


def shown(url: str) -> str:
    """Return a database URL without its password."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "the database"


def open_database(url: str) -> sa.Engine:
    """Return an engine for `sqlite:///FILE` or `postgresql://...`, its tables as new as this program.

    Raises DatabaseError.
    """
    engine = make_engine(url)
    try:
        migrate(engine)
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise unusable("open", url, error) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_existing(url: str) -> sa.Engine:
    """Return an engine for a database that is there already: a mistyped file name makes no empty one.

    Raises DatabaseError.
    """
    engine = make_engine(url)
    name = engine.url.database
    if engine.dialect.name == "sqlite" and not (name and Path(name).exists()):
        raise DatabaseError(
            "open", shown(url), "there is no such file", "`scangate-intake run` makes it; is the path right?",
            away=False,
        )  # fmt: skip
    return open_database(url)


def make_engine(url: str) -> sa.Engine:
    """Return an engine that has not connected yet. Raises DatabaseError for a URL of another kind."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise _wrong_url(url) from error
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed)
    raise _wrong_url(url)


def _wrong_url(url: str) -> DatabaseError:
    return DatabaseError(
        "open", shown(url), "no database of a kind that is known", "expected sqlite:///FILE or postgresql://...",
        away=False,
    )  # fmt: skip


def _sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": LOCK_SECONDS})

    @hooks.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @hooks.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "scangate-intake",
            "options": f"-c lock_timeout={LOCK_SECONDS}s -c statement_timeout={STATEMENT_SECONDS}s",
        },
    )

    @hooks.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg's, imported by SQLAlchemy
        for setting in ("fsync", "synchronous_commit"):
            value = connection.execute(f"SHOW {setting}").fetchone()[0]
            if value == "off":
                connection.close()
                raise DatabaseError(
                    "use", shown(str(url)), f"{setting} is off: what is committed can be lost",
                    f"set {setting} = on", away=False,
                )  # fmt: skip
        connection.rollback()

    return engine


def migrate(engine: sa.Engine) -> None:
    """Bring the tables to this version in one transaction; a database of a newer version is refused."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        present = _present(connection)
        if present is not None and present not in known:
            raise DatabaseError(
                "use", shown(str(engine.url)), f"its tables are of version {present}, unknown to this program",
                "use the newer scangate-intake that made them", away=False,
            )  # fmt: skip
        command.upgrade(config, "head")


def _present(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found


def unusable(operation: str, url: str, error: sa.exc.DBAPIError) -> DatabaseError:
    """Make of a driver's error one that a person can act on."""
    return DatabaseError(
        operation, shown(url), error.orig or error,
        "is the database there, and has it room? the same batch is tried again", away=True,
    )  # fmt: skip


@contextmanager
def transaction(engine: sa.Engine, operation: str) -> Iterator[sa.Connection]:
    """Give a connection within a transaction, committed at the end. Raises DatabaseError."""
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise unusable(operation, str(engine.url), error) from error


def copy_in(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows into a PostgreSQL table by COPY: more than twice as fast as statements. Raises DBAPIError.

    Each row has a value for every column.
    """
    import psycopg

    names = [column.name for column in table.columns]
    columns = ", ".join(f'"{name}"' for name in names)
    statement = f"COPY {table.name} ({columns}) FROM STDIN"
    raw: Any = connection.connection.driver_connection
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
    except psycopg.Error as error:
        raise sa.exc.DBAPIError.instance(
            statement, None, error, psycopg.Error, dialect=connection.dialect
        ) from error

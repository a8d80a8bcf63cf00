"""The generation file: its tables, its queries, and how it is opened.

One file holds the rows of every source. A row's key tells what it is and whose:

    key = GTIN << 8 | source        an article with a GTIN: all sources' rows of a GTIN lie side by side
    key = -n << 8 | source          any other article, n = 1, 2, ... within its source

so that `key & 255` is the source in both cases. Where a file gives a GTIN several article numbers, the rows of the
others stand there like articles without a GTIN, with the GTIN as `identifier`. Identifiers that are no GTIN have an
index of their own. A trade name or description that comes often stands once, in `phrase`; the column then holds its
number.
"""

import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from gateway.articles.errors import (
    MasterDamagedError,
    MasterNewerError,
    MasterOlderError,
    MasterUnreadableError,
)

APPLICATION_ID: Final = 0x73676131
"""`sga1`: what SQLite's header calls the file's owner."""
SCHEMA_VERSION: Final = 2
"""`PRAGMA user_version`. A file with another one is refused; what an older one holds can be imported again."""
CURRENT: Final = "current.db"
"""The generation in force, inside the articles directory."""
PREVIOUS: Final = "previous.db"
"""The one before it, for a rollback."""

_COLUMNS: Final = """
    key INTEGER PRIMARY KEY, traits INTEGER NOT NULL, manufacturer INTEGER, trade_name, description,
    article_number TEXT, catalog_number TEXT, identifier TEXT, base, base_quantity INTEGER, rest BLOB
"""
TABLES: Final = f"""
CREATE TABLE generation (version TEXT NOT NULL, built_ns INTEGER NOT NULL);
CREATE TABLE source (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, priority INTEGER NOT NULL,
    version TEXT NOT NULL, as_of_ns INTEGER NOT NULL, row_count INTEGER NOT NULL
);
CREATE TABLE silent_on_status (source INTEGER PRIMARY KEY);
CREATE TABLE may_not_block (source INTEGER PRIMARY KEY);
CREATE TABLE barred (key INTEGER PRIMARY KEY);
CREATE TABLE manufacturer (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE phrase (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE article ({_COLUMNS});
"""
"""silent_on_status: sources whose file cannot say what is blocked. may_not_block: those that block nothing which a
source before them calls active. barred: the rows that say blocked or recalled. Older files lack some of these."""
ADDED_TABLES: Final = ("silent_on_status", "may_not_block", "barred")
HAS_TABLE: Final = "SELECT count(*) FROM {0}.sqlite_master WHERE type = 'table' AND name = ?"
INDEXES: Final = """
CREATE INDEX identifier ON article (identifier) WHERE identifier IS NOT NULL;
CREATE INDEX article_number ON article (article_number) WHERE article_number IS NOT NULL;
CREATE INDEX catalog_number ON article (catalog_number) WHERE catalog_number IS NOT NULL;
"""
"""Made after the rows: sorted once instead of shuffled for every row."""

PHRASE: Final = "CASE typeof({0}) WHEN 'integer' THEN (SELECT text FROM {1}phrase WHERE id = {0}) ELSE {0} END"


def select_rows(schema: str = "") -> str:
    """Return the query for rows as `gateway.articles.rows.to_article` takes them; `schema` ends with a dot."""
    return f"""
SELECT key, traits, (SELECT name FROM {schema}manufacturer WHERE id = article.manufacturer),
    {PHRASE.format("trade_name", schema)}, {PHRASE.format("description", schema)}, article_number, catalog_number,
    identifier, base, base_quantity, rest
FROM {schema}article AS article
"""  # noqa: S608 - made of constants


SELECT: Final = select_rows()

MAX_SAME_NUMBER: Final = 64
"""Rows taken for one article or catalogue number: its packages, in a few sources, with room to spare."""
BY_GTIN: Final = f"{SELECT} WHERE key BETWEEN ? AND ?"
BY_KEY: Final = f"{SELECT} WHERE key = ?"
BARRED: Final = f"{SELECT} WHERE key IN (SELECT key FROM barred)"  # noqa: S608
BY_TEXT: Final = f"{SELECT} WHERE identifier = ? LIMIT {MAX_SAME_NUMBER}"
BY_ARTICLE_NUMBER: Final = f"{SELECT} WHERE article_number = ? LIMIT {MAX_SAME_NUMBER}"
BY_CATALOG_NUMBER: Final = f"{SELECT} WHERE catalog_number = ? LIMIT {MAX_SAME_NUMBER}"

DAMAGE: Final = (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError, LookupError)
"""What reading a damaged file can raise: SQLite's own errors, texts (its error messages too) that are no UTF-8,
values of a wrong type, a source that is not listed."""


def open_generation(path: Path) -> sqlite3.Connection:
    """Open a sealed generation for reading. It never changes, so SQLite may skip locks and change checks.

    Raises MasterUnreadableError, MasterDamagedError or MasterNewerError.
    """
    try:
        size = path.stat().st_size
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        # one thread uses it; another may close it at the end
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.OperationalError) as error:
        raise MasterUnreadableError(
            "open", path, str(error), "check that the service may read it", recoverable=True
        ) from error
    try:
        _check(connection, path, size)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path, size: int) -> None:
    try:
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute("PRAGMA cache_size = -512")
        application = _pragma(connection, "application_id")
        version = _pragma(connection, "user_version")
        pages = _pragma(connection, "page_count")
        page_size = _pragma(connection, "page_size")
    except DAMAGE as error:
        raise damaged(path, str(error)) from error
    if application != APPLICATION_ID:
        raise damaged(path, "it is no article master")
    if version > SCHEMA_VERSION:
        raise MasterNewerError(
            "open",
            path,
            f"its format is {version} and this scangate reads up to {SCHEMA_VERSION}",
            "install the newer scangate again, or remove the file and import anew",
            recoverable=False,
        )
    if 1 <= version < SCHEMA_VERSION:
        raise MasterOlderError(
            "open",
            path,
            f"an earlier scangate made it (format {version}, this one reads {SCHEMA_VERSION})",
            "import every source again: scangate articles import, or sync",
            recoverable=False,
        )
    if version < 1 or pages * page_size != size:
        raise damaged(path, f"format {version}, {size} bytes of {pages * page_size}")


def damaged(path: Path, cause: str) -> MasterDamagedError:
    """Return the error for a file that cannot be trusted."""
    return MasterDamagedError(
        "use",
        path,
        cause,
        "go back with `scangate articles rollback`, or remove it and import every source",
        recoverable=False,
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)

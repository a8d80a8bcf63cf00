"""The generation file: its tables, and how a row becomes an Article and back.

One file holds the rows of every source. A row's key tells what it is and whose:

    key = GTIN << 8 | source        an article with a GTIN: all sources' rows of a GTIN lie side by side
    key = -(n << 8) | source        any other article, n = 1, 2, ... within its source

so that `key & 255` is the source in both cases. Identifiers that are no GTIN stand in `identifier`.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from gateway.articles.errors import MasterDamagedError, MasterNewerError, MasterUnreadableError
from gateway.articles.identifiers import gtin_number, gtin_text
from gateway.articles.settings import Field
from gateway.model import Article, Issuer

APPLICATION_ID: Final = 0x73676131
"""`sga1`: what SQLite's header calls the file's owner."""
SCHEMA_VERSION: Final = 1
"""`PRAGMA user_version`. A file with a higher one is refused."""
CURRENT: Final = "current.db"
"""The generation in force, inside the articles directory."""
PREVIOUS: Final = "previous.db"
"""The one before it, for a rollback."""

SOURCE_BITS: Final = 8
MAX_SOURCES: Final = (1 << SOURCE_BITS) - 1
"""Sources of one master: what fits below the GTIN in a 64-bit key. 0 is no source."""

TABLES: Final = """
CREATE TABLE generation (version TEXT NOT NULL, built_ns INTEGER NOT NULL);
CREATE TABLE source (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, priority INTEGER NOT NULL,
    version TEXT NOT NULL, row_count INTEGER NOT NULL
);
CREATE TABLE manufacturer (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE article (
    key INTEGER PRIMARY KEY, identifier TEXT, issuer TEXT, article_number TEXT, trade_name TEXT, description TEXT,
    manufacturer INTEGER, catalog_number TEXT, risk_class TEXT, implant INTEGER, consignment INTEGER, owner TEXT,
    package_level TEXT, base_identifier, base_quantity INTEGER, sterile INTEGER, single_use INTEGER,
    lot_required INTEGER, serial_required INTEGER, expiry_required INTEGER, status TEXT, status_reason TEXT,
    status_from TEXT
);
CREATE TABLE identifier (
    text TEXT NOT NULL, source INTEGER NOT NULL, article INTEGER NOT NULL, PRIMARY KEY (text, source)
) WITHOUT ROWID;
"""
INDEXES: Final = """
CREATE INDEX article_number ON article (article_number) WHERE article_number IS NOT NULL;
CREATE INDEX catalog_number ON article (catalog_number) WHERE catalog_number IS NOT NULL;
"""
"""Made after the rows: sorted once instead of shuffled for every row."""

COLUMNS: Final = 23
"""Of `article`, the key included."""

_SELECT = """
SELECT key, identifier, issuer, article_number, trade_name, description, manufacturer.name, catalog_number,
    risk_class, implant, consignment, owner, package_level, base_identifier, base_quantity, sterile, single_use,
    lot_required, serial_required, expiry_required, status, status_reason, status_from
FROM article LEFT JOIN manufacturer ON manufacturer.id = article.manufacturer
"""
_FIELDS: Final[tuple[str, ...]] = get_args(Field)
"""What `_SELECT` gives behind the key: all fields, in their order."""

MAX_SAME_NUMBER: Final = 64
"""Rows taken for one article or catalogue number: its packages, in a few sources, with room to spare."""
BY_GTIN: Final = f"{_SELECT} WHERE key BETWEEN ? AND ?"
BY_TEXT: Final = f"{_SELECT} WHERE key IN (SELECT article FROM identifier WHERE text = ?)"  # noqa: S608 - constants
BY_ARTICLE_NUMBER: Final = f"{_SELECT} WHERE article_number = ? LIMIT {MAX_SAME_NUMBER}"
BY_CATALOG_NUMBER: Final = f"{_SELECT} WHERE catalog_number = ? LIMIT {MAX_SAME_NUMBER}"

SqlValue = str | int | None

DAMAGE: Final = (sqlite3.Error, msgspec.ValidationError, ValueError, TypeError, LookupError)
"""What reading a damaged file can raise: SQLite's own errors, texts (its error messages too) that are no UTF-8,
values of a wrong type, a source that is not listed."""


def gtin_keys(gtin: int) -> tuple[int, int]:
    """Return the least and the greatest key a GTIN's rows can have."""
    return gtin << SOURCE_BITS, gtin << SOURCE_BITS | MAX_SOURCES


def source_of(key: int) -> int:
    """Return the id of the source a row belongs to."""
    return key & MAX_SOURCES


def to_row(article: Article, key: int, manufacturer: int | None) -> tuple[SqlValue, ...]:
    """Return the row of an article. What the key tells, and the status active, is NULL to save room."""
    by_gtin = key > 0
    base = article.base_device_identifier
    base_gtin = gtin_number(base) if base is not None and len(base) == len(gtin_text(0)) else None
    return (
        key,
        None if by_gtin else article.device_identifier,
        None if by_gtin or article.issuer is None else article.issuer.value,
        article.article_number,
        article.trade_name,
        article.description,
        manufacturer,
        article.catalog_number,
        article.risk_class,
        article.implant,
        article.consignment,
        article.owner,
        article.package_level,
        base if base_gtin is None else base_gtin,
        article.base_quantity,
        article.sterile,
        article.single_use,
        article.lot_required,
        article.serial_required,
        article.expiry_required,
        None if article.status is article.status.ACTIVE else article.status.value,
        article.status_reason,
        article.status_from,
    )


def to_article(row: tuple[Any, ...]) -> Article:
    """Return the article of a selected row. Raises msgspec.ValidationError for what no import writes."""
    key = row[0]
    values = {field: value for field, value in zip(_FIELDS, row[1:], strict=True) if value is not None}
    if key > 0:
        values["deviceIdentifier"] = gtin_text(key >> SOURCE_BITS)
        values["issuer"] = Issuer.GS1
    base = values.get("baseDeviceIdentifier")
    if isinstance(base, int):
        values["baseDeviceIdentifier"] = gtin_text(base)
    return msgspec.convert(values, Article, strict=False)


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
    if version < 1 or pages * page_size != size:
        raise damaged(path, f"format {version}, {size} bytes of {pages * page_size}")


def damaged(path: Path, cause: str) -> MasterDamagedError:
    """Return the error for a file that cannot be trusted."""
    return MasterDamagedError(
        "use", path, cause, "remove it (or put previous.db in its place) and import every source", recoverable=False
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)

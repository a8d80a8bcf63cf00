"""The writing side: build a generation aside, seal it, put it in force.

Until `put_in_force` renames it, the file has a name nobody reads. A crash at any point leaves the generation in
force as it was; the next import sweeps up what the crashed one left.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

from gateway.articles.identifiers import gtin_number
from gateway.articles.schema import (
    APPLICATION_ID,
    COLUMNS,
    CURRENT,
    INDEXES,
    MAX_SOURCES,
    PREVIOUS,
    SCHEMA_VERSION,
    SOURCE_BITS,
    TABLES,
    SqlValue,
    damaged,
    open_generation,
    to_row,
)
from gateway.articles.settings import SourceSettings
from gateway.model import Article, Issuer

BUILDING = "building.db"
"""The generation being built, inside the articles directory."""
_LINKING = "previous.new"

MAX_MANUFACTURERS_REMEMBERED = 10_000
"""Manufacturer keys kept in memory while building: more than any hospital's suppliers. Beyond, start afresh."""
_BUILD_CACHE_KIB = 16_384
"""SQLite's page cache while building: bounds the import's memory, and keeps the upper tree of millions of rows."""

_INSERT = f"INSERT OR IGNORE INTO article VALUES ({', '.join('?' * COLUMNS)})"  # noqa: S608 - a fixed count of marks
_OTHERS = f"(key & {MAX_SOURCES}) <> :own"
_CARRY_OVER = f"""
INSERT INTO source SELECT * FROM old.source WHERE id <> :own;
INSERT INTO article SELECT * FROM old.article WHERE {_OTHERS} ORDER BY key;
INSERT INTO identifier SELECT * FROM old.identifier WHERE source <> :own ORDER BY text, source;
INSERT INTO manufacturer SELECT * FROM old.manufacturer
    WHERE id IN (SELECT manufacturer FROM old.article WHERE {_OTHERS})
"""  # noqa: S608 - made of constants
_SCRATCH = "CREATE TEMP TABLE numbered (number TEXT PRIMARY KEY, article INTEGER NOT NULL) WITHOUT ROWID"
"""Articles of this import that have a number only, to see one that comes twice. Gone with the connection."""
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Addition(Enum):
    """What became of an article handed to a builder."""

    NEW = "new"
    REPEATED = "repeated"
    """It is there already, word for word."""
    CONFLICTING = "conflicting"
    """Its identifier (or, without one, its article number) is there already with other values; those stay."""


class TooManySourcesError(ValueError):
    """The master has no key left for one more source."""


def version_of(built: datetime) -> str:
    """Return a generation's version, RFC 3339 UTC to the second. `built` must know its zone."""
    return built.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Builder:
    """A new generation under construction: all rows of the present one, with one source's rows made anew.

    Raises sqlite3.Error and OSError where the disk fails; MasterError where the present generation cannot be read.
    """

    def __init__(self, directory: Path, source: SourceSettings) -> None:
        self._directory = directory
        self._source = source
        self._path = directory / BUILDING
        self._path.unlink(missing_ok=True)
        self._manufacturers: dict[str, int] = {}
        self._unkeyed = 0
        self.rows = 0
        """Articles of the source so far."""
        # `uri` lets ATTACH open the present generation as it must be opened, too
        self._connection = sqlite3.connect(f"{self._path.absolute().as_uri()}", uri=True, isolation_level=None)
        try:
            self._own = self._begin()
        except BaseException:
            self.discard()
            raise

    def _begin(self) -> int:
        """Make the tables, carry over the other sources' rows, and return the key of the own source."""
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            f"cache_size = -{_BUILD_CACHE_KIB}",
            f"application_id = {APPLICATION_ID}",
            f"user_version = {SCHEMA_VERSION}",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(TABLES)
        self._connection.execute(_SCRATCH)
        present = self._directory / CURRENT
        known = present.exists()
        if known:
            open_generation(present).close()
            self._connection.execute("ATTACH ? AS old", (f"{present.absolute().as_uri()}?mode=ro&immutable=1",))
        self._connection.execute("BEGIN")
        return self._carry_over(present) if known else 1

    def _carry_over(self, present: Path) -> int:
        try:
            own = self._own_key()
            for statement in _CARRY_OVER.split(";"):
                self._connection.execute(statement, {"own": own})
        except sqlite3.OperationalError:
            raise  # the new file's disk
        except sqlite3.DatabaseError as error:
            raise damaged(present, str(error)) from error
        return own

    def _own_key(self) -> int:
        taken = dict(self._connection.execute("SELECT name, id FROM old.source"))
        if self._source.name in taken:
            return int(taken[self._source.name])
        free = set(range(1, MAX_SOURCES + 1)) - set(taken.values())
        if not free:
            raise TooManySourcesError(f"the master has {len(taken)} sources already")
        return min(free)

    def add(self, article: Article) -> Addition:
        """Take one article of the source."""
        gtin = gtin_number(article.device_identifier or "") if article.issuer is Issuer.GS1 else None
        if gtin is not None:
            key = gtin << SOURCE_BITS | self._own
            taken = not self._insert(article, key)
        else:
            key = -(self._unkeyed + 1 << SOURCE_BITS) | self._own
            present = self._claim(article, key)
            taken = present is not None
            if present is None:
                self._unkeyed += 1
                self._insert(article, key)
            else:
                key = present
        if not taken:
            self.rows += 1
            return Addition.NEW
        same = self._row(key) == to_row(article, key, self._manufacturer(article.manufacturer_name))
        return Addition.REPEATED if same else Addition.CONFLICTING

    def _claim(self, article: Article, key: int) -> int | None:
        """Take the text that finds an article without GTIN; return the key of the article that has it, if any."""
        if article.device_identifier is not None:
            claim = "INSERT OR IGNORE INTO identifier (text, article, source) VALUES (?, ?, ?)"
            values: tuple[SqlValue, ...] = (article.device_identifier, key, self._own)
            holder = "SELECT article FROM identifier WHERE text = ? AND article <> ? AND source = ?"
        else:
            claim = "INSERT OR IGNORE INTO numbered (number, article) VALUES (?, ?)"
            values = (article.article_number, key)
            holder = "SELECT article FROM numbered WHERE number = ? AND article <> ?"
        if self._connection.execute(claim, values).rowcount == 1:
            return None
        (present,) = self._connection.execute(holder, values).fetchone()
        return int(present)

    def _insert(self, article: Article, key: int) -> bool:
        row = to_row(article, key, self._manufacturer(article.manufacturer_name))
        return self._connection.execute(_INSERT, row).rowcount == 1

    def _row(self, key: int) -> tuple[SqlValue, ...]:
        row: tuple[SqlValue, ...] = self._connection.execute(
            "SELECT * FROM article WHERE key = ?", (key,)
        ).fetchone()
        return row

    def _manufacturer(self, name: str | None) -> int | None:
        if name is None:
            return None
        if (known := self._manufacturers.get(name)) is not None:
            return known
        if len(self._manufacturers) == MAX_MANUFACTURERS_REMEMBERED:
            self._manufacturers.clear()
        self._connection.execute("INSERT OR IGNORE INTO manufacturer (name) VALUES (?)", (name,))
        (key,) = self._connection.execute("SELECT id FROM manufacturer WHERE name = ?", (name,)).fetchone()
        self._manufacturers[name] = key
        return int(key)

    def seal(self, built: datetime) -> None:
        """Finish the file: indexes, its own description, a check of its structure, and down to the disk."""
        version = version_of(built)
        built_ns = (built - _UNIX_EPOCH) // timedelta(seconds=1) * 1_000_000_000
        described = (self._own, self._source.name, self._source.priority, version, self.rows)
        self._connection.execute("INSERT INTO source VALUES (?, ?, ?, ?, ?)", described)
        self._connection.execute("INSERT INTO generation VALUES (?, ?)", (version, built_ns))
        for statement in filter(str.strip, INDEXES.split(";")):
            self._connection.execute(statement)
        self._connection.execute("COMMIT")
        (health,) = self._connection.execute("PRAGMA main.quick_check(1)").fetchone()
        if health != "ok":
            raise sqlite3.DatabaseError(f"the new file does not check: {health}")
        self._connection.close()
        _flush(self._path)

    def put_in_force(self) -> None:
        """Swap the sealed file in; the one in force until now stays for a rollback."""
        current, linking = self._directory / CURRENT, self._directory / _LINKING
        linking.unlink(missing_ok=True)
        if current.exists():
            linking.hardlink_to(current)
            linking.replace(self._directory / PREVIOUS)
            linking.unlink(missing_ok=True)  # rename does nothing between two names of one file
        self._path.replace(current)
        _flush(self._directory)

    def discard(self) -> None:
        """Give up: nothing of it remains. Without effect once it is in force."""
        self._connection.close()
        self._path.unlink(missing_ok=True)


@contextmanager
def build(directory: Path, source: SourceSettings) -> Iterator[Builder]:
    """Hand out a builder, and discard what it built unless it was put in force."""
    builder = Builder(directory, source)
    try:
        yield builder
    finally:
        builder.discard()


def _flush(path: Path) -> None:
    """Bring a file's content, or a directory's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

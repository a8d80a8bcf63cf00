"""The writing side: build a generation aside, seal it, put it in force.

A source's rows are first collected as they come, in a file of their own, and then merged with the other sources'
rows in the order of their keys: a tree filled in order is dense, and needs little memory however many rows it has.

Until `put_in_force` renames it, the file has a name nobody reads. A crash at any point (`ImportStage` names them)
leaves one whole generation in force; the next import sweeps up what the crashed one left.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from gateway.articles.build.import_rows import COLUMNS, Collector, Twin, twins
from gateway.articles.errors import MasterOlderError, NoPreviousError
from gateway.articles.identifiers import gtin_text
from gateway.articles.precedence import STRICTNESS
from gateway.articles.rows import (
    DELISTED,
    FURTHER,
    MAX_SOURCES,
    SOURCE_BITS,
    STATUS_PLACE,
    is_delisted,
    is_further,
    rest_with_status,
    status_of,
    with_status,
)
from gateway.articles.schema import (
    ADDED_TABLES,
    APPLICATION_ID,
    CURRENT,
    HAS_TABLE,
    INDEXES,
    PREVIOUS,
    SCHEMA_VERSION,
    TABLES,
    damaged,
    open_generation,
    select_rows,
)
from gateway.articles.settings import SourceSettings
from gateway.model import ArticleStatus

BUILDING: Final = "building.db"
"""The generation being built, inside the articles directory."""
COLLECTING: Final = "collecting.db"
"""The imported source's rows as they came."""
_LINKING: Final = "previous.new"
_RETURNING: Final = "current.new"

_BUILD_CACHE_KIB: Final = 16_384
"""SQLite's page cache while building, and what a sort holds before it goes to disk: bounds the import's memory."""

_CARRY_OVER: Final = """
INSERT INTO source SELECT * FROM old.source WHERE id <> :own;
INSERT INTO manufacturer SELECT * FROM old.manufacturer
    WHERE id IN (SELECT manufacturer FROM old.article WHERE (key & 255) <> :left);
INSERT INTO phrase SELECT * FROM old.phrase WHERE id IN (
    SELECT trade_name FROM old.article WHERE (key & 255) <> :left AND typeof(trade_name) = 'integer'
    UNION SELECT description FROM old.article WHERE (key & 255) <> :left AND typeof(description) = 'integer')
"""
"""own: the source that is imported. left: the one whose rows stay behind; none, 0, where the file changes rows."""
_CARRY_TABLE: Final = "INSERT INTO {0} SELECT * FROM old.{0} WHERE ({1} & 255) <> :own"
_BARRED_BY_TRAITS: Final = f"SELECT key FROM old.article WHERE (traits >> {STATUS_PLACE} & 3) IN (1, 2)"  # noqa: S608
"""In a generation of an earlier version, which has no table `barred`."""
_NAMED: Final = "coalesce('i' || identifier, 'n' || article_number)"
_STAYING: Final = f"""
SELECT 1 << 62 AS ordinal, {COLUMNS} FROM old.article WHERE (key & 255) <> :left AND NOT (
    (key & 255) = :own AND key < 0 AND traits & {FURTHER} = 0
    AND {_NAMED} IN (SELECT {_NAMED} FROM rows.collected WHERE key < 0))
"""  # noqa: S608 - made of constants
"""Rows of the present generation, behind those of the file with the same key."""
_COLLECTED: Final = (
    f"SELECT ordinal, {COLUMNS} FROM rows.collected WHERE ordinal NOT IN (SELECT ordinal FROM rows.twin)"  # noqa: S608
)
_IN_ORDER: Final = "ORDER BY key, base IS NOT NULL, ordinal"
"""A device's own row is before that of another device which lists its identifier as a package or unit of use."""
_MERGE_ALONE: Final = f"INSERT OR IGNORE INTO article SELECT {COLUMNS} FROM ({_COLLECTED}) {_IN_ORDER}"  # noqa: S608
_MERGE_BOTH: Final = f"""
INSERT OR IGNORE INTO article SELECT {COLUMNS} FROM ({_STAYING} UNION ALL {_COLLECTED})
    ORDER BY key, ordinal = 1 << 62, base IS NOT NULL, ordinal
"""  # noqa: S608 - made of constants
_PUT: Final = f"INSERT OR REPLACE INTO article ({COLUMNS}) VALUES ({', '.join('?' * 11)})"  # noqa: S608 - constants
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_OLD_ROW: Final = f"{select_rows('old.')} WHERE key = ?"
_TRAITS, _NUMBER, _IDENTIFIER, _REST = 1, 5, 7, 10
"""Places in a row of the generation."""


class ImportStage(StrEnum):
    """The stages of an import, in their order: each is done when it is reported."""

    BEGUN = "begun"
    """The new file has its tables."""
    COLLECTED = "collected"
    MERGED = "merged"
    INDEXED = "indexed"
    SEALED = "sealed"
    """The new generation is complete and on the disk, under a name nobody reads."""
    LINKED = "linked"
    """The generation in force has a second name."""
    KEPT = "kept"
    """It is the previous one, too."""
    SWAPPED = "swapped"
    """The new generation is in force."""
    FLUSHED = "flushed"
    """Its name is on the disk."""


Reached = Callable[[ImportStage], None]
"""Called with each step as it is done."""


def nobody(_step: ImportStage) -> None:
    """Take a step, and do nothing."""


class TooManySourcesError(ValueError):
    """The master has no key left for one more source."""


def version_of(built: datetime) -> str:
    """Return a generation's version, RFC 3339 UTC to the second. `built` must know its zone."""
    return built.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def nanoseconds(moment: datetime) -> int:
    """Return a moment, to the second, as nanoseconds since 1970 UTC."""
    return (moment - _UNIX_EPOCH) // timedelta(seconds=1) * 1_000_000_000


class Builder:
    """A new generation under construction: all rows of the present one, with one source's rows made anew.

    `collector` takes the source's rows; then `merge`, `seal` and `put_in_force`, in this order. Raises
    sqlite3.Error and OSError where the disk fails; MasterError where the present generation cannot be read.
    """

    def __init__(
        self, directory: Path, source: SourceSettings, reached: Reached = nobody, *, changes: bool = False
    ) -> None:
        """`changes`: the file changes rows of the source; the others stay."""
        self._directory = directory
        self._changes = changes
        self._source = source
        self._reached = reached
        self._path = directory / BUILDING
        self._collecting = directory / COLLECTING
        self._sweep()
        # `uri` lets ATTACH open the present generation as it must be opened, too
        self._connection = sqlite3.connect(f"{self._path.absolute().as_uri()}", uri=True, isolation_level=None)
        try:
            self._has_old = self._begin()
            own = self._own_key() if self._has_old else 1
            self._own = own
            self._bound = {"own": own, "left": 0 if changes else own}
            if self._has_old:
                self._carry_over()
            self.collector = Collector(self._connection, own, self._last_ordinal())
        except BaseException:
            self.discard()
            raise
        self.rows = 0
        """Articles of the source, known from `merge` on."""
        self._gtin_twins = False
        self._left_out = 0
        reached(ImportStage.BEGUN)

    def _begin(self) -> bool:
        """Make the tables; return whether there is a present generation to build upon."""
        for pragma in (
            f"application_id = {APPLICATION_ID}",
            f"user_version = {SCHEMA_VERSION}",
            # what a sort cannot hold goes beside the files it is for: /tmp may be memory
            f"temp_store_directory = '{str(self._directory.absolute()).replace(chr(39), chr(39) * 2)}'",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("ATTACH ? AS rows", (self._collecting.absolute().as_uri(),))
        for schema in ("main", "rows"):
            for pragma in (
                "journal_mode = OFF",
                "synchronous = OFF",
                "locking_mode = EXCLUSIVE",
                f"cache_size = -{_BUILD_CACHE_KIB}",
            ):
                self._connection.execute(f"PRAGMA {schema}.{pragma}")
        for statement in filter(str.strip, TABLES.split(";")):
            self._connection.execute(statement)
        present = self._directory / CURRENT
        has_old = present.exists()
        if has_old:
            try:
                open_generation(present).close()
            except MasterOlderError:
                has_old = False  # it can only be imported again
        if has_old:
            self._connection.execute("ATTACH ? AS old", (f"{present.absolute().as_uri()}?mode=ro&immutable=1",))
        self._connection.execute("BEGIN")
        return has_old

    def _own_key(self) -> int:
        with self._reading_old():
            taken = dict(self._connection.execute("SELECT name, id FROM old.source"))
        if self._source.name in taken:
            return int(taken[self._source.name])
        free = set(range(1, MAX_SOURCES + 1)) - set(taken.values())
        if not free:
            raise TooManySourcesError(f"the master has {len(taken)} sources already")
        return min(free)

    def _carry_over(self) -> None:
        """Take over the other sources, and what their rows refer to."""
        with self._reading_old():
            for statement in _CARRY_OVER.split(";"):
                self._connection.execute(statement, self._bound)
            for table in filter(self._old_has, ADDED_TABLES):
                column = "key" if table == "barred" else "source"
                self._connection.execute(_CARRY_TABLE.format(table, column), {"own": self._own})
            if not self._old_has("barred"):
                self._connection.execute(
                    f"INSERT INTO barred {_BARRED_BY_TRAITS} AND (key & 255) <> :own", {"own": self._own}
                )

    def _old_has(self, table: str) -> bool:
        return bool(self._connection.execute(HAS_TABLE.format("old"), (table,)).fetchone() != (0,))

    def _last_ordinal(self) -> int:
        """Return the ordinal of the source's last article without a GTIN in the present generation."""
        if not self._has_old:
            return 0
        query = "SELECT min(key) FROM old.article WHERE key < 0 AND (key & 255) = :own"
        with self._reading_old():
            ((least,),) = self._connection.execute(query, {"own": self._own}).fetchall()
        return 0 if least is None else -(least >> SOURCE_BITS)

    def former_rows(self) -> int:
        """Return how many articles of the source the present generation has."""
        if not self._has_old:
            return 0
        with self._reading_old():
            found = self._connection.execute(
                "SELECT row_count FROM old.source WHERE id = ?", (self._own,)
            ).fetchone()
        return 0 if found is None else int(found[0])

    def former_gtins(self) -> int:
        """Return how many of them have a GTIN."""
        if not self._has_old:
            return 0
        without = f"FROM old.article WHERE key < 0 AND (key & 255) = :own AND traits & {FURTHER} = 0"
        with self._reading_old():
            return max(self.former_rows() - self._one(f"SELECT count(*) {without}", own=self._own), 0)

    @contextlib.contextmanager
    def _reading_old(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError:
            raise  # the new file's disk
        except sqlite3.DatabaseError as error:
            raise damaged(self._directory / CURRENT, str(error)) from error

    def merge(self) -> None:
        """Bring the collected rows and those of the other sources into the order of their keys."""
        self.collector.flush()
        self._reached(ImportStage.COLLECTED)
        expected = self.collector.rows - self.collector.find_twins_without_gtin()
        with self._reading_old():
            merge = _MERGE_BOTH if self._has_old else _MERGE_ALONE
            merged = self._connection.execute(merge, self._bound if self._has_old else {}).rowcount
            others = "SELECT count(*) FROM old.article WHERE (key & 255) <> :own"
            self.rows = merged - (self._one(others, own=self._own) if self._has_old else 0)
        self._gtin_twins = self._changes or self.rows != expected
        self._reached(ImportStage.MERGED)

    @property
    def accepted(self) -> int:
        """Rows of the file that were taken. After `settle_twins`."""
        return self.collector.rows - self.collector.bars_only - self._left_out

    def _one(self, query: str, **bound: int) -> int:
        ((value,),) = self._connection.execute(query, bound).fetchall()
        return int(value)

    def settle_twins(self) -> Iterator[Twin]:
        """Decide between rows of one article; yield those that were left out. After `merge`, once.

        The earlier row is taken, but with the strictest status of all. One with another article number is a further
        number of the article, and the article has the number that is not barred or discontinued.
        """
        for twin in twins(self._connection, gtins=self._gtin_twins):
            first = self._article_of(twin)
            if first is None:
                continue
            if is_delisted(twin.later[_TRAITS]):
                self._stricter(first[0], twin.later)
            elif is_delisted(first[_TRAITS]):
                self._connection.execute(_PUT, (first[0], *twin.later[1:]))
                self._stricter(first[0], first)
            elif twin.is_further_number:
                self._further_number(list(first), twin.later)
            else:
                self._stricter(first[0], twin.later)
                self._left_out += 1
                yield twin

    def _article_of(self, twin: Twin) -> tuple[Any, ...] | None:
        """Return the row that was taken, as it is now."""
        query = f"SELECT {COLUMNS} FROM article WHERE key = ?"  # noqa: S608 - constants
        found = self._connection.execute(query, (twin.first[0],)).fetchone()
        return None if found is None else tuple(found)

    def _stricter(self, key: int, row: Sequence[Any]) -> None:
        """Give a row the status of another one, where that is stricter."""
        ((traits, rest),) = self._connection.execute(
            "SELECT traits, rest FROM article WHERE key = ?", (key,)
        ).fetchall()
        status = status_of(row[_TRAITS])
        if STRICTNESS[status] <= STRICTNESS[status_of(traits)]:
            return
        self._set_status(key, with_status(traits, status), rest_with_status(rest, row[_REST]))

    def _set_status(self, key: int, traits: int, rest: bytes | None) -> None:
        self._connection.execute("UPDATE article SET traits = ?, rest = ? WHERE key = ?", (traits, rest, key))
        self._connection.execute("INSERT OR IGNORE INTO barred VALUES (?)", (key,))

    def _further_number(self, first: list[Any], later: list[Any]) -> None:
        """Keep both numbers of an article. The later row speaks where it is active, and the earlier one is not."""
        key, identifier = first[0], first[_IDENTIFIER] or gtin_text(first[0] >> SOURCE_BITS)
        active = ArticleStatus.ACTIVE
        if status_of(later[_TRAITS]) is active and status_of(first[_TRAITS]) is not active:
            first, later = later, first
            self._connection.execute(_PUT, (key, *first[1:]))
        further = [self.collector.new_key(), later[_TRAITS] | FURTHER, *later[2:]]
        further[_IDENTIFIER] = identifier
        self._connection.execute(_PUT, further)
        if status_of(later[_TRAITS]) is ArticleStatus.RECALLED:
            self._stricter(key, later)

    def _keep_barred(self, *, tells_status: bool) -> None:
        """Carry over what was barred and is listed no longer, or by a file that cannot say.

        Until the file says that the article is active, or a release comes, it stays barred.
        """
        if not self._has_old:
            return
        with self._reading_old():
            source = "SELECT key FROM old.barred WHERE 1" if self._old_has("barred") else _BARRED_BY_TRAITS
            keys = self._connection.execute(f"{source} AND (key & 255) = :own", {"own": self._own}).fetchall()
            for (key,) in keys:
                row = self._connection.execute(_OLD_ROW, (key,)).fetchone()
                if row is None or is_further(row[_TRAITS]) or not STRICTNESS[status_of(row[_TRAITS])]:
                    continue
                self._keep(row, tells_status=tells_status)

    def _keep(self, row: Sequence[Any], *, tells_status: bool) -> None:
        """Keep one row of the present generation that bars its article, where nothing takes its place."""
        if row[0] > 0:
            now = self._connection.execute("SELECT key FROM article WHERE key = ?", (row[0],)).fetchone()
        else:
            which = "article_number = ?" if row[_IDENTIFIER] is None else "identifier = ?"
            now = self._connection.execute(
                f"SELECT key FROM article WHERE key < 0 AND (key & 255) = ? AND {which}",  # noqa: S608 - constants
                (self._own, row[_IDENTIFIER] or row[_NUMBER]),
            ).fetchone()
        if now is not None:
            if not tells_status:
                self._stricter(now[0], row)
            return
        key = row[0] if row[0] > 0 else self.collector.new_key()
        left = [key, row[_TRAITS] | DELISTED, self.collector.manufacturer(row[2]), *row[3:]]
        self._connection.execute(_PUT, left)
        self._connection.execute("INSERT OR IGNORE INTO barred VALUES (?)", (key,))

    def seal(self, built: datetime, as_of: datetime, *, tells_status: bool) -> None:
        """Finish the file: indexes, its own description, a check of its structure, and down to the disk.

        `as_of`: until when changes at the source are in its rows. `tells_status`: its file can say what is blocked.
        """
        version = version_of(built)
        self._connection.execute(
            "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?)",
            (
                self._own,
                self._source.name,
                self._source.priority,
                version,
                nanoseconds(as_of),
                self.rows - self.collector.bars_only,
            ),
        )
        if not tells_status:
            self._connection.execute("INSERT INTO silent_on_status VALUES (?)", (self._own,))
        if not self._source.blocks():
            self._connection.execute("INSERT INTO may_not_block VALUES (?)", (self._own,))
        self._connection.execute("INSERT INTO generation VALUES (?, ?)", (version, nanoseconds(built)))
        for statement in filter(str.strip, INDEXES.split(";")):
            self._connection.execute(statement)
        self._keep_barred(tells_status=tells_status)
        self._connection.execute("COMMIT")
        self._reached(ImportStage.INDEXED)
        (health,) = self._connection.execute("PRAGMA main.quick_check(1)").fetchone()
        if health != "ok":
            raise sqlite3.DatabaseError(f"the new file does not check: {health}")
        self._connection.close()
        self._collecting.unlink(missing_ok=True)
        _flush(self._path)
        self._reached(ImportStage.SEALED)

    def put_in_force(self) -> None:
        """Swap the sealed file in; the one in force until now stays for a rollback."""
        current, linking = self._directory / CURRENT, self._directory / _LINKING
        if current.exists():
            linking.hardlink_to(current)
            self._reached(ImportStage.LINKED)
            linking.replace(self._directory / PREVIOUS)
            linking.unlink(missing_ok=True)  # rename does nothing between two names of one file
            self._reached(ImportStage.KEPT)
        self._path.replace(current)
        self._reached(ImportStage.SWAPPED)
        _flush(self._directory)
        self._reached(ImportStage.FLUSHED)

    def discard(self) -> None:
        """Give up: nothing of it remains. Without effect once it is in force."""
        self._connection.close()
        self._sweep()

    def _sweep(self) -> None:
        for path in (self._path, self._collecting, *(self._directory / name for name in (_LINKING, _RETURNING))):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def build(
    directory: Path, source: SourceSettings, reached: Reached = nobody, *, changes: bool = False
) -> Iterator[Builder]:
    """Yield a builder, and discard what it built unless it was put in force."""
    builder = Builder(directory, source, reached, changes=changes)
    try:
        yield builder
    finally:
        builder.discard()


def go_back(directory: Path) -> None:
    """Put the previous generation in force again, and keep the present one as the previous: twice changes nothing.

    Raises NoPreviousError, MasterError for a previous one that cannot be used, OSError.
    """
    current, previous = directory / CURRENT, directory / PREVIOUS
    if not previous.exists():
        raise NoPreviousError(
            "go back in", directory, "there is no previous generation", "import the right files", recoverable=False
        )
    open_generation(previous).close()
    linking, returning = directory / _LINKING, directory / _RETURNING
    for path in (linking, returning):
        path.unlink(missing_ok=True)
    returning.hardlink_to(previous)
    if current.exists():
        linking.hardlink_to(current)
    returning.replace(current)
    returning.unlink(missing_ok=True)
    if linking.exists():
        linking.replace(previous)
        linking.unlink(missing_ok=True)
    _flush(directory)


def _flush(path: Path) -> None:
    """Bring a file's content, or a directory's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

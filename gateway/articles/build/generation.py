"""The writing side: build a generation aside, seal it, put it in force.

A source's rows are first collected as they come, in a file of their own, and then merged with the other sources'
rows in the order of their keys: a tree filled in order is dense, and needs little memory however many rows it has.

Until `put_in_force` renames it, the file has a name nobody reads. A crash at any point (`Step` names them) leaves
one whole generation in force; the next import sweeps up what the crashed one left.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from gateway.articles.build.import_rows import COLUMNS, Collector, Twin, twins
from gateway.articles.errors import MasterOlderError, NoPreviousError
from gateway.articles.rows import MAX_SOURCES
from gateway.articles.schema import (
    APPLICATION_ID,
    CURRENT,
    HAS_SILENT,
    INDEXES,
    PREVIOUS,
    SCHEMA_VERSION,
    TABLES,
    damaged,
    open_generation,
)
from gateway.articles.settings import SourceSettings

BUILDING: Final = "building.db"
"""The generation being built, inside the articles directory."""
COLLECTING: Final = "collecting.db"
"""The imported source's rows as they came."""
_LINKING: Final = "previous.new"
_RETURNING: Final = "current.new"

_BUILD_CACHE_KIB: Final = 16_384
"""SQLite's page cache while building, and what a sort holds before it goes to disk: bounds the import's memory."""

_OTHERS: Final = f"(key & {MAX_SOURCES}) <> :own"
_CARRY_OVER: Final = f"""
INSERT INTO source SELECT * FROM old.source WHERE id <> :own;
INSERT INTO manufacturer SELECT * FROM old.manufacturer
    WHERE id IN (SELECT manufacturer FROM old.article WHERE {_OTHERS});
INSERT INTO phrase SELECT * FROM old.phrase WHERE id IN (
    SELECT trade_name FROM old.article WHERE {_OTHERS} AND typeof(trade_name) = 'integer'
    UNION SELECT description FROM old.article WHERE {_OTHERS} AND typeof(description) = 'integer')
"""  # noqa: S608 - made of constants
_CARRY_SILENT: Final = "INSERT INTO silent_on_status SELECT source FROM old.silent_on_status WHERE source <> :own"
_COLLECTED: Final = (
    f"SELECT ordinal, {COLUMNS} FROM rows.collected WHERE ordinal NOT IN (SELECT ordinal FROM rows.twin)"  # noqa: S608
)
_MERGE_ALONE: Final = f"INSERT OR IGNORE INTO article SELECT {COLUMNS} FROM ({_COLLECTED}) ORDER BY key, ordinal"  # noqa: S608
_MERGE_BOTH: Final = f"""
INSERT OR IGNORE INTO article SELECT {COLUMNS} FROM (
    SELECT 0 AS ordinal, {COLUMNS} FROM old.article WHERE {_OTHERS} UNION ALL {_COLLECTED}
) ORDER BY key, ordinal
"""  # noqa: S608 - made of constants
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Step(StrEnum):
    """The stages of an import, in their order: each is done when it is told."""

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


Reached = Callable[[Step], None]
"""Told of each step as it is done."""


def nobody(_step: Step) -> None:
    """Be told of a step, and do nothing."""


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

    def __init__(self, directory: Path, source: SourceSettings, reached: Reached = nobody) -> None:
        self._directory = directory
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
            if self._has_old:
                self._carry_over()
            self.collector = Collector(self._connection, own)
        except BaseException:
            self.discard()
            raise
        self.rows = 0
        """Articles of the source, known from `merge` on."""
        self._gtin_twins = False
        reached(Step.BEGUN)

    def _begin(self) -> bool:
        """Make the tables; tell whether there is a present generation to build upon."""
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
                self._connection.execute(statement, {"own": self._own})
            if self._connection.execute(HAS_SILENT.format("old")).fetchone() != (0,):
                self._connection.execute(_CARRY_SILENT, {"own": self._own})

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
        self._reached(Step.COLLECTED)
        expected = self.collector.rows - self.collector.find_twins_without_gtin()
        with self._reading_old():
            if self._has_old:
                ((others,),) = self._connection.execute(
                    f"SELECT count(*) FROM old.article WHERE {_OTHERS}",  # noqa: S608 - constants
                    {"own": self._own},
                ).fetchall()
            else:
                others = 0
            merge = _MERGE_BOTH if self._has_old else _MERGE_ALONE
            merged = self._connection.execute(merge, {"own": self._own} if self._has_old else {}).rowcount
        self.rows = merged - others
        self._gtin_twins = self.rows != expected
        self._reached(Step.MERGED)

    def twins(self) -> Iterator[Twin]:
        """Yield the rows that were left out because an earlier one has their article. After `merge`, once."""
        return twins(self._connection, gtins=self._gtin_twins)

    def seal(self, built: datetime, as_of: datetime, *, tells_status: bool) -> None:
        """Finish the file: indexes, its own description, a check of its structure, and down to the disk.

        `as_of`: until when changes at the source are in its rows. `tells_status`: its file can say what is blocked.
        """
        version = version_of(built)
        self._connection.execute(
            "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?)",
            (self._own, self._source.name, self._source.priority, version, nanoseconds(as_of), self.rows),
        )
        if not tells_status:
            self._connection.execute("INSERT INTO silent_on_status VALUES (?)", (self._own,))
        self._connection.execute("INSERT INTO generation VALUES (?, ?)", (version, nanoseconds(built)))
        for statement in filter(str.strip, INDEXES.split(";")):
            self._connection.execute(statement)
        self._connection.execute("COMMIT")
        self._reached(Step.INDEXED)
        (health,) = self._connection.execute("PRAGMA main.quick_check(1)").fetchone()
        if health != "ok":
            raise sqlite3.DatabaseError(f"the new file does not check: {health}")
        self._connection.close()
        self._collecting.unlink(missing_ok=True)
        _flush(self._path)
        self._reached(Step.SEALED)

    def put_in_force(self) -> None:
        """Swap the sealed file in; the one in force until now stays for a rollback."""
        current, linking = self._directory / CURRENT, self._directory / _LINKING
        if current.exists():
            linking.hardlink_to(current)
            self._reached(Step.LINKED)
            linking.replace(self._directory / PREVIOUS)
            linking.unlink(missing_ok=True)  # rename does nothing between two names of one file
            self._reached(Step.KEPT)
        self._path.replace(current)
        self._reached(Step.SWAPPED)
        _flush(self._directory)
        self._reached(Step.FLUSHED)

    def discard(self) -> None:
        """Give up: nothing of it remains. Without effect once it is in force."""
        self._connection.close()
        self._sweep()

    def _sweep(self) -> None:
        for path in (self._path, self._collecting, *(self._directory / name for name in (_LINKING, _RETURNING))):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def build(directory: Path, source: SourceSettings, reached: Reached = nobody) -> Iterator[Builder]:
    """Hand out a builder, and discard what it built unless it was put in force."""
    builder = Builder(directory, source, reached)
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

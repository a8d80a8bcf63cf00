"""The read-only side of the article master: look-up in the generation in force, and in what deltas lay over it."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from msgspec import Struct

from gateway.articles.errors import MasterUnreadableError
from gateway.articles.lookup.finder import Finder, LookupSource
from gateway.articles.overlay.statements import OverlaySource
from gateway.articles.overlay.store import Overlay
from gateway.articles.precedence import SourceRow
from gateway.articles.rows import to_article
from gateway.articles.schema import BARRED, CURRENT, DAMAGE, HAS_TABLE, damaged, open_generation
from gateway.model import ArticleStatus, LookUp, Match, Recall

SETTLED_NS: Final = 1_000_000_000
"""A file that has not changed for so long shows its next change by its time: the kernel counts in milliseconds."""


class SourceInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """One source of the generation in force."""

    name: str
    priority: int
    """As configured, or else as it was at the import."""
    version: str
    """When it was imported last, RFC 3339 UTC."""
    as_of_ns: int
    """The date of its file, nanoseconds since 1970 UTC: shown to people, and nothing is decided by it."""
    rows: int


class MasterInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """The generation in force, and the deltas over it."""

    version: str | None = None
    """When it was built, RFC 3339 UTC; None when there is no master."""
    built_ns: int | None = None
    """The same moment in nanoseconds since 1970 UTC."""
    sources: tuple[SourceInfo, ...] = ()
    """By precedence, the winning one first."""
    deltas: tuple[OverlaySource, ...] = ()
    """How far each source's deltas have come."""
    gaps: tuple[str, ...] = ()
    """Sources of which deltas are missing."""
    changes: int = 0
    """Changes that deltas have brought."""
    overlay_problem: str | None = None
    """Why deltas are not in force; None when they are."""


class SourceStatements(NamedTuple):
    """What each source says of the text of a scan, before it is brought together."""

    match: Match
    rows: Sequence[SourceRow]
    recalls: Sequence[Recall]


class ArticleMaster:
    """The article master in a directory, whichever generation is in force there.

    `directory` is the articles directory itself; `priorities` is what the configuration says of its sources, and
    counts at once. Construction does no I/O. Every call compares the file's identity first, so an import by another
    process is followed at the next call; a delta that this object applied is in force at once, one of another
    process within `overlay.FOLLOW_SECONDS`. One thread uses it.

    A master that is there and cannot be used is a MasterError, on every call until it is mended.
    """

    def __init__(self, directory: Path, priorities: Mapping[str, int] | None = None) -> None:
        self._path = directory / CURRENT
        self._priorities = dict(priorities or {})
        self._open: _Generation | None = None
        self.overlay = Overlay(directory)
        self._nothing = Finder(None, {}, (), self.overlay, self._priorities)

    def look_up(self, text: str, device_identifier: str | None) -> LookUp:
        """Find the article of a scan: by device identifier, else by article number, else by catalogue number.

        `text` is the symbol's text, `device_identifier` what its decoder made of it; without one, the text
        itself is tried as an identifier. A GTIN is found in any of its lengths. An article or catalogue
        number must be the exact text, and a catalogue number must lead to one article only. What several
        sources say is brought together by `gateway.articles.precedence`. Raises MasterError.
        """
        generation = self._follow()
        if generation is None:
            return self._nothing.look_up(text, device_identifier, None, None)
        try:
            return generation.finder.look_up(text, device_identifier, generation.version, generation.built_ns)
        except DAMAGE as error:
            self.close()
            raise damaged(self._path, str(error)) from error

    def look_up_deltas(self, text: str, device_identifier: str | None) -> LookUp:
        """Return what deltas alone say of a scan: what bars it holds also where the generation cannot be used."""
        return self._nothing.look_up(text, device_identifier, None, None)

    def statements(self, text: str, device_identifier: str | None) -> SourceStatements:
        """Return what each source says of a scan, before it is brought together. Raises MasterError."""
        with self._reading() as finder:
            return SourceStatements(*finder.rows_of_scan(text, device_identifier))

    def with_number(self, number: str) -> list[SourceRow]:
        """Return every source's rows with an article number. Raises MasterError."""
        with self._reading() as finder:
            return finder.with_number(number)

    def roots(self, identity: str) -> frozenset[str]:
        """Return the base articles an article is or contains, itself where none is known. Raises MasterError."""
        with self._reading() as finder:
            return finder.roots(identity)

    def file_row(self, identity: str, source: str) -> SourceRow | None:
        """Return what a source's file says of an article, without any delta. Raises MasterError."""
        with self._reading() as finder:
            return finder.file_row(identity, source)

    @contextmanager
    def _reading(self) -> Iterator[Finder]:
        generation = self._follow()
        try:
            yield self._nothing if generation is None else generation.finder
        except DAMAGE as error:
            self.close()
            raise damaged(self._path, str(error)) from error

    def info(self) -> MasterInfo:
        """Return what is in force. Raises MasterError."""
        generation = self._follow()
        sources = () if generation is None else generation.sources
        deltas = self.overlay.sources()
        return MasterInfo(
            version=None if generation is None else generation.version,
            built_ns=None if generation is None else generation.built_ns,
            sources=sources,
            deltas=deltas,
            gaps=tuple(one.name for one in deltas if one.missing),
            changes=self.overlay.count(),
            overlay_problem=self.overlay.problem,
        )

    def close(self) -> None:
        """Close the files. A later call opens them again."""
        self._close_generation()
        self.overlay.close()

    def _close_generation(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self) -> "_Generation | None":
        if self._open is not None and self._open.is_in_force():
            return self._open
        return self._reopen()

    def _reopen(self) -> "_Generation | None":
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._close_generation()
            return None
        except OSError as error:
            self._close_generation()
            raise MasterUnreadableError(
                "open", self._path, str(error), "check that the service may read it", recoverable=True
            ) from error
        if self._open is None or not self._open.is_still(stat):
            self._close_generation()
            self._open = _Generation(self._path, self.overlay, self._priorities)
            self.overlay.follow()  # an import writes there first what must not get lost by its file
        self._open.settled = time.time_ns() - stat.st_ctime_ns > SETTLED_NS
        return self._open


class _Generation:
    """One opened generation file."""

    def __init__(self, path: Path, overlay: Overlay, priorities: Mapping[str, int]) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise MasterUnreadableError(
                "open", path, str(error), "check that the service may read it", recoverable=True
            ) from error
        try:
            self._stat = os.fstat(self._descriptor)
            self._changed_ns = self._stat.st_ctime_ns
            self.settled = False
            self.connection = open_generation(path)
        except BaseException:
            os.close(self._descriptor)
            raise
        try:
            self._read(overlay, priorities)
        except DAMAGE as error:
            self.close()
            raise damaged(path, str(error)) from error

    def is_in_force(self) -> bool:
        """Return whether nothing has happened to the file: a swap takes its name away, which is a change of the file.

        On the path of every scan: half the time that looking at its name takes. False also while it is so new that
        its time would not tell two changes apart.
        """
        if not self.settled:
            return False
        stat = os.fstat(self._descriptor)
        return stat.st_ctime_ns == self._changed_ns and stat.st_nlink == self._stat.st_nlink

    def is_still(self, stat: os.stat_result) -> bool:
        """Return whether this is the file that was opened, as it was then."""
        mine = self._stat
        return (
            stat.st_ctime_ns == mine.st_ctime_ns
            and stat.st_nlink == mine.st_nlink
            and stat.st_ino == mine.st_ino
            and stat.st_size == mine.st_size
            and stat.st_mtime_ns == mine.st_mtime_ns
        )

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
        os.close(self._descriptor)

    def _read(self, overlay: Overlay, priorities: Mapping[str, int]) -> None:
        version, built_ns = self.connection.execute("SELECT version, built_ns FROM generation").fetchone()
        self.version, self.built_ns = str(version), int(built_ns)
        found = {
            int(key): SourceInfo(
                name=str(name),
                priority=int(priorities.get(name, priority)),
                version=str(imported),
                as_of_ns=int(as_of_ns),
                rows=int(rows),
            )
            for key, name, priority, imported, as_of_ns, rows in self.connection.execute("SELECT * FROM source")
        }
        self.sources = tuple(sorted(found.values(), key=lambda source: (source.priority, source.name)))
        silent, may_not_block = self._ids("silent_on_status"), self._ids("may_not_block")
        self.finder = Finder(
            self.connection,
            {key: LookupSource(one.priority, one.name, key not in may_not_block) for key, one in found.items()},
            frozenset(found[key].name for key in silent),
            overlay,
            priorities,
        )
        if self._has("barred"):
            self.finder.recalled_by_files = tuple(
                article.device_identifier
                for article in map(to_article, self.connection.execute(BARRED))
                if article.status is ArticleStatus.RECALLED and article.device_identifier is not None
            )

    def _ids(self, table: str) -> frozenset[int]:
        """Return the sources that a table lists; none where an older file lacks it."""
        if not self._has(table):
            return frozenset()
        return frozenset(int(key) for (key,) in self.connection.execute(f"SELECT source FROM {table}"))  # noqa: S608

    def _has(self, table: str) -> bool:
        return bool(self.connection.execute(HAS_TABLE.format("main"), (table,)).fetchone() != (0,))

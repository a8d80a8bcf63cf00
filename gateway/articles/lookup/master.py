"""The read-only side of the article master: look-up in the generation in force, and in what deltas lay over it."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from msgspec import Struct

from gateway.articles.errors import MasterUnreadableError
from gateway.articles.lookup.finder import Finder
from gateway.articles.overlay.merge import EffectiveArticle, FileState
from gateway.articles.overlay.statements import DeltaOutcome, OverlaySource
from gateway.articles.overlay.store import Overlay
from gateway.articles.schema import CURRENT, DAMAGE, HAS_SILENT, SILENT, damaged, open_generation
from gateway.model import LookUp, Match

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
    """Until when changes at the source are in its rows, nanoseconds since 1970 UTC."""
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
    """Sources of which deltas are missing, and no newer file has come since."""
    changes: int = 0
    """Changes that deltas have brought, those swallowed by newer files included."""
    overlay_problem: str | None = None
    """Why deltas are not in force; None when they are."""


class Said(NamedTuple):
    """What each source says of the text of a scan, before it is brought together."""

    match: Match
    laid: EffectiveArticle


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
        self._overlay = Overlay(directory)
        self._nothing = Finder(None, {}, FileState(), self._overlay, self._priorities)

    def look_up(self, text: str, device_identifier: str | None) -> LookUp:
        """Find the article of a scan: by device identifier, else by article number, else by catalogue number.

        `text` is the symbol's text, `device_identifier` what its decoder made of it; without one, the text
        itself is tried as an identifier. A GTIN is found in any of its lengths. An article or catalogue
        number must be the exact text, and a catalogue number must lead to one article only. What several
        sources say is brought together by `gateway.articles.precedence`.
        Raises MasterError.
        """
        generation = self._follow()
        if generation is None:
            return self._nothing.look_up(text, device_identifier, None, None)
        try:
            return generation.finder.look_up(text, device_identifier, generation.version, generation.built_ns)
        except DAMAGE as error:
            self.close()
            raise damaged(self._path, str(error)) from error

    def said(self, text: str, device_identifier: str | None) -> Said:
        """Tell what each source says of a scan, before it is brought together. Raises MasterError."""
        generation = self._follow()
        finder = self._nothing if generation is None else generation.finder
        identifier = text if device_identifier is None else device_identifier
        try:
            laid = finder.by_identifier(identifier, decoded=device_identifier is not None)
            if laid.rows:
                return Said(Match.DI, laid)
            match, rows, recalls = finder.by_number(text)
        except DAMAGE as error:
            self.close()
            raise damaged(self._path, str(error)) from error
        return Said(match, EffectiveArticle(rows, recalls))

    def info(self) -> MasterInfo:
        """Tell what is in force. Raises MasterError."""
        generation = self._follow()
        sources = () if generation is None else generation.sources
        as_of = {source.name: source.as_of_ns for source in sources}
        deltas = self._overlay.sources()
        return MasterInfo(
            version=None if generation is None else generation.version,
            built_ns=None if generation is None else generation.built_ns,
            sources=sources,
            deltas=deltas,
            gaps=tuple(one.name for one in deltas if one.gap_ns > as_of.get(one.name, 0)),
            changes=self._overlay.count(),
            overlay_problem=self._overlay.problem,
        )

    def files(self) -> FileState:
        """Tell what the sources' files can have swallowed of the deltas. Raises MasterError."""
        generation = self._follow()
        return FileState() if generation is None else generation.files

    def apply(self, payload: bytes, key: bytes | None = None, *, now_ns: int | None = None) -> DeltaOutcome:
        """Take a delta: on the disk and in force when this returns. See `Overlay.apply`. Raises MasterError."""
        return self._overlay.apply(payload, key, files=self.files(), now_ns=now_ns)

    def close(self) -> None:
        """Let the files go. A later call opens them again."""
        self._close_generation()
        self._overlay.close()

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
            self._open = _Generation(self._path, self._overlay, self._priorities)
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
        """Tell whether nothing has happened to the file: a swap takes its name away, which is a change of the file.

        On the path of every scan: half the time that looking at its name takes. False also while it is so new that
        its time would not tell two changes apart.
        """
        if not self.settled:
            return False
        stat = os.fstat(self._descriptor)
        return stat.st_ctime_ns == self._changed_ns and stat.st_nlink == self._stat.st_nlink

    def is_still(self, stat: os.stat_result) -> bool:
        """Tell whether this is the file that was opened, as it was then."""
        mine = self._stat
        return (
            stat.st_ctime_ns == mine.st_ctime_ns
            and stat.st_nlink == mine.st_nlink
            and stat.st_ino == mine.st_ino
            and stat.st_size == mine.st_size
            and stat.st_mtime_ns == mine.st_mtime_ns
        )

    def close(self) -> None:
        """Let the file go."""
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
        self.files = FileState(
            {source.name: source.as_of_ns for source in self.sources},
            frozenset(found[key].name for key in self._silent()),
        )
        self.finder = Finder(
            self.connection,
            {key: (source.priority, source.name) for key, source in found.items()},
            self.files,
            overlay,
            priorities,
        )

    def _silent(self) -> list[int]:
        """Return the sources whose files cannot say what is blocked."""
        if self.connection.execute(HAS_SILENT.format("main")).fetchone() == (0,):
            return []
        return [int(key) for (key,) in self.connection.execute(SILENT)]

"""The read-only side of the article master: look-up in the generation in force."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec
from msgspec import Struct

from gateway.articles import precedence
from gateway.articles.errors import MasterUnreadableError
from gateway.articles.fields import MAX_NUMBER
from gateway.articles.identifiers import gtin_number, looks_like_pzn
from gateway.articles.precedence import Known
from gateway.articles.schema import (
    BY_ARTICLE_NUMBER,
    BY_CATALOG_NUMBER,
    BY_GTIN,
    BY_TEXT,
    CURRENT,
    DAMAGE,
    damaged,
    gtin_keys,
    open_generation,
    source_of,
    to_article,
)
from gateway.model import LookUp, Match

_LEVEL_MATCH = {precedence.PACKAGE: Match.PACKAGE, precedence.UNIT_OF_USE: Match.UNIT_OF_USE}


class SourceInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """One source of the generation in force."""

    name: str
    priority: int
    version: str
    """When it was imported last, RFC 3339 UTC."""
    rows: int


class MasterInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """The generation in force."""

    version: str | None = None
    """When it was built, RFC 3339 UTC; None when there is no master."""
    built_ns: int | None = None
    """The same moment in nanoseconds since 1970 UTC."""
    sources: tuple[SourceInfo, ...] = ()
    """By precedence, the winning one first."""


class ArticleMaster:
    """The article master in a directory, whichever generation is in force there.

    `directory` is the articles directory itself. Construction does no I/O. Every call compares the file's
    identity first, so an import by another process is followed at the next call. One thread uses it.

    A master that is there and cannot be used is a MasterError, on every call until it is mended.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / CURRENT
        self._open: _Generation | None = None

    def look_up(self, text: str, device_identifier: str | None) -> LookUp:
        """Find the article of a scan: by device identifier, else by article number, else by catalogue number.

        `text` is the symbol's text, `device_identifier` what its decoder made of it; without one, the text
        itself is tried as an identifier. A GTIN is found in any of its lengths. An article or catalogue
        number must be the exact text, and a catalogue number must lead to one article only.
        Raises MasterError.
        """
        generation = self._follow()
        if generation is None:
            return LookUp(match=Match.NONE)
        try:
            return generation.look_up(text, device_identifier)
        except DAMAGE as error:
            self.close()
            raise damaged(self._path, str(error)) from error

    def info(self) -> MasterInfo:
        """Tell what is in force. Raises MasterError."""
        generation = self._follow()
        return MasterInfo() if generation is None else generation.info

    def close(self) -> None:
        """Let the file go. A later call opens it again."""
        if self._open is not None:
            self._open.connection.close()
            self._open = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self) -> "_Generation | None":
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - on the path of every scan: Path.stat takes half as long again
        except FileNotFoundError:
            self.close()
            return None
        except OSError as error:
            self.close()
            raise MasterUnreadableError(
                "open", self._path, str(error), "check that the service may read it", recoverable=True
            ) from error
        # taken before opening: a file swapped in between is seen as another one by the next call
        identity = _Identity(stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if self._open is None or self._open.identity != identity:
            self.close()
            self._open = _Generation(self._path, identity)
        return self._open


class _Identity(NamedTuple):
    inode: int
    modified_ns: int
    size: int


class _Generation:
    """One opened generation file."""

    def __init__(self, path: Path, identity: _Identity) -> None:
        self.identity = identity
        self.connection = open_generation(path)
        try:
            self.info, self._sources = self._read_info()
        except DAMAGE as error:
            self.connection.close()
            raise damaged(path, str(error)) from error

    def _read_info(self) -> tuple[MasterInfo, dict[int, SourceInfo]]:
        version, built_ns = self.connection.execute("SELECT version, built_ns FROM generation").fetchone()
        rows = self.connection.execute("SELECT id, name, priority, version, row_count FROM source").fetchall()
        sources = {
            key: msgspec.convert(dict(zip(("name", "priority", "version", "rows"), row, strict=True)), SourceInfo)
            for key, *row in rows
        }
        ordered = sorted(sources.values(), key=lambda source: (source.priority, source.name))
        info = {"version": version, "builtNs": built_ns, "sources": ordered}
        return msgspec.convert(info, MasterInfo), sources

    def look_up(self, text: str, device_identifier: str | None) -> LookUp:
        identifier = text if device_identifier is None else device_identifier
        if rows := self._by_identifier(identifier, decoded=device_identifier is not None):
            level = precedence.speaker(rows).article.package_level
            return self._answer(_LEVEL_MATCH.get(level or "", Match.DI), rows)
        if _is_key(text):
            if numbered := precedence.bases(self._select(BY_ARTICLE_NUMBER, text)):
                return self._answer(Match.ARTICLE_NUMBER, numbered)
            listed = precedence.bases(self._select(BY_CATALOG_NUMBER, text))
            if len({row.article.device_identifier or row.article.article_number for row in listed}) == 1:
                return self._answer(Match.CATALOG_NUMBER, listed)
        return LookUp(match=Match.NONE, master_version=self.info.version, master_built_ns=self.info.built_ns)

    def _answer(self, match: Match, rows: Sequence[Known]) -> LookUp:
        found = precedence.speaker(rows)
        judged = [*rows, *self._relatives(match, found, rows)]
        return LookUp(
            match=match,
            article=precedence.under_strictest(found.article, judged),
            source=found.source,
            master_version=self.info.version,
            master_built_ns=self.info.built_ns,
        )

    def _relatives(self, match: Match, found: Known, rows: Sequence[Known]) -> list[Known]:
        """Return the rows whose status holds for the found article too."""
        related: set[str | None] = set()
        if match in {Match.ARTICLE_NUMBER, Match.CATALOG_NUMBER}:
            related.update(row.article.device_identifier for row in rows)
        if not precedence.is_base(found.article):
            related.add(found.article.base_device_identifier)
        return [
            row for identifier in related if identifier for row in self._by_identifier(identifier, decoded=True)
        ]

    def _by_identifier(self, identifier: str, *, decoded: bool) -> list[Known]:
        """Return all sources' rows of a device identifier.

        A decoder hands on a GTIN as 14 digits, so 12 digits from one that check as a PZN are a PZN.
        """
        if not _is_key(identifier):
            return []
        gtin = gtin_number(identifier)
        rows: list[Known] = []
        if gtin is not None and not (decoded and looks_like_pzn(identifier)):
            rows = self._select(BY_GTIN, *gtin_keys(gtin))
        return rows or self._select(BY_TEXT, identifier)

    def _select(self, query: str, *values: str | int) -> list[Known]:
        return [self._known(row) for row in self.connection.execute(query, values)]

    def _known(self, row: tuple[int, ...]) -> Known:
        key = row[0]
        source = self._sources[source_of(key)]
        return Known(source.priority, source.name, key, to_article(row))


def _is_key(text: str) -> bool:
    """Tell what can be in the master at all; the rest (too long, or no text SQLite takes) is not looked for."""
    return 0 < len(text) <= MAX_NUMBER and text.isprintable()

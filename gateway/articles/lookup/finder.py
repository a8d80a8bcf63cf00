"""Finding an article in one generation, with the deltas that lie over it."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.articles import precedence
from gateway.articles.fields import MAX_NUMBER
from gateway.articles.identifiers import GTIN_DIGITS, gtin_number, gtin_text, looks_like_pzn
from gateway.articles.overlay.merge import EffectiveArticle, FileState, OverlayChange, identity_in, lay_over
from gateway.articles.overlay.statements import Said, StatusChange, identity_of, recalls
from gateway.articles.overlay.store import Overlay
from gateway.articles.precedence import SourceRow
from gateway.articles.rows import gtin_keys, source_of, to_article
from gateway.articles.schema import BY_ARTICLE_NUMBER, BY_CATALOG_NUMBER, BY_GTIN, BY_TEXT
from gateway.model import Article, ArticleStatus, LookUp, Match, Recall
from gateway.udi.checks import is_digits

_LEVEL_MATCH: Final = {precedence.PACKAGE: Match.PACKAGE, precedence.UNIT_OF_USE: Match.UNIT_OF_USE}


class Finder:
    """Look-ups in one opened generation, or in none. Raises what `gateway.articles.schema.DAMAGE` lists."""

    def __init__(
        self,
        connection: sqlite3.Connection | None,
        sources: Mapping[int, tuple[int, str]],
        files: FileState,
        overlay: Overlay,
        priorities: Mapping[str, int],
    ) -> None:
        """`sources`: id -> priority and name. `files`: what they can have swallowed.

        `priorities`: what the configuration says; it outranks what was said at the import.
        """
        self._connection = connection
        self._plain_cursor = None if connection is None else connection.cursor()
        self._sources = sources
        self._files = files
        self._overlay = overlay
        self._priorities = priorities
        self._default_priority = max((priority for priority, _ in sources.values()), default=0) + 1

    def look_up(
        self, text: str, device_identifier: str | None, version: str | None, built_ns: int | None
    ) -> LookUp:
        """Find the article of a scan; see `ArticleMaster.look_up`."""
        if device_identifier is not None and (found := self._plain(device_identifier)) is not None:
            source, article = found
            return LookUp(
                match=Match.DI,
                article=article,
                source=source,
                master_version=version,
                master_built_ns=built_ns,
            )
        identifier = text if device_identifier is None else device_identifier
        rows, recalls = self.by_identifier(identifier, decoded=device_identifier is not None)
        if rows:
            level = (
                precedence.speaker(rows).article.package_level if len(rows) > 1 else rows[0].article.package_level
            )
            match = Match.DI if level is None else _LEVEL_MATCH.get(level, Match.DI)
        else:
            match, rows, recalls = self.by_number(text)
            if match is Match.NONE:
                return LookUp(match=match, master_version=version, master_built_ns=built_ns)
        if len(rows) == 1 and not recalls and precedence.is_base(rows[0].article):
            article, source = rows[0].article, rows[0].source
        else:
            article, source, recalls = self._merged(rows, recalls)
        return LookUp(
            match=match,
            article=article,
            source=source,
            recalls=tuple(recalls),
            master_version=version,
            master_built_ns=built_ns,
        )

    def _plain(self, identifier: str) -> tuple[str, Article] | None:
        """Find what most scans are of, in the shortest way: a GTIN of 14 digits that one source knows, no package.

        None for anything else, known or not.
        """
        if len(identifier) != GTIN_DIGITS or not is_digits(identifier) or self._plain_cursor is None:
            return None
        if self._overlay.anything():
            return None
        rows = self._plain_cursor.execute(BY_GTIN, gtin_keys(int(identifier))).fetchall()
        if len(rows) != 1:
            return None
        article = to_article(rows[0])
        level = article.package_level
        if level is not None and level != precedence.PRIMARY:
            return None
        return self._sources[source_of(rows[0][0])][1], article

    def by_identifier(self, identifier: str, *, decoded: bool) -> EffectiveArticle:
        """Return all sources' rows of a device identifier.

        A decoder hands on a GTIN as 14 digits, so 12 digits from one that check as a PZN are a PZN.
        """
        if not _is_key(identifier):
            return EffectiveArticle([])
        gtin = gtin_number(identifier)
        as_gtin = gtin is not None and not (decoded and looks_like_pzn(identifier))
        rows = self._select(BY_GTIN, *gtin_keys(gtin)) if as_gtin and gtin is not None else []
        if not rows and (rows := self._select(BY_TEXT, identifier)):
            as_gtin = False
        if not self._overlay.anything():
            return EffectiveArticle(rows)
        return self._with_changes(gtin_text(gtin) if as_gtin and gtin is not None else identifier, rows)

    def by_number(self, text: str) -> tuple[Match, Sequence[SourceRow], Sequence[Recall]]:
        """Return all rows of an article number, or of a catalogue number that leads to one article only."""
        if not _is_key(text):
            return Match.NONE, [], []
        rows, recalls = self._numbered(BY_ARTICLE_NUMBER, text)
        if rows := precedence.bases(rows):
            return Match.ARTICLE_NUMBER, *self._whole(rows, recalls)
        rows, recalls = self._numbered(BY_CATALOG_NUMBER, text)
        rows = precedence.bases(rows)
        if len({identity_in(row.article) for row in rows}) == 1:
            return Match.CATALOG_NUMBER, *self._whole(rows, recalls)
        return Match.NONE, [], []

    def _merged(
        self, rows: Sequence[SourceRow], recalls: Sequence[Recall]
    ) -> tuple[Article, str, Sequence[Recall]]:
        """Return the article, who speaks, and all recalls: the base's of a package, too."""
        speaker = precedence.speaker(rows)
        main = [row for row in rows if identity_in(row.article) == identity_in(speaker.article)]
        base = EffectiveArticle([])
        base_identifier = speaker.article.base_device_identifier
        if base_identifier is not None and not precedence.is_base(speaker.article):
            base = self.by_identifier(base_identifier, decoded=True)
        article = precedence.merged(main, base.rows)
        if len(main) < len(rows):
            article = precedence.under_strictest(article, [*rows, *base.rows])
        return article, speaker.source, [*recalls, *base.recalls]

    def _whole(
        self, rows: Sequence[SourceRow], recalls: Sequence[Recall]
    ) -> tuple[Sequence[SourceRow], Sequence[Recall]]:
        """Return what every source says of the articles that some say a number of."""
        whole = list(rows)
        told = list(recalls)
        for identifier in {row.article.device_identifier for row in rows} - {None}:
            laid = self.by_identifier(identifier or "", decoded=True)
            whole.extend(row for row in laid.rows if row not in rows)
            told.extend(recall for recall in laid.recalls if recall not in told)
        return whole, told

    def _numbered(self, query: str, text: str) -> EffectiveArticle:
        rows = self._select(query, text)
        overlay = self._overlay
        if not overlay.anything():
            return EffectiveArticle(rows)
        by_article_number = query is BY_ARTICLE_NUMBER
        identities = {identity_in(row.article): None for row in rows}
        if overlay.touches(text):
            identities |= dict.fromkeys(overlay.numbered(text))
        if by_article_number:
            identities[identity_of(None, text)] = None
        laid = [self._of(identity) for identity in identities]
        kept = [row for one in laid for row in one.rows if _number(row.article, by_article_number) == text]
        return EffectiveArticle(kept, [recall for one in laid for recall in one.recalls])

    def _of(self, identity: str) -> EffectiveArticle:
        """Return an article's rows, with the changes that lie over them."""
        if not identity.startswith("#"):
            return self.by_identifier(identity, decoded=True)
        numbered = self._select(BY_ARTICLE_NUMBER, identity[1:])
        return self._with_changes(identity, [row for row in numbered if row.article.device_identifier is None])

    def _with_changes(self, identity: str, rows: Sequence[SourceRow]) -> EffectiveArticle:
        own = self._changes(identity) if self._overlay.touches(identity) else []
        laid = lay_over(identity, rows, own, self._priority_of)
        by_number = self._by_number(rows, laid.rows)
        if not by_number:
            return laid
        return lay_over(identity, rows, [*own, *by_number], self._priority_of)

    def _by_number(self, in_file: Sequence[SourceRow], now: Sequence[SourceRow]) -> list[OverlayChange]:
        """Return the changes that name an article with a device identifier by its number.

        A recall also where the row is gone or has another number since.
        """
        present = {(row.source, row.article.article_number) for row in now if row.article.device_identifier}
        former = {(row.source, row.article.article_number) for row in in_file if row.article.device_identifier}
        return [
            one
            for source, number in sorted((source, number) for source, number in present | former if number)
            if self._overlay.touches(identity_of(None, number))
            for one in self._changes(identity_of(None, number))
            if one.source == source
            and not isinstance(one.said, Article)
            and ((source, number) in present or recalls(one.said) or _releases(one.said))
        ]

    def _changes(self, identity: str) -> list[OverlayChange]:
        """Return the changes that no file has swallowed yet; a recall none can."""
        left = (self._files.leave(one) for one in self._overlay.of(identity))
        return [one for one in left if one is not None]

    def _priority_of(self, source: str) -> int:
        for priority, name in self._sources.values():
            if name == source:
                return priority
        return self._priorities.get(source, self._default_priority)

    def _select(self, query: str, *values: str | int) -> list[SourceRow]:
        if self._connection is None:
            return []
        sources = self._sources
        known = []
        for row in self._connection.execute(query, values):
            priority, name = sources[source_of(row[0])]
            known.append(SourceRow(priority, name, row[0], to_article(row)))
        return known


def _number(article: Article, article_number: bool) -> str | None:  # noqa: FBT001 - which of the two
    return article.article_number if article_number else article.catalog_number


def _releases(said: Said) -> bool:
    return isinstance(said, StatusChange) and said.status is ArticleStatus.ACTIVE


def _is_key(text: str) -> bool:
    """Tell what can be in the master at all; the rest (too long, or no text SQLite takes) is not looked for."""
    return 0 < len(text) <= MAX_NUMBER and text.isprintable()

"""Finding an article in one generation, with the deltas that lie over it."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from gateway.articles import precedence
from gateway.articles.fields import MAX_NUMBER
from gateway.articles.identifiers import GTIN_DIGITS, gtin_number, gtin_text, looks_like_pzn
from gateway.articles.lookup.chains import Families, contents, pieces, roots
from gateway.articles.overlay.merge import EffectiveArticle, lay_over
from gateway.articles.overlay.statements import Block, OverlayChange, Release, identity_in, identity_of
from gateway.articles.overlay.store import Overlay, StoredChange
from gateway.articles.precedence import SourceRow
from gateway.articles.rows import gtin_keys, is_delisted, is_further, source_of, to_article
from gateway.articles.schema import BY_ARTICLE_NUMBER, BY_CATALOG_NUMBER, BY_GTIN, BY_TEXT
from gateway.model import Article, ArticleStatus, LookUp, Match, Recall
from gateway.udi.checks import is_digits

_LEVEL_MATCH: Final = {precedence.PACKAGE: Match.PACKAGE, precedence.UNIT_OF_USE: Match.UNIT_OF_USE}


class LookupSource(NamedTuple):
    """One source, as look-ups need it."""

    priority: int
    name: str
    may_block: bool = True


class Finder:
    """Look-ups in one opened generation, or in none. Raises what `gateway.articles.schema.DAMAGE` lists."""

    def __init__(
        self,
        connection: sqlite3.Connection | None,
        sources: Mapping[int, LookupSource],
        silent: Collection[str],
        overlay: Overlay,
        priorities: Mapping[str, int],
    ) -> None:
        """`sources`: by their id in the generation. `silent`: those whose files cannot say what is barred.

        `priorities`: what the configuration says; it outranks what was said at the import.
        """
        self._connection = connection
        self._plain_cursor = None if connection is None else connection.cursor()
        self._sources = sources
        self._silent = silent
        self._overlay = overlay
        self._priorities = priorities
        self._default_priority = max((source.priority for source in sources.values()), default=0) + 1
        self._families = Families(self._rows_of)
        self._changed_rows: object = None
        self.recalled_by_files: Collection[str] = ()
        """Articles that a row of a file recalls: with them, their family."""

    def look_up(
        self, text: str, device_identifier: str | None, version: str | None, built_ns: int | None
    ) -> LookUp:
        """Find the article of a scan; see `ArticleMaster.look_up`."""
        if device_identifier is not None and (found := self._plain(device_identifier)) is not None:
            source, article = found
            return LookUp(
                match=Match.DI, article=article, source=source, master_version=version, master_built_ns=built_ns
            )
        match, rows, recalls = self.rows_of_scan(text, device_identifier)
        if not rows:
            return LookUp(match=Match.NONE, master_version=version, master_built_ns=built_ns)
        article, source, recalls = self._merged(rows, recalls)
        return LookUp(
            match=match,
            article=article,
            source=source,
            recalls=tuple(recalls),
            master_version=version,
            master_built_ns=built_ns,
        )

    def rows_of_scan(
        self, text: str, device_identifier: str | None
    ) -> tuple[Match, Sequence[SourceRow], Sequence[Recall]]:
        """Return how a scan was found, and what each source says of it, not brought together yet."""
        identifier = text if device_identifier is None else device_identifier
        found = self.by_identifier(identifier, decoded=device_identifier is not None)
        if not found.rows:
            return self.by_number(text)
        level = precedence.speaker(found.rows).article.package_level
        match = Match.DI if level is None else _LEVEL_MATCH.get(level, Match.DI)
        return match, found.rows, found.recalls

    def _plain(self, identifier: str) -> tuple[str, Article] | None:
        """Find what most scans are of, in the shortest way: a GTIN of one source, no package, no delta of it.

        None for anything else, known or not.
        """
        if len(identifier) != GTIN_DIGITS or not is_digits(identifier) or self._plain_cursor is None:
            return None
        rows = self._plain_cursor.execute(BY_GTIN, gtin_keys(int(identifier))).fetchall()
        if len(rows) != 1:
            return None
        article = to_article(rows[0])
        level = article.package_level
        if level is not None and level != precedence.PRIMARY:
            return None
        if self.recalled_by_files or self._overlay.anything():
            number = article.article_number
            touches = self._overlay.touches
            if touches(identifier) or (number is not None and touches(f"#{number}")):
                return None
            if self._recalled_family((identifier,)):
                return None
        return self._sources[source_of(rows[0][0])].name, article

    def by_identifier(self, identifier: str, *, decoded: bool) -> EffectiveArticle:
        """Return all sources' rows of a device identifier.

        A decoder hands on a GTIN as 14 digits, so 12 digits from one that check as a PZN are a PZN.
        """
        if not _is_key(identifier):
            return EffectiveArticle([])
        key, rows = self._in_files(identifier, decoded=decoded)
        return self._with_changes(key, rows) if self._overlay.anything() else EffectiveArticle(rows)

    def file_row(self, identity: str, source: str) -> SourceRow | None:
        """Return what a source's file says of an article, without any delta."""
        if identity.startswith("#"):
            rows: Sequence[SourceRow] = self._without_identifier(identity[1:])
        else:
            _, rows = self._in_files(identity, decoded=True)
        return next((row for row in rows if row.source == source), None)

    def roots(self, identity: str) -> frozenset[str]:
        """Return the base articles that an article is or contains; itself where none is known."""
        rows = () if identity.startswith("#") else self._rows_of(identity)
        return roots(identity, rows, self._rows_of)

    def with_number(self, number: str) -> list[SourceRow]:
        """Return every source's rows with an article number, as they are now."""
        return list(self._numbered(BY_ARTICLE_NUMBER, number).rows)

    def _in_files(self, identifier: str, *, decoded: bool) -> tuple[str, list[SourceRow]]:
        """Return the identifier as it names an article, and the files' rows of it."""
        gtin = gtin_number(identifier)
        as_gtin = gtin is not None and not (decoded and looks_like_pzn(identifier))
        rows = self._select(BY_GTIN, *gtin_keys(gtin)) if as_gtin and gtin is not None else []
        if not rows and (rows := self._select(BY_TEXT, identifier)):
            as_gtin = False
        return gtin_text(gtin) if as_gtin and gtin is not None else identifier, rows

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
        """Return the article, who speaks, and all recalls: those of its whole family."""
        speaker = precedence.speaker(rows)
        identity = identity_in(speaker.article)
        main = [row for row in rows if identity_in(row.article) == identity]
        within = contents(main, self._rows_of)
        deeper = [row for _, of in within for row in of]
        article = precedence.merged(main, deeper)
        if len(main) < len(rows):
            article = precedence.under_strictest(article, [*rows, *deeper])
        packed = next((row for row in precedence.in_order(main) if row.article.base_device_identifier), None)
        if packed is not None and within:
            base, quantity = pieces(packed, self._rows_of)
            article = replace(article, base_device_identifier=base, base_quantity=quantity)
        found_recalls = list(recalls)
        for identifier, _ in within:
            found_recalls.extend(
                one for one in self.by_identifier(identifier, decoded=True).recalls if one not in found_recalls
            )
        if self.recalled_by_files or self._overlay.anything():
            article = self._with_family(article, identity, main, found_recalls)
        return article, speaker.source, found_recalls

    def _with_family(
        self, article: Article, identity: str, main: Sequence[SourceRow], found_recalls: list[Recall]
    ) -> Article:
        """Return the article with the recalls of its family: of all of it in its status, of some to those listed."""
        barring: list[SourceRow] = []
        for relative in self._recalled_family(roots(identity, main, self._rows_of)):
            if relative == identity:
                continue
            found = self.by_identifier(relative, decoded=True)
            found_recalls.extend(one for one in found.recalls if one not in found_recalls)
            barring.extend(row for row in found.rows if row.article.status is ArticleStatus.RECALLED)
        return precedence.under_strictest(article, [*main, *barring]) if barring else article

    def _recalled_family(self, of: Collection[str]) -> list[str]:
        """Return the recalled articles in the families of some base articles."""
        recalled = self._overlay.recalled()
        changed = self._overlay.changed_rows()
        if changed is not self._changed_rows:
            self._families.forget()
            self._changed_rows = changed
        return self._families.recalled_with(of, recalled, self.recalled_by_files)

    def _rows_of(self, identifier: str) -> Sequence[SourceRow]:
        return self.by_identifier(identifier, decoded=True).rows

    def _whole(
        self, rows: Sequence[SourceRow], recalls: Sequence[Recall]
    ) -> tuple[Sequence[SourceRow], Sequence[Recall]]:
        """Return what every source says of the articles that some say a number of."""
        whole = list(rows)
        found_recalls = list(recalls)
        for identifier in {row.article.device_identifier for row in rows} - {None}:
            found = self.by_identifier(identifier or "", decoded=True)
            whole.extend(row for row in found.rows if row not in rows)
            found_recalls.extend(recall for recall in found.recalls if recall not in found_recalls)
        return whole, found_recalls

    def _numbered(self, query: str, text: str) -> EffectiveArticle:
        rows = self._select(query, text)
        overlay = self._overlay
        if not overlay.anything():
            return EffectiveArticle([*rows, *self._select(query, text, further=True)])
        by_article_number = query is BY_ARTICLE_NUMBER
        identities = {identity_in(row.article): None for row in rows}
        if overlay.touches(text):
            identities |= dict.fromkeys(overlay.numbered(text))
        if by_article_number:
            identities[identity_of(None, text)] = None
        found = [self._of(identity) for identity in identities]
        kept = [row for one in found for row in one.rows if _number(row.article, by_article_number) == text]
        further = [row for row in self._select(query, text, further=True) if row not in kept]
        return EffectiveArticle([*kept, *further], [recall for one in found for recall in one.recalls])

    def _of(self, identity: str) -> EffectiveArticle:
        """Return an article's rows, with the changes that lie over them."""
        if not identity.startswith("#"):
            return self.by_identifier(identity, decoded=True)
        return self._with_changes(identity, self._without_identifier(identity[1:]))

    def _without_identifier(self, number: str) -> list[SourceRow]:
        return [row for row in self._select(BY_ARTICLE_NUMBER, number) if row.article.device_identifier is None]

    def _with_changes(self, identity: str, rows: Sequence[SourceRow]) -> EffectiveArticle:
        own = self._overlay.of(identity) if self._overlay.touches(identity) else []
        found = self._laid(identity, rows, own)
        by_number = self._by_number(found.rows)
        return self._laid(identity, rows, [*own, *by_number]) if by_number else found

    def _laid(self, identity: str, rows: Sequence[SourceRow], stored: Sequence[StoredChange]) -> EffectiveArticle:
        changes: dict[tuple[str, int, int], OverlayChange] = {}
        for _, change, _ in stored:
            changes.setdefault((change.source, *change.order), change)
        return lay_over(identity, rows, changes.values(), self._priority_of, self._silent)

    def _by_number(self, now: Sequence[SourceRow]) -> list[StoredChange]:
        """Return what bars or frees an article by the number that it has now."""
        numbers = {row.article.article_number for row in now if row.article.device_identifier} - {None}
        return [
            one
            for number in sorted(f"#{number}" for number in numbers)
            if self._overlay.touches(number)
            for one in self._overlay.of(number)
            if isinstance(one.change.statement, Block | Recall | Release)
            and (
                one.any_source
                or any(
                    row.source == one.change.source and f"#{row.article.article_number}" == number for row in now
                )
            )
        ]

    def _priority_of(self, source: str) -> int:
        for one in self._sources.values():
            if one.name == source:
                return one.priority
        return self._priorities.get(source, self._default_priority)

    def _select(self, query: str, *values: str | int, further: bool = False) -> list[SourceRow]:
        """Return rows; `further`: instead those that are only a further article number."""
        if self._connection is None:
            return []
        sources = self._sources
        found = []
        for row in self._connection.execute(query, values):
            if is_further(row[1]) is not further:
                continue
            priority, name, may_block = sources[source_of(row[0])]
            found.append(SourceRow(priority, name, row[0], to_article(row), is_delisted(row[1]), may_block))
        return found


def _number(article: Article, article_number: bool) -> str | None:  # noqa: FBT001 - which of the two
    return article.article_number if article_number else article.catalog_number


def _is_key(text: str) -> bool:
    """Return whether a text can be in the master; what is too long, or no text SQLite takes, is not looked for."""
    return 0 < len(text) <= MAX_NUMBER and text.isprintable()

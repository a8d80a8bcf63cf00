"""A source's changes laid over the rows of its file. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.articles.identifiers import gtin_number
from gateway.articles.overlay.statements import Deletion, Said, StatusChange, identity_of, recalls
from gateway.articles.precedence import SourceRow
from gateway.model import Article, ArticleStatus, Issuer, Recall


class OverlayChange(NamedTuple):
    """What one source says of one article, over its file."""

    source: str
    issued_ns: int
    said: Said


class FileState(NamedTuple):
    """What decides which changes the sources' files have swallowed."""

    as_of_ns: Mapping[str, int] = {}
    """Source -> how new its rows are, nanoseconds since 1970 UTC."""
    silent: Collection[str] = ()
    """The sources whose files cannot say that an article is blocked."""

    def leave(self, over: OverlayChange) -> OverlayChange | None:
        """Return what is left of a change; a recall no file swallows, a block only one that can speak of blocks."""
        said = over.said
        if over.issued_ns > self.as_of_ns.get(over.source, -1) or recalls(said):
            return over
        if over.source not in self.silent:
            return None
        if isinstance(said, Article) and said.status is not ArticleStatus.ACTIVE:
            standing = StatusChange(status=said.status, reason=said.status_reason, since=said.status_from)
            return over._replace(said=standing)
        return over if isinstance(said, StatusChange) else None


class EffectiveArticle(NamedTuple):
    """The rows as they are now, and the recalls of some of the article's devices."""

    rows: Sequence[SourceRow]
    recalls: Sequence[Recall] = ()


def lay_over(
    identity: str, rows: Iterable[SourceRow], over: Iterable[OverlayChange], priority_of: Callable[[str], int]
) -> EffectiveArticle:
    """Lay changes, by the time they were issued, over the rows of an article, at most one of a source.

    A recall lies over whatever else its source says, until a release: what is recalled is often deleted or renamed.
    """
    by_source = {row.source: row for row in rows}
    standing: dict[str, StatusChange] = {}
    told: list[Recall] = []
    gone: dict[str, Article] = {}
    for source, _, said in sorted(over, key=_order):
        row = by_source.get(source)
        if isinstance(said, Article):
            by_source[source] = SourceRow(priority_of(source), source, 0, said)
        elif isinstance(said, Deletion):
            if row is not None:
                gone[source] = _named_as(row.article)
                del by_source[source]
        elif isinstance(said, Recall):
            told.append(said)
        elif recalls(said):
            standing[source] = said
        else:
            if said.status is ArticleStatus.ACTIVE:
                standing.pop(source, None)
                told = [recall for recall in told if recall.source != source]
            bare = SourceRow(priority_of(source), source, 0, _nothing_but(identity), bare=True)
            by_source[source] = _with_status(row or bare, said)
    recalling = {recall.source for recall in told}
    for source in sorted(recalling | standing.keys()):
        row = by_source.get(source) or SourceRow(
            priority_of(source), source, 0, gone.get(source) or _nothing_but(identity), bare=True
        )
        by_source[source] = _recalled(row, standing[source]) if source in standing else row
    left = [
        row
        for row in by_source.values()
        if not row.bare or row.article.status is not ArticleStatus.ACTIVE or row.source in recalling
    ]
    return EffectiveArticle(left, told)


def _order(over: OverlayChange) -> tuple[int, bool]:
    """Of one message, a recall that its release has left stands behind it."""
    return over.issued_ns, recalls(over.said)


def _with_status(row: SourceRow, said: StatusChange) -> SourceRow:
    article = msgspec.structs.replace(
        row.article, status=said.status, status_reason=said.reason, status_from=said.since
    )
    return row._replace(article=article)


def _recalled(row: SourceRow, said: StatusChange) -> SourceRow:
    """Return the row as recalled; what is barred already stays so until the recall is in force."""
    since = said.since
    if row.article.status is not ArticleStatus.ACTIVE:
        since = min(since or "", row.article.status_from or "") or None
    return _with_status(row, msgspec.structs.replace(said, since=since))


def _named_as(article: Article) -> Article:
    """Return what names an article, and nothing else of it."""
    return Article(
        device_identifier=article.device_identifier,
        issuer=article.issuer,
        article_number=article.article_number,
    )


def identity_in(article: Article) -> str:
    """Return what names an article of the master."""
    return identity_of(article.device_identifier, article.article_number)


def _nothing_but(identity: str) -> Article:
    """Return an article of which only its name is known."""
    if identity.startswith("#"):
        return Article(article_number=identity[1:])
    gtin = gtin_number(identity)
    return Article(device_identifier=identity, issuer=None if gtin is None else Issuer.GS1)

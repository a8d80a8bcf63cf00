"""A source's changes laid over the rows of its file. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from gateway.articles.changes import Gone, Said, identity_of
from gateway.articles.identifiers import gtin_number
from gateway.articles.precedence import Known
from gateway.model import Article, ArticleStatus, Issuer, Recall


class Over(NamedTuple):
    """What one source says of one article, over its file."""

    source: str
    issued_ns: int
    said: Said


class Laid(NamedTuple):
    """The rows as they are now, and the recalls of some of the article's devices."""

    rows: Sequence[Known]
    recalls: Sequence[Recall] = ()


def lay_over(identity: str, rows: Iterable[Known], over: Iterable[Over], priority_of: Callable[[str], int]) -> Laid:
    """Lay changes, in the order they were issued, over the rows of an article, at most one of a source."""
    by_source = {row.source: row for row in rows}
    recalls: list[Recall] = []
    for source, _, said in over:
        row = by_source.get(source)
        if isinstance(said, Article):
            by_source[source] = Known(priority_of(source), source, 0, said)
        elif isinstance(said, Gone):
            by_source.pop(source, None)
        elif isinstance(said, Recall):
            recalls.append(said)
            if row is None:
                by_source[source] = Known(priority_of(source), source, 0, _nothing_but(identity), bare=True)
        else:
            article = msgspec.structs.replace(
                _nothing_but(identity) if row is None else row.article,
                status=said.status,
                status_reason=said.reason,
                status_from=said.since,
            )
            key, bare = (0, True) if row is None else (row.key, row.bare)
            by_source[source] = Known(priority_of(source), source, key, article, bare=bare)
    recalling = {recall.source for recall in recalls}
    left = [
        row
        for row in by_source.values()
        if not row.bare or row.article.status is not ArticleStatus.ACTIVE or row.source in recalling
    ]
    return Laid(left, recalls)


def identity_in(article: Article) -> str:
    """Return what names an article of the master."""
    return identity_of(article.device_identifier, article.article_number)


def _nothing_but(identity: str) -> Article:
    """Return an article of which only its name is known."""
    if identity.startswith("#"):
        return Article(article_number=identity[1:])
    gtin = gtin_number(identity)
    return Article(device_identifier=identity, issuer=None if gtin is None else Issuer.GS1)

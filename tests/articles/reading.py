"""What the tests of the importers share: a file's rows as articles, and the samples."""

import io
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.articles.fields import BadRow, read_article
from gateway.articles.identifiers import gtin_text
from gateway.articles.importers import IMPORTERS, Changes, Read, RowBatch
from gateway.articles.reports import Rejection
from gateway.articles.rows import to_article
from gateway.articles.settings import SourceSettings
from gateway.model import Article

SAMPLES = Path(__file__).parents[1] / "corpus" / "articles"


def source(file_format: str, **settings: object) -> SourceSettings:
    return msgspec.convert({"name": "miv", "format": file_format, **settings}, SourceSettings)


def rows(file_format: str, content: bytes | Path, **settings: object) -> list[Read]:
    """Return what an importer makes of a file, or of bytes that have no file."""
    wanted = source(file_format, **settings)
    if isinstance(content, bytes):
        return list(IMPORTERS[file_format](io.BytesIO(content), wanted))
    with content.open("rb") as stream:
        return list(IMPORTERS[file_format](stream, wanted))


def judged(found: Iterable[Read]) -> tuple[dict[str, Article], list[Rejection]]:
    """Return the articles by identifier (or, without one, by number), and what was rejected."""
    articles: dict[str, Article] = {}
    rejected: list[Rejection] = []
    for one in found:
        if isinstance(one, Changes):
            continue
        if isinstance(one, Rejection):
            rejected.append(one)
        elif isinstance(one, RowBatch):
            for row in one.rows:
                articles[gtin_text(row[0])] = to_article((row[0] << 8 | 1, *row[1:]))
        else:
            article = read_article(one.texts)
            if isinstance(article, BadRow):
                rejected.append(Rejection(line=one.line, column=article.field, reason=article.reason))
            else:
                articles[article.device_identifier or article.article_number or ""] = article
    return articles, rejected


def sample(file_format: str, name: str, **settings: object) -> dict[str, Article]:
    """Return the articles of a sample, none of whose rows may be rejected."""
    articles, rejected = judged(rows(file_format, SAMPLES / name, **settings))
    assert rejected == []
    return articles

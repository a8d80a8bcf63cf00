"""Which row speaks when several know the same article. Pure.

1. The whole row of the source with the lowest priority number is the article; between equal priorities, the
   source whose name sorts first. Fields of different sources are never mixed.
2. Except the status: blocked or recalled by any source wins over active, and recalled over blocked, with the
   reason of the row that says so. It holds from the earliest date any of these rows gives.
3. A package is blocked or recalled with its base article.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from gateway.model import Article, ArticleStatus

PRIMARY = "primary"
PACKAGE = "package"
UNIT_OF_USE = "unitOfUse"

_STRICTNESS = {ArticleStatus.ACTIVE: 0, ArticleStatus.BLOCKED: 1, ArticleStatus.RECALLED: 2}
_AT_ONCE = ""
"""Sorts before every date."""


class Known(NamedTuple):
    """One row, as one source tells it. Orders by precedence: the least is the row that speaks."""

    priority: int
    source: str
    key: int
    """Row of the generation; unique, so that no comparison reaches the article."""
    article: Article


def is_base(article: Article) -> bool:
    """Tell the article itself from its packages and units of use."""
    return article.package_level in {None, PRIMARY}


def bases(rows: Sequence[Known]) -> Sequence[Known]:
    """Return the rows a number stands for: a number shared with packages means the article itself."""
    return [row for row in rows if is_base(row.article)] or rows


def speaker(rows: Iterable[Known]) -> Known:
    """Return the row that speaks; `rows` must not be empty."""
    return min(rows, key=lambda row: row[:3])


def under_strictest(article: Article, rows: Sequence[Known]) -> Article:
    """Return the article with the strictest status of `rows`, of which it may be one itself."""
    barred = [row for row in rows if row.article.status is not ArticleStatus.ACTIVE]
    if not barred or (len(rows) == 1 and rows[0].article is article):
        return article
    strictest = max(_STRICTNESS[row.article.status] for row in barred)
    told_by = speaker(row for row in barred if _STRICTNESS[row.article.status] == strictest).article
    since = min(row.article.status_from or _AT_ONCE for row in barred)
    return msgspec.structs.replace(
        article, status=told_by.status, status_reason=told_by.status_reason, status_from=since or None
    )

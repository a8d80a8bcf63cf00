"""What the master says of an article that several sources know. Pure.

The sources in their order: the lowest priority number first, between equal ones the name that sorts first. The
first one that knows the article speaks: `source` of the look-up is its name. Then, field by field:

1. A text (article number, names, description, catalogue number, owner, risk class): from the first that states it.
2. Yes or no (implant, consignment, sterile, single use, and what the label must carry): yes if any source says so.
3. Packaging (level, base, quantity): as a whole from the first source that states a level or a base.
4. Status: recalled by any source wins over blocked, blocked over the rest, with the reason of the first that says
   so. It holds from the earliest date that a source gives which bars the article. Whether an article that nobody
   bars is active or discontinued, the first source says. A source without `may_block` blocks nothing that one
   before it calls active.
5. What a package or unit of use does not state, what is in it states for it (rules 1 and 2), down to the base
   article; it is blocked or recalled with it.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from gateway.model import Article, ArticleStatus

PRIMARY: Final = "primary"
PACKAGE: Final = "package"
UNIT_OF_USE: Final = "unitOfUse"

TEXTS: Final = (
    *("article_number", "trade_name", "description", "manufacturer_name", "catalog_number", "risk_class", "owner"),
)
FLAGS: Final = (
    *("implant", "consignment", "sterile", "single_use", "lot_required", "serial_required", "expiry_required"),
)
STRICTNESS: Final = {
    ArticleStatus.ACTIVE: 0,
    ArticleStatus.DISCONTINUED: 0,
    ArticleStatus.BLOCKED: 1,
    ArticleStatus.RECALLED: 2,
}
"""0: what is on the shelf may be used."""
BARRED: Final = frozenset({ArticleStatus.BLOCKED, ArticleStatus.RECALLED})
"""What keeps an article from being used."""
_AT_ONCE: Final = ""
"""Sorts before every date."""


class SourceRow(NamedTuple):
    """One row, as one source tells it. Orders by precedence: the least is the row that speaks."""

    priority: int
    source: str
    key: int
    """Row of the generation, so that no comparison reaches the article; 0 for what a delta says."""
    article: Article
    bare: bool = False
    """It only bars the article: its source has said nothing else of it, or lists it no longer."""
    may_block: bool = True
    """Its source may block what a source before it calls active (`may_block`), or a delta of it does."""


def is_base(article: Article) -> bool:
    """Tell the article itself from its packages and units of use."""
    return article.package_level is None or article.package_level == PRIMARY


def bases(rows: Sequence[SourceRow]) -> Sequence[SourceRow]:
    """Return the rows a number stands for: a number shared with packages means the article itself."""
    return [row for row in rows if is_base(row.article)] or rows


def in_order(rows: Iterable[SourceRow]) -> list[SourceRow]:
    """Return the rows by precedence; what only bars comes last."""
    return sorted(rows, key=lambda row: (row.bare, row[:3]))


def speaker(rows: Iterable[SourceRow]) -> SourceRow:
    """Return the row that speaks; `rows` must not be empty."""
    return min(rows, key=lambda row: (row.bare, row[:3]))


def merged(rows: Sequence[SourceRow], base: Sequence[SourceRow] = ()) -> Article:
    """Return the article of `rows`, which are of one identifier or number and not empty, given its base's rows."""
    ordered = in_order(rows)
    article = ordered[0].article
    if len(ordered) == 1 and not base:
        return article
    own = [row.article for row in ordered]
    known = [*own, *(row.article for row in in_order(base))]
    said = {field: next(filter(None, (getattr(one, field) for one in known)), None) for field in TEXTS}
    said |= {field: any(getattr(one, field) for one in known) for field in FLAGS}
    packed = next((one for one in own if one.package_level or one.base_device_identifier), article)
    changed = msgspec.structs.replace(
        article,
        package_level=packed.package_level,
        base_device_identifier=packed.base_device_identifier,
        base_quantity=packed.base_quantity,
        **said,
    )
    return under_strictest(changed, [*ordered, *base])


def under_strictest(article: Article, rows: Sequence[SourceRow]) -> Article:
    """Return the article with the strictest status of `rows`."""
    barred = [row for row in rows if STRICTNESS[row.article.status] and not _is_overruled(row, rows)]
    if not barred:
        if not STRICTNESS[article.status]:
            return article
        return msgspec.structs.replace(article, status=ArticleStatus.ACTIVE, status_reason=None, status_from=None)
    strictest = max(STRICTNESS[row.article.status] for row in barred)
    told_by = speaker(row for row in barred if STRICTNESS[row.article.status] == strictest).article
    since = min(row.article.status_from or _AT_ONCE for row in barred)
    return msgspec.structs.replace(
        article, status=told_by.status, status_reason=told_by.status_reason, status_from=since or None
    )


def _is_overruled(row: SourceRow, rows: Sequence[SourceRow]) -> bool:
    """Return whether a row blocks what a source before it calls active, and may not."""
    return (
        row.article.status is ArticleStatus.BLOCKED
        and not row.may_block
        and any(not one.bare and one[:2] < row[:2] and not STRICTNESS[one.article.status] for one in rows)
    )

"""What a display and a command show of a case, open or just closed: counts, and what is unresolved. Pure.

Free of anything about a person: neither the case's id nor the patient stands here.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from gateway.events.cloudevent import CaseData, CaseItem, CaseQuestion

MAX_NAMED: Final = 20
"""Unresolved scans that a summary names: more are looked up in the journal. `unresolved` counts them all."""

MAX_ARTICLES: Final = 60
"""Articles that a summary names: the largest sets of instruments and implants of one operation have some forty."""


class UnresolvedScan(Struct, frozen=True, kw_only=True, rename="camel"):
    """A scan of the case that somebody must sort out before the case is right."""

    event: str
    """Its id."""
    name: str
    """Of the article: its trade name, else its number, else the device identifier; empty where none is known."""
    lot_number: str | None = None
    serial_number: str | None = None
    why: tuple[str, ...]
    """Finding codes (INCOMPLETE_LABEL, ARTICLE_UNKNOWN, LABELS_INTERLEAVED), or REFUSED."""


class UsedArticle(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was used of one article."""

    name: str
    """As of an unresolved scan."""
    quantity: int
    """Pieces."""


class CaseSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a case comes to: `closed` of a message of the stream `watch`, and the answer of the request `case`.

    {"used": 6, "wasted": 1, "returned": 0, "explanted": 0, "unresolved": 1, "opened": "2026-11-21T08:00:00+01:00",
     "unresolvedScans": [{"event": "...", "name": "Bone screw 4.0 x 20", "lotNumber": null, "serialNumber": null,
                          "why": ["INCOMPLETE_LABEL"]}],
     "usedArticles": [{"name": "Nordan Stem 12", "quantity": 1}]}
    """

    used: int
    """Pieces that count as used, after what was thrown away and returned."""
    wasted: int
    """Pieces thrown away."""
    returned: int
    explanted: int
    unresolved: int
    """Scans that somebody must sort out."""
    opened: str | None
    """When the case was scanned first, RFC 3339."""
    unresolved_scans: tuple[UnresolvedScan, ...] = ()
    """The first MAX_NAMED of them, in the order they were scanned."""
    used_articles: tuple[UsedArticle, ...] = ()
    """The first MAX_ARTICLES that were used, in the order they were scanned first."""


def summary_of(data: CaseData) -> CaseSummary:
    """Return what is shown of a case event's data."""
    return CaseSummary(
        used=data.used,
        wasted=data.wasted,
        returned=data.returned,
        explanted=data.explanted,
        unresolved=data.unresolved,
        opened=data.opened,
        unresolved_scans=tuple(_scan(one) for one in data.open_questions[:MAX_NAMED]),
        used_articles=tuple(_used(data.items))[:MAX_ARTICLES],
    )


def _used(items: Iterable[CaseItem]) -> Iterator[UsedArticle]:
    """Yield each article with its pieces: two lots of it are read out as one line."""
    pieces: dict[str, int] = {}
    for one in items:
        name = _name(one)
        pieces[name] = pieces.get(name, 0) + one.quantity
    for name, quantity in pieces.items():
        yield UsedArticle(name=name, quantity=quantity)


def _name(one: CaseItem | CaseQuestion) -> str:
    return one.trade_name or one.article_number or one.device_identifier or ""


def _scan(one: CaseQuestion) -> UnresolvedScan:
    return UnresolvedScan(
        event=one.event,
        name=_name(one),
        lot_number=one.lot_number,
        serial_number=one.serial_number,
        why=one.why,
    )

"""A recall tried out: what it would bar on this box and which past scans it touches, with nothing changed.

The message is applied to a copy of the articles directory, by the same code that would apply it in earnest; then
every article it names is looked up there, and the journal searched.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.overlay.applier import DeltaApplier
from gateway.articles.overlay.delta_message import read_delta
from gateway.articles.overlay.signing import verifier
from gateway.articles.overlay.statements import Delta, DeltaOutcome, Recalled, RefusedDelta
from gateway.articles.overlay.store import OVERLAY
from gateway.articles.schema import CURRENT
from gateway.events.stored_event import StoredEvent
from gateway.model import Article, ArticleStatus
from gateway.recalls.affected_scans import Affected, affected


class DrilledArticle(Struct, frozen=True, kw_only=True, rename="camel"):
    """One article that the message recalls or blocks."""

    article: str
    """Device identifier, or `#` and an article number."""
    trade_name: str | None
    article_number: str | None
    known: bool
    """The master of this box has it; else the recall counts as soon as it comes."""
    effect: str
    """recalled | blocked | some: only the lots, serial numbers or dates given | none: it would have no effect."""


class Drill(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a message would do."""

    outcome: DeltaOutcome
    articles: tuple[DrilledArticle, ...]
    scans: tuple[Affected, ...]
    """Past scans that it touches."""


class DrillRefusedError(ValueError):
    """The message would be refused; the words say why."""


def drill(
    articles: Path,
    sources: Sequence[str],
    payload: bytes,
    key: bytes | None,
    journal: Iterable[StoredEvent],
    taken_back: Iterable[str] = (),
) -> Drill:
    """Try a message out. Raises DrillRefusedError, MasterError, OSError.

    Its number does not matter: it is tried as the next one of its source.
    """
    delta = read_delta(payload, None if key is None else verifier(key))
    if isinstance(delta, RefusedDelta):
        raise DrillRefusedError(delta.reason)
    with _copy(articles) as copy, ArticleMaster(copy) as master:
        deltas = DeltaApplier(copy, sources, master=master)
        outcome = deltas.apply_delta(replace(delta, number=_next(master, delta)))
        if outcome.refused is not None:
            raise DrillRefusedError(outcome.refused)
        named = dict.fromkeys(change.identity for change in delta.changes if change.identity is not None)
        named |= dict.fromkeys(one.identity for one in outcome.recalls)
        return Drill(
            outcome=outcome,
            articles=tuple(_drilled(identity, master, outcome.recalls) for identity in named),
            scans=tuple(affected(journal, master, outcome.recalls, frozenset(taken_back))),
        )


@contextmanager
def _copy(articles: Path) -> Iterator[Path]:
    """Yield a copy of an articles directory: the generation by a second name, the small overlay by its content."""
    with tempfile.TemporaryDirectory(prefix="drill-", dir=articles) as folder:
        copy = Path(folder)
        if (articles / CURRENT).exists():
            os.link(articles / CURRENT, copy / CURRENT)
        if (articles / OVERLAY).exists():
            shutil.copyfile(articles / OVERLAY, copy / OVERLAY)
        yield copy


def _next(master: ArticleMaster, delta: Delta) -> int:
    return max((one.announced for one in master.overlay.sources() if one.name == delta.source), default=0) + 1


def _drilled(identity: str, master: ArticleMaster, recalls: Sequence[Recalled]) -> DrilledArticle:
    text, device = (identity[1:], None) if identity.startswith("#") else (identity, identity)
    rows = master.statements(text, device).rows
    found = master.look_up(text, device)
    article = found.article or Article()
    of_it = [one.recall for one in recalls if one.identity == identity]
    effect = "none"
    if article.status in {ArticleStatus.RECALLED, ArticleStatus.BLOCKED}:
        effect = article.status.value
    elif any(recall in found.recalls for recall in of_it):
        effect = "some"
    return DrilledArticle(
        article=identity,
        trade_name=article.trade_name,
        article_number=article.article_number,
        known=any(not row.bare for row in rows),
        effect=effect,
    )

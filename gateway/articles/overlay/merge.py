"""What a source says of an article: its file's row, with its deltas laid over it. Pure.

Theory of operation
===================

Every delta has a number, and the numbers of a source order what it says; no clock does. The changes of one article
by one source are gone through in that order, beginning from the row of the source's file, and give four things:

* its **row**. An upsert or a deletion stands for as long as the file still has the row it was made over (`under`, a
  digest): when a later file has another row, the file has caught up, and its row counts. A file of the same content
  that is copied anew, with whatever date, changes nothing.
* a **bar**: the row says blocked or recalled. It stays when the row is deleted, and when an upsert says nothing of
  the status; it ends when the source's own row says `active`, or by a release.
* a **block** by a delta. Only a release ends it.
* **recalls** by deltas, each with its id. A release that names the id ends that one. A release without an id ends
  block and bar, and a recall only where a single one without id is in force: of two it would be guessing which.
  (Two of the same reason are one, sent again; a release may name one without id by its reason or its number.)

Nothing else ends what bars an article: no file, upsert or deletion, no date on a message. A release laid over a
file's bar holds for this bar; when a later file bars the article for another reason, it is barred.

Because the order lies in the numbers, a message that arrives late has the effect it would have had in its turn, and
what has been said can be compacted at any time: see `compacted`.

A worked example, source `miv`, article 09520001000102, whose row is (Stem, active):

    number  says                               row           block    recalls
    1       recall id=FSN-A lots L1            Stem          -        FSN-A
    2       block "contract"                   Stem          contract FSN-A
    3       upsert tradeName=Stem 12           Stem 12       contract FSN-A
    4       recall id=FSN-B lots L2            Stem 12       contract FSN-A FSN-B
    5       release id=FSN-A                   Stem 12       contract FSN-B
    6       release                            Stem 12       -        FSN-B
    7       delete                             (Stem 12)     -        FSN-B

After 7 the article is known only as what FSN-B recalls; lot L2 is refused, lot L1 is an unknown article. Had 5 come
before 1, the end would be the same.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from gateway.articles.overlay.statements import (
    Bar,
    Block,
    Deletion,
    OverlayChange,
    Release,
    Upsert,
    digest_of,
    names_of,
    nothing_but,
)
from gateway.articles.precedence import BARRED, STRICTNESS, SourceRow
from gateway.model import Article, ArticleStatus, Recall


class SourceState(NamedTuple):
    """What one source says of one article."""

    article: Article | None
    """Its row, without a status that bars it; None where it has none."""
    last_known: Article | None
    """The row, or the last one there was."""
    bar: Bar | None
    block: Block | None
    recalls: tuple[tuple[OverlayChange, Recall], ...]
    """In the order in which they were made."""
    unclear: tuple[OverlayChange, ...]
    """Releases that name none of several recalls, and so ended none."""


class EffectiveArticle(NamedTuple):
    """The rows as they are now, and the recalls of some of the article's devices."""

    rows: Sequence[SourceRow]
    recalls: Sequence[Recall] = ()


def bar_of(article: Article | None) -> Bar | None:
    """Return what bars an article by its own row."""
    if article is None or article.status not in BARRED:
        return None
    return Bar(status=article.status, reason=article.status_reason, since=article.status_from)


def state_of(file_row: SourceRow | None, changes: Iterable[OverlayChange], *, tells_status: bool) -> SourceState:
    """Return what a source says of an article. `tells_status`: its file can say which articles are barred."""
    ordered = sorted(changes, key=lambda one: one.order)
    reading = _Reading(file_row, ordered, tells_status=tells_status)
    for change in ordered:
        reading.take(change)
    return SourceState(
        reading.article,
        reading.last_known,
        reading.bar,
        reading.block,
        tuple(reading.recalls),
        tuple(reading.unclear),
    )


class _Reading:
    """What has been read of a source's changes, in their order."""

    def __init__(self, file_row: SourceRow | None, ordered: Sequence[OverlayChange], *, tells_status: bool) -> None:
        in_file = None if file_row is None else file_row.article
        listed = None if file_row is None or file_row.bare else in_file
        self._file_digest = digest_of(listed)
        self._file_bar = bar_of(in_file)
        releases = [one for one in ordered if isinstance(one.statement, Release) and one.statement.id is None]
        self._newest_release = releases[-1] if releases else None
        self._file_decides = tells_status and listed is not None
        self.article = listed
        self.last_known = in_file
        self.bar = self._file_bar
        self.block: Block | None = None
        self.recalls: list[tuple[OverlayChange, Recall]] = []
        self.unclear: list[OverlayChange] = []

    def take(self, change: OverlayChange) -> None:
        """Read one change."""
        match change.statement:
            case Upsert() as upsert:
                self._upsert(upsert, current=change.under == self._file_digest)
            case Deletion():
                if change.under == self._file_digest:
                    self.article = None
            case Block() as block:
                self.block = block
            case Recall() as recall:
                self.recalls.append((change, recall))
            case Release(id=None, settled=settled):
                self._release(change, settled=settled)
            case Release(id=named):
                self.recalls = [one for one in self.recalls if named not in names_of(*one)]

    def _upsert(self, upsert: Upsert, *, current: bool) -> None:
        if current:
            self.article = self.last_known = upsert.article
        if upsert.states_status and (current or not self._file_decides):
            self.bar = bar_of(upsert.article)

    def _release(self, change: OverlayChange, *, settled: bool) -> None:
        self.block = None
        of_this_bar = change is self._newest_release and digest_of(self._file_bar) == change.under
        if self.bar is not self._file_bar or of_this_bar:
            self.bar = None
        if settled:
            return
        nameless = [one for one in self.recalls if one[1].id is None]
        if len({recall.reason or by.number for by, recall in nameless}) == 1:
            self.recalls = [one for one in self.recalls if one[1].id is not None]
        if self.recalls:
            self.unclear.append(change)


def compacted(
    changes: Sequence[OverlayChange], complete_to: int, standing: Collection[tuple[int, int]] = ()
) -> list[OverlayChange]:
    """Return fewer changes that say the same, now and whatever comes: of the source's rows the newest, and so on.

    `complete_to`: every delta of the source up to this number has come. What lies beyond it may be preceded by one
    that is still on its way, so that what could matter to that one is left. `standing`: changes by an article number
    that stand under the number, too, and so come back at a look-up: they are left, with the releases behind them.
    """
    first_standing = min(standing, default=None)

    def undecided(order: tuple[int, int]) -> bool:
        return order[0] > complete_to or (first_standing is not None and order > first_standing)

    ordered = sorted(changes, key=lambda one: one.order)
    rows = [one for one in ordered if isinstance(one.statement, Upsert | Deletion)]
    stated = [one for one in rows if isinstance(one.statement, Upsert) and one.statement.states_status]
    blocks = [one for one in ordered if isinstance(one.statement, Block)]
    releases = [one for one in ordered if isinstance(one.statement, Release) and one.statement.id is None]
    kept = {one.order for one in (*rows[-1:], *stated[-1:])} | set(standing)
    if blocks and not (releases and releases[-1].order > blocks[-1].order):
        kept.add(blocks[-1].order)
    if releases and (releases[-1].under is not None or (stated and stated[-1].order < releases[-1].order)):
        kept.add(releases[-1].order)
    in_force = {change.order for change, _ in state_of(None, ordered, tells_status=True).recalls}
    for one in ordered:
        match one.statement:
            case Recall(id=None):
                open_yet = any(one.order < release.order and undecided(release.order) for release in releases)
                if one.order in in_force or open_yet:
                    kept.add(one.order)
            case Recall() if one.order in in_force:
                kept.add(one.order)
            case Release() if undecided(one.order):
                kept.add(one.order)
            case _:
                pass
    return [one if undecided(one.order) else _settled(one) for one in ordered if one.order in kept]


def _settled(change: OverlayChange) -> OverlayChange:
    statement = change.statement
    if isinstance(statement, Release) and statement.id is None:
        return change._replace(statement=msgspec.structs.replace(statement, settled=True))
    return change


def lay_over(
    identity: str,
    rows: Iterable[SourceRow],
    changes: Iterable[OverlayChange],
    priority_of: Callable[[str], int],
    silent: Collection[str] = (),
) -> EffectiveArticle:
    """Lay changes over the rows of an article, at most one of a source. `silent`: see `state_of`."""
    by_source = {row.source: row for row in rows}
    said: dict[str, list[OverlayChange]] = {}
    for change in changes:
        said.setdefault(change.source, []).append(change)
    effective: dict[str, SourceRow] = dict(by_source)
    recalls: list[Recall] = []
    for source, own in said.items():
        row = by_source.get(source)
        state = state_of(row, own, tells_status=source not in silent)
        effective.pop(source, None)
        key = 0 if row is None or state.article is not row.article else row.key
        made = _row(identity, state, SourceRow(priority_of(source), source, key, Article()))
        if made is not None:
            effective[source] = made
        recalls.extend(recall for _, recall in state.recalls if not recall.is_whole())
    return EffectiveArticle(list(effective.values()), recalls)


def _row(identity: str, state: SourceState, empty: SourceRow) -> SourceRow | None:
    """Return what a source says as one row; None where it says nothing."""
    if state.article is None and state.bar is None and state.block is None and not state.recalls:
        return None
    bars = [] if state.bar is None else [state.bar]
    if state.block is not None:
        bars.append(Bar(status=ArticleStatus.BLOCKED, reason=state.block.reason, since=state.block.since))
    bars += [
        Bar(status=ArticleStatus.RECALLED, reason=recall.reason or recall.id, since=recall.starts)
        for _, recall in state.recalls
        if recall.is_whole()
    ]
    article = state.article or _named_as(state.last_known) or nothing_but(identity)
    by_delta = state.block is not None or bool(state.recalls)
    return empty._replace(
        article=_barred(article, bars), bare=state.article is None, may_block=empty.may_block or by_delta
    )


def _barred(article: Article, bars: Sequence[Bar]) -> Article:
    """Return an article with the strictest bar, from the earliest day of any."""
    if not bars:
        if article.status not in BARRED:
            return article
        return msgspec.structs.replace(article, status=ArticleStatus.ACTIVE, status_reason=None, status_from=None)
    strictest = max(bars, key=lambda bar: STRICTNESS[bar.status])
    since = min(bar.since or "" for bar in bars) or None
    return msgspec.structs.replace(
        article, status=strictest.status, status_reason=strictest.reason, status_from=since
    )


def _named_as(article: Article | None) -> Article | None:
    """Return what names an article and its packaging, and nothing else of it."""
    if article is None:
        return None
    return Article(
        device_identifier=article.device_identifier,
        issuer=article.issuer,
        article_number=article.article_number,
        trade_name=article.trade_name,
        package_level=article.package_level,
        base_device_identifier=article.base_device_identifier,
        base_quantity=article.base_quantity,
    )

"""Writing a delta into the overlay: its number, its changes, the room they take. One transaction."""

import sqlite3
from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.articles.overlay.merge import FileState
from gateway.articles.overlay.statements import (
    Change,
    Deletion,
    Delta,
    DeltaOutcome,
    Recalled,
    Said,
    StatusChange,
    recalled,
    recalls,
)
from gateway.model import Article, ArticleStatus, Recall

MAX_CHANGES_KEPT: Final = 10_000
"""Changes over the files, a megabyte of memory for their names. More of them are a file's business."""
NUMBERS_KEPT: Final = 1000
"""Numbers of a source that are remembered: an older one counts as a repeat."""

_FORGET: Final = """
DELETE FROM change WHERE source = ? AND issued_ns <= ? AND kind <> 'recall'
AND slot <> 'recalled'
AND NOT (? AND (slot = 'status' OR coalesce(json_extract(CAST(body AS TEXT), '$.status'), 'active') <> 'active'))
"""
"""What a file has swallowed, as `FileState.leave` has it: everything but recalls and, where the file cannot say
what is blocked, blocks."""


def kind_of(said: Said) -> str:
    """Return how the overlay tells apart what a change says."""
    if isinstance(said, Article):
        return "row"
    if isinstance(said, Recall):
        return "recall"
    if isinstance(said, Deletion):
        return "gone"
    return "released" if said.status is ArticleStatus.ACTIVE else "status"


def refusal(delta: Delta, reason: str) -> DeltaOutcome:
    """Return the outcome of a message that was not taken."""
    return DeltaOutcome(applied=False, source=delta.source, number=delta.number, refused=reason)


class Application:
    """One delta, within one transaction."""

    def __init__(self, db: sqlite3.Connection, delta: Delta, files: FileState) -> None:
        self._db = db
        self._delta = delta
        self._files = files
        self._base_ns = files.as_of_ns.get(delta.source, 0)

    def carry_out(self, *, lost: bool) -> DeltaOutcome:
        """Do it; `lost`: the overlay was damaged and begins anew. Raises sqlite3.Error."""
        delta = self._delta
        gap_ns = self._number(lost=lost)
        if gap_ns is None:
            return DeltaOutcome(applied=False, source=delta.source, number=delta.number)
        for place, change in enumerate(delta.changes):
            self._put(place, change)
        if not self._has_room():
            return refusal(delta, f"more than {MAX_CHANGES_KEPT} changes wait for a file of their sources: sync")
        return DeltaOutcome(
            applied=True,
            source=delta.source,
            number=delta.number,
            gap=gap_ns > self._base_ns,
            recalls=tuple(self._recalls()),
        )

    def _number(self, *, lost: bool) -> int | None:
        """Note the message's number; return since when others are missing, or None for a repeat.

        A number that is lower though issued later means that the source counts anew: what was sent in between
        is not known.
        """
        delta = self._delta
        known = self._db.execute(
            "SELECT number, issued_ns, gap_ns FROM source WHERE name = ?", (delta.source,)
        ).fetchone()
        last, issued_ns, gap_ns = known or (0, 0, 0)
        anew = delta.number <= last and delta.issued_ns > issued_ns
        if anew:
            self._db.execute("DELETE FROM seen WHERE source = ?", (delta.source,))
        elif (
            delta.number <= last - NUMBERS_KEPT
            or self._db.execute(
                "SELECT 1 FROM seen WHERE source = ? AND number = ?", (delta.source, delta.number)
            ).fetchone()
        ):
            return None
        if anew or lost or delta.number > last + 1:
            gap_ns = max(gap_ns, delta.issued_ns)
        self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (delta.source, delta.number))
        newest = delta.number if anew else max(last, delta.number)
        self._db.execute("DELETE FROM seen WHERE source = ? AND number <= ?", (delta.source, newest - NUMBERS_KEPT))
        self._db.execute(
            "REPLACE INTO source VALUES (?, ?, ?, ?)",
            (delta.source, newest, max(issued_ns, delta.issued_ns), gap_ns),
        )
        return gap_ns

    def _put(self, place: int, change: Change) -> None:
        """Keep one change, unless one of the same slot (or one that ended it) was issued later."""
        delta, said = self._delta, change.said
        slot = self._slot(place, said)
        also_ends = "released" if recalls(said) else "gone"
        if self._db.execute(
            "SELECT 1 FROM change WHERE source = ? AND identity = ? AND issued_ns > ?"
            " AND (slot = ? OR kind IN ('released', ?))",
            (delta.source, change.identity, delta.issued_ns, slot, also_ends),
        ).fetchone():
            return
        ended = _ended_by(said)
        if ended is not None:
            self._db.execute(
                f"DELETE FROM change WHERE source = ? AND identity = ? AND issued_ns <= ? AND {ended}",  # noqa: S608
                (delta.source, change.identity, delta.issued_ns),
            )
        row = said if isinstance(said, Article) else Article()
        self._db.execute(
            "REPLACE INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(delta.source, change.identity, slot, delta.issued_ns),
                *(kind_of(said), msgspec.json.encode(said), row.article_number, row.catalog_number),
            ),
        )

    def _slot(self, place: int, said: Said) -> str:
        if isinstance(said, Recall):
            return f"recall {self._delta.number}.{place}"
        if isinstance(said, Article | Deletion):
            return "row"
        return "recalled" if recalls(said) else "status"

    def _has_room(self) -> bool:
        if self._kept() > MAX_CHANGES_KEPT:
            for source, as_of_ns in self._files.as_of_ns.items():
                self._db.execute(_FORGET, (source, as_of_ns, source in self._files.silent))
        return self._kept() <= MAX_CHANGES_KEPT

    def _kept(self) -> int:
        ((count,),) = self._db.execute("SELECT count(*) FROM change").fetchall()
        return int(count)

    def _recalls(self) -> Iterator[Recalled]:
        for change in self._delta.changes:
            one = recalled(change.identity, self._delta.source, change.said)
            if one is not None:
                yield one


def _ended_by(said: Said) -> str | None:
    """Return which of the same source's earlier changes of an article this one ends, as SQL."""
    if isinstance(said, Deletion | Article):
        return "slot IN ('row', 'status')"
    if isinstance(said, StatusChange) and said.status is ArticleStatus.ACTIVE:
        return "(slot IN ('status', 'recalled') OR kind = 'recall')"
    return None

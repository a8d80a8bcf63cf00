"""Writing a delta into the overlay: its number, what it says of each article, the room it takes. One transaction.

There is always room for what bars an article: of a source's upserts and deletions those go first that its file has
caught up with, then what has ended; and what is too much are upserts, never recalls.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from gateway.articles.overlay.merge import SourceState, compacted, state_of
from gateway.articles.overlay.statements import (
    Block,
    Delta,
    OverlayChange,
    Recalled,
    Release,
    Statement,
    Upsert,
    names_of,
)
from gateway.articles.overlay.store import CHANGES, EVERY_ARTICLE, STATEMENTS, StoredChange, read_changes
from gateway.model import ArticleStatus, Recall

MAX_ROWS: Final = 10_000
"""Upserts and deletions over the files. More of them are a file's business."""
MAX_BARS: Final = 500_000
"""Blocks and recalls, some 150 MB: decades of field safety notices."""
ENDED_BARS_KEPT: Final = 10_000
"""Above so many blocks and recalls, recalls whose last day is over are removed; else a look back finds them."""
MAX_MISSING: Final = 1000
"""Runs of missing numbers kept for a source; above it the lowest two become one."""

FileDigest = Callable[[str, str], bytes | None]
"""(identity, source) -> the digest of what the source's file says of the article now."""


class Placed(NamedTuple):
    """One change of a delta as it is stored for one article."""

    identity: str
    place: int
    statement: Statement
    under: bytes | None
    named: str | None
    """`#` and the article number by which the message named it."""
    any_source: bool = False


class Numbered(Enum):
    """What a delta's number tells."""

    NEW = "new"
    REPEATED = "repeated"
    REUSED = "reused"
    """Another message of the source had this number: the source has begun to count anew, or two count."""


def bars(statement: Statement) -> bool:
    """Return whether a statement keeps an article from being used."""
    if isinstance(statement, Upsert):
        return statement.article.status in {ArticleStatus.BLOCKED, ArticleStatus.RECALLED}
    return isinstance(statement, Block | Recall)


def recalled_by(placed: Iterable[Placed]) -> Iterator[Recalled]:
    """Yield what a delta recalls."""
    for one in placed:
        if isinstance(one.statement, Recall):
            yield Recalled(identity=one.identity, recall=one.statement)


def take_number(db: sqlite3.Connection, delta: Delta, *, lost: bool) -> Numbered:
    """Note a delta's number, and which numbers before it are missing.

    `lost`: the overlay was damaged and begins anew, so that nothing is known of what came before.
    """
    source, number = delta.source, delta.number
    same = (source, number, delta.digest)
    if db.execute("SELECT 1 FROM taken WHERE (source, number, digest) = (?, ?, ?)", same).fetchone():
        return Numbered.REPEATED
    known = db.execute("SELECT number, announced FROM source WHERE name = ?", (source,)).fetchone()
    newest, announced = known or (0, 0)
    gap = db.execute(
        "SELECT first, last FROM missing WHERE source = ? AND ? BETWEEN first AND last", (source, number)
    ).fetchone()
    db.execute("INSERT INTO taken VALUES (?, ?, ?)", (source, number, delta.digest))
    if gap is not None:
        db.execute("DELETE FROM missing WHERE source = ? AND first = ?", (source, gap[0]))
        _miss(db, source, gap[0], number - 1)
        _miss(db, source, number + 1, gap[1])
    elif number > announced:
        _miss(db, source, announced + 1, number - 1)
    else:
        return Numbered.REUSED
    if number > newest or lost:
        db.execute(
            "REPLACE INTO source VALUES (?, ?, ?, ?)", (source, number, max(announced, number), delta.issued_at)
        )
    return Numbered.NEW


def announce(db: sqlite3.Connection, source: str, number: int) -> bool:
    """Note that deltas of a source up to a number exist; return whether that is news."""
    known = db.execute("SELECT announced FROM source WHERE name = ?", (source,)).fetchone()
    announced = 0 if known is None else known[0]
    if number <= announced:
        return False
    _miss(db, source, announced + 1, number)
    db.execute(
        "INSERT INTO source VALUES (?, 0, ?, NULL) ON CONFLICT (name) DO UPDATE SET announced = excluded.announced",
        (source, number),
    )
    return True


def holds_up_to(db: sqlite3.Connection, source: str, number: int) -> None:
    """Note that everything up to a number is known by another way, such as a file: nothing of it is missing."""
    db.execute(
        "INSERT INTO source VALUES (?, 0, ?, NULL)"
        " ON CONFLICT (name) DO UPDATE SET announced = max(announced, excluded.announced)",
        (source, number),
    )
    db.execute("DELETE FROM missing WHERE source = ? AND last <= ?", (source, number))
    db.execute("UPDATE missing SET first = ? WHERE source = ? AND first <= ?", (number + 1, source, number))


def _miss(db: sqlite3.Connection, source: str, first: int, last: int) -> None:
    if first > last:
        return
    db.execute("INSERT INTO missing VALUES (?, ?, ?)", (source, first, last))
    runs = db.execute("SELECT first, last FROM missing WHERE source = ? ORDER BY first", (source,)).fetchall()
    if len(runs) > MAX_MISSING:
        db.execute("DELETE FROM missing WHERE source = ? AND first = ?", (source, runs[1][0]))
        db.execute("UPDATE missing SET last = ? WHERE source = ? AND first = ?", (runs[1][1], source, runs[0][0]))


def complete_to(db: sqlite3.Connection, source: str) -> int:
    """Return up to which number every delta of a source has come."""
    ((first,),) = db.execute("SELECT min(first) FROM missing WHERE source = ?", (source,)).fetchall()
    ((announced,),) = db.execute("SELECT announced FROM source WHERE name = ?", (source,)).fetchall()
    return int(announced) if first is None else int(first) - 1


def put(
    db: sqlite3.Connection, delta: Delta, placed: Sequence[Placed], *, reused: bool
) -> list[tuple[str, SourceState]]:
    """Store what a delta says of each article; return those of which it releases something that it does not name.

    `reused`: behind everything that its source has said so far.
    """
    number, shift = delta.number, 0
    if reused:
        ((number,),) = db.execute("SELECT announced FROM source WHERE name = ?", (delta.source,)).fetchall()
        ((top,),) = db.execute(
            "SELECT max(place) FROM change WHERE source = ? AND number = ?", (delta.source, number)
        ).fetchall()
        shift = 0 if top is None else top + 1
    for one in placed:
        change = OverlayChange(delta.source, number, one.place + shift, one.statement, one.under)
        _insert(db, one.identity, change, one.named, any_source=one.any_source)
    done = complete_to(db, delta.source)
    unclear = []
    # what is said by number first, since it stands behind the articles that bear it; of all, the last
    for identity in sorted(
        {one.identity for one in placed}, key=lambda one: (one == EVERY_ARTICLE, not one.startswith("#"), one)
    ):
        state = state_of(None, _changes_of(db, identity, delta.source), tells_status=True)
        if state.recalls and any(one.number == number for one in state.unclear):
            unclear.append((identity, state))
        _compact(db, identity, delta.source, done)
    return unclear


def _insert(
    db: sqlite3.Connection, identity: str, change: OverlayChange, named: str | None, *, any_source: bool
) -> None:
    statement = change.statement
    row = statement.article if isinstance(statement, Upsert) else None
    kind = next(kind for kind, of in STATEMENTS.items() if isinstance(statement, of))
    db.execute(
        "REPLACE INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(identity, change.source, change.number, change.place, kind, msgspec.json.encode(statement)),
            *(change.under, named, any_source),
            *((None, None) if row is None else (row.article_number, row.catalog_number)),
            statement.ends if isinstance(statement, Recall) else None,
        ),
    )


def _changes_of(db: sqlite3.Connection, identity: str, source: str) -> list[OverlayChange]:
    """Return what a source has said of an article, those first that are about every article."""
    query = f"{CHANGES} WHERE identity IN (?, ?) AND source = ? ORDER BY identity <> ?"
    rows = db.execute(query, (identity, EVERY_ARTICLE, source, EVERY_ARTICLE)).fetchall()
    return list({one.change.order: one.change for one in read_changes(rows)}.values())


_STANDING: Final = """
SELECT own.number, own.place FROM change AS own
JOIN change AS by_number USING (source, number, place)
WHERE own.identity = :identity AND own.source = :source AND by_number.identity = own.named
    AND own.named <> own.identity
"""
"""Changes of an article that its message made by article number, and that stand under the number, too."""


def _compact(db: sqlite3.Connection, identity: str, source: str, done: int) -> None:
    """Remove what no longer matters of what a source says of an article."""
    standing = frozenset(db.execute(_STANDING, {"identity": identity, "source": source}).fetchall())
    after = {one.order: one for one in compacted(_changes_of(db, identity, source), done, standing)}
    own = db.execute(f"{CHANGES} WHERE identity = ? AND source = ?", (identity, source)).fetchall()
    for order, change in ((one.change.order, one.change) for one in read_changes(own)):
        if order not in after:
            _remove(db, identity, change)
        elif after[order] != change:
            db.execute(
                "UPDATE change SET body = ? WHERE (identity, source, number, place) = (?, ?, ?, ?)",
                (msgspec.json.encode(after[order].statement), identity, source, *order),
            )


def _remove(db: sqlite3.Connection, identity: str, change: OverlayChange) -> None:
    db.execute(
        "DELETE FROM change WHERE (identity, source, number, place) = (?, ?, ?, ?)",
        (identity, change.source, *change.order),
    )


def make_room(db: sqlite3.Connection, file_digest: FileDigest, today: date | None) -> str | None:
    """Remove what may go, if there is too much; return why the delta still does not fit, or None.

    `today`: the earliest day it can be now, so that what ended before it has ended whatever the clock says.
    """
    if _count(db, "kind IN ('upsert', 'delete')") > MAX_ROWS:
        for one in _stored(db, "kind IN ('upsert', 'delete')"):
            kept_for_its_bar = isinstance(one.change.statement, Upsert) and bars(one.change.statement)
            if not kept_for_its_bar and file_digest(one.identity, one.change.source) != one.change.under:
                _remove(db, one.identity, one.change)
    if _count(db, "kind NOT IN ('upsert', 'delete')") > ENDED_BARS_KEPT:
        if today is not None:
            db.execute("DELETE FROM change WHERE kind = 'recall' AND ends < ?", (today.isoformat(),))
        released = "SELECT DISTINCT identity, source FROM change WHERE kind = 'release'"
        for identity, source in db.execute(released).fetchall():
            _compact(db, identity, source, complete_to(db, source))
    if _count(db, "kind NOT IN ('upsert', 'delete')") > MAX_BARS:
        return f"more than {MAX_BARS} blocks and recalls are in force: release those that are over"
    return None


def drop_rows_beyond(db: sqlite3.Connection, delta: Delta) -> bool:
    """Remove the delta's own upserts and deletions where there are too many; return whether there were."""
    if _count(db, "kind IN ('upsert', 'delete')") <= MAX_ROWS:
        return False
    for one in _stored(db, "kind IN ('upsert', 'delete')"):
        of_delta = (one.change.source, one.change.number) == (delta.source, delta.number)
        if of_delta and not bars(one.change.statement):
            _remove(db, one.identity, one.change)
    return True


def _count(db: sqlite3.Connection, which: str) -> int:
    ((count,),) = db.execute(f"SELECT count(*) FROM change WHERE {which}").fetchall()  # noqa: S608 - constants
    return int(count)


def _stored(db: sqlite3.Connection, which: str) -> list[StoredChange]:
    return read_changes(db.execute(f"{CHANGES} WHERE {which}").fetchall())


def carry_number(
    db: sqlite3.Connection, number: str, identity: str, source: str | None, under: Callable[[str], bytes | None]
) -> None:
    """Note for an article what was said by a number that it has: it stays when a file gives it another.

    `source`: of the row with that number; None: of any. `under`: see `OverlayChange`, for a release by a source.
    """
    rows = db.execute(
        f"{CHANGES} WHERE identity = ? AND kind IN ('block', 'recall', 'release')", (f"#{number}",)
    ).fetchall()
    for one in read_changes(rows):
        if not one.any_source and one.change.source != source:
            continue
        there = "SELECT 1 FROM change WHERE (identity, source, number, place) = (?, ?, ?, ?)"
        if db.execute(there, (identity, one.change.source, *one.change.order)).fetchone() is None:
            of_release = isinstance(one.change.statement, Release)
            change = one.change._replace(under=under(one.change.source) if of_release else one.change.under)
            _insert(db, identity, change, f"#{number}", any_source=False)


def bearing_number(db: sqlite3.Connection, source: str, number: str) -> list[str]:
    """Return the identities of which a source has said something by an article number before."""
    rows = db.execute("SELECT DISTINCT identity FROM change WHERE source = ? AND named = ?", (source, f"#{number}"))
    return [identity for (identity,) in rows.fetchall()]


def bearing_recall(db: sqlite3.Connection, source: str, named: str) -> list[str]:
    """Return the identities of which a source recalls something under an id, reason or number of a delta."""
    rows = read_changes(db.execute(f"{CHANGES} WHERE source = ? AND kind = 'recall'", (source,)).fetchall())
    return sorted(
        {
            one.identity
            for one in rows
            if isinstance(one.change.statement, Recall) and named in names_of(one.change, one.change.statement)
        }
    )

"""A delta from its bytes to being in force: read, resolved to articles, stored, proved by asking the look-up."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Final, Self, TypeVar

from gateway.articles.errors import MasterError
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.overlay.delta_message import read_delta
from gateway.articles.overlay.merge import bar_of, state_of
from gateway.articles.overlay.schema import open_writer
from gateway.articles.overlay.signing import verifier
from gateway.articles.overlay.statements import (
    Block,
    Change,
    Delta,
    DeltaOutcome,
    OverlayChange,
    RefusedDelta,
    Release,
    Upsert,
    digest_of,
    identity_in,
    names_of,
)
from gateway.articles.overlay.store import EVERY_ARTICLE
from gateway.articles.overlay.writer import (
    MAX_ROWS,
    Numbered,
    Placed,
    announce,
    bars,
    bearing_number,
    bearing_recall,
    carry_number,
    drop_rows_beyond,
    holds_up_to,
    make_room,
    put,
    recalled_by,
    take_number,
)
from gateway.articles.precedence import SourceRow
from gateway.model import ArticleStatus, LookUp, Recall

DAMAGED: Final = "overlay.db.damaged"
"""Where an overlay that cannot be read is moved when the next delta comes."""
_BY_NUMBER: Final = (
    "SELECT DISTINCT identity FROM change WHERE identity LIKE '#%' AND kind IN ('block', 'recall', 'release')"
)
_LISTED: Final = 5
"""Names that a reason lists."""


class DeltaApplier:
    """Applies deltas in an articles directory. One thread uses it; a context manager."""

    def __init__(
        self, directory: Path, sources: Collection[str] = (), *, master: ArticleMaster | None = None
    ) -> None:
        """`sources`: the configured ones; those of the generation in force are known, too."""
        self._directory = directory
        self._sources = frozenset(sources)
        self._master = master or ArticleMaster(directory)
        self._overlay = self._master.overlay

    def apply(self, payload: bytes, key: bytes | None = None, *, today: date | None = None) -> DeltaOutcome:
        """Take one message: on the disk, and in force, when this returns.

        `key`: the Ed25519 public key by which it must be signed. `today`: the earliest day it can be now.
        A message that cannot be stored (disk full) is refused, too.
        """
        delta = read_delta(payload, None if key is None else verifier(key))
        if isinstance(delta, RefusedDelta):
            return DeltaOutcome(applied=False, refused=delta.reason)
        return self.apply_delta(delta, today=today)

    def apply_delta(self, delta: Delta, *, today: date | None = None) -> DeltaOutcome:
        """Take one message that has been read; see `apply`."""
        known = self.known_sources()
        if delta.source not in known:
            return _refusal(
                delta, f"{delta.source} is none of this box's sources: {', '.join(sorted(known)) or 'none'}"
            )
        try:
            with self._writing() as (db, lost):
                return self._applied(db, delta, today, lost=lost)
        except _RefusedError as error:
            return _refusal(delta, str(error))
        except (sqlite3.Error, OSError) as error:
            return _refusal(delta, f"cannot write {self._overlay.path}: {error}; check the disk")

    def announced(self, source: str, number: int) -> bool:
        """Note that a source's deltas up to a number exist; return whether some of them have not come.

        Raises OSError where that cannot be written down.
        """
        if source not in self.known_sources():
            return False
        try:
            with self._writing() as (db, _):
                announce(db, source, number)
                db.execute("COMMIT")
        except (sqlite3.Error, _RefusedError) as error:
            raise OSError(f"cannot write {self._overlay.path}: {error}") from error
        self._overlay.follow()
        return any(one.name == source and one.missing for one in self._overlay.sources())

    def settle(self, source: str, number: int) -> None:
        """Note that whatever a source's deltas up to a number say is known otherwise. Raises OSError."""
        try:
            with self._writing() as (db, _):
                holds_up_to(db, source, number)
                db.execute("COMMIT")
        except (sqlite3.Error, _RefusedError) as error:
            raise OSError(f"cannot write {self._overlay.path}: {error}") from error

    def carry_numbers(self) -> None:
        """Note which articles have the numbers that changes were made by, before a file gives those to others.

        A recall by number may have come before the file that says whose it is. Raises OSError where that cannot be
        written down; an overlay that cannot be used is left as it is.
        """
        self._overlay.follow()
        if self._overlay.problem is not None or not self._overlay.anything():
            return
        try:
            with self._writing() as (db, _):
                for (named,) in db.execute(_BY_NUMBER).fetchall():
                    for row in self._with_number(named[1:]):
                        if row.article.device_identifier is not None:
                            self._carry(db, named[1:], identity_in(row.article), row.source)
                db.execute("COMMIT")
        except (sqlite3.Error, _RefusedError) as error:
            raise OSError(f"cannot write {self._overlay.path}: {error}") from error

    def _carry(self, db: sqlite3.Connection, number: str, identity: str, source: str) -> None:
        def under(of: str) -> bytes | None:
            row = _or(lambda: self._master.file_row(identity, of), None)
            return digest_of(bar_of(None if row is None else row.article))

        carry_number(db, number, identity, source, under)

    def known_sources(self) -> frozenset[str]:
        """Return the sources whose deltas are taken."""
        try:
            return self._sources | {source.name for source in self._master.info().sources}
        except MasterError:
            return self._sources

    def close(self) -> None:
        """Close the files."""
        self._master.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, bool]]:
        """Yield a connection within a transaction, and whether the overlay was lost and begins anew."""
        overlay = self._overlay
        overlay.follow()
        lost = overlay.damaged
        if overlay.problem is not None and not lost:
            raise _RefusedError(overlay.problem)
        if lost:
            overlay.path.replace(self._directory / DAMAGED)
        with closing(open_writer(overlay.path)) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db, lost
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
        overlay.follow()

    def _applied(self, db: sqlite3.Connection, delta: Delta, today: date | None, *, lost: bool) -> DeltaOutcome:
        numbered = take_number(db, delta, lost=lost)
        if numbered is Numbered.REPEATED:
            return DeltaOutcome(applied=False, repeated=True, source=delta.source, number=delta.number)
        placed, unmatched = self._placed(db, delta)
        problem = None
        if numbered is Numbered.REUSED:
            placed = [one for one in placed if bars(one.statement)]
            problem = (
                f"{delta.source} has used the number {delta.number} for another message: it must count on from its "
                "newest; what bars an article is in force, the rest was not taken"
            )
        unclear = put(db, delta, placed, reused=numbered is Numbered.REUSED)
        too_much = make_room(db, self._file_digest, today)
        if too_much is not None:
            raise _RefusedError(too_much)
        if drop_rows_beyond(db, delta):
            problem = f"more than {MAX_ROWS} upserts wait for a file of their sources: sync; what bars is in force"
        db.execute("COMMIT")
        self._overlay.follow()
        for identity, state in unclear:
            problem = (
                f"{identity}: {_in_words(state.recalls)} stay in force: a release must name a recall by its id"
            )
        wrong = next(filter(None, (self._contradiction(delta, one) for one in placed)), None)
        return DeltaOutcome(
            applied=wrong is None and problem is None,
            source=delta.source,
            number=delta.number,
            missing=any(one.name == delta.source and one.missing for one in self._overlay.sources()),
            refused=problem or wrong,
            unmatched=tuple(unmatched),
            recalls=tuple(recalled_by(placed)),
        )

    def _placed(self, db: sqlite3.Connection, delta: Delta) -> tuple[list[Placed], list[str]]:
        """Return the changes, each for every article that it is about, and the names that no article has."""
        placed: list[Placed] = []
        unmatched: dict[str, None] = {}
        for place, change in enumerate(delta.changes):
            placed += self._of_change(db, delta.source, place, change)
            named = change.identity
            if named is not None and bars(change.statement) and not self._is_known(named):
                unmatched[named.removeprefix("#")] = None
        return placed, list(unmatched)

    def _of_change(self, db: sqlite3.Connection, source: str, place: int, change: Change) -> Iterator[Placed]:
        statement, identity = change.statement, change.identity
        if identity is None:
            named = statement.id if isinstance(statement, Release) else None
            for one in (*bearing_recall(db, source, named or ""), EVERY_ARTICLE):
                yield Placed(one, place, statement, None, None)
            return
        if isinstance(statement, Upsert) or not identity.startswith("#"):
            for row in self._rows(identity):
                if row.article.article_number is not None:
                    self._carry(db, row.article.article_number, identity, row.source)
            yield Placed(identity, place, statement, self._under(identity, source, change), None)
            return
        rows = self._with_number(identity[1:])
        own = [row for row in rows if row.source == source]
        articles = {identity_in(row.article) for row in own or rows} | set(bearing_number(db, source, identity[1:]))
        for one in sorted(articles - {identity}):
            yield Placed(one, place, statement, self._under(one, source, change), identity)
        yield Placed(identity, place, statement, self._under(identity, source, change), identity, not own)

    def _with_number(self, number: str) -> Sequence[SourceRow]:
        nothing: Sequence[SourceRow] = ()
        return _or(lambda: self._master.with_number(number), nothing)

    def _is_known(self, identity: str) -> bool:
        """Return whether any article of this box has a name."""
        if identity.startswith("#"):
            return any(not row.bare for row in self._with_number(identity[1:]))
        return any(not row.bare for row in self._rows(identity))

    def _rows(self, identity: str) -> Sequence[SourceRow]:
        nothing: Sequence[SourceRow] = ()
        return _or(lambda: self._master.statements(identity, identity).rows, nothing)

    def _under(self, identity: str, source: str, change: Change) -> bytes | None:
        """Return the digest of what the change lies over."""
        row = _or(lambda: self._master.file_row(identity, source), None)
        if isinstance(change.statement, Release):
            return digest_of(bar_of(None if row is None else row.article))
        return None if row is None or row.bare else digest_of(row.article)

    def _file_digest(self, identity: str, source: str) -> bytes | None:
        row = _or(lambda: self._master.file_row(identity, source), None)
        return None if row is None or row.bare else digest_of(row.article)

    def _contradiction(self, delta: Delta, placed: Placed) -> str | None:
        """Return what a look-up says against a stored change; None where it says so."""
        statement, identity = placed.statement, placed.identity
        if identity == EVERY_ARTICLE or not isinstance(statement, Block | Recall):
            return None
        changes = [one.change for one in self._overlay.of(identity) if one.change.source == delta.source]
        state = state_of(None, changes, tells_status=True)
        asked = _asked(identity)
        found = _or(lambda: self._master.look_up(*asked), None) or self._master.look_up_deltas(*asked)
        if isinstance(statement, Recall):
            in_force = statement in [recall for _, recall in state.recalls]
            shown = statement in found.recalls or (statement.is_whole() and _is(found, ArticleStatus.RECALLED))
        else:
            in_force = isinstance(statement, Block) and state.block == statement
            shown = _is(found, ArticleStatus.BLOCKED, ArticleStatus.RECALLED)
        if shown or not in_force:
            return None
        return f"{identity} was stored, and a look-up does not say so: restart scangate, and report this"


class _RefusedError(Exception):
    """The message says why."""


_T = TypeVar("_T")


def _or(read: Callable[[], _T], otherwise: _T) -> _T:
    """Return what is read in the master, or something else where there is none that can be used."""
    try:
        return read()
    except MasterError:
        return otherwise


def _asked(identity: str) -> tuple[str, str | None]:
    """Return text and device identifier to look an identity up."""
    return (identity[1:], None) if identity.startswith("#") else (identity, identity)


def _is(found: LookUp, *statuses: ArticleStatus) -> bool:
    return found.article is not None and found.article.status in statuses


def _in_words(recalls: Sequence[tuple[OverlayChange, Recall]]) -> str:
    names = sorted({" or ".join(sorted(names_of(change, recall))) for change, recall in recalls})
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"recalls {', '.join(names[:_LISTED])}{more}"


def _refusal(delta: Delta, reason: str) -> DeltaOutcome:
    return DeltaOutcome(applied=False, source=delta.source, number=delta.number, refused=reason)

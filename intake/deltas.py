"""Article deltas: their form, and their numbers, which the database gives.

A delta is stored first and sent afterwards, by the running service: whoever recalls needs the database alone, and
what a broker or the service misses is still there to be sent. The number alone orders the deltas of a source; a box
ignores one that it has had, so that sending again is always right.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from gateway.model import Article, Issuer, NumberRange, split_number
from intake.affected import GTIN_DIGITS, spelled
from intake.database import unusable
from intake.errors import RefusedError
from intake.schema import delta

MAX_DELTA_BYTES: Final = 700 * 1024
"""A box takes 1 MiB; signed, the bytes travel in base64, which makes a third more."""
MAX_LISTED: Final = 10_000
"""Lots, and serial numbers, of one recall that a box takes."""
MAX_RANGES: Final = 1000
"""Ranges of lots, and of serial numbers, of one recall."""
MAX_CHANGES: Final = 1000
_SHOWN: Final = 3
"""Lots, or serial numbers, that a listing shows: enough to know the recall by."""
NUMBER_TRIES: Final = 20
"""Commands that were typed in the same instant take the same number; all but one try again."""

_Day = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=500)]
_Number = Annotated[str, Meta(min_length=1, max_length=64)]
_List = Annotated[tuple[_Number, ...], Meta(max_length=MAX_LISTED)]
_Ranges = Annotated[tuple[NumberRange, ...], Meta(max_length=MAX_RANGES)]
_SOURCE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PPN: Final = re.compile(r"11[0-9]{10}")
"""A PPN with a PZN in it, whose check digits are others (UDI specification of IFA, 2.5)."""
_FIELDS: Final = frozenset(field.encode_name for field in msgspec.structs.fields(Article))


class _Change(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="op",
):
    """One change; `op` says which. The names are those of the box's own documentation."""


class Upsert(_Change, frozen=True, kw_only=True, tag="upsert"):
    """The source's whole row of an article anew."""

    article: dict[str, str | int | bool | None]


class Named(_Change, frozen=True, kw_only=True):
    """A change of an article that is named by its device identifier or its owner's number."""

    device_identifier: _Number | None = None
    issuer: Issuer | None = None
    article_number: _Number | None = None


class Block(Named, frozen=True, kw_only=True, tag="block"):
    """The article must not be used."""

    reason: _Text | None = None
    from_: _Day | None = msgspec.field(name="from", default=None)


class Recall(Named, frozen=True, kw_only=True, tag="recall"):
    """The article is recalled, or those of its devices that the lists, ranges and dates mean."""

    id: _Number | None = None
    """What the release will name it by, such as the manufacturer's number of the field safety notice."""
    reason: _Text | None = None
    from_: _Day | None = msgspec.field(name="from", default=None)
    to: _Day | None = None
    lots: _List = ()
    lot_ranges: _Ranges = ()
    serials: _List = ()
    serial_ranges: _Ranges = ()
    manufactured_from: _Day | None = None
    manufactured_to: _Day | None = None
    expires_from: _Day | None = None
    expires_to: _Day | None = None


class Release(Named, frozen=True, kw_only=True, tag="release"):
    """Lifts the recall that `id` names, of the article or, where none is named, of every one.

    Without `id`: a block, and the recall where a single one without id is in force.
    """

    id: _Number | None = None


class Delete(Named, frozen=True, kw_only=True, tag="delete"):
    """The source has the article no longer."""


Change = Upsert | Block | Recall | Release | Delete


class DeltaMessage(Struct, frozen=True, kw_only=True, rename="camel"):
    """What stands on the topic `articles/delta`, or within its signed envelope."""

    source: str
    number: int
    issued_at: str
    changes: tuple[Change, ...]


class DeltaRow(Struct, frozen=True, kw_only=True):
    """One delta as it is stored."""

    source: str
    number: int
    issued: datetime
    summary: str
    body: str
    sent: datetime | None


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    changes: Annotated[tuple[Change, ...], Meta(min_length=1, max_length=MAX_CHANGES)]


def read_changes(content: bytes) -> tuple[Change, ...]:
    """Read a file for `publish`: `{"changes": [...]}`. Raises RefusedError."""
    try:
        return msgspec.json.decode(content, type=_File).changes
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(f'the file cannot be sent: expected {{"changes": [...]}}: {error}') from error


def checked(change: Change) -> Change:
    """Return a change in a form that boxes take: a refused one would be in force nowhere. Raises RefusedError."""
    if isinstance(change, Upsert):
        unknown = sorted(change.article.keys() - _FIELDS)
        if unknown:
            raise RefusedError(f"an article has no {unknown[0]!r}: expected {', '.join(sorted(_FIELDS))}")
        _check_identifier(str(change.article.get("deviceIdentifier") or "") or None, None)
        return change
    both = change.device_identifier is not None and change.article_number is not None
    neither = change.device_identifier is None and change.article_number is None
    if both or (neither and not (isinstance(change, Release) and change.id is not None)):
        raise RefusedError("name the article by either its device identifier (--di) or its number (--article)")
    _check_identifier(change.device_identifier, change.issuer)
    for text in _texts(change):
        if not text.strip() or not text.isprintable():
            raise RefusedError(f"{text[:40]!r} is empty, or has control characters")
    for first, last in _days(change):
        _check_day(first)
        _check_day(last)
        if first and last and first > last:
            raise RefusedError(f"{first} to {last}: the first day is behind the last")
    for numbers in (*change.lot_ranges, *change.serial_ranges) if isinstance(change, Recall) else ():
        _check_range(numbers)
    return change


def _texts(change: Named) -> Iterator[str]:
    """Yield everything of a change that is shown to people, or compared with labels."""
    given = (getattr(change, name, None) for name in ("device_identifier", "article_number", "id", "reason"))
    yield from (text for text in given if text is not None)
    if isinstance(change, Recall):
        yield from (*change.lots, *change.serials)


def _check_identifier(identifier: str | None, issuer: Issuer | None) -> None:
    """Refuse a GTIN with a wrong check digit (GS1 General Specifications 7.9)."""
    gtin = "" if identifier is None or issuer not in {None, Issuer.GS1} else spelled(identifier)
    if issuer is None and identifier is not None and _PPN.fullmatch(identifier):
        return
    if len(gtin) != GTIN_DIGITS or not (gtin.isascii() and gtin.isdigit()):
        return
    expected = -sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(gtin[:-1])) % 10
    if int(gtin[-1]) != expected:
        raise RefusedError(f"GTIN {identifier}: check digit {expected} expected, got {gtin[-1]}")


def _check_range(numbers: NumberRange) -> None:
    first, last = split_number(numbers.first), split_number(numbers.last)
    if first is None or last is None or first[0] != last[0] or first[1] > last[1]:
        raise RefusedError(
            f"{numbers.first!r} to {numbers.last!r} is no range: expected the same characters before a number, "
            "the lower one first"
        )


def _days(change: Change) -> Sequence[tuple[str | None, str | None]]:
    if isinstance(change, Block):
        return [(change.from_, None)]
    if isinstance(change, Recall):
        return [
            (change.from_, change.to),
            (change.manufactured_from, change.manufactured_to),
            (change.expires_from, change.expires_to),
        ]
    return []


def _check_day(text: str | None) -> None:
    try:
        if text is not None:
            datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise RefusedError(f"{text!r} is no date: expected YYYY-MM-DD") from error


def summary_of(changes: Sequence[Change]) -> str:
    """Return what a listing shows of them.

    >>> summary_of([Recall(device_identifier="09520001000102", lots=("L2A0417",), id="FSN-17", reason="breaks")])
    'recall FSN-17 09520001000102 lots L2A0417: breaks'
    """
    first = changes[0]
    if isinstance(first, Upsert):
        text = f"upsert {first.article.get('deviceIdentifier') or first.article.get('articleNumber') or '?'}"
    else:
        named = (getattr(first, "id", None), first.device_identifier or first.article_number)
        text = " ".join((type(first).__name__.lower(), *filter(None, named)))
    if isinstance(first, Recall):
        for name, listed, ranges in (
            ("lots", first.lots, first.lot_ranges),
            ("serials", first.serials, first.serial_ranges),
        ):
            shown = [*listed, *(f"{one.first} to {one.last}" for one in ranges)]
            text += f" {name} {', '.join(shown[:_SHOWN])}{' ...' if len(shown) > _SHOWN else ''}" if shown else ""
    reason = getattr(first, "reason", None)
    text += f": {reason}" if reason else ""
    return text if len(changes) == 1 else f"{text} and {len(changes) - 1} more"


class Deltas:
    """The deltas in the database."""

    def __init__(self, engine: sa.Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now

    def add(self, source: str, changes: Sequence[Change], number: int | None = None) -> DeltaRow:
        """Store a delta under the next number of its source. Raises RefusedError, DatabaseError.

        `number` takes over the numbering of a system that sent this source's deltas before.
        """
        if _SOURCE.fullmatch(source) is None:
            raise RefusedError(f"{source!r} is no name of a source: expected letters, digits, _ and -")
        for change in changes:
            checked(change)
        for _ in range(NUMBER_TRIES):
            try:
                with self._engine.begin() as connection:
                    return self._add(connection, source, changes, number)
            except sa.exc.IntegrityError:
                continue
            except sa.exc.DBAPIError as error:
                raise unusable("write to", str(self._engine.url), error) from error
        raise RefusedError(f"another command takes every number of {source!r}; try again")

    def _add(
        self, connection: sa.Connection, source: str, changes: Sequence[Change], number: int | None
    ) -> DeltaRow:
        newest = connection.scalar(sa.select(sa.func.max(delta.c.number)).where(delta.c.source == source)) or 0
        if number is not None and number <= newest:
            raise RefusedError(f"number {number} of {source!r} is taken: the newest is {newest}")
        issued = self._now()
        message = DeltaMessage(
            source=source,
            number=number or newest + 1,
            issued_at=issued.isoformat(timespec="seconds").replace("+00:00", "Z"),
            changes=tuple(changes),
        )
        body = msgspec.json.encode(message)
        if len(body) > MAX_DELTA_BYTES:
            raise RefusedError(f"{len(body)} bytes: a box takes at most {MAX_DELTA_BYTES}; make several of it")
        row = DeltaRow(
            source=source,
            number=message.number,
            issued=issued,
            summary=summary_of(changes),
            body=body.decode(),
            sent=None,
        )
        connection.execute(sa.insert(delta), msgspec.structs.asdict(row))
        return row

    def newest(self) -> Mapping[str, int]:
        """Return the newest number of each source. Raises DatabaseError."""
        query = sa.select(delta.c.source, sa.func.max(delta.c.number)).group_by(delta.c.source)
        return dict(map(tuple, self._read(query)))

    def unsent(self) -> list[DeltaRow]:
        """Return what no broker has been handed yet, in order. Raises DatabaseError."""
        return self._rows(sa.select(delta).where(delta.c.sent.is_(None)))

    def wanted(self, source: str, runs: Sequence[tuple[int, int]], most: int) -> list[DeltaRow]:
        """Return the newest `most` deltas of a source in runs of numbers, in order. Raises DatabaseError."""
        within = sa.or_(*(delta.c.number.between(first, last) for first, last in runs))
        query = sa.select(delta).where(delta.c.source == source, within)
        return sorted(
            self._rows(query.order_by(delta.c.number.desc()).limit(most), ordered=True), key=lambda row: row.number
        )

    def all(self, most: int) -> list[DeltaRow]:
        """Return the newest deltas, newest first. Raises DatabaseError."""
        return self._rows(
            sa.select(delta).order_by(delta.c.issued.desc(), delta.c.number.desc()).limit(most), ordered=True
        )

    def get(self, source: str, number: int) -> DeltaRow:
        """Return one delta. Raises RefusedError, DatabaseError."""
        found = self._rows(sa.select(delta).where(delta.c.source == source, delta.c.number == number))
        if not found:
            raise RefusedError(f"there is no delta {number} of {source!r}; `scangate-intake deltas` lists them")
        return found[0]

    def mark_sent(self, rows: Sequence[DeltaRow]) -> None:
        """Remember what a broker has been handed. Raises DatabaseError."""
        if not rows:
            return
        now = self._now()
        statement = (
            sa.update(delta)
            .where(delta.c.source == sa.bindparam("of_source"), delta.c.number == sa.bindparam("of_number"))
            .values(sent=now)
        )
        try:
            with self._engine.begin() as connection:
                connection.execute(statement, [{"of_source": row.source, "of_number": row.number} for row in rows])
        except sa.exc.DBAPIError as error:
            raise unusable("write to", str(self._engine.url), error) from error

    def _rows(self, query: sa.Select[*tuple[Any, ...]], *, ordered: bool = False) -> list[DeltaRow]:
        asked = query if ordered else query.order_by(delta.c.source, delta.c.number)
        return [DeltaRow(**row._asdict()) for row in self._read(asked)]

    def _read(self, query: sa.Select[*tuple[Any, ...]]) -> list[Any]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query))
        except sa.exc.DBAPIError as error:
            raise unusable("read", str(self._engine.url), error) from error

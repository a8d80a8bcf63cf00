"""A delta: a change of the article master that cannot wait for the next file. Pure.

A message is a JSON object; how its author publishes it is none of our business:

    {"source": "jeeves-miv", "number": 4711, "issuedAt": "2026-11-21T10:15:00Z", "changes": [
      {"op": "upsert", "article": {"deviceIdentifier": "09520001000102", "articleNumber": "VGR-1", ...}},
      {"op": "block", "articleNumber": "VGR-2", "reason": "...", "from": "2026-12-01"},
      {"op": "recall", "deviceIdentifier": "09520001000102", "id": "FSN-17", "lots": ["L2A0417"]},
      {"op": "release", "deviceIdentifier": "09520001000102", "id": "FSN-17"},
      {"op": "delete", "deviceIdentifier": "09520001000102"}]}

`number` counts 1, 2, 3 ... within the source, and orders what it says; `issuedAt` is for people. Signed, the same
bytes travel in base64 beside their Ed25519 signature (RFC 8032): `{"payload": "...", "signature": "..."}`; what
is signed is exactly what is read.

Anything else (an unknown key too: a restriction that is not understood would recall too much) is refused as a
whole, with the reason.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable
from datetime import date, datetime
from hashlib import blake2b
from typing import Annotated, Final, cast

import msgspec
from msgspec import Meta, Struct

from gateway.articles.fields import BadRow, read_article, without_wrapping
from gateway.articles.identifiers import IdentifierError, read_identifier
from gateway.articles.overlay.statements import (
    Block,
    Change,
    Deletion,
    Delta,
    RefusedDelta,
    Release,
    Statement,
    Upsert,
    identity_of,
)
from gateway.articles.settings import Field
from gateway.model import Issuer, NumberRange, Recall, split_number

MAX_DELTA_BYTES: Final = 1_048_576
"""One message: ten times a recall of 5,000 serial numbers. More is a file."""
MAX_CHANGES: Final = 1000
"""Changes of one message: some ten milliseconds of work between two scans."""
MAX_LISTED: Final = 10_000
"""Lots, and serial numbers, of one recall."""
MAX_RANGES: Final = 1000
"""Ranges of lots, and of serial numbers, of one recall."""
MAX_NUMBER: Final = 2**53 - 1
"""The greatest whole number that every JSON reader keeps exact."""
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_MAX_REASON: Final = 300
"""Characters of a reason why a message is refused: it may quote the message."""

_Day = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=500)]
_Number = Annotated[str, Meta(min_length=1, max_length=64)]
_List = Annotated[tuple[_Number, ...], Meta(max_length=MAX_LISTED)]
_Ranges = Annotated[tuple[NumberRange, ...], Meta(max_length=MAX_RANGES)]


class DeltaChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag_field="op"):
    """One change of a message; `op` says which."""


class UpsertChange(DeltaChange, frozen=True, kw_only=True, tag="upsert"):
    """The source's whole row anew: fields not given are empty. Lifts neither a block nor a recall by a delta."""

    article: dict[Field, str | int | bool | None]


class NamedChange(DeltaChange, frozen=True, kw_only=True):
    """A change of an article named by its device identifier (and issuer, where ambiguous) or its number."""

    device_identifier: _Number | None = None
    issuer: Issuer | None = None
    article_number: _Number | None = None


class BlockChange(NamedChange, frozen=True, kw_only=True, tag="block"):
    """The article must not be used."""

    reason: _Text | None = None
    from_: _Day | None = msgspec.field(name="from", default=None)


class RecallChange(NamedChange, frozen=True, kw_only=True, tag="recall"):
    """The article, or some of its devices, is recalled: of lots or serial numbers listed or in a range.

    It reaches the packages above and below. A range is of numbers that begin with the same letters.
    """

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


class ReleaseChange(NamedChange, frozen=True, kw_only=True, tag="release"):
    """Lifts the recall that `id` names, of the article or, where none is named, of every one.

    Without `id`: a block, and the recall where a single one without id is in force.
    """

    id: _Number | None = None


class DeleteChange(NamedChange, frozen=True, kw_only=True, tag="delete"):
    """The source has the article no longer."""


class DeltaMessage(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What stands on the delta topic, or within its signed envelope."""

    source: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
    number: Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
    issued_at: datetime
    changes: Annotated[
        tuple[UpsertChange | BlockChange | RecallChange | ReleaseChange | DeleteChange, ...],
        Meta(min_length=1, max_length=MAX_CHANGES),
    ]


class _Envelope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    payload: str
    signature: str


Verify = Callable[[bytes, bytes], bool]
"""(message, signature) -> whether the signature is right."""

_envelopes = msgspec.json.Decoder(_Envelope)
_messages = msgspec.json.Decoder(DeltaMessage)


def read_delta(payload: bytes, verify: Verify | None) -> Delta | RefusedDelta:
    """Read a message. With `verify`, only a signed one counts; without, a signature is not looked at."""
    if len(payload) > MAX_DELTA_BYTES:
        return RefusedDelta(reason=f"{len(payload)} bytes: at most {MAX_DELTA_BYTES} are taken")
    try:
        return _read(_opened(payload, verify))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _RefusedError) as error:
        return RefusedDelta(reason=str(error)[:_MAX_REASON])


def opened(payload: bytes, verify: Verify | None, *, must_be_signed: bool = True) -> bytes | RefusedDelta:
    """Return a message of the central side, out of its signed envelope if it has one, as `read_delta` does."""
    try:
        return _opened(payload, verify, must_be_signed=must_be_signed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _RefusedError) as error:
        return RefusedDelta(reason=str(error)[:_MAX_REASON])


class _RefusedError(ValueError):
    """The message is the reason."""


def _opened(payload: bytes, verify: Verify | None, *, must_be_signed: bool = True) -> bytes:
    """Return the message itself, out of its envelope if it has one."""
    try:
        envelope = _envelopes.decode(payload)
    except msgspec.ValidationError as error:
        if verify is None or not must_be_signed:
            return payload
        raise _RefusedError('it is not signed: expected {"payload": ..., "signature": ...}') from error
    try:
        message = b64decode(envelope.payload, validate=True)
        signature = b64decode(envelope.signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _RefusedError("payload or signature is no base64") from error
    if verify is not None and (len(signature) != SIGNATURE_BYTES or not verify(message, signature)):
        raise _RefusedError("its signature is wrong")
    return message


def _read(message: bytes) -> Delta:
    given = _messages.decode(message)
    if given.issued_at.tzinfo is None:
        raise _RefusedError("issuedAt has no time zone")
    changes = []
    for place, change in enumerate(given.changes):
        try:
            changes.append(_change(change, given.source))
        except (_RefusedError, IdentifierError, ValueError) as error:
            raise _RefusedError(f"changes[{place}]: {error}") from error
    return Delta(
        source=given.source,
        number=given.number,
        issued_at=given.issued_at.isoformat(),
        digest=blake2b(message, digest_size=8).digest(),
        changes=tuple(changes),
    )


def _change(change: DeltaChange, source: str) -> Change:
    if isinstance(change, UpsertChange):
        return _upserted(change)
    named = cast("NamedChange", change)
    nothing_named = named.device_identifier is None and named.article_number is None
    if isinstance(change, ReleaseChange) and change.id is not None and nothing_named:
        return Change(identity=None, statement=Release(id=_line(change.id)))
    identity = _identity(named)
    if isinstance(change, BlockChange):
        statement: Statement = Block(reason=_line(change.reason), since=_day(change.from_))
    elif isinstance(change, RecallChange):
        statement = _recall(change, source)
    elif isinstance(change, ReleaseChange):
        statement = Release(id=_line(change.id))
    else:
        statement = Deletion()
    return Change(identity=identity, statement=statement)


def _upserted(change: UpsertChange) -> Change:
    texts = {field: _as_text(value) for field, value in change.article.items() if value is not None}
    article = read_article(texts)
    if isinstance(article, BadRow):
        where = f"{article.field}: " if article.field else ""
        raise _RefusedError(f"{where}{article.reason}")
    identity = identity_of(article.device_identifier, article.article_number)
    return Change(identity=identity, statement=Upsert(article=article, states_status="status" in texts))


def _as_text(value: str | int | bool) -> str:  # noqa: FBT001 - a JSON value
    return str(int(value)) if isinstance(value, bool) else str(value)


def _identity(named: NamedChange) -> str:
    if (named.device_identifier is None) == (named.article_number is None):
        raise _RefusedError("either deviceIdentifier or articleNumber names the article")
    if named.device_identifier is None:
        return identity_of(None, _line(named.article_number))
    _, identifier = read_identifier(without_wrapping(named.device_identifier.strip()), named.issuer)
    return identifier


def _recall(change: RecallChange, source: str) -> Recall:
    starts, ends = _day(change.from_), _day(change.to)
    made, expires = (
        (_day(change.manufactured_from), _day(change.manufactured_to)),
        (_day(change.expires_from), _day(change.expires_to)),
    )
    for first, last in ((starts, ends), made, expires):
        if first and last and first > last:
            raise _RefusedError(f"{first} to {last}: the first day is behind the last")
    return Recall(
        source=source,
        id=_line(change.id),
        reason=_line(change.reason),
        starts=starts,
        ends=ends,
        lots=tuple(filter(None, map(_line, change.lots))),
        lot_ranges=tuple(map(_range, change.lot_ranges)),
        serials=tuple(filter(None, map(_line, change.serials))),
        serial_ranges=tuple(map(_range, change.serial_ranges)),
        manufactured_from=made[0],
        manufactured_to=made[1],
        expires_from=expires[0],
        expires_to=expires[1],
    )


def _range(given: NumberRange) -> NumberRange:
    """Return a range of numbers of which membership can be decided."""
    first, last = _line(given.first) or "", _line(given.last) or ""
    low, high = split_number(first), split_number(last)
    if low is None or high is None or low[0] != high[0] or low[1] > high[1]:
        raise _RefusedError(
            f"{first!r} to {last!r} is no range: expected the same characters before a number, the lower one first"
        )
    return NumberRange(first=first, last=last)


def _line(text: str | None) -> str | None:
    """Return a text that is shown to people, on one line and without what drives a terminal."""
    if text is None:
        return None
    text = " ".join(text.split())
    if not text or not text.isprintable():
        raise _RefusedError(f"{text[:40]!r} is empty, or has control characters")
    return text


def _day(text: str | None) -> str | None:
    if text is not None:
        try:
            date.fromisoformat(text)
        except ValueError as error:
            raise _RefusedError(f"{text!r} is no date: expected YYYY-MM-DD") from error
    return text

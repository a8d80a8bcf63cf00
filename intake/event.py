"""Reads one message of a box's scan topic into a row of the database, or into poison. Pure.

What an event must have to be placed is little: JSON, an `id`, the `source` that the topic says, an `epoch` and a
`sequence`. A placed message that this version cannot read further (a newer type, a field of another form) is
poison that *holds its place*: it is kept whole in a table of its own, so that the frontier may pass it. A message
without a place, or of another box than its topic says, holds none: what is not kept is not acknowledged.
"""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from intake.topics import source_of

MAX_EVENT_BYTES: Final = 256 * 1024
"""A label of several symbols makes an event of 3 KB; a hundred times that is no event of ours."""
MAX_POISON_BYTES: Final = 4 * 1024 * 1024
"""Poison up to this size is kept whole and holds its place; of a larger one the head is kept, for whoever looks."""
POISON_HEAD_BYTES: Final = 4096
MAX_SEQUENCE: Final = 2**53 - 1
"""The greatest whole number that every JSON reader keeps exact."""
MAX_TEXT: Final = 2000
"""Characters of one column; the whole text stands in the body."""
MAX_QUANTITY: Final = 2**31 - 1
"""An integer column of PostgreSQL."""

SCAN: Final = "scangate.scan.v1"
CLOCK: Final = "scangate.clock.v1"
PARKED: Final = "scangate.parked.v1"
CASE: Final = "scangate.case.v1"
PROBE: Final = "scangate.probe.v1"
"""A box proves its path with it; it stands in no sequence and means nothing."""
LABEL_PROBLEM: Final = "scangate.labelproblem.v1"
KNOWN_TYPES: Final = frozenset({SCAN, CLOCK, PARKED, CASE, LABEL_PROBLEM})


class Place(Struct, frozen=True, kw_only=True):
    """Where an event stands in the order of its box."""

    source: str
    epoch: str
    sequence: int


class EventRow(Struct, frozen=True, kw_only=True):
    """One event: a row of the table `event`, column by column."""

    id: str
    source: str
    epoch: str
    sequence: int
    type: str
    time: datetime
    """When the trigger was pulled, as the box knew it when it was sent."""
    recorded: datetime
    received: datetime
    body: str
    """The event as it came, byte for byte (UTF-8)."""
    action: str | None = None
    disposition: str | None = None
    reason: str | None = None
    quantity: int | None = None
    undoes: str | None = None
    repeats: str | None = None
    corrects: str | None = None
    issuer: str | None = None
    device_identifier: str | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    expiration_date: str | None = None
    manufacture_date: str | None = None
    article_match: str | None = None
    article_number: str | None = None
    article_source: str | None = None
    trade_name: str | None = None
    manufacturer_name: str | None = None
    base_quantity: int | None = None
    implant: bool | None = None
    station: str | None = None
    location: str | None = None
    case_id: str | None = None
    boot_id: str | None = None
    monotonic_ns: int | None = None
    offset_ns: int | None = None
    """Of a clock event: true time of an event of its boot = the event's `monotonic_ns` + this."""
    not_before: str | None = None
    not_after: str | None = None
    """Of a clock event of a boot whose clock was never set: bounds of its times, RFC 3339."""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(source=self.source, epoch=self.epoch, sequence=self.sequence)


class Poison(Struct, frozen=True, kw_only=True):
    """A message that is no event this version can take."""

    digest: str
    """SHA-256 of topic and body, hex: the same poison comes again with every replay, and is one row."""
    topic: str
    reason: str
    received: datetime
    body: bytes
    place: Place | None = None
    """Where it stands, when it may hold that place."""


class Ignored(Struct, frozen=True):
    """A message that means nothing to the database."""


_Text = Annotated[str, Meta(min_length=1, max_length=200)]
_Id = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")]
_Epoch = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
_Digits = Annotated[str, Meta(pattern=r"\A[0-9]{1,16}\Z")]
_Ns = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Count = Annotated[int, Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]


class _Head(Struct, frozen=True):
    """What every event has (CloudEvents 1.0, with the extensions `sequence` and `epoch`)."""

    id: str
    source: str
    type: str
    epoch: _Epoch
    sequence: _Digits


class _Station(Struct, frozen=True):
    id: str | None = None


class _Clock(Struct, frozen=True, rename="camel"):
    boot_id: str | None = None
    monotonic_ns: _Ns | None = None


class _Udi(Struct, frozen=True, rename="camel"):
    issuer: str | None = None
    device_identifier: str | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    expiration_date: str | None = None
    manufacture_date: str | None = None


class _Article(Struct, frozen=True, rename="camel"):
    match: str | None = None
    article_number: str | None = None
    source: str | None = None
    trade_name: str | None = None
    manufacturer_name: str | None = None
    base_quantity: _Count | None = None
    implant: bool | None = None


class _Verdict(Struct, frozen=True):
    disposition: str | None = None


class _Context(Struct, frozen=True):
    case: str | dict[str, str | None] | None = None
    location: str | None = None


class _Data(Struct, frozen=True, rename="camel"):
    """What the columns need of `data`, for every type there is; whatever else it holds stands in the body."""

    action: str | None = None
    reason: str | None = None
    quantity: _Count | None = None
    undoes: _Id | None = None
    repeats: _Id | None = None
    corrects: _Id | None = None
    station: _Station | None = None
    clock: _Clock | None = None
    udi: _Udi | None = None
    article: _Article | None = None
    verdict: _Verdict | None = None
    context: _Context | None = None
    case: Any = None
    boot_id: str | None = None
    offset_ns: _Ns | None = None
    not_before: str | None = None
    not_after: str | None = None


class _Event(Struct, frozen=True):
    """An event of ours, as far as the columns need it."""

    id: _Id
    source: _Text
    type: str
    epoch: _Epoch
    sequence: _Digits
    time: datetime
    data: _Data
    recordedtime: datetime | UnsetType = UNSET


_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)
_events: Final = msgspec.json.Decoder(_Event)
_heads: Final = msgspec.json.Decoder(_Head)


def read_event(topic: str, body: bytes, received: datetime) -> EventRow | Poison | Ignored:
    """Read one message of a scan topic. Never raises on any bytes."""
    reason = None
    try:
        if len(body) > MAX_EVENT_BYTES:
            reason = f"{len(body)} bytes: an event has at most {MAX_EVENT_BYTES}"
        else:
            event = _events.decode(body)
            reason = _unfit(event, topic)
            if reason is None:
                return _row(event, body.decode(), received)
    except _UNREADABLE as error:
        reason = f"no event of a form this version reads: {error}"
    return _without_row(topic, body, received, reason)


def _unfit(event: _Event, topic: str) -> str | None:
    """Return why an event that can be read is no row; None when it is one."""
    if event.type not in KNOWN_TYPES:
        return f"its type {event.type[:64]!r} is not known to this version"
    if event.source != source_of(topic):
        return f"its source is {event.source!r}, which may not publish on this topic"
    if not 1 <= int(event.sequence) <= MAX_SEQUENCE:
        return f"its sequence {event.sequence} is none: expected 1 to {MAX_SEQUENCE}"
    return "its time has no time zone" if event.time.tzinfo is None else None


def _row(event: _Event, text: str, received: datetime) -> EventRow:
    data = event.data
    udi, article = data.udi or _Udi(), data.article or _Article()
    clock, context = data.clock or _Clock(), data.context or _Context()
    recorded = event.time if event.recordedtime is UNSET else event.recordedtime
    return EventRow(
        id=event.id.lower(),
        source=event.source,
        epoch=event.epoch,
        sequence=int(event.sequence),
        type=event.type,
        time=event.time.astimezone(UTC),
        recorded=recorded.astimezone(UTC) if recorded.tzinfo else received,
        received=received,
        body=text,
        action=_column(data.action),
        disposition=_column(data.verdict.disposition if data.verdict else None),
        reason=_column(data.reason),
        quantity=data.quantity,
        undoes=data.undoes.lower() if data.undoes else None,
        repeats=data.repeats.lower() if data.repeats else None,
        corrects=data.corrects.lower() if data.corrects else None,
        issuer=_column(udi.issuer),
        device_identifier=_column(udi.device_identifier),
        lot_number=_column(udi.lot_number),
        serial_number=_column(udi.serial_number),
        expiration_date=_column(udi.expiration_date),
        manufacture_date=_column(udi.manufacture_date),
        article_match=_column(article.match),
        article_number=_column(article.article_number),
        article_source=_column(article.source),
        trade_name=_column(article.trade_name),
        manufacturer_name=_column(article.manufacturer_name),
        base_quantity=article.base_quantity,
        implant=article.implant,
        station=_column(data.station.id if data.station else None),
        location=_column(context.location),
        case_id=_case(context.case) or _case(data.case),
        boot_id=_column(clock.boot_id or data.boot_id),
        monotonic_ns=clock.monotonic_ns,
        offset_ns=data.offset_ns,
        not_before=_column(data.not_before),
        not_after=_column(data.not_after),
    )


def _column(text: str | None) -> str | None:
    """Return a text that every database takes: PostgreSQL has no NUL in texts."""
    return None if text is None else text[:MAX_TEXT].replace("\0", "\ufffd")


def _case(case: object) -> str | None:
    """A protected case (`scheme`, `kid`, `value`) is one text, the same for the same case."""
    if isinstance(case, dict):
        return _column(":".join(str(part) for part in case.values() if part is not None))
    return _column(case) if isinstance(case, str) else None


def _without_row(topic: str, body: bytes, received: datetime, reason: str) -> Poison | Ignored:
    """Say why a message is no row, and whether it may hold its place all the same."""
    place = None
    try:
        head = _heads.decode(body) if len(body) <= MAX_POISON_BYTES else None
    except _UNREADABLE:
        head = None
    if head is None:
        if _is_probe(body):
            return Ignored()
    elif head.type == PROBE:
        return Ignored()
    elif head.source == source_of(topic) and 1 <= int(head.sequence) <= MAX_SEQUENCE:
        place = Place(source=head.source, epoch=head.epoch, sequence=int(head.sequence))
    kept = body if len(body) <= MAX_POISON_BYTES else body[:POISON_HEAD_BYTES]
    return Poison(
        digest=digest_of(topic, body),
        topic=_column(topic) or "",
        reason=_column(reason) or "",
        received=received,
        body=kept,
        place=place,
    )


def digest_of(topic: str, body: bytes) -> str:
    """Return what a message of poison is known by."""
    return sha256(topic.encode(errors="replace") + b"\0" + body).hexdigest()


class _Type(Struct, frozen=True):
    type: str


_types: Final = msgspec.json.Decoder(_Type)


def _is_probe(body: bytes) -> bool:
    """Return whether it is a probe, which needs no place."""
    try:
        return len(body) <= MAX_EVENT_BYTES and _types.decode(body).type == PROBE
    except _UNREADABLE:
        return False

"""The event as it leaves the box: CloudEvents 1.0 in structured JSON mode. Pure.

The Structs below are the contract with the central system. A new field must be optional; the meaning of an
existing one never changes.
"""

import uuid
from base64 import b64encode
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from gateway.model import Article, Decoded, Issuer, LookUp, Match, Verdict
from gateway.system.clock import ClockReading, local_rfc3339

SCAN_TYPE: Final = "scangate.scan.v1"
CASE_TYPE: Final = "scangate.case.v1"
CLOCK_TYPE: Final = "scangate.clock.v1"
PARKED_TYPE: Final = "scangate.parked.v1"
PROBE_TYPE: Final = "scangate.probe.v1"
SCAN_SCHEMA: Final = "urn:scangate:schema:scan:v1"
CASE_SCHEMA: Final = "urn:scangate:schema:case:v1"
CLOCK_SCHEMA: Final = "urn:scangate:schema:clock:v1"
PARKED_SCHEMA: Final = "urn:scangate:schema:parked:v1"
SEQUENCE_DIGITS: Final = 16
"""CloudEvents' sequence extension orders as text: every number has the same width."""
DAY_NS: Final = 86_400 * 1_000_000_000

MAX_TIME_NS: Final = 253_402_300_800 * 1_000_000_000
"""The year 10000: no RFC 3339 time is later."""

UNREADABLE: Final = (ValueError, RecursionError)
"""What reading an event from a damaged disk raises: no JSON, none of an event, no UTF-8, nested without end."""

EventAction = Literal[
    "consume", "receive", "return", "discard", "inventory", "order", "transfer", "explant", "undo"
]


Entry = Literal["scanned", "keyed", "unlabelled"]
EntryReason = Literal["damaged", "no-code", "not-read", "no-label"]
"""The code is damaged; there is print only; the scanner does not read it; there is no label."""


class Symbol(Struct, frozen=True, kw_only=True):
    """One symbol of the item, as read."""

    symbology: str | None
    """AIM symbology identifier, such as `]d2`; null where the scanner sends none."""
    raw: str
    """The bytes as the scanner sent them, AIM identifier included, base64."""
    text: str
    """The same as text, without the AIM identifier."""
    quality: tuple[str, ...] = ()
    """Why the reading deserves less trust; empty for a clean one."""


class Station(Struct, frozen=True, kw_only=True):
    """Where it was scanned."""

    id: str
    scanner: str
    profile: str


class ClockStamp(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far `time` can be trusted."""

    synchronised: bool
    """A time source had set the clock when the scan was made."""
    corrected: bool
    """`time` was corrected before the event left the box, after the clock had been set."""
    boot_id: str
    monotonic_ns: int
    """CLOCK_MONOTONIC of the boot `bootId` when the trigger was pulled."""


class EventArticle(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the article master of the box said; all but `match` and the master's state is null when unknown."""

    match: Match
    article_number: str | None
    source: str | None
    master_version: str | None
    master_age_days: int | None
    package_level: str | None
    base_quantity: int | None
    consignment: bool | None
    owner: str | None
    implant: bool | None
    risk_class: str | None
    trade_name: str | None
    manufacturer_name: str | None


class Context(Struct, frozen=True, kw_only=True):
    """What the scan belongs to. Identities of persons never stand here in clear."""

    case: str | dict[str, str] | None = None
    """`scheme:id` in clear, or protected as persons are: `scheme`, `kid` and `value`."""
    location: str | None = None
    patient: dict[str, str] | None = None
    performer: dict[str, str] | None = None


class Refused(Struct, frozen=True, kw_only=True):
    """What was refused and is used all the same."""

    event: str
    """Id of the refused event."""
    findings: tuple[str, ...]
    """Codes of the findings that had refused it."""


class EventAsset(Struct, frozen=True, kw_only=True):
    """An asset of the hospital or of a supplier: a tray, an instrument, a pump."""

    scheme: Literal["GRAI", "GIAI"]
    identifier: str
    """As on the label: of a GRAI 14 digits and the serial component, of a GIAI all of it."""


class CountSession(Struct, frozen=True, kw_only=True):
    """The count of stock that an event belongs to."""

    session: str
    """The same in every event of the count."""
    mode: Literal["replace", "add"]
    """`replace`: the sum over the session is what is there of each article at its place. `add`: it comes on top."""


class ScanData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`data` of a scan event."""

    action: EventAction
    reason: str | None
    """Why, for a discard. Of an `undo` that takes back no whole label: `label-completed` (a further symbol of the
    label came, and the event of the whole label follows), `cancelled` (it was given up before it was complete)."""
    quantity: int
    """Pieces."""
    undoes: str | None
    """Id of the event that an `undo` takes back."""
    repeats: str | None
    """Id of the first event of the same label, where this is a repeat of it: no second piece. Of a serial number
    that was used before (SERIAL_USED), however long ago: the event that used it."""
    station: Station
    clock: ClockStamp
    symbols: tuple[Symbol, ...]
    """In the order they were read; none for an `undo`, which was asked for by a control code."""
    udi: Decoded | None
    """Null for a text that is no UDI but an article the master or the station's settings know. `complete` is false
    where only a label's symbol without device identifier was scanned. Of an `undo`: what is taken back."""
    article: EventArticle | None
    """Null when this box has no article master."""
    verdict: Verdict
    context: Context
    corrects: str | None = None
    """Of a discard, a return or an explant: id of the event that consumed this piece here. Thrown away or returned,
    the piece counts as used no longer; taken out, it was used, and is in the patient no longer."""
    used_despite: Refused | None = field(default=None, name="usedDespite")
    """Of a consume: it was refused, and the operator has said that it is used all the same. To be booked."""
    count: CountSession | None = None
    """Of an inventory: the count it belongs to."""
    entry: Entry = "scanned"
    """How it came: `keyed` where what is printed was typed, all of it or a part, because it could not be read (a typed
    symbol has the quality `typed`); `unlabelled` for an item without a label, of which nothing is known."""
    entry_reason: EntryReason | None = field(default=None, name="entryReason")
    """Why it was not scanned, where the operator has said so."""
    asset: EventAsset | None = None
    """Of the scan of an asset, which has no `udi`."""
    logistic_unit: str | None = field(default=None, name="logisticUnit")
    """Of the scan of a delivery's label: its SSCC, 18 digits. The articles in it are scans of their own."""
    destination: str | None = None
    """Of a transfer: the place it goes to, as `context.location`."""


class ClockData(Struct, frozen=True, kw_only=True, rename="camel"):
    """`data` of a clock event: what is known by now of the time of a boot's unsynchronised events.

    Either `offsetNs`, where the clock was set in that boot, or the bounds, where it never was.
    """

    boot_id: str
    offset_ns: int | UnsetType = UNSET
    """True time of an event of that boot = its `monotonicNs` + this, nanoseconds since 1970 UTC."""
    not_before: str | UnsetType = UNSET
    """No event of that boot was earlier, RFC 3339: the newest time that had been proved when the boot began."""
    not_after: str | UnsetType = UNSET
    """No event of that boot was later: a following boot, whose clock has been set, had begun by then."""


class CaseItem(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was used for a case: one event that counts."""

    event: str
    """Its id."""
    quantity: int
    """Pieces that count, after what was thrown away and returned."""
    device_identifier: str | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    article_number: str | None = None
    trade_name: str | None = None
    implant: bool | None = None


class CaseQuestion(Struct, frozen=True, kw_only=True, rename="camel"):
    """A scan of a case that somebody must sort out."""

    event: str
    """Its id."""
    why: tuple[str, ...]
    """Codes of its findings (INCOMPLETE_LABEL, ARTICLE_UNKNOWN, LABELS_INTERLEAVED), or REFUSED: it was refused,
    and neither booked all the same, read again nor taken back."""
    device_identifier: str | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    article_number: str | None = None
    trade_name: str | None = None


class CaseData(Struct, frozen=True, kw_only=True, rename="camel"):
    """`data` of a case event: a case was closed at the station, and this is what it comes to."""

    case: str | dict[str, str] | None
    """As `context.case` of its scans; null for a patient without a case."""
    patient: dict[str, str] | None
    location: str | None
    opened: str | None
    """When it was scanned first, RFC 3339."""
    used: int
    """Pieces."""
    wasted: int
    returned: int
    explanted: int
    unresolved: int
    """Scans; the first 200 of them stand in `openQuestions`."""
    items: tuple[CaseItem, ...]
    """What was used, 200 at most."""
    open_questions: tuple[CaseQuestion, ...]


class CaseEvent(Struct, frozen=True, kw_only=True):
    """A case event, complete; it stands in the same sequence as the scans."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    recordedtime: str
    sequence: str
    epoch: str
    datacontenttype: Literal["application/json"]
    dataschema: str
    data: CaseData


class ScanEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A scan event, complete."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str | UnsetType = UNSET
    time: str
    recordedtime: str
    sequence: str
    epoch: str
    datacontenttype: Literal["application/json"]
    dataschema: str
    data: ScanData


class ClockEvent(Struct, frozen=True, kw_only=True):
    """A clock event, complete; it stands in the same sequence as the scans."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    recordedtime: str
    sequence: str
    epoch: str
    datacontenttype: Literal["application/json"]
    dataschema: str
    data: ClockData


class ParkedData(Struct, frozen=True, kw_only=True):
    """`data` of a parked event: what stands in this place of the sequence cannot be delivered as it is."""

    event: str | None
    """Id of the event that keeps this place; null where it cannot be read any more."""
    reason: str
    """Why it is not delivered, for a person."""


class ParkedEvent(Struct, frozen=True, kw_only=True):
    """A parked event, complete. It has the sequence of the event it stands for, and an id of its own.

    Should the other one be delivered after all, at a technician's request, it comes later with the same sequence.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    recordedtime: str
    sequence: str
    epoch: str
    datacontenttype: Literal["application/json"]
    dataschema: str
    data: ParkedData


class ProbeEvent(Struct, frozen=True, kw_only=True):
    """What `doctor` sends to see that events pass. In no sequence; consumers ignore it."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str


class Position(Struct, frozen=True, kw_only=True):
    """What the outbox gives an event when it is stored: its place in the order."""

    epoch: str
    sequence: int
    recorded_ns: int


_encoder = msgspec.json.Encoder()
_scan_decoder = msgspec.json.Decoder(ScanEvent)


def gateway_source(tenant: str, site: str, gateway: str) -> str:
    """Return the CloudEvents source of a box."""
    return f"urn:scangate:{tenant}:{site}:{gateway}"


def scan_event(identity: str, source: str, time_ns: int, data: ScanData, at: Position) -> bytes:
    """Encode a scan event. The bytes are stored and sent as they are, however often."""
    subject = subject_of(data.udi) or _subject_of_asset(data)
    return _encoder.encode(
        ScanEvent(
            specversion="1.0",
            id=identity,
            source=source,
            type=SCAN_TYPE,
            subject=UNSET if subject is None else subject,
            time=local_rfc3339(time_ns),
            recordedtime=local_rfc3339(at.recorded_ns),
            sequence=str(at.sequence).zfill(SEQUENCE_DIGITS),
            epoch=at.epoch,
            datacontenttype="application/json",
            dataschema=SCAN_SCHEMA,
            data=data,
        )
    )


def clock_event(identity: str, source: str, data: ClockData, at: Position) -> bytes:
    """Encode a clock event."""
    now = local_rfc3339(at.recorded_ns)
    return _encoder.encode(
        ClockEvent(
            specversion="1.0",
            id=identity,
            source=source,
            type=CLOCK_TYPE,
            time=now,
            recordedtime=now,
            sequence=str(at.sequence).zfill(SEQUENCE_DIGITS),
            epoch=at.epoch,
            datacontenttype="application/json",
            dataschema=CLOCK_SCHEMA,
            data=data,
        )
    )


class _Head(Struct, frozen=True):
    """What a parked event takes over from the one it stands for."""

    id: str
    source: str
    epoch: str
    recordedtime: str


_head_decoder = msgspec.json.Decoder(_Head)


def parked_event(body: object, sequence: int, reason: str, source: str, epoch: str, recorded_ns: int) -> bytes:
    """Encode what goes out in the place of an event that cannot be delivered.

    The same event and reason give the same bytes: its id is made of its place (RFC 4122, 4.3), so that a copy is
    known again. `source`, `epoch`, `recorded_ns`: of the row, for an event that cannot be read.
    """
    identity: str | None = None
    recorded = local_rfc3339(recorded_ns if 0 <= recorded_ns < MAX_TIME_NS else 0)
    if isinstance(body, bytes):
        with suppress(*UNREADABLE):
            head = _head_decoder.decode(body)
            identity, source, epoch, recorded = head.id, head.source, head.epoch, head.recordedtime
    place = f"{source}/{epoch}/{sequence}/parked"
    return _encoder.encode(
        ParkedEvent(
            specversion="1.0",
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, place)),
            source=source,
            type=PARKED_TYPE,
            time=recorded,
            recordedtime=recorded,
            sequence=str(sequence).zfill(SEQUENCE_DIGITS),
            epoch=epoch,
            datacontenttype="application/json",
            dataschema=PARKED_SCHEMA,
            data=ParkedData(event=identity, reason=reason),
        )
    )


def case_event(identity: str, source: str, time_ns: int, data: CaseData, at: Position) -> bytes:
    """Encode a case event."""
    return _encoder.encode(
        CaseEvent(
            specversion="1.0",
            id=identity,
            source=source,
            type=CASE_TYPE,
            time=local_rfc3339(time_ns),
            recordedtime=local_rfc3339(at.recorded_ns),
            sequence=str(at.sequence).zfill(SEQUENCE_DIGITS),
            epoch=at.epoch,
            datacontenttype="application/json",
            dataschema=CASE_SCHEMA,
            data=data,
        )
    )


def probe_event(identity: str, source: str, now_ns: int) -> bytes:
    """Encode a probe."""
    return _encoder.encode(
        ProbeEvent(specversion="1.0", id=identity, source=source, type=PROBE_TYPE, time=local_rfc3339(now_ns))
    )


def decode_scan(body: bytes) -> ScanEvent:
    """Read a stored scan event."""
    return _scan_decoder.decode(body)


def parse_time(text: str) -> int:
    """Read a time of `local_rfc3339`; nanoseconds since 1970 UTC, exact to the millisecond."""
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000


def corrected(event: ScanEvent, time_ns: int, recorded_ns: int) -> bytes:
    """Encode a stored scan event with its times corrected, and flagged so; only before its first hand-over."""
    clock = msgspec.structs.replace(event.data.clock, corrected=True)
    return _encoder.encode(
        msgspec.structs.replace(
            event,
            time=local_rfc3339(time_ns),
            recordedtime=local_rfc3339(recorded_ns),
            data=msgspec.structs.replace(event.data, clock=clock),
        )
    )


def with_true_time(body: bytes, recorded_ns: int, clock: ClockReading) -> tuple[bytes, int, bool]:
    """Correct one event by a clock that has been set since; return body, time of recording, and whether it was.

    An event of an earlier boot stays as it is. So does one that cannot be read (a damaged disk): it must not hold
    up the events behind it.
    """
    try:
        event = decode_scan(body)
        told_ns = parse_time(event.time)
    except UNREADABLE:
        return body, recorded_ns, False
    stamp = event.data.clock
    if stamp.boot_id != clock.boot_id:
        return body, recorded_ns, False
    true_time = clock.wall_at(stamp.monotonic_ns)
    true_recorded = true_time + (recorded_ns - told_ns)
    return corrected(event, true_time, true_recorded), true_recorded, True


def symbol(raw: bytes, symbology: str | None, text: str, quality: frozenset[str]) -> Symbol:
    """Describe one symbol as read."""
    return Symbol(
        symbology=symbology, raw=b64encode(raw).decode(), text=text, quality=tuple(sorted(map(str, quality)))
    )


def event_article(look_up: LookUp, now_ns: int) -> EventArticle | None:
    """Describe what the master said of the scan, at wall time `now_ns`."""
    if look_up.master_version is None:
        return None
    article = look_up.article or Article()
    known = look_up.article is not None
    built = look_up.master_built_ns
    return EventArticle(
        match=look_up.match,
        article_number=article.article_number,
        source=look_up.source,
        master_version=look_up.master_version,
        master_age_days=None if built is None else max(0, (now_ns - built) // DAY_NS),
        package_level=article.package_level,
        base_quantity=article.base_quantity if known else None,
        consignment=article.consignment if known else None,
        owner=article.owner,
        implant=article.implant if known else None,
        risk_class=article.risk_class,
        trade_name=article.trade_name,
        manufacturer_name=article.manufacturer_name,
    )


def subject_of(udi: Decoded | None) -> str | None:
    """Return the CloudEvents subject: a GS1 Digital Link for GS1, else a URN; None without device identifier.

    GS1 Digital Link Standard: URI Syntax, 4.10: the path carries the key and its qualifiers in the order 22, 10,
    21; other elements are attributes of the query.
    """
    if udi is None or udi.device_identifier is None:
        return None
    if udi.issuer is not Issuer.GS1:
        return f"urn:scangate:di:{udi.issuer}:{quote(udi.device_identifier, safe='')}"
    first = dict(reversed(udi.elements))  # of an element given twice the first counts
    path = f"https://id.gs1.org/01/{_escaped(udi.device_identifier)}"
    for ai in ("22", "10", "21"):
        if qualifier := first.get(ai):
            path += f"/{ai}/{_escaped(qualifier)}"
    expiry = first.get("17")
    return f"{path}?17={_escaped(expiry)}" if expiry else path


def _subject_of_asset(data: ScanData) -> str | None:
    """Return the GS1 Digital Link of an asset or a logistic unit."""
    if data.logistic_unit is not None:
        return f"https://id.gs1.org/00/{_escaped(data.logistic_unit)}"
    if data.asset is None:
        return None
    ai = "8003" if data.asset.scheme == "GRAI" else "8004"
    return f"https://id.gs1.org/{ai}/{_escaped(data.asset.identifier)}"


def _escaped(value: str) -> str:
    """Percent-encode one segment; most need none."""
    return value if value.isalnum() and value.isascii() else quote(value, safe="")

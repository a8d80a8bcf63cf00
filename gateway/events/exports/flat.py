"""An event as one flat record: what a listing shows and a spreadsheet takes."""

from typing import Final

import msgspec
from msgspec import Struct

from gateway.events import cloudevent
from gateway.events.stored_event import StoredEvent
from gateway.model import Decoded

UNREADABLE: Final = "unreadable"
"""`type` of an event whose stored bytes are damaged."""


class FlatEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """One event. What the event does not say, or what its type does not have, is None."""

    sequence: int
    """Place in the order of this box."""
    state: str
    """waiting | delivered | dead. Without a broker, delivered means exported."""
    type: str
    """scangate.scan.v1 | scangate.clock.v1 | unreadable."""
    id: str | None = None
    """UUID of the event: the same scan always has the same one."""
    epoch: str | None = None
    """Which numbering `sequence` belongs to."""
    source: str | None = None
    """URN of the box: urn:scangate:tenant:site:gateway."""
    time: str | None = None
    """When the trigger was pulled, RFC 3339 with the box's zone."""
    recorded_time: str | None = None
    """When it was stored."""
    clock_synchronised: bool | None = None
    """The clock had been set when the scan was made."""
    boot_id: str | None = None
    """Boot in which it was scanned; of a clock event: the boot whose times it corrects."""
    clock_offset_ns: int | None = None
    """Clock events only: true time of an event of that boot = its monotonicNs + this."""
    station: str | None = None
    scanner: str | None = None
    profile: str | None = None
    action: str | None = None
    """consume | receive | return | discard | inventory | order | transfer | explant | undo."""
    quantity: int | None = None
    undoes: str | None = None
    """Id of the event that this one takes back."""
    repeats: str | None = None
    """Id of the event of which this is a repeat."""
    disposition: str | None = None
    """accepted | refused."""
    findings: str | None = None
    """Codes of the verdict's findings, separated by spaces."""
    issuer: str | None = None
    """GS1 | HIBCC | ICCBBA | IFA; None for an article label that is no UDI."""
    device_identifier: str | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    expiration_date: str | None = None
    manufacture_date: str | None = None
    match: str | None = None
    """How the article was found: di | package | unitOfUse | articleNumber | catalogNumber | none."""
    article_number: str | None = None
    article_source: str | None = None
    trade_name: str | None = None
    manufacturer_name: str | None = None
    case: str | None = None
    """Case the scan belongs to; protected: scheme, key and value, separated by colons."""
    text: str | None = None
    """Text of the symbols, separated by spaces."""
    reason: str | None = None
    """Why, for a discard; of an undo that nobody asked for: label-completed | cancelled."""
    corrects: str | None = None
    """Id of the use that this discard, return or explant corrects."""
    used_despite: str | None = None
    """Id of the refused event that this one books all the same."""
    count: str | None = None
    """Of an inventory: mode and session of its count."""
    destination: str | None = None
    """Of a transfer."""
    location: str | None = None
    """Place the scan belongs to."""
    patient: str | None = None
    """Never in clear: scheme, key and value, separated by colons; performer likewise."""
    performer: str | None = None
    implant: bool | None = None
    risk_class: str | None = None
    owner: str | None = None
    base_quantity: int | None = None
    """Pieces of the base article in one of these."""


class _Type(Struct, frozen=True):
    type: str
    id: str | None = None


_type_decoder = msgspec.json.Decoder(_Type)
_clock_decoder = msgspec.json.Decoder(cloudevent.ClockEvent)


def reasons(stored: StoredEvent) -> list[str]:
    """Return the verdict's findings in words, the worst as the event has them first; none for any other event."""
    try:
        if _type_decoder.decode(stored.body).type == cloudevent.SCAN_TYPE:
            findings = cloudevent.decode_scan(stored.body).data.verdict.findings
            return [f"{one.code}: {one.message}" if one.message else one.code for one in findings]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return []


def flat(stored: StoredEvent) -> FlatEvent:
    """Flatten one stored event; never raises on any bytes."""
    try:
        kind = _type_decoder.decode(stored.body)
        if kind.type == cloudevent.SCAN_TYPE:
            return _scan(stored, cloudevent.decode_scan(stored.body))
        if kind.type == cloudevent.CLOCK_TYPE:
            return _clock(stored, _clock_decoder.decode(stored.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return FlatEvent(sequence=stored.sequence, state=stored.state, type=UNREADABLE)
    return FlatEvent(sequence=stored.sequence, state=stored.state, type=kind.type, id=kind.id)


def _scan(stored: StoredEvent, event: cloudevent.ScanEvent) -> FlatEvent:
    data, article = event.data, event.data.article
    udi = data.udi or Decoded(ok=False)
    return FlatEvent(
        sequence=stored.sequence,
        state=stored.state,
        type=event.type,
        id=event.id,
        epoch=event.epoch,
        source=event.source,
        time=event.time,
        recorded_time=event.recordedtime,
        clock_synchronised=data.clock.synchronised,
        boot_id=data.clock.boot_id,
        station=data.station.id,
        scanner=data.station.scanner,
        profile=data.station.profile,
        action=data.action,
        reason=data.reason,
        quantity=data.quantity,
        undoes=data.undoes,
        repeats=data.repeats,
        corrects=data.corrects,
        used_despite=data.used_despite.event if data.used_despite else None,
        count=f"{data.count.mode} {data.count.session}" if data.count else None,
        destination=data.destination,
        disposition=data.verdict.disposition,
        findings=" ".join(finding.code for finding in data.verdict.findings) or None,
        issuer=udi.issuer,
        device_identifier=udi.device_identifier,
        lot_number=udi.lot_number,
        serial_number=udi.serial_number,
        expiration_date=udi.expiration_date,
        manufacture_date=udi.manufacture_date,
        match=article.match if article else None,
        article_number=article.article_number if article else None,
        article_source=article.source if article else None,
        trade_name=article.trade_name if article else None,
        manufacturer_name=article.manufacturer_name if article else None,
        case=_protected(data.context.case),
        location=data.context.location,
        patient=_protected(data.context.patient),
        performer=_protected(data.context.performer),
        implant=article.implant if article else None,
        risk_class=article.risk_class if article else None,
        owner=article.owner if article else None,
        base_quantity=article.base_quantity if article else None,
        text=" ".join(symbol.text for symbol in data.symbols),
    )


def _protected(value: str | dict[str, str] | None) -> str | None:
    """Return what is protected by its parts, to be opened by who has the key."""
    return ":".join(value.values()) if isinstance(value, dict) else value


def _clock(stored: StoredEvent, event: cloudevent.ClockEvent) -> FlatEvent:
    return FlatEvent(
        sequence=stored.sequence,
        state=stored.state,
        type=event.type,
        id=event.id,
        epoch=event.epoch,
        source=event.source,
        time=event.time,
        recorded_time=event.recordedtime,
        boot_id=event.data.boot_id,
        clock_offset_ns=event.data.offset_ns or None,
    )

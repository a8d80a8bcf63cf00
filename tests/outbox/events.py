"""Events to store and send, made without decoding."""

from pathlib import Path

from gateway.events import cloudevent
from gateway.model import Decoded, Disposition, Issuer, Verdict
from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.reader import OutboxReader
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import NewEvent, Outbox
from gateway.system.clock import ClockReading

S = 1_000_000_000
NOW_NS = 1_795_300_867_000_000_000
"""2026-11-22, UTC."""
BOOT = "0d7c0b5e6f7e4d3b9a550f3c6b1d2e4f"
BOX = BoxIdentity(machine="m1", board="b1", gateway="urn:scangate:vgr:su:gw01", boot=BOOT)
ROOMY = OutboxSettings(min_free_bytes=0)
"""The disk of a test machine may be nearly full; the tests of room set their own bounds."""


def reading(
    *, at_ns: int = NOW_NS, monotonic_ns: int = 60 * S, boot: str = BOOT, set_: bool = True
) -> ClockReading:
    return ClockReading(
        wall_ns=at_ns, monotonic_ns=monotonic_ns, boot_id=boot, synchronised=set_, lower_bound_ns=NOW_NS - 10 * S
    )


def draft(
    number: int, *, size: int = 0, clock: ClockReading | None = None, identity: str | None = None, gtin: bool = True
) -> NewEvent:
    """Make an event; `number` becomes its serial number, `size` pads it."""
    clock = clock or reading()
    raw = b"]d2010952000100010221S%06d" % number + b"x" * size
    decoded = Decoded(
        ok=True,
        issuer=Issuer.GS1,
        device_identifier="09520001000102",
        serial_number=f"S{number:06}",
        complete=True,
        elements=(("01", "09520001000102"), ("21", f"S{number:06}")),
        hri=f"(01)09520001000102(21)S{number:06}",
    )
    data = cloudevent.ScanData(
        action="consume",
        reason=None,
        quantity=1,
        undoes=None,
        repeats=None,
        station=cloudevent.Station(id="op3", scanner="front", profile="operating-room"),
        clock=cloudevent.ClockStamp(
            synchronised=clock.synchronised, corrected=False, boot_id=clock.boot_id, monotonic_ns=clock.monotonic_ns
        ),
        symbols=(cloudevent.symbol(raw, "]d2", raw[3:].decode(), frozenset()),),
        udi=decoded if gtin else None,
        article=None,
        verdict=Verdict(disposition=Disposition.ACCEPTED),
        context=cloudevent.Context(),
    )
    return NewEvent(id=identity or f"id-{number}", time_ns=clock.wall_ns, data=data, raw=(raw,))


def stocked(path: Path, count: int, size: int = 0) -> Outbox:
    """Open an outbox and store `count` events in it, in one transaction."""
    outbox = Outbox(path, ROOMY, BOX)
    outbox.append([draft(number, size=size) for number in range(1, count + 1)], reading(), seal=True)
    return outbox


def stored(path: Path) -> dict[int, bytes]:
    """Read every event of an outbox file."""
    backlog = OutboxReader(path)
    try:
        return {one.sequence: one.body for one in backlog.journal()}
    finally:
        backlog.close()

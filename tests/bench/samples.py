"""What the benchmarks scan, look up and store: labels, an article master, events and a backlog of them."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from gateway.articles.build.import_job import import_file
from gateway.articles.settings import SourceSettings
from gateway.events import cloudevent
from gateway.model import Article, Disposition, Issuer, LookUp, Match, Verdict
from gateway.outbox.box_identity import read_identity
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import NewEvent, Outbox
from gateway.system.clock import ClockReading
from gateway.udi import decode
from gateway.udi.checks import gs1_check_digit

TENANT: Final = "bench"
SITE: Final = "hall"
BOX: Final = "gw01"
SOURCE: Final = cloudevent.gateway_source(TENANT, SITE, BOX)
SYMBOLOGY: Final = "]d2"
WALL_NS: Final = 1_795_300_000_000_000_000
"""A moment of November 2026."""
BUILT_NS: Final = WALL_NS - 3600 * 1_000_000_000
TODAY: Final = date(2026, 11, 22)
BATCH: Final = 500
"""Events of a prepared backlog stored in one transaction."""
ARTICLE: Final = Article(
    device_identifier="09520001000102",
    issuer=Issuer.GS1,
    article_number="VGR-104233",
    trade_name="Nordan Stam 12",
    manufacturer_name="Nordanskog Ortopedi AB",
    risk_class="III",
    implant=True,
    package_level="primary",
)
CLOCK: Final = ClockReading(
    wall_ns=WALL_NS,
    monotonic_ns=123_456_789_000,
    boot_id="5f0c2a9b1d7e4c835f0c2a9b1d7e4c83",
    synchronised=True,
    lower_bound_ns=WALL_NS,
)


def gtin(number: int) -> str:
    """Return the GTIN-14 of an article by its place in the master."""
    digits = f"0952{number:09d}"
    return f"{digits}{gs1_check_digit(digits)}"


def text(number: int, article: int = 1) -> str:
    """Return the text of a label with GTIN, expiry, lot and a serial number of its own."""
    return f"01{gtin(article)}1731123110L2A0417\x1d21NS{number:08d}"


def label(number: int, article: int = 1) -> bytes:
    """Return what a scanner sends for it."""
    return f"{SYMBOLOGY}{text(number, article)}\r".encode()


def draft(number: int) -> NewEvent:
    """Return a scan event as the worker makes it."""
    symbol_text = text(number)
    raw = f"{SYMBOLOGY}{symbol_text}".encode()
    look_up = LookUp(
        match=Match.DI,
        article=ARTICLE,
        source="master",
        master_version="2026-11-21T03:00:00Z",
        master_built_ns=BUILT_NS,
    )
    data = cloudevent.ScanData(
        action="consume",
        reason=None,
        quantity=1,
        undoes=None,
        repeats=None,
        station=cloudevent.Station(id="op3", scanner="usb-1-1.3", profile="operating-room"),
        clock=cloudevent.ClockStamp(
            synchronised=True, corrected=False, boot_id=CLOCK.boot_id, monotonic_ns=CLOCK.monotonic_ns
        ),
        symbols=(cloudevent.symbol(raw, SYMBOLOGY, symbol_text, frozenset()),),
        udi=decode(symbol_text, SYMBOLOGY, today=TODAY),
        article=cloudevent.event_article(look_up, WALL_NS),
        verdict=Verdict(disposition=Disposition.ACCEPTED),
        context=cloudevent.Context(),
    )
    return NewEvent(id=str(uuid4()), time_ns=WALL_NS, data=data, raw=(raw,))


def body(one: NewEvent, sequence: int = 1) -> bytes:
    """Return the bytes of its event."""
    at = cloudevent.Position(epoch="5f0c2a9b1d7e4c83", sequence=sequence, recorded_ns=WALL_NS)
    return cloudevent.scan_event(one.id, SOURCE, one.time_ns, one.data, at)


def new_outbox(path: Path) -> Outbox:
    """Open an outbox that the benchmarks' box owns."""
    return Outbox(path, OutboxSettings(min_free_bytes=0), read_identity(SOURCE))


def fill_outbox(path: Path, events: int) -> None:
    """Make an outbox with so many events that are not delivered."""
    outbox = new_outbox(path)
    for first in range(1, events + 1, BATCH):
        outbox.append([draft(number) for number in range(first, first + BATCH)], CLOCK, seal=True)
    outbox.close(CLOCK)


def import_master(articles: Path, rows: int) -> None:
    """Import an article master of so many rows into the articles directory."""
    articles.mkdir(parents=True)
    file = articles.parent / "articles.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write(
            "deviceIdentifier;articleNumber;tradeName;manufacturerName;catalogNumber;riskClass;packageLevel\n"
        )
        for number in range(rows):
            out.write(
                f"{gtin(number)};VGR-{number};Nordan Stam {number};"
                f"Nordanskog {number % 900} AB;NS-{number};IIb;primary\n"
            )
    import_file(articles, SourceSettings(name="master"), file, now=datetime.now(UTC))
    file.unlink()

"""The event, byte by byte. The time zone of these tests is the one of the boxes: Europe/Stockholm."""

import time
from collections.abc import Iterator

import msgspec
import pytest

from gateway.events import cloudevent
from gateway.model import (
    Article,
    Decoded,
    Disposition,
    Finding,
    Issuer,
    LookUp,
    Match,
    Precision,
    Severity,
    Verdict,
)
from gateway.system.clock import ClockReading
from tests.outbox.events import BOOT, BOX, draft, reading

TIME_NS = 1_795_297_267_312_999_999
"""2026-11-21T21:41:07.312999999Z: milliseconds are cut, not rounded, so that no time lies in the future."""


@pytest.fixture(autouse=True)
def stockholm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Stockholm")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


UDI = Decoded(
    ok=True,
    issuer=Issuer.GS1,
    device_identifier="08717648200274",
    lot_number="1234567A",
    expiration_date="2028-06-30",
    expiration_precision=Precision.DAY,
    complete=True,
    elements=(("01", "08717648200274"), ("17", "280630"), ("10", "1234567A")),
    hri="(01)08717648200274(17)280630(10)1234567A",
)
TEXT = "010871764820027417280630101234567A"
DATA = cloudevent.ScanData(
    action="consume",
    reason=None,
    quantity=1,
    undoes=None,
    repeats=None,
    station=cloudevent.Station(id="op3", scanner="usb-1-1.3", profile="operating-room"),
    clock=cloudevent.ClockStamp(synchronised=True, corrected=False, boot_id=BOOT, monotonic_ns=123456789),
    symbols=(cloudevent.symbol(b"]d2" + TEXT.encode(), "]d2", TEXT, frozenset()),),
    udi=UDI,
    article=cloudevent.EventArticle(
        match=Match.DI,
        article_number="VGR-104233",
        source="jeeves-miv",
        master_version="2026-11-21T03:00:00Z",
        master_age_days=0,
        package_level="primary",
        base_quantity=1,
        consignment=False,
        owner=None,
        implant=True,
        risk_class="III",
        trade_name="Hjärtklaff",
        manufacturer_name=None,
    ),
    verdict=Verdict(
        disposition=Disposition.ACCEPTED,
        findings=(Finding(code="EXPIRES_SOON", severity=Severity.WARNING, message="soon"),),
    ),
    context=cloudevent.Context(),
)
ENVELOPE = (
    b'{"specversion":"1.0","id":"0d7c0b5e","source":"urn:scangate:vgr:su:gw01","type":"scangate.scan.v1",'
    b'%b"time":"2026-11-21T22:41:07.312+01:00","recordedtime":"2026-11-21T22:41:07.498+01:00",'
    b'"sequence":"0000000000004711","epoch":"5f0c2a9b1d7e4c83","datacontenttype":"application/json",'
    b'"dataschema":"urn:scangate:schema:scan:v1","data":{"action":"consume","reason":null,"quantity":1,'
    b'"undoes":null,"repeats":null,"station":{"id":"op3","scanner":"usb-1-1.3","profile":"operating-room"},'
    b'"clock":{"synchronised":true,"corrected":false,"bootId":"0d7c0b5e6f7e4d3b9a550f3c6b1d2e4f",'
    b'"monotonicNs":123456789},"symbols":[%b],'
)
FULL = (
    ENVELOPE
    % (
        b'"subject":"https://id.gs1.org/01/08717648200274/10/1234567A?17=280630",',
        (
            b'{"symbology":"]d2","raw":"XWQyMDEwODcxNzY0ODIwMDI3NDE3MjgwNjMwMTAxMjM0NTY3QQ==",'
            b'"text":"010871764820027417280630101234567A","quality":[]}'
        ),
    )
    + b'"udi":{"ok":true,"issuer":"GS1","deviceIdentifier":"08717648200274","lotNumber":"1234567A",'
    b'"serialNumber":null,"expirationDate":"2028-06-30","expirationPrecision":"day","manufactureDate":null,'
    b'"manufacturePrecision":null,"donationIdentificationNumber":null,"softwareVersion":null,"quantity":null,'
    b'"packageLevel":null,"complete":true,"elements":[["01","08717648200274"],["17","280630"],["10","1234567A"]],'
    b'"hri":"(01)08717648200274(17)280630(10)1234567A","findings":[]},'
    + '"article":{"match":"di","articleNumber":"VGR-104233","source":"jeeves-miv",'
    '"masterVersion":"2026-11-21T03:00:00Z","masterAgeDays":0,"packageLevel":"primary","baseQuantity":1,'
    '"consignment":false,"owner":null,"implant":true,"riskClass":"III","tradeName":"Hjärtklaff",'
    '"manufacturerName":null},'.encode()
    + b'"verdict":{"disposition":"accepted","findings":[{"code":"EXPIRES_SOON","severity":"warning",'
    b'"element":null,"message":"soon"}]},'
    b'"context":{"case":null,"location":null,"patient":null,"performer":null}}}'
)
SHELF_LABEL = (
    ENVELOPE
    % (b"", b'{"symbology":null,"raw":"VkdSMTA0MjMz","text":"VGR104233","quality":["no-aim-id","unterminated"]}')
    + b'"udi":null,"article":null,"verdict":{"disposition":"refused","findings":[]},'
    b'"context":{"case":null,"location":null,"patient":null,"performer":null}}}'
)
AT = cloudevent.Position(epoch="5f0c2a9b1d7e4c83", sequence=4711, recorded_ns=TIME_NS + 186_000_000)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (DATA, FULL),
        (
            msgspec.structs.replace(
                DATA,
                udi=None,
                article=None,
                verdict=Verdict(disposition=Disposition.REFUSED),
                symbols=(
                    cloudevent.symbol(b"VGR104233", None, "VGR104233", frozenset({"unterminated", "no-aim-id"})),
                ),
            ),
            SHELF_LABEL,
        ),
    ],
    ids=["label", "shelf-label"],
)
def test_the_event_to_the_byte(data: cloudevent.ScanData, expected: bytes) -> None:
    assert cloudevent.scan_event("0d7c0b5e", BOX.gateway, TIME_NS, data, AT) == expected


def test_a_clock_event_to_the_byte() -> None:
    body = cloudevent.clock_event("c1", BOX.gateway, cloudevent.ClockData(boot_id=BOOT, offset_ns=7), AT)
    assert body == (
        b'{"specversion":"1.0","id":"c1","source":"urn:scangate:vgr:su:gw01","type":"scangate.clock.v1",'
        b'"time":"2026-11-21T22:41:07.498+01:00","recordedtime":"2026-11-21T22:41:07.498+01:00",'
        b'"sequence":"0000000000004711","epoch":"5f0c2a9b1d7e4c83","datacontenttype":"application/json",'
        b'"dataschema":"urn:scangate:schema:clock:v1",'
        b'"data":{"bootId":"0d7c0b5e6f7e4d3b9a550f3c6b1d2e4f","offsetNs":7}}'
    )


def test_what_is_written_can_be_read() -> None:
    event = cloudevent.decode_scan(FULL)
    assert event.data == DATA
    assert msgspec.json.encode(event) == FULL


def test_a_consumer_may_be_older() -> None:
    """New optional fields do not change `dataschema`: a reader skips what it does not know."""
    later = FULL.replace(b'"action":', b'"newField":{"a":[1]},"action":')
    assert cloudevent.decode_scan(later).data == DATA


def test_correction_changes_the_times_and_says_so() -> None:
    body = cloudevent.corrected(cloudevent.decode_scan(FULL), TIME_NS + 3_600_000_000_000, AT.recorded_ns)
    assert body == FULL.replace(b'"time":"2026-11-21T22:41', b'"time":"2026-11-21T23:41').replace(
        b'"corrected":false', b'"corrected":true'
    )


def labelled(**fields: object) -> Decoded:
    return msgspec.structs.replace(UDI, **fields)


@pytest.mark.parametrize(
    ("udi", "subject"),
    [
        (UDI, "https://id.gs1.org/01/08717648200274/10/1234567A?17=280630"),
        (None, None),
        (labelled(device_identifier=None), None),
        (labelled(elements=(("01", "08717648200274"),)), "https://id.gs1.org/01/08717648200274"),
        # key qualifiers in the order 22, 10, 21 whatever the label's order (GS1 Digital Link: URI Syntax, 4.10)
        (
            labelled(elements=(("21", "S1"), ("10", "L1"), ("22", "V2"), ("01", "x"))),
            "https://id.gs1.org/01/08717648200274/22/V2/10/L1/21/S1",
        ),
        # every character of set 82 that a URI reserves (GS1 General Specifications, figure 7.11-1)
        (
            labelled(elements=(("21", "a!\"%&'()*+,-./:;<=>?_Z"),)),
            "https://id.gs1.org/01/08717648200274/21/a%21%22%25%26%27%28%29%2A%2B%2C-.%2F%3A%3B%3C%3D%3E%3F_Z",
        ),
        (labelled(elements=(("10", "L1"), ("10", "L2"))), "https://id.gs1.org/01/08717648200274/10/L1"),
        (labelled(elements=(("10", ""),)), "https://id.gs1.org/01/08717648200274"),
        (
            labelled(issuer=Issuer.HIBCC, device_identifier="A999/1234 5"),
            "urn:scangate:di:HIBCC:A999%2F1234%205",
        ),
        (labelled(issuer=Issuer.IFA, device_identifier="111234567842"), "urn:scangate:di:IFA:111234567842"),
        (labelled(issuer=Issuer.ICCBBA, device_identifier="=/A9997"), "urn:scangate:di:ICCBBA:%3D%2FA9997"),
    ],
)
def test_subject(udi: Decoded | None, subject: str | None) -> None:
    assert cloudevent.subject_of(udi) == subject


@pytest.mark.parametrize(
    ("wall_ns", "text"),
    [
        (0, "1970-01-01T01:00:00.000+01:00"),
        (1_782_856_799_999_000_000, "2026-06-30T23:59:59.999+02:00"),
        # the hour that comes twice: 25 October 2026, 02:30 with summer time and without
        (1_792_888_200_000_000_000, "2026-10-25T02:30:00.000+02:00"),
        (1_792_891_800_000_000_000, "2026-10-25T02:30:00.000+01:00"),
    ],
)
def test_times_are_local_with_their_offset(wall_ns: int, text: str) -> None:
    at = msgspec.structs.replace(AT, recorded_ns=wall_ns)
    event = cloudevent.decode_scan(cloudevent.scan_event("i", BOX.gateway, wall_ns, DATA, at))
    assert (event.time, event.recordedtime) == (text, text)
    assert cloudevent.parse_time(text) == wall_ns


@pytest.mark.parametrize("sequence", [1, 4711, 9_999_999_999_999_999])
def test_sequences_order_as_text(sequence: int) -> None:
    at = msgspec.structs.replace(AT, sequence=sequence)
    text = cloudevent.decode_scan(cloudevent.scan_event("i", BOX.gateway, 0, DATA, at)).sequence
    assert len(text) == cloudevent.SEQUENCE_DIGITS == 16
    assert int(text) == sequence


@pytest.mark.parametrize(
    ("look_up", "expected"),
    [
        (LookUp(match=Match.NONE), None),
        (
            LookUp(match=Match.NONE, master_version="v", master_built_ns=TIME_NS - 3 * cloudevent.DAY_NS - 1),
            ("none", None, None, 3, None, None),
        ),
        (
            LookUp(
                match=Match.PACKAGE,
                article=Article(article_number="A1", base_quantity=12),
                source="m",
                master_version="v",
                master_built_ns=TIME_NS + 5 * cloudevent.DAY_NS,
            ),
            ("package", "A1", "m", 0, 12, False),
        ),
    ],
    ids=["no-master", "unknown", "built-in-the-future"],
)
def test_what_the_master_said(look_up: LookUp, expected: tuple[object, ...] | None) -> None:
    article = cloudevent.event_article(look_up, TIME_NS)
    if article is None:
        assert expected is None
        return
    assert (
        article.match.value,
        article.article_number,
        article.source,
        article.master_age_days,
        article.base_quantity,
        article.consignment,
    ) == expected


@pytest.mark.parametrize(
    ("clock", "whole"),
    [(reading(boot="f" * 32), False), (reading(), True)],
    ids=["another-boot", "this-boot"],
)
def test_true_time(clock: ClockReading, whole: bool) -> None:  # noqa: FBT001 - a column of the table
    one = draft(1, clock=reading(at_ns=5 * 10**9, monotonic_ns=10**9, set_=False))
    body = cloudevent.scan_event(one.id, BOX.gateway, one.time_ns, one.data, AT)
    changed, recorded_ns, trusted = cloudevent.with_true_time(body, AT.recorded_ns, clock)
    assert trusted is whole
    assert (changed != body) is whole
    if whole:
        assert cloudevent.parse_time(cloudevent.decode_scan(changed).time) == clock.wall_ns - 59 * 10**9
        assert recorded_ns == clock.wall_ns - 59 * 10**9 + AT.recorded_ns - 5 * 10**9


def test_sizes() -> None:
    """What the bounds of the outbox and of brokers are reckoned by: some 1.5 KB an event, far below 4 KB."""
    assert 1000 < len(FULL) < 2000
    longest = cloudevent.symbol(b"x" * 4096, "]d2", "x" * 4096, frozenset())
    body = cloudevent.scan_event("i", BOX.gateway, 0, msgspec.structs.replace(DATA, symbols=(longest,)), AT)
    assert len(body) < 16_384

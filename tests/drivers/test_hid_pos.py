"""HID point-of-sale scanners: reports -> codes, through the driver's own reading code."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from drivers.base import DriverError, Scanner, ScannerSettings, Terminator
from drivers.dialects.plain import PlainDialect
from drivers.framing import ENDINGS, LATE_NS, Framed
from drivers.hid_pos import QUEUE_REPORTS, HidPosScanner, ReportDecoder
from drivers.hid_report import report_layout
from drivers.model import (
    ConnectionChange,
    ConnectionState,
    Discarded,
    DiscardReason,
    Frame,
    InputQuality,
    RawScan,
    ScannerInput,
)
from tests.drivers.hid_pos_reports import (
    ACCESS_IS,
    BOARDING_PASS,
    KEYBOARD,
    LITTLE,
    PLAIN,
    SYMBOLOGY_ARRAY,
    access_is,
    little,
)
from tests.drivers.hidraws import Hidraws

MS = 1_000_000
IDLE_NS = 100 * MS
AT_REST = ScannerSettings(name="desk", driver="hid-pos", device="/dev/hidraw0", idle_ms=100)
GARBLED, BROKEN_OFF, DROPPED = DiscardReason.GARBLED, DiscardReason.BROKEN_OFF, DiscardReason.DROPPED
GS1 = b"0108717648200274\x1d10A1"


def decoder(descriptor: bytes = ACCESS_IS, terminator: Terminator = "CR") -> ReportDecoder:
    made = ReportDecoder(report_layout(descriptor), structs.replace(AT_REST, terminator=terminator))
    made.opened(-IDLE_NS)
    made.idle(0)
    return made


Said = bytes | tuple[DiscardReason, int]


def said(frames: list[Framed]) -> list[Said]:
    return [one.data if isinstance(one, Frame) else (one.reason, one.length) for one in frames]


def fed(reports: list[bytes], descriptor: bytes = ACCESS_IS) -> list[Said]:
    """Return what comes of reports a millisecond apart, and of the silence after them."""
    under_test = decoder(descriptor)
    done: list[Framed] = []
    for place, report in enumerate(reports):
        done += under_test.feed(report, place * MS)
    return said(done + under_test.idle(10**12))


@pytest.mark.parametrize("descriptor", [ACCESS_IS, SYMBOLOGY_ARRAY, PLAIN, LITTLE])
@pytest.mark.parametrize("terminator", ["CR", "LF", "CRLF", "TAB", "ETX", "STX-ETX"])
def test_a_configured_suffix_is_none_of_the_code(terminator: Terminator, descriptor: bytes) -> None:
    """Scanners in USB HID POS mode send the suffix they are set to all the same, CR most often."""
    code = b"0952"
    sent = (b"\x02" if terminator == "STX-ETX" else b"") + code + ENDINGS[terminator]
    reports = {
        ACCESS_IS: [access_is(sent)],
        SYMBOLOGY_ARRAY: [b"\0]Q0" + sent.ljust(28, b"\0")],
        PLAIN: [b"\1" + sent.ljust(32, b"\0")],
        LITTLE: [little(sent[:4], continued=True, aim_id=b"]Q0"), little(sent[4:], aim_id=b"]Q0")],
    }[descriptor]
    under_test = decoder(descriptor, terminator)
    frames = [frame for place, report in enumerate(reports) for frame in under_test.feed(report, place)]
    assert said(frames) == [code if descriptor == PLAIN else b"]Q0" + code]


def test_a_suffix_in_a_report_of_its_own_is_no_code() -> None:
    assert fed([access_is(b"1"), access_is(b"\r", aim_id=bytes(3)), access_is(b"2")]) == [b"]Q01", b"]Q02"]


def test_the_manuals_example() -> None:
    """Access-IS LSR118 product manual, B.1.1: 60 bytes in two reports, byte for byte."""
    first = bytes.fromhex("02 38 5d 51 30") + BOARDING_PASS[:56] + bytes.fromhex("73 00 01")
    second = bytes.fromhex("02 04 5d 51 30") + b" 100" + bytes(52) + bytes.fromhex("73 00 00")
    assert (len(BOARDING_PASS), len(first), len(second)) == (60, 64, 64)
    under_test = decoder()
    assert under_test.feed(first, 7) == []
    assert under_test.deadline_ns() == 7 + IDLE_NS
    assert under_test.feed(second, 9) == [Frame(data=b"]Q0" + BOARDING_PASS, started_ns=7)]
    assert under_test.deadline_ns() is None


@pytest.mark.parametrize(
    ("reports", "descriptor", "expected"),
    [
        pytest.param([access_is(GS1, aim_id=b"]d2")], ACCESS_IS, [b"]d2" + GS1], id="GS is kept"),
        pytest.param([access_is(b"a\0b\0")], ACCESS_IS, [b"]Q0a\0b\0"], id="the length says how far, NULs and all"),
        pytest.param([access_is(b"1", aim_id=bytes(3))], ACCESS_IS, [b"1"], id="no AIM identifier"),
        pytest.param([access_is(b"1", aim_id=b"   ")], ACCESS_IS, [b"1"], id="none, in blanks"),
        pytest.param([access_is(b"")], ACCESS_IS, [], id="no data"),
        pytest.param(
            [access_is(b"a" * 56, continued=True), access_is(b"b", aim_id=bytes(3))],
            ACCESS_IS,
            [b"]Q0" + b"a" * 56 + b"b"],
            id="only the first part says the identifier",
        ),
        pytest.param(
            [access_is(b"a" * 56, continued=True), access_is(b"")],
            ACCESS_IS,
            [b"]Q0" + b"a" * 56],
            id="an empty last part",
        ),
        pytest.param([bytes([4, 1]), access_is(b"1")], ACCESS_IS, [b"]Q01"], id="the scanner's other report"),
        pytest.param(
            [access_is(b"a" * 56, continued=True), bytes([4, 1]), access_is(b"b")],
            ACCESS_IS,
            [b"]Q0" + b"a" * 56 + b"b"],
            id="it may come in the middle",
        ),
        pytest.param(
            [little(bytes([48 + n] * 4), continued=n < 9) for n in range(10)],
            LITTLE,
            [b"]d2" + b"".join(bytes([48 + n] * 4) for n in range(10))],
            id="ten parts",
        ),
        pytest.param(
            [b"\x80]Q1" + b"a" * 28, b"\0]Q1" + b"b\0c".ljust(28, b"\0")],
            SYMBOLOGY_ARRAY,
            [b"]Q1" + b"a" * 28 + b"b\0c"],
            id="no length: up to the padding",
        ),
        pytest.param([b"\1" + b"4006381333931".ljust(32, b"\0")], PLAIN, [b"4006381333931"], id="data alone"),
        pytest.param([access_is(b"1", length=57)], ACCESS_IS, [(GARBLED, 56)], id="a length beyond the report"),
        pytest.param([access_is(b"1")[:-1]], ACCESS_IS, [(GARBLED, 63)], id="a short report"),
        pytest.param([access_is(b"1") + b"\0"], ACCESS_IS, [(GARBLED, 65)], id="a long report"),
        pytest.param([b""], ACCESS_IS, [(GARBLED, 0)], id="an empty report"),
        pytest.param([b"\x09" + access_is(b"1")[1:]], ACCESS_IS, [(GARBLED, 64)], id="a report of no known id"),
        pytest.param(
            [access_is(b"1", aim_id=b"Q0]")], ACCESS_IS, [(GARBLED, 1)], id="no AIM identifier but something"
        ),
        pytest.param(
            [access_is(b"a" * 56, continued=True), access_is(b"b", aim_id=b"]d2"), access_is(b"c")],
            ACCESS_IS,
            [(GARBLED, 57), b"]Q0c"],
            id="a part of another code",
        ),
        pytest.param([access_is(b"a" * 56, continued=True)], ACCESS_IS, [(GARBLED, 56)], id="the rest never comes"),
        pytest.param(
            [access_is(b"a" * 56, continued=True)] * 73 + [access_is(b"b" * 8)],
            ACCESS_IS,
            [(DiscardReason.TOO_LONG, 73 * 56 + 8)],
            id="longer than any code",
        ),
    ],
)
def test_what_reports_say(reports: list[bytes], descriptor: bytes, expected: list[Said]) -> None:
    assert fed(reports, descriptor) == expected


def test_a_full_report_without_a_flag_may_be_part_of_a_code() -> None:
    (frame,) = decoder(PLAIN).feed(b"\1" + b"7" * 32, 0)
    assert frame == Frame(data=b"7" * 32, started_ns=0, quality=frozenset({InputQuality.UNTERMINATED}))


def test_a_rest_that_comes_late_is_no_code() -> None:
    under_test = decoder(LITTLE)
    assert under_test.feed(little(b"0108", continued=True), 0) == []
    assert under_test.idle(IDLE_NS - 1) == []
    assert said(under_test.idle(IDLE_NS)) == [(GARBLED, 4)]
    assert said(under_test.feed(little(b"71"), 2 * IDLE_NS)) == [(GARBLED, 2)]
    assert said(under_test.feed(little(b"12"), 3 * IDLE_NS)) == [b"]d212"]
    under_test.feed(little(b"0108", continued=True), 4 * IDLE_NS)
    under_test.idle(5 * IDLE_NS)
    assert said(under_test.feed(little(b"12"), 5 * IDLE_NS + LATE_NS)) == [b"]d212"]


def test_after_an_opening_the_end_of_a_code_is_no_code() -> None:
    under_test = decoder(LITTLE)
    under_test.opened(0)
    reports = [little(b"2345", continued=True), little(b"6"), little(b"12")]
    assert said([frame for at, report in enumerate(reports) for frame in under_test.feed(report, at * MS)]) == [
        (BROKEN_OFF, 5),
        b"]d212",
    ]


def test_what_the_kernel_may_have_dropped_takes_the_code_in_progress_or_the_next_one() -> None:
    under_test = decoder(LITTLE)
    under_test.feed(little(b"1234", continued=True), 0)
    under_test.lost()
    assert said(under_test.feed(little(b"5"), MS)) == [(DROPPED, 5)]
    flagged = frozenset({InputQuality.DROPPED_BEFORE})
    assert under_test.feed(little(b"6"), 2 * MS) == [Frame(data=b"]d26", started_ns=2 * MS, quality=flagged)]
    under_test.lost()
    assert said(under_test.feed(little(b"7"), 3 * MS)) == [(DROPPED, 1)]
    under_test.feed(little(b"8"), 4 * MS)
    under_test.lost()
    under_test.idle(4 * MS + IDLE_NS)
    assert said(under_test.feed(little(b"9"), 300 * MS)) == [b"]d29"]


@settings(max_examples=150, deadline=None)
@given(
    codes=st.lists(st.binary(min_size=1, max_size=20).filter(lambda one: one[:1] not in b"]\r\n\t"), max_size=8),
    cut=st.sets(st.integers(0, 7), max_size=3),
    soup=st.lists(st.binary(max_size=12), max_size=3),
)
def test_whole_codes_or_nothing(codes: list[bytes], cut: set[int], soup: list[bytes]) -> None:
    """A code whose last part never came takes the one it would run into with it, and no more."""
    reports, whole = [], []
    for number, code in enumerate(codes):
        aim_id = b"]" + bytes([65 + number]) + b"0"
        whole.append(aim_id + code)
        parts = [
            little(code[at : at + 4], continued=at + 4 < len(code), aim_id=aim_id) for at in range(0, len(code), 4)
        ]
        reports += parts[:-1] if number in cut else parts
    under_test = decoder(LITTLE, "none")
    done = [frame for at, report in enumerate(reports) for frame in under_test.feed(report, at * MS)]
    read = [frame.data for frame in done if isinstance(frame, Frame)]
    assert set(read) <= set(whole)
    assert len(whole) - len(read) <= 2 * len(cut)
    for report in soup:
        under_test.feed(report, 10**9)
    under_test.idle(10**10)
    assert under_test.deadline_ns() is None


# Through the driver --------------------------------------------------------------------------------


SETTINGS = ScannerSettings(name="desk", driver="hid-pos", device="/dev/hidraw0", idle_ms=20)
Take = Callable[[Scanner, int], list[ScannerInput]]


@pytest.fixture
def bench() -> Hidraws:
    return Hidraws()


@pytest.fixture
def scanner(bench: Hidraws) -> Iterator[HidPosScanner]:
    made = HidPosScanner(SETTINGS, PlainDialect(SETTINGS), bench)
    yield made
    made.close()


def test_codes_through_the_driver(bench: Hidraws, scanner: HidPosScanner, take: Take) -> None:
    assert take(scanner, 1) == [ConnectionChange(scanner="desk", connection=ConnectionState.CONNECTED)]
    bench.send(access_is(BOARDING_PASS[:56], continued=True), access_is(BOARDING_PASS[56:]))
    bench.send(access_is(GS1, aim_id=b"]d2"))
    first, second = take(scanner, 2)
    assert isinstance(first, RawScan)
    assert isinstance(second, RawScan)
    assert (first.symbology, first.text, first.quality) == ("]Q0", BOARDING_PASS.decode(), frozenset())
    assert (second.symbology, second.text.encode(), second.quality) == ("]d2", GS1, frozenset())
    assert scanner.gs_seen
    assert not scanner.send(b"\x07")


def test_elements_without_gs_are_flagged_until_the_scanner_has_sent_one(
    bench: Hidraws, scanner: HidPosScanner, take: Take
) -> None:
    take(scanner, 1)
    bench.send(*[access_is(data, aim_id=b"]d2") for data in (b"010871764820027410A1", GS1, b"10A1")])
    assert [one.quality for one in take(scanner, 3) if isinstance(one, RawScan)] == [
        {InputQuality.GS_NEVER_SEEN},
        frozenset(),
        frozenset(),
    ]


def test_unplugged_in_the_middle_and_back(bench: Hidraws, scanner: HidPosScanner, take: Take) -> None:
    take(scanner, 1)
    bench.send(access_is(b"1"), access_is(b"a" * 56, continued=True))
    bench.plugged = False
    bench.pull()
    scan, discarded, link = take(scanner, 3)
    assert isinstance(scan, RawScan)
    assert discarded == Discarded(scanner="desk", reason=BROKEN_OFF, length=56)
    assert link == ConnectionChange(
        scanner="desk",
        connection=ConnectionState.MISSING,
        detail="/dev/hidraw0 went away: plug the scanner in again",
    )
    bench.plugged = True
    scanner.look_again()
    assert take(scanner, 1) == [ConnectionChange(scanner="desk", connection=ConnectionState.CONNECTED)]
    assert bench.opened == ["/dev/hidraw0"] * 2


def test_a_queue_that_may_have_overflowed(bench: Hidraws, scanner: HidPosScanner, take: Take) -> None:
    """As many reports at once as the kernel keeps: the next code may lack its beginning."""
    take(scanner, 1)
    bench.send(*[access_is(b"%d" % number) for number in range(QUEUE_REPORTS)])
    assert len([one for one in take(scanner, QUEUE_REPORTS) if isinstance(one, RawScan)]) == QUEUE_REPORTS
    bench.send(access_is(b"next"))
    assert take(scanner, 1) == [Discarded(scanner="desk", reason=DROPPED, length=4)]


@pytest.mark.parametrize(
    ("descriptor", "found"),
    [(KEYBOARD, "it has no collection of usage page 0x8C"), (b"\x05", "its report descriptor breaks off")],
)
def test_a_device_whose_reports_hold_no_code(descriptor: bytes, found: str) -> None:
    bench = Hidraws(descriptor)
    scanner = HidPosScanner(SETTINGS, PlainDialect(SETTINGS), bench)
    with pytest.raises(DriverError) as caught:
        scanner.read(0)
    scanner.close()
    assert found in str(caught.value)
    assert str(caught.value).startswith("cannot read /dev/hidraw0: ")
    assert not caught.value.recoverable


def test_the_kernel_is_asked_for_what_is_no_hidraw() -> None:
    settings_of_a_file = ScannerSettings(name="desk", driver="hid-pos", device="/dev/null")
    scanner = HidPosScanner(settings_of_a_file, PlainDialect(settings_of_a_file))
    with pytest.raises(DriverError, match="it is no HID point-of-sale scanner"):
        scanner.read(0)
    scanner.close()

"""Bytes -> frames: every terminator, every way the bytes may arrive, and what is thrown away."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import FrameDiscarded, ScannerSettings, Terminator
from drivers.dialects.plain import PlainDialect
from drivers.framing import ENDINGS, MAX_FRAME_BYTES, Framed, framer, transmission, without_ending
from drivers.model import DiscardReason, Frame, InputQuality, Signal

MS = 1_000_000
IDLE_MS = 100
SILENCE = object()
TERMINATORS: tuple[Terminator, ...] = get_args(Terminator)
ENDED: tuple[Terminator, ...] = tuple(one for one in TERMINATORS if one != "none")

# GS1 General Specifications, section 7.8: FNC1 between elements is sent as GS. ISO/IEC 15434: RS and EOT.
GS1 = b"]d20108717648200274\x1d1728063010A1"
ISO_15434 = b"]d1[)>\x1e06\x1d9N111234567\x1e\x04"
EAN = b"4006381333931"


def play(terminator: Terminator, parts: Sequence[bytes | object], *, opened: bool = False) -> list[Framed]:
    """Feed the parts a millisecond apart, SILENCE being an idle gap; end with silence."""
    under_test = framer(terminator, IDLE_MS)
    now = 0
    if opened:
        under_test.opened(now)
    out: list[Framed] = []
    for part in (*parts, SILENCE):
        if isinstance(part, bytes):
            now += MS
            out += under_test.feed(part, now)
        else:
            now += IDLE_MS * MS
            out += under_test.idle(now)
    assert under_test.deadline_ns() is None
    return out


def said(frames: Sequence[Framed]) -> list[bytes | tuple[DiscardReason, int]]:
    """Return what came out without its times: data of frames, reason and length of discarded ones."""
    return [one.data if isinstance(one, Frame) else (one.reason, one.length) for one in frames]


def whole(stream: bytes) -> list[bytes]:
    return [stream]


def byte_by_byte(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


@pytest.mark.parametrize("terminator", ENDED)
@pytest.mark.parametrize("arriving", [whole, byte_by_byte])
def test_codes_come_out_as_they_were(terminator: Terminator, arriving: Callable[[bytes], list[bytes]]) -> None:
    codes = [GS1, ISO_15434, EAN, b"]A0+A99912345/$$52001510X3"]
    stream = b"".join(transmission(code, terminator) for code in codes)
    frames = play(terminator, arriving(stream))
    assert said(frames) == codes
    assert [one.quality for one in frames if isinstance(one, Frame)] == [frozenset()] * len(codes)


@pytest.mark.parametrize("terminator", ENDED)
def test_codes_come_out_as_they_were_wherever_the_stream_is_cut(terminator: Terminator) -> None:
    stream = transmission(GS1, terminator) + transmission(EAN, terminator)
    for at in range(len(stream) + 1):
        assert said(play(terminator, [stream[:at], stream[at:]])) == [GS1, EAN], at


@pytest.mark.parametrize("terminator", ENDED)
def test_what_follows_a_code_waits_for_its_own_end(terminator: Terminator) -> None:
    under_test = framer(terminator, IDLE_MS)
    rest = transmission(EAN, terminator)
    assert said(under_test.feed(transmission(GS1, terminator) + rest[:5], 1)) == [GS1]
    assert said(under_test.feed(rest[5:], 2)) == [EAN]
    assert under_test.deadline_ns() is None


@pytest.mark.parametrize(
    ("terminator", "parts", "expected"),
    [
        pytest.param("CR", [b"\r\r\r"], [], id="bare CR"),
        pytest.param("CRLF", [b"\r\n\r", b"\n"], [], id="bare CRLF"),
        pytest.param("TAB", [b"\t"], [], id="bare TAB"),
        pytest.param("STX-ETX", [b"\x02\x03"], [], id="empty STX-ETX"),
        pytest.param("none", [b"", SILENCE], [], id="nothing"),
        pytest.param("CR", [EAN + b"\r\n" + EAN + b"\r\n"], [EAN, EAN], id="CRLF under CR"),
        pytest.param("CR", [EAN + b"\r", b"\n", SILENCE, EAN + b"\r"], [EAN, EAN], id="CRLF under CR, late LF"),
        pytest.param("CRLF", [EAN + b"\r", b"\n" + EAN, b"\r\n"], [EAN, EAN], id="CRLF cut in two"),
        pytest.param("CRLF", [b"a\rb\r\r\n"], [b"a\rb\r"], id="CR inside a CRLF frame is data"),
        pytest.param("CRLF", [b"\r", b"a\r\n"], [b"a"], id="CR at the beginning of a CRLF frame"),
        pytest.param("CR", [b"ab", b"\ncd\r"], [b"ab\ncd"], id="LF inside a CR frame, cut before it, is data"),
        pytest.param("CR", [b"ab", b"\tcd\r"], [b"ab\tcd"], id="TAB inside a CR frame, cut before it, is data"),
        pytest.param("TAB", [EAN + b"\t\r", SILENCE, EAN + b"\t", b"\r"], [EAN, EAN], id="TAB CR under TAB"),
        pytest.param("CR", [EAN + b"\r\t", EAN + b"\r", b"\t", SILENCE], [EAN, EAN], id="CR TAB under CR"),
        pytest.param("ETX", [EAN + b"\x03\r\n", EAN + b"\x03"], [EAN, EAN], id="ETX CR LF under ETX"),
        pytest.param("LF", [b"\r\n" + EAN + b"\n"], [EAN], id="CR LF before a code"),
        pytest.param("none", [b"\r\n" + EAN], [EAN], id="CR LF before a code that silence ends"),
        pytest.param("LF", [b"a\nb\n"], [b"a", b"b"], id="LF"),
        pytest.param("ETX", [b"a\r\x03b\x03"], [b"a\r", b"b"], id="CR inside an ETX frame is data"),
        pytest.param("none", [EAN, SILENCE, b"a\r\n", b"b"], [EAN, b"a\r\nb"], id="only silence ends a frame"),
    ],
)
def test_terminators(terminator: Terminator, parts: list[bytes | object], expected: list[bytes]) -> None:
    assert said(play(terminator, parts)) == expected


UNTERMINATED = DiscardReason.UNTERMINATED
BROKEN_OFF = DiscardReason.BROKEN_OFF


@pytest.mark.parametrize(
    ("terminator", "parts", "clue"),
    [
        ("CR", [b"1234"], ""),
        ("CR", [b"1234\t"], "TAB"),
        ("CR", [b"1234\n"], "LF"),
        ("TAB", [b"1234\r\n"], "CRLF"),
        ("LF", [b"1234\r"], "CR"),
        ("CRLF", [b"1234\r"], ""),
        ("CR", [b"\x021234\x03"], "STX-ETX"),
        ("STX-ETX", [b"\x021234"], ""),
        ("CR", [bytes(one | 0x80 if one.bit_count() & 1 else one for one in b"]d201\r")], "parity"),
        ("CR", [b"\x00\xf8\x80\x00\xff"], "binary"),
        ("CR", [bytes.fromhex("07 f3 00 00 01 4e 52 fe 65")], "ssi"),
    ],
)
def test_what_silence_ends_is_part_of_a_code(terminator: Terminator, parts: list[bytes], clue: str) -> None:
    """A lot that is cut short looks like a lot. The last row is the SSI Programmer's Guide's packet of "NR"."""
    length = sum(map(len, parts)) - parts[0].startswith(b"\x02") * (terminator == "STX-ETX")
    length -= terminator == "CRLF"  # half a terminator is none of the code
    assert play(terminator, parts) == [FrameDiscarded(reason=UNTERMINATED, length=length, clue=clue)]


def test_without_a_terminator_silence_ends_a_code() -> None:
    (frame,) = play("none", [b"1234"])
    assert isinstance(frame, Frame)
    assert frame.data == b"1234"
    assert frame.quality == {InputQuality.UNTERMINATED}


@pytest.mark.parametrize("terminator", ["CR", "LF", "CRLF", "TAB", "ETX"])
def test_the_rest_of_a_code_after_a_silence_is_no_code(terminator: Terminator) -> None:
    rest = transmission(b"10A1", terminator)
    first = (UNTERMINATED, 19)
    for pauses in range(1, 9):
        parts = [GS1[:19], *[SILENCE] * pauses, rest, transmission(EAN, terminator)]
        assert said(play(terminator, parts)) == [first, (BROKEN_OFF, 4), EAN], pauses
    seconds = [SILENCE] * 10  # no scanner pauses for so long within a code
    assert said(play(terminator, [GS1[:19], *seconds, rest])) == [first, b"10A1"]
    assert said(play(terminator, [GS1[:19], SILENCE, transmission(GS1, terminator)])) == [first, GS1]
    assert said(play(terminator, [GS1[:19], SILENCE, b"10A1", SILENCE, rest])) == [
        first,
        (BROKEN_OFF, 4),
        (BROKEN_OFF, 4),
    ]


@pytest.mark.parametrize(
    ("terminator", "came", "code"),
    [
        ("CR", b"10A1\r", b"10A1"),
        ("CR", b"10A1\r\n", b"10A1"),
        ("CR", b"10A1\r\t", b"10A1"),
        ("CR", b"10A1", b"10A1"),
        ("CR", b"10A1\t", b"10A1\t"),
        ("CR", b"10\rA1\r", b"10\rA1"),
        ("LF", b"10A1\n", b"10A1"),
        ("CRLF", b"10A1\r\n", b"10A1"),
        ("TAB", b"10A1\t\r", b"10A1"),
        ("ETX", b"10A1\x03", b"10A1"),
        ("STX-ETX", b"\x0210A1\x03\r", b"10A1"),
        ("none", b"10A1\r", b"10A1\r"),
        ("CR", b"\r\n", b""),
        ("CR", b"\n\t10A1\r", b"10A1"),
    ],
)
def test_the_ending_in_a_report_or_packet(terminator: Terminator, came: bytes, code: bytes) -> None:
    """Scanners in HID POS and SSI modes send a configured suffix all the same."""
    assert without_ending(came, terminator) == code


def test_a_frame_is_not_ended_before_its_silence_is_over() -> None:
    under_test = framer("CR", IDLE_MS)
    under_test.feed(b"12", 0)
    under_test.feed(b"34", 90 * MS)
    assert under_test.deadline_ns() == 190 * MS
    assert under_test.idle(189 * MS) == []
    assert said(under_test.idle(190 * MS)) == [(UNTERMINATED, 4)]


@pytest.mark.parametrize("terminator", ENDED)
def test_a_frame_begins_with_its_first_byte(terminator: Terminator) -> None:
    under_test = framer(terminator, IDLE_MS)
    parts = byte_by_byte(transmission(EAN, terminator) * 2)
    frames = [one for at, part in enumerate(parts) for one in under_test.feed(part, at * MS)]
    started = [one.started_ns for one in frames if isinstance(one, Frame)]
    assert started == [0, len(parts) // 2 * MS]


@pytest.mark.parametrize("terminator", TERMINATORS)
@pytest.mark.parametrize("extra", [0, 1, 3 * MAX_FRAME_BYTES])
def test_a_frame_that_is_too_long_is_reported_once_and_the_next_is_whole(
    terminator: Terminator, extra: int
) -> None:
    data = b"7" * (MAX_FRAME_BYTES + extra)
    stream = transmission(data, terminator)
    parts: list[bytes | object] = [stream[at : at + 1000] for at in range(0, len(stream), 1000)]
    expected = (DiscardReason.TOO_LONG, len(data)) if extra else data
    assert said(play(terminator, [*parts, SILENCE, transmission(EAN, terminator)])) == [expected, EAN]
    if terminator != "none":
        assert said(play(terminator, [stream + transmission(EAN, terminator)])) == [expected, EAN]


def test_silence_ends_a_frame_that_is_too_long() -> None:
    frames = play("CR", [b"7" * 5000, SILENCE, EAN + b"\r", EAN + b"\r"])
    assert said(frames) == [(DiscardReason.TOO_LONG, 5000), (BROKEN_OFF, len(EAN)), EAN]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"xy\x02A\x03"], [(DiscardReason.GARBLED, 2), b"A"]),
        ([b"x", b"y", SILENCE, b"\x02A\x03"], [(DiscardReason.GARBLED, 2), b"A"]),
        ([b"\x02A\x03\r\n", b"\x02B\x03"], [b"A", b"B"]),
        ([b"\x02A\x03x\r\n", b"\x02B\x03"], [b"A", (DiscardReason.GARBLED, 3), b"B"]),
        ([b"tail\x03\x02B\x03"], [(DiscardReason.GARBLED, 5), b"B"]),
        ([b"\x02half\x02B\x03"], [(DiscardReason.GARBLED, 4), b"B"]),
        ([b"\x02", SILENCE, b"B\x03"], [(DiscardReason.GARBLED, 2)]),
        ([b"\x02half", SILENCE, b"B\x03"], [(DiscardReason.UNTERMINATED, 4), (DiscardReason.GARBLED, 2)]),
    ],
)
def test_bytes_outside_stx_and_etx_are_garbled(
    parts: list[bytes | object], expected: list[bytes | tuple[DiscardReason, int]]
) -> None:
    assert said(play("STX-ETX", parts)) == expected


@pytest.mark.parametrize("terminator", TERMINATORS)
def test_a_scanner_that_goes_in_the_middle_leaves_nothing_behind(terminator: Terminator) -> None:
    under_test = framer(terminator, IDLE_MS)
    half = transmission(EAN, terminator)[:6]
    under_test.feed(half, 0)
    length = len(half.removeprefix(b"\x02"))
    assert under_test.broken() == [FrameDiscarded(reason=DiscardReason.BROKEN_OFF, length=length)]
    assert under_test.broken() == []
    assert under_test.deadline_ns() is None
    frames = under_test.feed(transmission(GS1, terminator), 1) + under_test.idle(IDLE_MS * MS + 1)
    assert said(frames) == [GS1]


def test_half_a_terminator_is_forgotten_with_the_scanner() -> None:
    under_test = framer("CRLF", IDLE_MS)
    under_test.feed(b"12\r", 0)
    assert said(under_test.broken()) == [(DiscardReason.BROKEN_OFF, 2)]
    assert said(under_test.feed(EAN + b"\r\n", 1)) == [EAN]


@pytest.mark.parametrize(
    ("terminator", "parts", "expected"),
    [
        pytest.param("CR", [EAN + b"\r"], [(DiscardReason.BROKEN_OFF, 13)], id="may be the end of a longer code"),
        pytest.param("CR", [b"274\r" + EAN + b"\r"], [(DiscardReason.BROKEN_OFF, 3), EAN], id="then a whole code"),
        pytest.param("CR", [GS1 + b"\r" + EAN + b"\r"], [GS1, EAN], id="an AIM identifier begins a code"),
        pytest.param("CR", [SILENCE, EAN + b"\r"], [EAN], id="so does silence"),
        pytest.param("CR", [b"\r" + EAN + b"\r"], [EAN], id="so does a terminator"),
        pytest.param("CRLF", [b"\n" + GS1 + b"\r\n"], [GS1], id="the second half of a terminator"),
        pytest.param("CR", [b"27", SILENCE, GS1 + b"\r"], [(DiscardReason.BROKEN_OFF, 2), GS1], id="an end alone"),
        pytest.param("none", [b"27", SILENCE, EAN], [(DiscardReason.BROKEN_OFF, 2), EAN], id="no terminator"),
        pytest.param("none", [GS1], [GS1], id="no terminator, AIM identifier"),
        pytest.param("STX-ETX", [transmission(EAN, "STX-ETX")], [EAN], id="STX begins a code"),
        pytest.param("STX-ETX", [b"27\x03"], [(DiscardReason.GARBLED, 3)], id="no STX before it"),
        pytest.param("CR", [b"7" * 5000 + b"\r"], [(DiscardReason.TOO_LONG, 5000)], id="too long at that"),
    ],
)
def test_after_an_opening_the_end_of_a_code_is_no_code(
    terminator: Terminator, parts: list[bytes | object], expected: list[bytes | tuple[DiscardReason, int]]
) -> None:
    assert said(play(terminator, parts, opened=True)) == expected


def test_an_opening_is_settled_by_silence() -> None:
    under_test = framer("CR", IDLE_MS)
    under_test.opened(5)
    assert under_test.deadline_ns() == 5 + IDLE_MS * MS
    assert under_test.idle(5 + IDLE_MS * MS) == []
    assert under_test.deadline_ns() is None


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    """Cut the stream at the places, which count modulo its length."""
    points = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[a:b] for a, b in pairwise(points)]


noise = st.binary(max_size=200).map(lambda data: data.replace(b"A", b"\r\n").replace(b"B", b"\x02"))


@given(terminator=st.sampled_from(TERMINATORS), stream=noise, places=st.lists(st.integers(0, 10_000), max_size=20))
def test_how_the_bytes_arrive_makes_no_difference(terminator: Terminator, stream: bytes, places: list[int]) -> None:
    for opened in (False, True):
        pieces = play(terminator, cut(stream, places), opened=opened)
        assert said(pieces) == said(play(terminator, [stream], opened=opened))


@given(
    terminator=st.sampled_from(TERMINATORS),
    codes=st.lists(st.sampled_from([GS1, EAN, b"]A0+A99912345/$$52001510X3", ISO_15434]), min_size=1, max_size=4),
    begin=st.integers(0, 200),
)
def test_wherever_the_reading_begins_no_part_of_a_code_comes_out(
    terminator: Terminator, codes: list[bytes], begin: int
) -> None:
    parts = [transmission(code, terminator) for code in codes]
    stream = b"".join(parts)[begin:] if terminator != "none" else parts[0][begin:]
    frames = [one for one in play(terminator, [stream], opened=True) if isinstance(one, Frame)]
    assert {frame.data for frame in frames} <= set(codes)


def test_every_terminator_of_the_configuration_is_known() -> None:
    assert set(ENDINGS) == set(TERMINATORS)


def test_the_plain_dialect_frames_and_says_nothing() -> None:
    dialect = PlainDialect(ScannerSettings(name="desk", device="/dev/null", terminator="CR", idle_ms=IDLE_MS))
    dialect.opened(0)
    assert dialect.deadline_ns() == IDLE_MS * MS
    assert list(dialect.idle(IDLE_MS * MS)) == []
    (frame,) = dialect.feed(EAN + b"\r", 1)
    assert isinstance(frame, Frame)
    assert frame.data == EAN
    assert dialect.acknowledge(frame) == b""
    assert [dialect.signal(signal) for signal in Signal] == [b""] * len(Signal)
    assert list(dialect.feed(b"4006", 2)) == []
    assert list(dialect.broken()) == [FrameDiscarded(reason=DiscardReason.BROKEN_OFF, length=4)]


@pytest.mark.parametrize("terminator", ["CR", "STX-ETX", "none"])
def test_a_line_that_never_ends_takes_no_memory(terminator: Terminator) -> None:
    endless = framer(terminator, 20)
    for now_ns in range(100):
        endless.feed(b"\x02" * (not now_ns) + b"7" * MAX_FRAME_BYTES, now_ns)
    assert len(endless._held) <= MAX_FRAME_BYTES

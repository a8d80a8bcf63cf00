"""Zebra SSI: who is acknowledged when, what is asked for again, and what a repetition means."""

import pytest

from drivers.base import DialectOutput, FrameDiscarded, ScannerReply, ScannerSettings, Send, Terminator
from drivers.dialects.ssi_packet import CODE_ID_PARAMETER, Op, SsiPacket, decode, encode
from drivers.dialects.zebra_ssi import ACK, NAK_RESEND, RESEND_NS, ZebraSsiDialect
from drivers.model import DiscardReason, Frame, Signal

MS = 1_000_000
S = 1000 * MS
IDLE_MS = 100
LABEL = b"]d2010952000100010210L1\x1d21S000001"
DATA_MATRIX = b"\x1b"
ANSWER = encode(SsiPacket(op=Op.ACK, source=0))


def scanner(terminator: Terminator = "CR") -> ZebraSsiDialect:
    return ZebraSsiDialect(
        ScannerSettings(name="desk", dialect="zebra-ssi", terminator=terminator, idle_ms=IDLE_MS)
    )


def code(text: bytes, *, again: bool = False, more: bool = False, kind: bytes = DATA_MATRIX) -> bytes:
    """A DECODE_DATA packet."""
    return encode(SsiPacket(op=Op.DECODE_DATA, source=0, status=again + 2 * more, data=kind + text))


def flipped(packet: bytes, at: int = 6) -> bytes:
    return packet[:at] + bytes((packet[at] ^ 1,)) + packet[at + 1 :]


def frames(outputs: list[DialectOutput]) -> list[tuple[bytes, bool]]:
    return [(one.data, one.retransmission) for one in outputs if isinstance(one, Frame)]


def sent(outputs: list[DialectOutput]) -> list[bytes]:
    return [one.data for one in outputs if isinstance(one, Send)]


def discarded(outputs: list[DialectOutput]) -> list[tuple[DiscardReason, int]]:
    return [(one.reason, one.length) for one in outputs if isinstance(one, FrameDiscarded)]


def feed(under_test: ZebraSsiDialect, *parts: bytes, at: int = 0) -> list[DialectOutput]:
    return [one for part in parts for one in under_test.feed(part, at)]


def test_golden_code() -> None:
    """SE923 Integration Guide: DECODE_DATA of the Code 39 symbol "NR". Nothing is sent before it is stored."""
    under_test = scanner()
    out = feed(under_test, bytes.fromhex("07 F3 00 00 01 4E 52 FE 65"))
    assert out == [Frame(data=b"NR", started_ns=0)]
    assert isinstance(out[0], Frame)
    assert under_test.acknowledge(out[0]) == bytes.fromhex("04 D0 04 00 FF 28")


@pytest.mark.parametrize(
    ("signal", "code"),
    [
        (Signal.ACCEPTED, "05 E6 04 00 00 FF 11"),  # SE923: one short high beep
        (Signal.MORE, "05 E6 04 00 17 FE FA"),
        (Signal.WARNING, "05 E6 04 00 02 FF 0F"),
        (Signal.REFUSED, "05 E6 04 00 10 FF 01"),
        (Signal.TROUBLE, "05 E6 04 00 12 FE FF"),  # SE923: four long low beeps
    ],
)
def test_signals(signal: Signal, code: str) -> None:
    assert scanner().signal(signal) == bytes.fromhex(code)


@pytest.mark.parametrize(
    ("terminator", "text"), [("CR", LABEL + b"\r"), ("CRLF", LABEL + b"\r\n"), ("none", LABEL), ("LF", LABEL)]
)
def test_a_suffix_in_the_packet_is_no_part_of_the_code(terminator: Terminator, text: bytes) -> None:
    assert frames(feed(scanner(terminator), code(text))) == [(LABEL, False)]


class TestAcknowledgement:
    def test_a_code_is_acknowledged_once(self) -> None:
        under_test = scanner()
        (frame,) = feed(under_test, code(LABEL))
        assert isinstance(frame, Frame)
        assert [under_test.acknowledge(frame), under_test.acknowledge(frame)] == [ACK, b""]

    def test_a_repetition_is_acknowledged_again(self) -> None:
        under_test = scanner()
        (first,) = feed(under_test, code(LABEL))
        assert isinstance(first, Frame)
        assert under_test.acknowledge(first) == ACK  # and it gets lost
        (second,) = feed(under_test, code(LABEL, again=True), at=2 * S)
        assert second == Frame(data=LABEL, started_ns=2 * S, retransmission=True)
        assert isinstance(second, Frame)
        assert under_test.acknowledge(second) == ACK

    def test_a_repetition_that_overtakes_the_disk_is_acknowledged_once(self) -> None:
        """A second ACK would reach the scanner when it waits for that of another code, which is not on disk."""
        under_test = scanner()
        first, second = feed(under_test, code(LABEL), code(LABEL, again=True))
        assert isinstance(first, Frame)
        assert isinstance(second, Frame)
        assert [under_test.acknowledge(first), under_test.acknowledge(second)] == [ACK, b""]

    def test_a_code_that_the_scanner_gave_up_is_not_acknowledged_in_the_place_of_the_next(self) -> None:
        under_test = scanner()
        first, second = feed(under_test, code(LABEL), code(b"4006381333931"))
        assert isinstance(first, Frame)
        assert isinstance(second, Frame)
        assert [under_test.acknowledge(first), under_test.acknowledge(second)] == [b"", ACK]

    def test_the_same_label_once_more_is_another_code(self) -> None:
        under_test = scanner()
        first, second = feed(under_test, code(LABEL)) + feed(under_test, code(LABEL), at=S)
        assert isinstance(first, Frame)
        assert not first.retransmission
        assert isinstance(second, Frame)
        assert not second.retransmission
        assert [under_test.acknowledge(first), under_test.acknowledge(second)] == [b"", ACK]

    def test_a_scanner_that_was_unplugged_waits_for_nothing(self) -> None:
        under_test = scanner()
        (frame,) = feed(under_test, code(LABEL))
        under_test.broken()
        under_test.opened(S)
        assert isinstance(frame, Frame)
        assert under_test.acknowledge(frame) == b""


class TestGarbled:
    def test_a_wrong_checksum_is_asked_for_again(self) -> None:
        under_test = scanner()
        assert feed(under_test, flipped(code(LABEL))) == [Send(data=NAK_RESEND)]
        assert bytes.fromhex("05 D1 04 00 01 FF 25") == NAK_RESEND
        out = feed(under_test, code(LABEL, again=True), at=50 * MS)
        assert frames(out) == [(LABEL, False)], "nothing of it was handed on before: it is no repetition"
        assert discarded(out) == []
        assert under_test.deadline_ns() is None

    def test_a_repetition_that_arrives_garbled_stays_a_repetition(self) -> None:
        under_test = scanner()
        feed(under_test, code(LABEL))
        feed(under_test, flipped(code(LABEL, again=True)), at=2 * S)
        assert frames(feed(under_test, code(LABEL, again=True), at=3 * S)) == [(LABEL, True)]

    def test_it_is_asked_for_once_per_burst(self) -> None:
        under_test = scanner()
        assert sent(feed(under_test, flipped(code(LABEL)), flipped(code(LABEL)))) == [NAK_RESEND]
        under_test.idle(IDLE_MS * MS)
        assert sent(feed(under_test, flipped(code(LABEL)), at=S)) == [NAK_RESEND]

    def test_what_is_not_sent_again_is_reported(self) -> None:
        under_test = scanner()
        packet = flipped(code(LABEL))
        feed(under_test, packet)
        assert under_test.deadline_ns() == RESEND_NS
        assert list(under_test.idle(RESEND_NS - 1)) == []
        assert discarded(list(under_test.idle(RESEND_NS))) == [(DiscardReason.GARBLED, len(packet))]
        assert under_test.deadline_ns() is None

    def test_it_is_reported_when_another_code_comes_instead(self) -> None:
        under_test = scanner()
        packet = flipped(code(LABEL))
        out = feed(under_test, packet, code(b"4006381333931"))
        assert discarded(out) == [(DiscardReason.GARBLED, len(packet))]
        assert frames(out) == [(b"4006381333931", False)]

    @pytest.mark.parametrize("noise", [b"\xff", b"\x00\x01\x02", ANSWER[:-1] + b"\x00"])
    def test_noise_too_short_for_a_code_is_no_lost_code(self, noise: bytes) -> None:
        under_test = scanner()
        out = feed(under_test, code(LABEL), noise, at=0)
        out += under_test.idle(IDLE_MS * MS)
        out += under_test.idle(2 * RESEND_NS)
        assert frames(out) == [(LABEL, False)]
        assert discarded(out) == []

    @pytest.mark.parametrize("missing", [slice(1, None), slice(3, None), slice(0, -1), slice(0, 10)])
    def test_a_packet_with_a_missing_end_waits_for_its_repetition(self, missing: slice) -> None:
        under_test = scanner()
        out = feed(under_test, code(b"4006381333931"), code(LABEL)[missing])
        out += under_test.idle(IDLE_MS * MS)
        assert discarded(out) == []
        out += feed(under_test, code(LABEL, again=True), at=2 * S)
        assert frames(out) == [(b"4006381333931", False), (LABEL, False)]

    @pytest.mark.parametrize("length", range(8, len(code(LABEL))))
    def test_the_first_packet_with_a_missing_end_is_no_unpacked_code(self, length: int) -> None:
        under_test = scanner()
        under_test.opened(0)
        under_test.idle(S)
        out = feed(under_test, code(LABEL)[:length], at=S)
        out += under_test.idle(2 * S)
        out += feed(under_test, code(LABEL, again=True), at=3 * S)
        assert frames(out) == [(LABEL, False)]
        assert discarded(out) == []


LONG = bytes(b"]Q3" + b"0109520001000102" * 40)
PARTS = [LONG[:250], LONG[250:500], LONG[500:]]


def in_parts(*, each_with_type: bool, kind: bytes = b"\x1c") -> list[bytes]:
    """A code of three packets; whether the later ones repeat the symbol's type is not verified."""
    return [
        encode(
            SsiPacket(
                op=Op.DECODE_DATA,
                source=0,
                status=2 if at < 2 else 0,
                data=(kind if each_with_type or at == 0 else b"") + part,
            )
        )
        for at, part in enumerate(PARTS)
    ]


def repeated(packet: bytes) -> bytes:
    before = decode(packet)
    assert before is not None
    return encode(SsiPacket(op=before.op, source=0, status=before.status | 1, data=before.data))


@pytest.mark.parametrize("each_with_type", [True, False])
class TestContinued:
    def test_parts_are_joined_and_all_but_the_last_answered_at_once(self, each_with_type: bool) -> None:  # noqa: FBT001
        under_test = scanner()
        one, two, three = in_parts(each_with_type=each_with_type)
        assert feed(under_test, one) == [Send(data=ACK)]
        assert feed(under_test, two, at=S) == [Send(data=ACK)]
        (frame,) = feed(under_test, three, at=2 * S)
        assert frame == Frame(data=LONG, started_ns=0)
        assert isinstance(frame, Frame)
        assert under_test.acknowledge(frame) == ACK

    def test_the_last_part_repeated_is_the_whole_code_again(self, each_with_type: bool) -> None:  # noqa: FBT001
        under_test = scanner()
        packets = in_parts(each_with_type=each_with_type)
        out = feed(under_test, *packets, repeated(packets[2]))
        assert frames(out) == [(LONG, False), (LONG, True)]

    def test_a_part_repeated_is_not_taken_twice(self, each_with_type: bool) -> None:  # noqa: FBT001
        under_test = scanner()
        one, two, three = in_parts(each_with_type=each_with_type)
        out = feed(under_test, one, repeated(one), two, three)
        assert frames(out) == [(LONG, False)]
        assert sent(out) == [ACK] * 3

    def test_a_part_that_arrives_garbled_is_asked_for_again(self, each_with_type: bool) -> None:  # noqa: FBT001
        under_test = scanner()
        one, two, three = in_parts(each_with_type=each_with_type)
        out = feed(under_test, one, flipped(two), repeated(two), flipped(three), repeated(three))
        assert frames(out) == [(LONG, False)]
        assert sent(out) == [ACK, NAK_RESEND, ACK, NAK_RESEND]

    def test_a_part_that_the_scanner_gave_up_is_forgotten(self, each_with_type: bool) -> None:  # noqa: FBT001
        under_test = scanner()
        one, *_ = in_parts(each_with_type=each_with_type)
        out = feed(under_test, one, repeated(one), repeated(one), code(LABEL))
        assert sent(out) == [ACK, ACK], "the last try is not answered: the scanner gives up for certain"
        assert discarded(out) == [(DiscardReason.GARBLED, 250)]
        assert frames(out) == [(LABEL, False)]

    def test_a_code_that_is_not_continued_is_reported(self, each_with_type: bool) -> None:  # noqa: FBT001
        under_test = scanner()
        feed(under_test, *in_parts(each_with_type=each_with_type)[:2])
        assert under_test.deadline_ns() == RESEND_NS
        assert discarded(list(under_test.idle(RESEND_NS))) == [(DiscardReason.GARBLED, 500)]
        assert frames(feed(under_test, code(LABEL), at=2 * RESEND_NS)) == [(LABEL, False)]

    @pytest.mark.parametrize("seen", [1, 2])
    @pytest.mark.parametrize("again", [True, False])
    def test_an_end_whose_beginning_another_process_read_is_no_code(
        self,
        each_with_type: bool,  # noqa: FBT001
        seen: int,
        again: bool,  # noqa: FBT001
    ) -> None:
        under_test = scanner()
        under_test.opened(0)
        rest = in_parts(each_with_type=each_with_type)[seen:]
        out = feed(under_test, repeated(rest[0]) if again else rest[0], at=MS)
        assert sent(out) == []
        assert [reason for reason, _ in discarded(out)] == [DiscardReason.BROKEN_OFF]
        out = feed(under_test, repeated(rest[0]), repeated(rest[0]), at=5 * S)
        assert out == [], "said once; without an acknowledgement the scanner tells the operator"


def test_when_nobody_can_tell_type_from_text_the_code_is_thrown_away() -> None:
    packets = in_parts(each_with_type=True, kind=b"0")
    out = feed(scanner(), packets[0], packets[1], repeated(packets[1]), packets[2])
    assert frames(out) == []
    assert sent(out) == [ACK]
    assert [reason for reason, _ in discarded(out)] == [DiscardReason.GARBLED, DiscardReason.BROKEN_OFF]


@pytest.mark.parametrize(("text", "whole"), [(LABEL, True), (b"4006381333931", False)])
def test_a_repetition_of_what_another_process_read(text: bytes, whole: bool) -> None:  # noqa: FBT001
    """An AIM identifier proves that it is no end of a longer code. Else the operator scans again."""
    under_test = scanner()
    under_test.opened(0)
    under_test.idle(S)
    out = feed(under_test, code(text, again=True), at=2 * S)
    assert frames(out) == ([(text, True)] if whole else [])
    assert len(discarded(out)) == (not whole)


class TestUnpacked:
    def test_codes_and_answers_on_one_line(self) -> None:
        out = feed(scanner(), b"4006381333931\r" + ANSWER + LABEL + b"\r" + ANSWER)
        assert out == [
            Frame(data=b"4006381333931", started_ns=0),
            ScannerReply(data=ANSWER),
            Frame(data=LABEL, started_ns=0),
            ScannerReply(data=ANSWER),
        ]

    def test_an_unpacked_code_is_not_acknowledged(self) -> None:
        under_test = scanner()
        (frame,) = feed(under_test, LABEL + b"\r")
        assert isinstance(frame, Frame)
        assert under_test.acknowledge(frame) == b""

    def test_text_is_garbled_once_a_code_came_in_a_packet(self) -> None:
        under_test = scanner()
        out = feed(under_test, code(LABEL), b"4006381333931\r")
        out += under_test.idle(IDLE_MS * MS)
        out += under_test.idle(2 * RESEND_NS)
        assert frames(out) == [(LABEL, False)]
        assert discarded(out) == [(DiscardReason.GARBLED, 14)]


def test_answers_to_commands_are_replies() -> None:
    """PARAM_SEND with the value of Transmit Code ID, and the answer to a management command, between two codes."""
    value = encode(SsiPacket(op=Op.PARAM_SEND, source=0, data=bytes((0xFF, CODE_ID_PARAMETER, 1))))
    rsm = encode(SsiPacket(op=Op.MANAGEMENT, source=0, data=bytes.fromhex("0006200000FF")))
    out = feed(scanner(), code(LABEL) + value + rsm + code(b"4006381333931"))
    assert [one.data for one in out if isinstance(one, ScannerReply)] == [value, rsm]
    assert frames(out) == [(LABEL, False), (b"4006381333931", False)]
    assert sent(out) == []

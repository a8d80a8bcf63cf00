"""What every dialect does, whatever the vendor."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Dialect, DialectOutput, FrameDiscarded, ScannerReply, ScannerSettings, Send
from drivers.catalogue import DIALECTS, FEEDBACK, dialect_for
from drivers.dialects.ssi_packet import MAX_DATA_BYTES, Op, SsiPacket, encode
from drivers.framing import MAX_FRAME_BYTES
from drivers.model import Frame, Signal

MS = 1_000_000
IDLE_MS = 100
LONG_NS = 60_000 * MS
LABEL = b"]d20109520001000102172811301" + b"0L1\x1d21S000001"


def dialect(name: str, feedback: str = "beep") -> Dialect:
    return dialect_for(
        ScannerSettings(name="desk", dialect=name, feedback=feedback, idle_ms=IDLE_MS)  # type: ignore[arg-type]  # from the catalogue's tables
    )


def transmission(name: str, code: bytes) -> bytes:
    """What a scanner of the vendor sends for a code, as it comes out of the box of its profile."""
    if name == "zebra-ssi":
        return encode(SsiPacket(op=Op.DECODE_DATA, source=0, data=b"\x1b" + code))
    return code + b"\r"


def said(outputs: Iterable[DialectOutput]) -> list[tuple[str, object, object]]:
    """Return what came out without its times."""
    return [
        (type(one).__name__, one.data, one.quality | {one.retransmission})
        if isinstance(one, Frame)
        else (type(one).__name__, one.reason, one.length)
        if isinstance(one, FrameDiscarded)
        else (type(one).__name__, one.data, None)
        for one in outputs
    ]


def play(under_test: Dialect, parts: Iterable[bytes]) -> list[DialectOutput]:
    """Feed the parts at one moment, then let everything run out."""
    out = [one for part in parts for one in under_test.feed(part, 1000 * MS)]
    now = 1000 * MS
    for _ in range(10):
        now += LONG_NS
        out += under_test.idle(now)
    assert under_test.deadline_ns() is None
    return out


ALL = pytest.mark.parametrize("name", DIALECTS)


def test_the_table_of_feedback_knows_every_dialect() -> None:
    assert set(FEEDBACK) == set(DIALECTS)
    assert all("beep" in allowed and "none" in allowed for allowed in FEEDBACK.values())


@pytest.mark.parametrize(
    ("name", "feedback"),
    [(name, one) for name in DIALECTS if name != "plain" for one in FEEDBACK[name] if one != "none"],
)
def test_each_signal_is_another_pattern(name: str, feedback: str) -> None:
    patterns = [dialect(name, feedback).signal(one) for one in Signal]
    assert all(patterns)
    assert len(set(patterns)) == len(Signal)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_scanner_that_is_not_to_be_told_is_not_told(name: str) -> None:
    under_test = dialect(name, "none")
    assert [under_test.signal(one) for one in Signal] == [b""] * len(Signal)


@ALL
def test_a_code_comes_out_as_it_was_wherever_the_stream_is_cut(name: str) -> None:
    stream = transmission(name, LABEL) + transmission(name, b"4006381333931")
    for at in range(len(stream) + 1):
        out = play(dialect(name), [stream[:at], stream[at:]])
        assert [one.data for one in out if isinstance(one, Frame)] == [LABEL, b"4006381333931"], at
    out = play(dialect(name), [stream[at : at + 1] for at in range(len(stream))])
    assert [one.data for one in out if isinstance(one, Frame)] == [LABEL, b"4006381333931"]


@ALL
def test_a_frame_begins_with_its_first_byte(name: str) -> None:
    under_test = dialect(name)
    stream = transmission(name, LABEL)
    frames = [
        one
        for at in range(2 * len(stream))
        for one in under_test.feed((stream * 2)[at : at + 1], at * MS)
        if isinstance(one, Frame)
    ]
    assert [one.started_ns for one in frames] == [0, len(stream) * MS]


@ALL
def test_after_an_opening_only_a_whole_code_counts(name: str) -> None:
    """The end of a code whose beginning somebody else read is thrown away; silence or an AIM identifier proves."""
    under_test = dialect(name)
    under_test.opened(0)
    assert under_test.deadline_ns() == IDLE_MS * MS
    assert [type(one) for one in under_test.feed(transmission(name, b"1728113010L1"), MS)] == [FrameDiscarded]
    assert [
        one.data
        for one in under_test.feed(transmission(name, b"4006381333931"), 500 * MS)
        if isinstance(one, Frame)
    ]
    under_test.opened(1000 * MS)
    assert [
        one.data for one in under_test.feed(transmission(name, LABEL), 1001 * MS) if isinstance(one, Frame)
    ] == [LABEL]
    under_test.opened(2000 * MS)
    assert list(under_test.idle((2000 + IDLE_MS) * MS)) == []
    assert under_test.deadline_ns() is None
    assert len(list(under_test.feed(transmission(name, b"4006381333931"), 2500 * MS))) == 1


@ALL
def test_a_scanner_that_goes_in_the_middle_leaves_nothing_behind(name: str) -> None:
    under_test = dialect(name)
    stream = transmission(name, LABEL)
    for at in range(1, len(stream)):
        assert list(under_test.feed(stream[:at], 0)) == []
        (gone,) = under_test.broken()
        assert isinstance(gone, FrameDiscarded)
        assert gone.length == at
        assert list(under_test.broken()) == []
        assert under_test.deadline_ns() is None
    assert [one.data for one in under_test.feed(stream, 1) if isinstance(one, Frame)] == [LABEL]


@ALL
def test_nothing_is_acknowledged_that_was_not_read(name: str) -> None:
    assert dialect(name).acknowledge(Frame(data=LABEL, started_ns=0)) == b""


PIECES = st.sampled_from(
    [
        LABEL,
        b"\r",
        b"\x00",
        b"\x06.",
        b"CBRENA1\x06.",
        b"$>",
        b"\x02",
        b"\x03",
        encode(SsiPacket(op=Op.DECODE_DATA, source=0, data=b"\x1bA")),
        encode(SsiPacket(op=Op.DECODE_DATA, source=0, status=2, data=b"\x1bA")),
        encode(SsiPacket(op=Op.DECODE_DATA, source=0, status=3, data=b"\x1bA")),
        encode(SsiPacket(op=Op.DECODE_DATA, source=0, status=1, data=b"\x30B")),
        encode(SsiPacket(op=Op.DECODE_DATA, source=0, status=2, data=b"\x30A")),
        encode(SsiPacket(op=Op.DECODE_DATA, source=0)),
        encode(SsiPacket(op=Op.DECODE_DATA, source=0, data=b"\x1bA"))[:-1] + b"\x00",
        encode(SsiPacket(op=Op.ACK, source=0)),
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=20), max_size=8).map(b"".join)


@ALL
@settings(max_examples=150, deadline=None)
@given(stream=STREAMS, cuts=st.lists(st.integers(0, 200), max_size=6), was_opened=st.booleans())
def test_any_bytes_come_out_the_same_however_they_are_cut(
    name: str,
    stream: bytes,
    cuts: list[int],
    was_opened: bool,  # noqa: FBT001 - drawn
) -> None:
    whole, cut = dialect(name), dialect(name)
    if was_opened:
        whole.opened(999 * MS)
        cut.opened(999 * MS)
    edges = [0, *sorted(min(at, len(stream)) for at in cuts), len(stream)]
    assert said(play(cut, [stream[a:b] for a, b in itertools.pairwise(edges)])) == said(play(whole, [stream]))


ACTIONS = st.one_of(
    st.tuples(st.just("feed"), PIECES | st.binary(max_size=40)),
    st.tuples(st.sampled_from(["opened", "broken", "idle", "due"]), st.just(b"")),
)


@ALL
@settings(max_examples=150, deadline=None)
@given(actions=st.lists(st.tuples(ACTIONS, st.integers(0, 3000)), max_size=12))
def test_nothing_makes_it_raise(name: str, actions: list[tuple[tuple[str, bytes], int]]) -> None:
    under_test = dialect(name)
    now = 0
    for (action, data), step in actions:
        now += step * MS
        out: list[DialectOutput] = []
        if action == "feed":
            out += under_test.feed(data, now)
        elif action == "opened":
            under_test.opened(now)
        elif action == "broken":
            out += under_test.broken()
        elif action == "due":
            now = max(now, under_test.deadline_ns() or 0)
            out += under_test.idle(now)
        else:
            out += under_test.idle(now)
        for one in out:
            if isinstance(one, Frame):
                assert 0 < len(one.data) <= MAX_FRAME_BYTES
                assert under_test.acknowledge(one) in {b"", bytes.fromhex("04D00400FF28")}
            elif isinstance(one, FrameDiscarded):
                assert one.length > 0
            else:
                assert isinstance(one, (ScannerReply, Send))
                assert 0 < len(one.data) <= MAX_FRAME_BYTES


@ALL
def test_a_code_without_end_is_reported_once_and_the_next_is_whole(name: str) -> None:
    under_test = dialect(name)
    if name == "zebra-ssi":
        part = encode(SsiPacket(op=Op.DECODE_DATA, source=0, status=2, data=b"\x1b" + b"7" * (MAX_DATA_BYTES - 1)))
        endless = [part] * 40 + [transmission(name, b"7")]
    else:
        endless = [b"7" * 1000] * 12 + [b"\r"]
    out = [one for data in [*endless, transmission(name, LABEL)] for one in under_test.feed(data, 0)]
    discarded = [one for one in out if isinstance(one, FrameDiscarded)]
    assert [one.reason.value for one in discarded] == ["too-long"]
    assert [one.data for one in out if isinstance(one, Frame)] == [LABEL]

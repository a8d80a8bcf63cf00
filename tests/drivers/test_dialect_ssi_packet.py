"""SSI packets, both ways: every vector stands in a manual."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.dialects.ssi_packet import (
    CODE_ID_PARAMETER,
    HOST,
    MAX_DATA_BYTES,
    SCANNER,
    Garbled,
    NakCause,
    Op,
    Outside,
    Piece,
    Splitter,
    SsiPacket,
    Status,
    acknowledgement,
    beep,
    decode,
    encode,
    led,
    parameter_number,
    refusal,
    request_parameters,
    set_parameters,
)

RSM = bytes.fromhex("00062000")

VECTORS = [
    # SE923 Integration Guide, Simple Serial Interface: CMD_ACK, CMD_NAK, LED_ON, DECODE_DATA, BEEP.
    pytest.param("04 D0 04 00 FF 28", SsiPacket(op=Op.ACK), id="ACK"),
    pytest.param("05 D1 04 00 01 FF 25", SsiPacket(op=Op.NAK, data=b"\x01"), id="NAK resend"),
    pytest.param("05 E7 04 00 01 FF 0F", SsiPacket(op=Op.LED_ON, data=b"\x01"), id="LED on"),
    pytest.param(
        "07 F3 00 00 01 4E 52 FE 65", SsiPacket(op=Op.DECODE_DATA, source=SCANNER, data=b"\x01NR"), id="decode NR"
    ),
    pytest.param("05 E6 04 00 00 FF 11", SsiPacket(op=Op.BEEP, data=b"\x00"), id="one short high beep"),
    pytest.param("05 E6 04 00 12 FE FF", SsiPacket(op=Op.BEEP, data=b"\x12"), id="four long low beeps"),
    pytest.param(
        "07 C6 04 08 FF 2D 01 FD FA",
        SsiPacket(op=Op.PARAM_SEND, status=Status.PERMANENT, data=b"\xff\x2d\x01"),
        id="AIM identifiers on",
    ),
    # DS457 and DS8108: management command that asks for the size of the scanner's packets.
    pytest.param(
        "0A 80 04 00 00 06 20 00 00 FF FE 4D", SsiPacket(op=Op.MANAGEMENT, data=RSM + b"\x00\xff"), id="RSM DS457"
    ),
    pytest.param(
        "0A 80 04 00 00 06 20 00 FF FF FD 4E", SsiPacket(op=Op.MANAGEMENT, data=RSM + b"\xff\xff"), id="RSM DS8108"
    ),
]


@pytest.mark.parametrize(("wire", "packet"), VECTORS)
def test_golden_packets_both_ways(wire: str, packet: SsiPacket) -> None:
    data = bytes.fromhex(wire)
    assert encode(packet) == data
    assert decode(data) == packet


@pytest.mark.parametrize(
    ("built", "wire"),
    [
        (acknowledgement(), "04 D0 04 00 FF 28"),
        (refusal(NakCause.RESEND), "05 D1 04 00 01 FF 25"),
        (led(1, on=True), "05 E7 04 00 01 FF 0F"),
        (led(1, on=False), "05 E8 04 00 01 FF 0E"),
        (beep(0x00), "05 E6 04 00 00 FF 11"),
        (beep(0x12), "05 E6 04 00 12 FE FF"),
        (set_parameters({CODE_ID_PARAMETER: 1}, permanent=True), "07 C6 04 08 FF 2D 01 FD FA"),
        (set_parameters({0xEE: 1}, permanent=False), "07 C6 04 00 FF EE 01 FD 41"),
        (request_parameters([0x9F, 0xEE]), "06 C7 04 00 9F EE FD A2"),
    ],
)
def test_commands(built: bytes, wire: str) -> None:
    assert built == bytes.fromhex(wire)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0x00, "00"),
        (45, "2D"),
        (0xEF, "EF"),
        (0xF0, "F8 00 F0"),
        (0x100, "F0 00"),
        (0x1FF, "F0 FF"),
        (0x200, "F1 00"),
        (0x3FF, "F2 FF"),
        (0x400, "F8 04 00"),
        (1721, "F8 06 B9"),
    ],
)
def test_parameter_numbers(number: int, written: str) -> None:
    assert parameter_number(number) == bytes.fromhex(written)


@pytest.mark.parametrize("number", [-1, 0x10000])
def test_what_is_no_parameter_number(number: int) -> None:
    with pytest.raises(ValueError, match="parameter number"):
        parameter_number(number)


@pytest.mark.parametrize(
    "wire",
    ["", "04", "04 D0 04 00", "04 D0 04 00 FF", "04 D0 04 00 FF 29", "05 D0 04 00 FF 28", "04 D0 04 00 FF 28 00"],
)
def test_what_is_no_packet(wire: str) -> None:
    assert decode(bytes.fromhex(wire)) is None


def test_a_packet_has_a_largest_size() -> None:
    full = SsiPacket(op=Op.DECODE_DATA, data=b"7" * MAX_DATA_BYTES)
    assert decode(encode(full)) == full
    with pytest.raises(ValueError, match="holds 251 bytes"):
        encode(SsiPacket(op=Op.DECODE_DATA, data=b"7" * (MAX_DATA_BYTES + 1)))


def split(parts: list[bytes], line_end: bytes = b"\r") -> list[Piece]:
    """Feed the parts, then silence; join what stands outside packets."""
    under_test = Splitter(line_end)
    pieces = [piece for part in parts for piece in under_test.feed(part)] + under_test.flush()
    assert under_test.pending == 0
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Outside) and joined and isinstance(joined[-1], Outside):
            joined[-1] = Outside(joined[-1].data + piece.data)
        else:
            joined.append(piece)
    return joined


CODE = SsiPacket(op=Op.DECODE_DATA, source=SCANNER, data=b"\x1b]d2010952000100010210L1\x1d21S1")
ANSWER = SsiPacket(op=Op.ACK, source=SCANNER)
BAD = bytearray(encode(CODE))
BAD[10] ^= 0x20


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(encode(CODE) + encode(ANSWER), [CODE, ANSWER], id="two packets"),
        pytest.param(
            encode(ANSWER) + b"4006381333931\r" + encode(ANSWER), [ANSWER, Outside(b"4006381333931\r"), ANSWER]
        ),
        pytest.param(b"\xff\x10" + encode(CODE), [Outside(b"\xff\x10"), CODE], id="noise before"),
        pytest.param(encode(CODE) + b"\x00\x03\x7f" + encode(CODE), [CODE, Outside(b"\x00\x03\x7f"), CODE]),
        pytest.param(bytes(BAD) + encode(CODE), [Garbled(len(BAD)), CODE], id="a bit flipped"),
        pytest.param(encode(CODE)[:12], [Outside(encode(CODE)[:12])], id="an end is missing"),
        pytest.param(encode(CODE)[5:], [Outside(encode(CODE)[5:])], id="a beginning is missing"),
        # A length that noise made larger swallows what follows until silence; then the packet within is found.
        pytest.param(
            b"\xc8\xf3\x00" + encode(CODE), [Outside(b"\xc8\xf3\x00"), CODE], id="a packet within a false one"
        ),
        pytest.param("é€\r".encode(), [Outside("é€\r".encode())], id="UTF-8"),
    ],
)
def test_packets_are_found_wherever_the_stream_is_cut(stream: bytes, expected: list[Piece]) -> None:
    assert split([stream]) == expected
    assert split([stream[at : at + 1] for at in range(len(stream))]) == expected
    for at in range(len(stream) + 1):
        assert split([stream[:at], stream[at:]]) == expected, at


def test_the_end_of_an_unpacked_code_is_not_held_back() -> None:
    under_test = Splitter(b"\r")
    assert under_test.feed(b"4006381333931\r") == [Outside(b"4006381333931\r")]
    assert under_test.feed(b"4006381333931") == [Outside(b"400638133393")]
    assert under_test.feed(b"\r") == [Outside(b"1\r")]
    assert under_test.pending == 0


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_no_bytes_are_lost_and_little_is_held(parts: list[bytes]) -> None:
    under_test = Splitter(b"\r")
    length = 0
    for pieces in [*map(under_test.feed, parts), under_test.flush()]:
        assert under_test.pending <= 257
        for piece in pieces:
            if isinstance(piece, Outside):
                length += len(piece.data)
            else:
                length += piece.length if isinstance(piece, Garbled) else len(encode(piece))
    assert length == sum(map(len, parts))


def test_the_host_is_no_scanner() -> None:
    """What the gateway sends itself, echoed by a line, is no packet of a scanner."""
    echo = encode(SsiPacket(op=Op.ACK, source=HOST))
    assert split([echo]) == [Outside(echo)]

"""Every driver with every ending that a scanner can send: the code is exact, or it is refused; never a part of it.

Vendors' guides list CR, LF, CR LF, TAB, ETX, STX ETX, TAB CR, CR TAB and none as suffixes.
"""

from collections.abc import Iterable
from itertools import product
from typing import get_args

import pytest

from drivers.base import DialectOutput, FrameDiscarded, ScannerSettings, Terminator
from drivers.catalogue import dialect_for
from drivers.dialects.ssi_packet import SCANNER, Op, SsiPacket, encode
from drivers.hid_pos import ReportDecoder
from drivers.hid_report import report_layout
from drivers.keymap import KeyEvent, key_decoder
from drivers.model import Frame
from tests.drivers.hid_pos_reports import ACCESS_IS, access_is
from tests.drivers.typist import ENTER, TAB, Typist, events, tap

MS = 1_000_000
CODES = [b"0109520001000102", b"0109520001000508", b"0109520007000304"]
SENT = [b"\r", b"\n", b"\r\n", b"\t", b"\x03", b"\t\r", b"\r\t", b"\r\n\t", b""]
TERMINATORS: tuple[Terminator, ...] = get_args(Terminator)
TYPED: tuple[Terminator, ...] = ("CR", "LF", "CRLF", "TAB", "none")
KEYS = {b"\r": [ENTER], b"\t": [TAB], b"\t\r": [TAB, ENTER], b"\r\t": [ENTER, TAB], b"": []}
PAUSE_NS = 2000 * MS
"""Between two scans of a person."""


def settings(driver: str, terminator: Terminator, dialect: str = "plain") -> ScannerSettings:
    return ScannerSettings(name="desk", driver=driver, device="x", terminator=terminator, dialect=dialect)  # type: ignore[arg-type]  # rows of the tables


def line(ours: ScannerSettings, ending: bytes) -> Iterable[DialectOutput]:
    dialect = dialect_for(ours)
    dialect.opened(0)
    now = PAUSE_NS
    yield from dialect.idle(now)
    for code in CODES:
        sent = (b"\x02" if ours.terminator == "STX-ETX" else b"") + code + ending
        if ours.dialect == "zebra-ssi":
            sent = encode(SsiPacket(op=Op.DECODE_DATA, source=SCANNER, data=b"\x1b" + sent))
        for place in range(len(sent)):
            yield from dialect.feed(sent[place : place + 1], now + place * MS)
        now += PAUSE_NS
        yield from dialect.idle(now)


def keyboard(ours: ScannerSettings, ending: bytes) -> Iterable[DialectOutput]:
    decoder = key_decoder(ours)
    decoder.opened(0)
    for place, code in enumerate(CODES, 1):
        moves = Typist(terminator="none").movements(code.decode())
        moves += [move for key in KEYS[ending] for move in tap(key)]
        for event in events(moves, place * PAUSE_NS):
            yield from decoder.feed(KeyEvent(*event))
        yield from decoder.idle((place + 1) * PAUSE_NS - MS)


def reports(ours: ScannerSettings, ending: bytes) -> Iterable[DialectOutput]:
    decoder = ReportDecoder(report_layout(ACCESS_IS), ours)
    decoder.opened(0)
    yield from decoder.idle(PAUSE_NS)
    for place, code in enumerate(CODES, 1):
        yield from decoder.feed(access_is(code + ending, aim_id=bytes(3)), place * PAUSE_NS)


CASES = [
    *((line, settings("serial", one, dialect), sent)
      for one, sent, dialect in product(TERMINATORS, SENT, ("plain", "honeywell", "datalogic", "zebra-ssi"))),
    *((keyboard, settings("hid-keyboard", one), sent) for one, sent in product(TYPED, KEYS)),
    *((reports, settings("hid-pos", one), sent) for one, sent in product(TERMINATORS, SENT)),
]  # fmt: skip


@pytest.mark.parametrize(("play", "ours", "sent"), CASES)
def test_a_code_is_exact_or_refused(play, ours: ScannerSettings, sent: bytes) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - one of the three above
    outputs = list(play(ours, sent))
    codes = [one.data for one in outputs if isinstance(one, Frame)]
    refused = [one for one in outputs if isinstance(one, FrameDiscarded)]
    if codes == CODES:
        return
    assert codes or refused, "nothing is passed over in silence"
    for data in codes:
        assert data not in CODES or not refused
        assert data[-1:] in b"\r\n\t\x03", "what is not the whole code ends with a character that no label holds"
        assert any(code in data for code in CODES)


@pytest.mark.parametrize("terminator", TERMINATORS)
@pytest.mark.parametrize("driver", ["serial", "hid-keyboard", "hid-pos"])
def test_the_configured_ending_is_read(driver: str, terminator: Terminator) -> None:
    if driver == "hid-keyboard" and terminator in {"ETX", "STX-ETX"}:
        return  # no key stands for it: DriverError, see test_hid_keyboard
    ours = settings(driver, terminator)
    ending = {"CR": b"\r", "LF": b"\n", "CRLF": b"\r\n", "TAB": b"\t", "none": b""}.get(terminator, b"\x03")
    keys = {b"\n": b"\r", b"\r\n": b"\r"}.get(ending, ending)
    played = (
        keyboard(ours, keys)
        if driver == "hid-keyboard"
        else {"serial": line, "hid-pos": reports}[driver](ours, ending)
    )
    assert [one.data for one in played if isinstance(one, Frame)] == CODES

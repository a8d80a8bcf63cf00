"""Faults of a scanner's set-up, each through the real drivers' decoders, and the advice that mends it at once.

A row names how the scanner is set up, how the configuration reads it, and the settings that the advice must name.
The advice is followed, and the same scanner must then be read rightly: so it is right, and complete.
"""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from drivers.base import ScannerSettings
from drivers.catalogue import dialect_for
from drivers.dialects.ssi_packet import SCANNER, Op, SsiPacket, encode
from drivers.framing import transmission
from drivers.hid_pos import ReportDecoder
from drivers.hid_report import report_layout
from drivers.keymap import KeyEvent, key_decoder
from drivers.model import Discarded, RawScan
from drivers.raw_scan import to_inputs
from gateway.devices.calibration import TEXT, CalibrationFinding, diagnose, proves
from tests.drivers.hid_pos_reports import ACCESS_IS, access_is
from tests.drivers.typist import ENTER, TAB, Typist, events, tap

MS = 1_000_000
IDLE_MS = 100
CODE = b"]d1" + TEXT.encode()
Items = list[RawScan | Discarded]


def settings(**which: object) -> ScannerSettings:
    return msgspec.convert({"name": "front", "device": "none", "idle_ms": IDLE_MS, **which}, ScannerSettings)


def line(data: bytes, ours: ScannerSettings) -> Items:
    """Read bytes of a serial line as configured."""
    dialect = dialect_for(ours)
    dialect.opened(-1000 * MS)
    outputs = [*dialect.idle(0), *dialect.feed(data, MS), *dialect.idle(10_000 * MS), *dialect.idle(20_000 * MS)]
    return [one for one in to_inputs(ours.name, outputs) if isinstance(one, RawScan | Discarded)]


def bits(data: bytes, parity: str) -> Iterable[int]:
    """Yield the bits of a UART (start, eight data bits or seven and parity, stop), least significant first."""
    for byte in data:
        if parity == "none":
            value = byte
        else:
            low = byte & 0x7F
            value = low | (low.bit_count() & 1 ^ (parity == "odd")) << 7
        yield from (0, *(value >> place & 1 for place in range(8)), 1)


def received(data: bytes, sent_baud: int, read_baud: int, parity: str = "none") -> bytes:
    """Return what a UART at `read_baud`, 8N1, makes of bytes sent at `sent_baud`."""
    wave = [1] * 20 + list(bits(data, parity)) + [1] * 40
    ratio = sent_baud / read_baud
    out = bytearray()
    at = 0.0
    while at < len(wave) - 12 * max(1.0, ratio):
        if wave[int(at)] == 1:
            at += min(1.0, ratio) / 4
            continue
        samples = [wave[min(len(wave) - 1, int(at + (place + 1.5) * ratio))] for place in range(9)]
        out.append(sum(bit << place for place, bit in enumerate(samples[:8])))
        at += 9.6 * ratio
    return bytes(out)


def typed(ours: ScannerSettings, typist: Typist, ending: tuple[int, ...] | None = None) -> Items:
    """Read what a scanner types as configured; `ending`: keys behind the code instead of its terminator's."""
    decoder = key_decoder(ours)
    decoder.opened(-1000 * MS)
    decoder.idle(0)
    moves = typist.movements(CODE.decode())
    if ending is not None:
        moves = typist._replace(terminator="none").movements(CODE.decode())
        moves += [move for key in ending for move in tap(key)]
    told = events(moves, MS)
    outputs = [one for event in told for one in decoder.feed(KeyEvent(*event))] + decoder.idle(10**12)
    return [one for one in to_inputs(ours.name, outputs) if isinstance(one, RawScan | Discarded)]


def reported(ours: ScannerSettings, suffix: bytes) -> Items:
    """Read the reports of a HID POS scanner with this suffix as configured."""
    decoder = ReportDecoder(report_layout(ACCESS_IS), ours)
    decoder.opened(-1000 * MS)
    outputs = decoder.idle(0)
    data = TEXT.encode() + suffix
    parts = [data[at : at + 56] for at in range(0, len(data), 56)]
    for place, part in enumerate(parts):
        outputs += decoder.feed(access_is(part, continued=place < len(parts) - 1, aim_id=b"]d1"), place * MS)
    return [one for one in to_inputs(ours.name, outputs) if isinstance(one, RawScan | Discarded)]


def proved(items: Items, ours: ScannerSettings) -> list[CalibrationFinding]:
    found = diagnose(items, ours)
    assert not proves(found), "the fault is seen"
    assert all(one.code and one.message and one.mend for one in found)
    return found


KEYBOARD: list[tuple[str, dict[str, object], dict[str, Any], dict[str, object]]] = [
    ("de under us", {}, {"layout": "de"}, {"layout": "de"}),
    ("fr under us", {}, {"layout": "fr"}, {"layout": "fr"}),
    ("se under us", {}, {"layout": "se"}, {"layout": "se"}),
    ("no under se", {"layout": "se"}, {"layout": "no"}, {"layout": "no"}),
    ("dk under se", {"layout": "se"}, {"layout": "dk"}, {"layout": "dk"}),
    ("gb under us", {}, {"layout": "gb"}, {"layout": "gb"}),
    ("us under se", {"layout": "se"}, {"layout": "us"}, {"layout": "us"}),
    ("us under de", {"layout": "de"}, {"layout": "us"}, {"layout": "us"}),
    ("de under se", {"layout": "se"}, {"layout": "de"}, {"layout": "de"}),
    ("fr under de", {"layout": "de"}, {"layout": "fr"}, {"layout": "fr"}),
    ("GS as F8", {}, {"gs": "f8"}, {"gs": ["f8"]}),
    ("GS as Down", {}, {"gs": "down"}, {"gs": ["down"]}),
    ("GS as Alt+029", {"gs": ["f8"]}, {"gs": "alt-029"}, {"gs": ["alt-029"]}),
    ("de and F8 under us and Ctrl+]", {}, {"layout": "de", "gs": "f8"}, {"layout": "de", "gs": ["f8"]}),
    ("TAB under CR", {}, {"terminator": "TAB"}, {"terminator": "TAB"}),
    ("Enter under TAB", {"terminator": "TAB"}, {}, {"terminator": "CR"}),
]
"""Fault, our settings beside the default, the scanner's own beside the default, what the advice must name."""


@pytest.mark.parametrize(
    ("ours", "theirs", "mend"), [row[1:] for row in KEYBOARD], ids=[row[0] for row in KEYBOARD]
)
def test_a_keyboard(ours: dict[str, object], theirs: dict[str, Any], mend: dict[str, object]) -> None:
    mine = settings(driver="hid-keyboard", **ours)
    scanner = Typist(**theirs)
    said = " ".join(one.mend for one in proved(typed(mine, scanner), mine))
    assert all(f"{key} = {json.dumps(value)}" in said for key, value in mend.items()), said
    assert " or layout" not in said, "it is certain"
    mended = settings(driver="hid-keyboard", **{**ours, **mend})
    assert diagnose(typed(mended, scanner), mended) == []


LINE: list[tuple[str, dict[str, object], bytes, str, dict[str, object] | None]] = [
    ("TAB under CR", {}, transmission(CODE, "TAB"), "WRONG_TERMINATOR", {"terminator": "TAB"}),
    ("LF under CR", {}, transmission(CODE, "LF"), "WRONG_TERMINATOR", {"terminator": "LF"}),
    ("CR under LF", {"terminator": "LF"}, transmission(CODE, "CR"), "WRONG_TERMINATOR", {"terminator": "CR"}),
    ("CR LF under LF", {"terminator": "LF"}, transmission(CODE, "CRLF"), "WRONG_TERMINATOR", {"terminator": "CR"}),
    ("CR LF under TAB", {"terminator": "TAB"}, CODE + b"\r\n", "WRONG_TERMINATOR", {"terminator": "CRLF"}),
    ("ETX under CR", {}, transmission(CODE, "ETX"), "WRONG_TERMINATOR", {"terminator": "ETX"}),
    ("STX ETX under CR", {}, transmission(CODE, "STX-ETX"), "WRONG_TERMINATOR", {"terminator": "STX-ETX"}),
    ("CR under STX ETX", {"terminator": "STX-ETX"}, CODE + b"\r", "WRONG_TERMINATOR", {"terminator": "CR"}),
    ("TAB CR under CR", {}, CODE + b"\t\r", "WRONG_TERMINATOR", {"terminator": "TAB"}),
    ("nothing under CR", {}, CODE, "NO_TERMINATOR", None),
    ("packets under plain", {}, encode(SsiPacket(op=Op.DECODE_DATA, source=SCANNER, data=b"\x1b" + CODE)),
     "DIALECT_WRONG", {"dialect": "zebra-ssi"}),
    ("packets with CR", {}, encode(SsiPacket(op=Op.DECODE_DATA, source=SCANNER, data=b"\x1b" + CODE + b"\r")),
     "DIALECT_WRONG", {"dialect": "zebra-ssi"}),
    ("a prefix", {}, b"w" + CODE[3:] + b"\r", "PREFIX", None),
    ("a suffix", {}, CODE + b"#\r", "SUFFIX", None),
    ("a suffix behind the ending", {}, CODE + b"\rXY", "SUFFIX", None),
    ("sent twice", {}, (CODE + b"\r") * 2, "SENT_TWICE", None),
    ("GS replaced", {}, CODE.replace(b"\x1d", b"|") + b"\r", "GS_REPLACED", None),
    ("letters in one case", {}, CODE.upper() + b"\r", "CASE_CHANGED", None),
    ("a character replaced", {}, CODE.replace(b"#", b"$") + b"\r", "CHARACTERS_REPLACED", None),
    ("even parity", {}, received(CODE + b"\r", 9600, 9600, "even"), "PARITY_WRONG", None),
    ("odd parity", {}, received(CODE + b"\r", 9600, 9600, "odd"), "PARITY_WRONG", None),
]  # fmt: skip
"""Fault, our settings beside the default, what the scanner sends, code of the finding, what mends it here."""
SPEEDS = [(9600, 115_200), (115_200, 9600), (9600, 19_200), (19_200, 9600), (38_400, 9600), (9600, 4800)]
LINE += [
    (f"{sent} under {read} baud", {"baud": read}, received(CODE + b"\r", sent, read), "BAUD_WRONG", {"baud": sent})
    for sent, read in SPEEDS
]


@pytest.mark.parametrize(("ours", "came", "code", "mend"), [row[1:] for row in LINE], ids=[row[0] for row in LINE])
def test_a_serial_line(ours: dict[str, object], came: bytes, code: str, mend: dict[str, object] | None) -> None:
    mine = settings(**ours)
    found = proved(line(came, mine), mine)
    assert [one.code for one in found if one.wrong] == [code]
    if mend is None:
        return
    for key, value in mend.items():
        assert f'{key} = "{value}"' in found[0].mend or (key == "baud" and "`baud`" in found[0].mend)
    if "baud" not in mend:
        mended = settings(**{**ours, **mend})
        assert proves(diagnose(line(came, mended), mended))


@pytest.mark.parametrize("suffix", [b"\t", b"\n", b"\r\n", b"\x03"])
@pytest.mark.parametrize("terminator", ["CR", "TAB", "LF"])
def test_a_hid_pos_scanner_with_a_suffix(suffix: bytes, terminator: str) -> None:
    mine = settings(driver="hid-pos", terminator=terminator)
    assert diagnose(reported(mine, b""), mine) == []
    found = diagnose(reported(mine, suffix), mine)
    if proves(found):
        assert found == []
        return
    assert [one.code for one in found] == ["WRONG_TERMINATOR"]
    named = found[0].mend.split('"')[1]
    mended = settings(driver="hid-pos", terminator=named)
    assert diagnose(reported(mended, suffix), mended) == []


@pytest.mark.parametrize("ending", [(ENTER, TAB), (TAB, ENTER)])
@pytest.mark.parametrize("terminator", ["CR", "TAB"])
def test_enter_and_tab(ending: tuple[int, ...], terminator: str) -> None:
    """Advice for an ending of two keys holds: with it every later code is read, and nothing stray is left."""
    mine = settings(driver="hid-keyboard", terminator=terminator)
    found = diagnose(typed(mine, Typist(), ending), mine)
    if found:
        assert [one.code for one in found] == ["WRONG_TERMINATOR"]
        named = found[0].mend.split('"')[1]
        assert named != terminator
        mine = settings(driver="hid-keyboard", terminator=named)
    assert diagnose(typed(mine, Typist(), ending), mine) == []


def test_there_are_enough_rows() -> None:
    assert len(KEYBOARD) + len(LINE) >= 25, (
        "beside mode, rival, permission and cable, which the drivers' tests hold"
    )

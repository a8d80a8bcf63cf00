"""What a scan of the calibration symbol tells: scanners of all kinds of set-up, typed through the real decoder."""

import string
from itertools import product
from typing import Any, get_args

import msgspec
import pytest

from drivers.base import ScannerSettings
from drivers.keymap import ENDINGS, KeyDecoder, KeyEvent
from drivers.layouts import NAMES, layout
from drivers.model import Discarded, DiscardReason, Frame, InputQuality, RawScan
from drivers.raw_scan import to_inputs, to_raw_scan
from gateway.devices.calibration import GS, MARK, TEXT, CalibrationFinding, diagnose, proves, visible
from tests.drivers.typist import Typist

IDLE_NS = 100_000_000
AIM = "]d1"


def settings(driver: str = "hid-keyboard", **which: object) -> ScannerSettings:
    return msgspec.convert({"name": "desk", "device": "none", "driver": driver, **which}, ScannerSettings)


def typed(ours: ScannerSettings, text: str = AIM + TEXT, **theirs: Any) -> RawScan | Discarded:  # noqa: ANN401 - Typist's own
    """What comes in when a scanner set up as `theirs` types a text and we read it as `ours`."""
    decoder = KeyDecoder(layout(ours.layout), ours.gs, ENDINGS[ours.terminator], IDLE_NS)
    decoder.opened(0)
    events = Typist(**theirs).events(text, 10 * IDLE_NS)
    outputs = [output for event in events for output in decoder.feed(KeyEvent(*event))]
    (item,) = to_inputs("desk", outputs + decoder.idle(events[-1][3] + IDLE_NS))
    assert isinstance(item, RawScan | Discarded)
    return item


def sent(data: bytes, quality: frozenset[InputQuality] = frozenset()) -> RawScan:
    """What comes in when a serial scanner sends these bytes and a terminator."""
    return to_raw_scan("desk", Frame(data=data, started_ns=1, quality=quality))


def codes(findings: list[CalibrationFinding]) -> list[str]:
    return [finding.code for finding in findings]


LAYOUTS = NAMES
GS_KEYS = ("ctrl-]", "f8", "down", "alt-029")


def test_the_text_holds_what_layouts_write_with_different_keys() -> None:
    """All punctuation, and each letter that has another place in one of the layouts (drivers.layouts)."""
    tables = [layout(name).keys for name in LAYOUTS]
    places = [{levels[0]: code for code, levels in table.items()} for table in tables]
    moved = {letter for letter in string.ascii_lowercase if len({where[letter] for where in places}) > 1}
    assert moved | set(string.punctuation) <= set(TEXT)
    assert TEXT.count(GS) == 2
    assert TEXT.startswith(MARK)


@pytest.mark.parametrize(("name", "gs"), list(product(LAYOUTS, GS_KEYS)))
def test_a_scanner_that_is_set_up_as_we_are(name: str, gs: str) -> None:
    ours = settings(layout=name, gs=[gs])
    assert diagnose([typed(ours, layout=name, gs=gs)], ours) == []
    found = diagnose([typed(ours, TEXT, layout=name, gs=gs)], ours)
    assert (codes(found), proves(found)) == (["NO_AIM_ID"], True)


@pytest.mark.parametrize(
    ("name", "gs", "named"), [case for case in product(LAYOUTS, GS_KEYS, GS_KEYS) if case[1] != case[2]]
)
def test_gs_comes_as_another_key(name: str, gs: str, named: str) -> None:
    ours = settings(layout=name, gs=[named])
    (found,) = diagnose([typed(ours, layout=name, gs=gs)], ours)
    assert (found.code, found.mend, found.wrong) == ("GS_OTHER_KEY", f'set gs = ["{gs}"]', True)


@pytest.mark.parametrize("name", LAYOUTS)
def test_gs_does_not_come_at_all(name: str) -> None:
    ours = settings(layout=name)
    found = diagnose([typed(ours, layout=name, gs=None)], ours)
    assert (codes(found), proves(found)) == (["GS_DROPPED"], True)
    assert "name that one in `gs`" in found[0].mend


@pytest.mark.parametrize(
    ("theirs", "ours", "gs", "text"),
    list(product(LAYOUTS, LAYOUTS, (*GS_KEYS, None), (TEXT, AIM + TEXT))),
)
def test_no_other_layout_passes(theirs: str, ours: str, gs: str | None, text: str) -> None:
    """Whatever else is wrong, too: with each setting that is mended the next finding shows."""
    mine = settings(layout=ours, gs=list(GS_KEYS))
    found = diagnose([typed(mine, text, layout=theirs, gs=gs)], mine)
    if {theirs, ours} <= {"se", "fi"} or theirs == ours:
        assert proves(found)
    else:
        assert codes(found) == ["LAYOUT_WRONG"]
        assert f'layout = "{theirs if theirs != "fi" else "se"}"' in found[0].mend


@pytest.mark.parametrize(
    ("terminator", "wanted", "code", "mend"),
    [
        ("CR", "CR", None, ""),
        ("TAB", "TAB", None, ""),
        ("none", "none", None, ""),
        ("TAB", "CR", "WRONG_TERMINATOR", 'set terminator = "TAB"'),
        ("CR", "TAB", "WRONG_TERMINATOR", 'set terminator = "CR"'),
        ("none", "CR", "NO_TERMINATOR", "let the scanner send CR (Enter) behind each code"),
        ("none", "TAB", "NO_TERMINATOR", "let the scanner send CR (Enter) behind each code"),
    ],
)
def test_terminators(terminator: str, wanted: str, code: str | None, mend: str) -> None:
    ours = settings(terminator=wanted)
    found = diagnose([typed(ours, terminator=terminator)], ours)
    assert codes(found) == [code] * (code is not None)
    assert all(finding.mend.startswith(mend) for finding in found)


SWAPPED, UPPER = TEXT.swapcase(), TEXT.upper()
ALL = TEXT.encode()


@pytest.mark.parametrize(
    ("item", "expected", "proved"),
    [
        (sent(b"]d1" + ALL), [], True),
        (sent(ALL), ["NO_AIM_ID"], True),
        (sent(b"]d1" + ALL.replace(b"\x1d", b"")), ["GS_DROPPED"], True),
        (sent(b"]d1" + ALL.replace(b"\x1d", b"|")), ["GS_REPLACED"], False),
        (sent(b"]d1" + ALL.replace(b"\x1d", b"^]")), ["GS_REPLACED"], False),
        (sent(b"]d1" + SWAPPED.encode()), ["CAPS_LOCK"], False),
        (sent(b"]d1" + UPPER.encode()), ["CASE_CHANGED"], False),
        (sent(b"]d1" + TEXT.lower().encode()), ["CASE_CHANGED"], False),
        (sent(b"]d1" + ALL.replace(b"#", b"\xa3")), ["CHARACTERS_REPLACED"], False),
        (
            sent(b"]d1" + ALL.replace(b"Z", b"?").replace(b"Y", b"Z").replace(b"?", b"Y")),
            ["CHARACTERS_REPLACED"],
            False,
        ),
        (sent(b"]d1" + ALL.replace(b"&", b"")), ["CHARACTERS_MISSING"], False),
        (sent(b"]d1" + ALL[:40]), ["CHARACTERS_MISSING"], False),
        (sent(b"]d1" + ALL + b"\n"), ["WRONG_TERMINATOR"], False),
        (sent(b"]d1" + ALL + b"\x03"), ["WRONG_TERMINATOR"], False),
        (sent(b"]d1" + ALL + b"##"), ["SUFFIX"], False),
        (sent(b"\x02" + ALL), ["PREFIX", "NO_AIM_ID"], False),
        (sent(b"w" + ALL), ["PREFIX", "NO_AIM_ID"], False),
        (sent(b"]d1" + ALL, frozenset({InputQuality.DROPPED_BEFORE})), ["DROPPED_BEFORE"], True),
        (sent(b"]d20108717648200274"), ["OTHER_CODE"], False),
        (sent(b""), ["OTHER_CODE"], False),
    ],
)
def test_a_serial_scanner(item: RawScan, expected: list[str], proved: bool) -> None:  # noqa: FBT001 - a column of the table
    found = diagnose([item], settings("serial"))
    assert codes(found) == expected
    assert proves(found) is proved
    assert all(finding.message and finding.mend for finding in found)


@pytest.mark.parametrize("reason", list(DiscardReason))
@pytest.mark.parametrize("driver", ["hid-keyboard", "hid-pos", "serial"])
@pytest.mark.parametrize("keys", ["", "AltGr", "Ctrl", "F8", "another key"])
def test_what_was_thrown_away_proves_nothing(reason: DiscardReason, driver: str, keys: str) -> None:
    item = Discarded(scanner="desk", reason=reason, length=9, clue=keys)
    (found,) = diagnose([item], settings(driver))
    assert not proves([found])
    assert found.mend


def test_nothing_is_shown_of_a_code_that_is_another() -> None:
    for text in ("]d18018735999271000000014", "19121212-1212", "Anna Andersson"):
        for finding in diagnose([sent(text.encode())], settings("serial")):
            assert text[-6:] not in finding.message + finding.mend


def test_every_gs_of_the_configuration_can_be_named() -> None:
    (choices,) = (get_args(one)[0] for one in [ScannerSettings.__annotations__["gs"]])
    assert set(get_args(choices)) == set(GS_KEYS)


def test_visible() -> None:
    assert visible("a\x1d\r\n\t\x1e\x04\x02é") == "a<GS><CR><LF><TAB><RS><EOT><02>é"

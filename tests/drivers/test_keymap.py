"""Key events -> codes: layouts, GS, Alt codes, dead keys, locks, loss and forbidden keys."""

import string

import pytest
from evdev import ecodes
from msgspec import structs

from drivers import keycodes
from drivers.base import FrameDiscarded
from drivers.framing import MAX_FRAME_BYTES
from drivers.layouts import layout
from drivers.model import DiscardReason, Frame, InputQuality, Strokes
from tests.drivers import typist
from tests.drivers.decoding import GS1, IDLE_NS, LAYOUTS, MS, Name, Said, decoder, feed, reasons, said
from tests.drivers.typist import ALT, ALT_GR, CAPS_LOCK, CTRL, F9, META, SHIFT, SPACE, Typist, alt, events, tap

AI82 = string.ascii_letters + string.digits + "!\"%&'()*+,-./_:;<=>?"
"""GS1 AI encodable character set 82 (GS1 General Specifications, figure 7.11-1)."""


def typed(moves: list[tuple[int, bool]], layout_name: str = "us") -> list[Said]:
    """Return what comes of key movements and Enter, and whatever silence ends."""
    under_test = decoder(layout_name)
    done = feed(under_test, events([*moves, *tap(typist.ENTER)]))
    return said(done + under_test.idle(10**12))


# What the keys write ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_writes_what_its_makers_say(name: Name) -> None:
    """typist.SIGNS is from Windows' KBDUS and KBDSW and from xkeyboard-config 2.35."""
    ours = {character for levels in layout(name).keys.values() for character in levels}
    signs = [one for one in typist.SIGNS[name] if one in ours or name in {"us", "se"}]
    characters = [*string.ascii_letters, *string.digits, " ", *signs]
    for character in characters:
        assert typed(Typist(layout=name, terminator="none").movements(character), name) == [character]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_what_xkb_says(name: Name) -> None:
    """Every character of our tables; what Windows and XKB write with different keys is not in them."""
    for code, levels in layout(name).keys.items():
        for place, character in enumerate(levels):
            if not character or code == ecodes.KEY_SPACE:
                continue
            found = typist.XKB[name][code][place]
            if (name, code, place) in typist.WINDOWS_DEAD:
                found = {"~": "\u0303", "`": "\u0300"}[found]
            assert found == character, (code, place)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_writes_all_of_ascii(name: Name) -> None:
    for character in string.printable[:95]:
        moves = Typist(layout=name, terminator="none").movements("x" + character + "y")
        assert typed(moves, name) == ["x" + character + "y"], character


def test_all_layouts_write_all_of_gs1_and_hibc() -> None:
    for name in LAYOUTS:
        written = {level for levels in layout(name).keys.values() for level in levels}
        assert set(AI82) | set("$+/ %.-") <= written


def test_a_scanner_of_the_other_layout_changes_27_characters_16_of_them_legal_in_gs1() -> None:
    """The fault that a calibration scan has to find (measured on US keystrokes read as Swedish)."""
    printable = [chr(code) for code in range(0x20, 0x7F)]
    changed = []
    for character in printable:
        frames = typed(Typist(terminator="none").movements(character), "se")
        if frames != [character]:
            changed.append(character)
    assert (len(changed), len([one for one in changed if one in AI82])) == (27, 16)
    assert typed(Typist(terminator="none").movements("A-12"), "se") == ["A+12"]


@pytest.mark.parametrize(
    ("moves", "name", "expected"),
    [
        pytest.param(alt("0233"), "us", ["é"], id="Alt+0nnn is Windows-1252"),
        pytest.param(alt("0128"), "us", ["€"], id="of its own kind from 128 to 159"),
        pytest.param(alt("065"), "us", ["A"], id="ASCII"),
        pytest.param(alt("0129"), "us", [(DiscardReason.UNREADABLE, 0)], id="no character of Windows-1252"),
        pytest.param(alt("200"), "us", [(DiscardReason.UNREADABLE, 0)], id="no zero: the code page is not known"),
        pytest.param(alt("0256"), "us", [(DiscardReason.UNREADABLE, 0)], id="beyond a byte"),
        pytest.param(alt("00065"), "us", [(DiscardReason.FORBIDDEN_KEYS, 0)], id="too many digits"),
        pytest.param(alt(""), "us", [(DiscardReason.FORBIDDEN_KEYS, 0)], id="Alt alone"),
        pytest.param(alt("027"), "us", [(DiscardReason.FORBIDDEN_KEYS, 0)], id="a control character"),
        pytest.param(alt("029"), "us", [(DiscardReason.FORBIDDEN_KEYS, 0)], id="GS of another profile"),
        pytest.param(tap(0x2F), "se", ["å"], id="a letter of its own key"),
        pytest.param(tap(0x2F, SHIFT), "se", ["Å"], id="and its capital"),
        pytest.param(tap(0x2E) + tap(0x08), "se", ["é"], id="dead key and letter"),
        pytest.param(tap(0x2E) + tap(0x04), "se", ["á"], id="acute a"),
        pytest.param(tap(0x30, SHIFT) + tap(0x2C), "se", ["^"], id="dead key and space"),
        pytest.param(tap(0x2E) + tap(0x14), "se", [(DiscardReason.UNREADABLE, 1)], id="no q acute"),
        pytest.param(tap(0x2E) + tap(0x2E), "se", [(DiscardReason.UNREADABLE, 0)], id="dead twice"),
        pytest.param(tap(0x2E), "se", [(DiscardReason.UNREADABLE, 0)], id="dead key and Enter"),
        pytest.param(tap(0x1F, ALT_GR), "se", ["@"], id="AltGr"),
        pytest.param(tap(0x1E, ALT_GR), "se", [(DiscardReason.UNREADABLE, 0)], id="no AltGr 1"),
        pytest.param(tap(0x1F, ALT_GR), "us", [(DiscardReason.FORBIDDEN_KEYS, 0)], id="US has no AltGr"),
        pytest.param(tap(0x64), "us", [(DiscardReason.UNREADABLE, 0)], id="US systems differ here"),
        pytest.param(tap(0x59) + tap(0x62), "us", ["10"], id="keypad digits"),
        pytest.param(tap(0x63), "us", ["."], id="keypad decimal"),
        pytest.param(tap(0x63), "se", [","], id="Swedish keypad decimal"),
        pytest.param(tap(0x54) + tap(0x55) + tap(0x56) + tap(0x57), "us", ["/*-+"], id="keypad signs"),
        pytest.param(
            tap(0x53) + tap(0x59), "us", [(DiscardReason.UNREADABLE, 0)], id="Num Lock off moves a cursor"
        ),
        pytest.param(tap(0x53) + tap(0x57) + tap(0x53) + tap(0x59), "us", ["+1"], id="signs without Num Lock"),
        pytest.param(tap(0x59, SHIFT), "us", [(DiscardReason.UNREADABLE, 0)], id="Shift moves a cursor too"),
        pytest.param(tap(0x05) + tap(0x2B) + tap(0x04), "us", ["b\ta"], id="a tabulator within the code"),
        pytest.param([*tap(0x04), (CTRL, True), (CTRL, False)], "us", ["a"], id="Ctrl alone does nothing"),
    ],
)
def test_what_keys_write(moves: list[tuple[int, bool]], name: str, expected: list[Said]) -> None:
    assert typed(moves, name) == expected


@pytest.mark.parametrize("code", sorted(keycodes.KEYPAD_DIGITS))
def test_the_keypad_has_the_digits_where_linux_has_them(code: int) -> None:
    usage = {code: usage for usage, code in typist.KEY_CODES.items()}[code]
    assert typed(tap(usage)) == [keycodes.KEYPAD_DIGITS[code]]


def test_the_boot_reports_of_a_typed_letter() -> None:
    """HID 1.11, appendix B.1: modifiers, reserved, up to six keys."""
    reports = typist.boot_reports(Typist(terminator="none").movements("A"))
    assert [report.hex() for report in reports] == [
        "0200000000000000",
        "0200040000000000",
        "0200000000000000",
        "0000000000000000",
    ]


@pytest.mark.parametrize("name", ["de", "fr"])
def test_caps_lock_where_systems_differ_in_it(name: str) -> None:
    """Windows shifts the digits of French and German keyboards too, XKB does not: refused while it is on."""
    assert typed([*tap(CAPS_LOCK), *tap(0x1E), *tap(CAPS_LOCK)], name) == [(DiscardReason.UNREADABLE, 0)]
    assert typed([*tap(CAPS_LOCK), *tap(0x08), *tap(CAPS_LOCK), *tap(SPACE)], name) == ["E "]


@pytest.mark.parametrize("code", range(32, 127))
@pytest.mark.parametrize("width", [2, 3, 4])
def test_alt_codes_of_two_three_and_four_digits(code: int, width: int) -> None:
    """Below 127 the code page of the PC and that of Windows agree."""
    assert typed([*tap(0x1B), *alt(f"{code:0{width}}"), *tap(0x1B)]) == ["x" + chr(code) + "x"]


# GS and control characters ---------------------------------------------------------------------------


@pytest.mark.parametrize("gs", ["ctrl-]", "f8", "down", "alt-029"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_gs_as_scanners_type_it(gs: str, name: Name) -> None:
    scanner = Typist(layout=name, gs=gs)
    assert said(feed(decoder(name, (gs,)), scanner.events(GS1))) == [GS1]
    assert said(feed(decoder(name, ("ctrl-]", "f8", "down", "alt-029")), scanner.events(GS1))) == [GS1]
    for others in ((), tuple({"ctrl-]", "f8", "down", "alt-029"} - {gs})):
        frames = feed(decoder(name, others), scanner.events(GS1))
        assert reasons(frames) == [DiscardReason.FORBIDDEN_KEYS]


@pytest.mark.parametrize("name", LAYOUTS)
def test_gs_with_shift_pressed_too(name: Name) -> None:
    """Some scanners press Shift with every control character."""
    assert typed([*tap(0x1B), *tap(0x30, CTRL, SHIFT), *tap(0x1B)], name) == ["x\x1dx"]


def test_gs_by_the_bracket_of_the_layout() -> None:
    """Ctrl and `]`, where a Swedish keyboard writes `]` with AltGr and 9."""
    assert typed(tap(0x26, CTRL, ALT_GR), "se") == ["\x1d"]


@pytest.mark.parametrize(
    ("gs", "rs", "eot"),
    [
        ("ctrl-]", tap(0x23, CTRL, SHIFT), tap(0x07, CTRL)),
        ("alt-029", alt("030"), alt("004")),
        ("f8", tap(F9), []),  # Honeywell's and others' table of function keys has none for EOT
    ],
)
def test_the_envelope_of_iso_15434_only(gs: str, rs: list[tuple[int, bool]], eot: list[tuple[int, bool]]) -> None:
    """ISO/IEC 15434, as IFA's PPN codes use it: `[)>` RS 06 GS ... RS EOT. Elsewhere RS and EOT are commands."""
    scanner = Typist(gs=gs, terminator="none")
    envelope = "[)>\x1e06\x1d9N111\x1e" + ("\x04" if eot else "")
    for aim in ("", "]d1"):
        moves = scanner.movements(aim + "[)>") + rs + scanner.movements("06\x1d9N111") + rs + eot
        assert said(feed(decoder(gs=(gs,)), events([*moves, *tap(typist.ENTER)]))) == [aim + envelope]
    for outside in (rs, eot) if eot else (rs,):
        moves = scanner.movements("x[)>") + outside
        frames = feed(decoder(gs=(gs,)), events([*moves, *tap(typist.ENTER)]))
        assert said(frames) == [(DiscardReason.FORBIDDEN_KEYS, 4)]


@pytest.mark.parametrize(
    ("moves", "keys"),
    [
        pytest.param(tap(0x15, META), "Meta", id="Meta+R opens a prompt"),
        pytest.param([(META, True), (META, False)], "Meta", id="Meta opens a menu"),
        pytest.param(tap(0x17, CTRL, ALT), "Ctrl", id="Ctrl+Alt+T opens a terminal"),
        pytest.param(tap(0x06, CTRL), "Ctrl", id="Ctrl+C"),
        pytest.param(tap(0x2B, ALT), "Alt", id="Alt+Tab"),
        pytest.param(tap(0x1E, ALT), "Alt", id="Alt with a digit that is not the keypad's"),
        pytest.param(tap(0x1F, ALT_GR), "AltGr", id="AltGr where the layout has none"),
        pytest.param(alt("029"), "Alt+029", id="GS of another profile"),
        pytest.param(alt("007"), "Alt", id="another control character"),
        pytest.param(tap(0x41), "F8", id="F8 without its profile"),
        pytest.param(tap(0x51), "Down", id="Down without its profile"),
        pytest.param(tap(0x29), "another key", id="Escape"),
        pytest.param(tap(0x2A), "another key", id="Backspace"),
        pytest.param(tap(CAPS_LOCK, CTRL), "Ctrl", id="Ctrl+Caps Lock"),
    ],
)
def test_what_no_scanner_sends_spoils_the_code_it_is_in_and_no_other(
    moves: list[tuple[int, bool]], keys: str
) -> None:
    scanner = Typist()
    told = scanner.events("one") + events(scanner.movements("tw")[:-2] + moves + scanner.movements("o"), 1000 * MS)
    told += scanner.events("three", 2000 * MS)
    first, spoilt, third = feed(decoder(), told)
    assert said([first, third]) == ["one", "three"]
    assert isinstance(spoilt, FrameDiscarded)
    assert structs.replace(spoilt, strokes=Strokes()) == FrameDiscarded(
        reason=DiscardReason.FORBIDDEN_KEYS, length=3, clue=keys
    )
    assert repr(spoilt.strokes) == f"<{len(spoilt.strokes)} keys>", "no log shows what was typed"


# Ends ------------------------------------------------------------------------------------------------


WHOLE = Frame(data=b"12", started_ns=5 * MS)
PART = FrameDiscarded(reason=DiscardReason.UNTERMINATED, length=2)


@pytest.mark.parametrize(
    ("terminator", "end", "expected"),
    [
        ("CR", typist.ENTER, WHOLE),
        ("CR", typist.KP_ENTER, WHOLE),
        ("TAB", typist.TAB, WHOLE),
        ("CR", None, PART),
        ("TAB", None, PART),
        ("none", None, structs.replace(WHOLE, quality=frozenset({InputQuality.UNTERMINATED}))),
    ],
)
def test_the_ends_of_a_code(terminator: str, end: int | None, expected: Frame | FrameDiscarded) -> None:
    under_test = decoder(terminator=terminator)
    moves = Typist(terminator="none").movements("12") + ([] if end is None else tap(end))
    frames = feed(under_test, events(moves, 5 * MS))
    if end is None:
        assert under_test.deadline_ns() == (5 + 3) * MS + IDLE_NS
        assert not frames + under_test.idle((5 + 3) * MS + IDLE_NS - 1)
        frames = under_test.idle((5 + 3) * MS + IDLE_NS)
    assert frames == [expected]
    assert under_test.deadline_ns() is None


@pytest.mark.parametrize("terminator", ["CR", "TAB"])
@pytest.mark.parametrize("ending", [(typist.ENTER, typist.TAB), (typist.TAB, typist.ENTER)])
def test_enter_and_tab_behind_a_code(terminator: str, ending: tuple[int, int]) -> None:
    """Scanners can be set to send both (`Enter+Tab`): the second one is no code, and no part of the next one."""
    first = (typist.ENTER, typist.TAB).index(ending[0])
    moves = [
        move
        for _ in range(2)
        for move in (*Typist(terminator="none").movements("12"), *tap(ending[0]), *tap(ending[1]))
    ]
    frames = said(feed(decoder(terminator=terminator), events(moves)))
    assert frames == (["12", "12"] if terminator == ("CR", "TAB")[first] else ["12" + "\r\t"[first]] * 2)


def test_a_pause_shows_in_the_times_of_the_events_however_late_they_are_read() -> None:
    scanner = Typist(terminator="none")
    told = scanner.events("1", 0) + scanner.events("2", 99 * MS) + scanner.events("3", 300 * MS)
    under_test = decoder(terminator="none")
    assert said(feed(under_test, told) + under_test.idle(10**12)) == ["12", "3"]


def test_a_slow_alt_code_is_no_pause() -> None:
    """At one report each 10 ms, an Alt code takes as long as the silence that ends a code."""
    told = Typist(gs="alt-029").events("1\x1d2", 0, 15 * MS)
    assert said(feed(decoder(gs=("alt-029",)), told)) == ["1\x1d2"]


def test_repeats_of_a_key_held_long_count_for_nothing() -> None:
    told = (
        events([(0x04, True)])
        + [(1, 30, 2, 250 * MS), (0, 0, 1, 250 * MS)] * 3
        + events(tap(typist.ENTER), 50 * MS)
    )
    assert said(feed(decoder(), told)) == ["a"]


def test_a_code_too_long_is_thrown_away_and_the_next_one_is_not() -> None:
    told = Typist().events("7" * (MAX_FRAME_BYTES + 1), 0, 1000) + Typist().events("12", 3600 * 1000 * MS)
    assert said(feed(decoder(), told)) == [(DiscardReason.TOO_LONG, MAX_FRAME_BYTES + 1), "12"]


def test_after_an_opening_the_end_of_a_code_is_no_code() -> None:
    under_test = decoder()
    under_test.opened(0)
    told = Typist().events("274", MS) + Typist().events("one", 20 * MS)
    assert said(feed(under_test, told)) == [(DiscardReason.BROKEN_OFF, 3), "one"]
    under_test.opened(0)
    assert said(feed(under_test, Typist().events("one", IDLE_NS))) == ["one"]
    assert not under_test.broken()
    feed(under_test, Typist(terminator="none").events("12"))
    assert said(under_test.broken()) == [(DiscardReason.BROKEN_OFF, 2)]


def test_keys_held_when_it_is_opened() -> None:
    under_test = decoder()
    under_test.opened(0, {typist.KEY_CODES[SHIFT], 30})
    told = events([*tap(0x05), (SHIFT, False), *tap(0x06), *tap(typist.ENTER)], IDLE_NS)
    assert said(feed(under_test, told)) == ["Bc"]

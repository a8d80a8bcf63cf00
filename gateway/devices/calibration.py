"""What a scanner makes of a symbol whose text is known: which of its settings, or ours, are wrong. Pure.

The symbol holds each character that keyboard layouts put in different places, letters in both cases, and GS.
Letters and digits survive a wrong layout, so that without such a test a lot number `A-12` that is typed as `A+12`
looks well.
"""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from drivers.base import ScannerSettings
from drivers.clues import BINARY, PARITY, SSI, is_ssi, looks_of
from drivers.layouts import NAMES
from drivers.model import Discarded, DiscardReason, InputQuality, RawScan
from drivers.port_holders import USUAL

GS: Final = "\x1d"

MARK: Final = "CHECK"
"""Begins the text. The US, Swedish, German and French layouts have these letters in the same places."""
TEXT: Final = GS.join((MARK, "AQWZYMaqwzym" + string.digits + string.punctuation, "END"))
"""What the symbol says: every printable character of ASCII whose key differs between layouts (a, q, w, z, y, m, the
digits' row, all punctuation), and GS."""

_PARTS: Final = TEXT.split(GS)
_AROUND_GS: Final = re.compile("([^A-Za-z0-9]{0,8})".join(re.escape(part) for part in _PARTS))
_GS_KEYS: Final = {"Ctrl+]": "ctrl-]", "F8": "f8", "Down": "down", "Alt+029": "alt-029"}
"""What `Discarded.clue` names -> `gs` of the configuration."""
_NAME_OF_GS: Final = {setting: name for name, setting in _GS_KEYS.items()}
_TERMINATORS: Final = {"CR", "LF", "CRLF", "TAB", "ETX", "STX-ETX"}
_SAME: Final = {"se": "fi", "fi": "se"}
"""Layouts that write the same."""


class CalibrationFinding(Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be."""

    code: str
    message: str
    """What was seen."""
    mend: str
    """The setting that mends it: of the configuration, or of the scanner itself."""
    wrong: bool = True
    """Characters of labels come out wrong: the scanner may not count as calibrated."""


def diagnose(items: Sequence[RawScan | Discarded], settings: ScannerSettings) -> list[CalibrationFinding]:
    """Return what is wrong with a scanner that read TEXT and delivered `items`; nothing when all is well.

    The first item is what came of the symbol, further ones followed it at once. What was read is never part of a
    message, unless it can only come from TEXT: it may be a person's wristband.
    """
    item, *further = items
    keyboard = _typed(item, settings) if settings.driver == "hid-keyboard" else None
    if keyboard is not None:
        found = keyboard
    elif isinstance(item, Discarded):
        found = [_discarded(item, settings)]
    elif MARK.casefold() not in item.text.casefold() or is_ssi(item.frame.data):
        found = [_other_code(item, settings)]
    else:
        found = [*_characters(item, settings), *_ways(item)]
    if further and not any(finding.wrong for finding in found):
        found.append(_followed(further, settings))
    return found


def _followed(further: Sequence[RawScan | Discarded], settings: ScannerSettings) -> CalibrationFinding:
    length = sum(len(one.text) if isinstance(one, RawScan) else one.length for one in further)
    again = any(isinstance(one, RawScan) and MARK in one.text for one in further)
    return CalibrationFinding(
        code="SENT_TWICE" if again else "SUFFIX",
        message="the code comes twice"
        if again
        else f"{length} characters follow behind the ending, and are refused after every code",
        mend="switch off what sends codes twice, in the scanner's own settings"
        if again
        else f"let the scanner send nothing behind a code but {settings.terminator}, in its own settings",
    )


def _other_code(item: RawScan, settings: ScannerSettings) -> CalibrationFinding:
    looks = _looks(looks_of(item.frame.data), settings) if settings.driver != "hid-keyboard" else None
    if looks is not None:
        return looks
    return CalibrationFinding(
        code="OTHER_CODE",
        message=f"another code was read, of {len(item.text)} characters",
        mend="scan the symbol that is shown"
        if settings.driver != "hid-keyboard"
        else "scan the symbol that is shown; where it was that one, the scanner types a layout that is none of "
        f"{', '.join(NAMES)}: set the scanner itself to the layout `us`",
    )


def _looks(clue: str, settings: ScannerSettings) -> CalibrationFinding | None:
    """Return what bytes that are no text say of the line; None where they say nothing."""
    if clue == SSI:
        return CalibrationFinding(
            code="DIALECT_WRONG",
            message="the scanner sends packets (Zebra SSI)",
            mend='set dialect = "zebra-ssi", or set the scanner itself to unpacked data',
        )
    if clue == PARITY:
        return CalibrationFinding(
            code="PARITY_WRONG",
            message="the scanner sends seven bits and a parity bit",
            mend="set the scanner itself to 8 data bits, no parity, 1 stop bit",
        )
    if clue == BINARY:
        return CalibrationFinding(
            code="BAUD_WRONG",
            message="bytes come that are no text",
            mend=f"set `baud` to the speed of the scanner itself (here it is {settings.baud}; 9600 and 115200 are "
            "usual); if that is right, set the scanner to 8 data bits, no parity",
        )
    return None


def _typed(item: RawScan | Discarded, settings: ScannerSettings) -> list[CalibrationFinding] | None:
    """Return what is wrong with how a scanner types; None where its set-up is right, or no known one."""
    from gateway.devices.keyboard_guess import SetUp, candidates

    found = candidates(item, TEXT, settings)
    if not found or any(one == SetUp(settings.layout, gs) for one in found for gs in (*settings.gs, "")):
        return None
    layouts = list(dict.fromkeys(one.layout for one in found))
    gs_keys = list(dict.fromkeys(one.gs for one in found))
    findings = []
    if settings.layout not in layouts:
        findings.append(_layout_finding(layouts, settings, item))
    if "" not in gs_keys and not set(gs_keys) & set(settings.gs):
        shown = " or ".join(_NAME_OF_GS[one] for one in gs_keys)
        findings.append(
            CalibrationFinding(
                code="GS_OTHER_KEY",
                message=f"GS arrives as {shown}, which `gs` does not name",
                mend=f'set gs = ["{gs_keys[0]}"]'
                if len(gs_keys) == 1
                else f"set gs to one of {', '.join(gs_keys)}, and scan again",
            )
        )
    return findings or None


def _layout_finding(
    layouts: Sequence[str], settings: ScannerSettings, item: RawScan | Discarded
) -> CalibrationFinding:
    named = [one for one in layouts if _SAME.get(one) not in layouts or one == "se"]
    shown = (
        f"characters come as those of another layout ({_shown(item)})"
        if isinstance(item, RawScan)
        else f"the keys make no text in the layout `{settings.layout}`"
    )
    choice = " or ".join(f'layout = "{one}"' for one in named)
    also = " (fi writes the same)" if named == ["se"] and "fi" in layouts else ""
    again = "; scan again then" if len(named) > 1 else ""
    return CalibrationFinding(
        code="LAYOUT_WRONG",
        message=shown,
        mend=f"set {choice}{also}, or set the scanner itself to the layout `{settings.layout}`{again}",
    )


def proves(findings: Sequence[CalibrationFinding]) -> bool:
    """Return whether the scanner types what labels say."""
    return not any(finding.wrong for finding in findings)


def _characters(scan: RawScan, settings: ScannerSettings) -> Iterator[CalibrationFinding]:
    text = _core(scan.text)
    if text == TEXT:
        return
    if text.swapcase() == TEXT:
        yield CalibrationFinding(
            code="CAPS_LOCK",
            message="capital letters come as small ones, and small ones as capital",
            mend="switch Caps Lock off, in the scanner's own settings: the gateway tells it that it is off",
        )
        return
    if text in {TEXT.upper(), TEXT.lower()}:
        yield CalibrationFinding(
            code="CASE_CHANGED",
            message="all letters come in one case",
            mend="switch the conversion of letters (`upper case`, `lower case`) off, in the scanner's own settings",
        )
        return
    around = _AROUND_GS.fullmatch(text)
    if around is not None:
        yield _separators(around.groups(), settings)
        return
    yield _other_characters(text, settings)


def _separators(came: tuple[str, ...], settings: ScannerSettings) -> CalibrationFinding:
    keyboard = settings.driver == "hid-keyboard"
    if not any(came):
        mend = (
            f"let the scanner send GS (often called `function code` or `control characters`) as one of "
            f"{', '.join(_GS_KEYS)}, and name that one in `gs`"
            if keyboard
            else "let the scanner send GS (0x1D) as it is, in its own settings"
        )
        return CalibrationFinding(
            code="GS_DROPPED",
            message="GS does not arrive: elements of GS1 codes run together, and such scans count as less certain",
            mend=mend,
            wrong=False,
        )
    shown = visible(next(one for one in came if one))
    return CalibrationFinding(
        code="GS_REPLACED",
        message=f"GS arrives as {shown}",
        mend="let the scanner send GS (0x1D) as it is, in its own settings: no replacement of characters"
        if not keyboard
        else f"let the scanner send GS as one of {', '.join(_GS_KEYS)}, and name that one in `gs`",
    )


def _other_characters(text: str, settings: ScannerSettings) -> CalibrationFinding:
    bare, expected = text.replace(GS, ""), TEXT.replace(GS, "")
    if len(bare) != len(expected):
        return CalibrationFinding(
            code="CHARACTERS_MISSING",
            message=f"{len(bare)} characters came instead of {len(expected)}",
            mend="scan once more; if it stays so, let the scanner type more slowly (`inter-character delay`), and "
            "switch off what edits codes in its own settings (data formatting)",
        )
    return CalibrationFinding(
        code="LAYOUT_WRONG" if settings.driver == "hid-keyboard" else "CHARACTERS_REPLACED",
        message=f"characters come as others: {_replaced(text)}",
        mend=_KNOWN_LAYOUT
        if settings.driver == "hid-keyboard"
        else "switch off what replaces characters, in the scanner's own settings",
    )


def _replaced(text: str) -> str:
    """Return the first characters that came as others. `text` is as long as TEXT without GS."""
    pairs = zip(TEXT.replace(GS, ""), text.replace(GS, ""), strict=False)
    wrong = [f"{one} as {visible(other)}" for one, other in pairs if one != other]
    return ", ".join(wrong[:6]) + (f" and {len(wrong) - 6} more" if len(wrong) > 6 else "")  # noqa: PLR2004 - a line's worth


def _shown(scan: RawScan) -> str:
    core = _core(scan.text)
    return _replaced(core) if len(core.replace(GS, "")) == len(TEXT.replace(GS, "")) else "and not as many"


def _ways(scan: RawScan) -> Iterator[CalibrationFinding]:
    """What else is noticed about a scan of TEXT; none of it makes characters wrong."""
    before, _, after = scan.text.partition(_core(scan.text))
    if before:
        yield CalibrationFinding(
            code="PREFIX",
            message=f"{visible(before)} comes before the code",
            mend='set terminator = "STX-ETX"'
            if before == "\x02"
            else "remove the prefix, in the scanner's settings",
        )
    if after:
        ending = looks_of(after.encode())
        ending = ending if ending in _TERMINATORS and not after.strip("\r\n\t\x03") else ""
        yield CalibrationFinding(
            code="WRONG_TERMINATOR" if ending else "SUFFIX",
            message=f"{visible(after)} comes behind the code",
            mend=f'set terminator = "{ending}"' if ending else "remove the suffix, in the scanner's settings",
        )
    if scan.symbology is None:
        yield CalibrationFinding(
            code="NO_AIM_ID",
            message="the scanner does not say which kind of symbol it read: some codes can be taken for others",
            mend="switch on `AIM identifier` as prefix, in the scanner's own settings",
            wrong=False,
        )
    if InputQuality.DROPPED_BEFORE in scan.quality:
        yield CalibrationFinding(
            code="DROPPED_BEFORE",
            message="the kernel lost input of this scanner shortly before",
            mend="let the scanner type more slowly (`inter-character delay`), in its own settings",
            wrong=False,
        )


def _discarded(item: Discarded, settings: ScannerSettings) -> CalibrationFinding:
    """Return what a code that was thrown away says of the set-up."""
    looks = _looks(item.clue, settings) if settings.driver == "serial" else None
    if looks is not None:
        return looks
    if item.clue in _TERMINATORS:
        return CalibrationFinding(
            code="WRONG_TERMINATOR",
            message=f"the code ends with {item.clue}, not with {settings.terminator}",
            mend=f'set terminator = "{item.clue}", or let the scanner send {settings.terminator} behind each code',
        )
    if item.clue in _GS_KEYS:
        return CalibrationFinding(
            code="GS_OTHER_KEY",
            message=f"GS arrives as {item.clue}, which `gs` does not name",
            mend=f'set gs = ["{_GS_KEYS[item.clue]}"]',
        )
    garbled = item.reason is DiscardReason.GARBLED and settings.terminator == "STX-ETX"
    code, message, mend = _REASONS.get(DiscardReason.UNTERMINATED if garbled else item.reason, ("", "", ""))
    if code:
        return CalibrationFinding(code=code, message=message, mend=mend)
    named = f" ({item.clue})" if item.clue else ""
    return CalibrationFinding(
        code="DISCARDED",
        message=f"the code was thrown away whole: {item.reason}{named}, {item.length} bytes",
        mend="scan once more; if it stays so, compare `terminator`, `baud` and `dialect` with the scanner's own",
    )


_KNOWN_LAYOUT: Final = (
    f"set the scanner itself to one of the layouts {', '.join(NAMES)}, and name that one as `layout`"
)
_REASONS: Final[Mapping[DiscardReason, tuple[str, str, str]]] = {
    DiscardReason.UNTERMINATED: (
        "NO_TERMINATOR",
        "nothing comes behind the code: it could be part of one, and is refused",
        'let the scanner send CR (Enter) behind each code, in its own settings, and set terminator = "CR"',
    ),
    DiscardReason.TAKEN: (
        "PORT_SHARED",
        "another program reads the same port",
        f"stop it: `scangate scanners list` names it where it can; usual ones are {USUAL}",
    ),
    DiscardReason.DROPPED: (
        "INPUT_LOST",
        "the kernel lost input in the middle of the code",
        "scan once more; if it stays so, let the scanner send more slowly (`inter-character delay`)",
    ),
    DiscardReason.FORBIDDEN_KEYS: (
        "FORBIDDEN_KEYS",
        "keys came that are neither text nor a GS that `gs` can name",
        f"let the scanner type GS as one of {', '.join(_GS_KEYS)}; if it stays so, {_KNOWN_LAYOUT}",
    ),
    DiscardReason.UNREADABLE: ("LAYOUT_WRONG", "the keys make no text in the layout that is set", _KNOWN_LAYOUT),
}
"""Reason -> code, what was seen, what to do."""


def _core(text: str) -> str:
    """Return what lies between the first mark and the end, without what was put around it."""
    begin = text.casefold().find(MARK.casefold())
    last = text.casefold().rfind(_PARTS[-1].casefold())
    return text[begin : last + len(_PARTS[-1])] if last > begin else text[begin:]


def visible(text: str) -> str:
    r"""Make control characters visible: `<GS>`, `<CR>`, `<02>`.

    >>> visible("10A\x1d21\x02")
    '10A<GS>21<02>'
    """
    named = {"\x1d": "<GS>", "\r": "<CR>", "\n": "<LF>", "\t": "<TAB>", "\x1e": "<RS>", "\x04": "<EOT>"}
    return "".join(named.get(one) or (one if one.isprintable() else f"<{ord(one):02X}>") for one in text)

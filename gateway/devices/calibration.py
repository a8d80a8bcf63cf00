"""What a scanner makes of a symbol whose text is known: which of its settings, or ours, are wrong. Pure.

The symbol holds each character that keyboard layouts put in different places, letters in both cases, and GS.
Letters and digits survive a wrong layout, so that without such a test a lot number `A-12` that is typed as `A+12`
looks well.
"""

import re
import string
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from drivers.base import ScannerSettings
from drivers.model import Discarded, DiscardReason, InputQuality, RawScan

GS: Final = "\x1d"

MARK: Final = "CHECK"
"""Begins the text. The US, Swedish, German and French layouts have these letters in the same places."""
TEXT: Final = GS.join((MARK, "AQWZYMaqwzym" + string.digits + string.punctuation, "END"))
"""What the symbol says: every printable character of ASCII whose key differs between layouts (a, q, w, z, y, m, the
digits' row, all punctuation), and GS."""

_PARTS: Final = TEXT.split(GS)
_AROUND_GS: Final = re.compile("([^A-Za-z0-9]{0,8})".join(re.escape(part) for part in _PARTS))
_ENDINGS: Final = {"\t": "TAB", "\n": "LF", "\r": "CR", "\r\n": "CRLF", "\x03": "ETX"}
_GS_KEYS: Final = {"Ctrl+]": "ctrl-]", "F8": "f8", "Down": "down", "Alt+029": "alt-029"}
"""What `Discarded.clue` names -> `gs` of the configuration."""
_ALT_GR: Final = "AltGr"
_OTHER_LAYOUT: Final = {"us": "se", "se": "us"}


class CalibrationFinding(Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be."""

    code: str
    message: str
    """What was seen."""
    mend: str
    """The setting that mends it: of the configuration, or of the scanner itself."""
    wrong: bool = True
    """Characters of labels come out wrong: the scanner may not count as calibrated."""


def diagnose(item: RawScan | Discarded, settings: ScannerSettings) -> list[CalibrationFinding]:
    """Return what is wrong with a scanner that read TEXT and delivered `item`; nothing when all is well.

    What was read is never part of a message, unless it can only come from TEXT: it may be somebody's wristband.
    """
    if isinstance(item, Discarded):
        return [_discarded(item, settings)]
    if MARK.casefold() not in item.text.casefold():
        return [
            CalibrationFinding(
                code="OTHER_CODE",
                message=f"another code was read, of {len(item.text)} characters",
                mend="scan the symbol that is shown; where it was that one, the scanner types a layout that is "
                "neither us nor se: set the scanner itself to the layout `us`",
            )
        ]
    return [*_characters(item, settings), *_ways(item, settings)]


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
    wrong = [f"{one} as {visible(other)}" for one, other in zip(expected, bare, strict=True) if one != other]
    shown = ", ".join(wrong[:6]) + (f" and {len(wrong) - 6} more" if len(wrong) > 6 else "")  # noqa: PLR2004 - a line's worth
    return CalibrationFinding(
        code="LAYOUT_WRONG",
        message=f"characters come as others: {shown}",
        mend=_layout_mend(settings)
        if settings.driver == "hid-keyboard"
        else "switch off what replaces characters, in the scanner's own settings",
    )


def _ways(scan: RawScan, settings: ScannerSettings) -> Iterator[CalibrationFinding]:
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
        ending = _ENDINGS.get(after)
        yield CalibrationFinding(
            code="WRONG_TERMINATOR" if ending else "SUFFIX",
            message=f"{visible(after)} comes behind the code",
            mend=f'set terminator = "{ending}"' if ending else "remove the suffix, in the scanner's settings",
        )
    elif InputQuality.UNTERMINATED in scan.quality and settings.terminator != "none":
        yield CalibrationFinding(
            code="NO_TERMINATOR",
            message="the code ends by silence: a slow one may be cut in two",
            mend="let the scanner send CR (Enter) behind each code, in its own settings",
            wrong=False,
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
    if item.reason is DiscardReason.FORBIDDEN_KEYS and (gs := _GS_KEYS.get(item.clue)) is not None:
        return CalibrationFinding(
            code="GS_OTHER_KEY",
            message=f"GS arrives as {item.clue}, which `gs` does not name",
            mend=f'set gs = ["{gs}"]',
        )
    if settings.driver == "hid-keyboard" and item.clue in {"", _ALT_GR}:
        if item.reason is DiscardReason.UNREADABLE or item.clue == _ALT_GR:
            return CalibrationFinding(
                code="LAYOUT_WRONG",
                message=f"the keys make no text in the layout `{settings.layout}`",
                mend=_layout_mend(settings),
            )
        if item.reason is DiscardReason.FORBIDDEN_KEYS:
            return CalibrationFinding(
                code="FORBIDDEN_KEYS",
                message="keys came that are neither text nor a GS that `gs` names",
                mend=f"try gs = {list(_GS_KEYS.values())}; if it stays so, {_layout_mend(settings)}",
            )
    named = f" ({item.clue})" if item.clue else ""
    return CalibrationFinding(
        code="DISCARDED",
        message=f"the code was thrown away whole: {item.reason}{named}, {item.length} bytes",
        mend="scan once more; if it stays so, compare `terminator`, `baud` and `dialect` with the scanner's own",
    )


def _layout_mend(settings: ScannerSettings) -> str:
    other = _OTHER_LAYOUT[settings.layout]
    return f'set layout = "{other}", or set the scanner itself to the layout `{settings.layout}`'


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

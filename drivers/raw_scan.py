"""Frame -> RawScan: the AIM symbology identifier is split off and the bytes become text. Pure."""

import re
from collections.abc import Iterable

from msgspec.structs import replace

from drivers.base import DialectOutput, FrameDiscarded, Scanner
from drivers.model import Discarded, Frame, InputQuality, RawScan, ScannerInput
from drivers.separators import GS, lacks_separators

_AIM_ID = re.compile(rb"\][A-Za-z][0-9A-Za-z]")
"""ISO/IEC 15424: `]`, a code character (an ASCII letter) and a modifier character (a digit or a letter)."""
_AIM_ID_LENGTH = 3


def begins_with_aim_id(data: bytes | bytearray) -> bool:
    """Return whether the data begins with an AIM symbology identifier."""
    return _AIM_ID.match(data) is not None


def to_raw_scan(scanner: str, frame: Frame) -> RawScan:
    """Return what the scanner called `scanner` read.

    The text is UTF-8, or else Latin-1, in which every byte has a meaning: nothing is replaced and nothing is lost.
    Control characters stay, GS (0x1D) above all.
    """
    quality = set(frame.quality)
    data = frame.data
    symbology = None
    if begins_with_aim_id(data):
        symbology = data[:_AIM_ID_LENGTH].decode("ascii")
        data = data[_AIM_ID_LENGTH:]
    else:
        quality.add(InputQuality.NO_AIM_ID)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        quality.add(InputQuality.NOT_UTF8)
    return RawScan(scanner=scanner, frame=frame, symbology=symbology, text=text, quality=frozenset(quality))


def to_inputs(scanner: str, outputs: Iterable[DialectOutput]) -> list[ScannerInput]:
    """Return what `Scanner.read` hands on of a dialect's output. Replies to commands are no input."""
    inputs: list[ScannerInput] = []
    for output in outputs:
        if isinstance(output, Frame):
            inputs.append(to_raw_scan(scanner, output))
        elif isinstance(output, FrameDiscarded):
            inputs.append(
                Discarded(
                    scanner=scanner,
                    reason=output.reason,
                    length=output.length,
                    clue=output.clue,
                    strokes=output.strokes,
                )
            )
    return inputs


def inputs_of(scanner: Scanner, outputs: Iterable[DialectOutput]) -> list[ScannerInput]:
    """Return the same for a scanner that may be set up to send no GS: note one, flag a code that may lack some."""
    inputs = to_inputs(scanner.settings.name, outputs)
    for place, item in enumerate(inputs):
        if isinstance(item, RawScan):
            scanner.gs_seen = scanner.gs_seen or GS in item.text
            if not scanner.gs_seen and lacks_separators(item.symbology, item.text):
                scanner.gs_missed = True
                inputs[place] = replace(item, quality=item.quality | {InputQuality.GS_NEVER_SEEN})
    return inputs

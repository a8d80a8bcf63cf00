"""The page for scanners whose settings cannot be written over a cable. Pure.

Vendors set a scanner by codes on paper, most of them Code 128 or Data Matrix with function characters that mark
them as commands. How these are marked is published for none of the vendors of the profiles, and a code made by
guessing could set something else. So the page names each setting and where the vendor's own code for it stands, and
ends with a code that shows whether the scanner now sends what labels say.
"""

from collections.abc import Iterator

from firmware_config.model import Need, ScannerProfile, Setting
from gateway.devices.calibration import TEXT
from gateway.printing.sheet import Cell, Entry, Note

BEGIN = "First"
SETTINGS = "Codes to scan in the vendor's manual"
PROOF = "Then"


def title(profile: ScannerProfile) -> str:
    """Return the page's title."""
    return f"{profile.title} scanners: settings"


def entries(profile: ScannerProfile) -> Iterator[Entry]:
    """Yield what the page says, in the order in which it is done."""
    yield Note(
        lines=(
            f"For {', '.join(profile.models)}. Have your model's manual at hand: its codes are the vendor's own.",
            *profile.notes,
            *((f"Over a cable: {profile.refused}",) if profile.refused else ()),
        ),
        group=BEGIN,
    )
    number = 0
    for need in profile.needs:
        for setting in need.settings:
            number += 1
            yield Note(lines=tuple(_lines(number, need, setting)), group=SETTINGS)
        if not need.settings:
            yield Note(lines=(need.why, need.nothing_to_set), group=SETTINGS)
    words = ", ".join(f'{key} = "{value}"' for key, value in profile.use.items())
    yield Note(
        lines=("Scan the symbol below with `scangate scanners calibrate NAME`.", f"[[scanner]] {words}"),
        group=PROOF,
    )
    yield Cell(text=TEXT, symbology="datamatrix", captions=("Data Matrix",), group=PROOF)
    yield Cell(text=TEXT, symbology="qr", captions=("QR code",), group=PROOF)


def _lines(number: int, need: Need, setting: Setting) -> Iterator[str]:
    yield f"{number}. {setting.meaning}"
    yield f"{need.why} Setting {setting.name}, value {setting.value}."
    yield f"Code: {setting.source}"
    if not setting.verified:
        yield f"Not confirmed: {setting.why_unverified}"

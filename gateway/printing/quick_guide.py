"""The quick guide: one page for the wall, laminated. What each colour and sound means, what to do, the codes. Pure."""

from collections.abc import Iterator
from typing import Final

from drivers.model import Signal
from drivers.signal_forms import FORMS
from gateway.languages.form import Vocabulary
from gateway.printing.shapes import SHAPES
from gateway.printing.sheet import Cell, Entry, Note, SignalLine
from gateway.printing.station_sheet import GROUPS, caption
from gateway.station.control_codes import ControlCodes
from gateway.station.profiles import ProfileName

WHITE: Final = "#ffffff"
BLACK: Final = "#000000"
COLOURS: Final = {
    Signal.ACCEPTED: ("#0b5d1e", WHITE),
    Signal.MORE: ("#0a3f7d", WHITE),
    Signal.WARNING: ("#ffb700", BLACK),
    Signal.REFUSED: ("#8f0010", WHITE),
    Signal.TROUBLE: ("#8f0010", WHITE),
    Signal.DEVIATING: ("#0a3f7d", WHITE),
    Signal.QUESTION: ("#0a3f7d", WHITE),
}
"""Signal -> the ground and the ink that the station's screen gives it."""
OFTEN: Final = (
    *("UNDO", "CANCEL", "SAMEPATIENT", "CLOSECASE", "USEDDESPITE", "RECEIVE", "RETURN", "INVENTORY", "TRANSFER"),
    *("LOCK", "DISCARDEXPIRED", "WHOAMI"),
)
"""Codes that are needed most, the first first."""
MAX_CODES: Final = 8
"""Two rows of them: what the page holds."""


def entries(words: Vocabulary, codes: ControlCodes | None, profile: ProfileName) -> Iterator[Entry]:
    """Yield what the page says. `codes`: None where the site has no key, and so no control codes."""
    for signal, form in FORMS.items():
        ground, ink = COLOURS[signal]
        guidance = words.signals[signal]
        yield SignalLine(
            colour=ground,
            ink=ink,
            strokes=SHAPES[signal],
            word=words.headlines[signal],
            rhythm=form.rhythm,
            lines=(guidance.meaning, guidance.deed),
            group=words.guide_headings["signals"],
        )
    if codes is not None:
        there = {command for group in GROUPS[profile].values() for command in group}
        for command in [one for one in OFTEN if one in there][:MAX_CODES]:
            yield Cell(
                text=codes.write(command),
                symbology="datamatrix",
                captions=(caption(command, words),),
                group=words.guide_headings["codes"],
            )
    for note in words.guide_notes:
        yield Note(lines=(note,), group=words.guide_headings["trouble"])

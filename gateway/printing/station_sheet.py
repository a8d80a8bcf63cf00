"""The page of control codes of a site: which codes, in which groups, with which captions. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from gateway.printing.sheet import Cell
from gateway.station.control_codes import ControlCodes

Language = Literal["sv", "en", "both"]

QUANTITIES: Final = (*range(2, 11), 12, 15, 20, 25, 30, 40, 50, 100)
"""Pieces in the packages that hospitals count: each code stands for the whole number."""

_Words = tuple[str, str]
"""Swedish, English."""
TITLE: Final[_Words] = ("Styrkoder", "Control codes")
GROUPS: Final[Mapping[_Words, Mapping[str, _Words]]] = {
    ("Vad nästa skanning betyder", "What the next scan means"): {
        "CONSUME": ("Förbruka", "Consume"),
        "RECEIVE": ("Ta emot", "Receive"),
        "RETURN": ("Returnera", "Return"),
        "INVENTORY": ("Inventera", "Count stock"),
    },
    ("Kassera: orsak", "Discard: reason"): {
        "DISCARDEXPIRED": ("Utgången", "Expired"),
        "DISCARDDAMAGED": ("Skadad", "Damaged"),
        "DISCARDOPENEDUNUSED": ("Öppnad, ej använd", "Opened, not used"),
        "DISCARDCONTAMINATED": ("Osteril, förorenad", "Contaminated"),
        "DISCARDRECALLED": ("Återkallad", "Recalled"),
        "DISCARDWRONGITEM": ("Fel vara", "Wrong item"),
        "DISCARDOTHER": ("Annat skäl", "Other reason"),
    },
    ("Rätta och fråga", "Correct and ask"): {
        "UNDO": ("Ångra senaste", "Undo the last scan"),
        "CANCEL": ("Avbryt påbörjat", "Cancel what was begun"),
        "CLEARCONTEXT": ("Avsluta ärende, patient, plats", "End case, patient, place"),
        "WHOAMI": ("Vilken station?", "Which station?"),
    },
    ("Antal av nästa vara", "How many of the next item"): {
        f"QTY{number}": (f"{number} st", f"{number} pieces") for number in QUANTITIES
    },
}
"""Group -> command -> caption. Every command of `gateway.station.control_codes` stands in one of them."""


def title(site: str, language: Language) -> str:
    """Return the page's heading."""
    return f"{' / '.join(_in(TITLE, language))}: {site}"


def cells(codes: ControlCodes, language: Language) -> Iterator[Cell]:
    """Yield every code of the page. Raises ValueError where the codes have no key."""
    for group, commands in GROUPS.items():
        heading = " / ".join(_in(group, language))
        for command, caption in commands.items():
            yield Cell(
                text=codes.write(command),
                symbology="datamatrix",
                captions=_in(caption, language),
                group=heading,
            )


def _in(words: _Words, language: Language) -> tuple[str, ...]:
    return {"sv": words[:1], "en": words[1:], "both": words}[language]

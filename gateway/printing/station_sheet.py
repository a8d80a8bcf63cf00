"""The page of control codes of a site: which codes, in which groups, with which captions. Pure.

Each kind of place has the codes it needs and no others, so that the page stays one side of A4.
"""

from collections.abc import Iterator, Mapping
from string import ascii_uppercase
from typing import Final, Literal

from gateway.printing.sheet import Cell
from gateway.station.control_codes import MARKS, ControlCodes
from gateway.station.profiles import ProfileName

Language = Literal["sv", "en", "both"]

_Words = tuple[str, str]
"""Swedish, English."""
TITLE: Final[_Words] = ("Styrkoder", "Control codes")
CAPTIONS: Final[Mapping[str, _Words]] = {
    "CONSUME": ("Förbruka", "Consume"),
    "RECEIVE": ("Ta emot", "Receive"),
    "RETURN": ("Returnera nästa vara", "Return the next item"),
    "EXPLANT": ("Nästa vara tas ut ur patient", "Next item is taken out"),
    "INVENTORY": ("Inventera", "Count stock"),
    "ORDER": ("Beställ (tom låda)", "Order (empty bin)"),
    "TRANSFER": ("Flytta till … (skanna platsen)", "Transfer to … (scan the place)"),
    "LOCK": ("Gäller tills Avbryt", "Holds until Cancel"),
    "COUNTNEW": ("Börja räkna: ersätter", "Begin a count: replaces"),
    "COUNTMORE": ("Börja räkna: läggs till", "Begin a count: adds"),
    "COUNTEND": ("Räkningen klar", "End of the count"),
    "DISCARDEXPIRED": ("Utgången", "Expired"),
    "DISCARDDAMAGED": ("Skadad", "Damaged"),
    "DISCARDOPENEDUNUSED": ("Öppnad, ej använd", "Opened, not used"),
    "DISCARDCONTAMINATED": ("Osteril, förorenad", "Contaminated"),
    "DISCARDRECALLED": ("Återkallad", "Recalled"),
    "DISCARDWRONGITEM": ("Fel vara", "Wrong item"),
    "DISCARDOTHER": ("Annat skäl", "Other reason"),
    "UNDO": ("Ångra senaste", "Undo the last scan"),
    "UNDOITEM": ("Ta tillbaka nästa vara", "Take back the next item"),
    "CANCEL": ("Avbryt påbörjat", "Cancel what was begun"),
    "USEDDESPITE": ("Använd trots stopp", "Used despite the stop"),
    "SAMEPATIENT": ("Samma patient", "Same patient"),
    "CLEARCONTEXT": ("Avsluta ärende, patient, plats", "End case, patient, place"),
    "CLOSECASE": ("Stäng ärendet", "Close the case"),
    "WHOAMI": ("Vilken station?", "Which station?"),
    "KEYDAMAGED": ("Skriv in: koden är skadad", "Type: the code is damaged"),
    "KEYNOCODE": ("Skriv in: ingen kod", "Type: no code"),
    "KEYNOTREAD": ("Skriv in: läses inte", "Type: not read"),
    "KEYARTICLE": ("Artikel (GTIN)", "Article (GTIN)"),
    "KEYEXPIRY": ("Utgår ÅÅMMDD", "Expiry YYMMDD"),
    "KEYLOT": ("Lot: två gånger", "Lot: twice"),
    "KEYSERIAL": ("Serienr: två gånger", "Serial: twice"),
    "KEYERASE": ("Sudda tecknet", "Erase the character"),
    "KEYEND": ("Klar", "Done"),
    "UNLABELLED": ("Vara utan etikett", "Item without label"),
    "SMALLLETTER": ("Nästa bokstav liten", "Next letter small"),
    **{f"CHAR{letter}": (letter, letter) for letter in ascii_uppercase},
    "CHARSPACE": ("mellanslag", "space"),
    **{f"CHAR{name}": (mark, mark) for name, mark in MARKS.items() if name != "SPACE"},
    **{f"DIGIT{digit}": (str(digit), str(digit)) for digit in range(10)},
}
"""Command -> caption."""
_NEXT: Final[_Words] = ("Vad nästa skanning betyder", "What the next scan means")
_DISCARD: Final[_Words] = ("Kassera nästa vara: orsak", "Discard the next item: reason")
_CORRECT: Final[_Words] = ("Rätta och svara", "Correct and answer")
_KEYED: Final[_Words] = ("Etiketten kan inte läsas", "The label cannot be read")
_CHARACTERS: Final[_Words] = ("Tecken", "Characters")
_TYPING: Final = (
    *("KEYDAMAGED", "KEYNOCODE", "KEYNOTREAD", "UNLABELLED"),
    *("KEYARTICLE", "KEYEXPIRY", "KEYLOT", "KEYSERIAL", "KEYERASE", "SMALLLETTER", "KEYEND", "CANCEL"),
)
_QUANTITY: Final[_Words] = ("Antal av nästa vara, siffra för siffra", "How many of the next item, digit by digit")
_DIGITS: Final = tuple(f"DIGIT{digit}" for digit in range(10))
_REASONS: Final = tuple(command for command in CAPTIONS if command.startswith("DISCARD"))
_PATIENTS: Final = (
    "UNDO",
    "UNDOITEM",
    "CANCEL",
    "USEDDESPITE",
    "SAMEPATIENT",
    "CLEARCONTEXT",
    "CLOSECASE",
    "WHOAMI",
)
KEYED_GROUPS: Final[Mapping[_Words, tuple[str, ...]]] = {
    _KEYED: _TYPING,
    _CHARACTERS: (
        *_DIGITS,
        *(f"CHAR{letter}" for letter in ascii_uppercase),
        *(f"CHAR{name}" for name in MARKS),
    ),
}
"""The page for keyed entry, the same in every kind of place."""
GROUPS: Final[Mapping[ProfileName, Mapping[_Words, tuple[str, ...]]]] = {
    "operating-room": {
        _NEXT: ("CONSUME", "RETURN", "EXPLANT", "LOCK"),
        _DISCARD: _REASONS,
        _CORRECT: _PATIENTS,
        _QUANTITY: _DIGITS,
    },
    "supply-room": {
        _NEXT: (
            *("CONSUME", "RECEIVE", "RETURN", "INVENTORY", "ORDER", "TRANSFER", "LOCK"),
            *("COUNTNEW", "COUNTMORE", "COUNTEND"),
        ),
        _DISCARD: tuple(one for one in _REASONS if one != "DISCARDOPENEDUNUSED"),
        _CORRECT: ("UNDO", "UNDOITEM", "CANCEL", "CLEARCONTEXT", "WHOAMI"),
        _QUANTITY: _DIGITS,
    },
    "clinic": {
        _NEXT: ("CONSUME", "RECEIVE", "RETURN", "INVENTORY", "LOCK"),
        _DISCARD: _REASONS,
        _CORRECT: _PATIENTS,
        _QUANTITY: _DIGITS,
    },
}
"""Kind of place -> group -> commands."""


def title(site: str, language: Language) -> str:
    """Return the page's heading."""
    return f"{' / '.join(_in(TITLE, language))}: {site}"


def cells(codes: ControlCodes, language: Language, profile: ProfileName) -> Iterator[Cell]:
    """Yield every code of the page of a kind of place. Raises ValueError where the codes have no key."""
    yield from _cells(codes, language, GROUPS[profile])


def keyed_cells(codes: ControlCodes, language: Language) -> Iterator[Cell]:
    """Yield every code of the page for keyed entry. Raises ValueError where the codes have no key."""
    yield from _cells(codes, language, KEYED_GROUPS)


def _cells(codes: ControlCodes, language: Language, groups: Mapping[_Words, tuple[str, ...]]) -> Iterator[Cell]:
    for group, commands in groups.items():
        heading = " / ".join(_in(group, language))
        for command in commands:
            yield Cell(
                text=codes.write(command),
                symbology="datamatrix",
                captions=_in(CAPTIONS[command], language),
                group=heading,
            )


def _in(words: _Words, language: Language) -> tuple[str, ...]:
    texts = {"sv": words[:1], "en": words[1:], "both": words}[language]
    return tuple(dict.fromkeys(texts))

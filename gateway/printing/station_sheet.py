"""The page of control codes of a site: which codes, in which groups, with which captions. Pure.

Each kind of place has the codes it needs and no others.
"""

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Final

from gateway.languages import vocabulary
from gateway.languages.form import Vocabulary
from gateway.printing.sheet import Cell
from gateway.station.control_codes import COMMANDS, MARKS, ControlCodes
from gateway.station.profiles import ProfileName

_DIGITS: Final = tuple(f"DIGIT{digit}" for digit in range(10))
_REASONS: Final = (
    *("DISCARDEXPIRED", "DISCARDDAMAGED", "DISCARDOPENEDUNUSED", "DISCARDCONTAMINATED"),
    *("DISCARDRECALLED", "DISCARDWRONGITEM", "DISCARDOTHER"),
)
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
KEYED_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "keyed": (
        *("KEYDAMAGED", "KEYNOCODE", "KEYNOTREAD", "UNLABELLED"),
        *("KEYARTICLE", "KEYEXPIRY", "KEYLOT", "KEYSERIAL", "KEYERASE", "SMALLLETTER", "KEYEND", "CANCEL"),
    ),
    "characters": (
        *_DIGITS,
        *(f"CHAR{letter}" for letter in ascii_uppercase),
        *(f"CHAR{name}" for name in MARKS),
    ),
}
"""The pages for keyed entry, the same in every kind of place."""
GROUPS: Final[Mapping[ProfileName, Mapping[str, tuple[str, ...]]]] = {
    "operating-room": {
        "next": ("CONSUME", "RETURN", "EXPLANT", "LOCK"),
        "discard": _REASONS,
        "correct": _PATIENTS,
        "quantity": _DIGITS,
    },
    "supply-room": {
        "next": (
            *("CONSUME", "RECEIVE", "RETURN", "INVENTORY", "ORDER", "TRANSFER", "LOCK"),
            *("COUNTNEW", "COUNTMORE", "COUNTEND"),
        ),
        "discard": tuple(one for one in _REASONS if one != "DISCARDOPENEDUNUSED"),
        "correct": ("UNDO", "UNDOITEM", "CANCEL", "CLEARCONTEXT", "WHOAMI"),
        "quantity": _DIGITS,
    },
    "clinic": {
        "next": ("CONSUME", "RECEIVE", "RETURN", "INVENTORY", "LOCK"),
        "discard": _REASONS,
        "correct": _PATIENTS,
        "quantity": _DIGITS,
    },
}
"""Kind of place -> group -> commands."""


def title(site: str, languages: Sequence[str]) -> str:
    """Return the page's heading."""
    return f"{_joined(tuple(vocabulary(one).codes_title for one in languages))}: {site}"


def cells(codes: ControlCodes, languages: Sequence[str], profile: ProfileName) -> Iterator[Cell]:
    """Yield every code of the page of a kind of place. Raises ValueError where the codes have no key."""
    yield from _cells(codes, languages, GROUPS[profile])


def keyed_cells(codes: ControlCodes, languages: Sequence[str]) -> Iterator[Cell]:
    """Yield every code of the pages for keyed entry. Raises ValueError where the codes have no key."""
    yield from _cells(codes, languages, KEYED_GROUPS)


def _cells(codes: ControlCodes, languages: Sequence[str], groups: Mapping[str, tuple[str, ...]]) -> Iterator[Cell]:
    spoken = [vocabulary(one) for one in languages]
    for group, commands in groups.items():
        heading = _joined(tuple(words.caption_groups[group] for words in spoken))
        for command in commands:
            yield Cell(
                text=codes.write(command),
                symbology="datamatrix",
                captions=tuple(dict.fromkeys(caption(command, words) for words in spoken)),
                group=heading,
            )


def caption(command: str, words: Vocabulary) -> str:
    """Return what stands beneath the symbol of a command: a digit says itself, and so does any other character."""
    code = COMMANDS[command]
    if code.digit is not None:
        return str(code.digit)
    return code.text if code.kind == "character" and code.text.strip() else words.captions[command]


def _joined(texts: tuple[str, ...]) -> str:
    return " / ".join(dict.fromkeys(texts))

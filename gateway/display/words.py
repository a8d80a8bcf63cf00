"""What the page says, in Swedish and English. Pure."""

# ruff: noqa: RUF001 - the dash between two phrases is an en dash in both languages

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final, Literal

Language = Literal["sv", "en"]
Words = tuple[str, str]
"""Swedish, English."""


class State(StrEnum):
    """What the large panel can show. Each has a colour, a shape and a word of its own."""

    ACCEPTED = "accepted"
    WARNING = "warning"
    DEVIATING = "deviating"
    """Accepted under an action that takes the article out of use."""
    QUESTION = "question"
    """A code was obeyed, and the station asks something back."""
    REFUSED = "refused"
    INVALID = "invalid"
    """A code that is not taken up, and of which nothing was stored."""
    MORE = "more"
    TROUBLE = "trouble"
    CHOSEN = "chosen"
    """A control or context code was obeyed."""
    UNDONE = "undone"
    IDENTIFIED = "identified"
    READY = "ready"
    ATTENTION = "attention"
    """Nothing is shown of a scan, and a scanner cannot be read."""
    LIMITED = "limited"
    """Scans are stored, but something that the station judges by is missing."""
    UNABLE = "unable"
    """Scans cannot be stored."""
    LOST = "lost"
    """What is shown would be old: the daemon, or whoever serves the page, does not answer."""


HEADLINES: Final[Mapping[State, Words]] = {
    State.ACCEPTED: ("Godkänd", "Accepted"),
    State.WARNING: ("Kontrollera", "Check"),
    State.DEVIATING: ("Noterat", "Noted"),
    State.QUESTION: ("Samma patient?", "Same patient?"),
    State.REFUSED: ("Använd inte", "Do not use"),
    State.INVALID: ("Ogiltig kod", "Not valid"),
    State.MORE: ("Nästa kod", "Next code"),
    State.TROUBLE: ("Ej sparad", "Not stored"),
    State.CHOSEN: ("Valt", "Chosen"),
    State.UNDONE: ("Ångrad", "Undone"),
    State.IDENTIFIED: ("Stationen", "Station"),
    State.READY: ("Redo", "Ready"),
    State.ATTENTION: ("Ingen skanner", "No scanner"),
    State.LIMITED: ("Skanna ändå", "Scan anyway"),
    State.UNABLE: ("Skanna inte", "Do not scan"),
    State.LOST: ("Ingen kontakt", "No contact"),
}
ACTIONS: Final[Mapping[str, Words]] = {
    "consume": ("Förbruka", "Consume"),
    "receive": ("Ta emot", "Receive"),
    "return": ("Returnera", "Return"),
    "discard": ("Kassera", "Discard"),
    "inventory": ("Inventera", "Count stock"),
    "order": ("Beställ", "Order"),
    "transfer": ("Flytta", "Transfer"),
    "explant": ("Ta ut ur patient", "Take out of the patient"),
    "undo": ("Ångra", "Undo"),
}
REASONS: Final[Mapping[str, Words]] = {
    "expired": ("utgången", "expired"),
    "damaged": ("skadad", "damaged"),
    "opened-unused": ("öppnad, ej använd", "opened, not used"),
    "contaminated": ("osteril, förorenad", "contaminated"),
    "recalled": ("återkallad", "recalled"),
    "wrong-item": ("fel vara", "wrong item"),
    "other": ("annat skäl", "other reason"),
}
"""Why an article is thrown away."""
MISSING: Final[Mapping[str, Words]] = {
    "device-identifier": ("artikel", "article"),
    "production-identifier": ("lot eller serienr", "lot or serial"),
    "lot": ("lot", "lot"),
    "serial": ("serienr", "serial"),
    "expiry": ("datum", "date"),
}
TYPE_AGAIN: Final[Words] = ("Skriv lot/serienr en gång till", "Type lot or serial again")
TYPE_OR_END: Final[Words] = ("Skriv nästa uppgift, eller Klar", "Type the next field, or Done")
NOT_TYPED: Final[Mapping[str, Words]] = {
    "disagrees": ("Inte samma som nyss. Skriv igen.", "Not as before. Type it again."),
    "person-number": ("Personnummer sparas inte.", "Person numbers are not stored."),
    "other-label": ("Hör inte till etiketten.", "Not of this label."),
    "nothing-typed": ("Inget är skrivet ännu.", "Nothing has been typed yet."),
    "ended": ("Tiden är ute. Inget sparat.", "Time is up. Nothing stored."),
    "": ("Fel siffra eller datum. Skriv igen.", "Wrong digit or date. Type again."),
}
"""Why something typed is not taken; the last: for any other reason."""
"""What a label still lacks."""
SUGGESTED: Final[Mapping[str | None, Words]] = {
    "square": ("Skanna den fyrkantiga koden", "Scan the square code"),
    "linear": ("Skanna den andra streckkoden", "Scan the other bar code"),
}
"""Which symbol completed the last labels of the article."""
CONTEXTS: Final[Mapping[str, Words]] = {
    "case": ("Ärende valt", "Case chosen"),
    "location": ("Plats vald", "Place chosen"),
}
"""What is set and may be said on a screen that anybody sees. Nothing of a person is in it."""
WITHHELD: Final[Words] = (
    "Ingen artikelkod. Inget sparat.",
    "No article code. Nothing stored.",
)
FOREIGN: Final[Mapping[str, Words]] = {
    "no-key": ("Styrkoder används inte här.", "Control codes are not used here."),
    "other-site": ("Styrkod för en annan plats.", "Another site's control code."),
    "malformed": ("Felläst styrkod. Skanna igen.", "Misread control code. Scan again."),
    "bad-signature": ("Gammal styrkod. Skriv ut ny sida.", "Old control code. Print a new page."),
}
FOREIGN_OTHER: Final[Words] = ("Styrkoden gäller inte här.", "Control code not valid here.")
CONTEXT_REFUSED: Final[Words] = (
    "Koden kan inte användas här.",
    "The code cannot be used here.",
)
DISCARDED: Final[Words] = ("Ofullständig läsning. Skanna igen.", "Incomplete reading. Scan again.")
NOTHING_TO_DO: Final[Words] = ("Inget att ångra.", "Nothing to undo.")
TROUBLE: Final[Words] = ("Skanna igen, eller ring support.", "Scan again, or call support.")
REPEAT: Final[Words] = ("Etiketten skannades nyss.", "Label was scanned just now.")
ASKED: Final[Words] = ("Skanna Samma patient, eller den nya.", "Scan Same patient, or the new one.")
ASKED_ENDED: Final[Words] = ("Avslutat. Skanna Samma patient?", "Ended. Scan Same patient?")
ASKED_RESTORED: Final[Words] = ("Omstart. Skanna Samma patient?", "Restart. Scan Same patient?")
CANCELLED: Final[Words] = ("Avbrutet. Inget bokfördes.", "Cancelled. Nothing was booked.")
USED_DESPITE: Final[Words] = ("Bokförd trots varningen.", "Booked in spite of the refusal.")
OVERRIDDEN: Final[Words] = ("Det nya antalet gäller.", "The new quantity holds.")
ITEM_TO_UNDO: Final[Words] = ("Skanna varan att ångra", "Scan the item to undo")
NOT_FOUND: Final[Words] = ("Varan finns inte i ärendet.", "The item is not in this case.")
IMPOSSIBLE: Final[Words] = ("Koden gäller inget just nu.", "The code is about nothing now.")
PATIENT_SET: Final[Words] = ("Patient vald", "Patient set")
CASE_SINCE: Final[Words] = ("Ärende sedan {}", "Case since {}")
PLACE: Final[Words] = ("Plats {}", "Place {}")
CORRECTS: Final[Words] = ("Räknas av från det förbrukade.", "Deducted from what was used.")
ONE_ITEM: Final[Words] = ("en vara", "one item")
LOCKED: Final[Words] = ("tills den avslutas", "until it is ended")
CONTROLS: Final[Mapping[str, Words]] = {
    "same-patient": ("Samma patient", "Same patient"),
    "lock": ("Gäller tills den avslutas", "Holds until it is ended"),
    "end-count": ("Inventeringen är avslutad", "The count is ended"),
    "close-case": ("Ärendet är avslutat", "The case is closed"),
    "cancel": ("Påbörjat är avbrutet", "What was begun is cancelled"),
    "clear-context": ("Allt avslutat: ärende, patient, plats", "All ended: case, patient, place"),
}
CONTEXT_SET: Final[Words] = ("Tillhörigheten är vald", "The context is set")
PROBLEMS: Final[Mapping[str, Words]] = {
    "storage-full": ("Lagringen är full. Ring support.", "Storage is full. Call support."),
    "busy": ("Porten är upptagen. Ring support.", "The port is taken. Call support."),
    "missing": ("Kontrollera sladden.", "Check the cable."),
    "clock": ("Klockan ej ställd. Läs utgångsdatum.", "Clock not set. Read the expiry date."),
    "master": ("Artikelregister saknas. Läs etiketten.", "No article register. Read the label."),
}
"""Why the station is not ready, or only in part."""
MISSING_YET: Final[Words] = ("Skanna koden med {}", "Scan the code with {}")
LOST_DAEMON: Final[Words] = ("Skanna inte. Ring support.", "Do not scan. Call support.")
LOST_PAGE: Final[Words] = ("Gå efter skannerns signal.", "Go by the scanner's signal.")
LOT: Final[Words] = ("Lot", "Lot")
SERIAL: Final[Words] = ("Serienr", "Serial")
EXPIRY: Final[Words] = ("Utgår", "Expires")
NUMBER: Final[Words] = ("Artikelnr", "Item no.")
PIECES: Final[Words] = ("{} st", "{} pcs")
WAITING: Final[Words] = ("Sparat – {} väntar", "Stored – {} waiting")
TO_EXPORT: Final[Words] = ("Sparat – {} att exportera", "Stored – {} to export")
DELIVERED: Final[Words] = ("Allt sparat och levererat", "All stored and delivered")
EXPORTED: Final[Words] = ("Allt sparat och exporterat", "All stored and exported")
"""Of a box that stands alone."""
UNKNOWN: Final[Words] = ("Leverans okänd", "Delivery unknown")
ALARMS: Final[Words] = ("Tillsyn behövs", "Needs attention")
NO_NAME: Final[Words] = ("Okänd artikel", "Unknown article")
RECENT: Final[Words] = ("Senaste skanningar", "Last scans")
NEXT: Final[Words] = ("Nästa: {}", "Next: {}")
UNTIL: Final[Words] = ("till {}", "until {}")

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def translated(words: Words, language: Language) -> str:
    """Return one language's words."""
    return words[0] if language == "sv" else words[1]


def local_date(moment: str, precision: str | None, language: Language) -> str:
    """Return a label's date (`YYYY-MM-DD`, with `THH:MM` where it has hours) as people here write it.

    Swedish dates are those of ISO 8601; English ones name the month, because 03/04 is two days in the world. What
    is no such date is shown as it is.

    >>> local_date("2028-06-30", "month", "en")
    'Jun 2028'
    """
    try:
        day = date.fromisoformat(moment[:10])
    except ValueError:
        return moment
    time = f" {moment[11:]}" if len(moment) > len("YYYY-MM-DDT") else ""
    whole = precision != "month"
    if language == "sv":
        return f"{day.isoformat()}{time}" if whole else f"{day:%Y-%m}"
    month = f"{_MONTHS[day.month - 1]} {day:%Y}"
    return f"{day.day} {month}{time}" if whole else month

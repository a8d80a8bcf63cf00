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
    LOST = "lost"
    """What is shown would be old: the daemon, or whoever serves the page, does not answer."""


HEADLINES: Final[Mapping[State, Words]] = {
    State.ACCEPTED: ("Godkänd", "Accepted"),
    State.WARNING: ("Kontrollera", "Check"),
    State.DEVIATING: ("Noterat – ej förbrukat", "Noted – not used"),
    State.QUESTION: ("Samma patient?", "Same patient?"),
    State.REFUSED: ("Använd inte", "Do not use"),
    State.INVALID: ("Ogiltig kod", "Not a valid code"),
    State.MORE: ("Skanna nästa kod", "Scan the next code"),
    State.TROUBLE: ("Ej sparad – skanna igen", "Not stored – scan again"),
    State.CHOSEN: ("Valt", "Chosen"),
    State.UNDONE: ("Ångrad", "Undone"),
    State.IDENTIFIED: ("Den här stationen", "This station"),
    State.READY: ("Redo – skanna", "Ready – scan"),
    State.ATTENTION: ("Skannern svarar inte", "Scanner not connected"),
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
    "device-identifier": ("artikelnumret", "the article's identifier"),
    "production-identifier": ("lot, serienummer eller datum", "lot, serial number or date"),
    "lot": ("lot", "lot"),
    "serial": ("serienummer", "serial number"),
    "expiry": ("utgångsdatum", "expiry date"),
}
"""What a label still lacks."""
CONTEXTS: Final[Mapping[str, Words]] = {
    "case": ("Ärende valt", "Case chosen"),
    "location": ("Plats vald", "Place chosen"),
}
"""What is set and may be said on a screen that anybody sees. Nothing of a person is in it."""
WITHHELD: Final[Words] = (
    "Ingen artikelkod. Inget sparades.",
    "Not an article's code. Nothing was stored.",
)
FOREIGN: Final[Mapping[str, Words]] = {
    "no-key": ("Styrkoder är inte påslagna här.", "Control codes are not enabled here."),
    "other-site": ("Styrkoden gäller en annan plats.", "This control code is another site's."),
    "malformed": ("Styrkoden är felläst. Skanna igen.", "The control code is misread. Scan again."),
    "bad-signature": ("Styrkoden är gammal. Skriv ut en ny sida.", "The control code is old. Print a new page."),
}
FOREIGN_OTHER: Final[Words] = ("Styrkoden gäller inte här.", "The control code does not hold here.")
CONTEXT_REFUSED: Final[Words] = (
    "Koden kan inte tas emot här. Inget sparades.",
    "The code cannot be taken here. Nothing was stored.",
)
DISCARDED: Final[Words] = ("Läsningen blev inte hel. Skanna igen.", "The reading was not whole. Scan again.")
NOTHING_TO_DO: Final[Words] = ("Det finns inget att ångra.", "There is nothing to undo.")
TROUBLE: Final[Words] = ("Kvarstår felet: ring support.", "If it persists, call support.")
REPEAT: Final[Words] = ("Samma etikett skannades nyss.", "The same label was scanned just now.")
ASKED: Final[Words] = (
    "Ärendet eller patienten före har avslutats. Samma patient: skanna koden Samma patient.",
    "The case or patient before has ended. Same patient: scan the code Same patient.",
)
ASKED_ENDED: Final[Words] = (
    "Ärende och patient har avslutats. Skanna dem, eller koden Samma patient.",
    "Case and patient have ended. Scan them, or the code Same patient.",
)
ASKED_RESTORED: Final[Words] = (
    "Ärende och patient är kvar från före omstarten. Skanna en av dem, eller koden Samma patient.",
    "Case and patient are those from before the restart. Scan one of them, or the code Same patient.",
)
CANCELLED: Final[Words] = (
    "Påbörjat är avbrutet. Inget bokfördes.",
    "What was begun is cancelled. Nothing was booked.",
)
USED_DESPITE: Final[Words] = ("Bokförd trots varningen.", "Booked in spite of the refusal.")
OVERRIDDEN: Final[Words] = (
    "Det nya antalet gäller, inte det förra.",
    "The new quantity holds, not the one before.",
)
ITEM_TO_UNDO: Final[Words] = ("Skanna varan som ska tas tillbaka.", "Scan the item to take back.")
NOT_FOUND: Final[Words] = (
    "Varan finns inte i det här ärendet. Skanna koden med lot, eller en annan vara.",
    "The item is not in this case. Scan the symbol with the lot, or another item.",
)
IMPOSSIBLE: Final[Words] = ("Det finns inget som koden gäller.", "There is nothing the code is about.")
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
    "clear-context": (
        "Ärende, patient, plats och namnbricka avslutade",
        "Case, patient, place and badge ended",
    ),
}
CONTEXT_SET: Final[Words] = ("Tillhörigheten är vald", "The context is set")
MISSING_YET: Final[Words] = ("Saknas: {}", "Missing: {}")
LOST_DAEMON: Final[Words] = (
    "scangate svarar inte. Det som skannas nu sparas kanske inte. Ring support.",
    "scangate does not answer. What is scanned now may not be stored. Call support.",
)
LOST_PAGE: Final[Words] = (
    "Skärmen får inga nyheter. Gå efter skannerns signal, eller ring support.",
    "The screen gets no news. Go by the scanner's signal, or call support.",
)
LOT: Final[Words] = ("Lot", "Lot")
SERIAL: Final[Words] = ("Serienr", "Serial")
EXPIRY: Final[Words] = ("Utgår", "Expires")
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


def said(words: Words, language: Language) -> str:
    """Return one language's words."""
    return words[0] if language == "sv" else words[1]


def local_date(moment: str, precision: str | None, language: Language) -> str:
    """Say a label's date (`YYYY-MM-DD`, with `THH:MM` where it has hours) as people here write it.

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

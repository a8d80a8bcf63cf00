"""Every finding in plain words, for whoever stands at the scanner. Code -> Swedish, English. Pure.

What is wrong comes first, then what to do. docs/findings.md has the exact meanings.
"""

from collections.abc import Mapping
from typing import Final

from gateway.display.words import Language, Words, translated

_MISREAD: Final[Words] = ("Felläst kod. Skanna igen.", "Misread code. Scan again.")
_NO_SUCH_DATE: Final[Words] = (
    "Fel datum i koden. Läs etiketten.",
    "Wrong date in the code. Read the label.",
)
_FAULTY: Final[Words] = (
    "Fel i koden. Skanna igen.",
    "Fault in the code. Scan again.",
)
_CUT: Final[Words] = ("Koden är avkortad. Skanna igen.", "The code is cut off. Scan again.")
_LINK: Final[Words] = (
    "Webbadress, ingen artikel.",
    "Web address, no article.",
)
_TWO_LABELS: Final[Words] = (
    "Olika artiklar. Skanna en i taget.",
    "Two articles. Scan one at a time.",
)
_CONTRADICTS: Final[Words] = (
    "Motsägande etikett. Läs den.",
    "Contradicting label. Read it.",
)
_NOTE: Final[Words] = ("Ovanlig kod. Läs etiketten.", "Unusual code. Read the label.")

SENTENCES: Final[Mapping[str, Words]] = {
    "ARTICLE_UNKNOWN": ("Artikeln finns inte i registret.", "Article not in the register."),
    "ARTICLE_DISCONTINUED": ("Säljs inte längre.", "No longer sold."),
    "ARTICLE_BLOCKED": ("Spärrad. Lägg undan den.", "Blocked. Put it aside."),
    "ARTICLE_RECALLED": ("Återkallad. Lägg undan den.", "Recalled. Put it aside."),
    "RECALL_POSSIBLE": (
        "Kan vara återkallad. Läs lotnumret.",
        "May be recalled. Read the lot number.",
    ),
    "EXPIRED": ("Utgången. Ta en annan.", "Expired. Take another one."),
    "EXPIRES_SOON": ("Går snart ut.", "Expires soon."),
    "CLOCK_UNTRUSTED": (
        "Klockan ej ställd. Läs utgångsdatum.",
        "Clock not set. Read the expiry date.",
    ),
    "LOT_MISSING": ("Lotnummer saknas.", "Lot number is missing."),
    "SERIAL_MISSING": ("Serienummer saknas.", "Serial number is missing."),
    "EXPIRY_MISSING": ("Utgångsdatum saknas.", "Expiry date is missing."),
    "IMPLANT_NOT_TRACEABLE": (
        "Implantat utan lot och serienummer.",
        "Implant without lot or serial number.",
    ),
    "WRONG_PACKAGE_LEVEL": (
        "Ytterförpackning. Skanna artikeln.",
        "Outer package. Scan the article.",
    ),
    "UNIT_OF_USE": ("En del av en förpackning.", "One piece of a package."),
    "CONSIGNMENT": ("Konsignation: leverantörens vara.", "Consignment: the supplier's item."),
    "INCOMPLETE_LABEL": (
        "En kod saknas. Skanna båda igen.",
        "One code is missing. Scan both again.",
    ),
    "LOGISTIC_UNIT": ("Leveransetikett. Skanna artiklarna.", "A delivery's label. Scan the articles."),
    "LABELS_INTERLEAVED": ("Två etiketter samtidigt. Läs lotnumret.", "Two labels at once. Read the lot."),
    "LOWER_TRUST": (
        "Osäker läsning. Läs etiketten.",
        "Uncertain reading. Read the label.",
    ),
    "MASTER_OLD": (
        "Gammalt artikelregister.",
        "Old article register.",
    ),
    "PERSON_DATA_REMOVED": ("Personuppgifter togs bort.", "Personal data was removed."),
    "NO_PATIENT": ("Patient saknas. Skanna patienten.", "No patient. Scan the patient."),
    "NO_CASE": ("Ärende saknas. Skanna ärendet.", "No case. Scan the case."),
    "CONTEXT_RESTORED": ("Omstart. Skanna ärende eller patient.", "Restart. Scan case or patient."),
    "ACTION_ENDED": ("Valet gällde inte längre.", "The choice had ended."),
    "QUANTITY_ENDED": ("Antalet gällde inte: en styck.", "The quantity had ended: one piece."),
    "IMPLANT_NOT_USED": ("Implantat, ej bokfört som använt.", "Implant, not booked as used."),
    "QUANTITY_OF_SERIAL": ("Serienr är en styck. Skanna igen.", "A serial is one piece. Scan again."),
    "QUANTITY_ZERO": ("Noll går bara vid inventering.", "Zero is for counting only."),
    "SERIAL_USED": ("Serienumret är redan använt.", "Serial number was used before."),
    "NO_DESTINATION": ("Vart? Skanna platsens kod.", "Where to? Scan the place's code."),
    "CARTON_AGAIN": ("Samma förpackning nyss, ångra annars.", "Same package just now, else undo."),
    "COUNTED_BEFORE": ("Hyllan är redan räknad i dag.", "Shelf was counted today already."),
    "EMPTY": ("Koden är tom. Skanna igen.", "The code is empty. Scan again."),
    "TEXT_TOO_LONG": (
        "För lång kod. Skanna en i taget.",
        "Code too long. Scan one at a time.",
    ),
    "LABEL_KEYED": ("Inskriven, ej skannad.", "Typed, not scanned."),
    "KEYED_ONCE": ("Lot skriven en gång. Läs etiketten.", "Lot typed once. Read the label."),
    "UNLABELLED": ("Utan etikett. Okänd vara.", "No label. Unknown item."),
    "UNRECOGNISED": ("Okänd sorts kod.", "Unknown kind of code."),
    "NOT_UDI": ("Koden är ingen UDI-kod.", "The code is no UDI code."),
    "AMBIGUOUS": _NOTE,
    "FINDINGS_CUT": ("Koden har många fel.", "The code has many faults."),
    "GS1_UNKNOWN_AI": _FAULTY,
    "GS1_LENGTH": _CUT,
    "GS1_CHARACTER": _FAULTY,
    "GS1_CHECK_DIGIT": _MISREAD,
    "GS1_CHECK_PAIR": _MISREAD,
    "GS1_DATE": _NO_SUCH_DATE,
    "GS1_TIME": _NO_SUCH_DATE,
    "GS1_VALUE": _FAULTY,
    "GS1_SEPARATOR": _NOTE,
    "GS1_SPACE": _NOTE,
    "GS1_HRI": _FAULTY,
    "GS1_BRACKETS": _NOTE,
    "GS1_LOST_SEPARATOR": (
        "Lot kan vara fel. Läs etiketten.",
        "Lot may be wrong. Read the label.",
    ),
    "GS1_AI_REPEATED": _CONTRADICTS,
    "GS1_AI_EXCLUDED": _CONTRADICTS,
    "GS1_AI_REQUIRED": _CUT,
    "GS1_DATES_DISAGREE": (
        "Två utgångsdatum. Läs etiketten.",
        "Two expiry dates. Read the label.",
    ),
    "GS1_LOGISTIC_CONTENT": (
        "Transportetikett. Skanna artikeln.",
        "Transport label. Scan the article.",
    ),
    "GS1_PIECE": ("En av artikelns flera delar.", "One of the article's several parts."),
    "GS1_MADE_TO_ORDER": ("Specialanpassad produkt.", "Made to order."),
    "GS1_RESTRICTED_CIRCULATION": (
        "Lokalt nummer, ingen UDI.",
        "Local number, no UDI.",
    ),
    "GS1_GTIN_FORM": _CUT,
    "GS1_LINK_FORM": _LINK,
    "GS1_LINK_NO_KEY": _LINK,
    "GS1_LINK_COMPRESSED": _LINK,
    "GS1_LINK_ORDER": _LINK,
    "GS1_LINK_ATTRIBUTE": _LINK,
    "GS1_LINK_REPEATED": _LINK,
    "GS1_LINK_EXTENSION": _NOTE,
    "GS1_LINK_SHORT_GTIN": _NOTE,
    "HIBC_CHARACTER": _FAULTY,
    "HIBC_CHECK": _MISREAD,
    "HIBC_LENGTH": _CUT,
    "HIBC_DATE": _NO_SUCH_DATE,
    "HIBC_FIELD": _FAULTY,
    "HIBC_LINK": _TWO_LABELS,
    "HIBC_PROVIDER": ("Ingen artikeletikett.", "No article label."),
    "ISBT_CHARACTER": _FAULTY,
    "ISBT_LENGTH": _CUT,
    "ISBT_DATE": _NO_SUCH_DATE,
    "ISBT_FLAG": _MISREAD,
    "ISBT_COMPOUND": _CUT,
    "ISBT_UNKNOWN": _FAULTY,
    "IFA_HEADER": _FAULTY,
    "IFA_TRAILER": _CUT,
    "IFA_CHARACTER": _FAULTY,
    "IFA_LENGTH": _CUT,
    "IFA_CHECK": _MISREAD,
    "IFA_DATE": _NO_SUCH_DATE,
    "IFA_UNKNOWN": _NOTE,
    "ITEM_SAME_SYMBOL": ("Samma kod två gånger.", "The same code twice."),
    "ITEM_ISSUERS": _TWO_LABELS,
    "ITEM_IDENTIFIERS": _TWO_LABELS,
    "ITEM_DISAGREES": _CONTRADICTS,
}
"""Code -> Swedish, English."""
_OTHER: Final[Words] = ("Läs etiketten", "Read the label")


def sentence(code: str, language: Language) -> str:
    """Return a finding in words; one of a newer daemon, which has no sentence here, by its code."""
    words = SENTENCES.get(code)
    return f"{translated(_OTHER, language)} ({code})." if words is None else translated(words, language)

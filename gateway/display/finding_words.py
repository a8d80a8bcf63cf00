"""Every finding in plain words, for whoever stands at the scanner. Code -> Swedish, English. Pure.

What is wrong comes first, then what to do. docs/findings.md has the exact meanings.
"""

from collections.abc import Mapping
from typing import Final

from gateway.display.words import Language, Words, said

_MISREAD: Final[Words] = ("Felläst kod. Skanna igen.", "Misread code. Scan again.")
_NO_SUCH_DATE: Final[Words] = (
    "Datumet i koden finns inte. Läs på etiketten.",
    "The date in the code does not exist. Read the label.",
)
_FAULTY: Final[Words] = (
    "Koden är felaktigt tryckt eller felläst. Skanna igen.",
    "The code is misprinted or misread. Scan again.",
)
_CUT: Final[Words] = ("En del av koden saknas. Skanna igen.", "A part of the code is missing. Scan again.")
_LINK: Final[Words] = (
    "Webbadressen i koden går inte att läsa som artikel.",
    "The web address in the code cannot be read as an article.",
)
_TWO_LABELS: Final[Words] = (
    "Koderna hör till olika artiklar. Skanna en etikett i taget.",
    "The codes belong to different articles. Scan one label at a time.",
)
_CONTRADICTS: Final[Words] = (
    "Etiketten säger emot sig själv. Läs på etiketten.",
    "The label contradicts itself. Read the label.",
)
_NOTE: Final[Words] = ("Ovanlig kod. Läs på etiketten.", "Unusual code. Read the label.")

SENTENCES: Final[Mapping[str, Words]] = {
    "ARTICLE_UNKNOWN": ("Artikeln finns inte i registret.", "The article is not in the register."),
    "ARTICLE_DISCONTINUED": ("Artikeln säljs inte längre.", "The article is no longer sold."),
    "ARTICLE_BLOCKED": ("Artikeln är spärrad.", "The article is blocked."),
    "ARTICLE_RECALLED": ("Återkallad. Lägg undan den.", "Recalled. Put it aside."),
    "RECALL_POSSIBLE": (
        "Kan vara återkallad. Kontrollera lot och serienummer.",
        "May be recalled. Check lot and serial number.",
    ),
    "EXPIRED": ("Utgångsdatum har passerat.", "The expiry date has passed."),
    "EXPIRES_SOON": ("Går snart ut.", "Expires soon."),
    "CLOCK_UNTRUSTED": (
        "Klockan är inte ställd. Läs utgångsdatum på etiketten.",
        "The clock is not set. Read the expiry date on the label.",
    ),
    "LOT_MISSING": ("Lotnummer saknas.", "The lot number is missing."),
    "SERIAL_MISSING": ("Serienummer saknas.", "The serial number is missing."),
    "EXPIRY_MISSING": ("Utgångsdatum saknas.", "The expiry date is missing."),
    "IMPLANT_NOT_TRACEABLE": (
        "Implantat utan lot och serienummer: kan inte spåras.",
        "Implant without lot and serial number: cannot be traced.",
    ),
    "WRONG_PACKAGE_LEVEL": (
        "Det här är en förpackning med flera. Skanna den enskilda artikeln.",
        "This is a package of several. Scan the single article.",
    ),
    "UNIT_OF_USE": ("En del av en förpackning.", "One piece of a package."),
    "CONSIGNMENT": ("Konsignationsvara: leverantörens egendom.", "Consignment: the supplier's property."),
    "INCOMPLETE_LABEL": (
        "Etikettens andra kod skannades inte. Skanna båda igen.",
        "The label's other code was not scanned. Scan both again.",
    ),
    "LOWER_TRUST": (
        "Osäker läsning. Jämför med etiketten.",
        "Uncertain reading. Compare with the label.",
    ),
    "MASTER_OLD": (
        "Artikelregistret är gammalt. Återkallelser kan saknas.",
        "The article register is old. Recalls may be missing.",
    ),
    "PERSON_DATA_REMOVED": ("Personuppgifter i koden togs bort.", "Personal data in the code was removed."),
    "EMPTY": ("Koden är tom. Skanna igen.", "The code is empty. Scan again."),
    "TEXT_TOO_LONG": (
        "För lång kod. Skanna en kod i taget.",
        "The code is too long. Scan one code at a time.",
    ),
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
    "GS1_LOST_SEPARATOR": (
        "Lot eller serienummer kan vara fel. Jämför med etiketten.",
        "Lot or serial number may be wrong. Compare with the label.",
    ),
    "GS1_AI_REPEATED": _CONTRADICTS,
    "GS1_AI_EXCLUDED": _CONTRADICTS,
    "GS1_AI_REQUIRED": _CUT,
    "GS1_DATES_DISAGREE": (
        "Etiketten har två olika utgångsdatum.",
        "The label has two different expiry dates.",
    ),
    "GS1_LOGISTIC_CONTENT": (
        "Transportetikett. Skanna artikelns egen etikett.",
        "Transport label. Scan the article's own label.",
    ),
    "GS1_PIECE": ("En del av en artikel i flera delar.", "One part of an article in several parts."),
    "GS1_MADE_TO_ORDER": ("Specialanpassad produkt.", "Made to order."),
    "GS1_RESTRICTED_CIRCULATION": (
        "Lokalt nummer, gäller inte överallt.",
        "Local number, not valid everywhere.",
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
    "HIBC_PROVIDER": ("Koden är ingen artikeletikett.", "The code is no article label."),
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
    "ITEM_SAME_SYMBOL": ("Samma kod skannades två gånger.", "The same code was scanned twice."),
    "ITEM_ISSUERS": _TWO_LABELS,
    "ITEM_IDENTIFIERS": _TWO_LABELS,
    "ITEM_DISAGREES": _CONTRADICTS,
}
"""Code -> Swedish, English."""
_OTHER: Final[Words] = ("Läs på etiketten", "Read the label")


def sentence(code: str, language: Language) -> str:
    """Say a finding; one of a newer daemon, that has no sentence here, by its code."""
    words = SENTENCES.get(code)
    return f"{said(_OTHER, language)} ({code})." if words is None else said(words, language)

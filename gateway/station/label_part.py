"""What is half a label: a symbol without a device identifier that belongs beside one that has it. Pure.

A label may say lot, serial number and dates in a symbol of their own. That symbol is told here from a wristband,
which carries a person's numbers (AI 8017, 8018 and the like), from logistic labels, and from typed text that merely
reads like elements: `10hunter2` is a sound AI 10.
"""

from typing import Final

from gateway.model import Decoded, Issuer, Severity
from gateway.station.persons import is_short_person_number, person_number, vgr_reserve_number

GS1_PRODUCTION: Final = frozenset(
    (
        "10",  # batch or lot number
        "11",  # production date
        "13",  # packaging date
        "15",  # best before date
        "16",  # sell by date
        "17",  # expiration date
        "20",  # internal product variant
        "21",  # serial number
        "22",  # consumer product variant
        "235",  # third party controlled serial number
        "240",  # additional product identification of the manufacturer
        "241",  # customer part number
        "242",  # made-to-order variation
        "243",  # packaging component
        "250",  # secondary serial number
        "30",  # variable count
        "37",  # count of trade items
        "7003",  # expiration date and time
        "7240",  # protocol
        "8008",  # production date and time
        "8012",  # software version
        *(str(number) for number in range(90, 100)),  # a company's internal information
    )
)
"""AIs of the second symbol of an article's label (GS1 General Specifications, section 3)."""
GS1_DATES: Final = frozenset({"11", "13", "15", "16", "17", "7003"})
GS1_TELLING: Final = frozenset({"10", "21", "235", "250", "8008", "8012"}) | GS1_DATES
"""At least one of them: without, there is nothing of a production identifier to pair."""
IFA_TELLING: Final = frozenset({"1T", "D", "16D", "S"})
HIBC_MARK: Final = "+$"
"""Begins a secondary symbol in all its forms but the legacy `+YYJJJ`, which reads like a telephone number."""
MISPRINTS: Final = frozenset({"GS1_DATE", "HIBC_DATE", "ISBT_DATE", "IFA_DATE"})
"""Errors of what is a label's symbol all the same: to be recorded as refused, not to be turned away."""
OLDEST_LOT: Final = "2000"
"""Year."""
_SIGNS: Final = frozenset("-+")
_GS: Final = "\x1d"
_HRI: Final = "("


def is_label_part(text: str, symbology: str | None, decoded: Decoded, *, waiting: bool = False) -> bool:
    """Tell whether a symbol is the second one of an article's label.

    `waiting`: its scanner has just read the first one of the same agency, so that a text that has the form of its
    partner is taken for it although the scanner does not say which symbology it read.
    """
    if decoded.device_identifier is not None or not decoded.elements:
        return False
    errors = {finding.code for finding in decoded.findings if finding.severity is Severity.ERROR}
    faulty = bool(errors - MISPRINTS)
    # ten digits with FNC1 in front of them are elements; without, they may be anybody's
    anybody = symbology is None and is_short_person_number(text)
    if faulty or anybody or any(_names_person(value) for _, value in decoded.elements):
        return False
    vouched = symbology is not None or waiting
    identifiers = {identifier for identifier, _ in decoded.elements}
    match decoded.issuer:
        case Issuer.GS1:
            dated = len(identifiers) > 1 and bool(identifiers & GS1_DATES)
            clear = dated or _GS in text or text.startswith(_HRI)
            of_article = identifiers <= GS1_PRODUCTION and bool(identifiers & GS1_TELLING)
            return of_article and (vouched or clear)
        case Issuer.HIBCC:
            return vouched or text.startswith(HIBC_MARK)
        case Issuer.IFA:
            return bool(identifiers & IFA_TELLING)
        case _:
            return decoded.issuer is Issuer.ICCBBA  # to whose decoder the structures of persons are unknown


def _names_person(value: str) -> bool:
    """A wristband made with the AIs of an article: a person's number as its lot or serial number.

    Lots often begin with their date, and one in ten of those has a right check digit by chance: so bare digits
    count only with a year of birth in which no article of today was made.
    """
    number = person_number(value)
    if vgr_reserve_number(value) is not None or (number is not None and number < OLDEST_LOT):
        return True
    return bool(_SIGNS.intersection(value)) and (number is not None or is_short_person_number(value))

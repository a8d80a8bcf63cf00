"""Every finding the decoder can make: its code, severity and meaning, in one table.

The codes are stable: scripts and the `severity` table of the configuration refer to them. A message never quotes
the content of a label beyond AIs, lengths, positions, single offending characters and dates, because messages go
to logs and what was read may be personal data.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from gateway.model import Finding, Severity


class FindingKind(Struct, frozen=True):
    """What one code stands for."""

    severity: Severity
    """What it counts for unless the site says otherwise."""
    meaning: str
    """One sentence for documentation."""


_ERROR = Severity.ERROR
_WARNING = Severity.WARNING
_INFO = Severity.INFO

FINDINGS: Mapping[str, FindingKind] = MappingProxyType(
    {
        "EMPTY": FindingKind(_ERROR, "There is no text."),
        "TEXT_TOO_LONG": FindingKind(_ERROR, "The text is longer than any barcode symbol can hold."),
        "UNRECOGNISED": FindingKind(_ERROR, "The text has the form of no issuing agency."),
        "NOT_UDI": FindingKind(
            _INFO, "The symbology says that the text is not GS1 data, and it has no other agency's form."
        ),
        "AMBIGUOUS": FindingKind(
            _INFO, "Bare digits read as a GTIN are also valid as GS1 elements: the AIM identifier would decide."
        ),
        "FINDINGS_CUT": FindingKind(_WARNING, "There were more findings than are listed."),
        "GS1_UNKNOWN_AI": FindingKind(
            _ERROR, "No assigned Application Identifier begins there; the part was not read."
        ),
        "GS1_LENGTH": FindingKind(_ERROR, "The element is empty, too short or too long for its AI."),
        "GS1_CHARACTER": FindingKind(_ERROR, "The element holds a character that its AI does not allow."),
        "GS1_CHECK_DIGIT": FindingKind(
            _ERROR, "The check digit is wrong: a digit was misread, mistyped or misprinted."
        ),
        "GS1_CHECK_PAIR": FindingKind(_ERROR, "The pair of check characters of a GMN or Master UDI-DI is wrong."),
        "GS1_DATE": FindingKind(_ERROR, "The date does not exist."),
        "GS1_TIME": FindingKind(_ERROR, "The time of day does not exist."),
        "GS1_VALUE": FindingKind(_ERROR, "The element breaks another rule of its AI, such as a list of codes."),
        "GS1_SEPARATOR": FindingKind(_WARNING, "A separator stands in front of the first element, or is doubled."),
        "GS1_SPACE": FindingKind(_WARNING, "Spaces around a typed element were left out."),
        "GS1_HRI": FindingKind(_ERROR, "Text stands before the first bracketed AI, or a bracket is not closed."),
        "GS1_BRACKETS": FindingKind(
            _WARNING, "The symbol holds the brackets of the printed text, which GS1 does not allow in a symbol."
        ),
        "GS1_LOST_SEPARATOR": FindingKind(
            _WARNING,
            "The end of an element reads like further elements: a separator may have been lost, or a typed AI is "
            "wrong.",
        ),
        "GS1_AI_REPEATED": FindingKind(_ERROR, "An AI occurs twice on one item with different values."),
        "GS1_AI_EXCLUDED": FindingKind(_ERROR, "Two AIs are on one item that exclude each other."),
        "GS1_AI_REQUIRED": FindingKind(_ERROR, "An AI is on the item without another one that it requires."),
        "GS1_DATES_DISAGREE": FindingKind(_ERROR, "Expiry by AI 17 and by AI 7003 are different days."),
        "GS1_LOGISTIC_CONTENT": FindingKind(
            _WARNING, "The label tells what a logistic unit contains; it is not the label of an item."
        ),
        "GS1_PIECE": FindingKind(_WARNING, "The label is that of one piece of an item made of several."),
        "GS1_MADE_TO_ORDER": FindingKind(_INFO, "The identifier is that of a made-to-order item (Master UDI-DI)."),
        "GS1_RESTRICTED_CIRCULATION": FindingKind(
            _WARNING,
            "The number is from a range for use within a company or region: it is no worldwide identifier.",
        ),
        "GS1_GTIN_FORM": FindingKind(
            _ERROR, "The symbol does not hold the number of digits its symbology carries."
        ),
        "GS1_LINK_FORM": FindingKind(_ERROR, "The web address is not well-formed."),
        "GS1_LINK_NO_KEY": FindingKind(
            _ERROR, "The web address is no GS1 Digital Link: its path has no primary key."
        ),
        "GS1_LINK_COMPRESSED": FindingKind(
            _ERROR, "The web address looks like a compressed Digital Link: not readable."
        ),
        "GS1_LINK_ORDER": FindingKind(
            _ERROR, "The path has a qualifier that its key does not allow at that place."
        ),
        "GS1_LINK_ATTRIBUTE": FindingKind(
            _ERROR, "The query has an AI that may stand only in the path, or not at all."
        ),
        "GS1_LINK_REPEATED": FindingKind(_ERROR, "The web address gives an AI twice."),
        "GS1_LINK_EXTENSION": FindingKind(_INFO, "The query has parameters that are no AIs; they were left out."),
        "HIBC_CHARACTER": FindingKind(_ERROR, "A character stands where HIBC does not allow it."),
        "HIBC_CHECK": FindingKind(_ERROR, "The check character is wrong."),
        "HIBC_LENGTH": FindingKind(_ERROR, "A part of the HIBC symbol is missing, too short or too long."),
        "HIBC_DATE": FindingKind(_ERROR, "The date does not exist."),
        "HIBC_FIELD": FindingKind(_ERROR, "The symbol has a supplementary field that is unknown or misplaced."),
        "HIBC_LINK": FindingKind(
            _ERROR, "The link character does not name this primary symbol: another item's label."
        ),
        "HIBC_PROVIDER": FindingKind(
            _ERROR, "The symbol follows the HIBC Provider Applications Standard: no label of an item."
        ),
        "ISBT_CHARACTER": FindingKind(_ERROR, "A character stands where the ISBT 128 structure does not allow it."),
        "ISBT_LENGTH": FindingKind(_ERROR, "The last ISBT 128 structure is cut off."),
        "ISBT_DATE": FindingKind(_ERROR, "The date does not exist."),
        "ISBT_FLAG": FindingKind(
            _ERROR, "The check value in the flag characters does not fit the donation number."
        ),
        "ISBT_COMPOUND": FindingKind(_ERROR, "The compound message has not the number of structures it declares."),
        "ISBT_UNKNOWN": FindingKind(_ERROR, "No known ISBT 128 structure begins there; the rest was not read."),
        "IFA_HEADER": FindingKind(_ERROR, "The message envelope is not that of ISO/IEC 15434 format 06."),
        "IFA_TRAILER": FindingKind(
            _WARNING, "The end of the message envelope is missing: the text may be cut off."
        ),
        "IFA_CHARACTER": FindingKind(_ERROR, "A character stands where the data identifier does not allow it."),
        "IFA_LENGTH": FindingKind(_ERROR, "The field is too short or too long for its data identifier."),
        "IFA_CHECK": FindingKind(_ERROR, "The check digits of the PPN or HPC are wrong."),
        "IFA_DATE": FindingKind(_ERROR, "The date does not exist."),
        "IFA_UNKNOWN": FindingKind(_WARNING, "The field has a data identifier that IFA does not use."),
        "ITEM_SAME_SYMBOL": FindingKind(_INFO, "The same symbol was given twice; it counts once."),
        "ITEM_ISSUERS": FindingKind(
            _ERROR, "The symbols are of different issuing agencies; the later one was left out."
        ),
        "ITEM_IDENTIFIERS": FindingKind(
            _ERROR, "The symbols have different device identifiers; the later one was left out."
        ),
        "ITEM_DISAGREES": FindingKind(
            _ERROR, "One item gives a fact twice, and differently; the first one counts."
        ),
        "GS1_LINK_SHORT_GTIN": FindingKind(_INFO, "The web address gives a GTIN with fewer than 14 digits."),
    }
)
"""Code -> severity and meaning."""


def finding(code: str, message: str, element: str | None = None) -> Finding:
    """Make a finding with the severity its code has in FINDINGS."""
    return Finding(code=code, severity=FINDINGS[code].severity, element=element, message=message)

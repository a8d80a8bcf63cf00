"""What is half a label: a symbol without a device identifier that belongs beside one that has it. Pure.

A label may say lot, serial number and dates in a symbol of their own. That symbol is distinguished here from a
wristband, which has a person's numbers (AI 8017, 8018 and the like), from logistic labels, and from typed text that
merely reads like elements: `10hunter2` is a sound AI 10.
"""

from typing import Final

from gateway.model import Decoded, Finding, Issuer, Severity
from gateway.station.persons import Evidence, is_short_person_number, names_person
from gateway.udi import gs1_ai
from gateway.udi.personal import PERSONAL_AIS

GS1_DATES: Final = frozenset({"11", "13", "15", "16", "17", "7003"})
GS1_TELLING: Final = frozenset({"10", "21", "235", "250", "8008", "8012"}) | GS1_DATES
"""At least one of them: without, there is nothing of a production identifier to pair."""
GS1_ITEM: Final = frozenset({"01", "03", "8006"})
"""What identifies an article: the AIs of a second symbol must be allowed beside one of them."""
GS1_LOGISTIC: Final = frozenset({"02", "37", "8026"})
"""Of a logistic unit's content."""
IFA_TELLING: Final = frozenset({"1T", "D", "16D", "S"})
HIBC_MARK: Final = "+$"
"""Begins a secondary symbol in all its forms but the legacy `+YYJJJ`, which reads like a telephone number."""
MISPRINTS: Final = frozenset({"GS1_DATE", "HIBC_DATE", "ISBT_DATE", "IFA_DATE"})
"""Errors of what is a label's symbol all the same: to be recorded as refused, not to be turned away."""
UNREAD: Final = frozenset({"GS1_UNKNOWN_AI", "HIBC_FIELD"})
"""A field that is not known: it costs itself, not the lot number beside it."""
_TELLING: Final = GS1_TELLING | IFA_TELLING | {"lot", "serial", "expiry", "manufacture"}
_GS: Final = "\x1d"
_HRI: Final = "("


def is_label_part(text: str, symbology: str | None, decoded: Decoded, *, waiting: bool = False) -> bool:
    """Return whether a symbol is the second one of an article's label.

    `waiting`: its scanner has just read the first one of the same agency, so that a text that has the form of its
    partner is taken for it although the scanner does not say which symbology it read, or a field beside is wrong.
    """
    if decoded.device_identifier is not None or not decoded.elements:
        return False
    # ten digits with FNC1 in front of them are elements; without, they may be anybody's
    anybody = symbology is None and is_short_person_number(text)
    if anybody or _is_faulty(decoded, waiting=waiting) or _names_person(decoded):
        return False
    vouched = symbology is not None or waiting
    identifiers = {identifier for identifier, _ in decoded.elements}
    match decoded.issuer:
        case Issuer.GS1:
            dated = len(identifiers) > 1 and bool(identifiers & GS1_DATES)
            clear = dated or _GS in text or text.startswith(_HRI)
            of_article = bool(identifiers & GS1_TELLING) and all(map(_stands_beside_item, identifiers))
            return of_article and (vouched or clear)
        case Issuer.HIBCC:
            return vouched or text.startswith(HIBC_MARK)
        case Issuer.IFA:
            # the envelope and its data identifiers serve many industries: without 9N or 8P they may be anybody's
            return waiting and bool(identifiers & IFA_TELLING)
        case _:
            return decoded.issuer is Issuer.ICCBBA  # to whose decoder the structures of persons are unknown


def own_fault(finding: Finding) -> bool:
    """Return whether an error costs no more than the field it is about: one that tells no pieces apart."""
    return finding.code in UNREAD or (finding.element is not None and finding.element not in _TELLING)


def _is_faulty(decoded: Decoded, *, waiting: bool) -> bool:
    return any(
        finding.severity is Severity.ERROR
        and finding.code not in MISPRINTS
        and not (waiting and own_fault(finding))
        for finding in decoded.findings
    )


def _names_person(decoded: Decoded) -> bool:
    return any(
        identifier in PERSONAL_AIS or names_person(value, Evidence.OLD_DATE)
        for identifier, value in decoded.elements
    )


def _stands_beside_item(ai: str) -> bool:
    """Return whether an AI may stand on an article's label (GS1 General Specifications 4.13 and 4.14)."""
    entry = gs1_ai.lookup(ai)
    if entry is None or entry.qualifiers is not None or ai in GS1_LOGISTIC:
        return False  # not assigned, or the key of something else
    return not entry.requires or any(not GS1_ITEM.isdisjoint(group) for group in entry.requires)

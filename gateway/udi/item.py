"""What several symbols of one item say together, and which of them do not belong together."""

from collections.abc import Sequence
from datetime import date

from gateway.model import Decoded, Finding, Issuer
from gateway.udi import gs1, gs1_rules
from gateway.udi.checks import is_digits
from gateway.udi.findings import finding
from gateway.udi.label import Facts, Part, add, compose

_GS1 = Issuer.GS1


def alone(part: Part) -> Decoded:
    """Make the result of one symbol, which need not be all of its item.

    A missing partner of a GS1 element is missing indeed only where the symbol has a device identifier.
    """
    findings = part.findings
    if part.issuer is _GS1:
        findings += gs1_rules.judge(part.elements, whole=part.facts.device_identifier is not None)
    return compose(part.issuer, part.facts, part.elements, part.hri, findings)


def join(parts: Sequence[Part], today: date) -> Decoded:
    """Make one result of all symbols of an item.

    A symbol that does not belong to the others gives nothing but its findings, and one that says why.
    """
    accepted, refusals = _belonging_together(parts)
    elements = [element for part in accepted for element in part.elements]
    findings = [found for part in parts for found in part.findings]
    findings.extend(refusals)
    issuer = next((part.issuer for part in accepted if part.issuer is not None), None)
    if issuer is _GS1 and len(accepted) > 1 and all(is_digits(ai) for ai, _ in elements):
        # Only all elements together show, say, that two symbols give different days of expiry.
        facts, found = gs1.interpret([gs1.normalised(*element) for element in elements], today)
        findings.extend(new for new in found if new not in findings)
    else:
        facts, disagreements = _merged([part.facts for part in accepted])
        findings.extend(disagreements)
    if issuer is _GS1:
        findings.extend(gs1_rules.judge(elements, whole=True))
    separator = "" if issuer is _GS1 else " "
    return compose(issuer, facts, elements, separator.join(part.hri for part in accepted if part.hri), findings)


def _belonging_together(parts: Sequence[Part]) -> tuple[list[Part], list[Finding]]:
    accepted: list[Part] = []
    refusals: list[Finding] = []
    # The label's own order does not matter: a secondary symbol may be read first.
    primary = next((part for part in parts if part.facts.device_identifier is not None), None)
    reference = primary or next((part for part in parts if part.issuer is not None), Part())
    for place, part in enumerate(parts, 1):
        refusal = None if part is reference else _refusal(part, reference, place)
        if refusal is None and part.elements and part in accepted:
            refusal = finding("ITEM_SAME_SYMBOL", f"symbol {place} was given before")
        if refusal is None:
            accepted.append(part)
        else:
            refusals.append(refusal)
    return accepted, refusals


def _refusal(part: Part, reference: Part, place: int) -> Finding | None:
    if part.issuer is None:
        return None
    if part.issuer is not reference.issuer:
        message = f"symbol {place} is of {part.issuer}, the item of {reference.issuer}"
        return finding("ITEM_ISSUERS", message)
    identifier = part.facts.device_identifier
    if identifier is not None and identifier != reference.facts.device_identifier:
        return finding("ITEM_IDENTIFIERS", f"symbol {place} has another device identifier")
    comparable = reference.link is not None or reference.facts.device_identifier is not None
    if identifier is None and comparable and part.link is not None and part.link != reference.link:
        return finding("HIBC_LINK", f"symbol {place} has link {part.link!a}, which is not this item's", "link")
    return None


def _merged(all_facts: Sequence[Facts]) -> tuple[Facts, list[Finding]]:
    merged = Facts()
    findings: list[Finding] = []
    for facts in all_facts:
        merged, disputed = add(merged, facts)
        findings.extend(finding("ITEM_DISAGREES", f"two symbols give a different {name}") for name in disputed)
    return merged, findings

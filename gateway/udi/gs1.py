"""GS1: element strings, their typed form with brackets, and the symbols that hold a GTIN only.

Sources: GS1 General Specifications 3 (AIs), 4.14 (human readable interpretation), 7.8 (processing of element
strings), 7.9 (check digits), 7.12 (dates).
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from msgspec.structs import replace

from gateway.model import Finding, Issuer
from gateway.udi import dates, gs1_ai, gs1_checks
from gateway.udi.checks import gs1_check_digit, has_gs1_check_digit, is_digits
from gateway.udi.findings import finding
from gateway.udi.label import Facts, Part

GS = "\x1d"
"""How a scanner transmits FNC1 between elements."""
COMPOSITE = "|]e0"
"""What stands between a linear symbol and its composite component where a scanner sends both in one."""
GTIN_LENGTHS = (8, 12, 13, 14)
_GTIN = 14
_LONGEST_AI_IN_BRACKETS = len("(8017)")
_EXPIRIES_BEHIND_A_LOST_SEPARATOR = (-10, 15)
"""Years from today within which six digits behind `11` or `17` are taken for a date of a label, not for chance."""


class Span(NamedTuple):
    """Where one element stands: `text[start:value_start]` is the AI, `text[value_start:end]` the value."""

    ai: str
    """Empty where no assigned AI begins."""
    start: int
    value_start: int
    end: int


def element_spans(text: str) -> list[Span]:
    """Divide an element string at its separators and predefined lengths.

    An element without a separator behind it runs on to the next one, however long: where it really ends
    cannot be known. Unassigned AIs end at the length that their first two digits fix, or at the next separator.
    """
    spans = []
    position = 0
    while position < len(text):
        if text[position] == GS:
            position += 1
            continue
        entry = gs1_ai.match(text, position)
        value_start = position + len(entry.ai) if entry else position
        if entry is not None:
            length = len(entry.ai) + entry.longest if entry.predefined else None
        else:
            length = gs1_ai.predefined_length(text, position)
        limit = len(text) if length is None else min(len(text), position + length)
        separator = text.find(GS, position, limit)
        end = limit if separator < 0 else separator
        spans.append(Span(entry.ai if entry else "", position, value_start, end))
        position = end
    return spans


def bracketed_spans(text: str) -> list[Span]:
    """Find the bracketed AIs of a typed element string; each value runs on to the next one's `start`."""
    spans: list[Span] = []
    position = text.find("(")
    while position >= 0:
        closing = text.find(")", position, position + _LONGEST_AI_IN_BRACKETS)
        ai = text[position + 1 : closing] if closing > 0 else ""
        begins = gs1_ai.lookup(ai) is not None and text[position - 1 : position] != "\\"
        if begins or (_looks_like_ai(ai) and _must_begin(text, spans[-1] if spans else None, position)):
            if spans:
                spans[-1] = spans[-1]._replace(end=position)
            spans.append(Span(ai, position, closing + 1, len(text)))
        position = text.find("(", position + 1)
    return spans


def read_element_string(text: str, today: date) -> Part:
    """Read what a GS1 symbology carries.

    >>> part = read_element_string("010871764820027417280630101234567A", date(2026, 11, 21))
    >>> part.facts.device_identifier, part.facts.lot_number, part.facts.expiration.text
    ('08717648200274', '1234567A', '2028-06-30')
    """
    spans = element_spans(text)
    pairs = [(span.ai, text[span.value_start : span.end]) for span in spans if span.ai]
    facts, found = interpret(pairs, today)
    findings = _separator_findings(text)
    findings.extend(
        finding(
            "GS1_UNKNOWN_AI",
            f"no assigned AI begins at position {span.start + 1}: {span.end - span.start} characters were not read",
        )
        for span in spans
        if not span.ai
    )
    findings.extend(found)
    present = {ai for ai, _ in pairs}
    findings.extend(
        finding("GS1_LOST_SEPARATOR", f"AI {ai} seems to run on into AI {hidden}: was a separator lost?", ai)
        for ai, value in pairs
        for hidden in _run_on(ai, value, present, today)
    )
    return _part(facts, pairs, findings)


def read_hri(text: str, today: date) -> Part:
    r"""Read the typed form `(01)...(17)...(10)...`.

    A value may hold brackets: only a bracketed assigned AI begins a new element, and `\(` never does.

    >>> read_hri("(10)AB(C)D(17)260200", date(2026, 11, 21)).elements
    (('10', 'AB(C)D'), ('17', '260200'))
    """
    spans = bracketed_spans(text)
    findings: list[Finding] = []
    first = spans[0].start if spans else len(text)
    if text[:first].strip(" "):
        findings.append(finding("GS1_HRI", f"{first} characters stand before the first bracketed AI"))
    if not spans:
        return Part(findings=tuple(findings))
    raw = [(span.ai, text[span.value_start : span.end]) for span in spans]
    pairs = [(ai, value.strip(" ").replace("\\(", "(")) for ai, value in raw]
    if any(value != value.strip(" ") for _, value in raw):
        findings.append(finding("GS1_SPACE", "spaces around elements were left out"))
    facts, found = interpret(pairs, today)
    return _part(facts, pairs, [*findings, *found])


def read_gtin(text: str, today: date) -> Part:
    """Read the bare digits of an EAN, UPC or ITF-14 symbol, already expanded where it was UPC-E.

    >>> read_gtin("4006381333931", date(2026, 11, 21)).facts.device_identifier
    '04006381333931'
    """
    facts, findings = interpret([("01", text.zfill(_GTIN))], today)
    return replace(_part(facts, [("01", text)], findings), hri=f"(01){text.zfill(_GTIN)}")


def read_trade_symbol(text: str, lengths: Iterable[int], today: date) -> Part:
    """Read an EAN, UPC or ITF-14 symbol, with the composite component behind it if there is one.

    `lengths` are the numbers of digits the symbology can hold; 6 and 8 digits of a UPC-E are expanded.
    """
    digits, composite, component = text.partition(COMPOSITE)
    if not is_digits(digits) or len(digits) not in lengths:
        wanted = " or ".join(map(str, sorted(lengths)))
        code = "GS1_GTIN_FORM"
        return Part(
            issuer=Issuer.GS1,
            findings=(finding(code, f"{len(digits)} characters where the symbology holds {wanted} digits"),),
        )
    if _GTIN - 1 in lengths and len(digits) in (6, 8):
        expanded = expand_upc_e(digits)
        # Eight digits that are no UPC-E are an EAN-8 under the wrong identifier.
        is_upc_e = len(digits) == len("123456") or (digits[0] in "01" and has_gs1_check_digit(expanded))
        digits = expanded if is_upc_e else digits
    part = read_gtin(digits, today)
    if not composite:
        return part
    second = read_element_string(component, today)
    pairs = [*part.elements, *second.elements]
    facts, _ = interpret([normalised(*pair) for pair in pairs], today)
    return replace(_part(facts, pairs, [*part.findings, *second.findings]), hri=part.hri + second.hri)


def expand_upc_e(digits: str) -> str:
    """Return the GTIN-12 of a UPC-E symbol: 6 digits, or 8 with number system and check digit (GenSpecs 5.2.2.4).

    >>> expand_upc_e("01234565"), expand_upc_e("123456")
    ('012345000065', '012345000065')
    """
    system, body, check = (
        (digits[0], digits[1:7], digits[7]) if len(digits) == len("01234565") else ("0", digits, "")
    )
    last = body[5]
    if last in "012":
        number = f"{system}{body[:2]}{last}0000{body[2:5]}"
    elif last == "3":
        number = f"{system}{body[:3]}00000{body[3:5]}"
    elif last == "4":
        number = f"{system}{body[:4]}00000{body[4]}"
    else:
        number = f"{system}{body[:5]}0000{last}"
    return number + (check or str(gs1_check_digit(number)))


def is_hri(text: str) -> bool:
    """Tell whether the text begins with a bracket, as typed elements do."""
    return text.lstrip(" ").startswith("(")


def is_bare_gtin(text: str) -> bool:
    """Tell whether the text is exactly a GTIN with its right check digit."""
    return len(text) in GTIN_LENGTHS and has_gs1_check_digit(text)


def is_sound_element_string(text: str, today: date) -> bool:
    """Tell whether the text can be read as elements from end to end without any error."""
    spans = element_spans(text)
    return bool(spans) and all(
        span.ai
        and (entry := gs1_ai.lookup(span.ai)) is not None
        and not list(gs1_checks.problems(entry, text[span.value_start : span.end], today))
        for span in spans
    )


def interpret(pairs: Sequence[tuple[str, str]], today: date) -> tuple[Facts, list[Finding]]:
    """Check each element and gather what it says; a bad one hides no other."""
    findings: list[Finding] = []
    usable: dict[str, str] = {}
    for ai, value in pairs:
        entry = gs1_ai.lookup(ai)
        if entry is None:
            findings.append(finding("GS1_UNKNOWN_AI", f"AI {ai} is not assigned", ai))
            continue
        codes = set()
        for code, clause in gs1_checks.problems(entry, value, today):
            codes.add(code)
            findings.append(finding(code, f"AI {ai} {clause}", ai))
        if "GS1_LENGTH" not in codes:
            usable.setdefault(ai, value)
    identifier = _device_identifier(usable)
    expiration, disagreement = _expiration(usable, today)
    findings.extend(disagreement)
    findings.extend(_remarks(usable, identifier))
    quantity = usable.get("30", "")
    return Facts(
        device_identifier=identifier,
        lot_number=usable.get("10"),
        serial_number=usable.get("21"),
        expiration=expiration,
        manufacture=dates.yymmdd(usable.get("11", ""), today, day_may_be_zero=True),
        software_version=usable.get("8012"),
        quantity=int(quantity) if is_digits(quantity) else None,
        package_level=int(identifier[0]) or None if identifier else None,
    ), findings


def normalised(ai: str, value: str) -> tuple[str, str]:
    """Return an element with its GTIN in 14 digits, where a symbol gave fewer."""
    if ai == "01" and len(value) in GTIN_LENGTHS and is_digits(value):
        return ai, value.zfill(_GTIN)
    return ai, value


def hri(pairs: Iterable[tuple[str, str]]) -> str:
    """Write elements as they are printed under a symbol."""
    return "".join(f"({ai}){value}" for ai, value in pairs)


def _part(facts: Facts, pairs: Sequence[tuple[str, str]], findings: Sequence[Finding]) -> Part:
    return Part(issuer=Issuer.GS1, facts=facts, elements=tuple(pairs), hri=hri(pairs), findings=tuple(findings))


def _device_identifier(usable: dict[str, str]) -> str | None:
    # 02 and 8026 name the content of a logistic unit and 00, 8003, 8004 a unit or an asset: none is a UDI-DI.
    # 03 is the GTIN of a made-to-order item; the first 14 digits of 8006 are the GTIN the piece belongs to.
    for ai in ("01", "03", "8006"):
        number = usable.get(ai, "")[:_GTIN]
        if is_digits(number):
            return number
    return None


def _expiration(usable: dict[str, str], today: date) -> tuple[dates.LabelDate | None, list[Finding]]:
    day = dates.yymmdd(usable.get("17", ""), today, day_may_be_zero=True)
    text = usable.get("7003", "")
    with_time = dates.yymmdd(text[:6], today, day_may_be_zero=False)
    exact = dates.at_time(with_time, text[6:8], text[8:10]) if with_time else None
    if day is None or exact is None:
        return day or exact, []
    if exact.text.startswith(day.text):
        return exact, []
    return day, [finding("GS1_DATES_DISAGREE", f"AI 17 gives {day.text} and AI 7003 gives {exact.text}", "7003")]


def _remarks(usable: dict[str, str], identifier: str | None) -> list[Finding]:
    remarks = [
        finding("GS1_LOGISTIC_CONTENT", f"AI {ai} tells what a logistic unit contains", ai)
        for ai in ("02", "8026")
        if ai in usable
    ]
    if "03" in usable:
        remarks.append(finding("GS1_MADE_TO_ORDER", "AI 03 identifies a made-to-order item", "03"))
    piece = usable.get("8006", "")
    if is_digits(piece):
        remarks.append(finding("GS1_PIECE", f"AI 8006 is piece {int(piece[14:16])} of {int(piece[16:])}", "8006"))
    if identifier is not None and _is_restricted(identifier):
        remarks.append(finding("GS1_RESTRICTED_CIRCULATION", "the GTIN is from a range for restricted circulation"))
    return remarks


def _is_restricted(gtin: str) -> bool:
    # GS1 General Specifications 1.4: prefixes 02, 04 and 2 of GTIN-12 and GTIN-13, and 0 and 2 of GTIN-8.
    if gtin.startswith("000000"):
        return gtin[6] in "02"
    return gtin[1:3] in ("02", "04") or gtin[1] == "2"


def _separator_findings(text: str) -> list[Finding]:
    findings = []
    if text.startswith(GS):
        findings.append(finding("GS1_SEPARATOR", "a separator stands in front of the first element"))
    doubled = text.count(GS + GS)
    if doubled:
        findings.append(finding("GS1_SEPARATOR", f"a separator is doubled in {doubled} places"))
    return findings


def _run_on(ai: str, value: str, present: set[str], today: date) -> list[str]:
    entry = gs1_ai.lookup(ai)
    if entry is None or entry.predefined:
        return []
    for place in range(1, len(value)):
        hidden = value[place : place + 2]
        if hidden not in ("01", "11", "17") or hidden in present:
            continue
        length = _GTIN if hidden == "01" else len("YYMMDD")
        field, rest = value[place + 2 : place + 2 + length], place + 2 + length
        likely = has_gs1_check_digit(field) if hidden == "01" else _is_likely_date(field, today)
        if len(field) == length and likely and (rest == len(value) or gs1_ai.match(value, rest)):
            return [hidden]
    return []


def _is_likely_date(field: str, today: date) -> bool:
    found = dates.yymmdd(field, today, day_may_be_zero=True)
    if found is None:
        return False
    earliest, latest = _EXPIRIES_BEHIND_A_LOST_SEPARATOR
    return earliest <= int(found.text[:4]) - today.year <= latest


def _must_begin(text: str, before: Span | None, position: int) -> bool:
    """Tell whether to believe an unassigned AI: at the very start, or where the value before is full."""
    if before is None:
        return not text[:position].strip(" ")
    entry = gs1_ai.lookup(before.ai)
    if entry is None:
        return True
    return entry.shortest == entry.longest == len(text[before.value_start : position].strip(" "))


def _looks_like_ai(ai: str) -> bool:
    return is_digits(ai) and gs1_ai.SHORTEST_AI <= len(ai) <= gs1_ai.LONGEST_AI

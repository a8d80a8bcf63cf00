"""GS1: element strings, their typed form with brackets, and the symbols that hold a GTIN only.

Sources: GS1 General Specifications 3 (AIs), 4.14 (human readable interpretation), 7.8 (processing of element
strings), 7.9 (check digits), 7.12 (dates).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from msgspec.structs import replace

from gateway.model import Finding, Issuer
from gateway.udi import dates, gs1_ai, gs1_checks, gs1_run_on
from gateway.udi.checks import gs1_check_digit, has_gs1_check_digit, is_digits
from gateway.udi.findings import finding
from gateway.udi.label import Facts, Part

GS = "\x1d"
"""How a scanner transmits FNC1 between elements."""
_DOUBLED = GS + GS
_ISSUER = Issuer.GS1
COMPOSITE = "|]e0"
"""What stands between a linear symbol and its composite component where a scanner sends both in one."""
GTIN_LENGTHS = (8, 12, 13, 14)
_GTIN = 14
_LONGEST_AI_IN_BRACKETS = len("(8017)")
_REMARKABLE = frozenset(("02", "03", "8006", "8026"))
"""AIs whose mere presence is worth a remark."""


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
    return [Span(entry.ai if entry else "", *place) for entry, *place in _walk(text)]


def _walk(text: str) -> Iterator[tuple[gs1_ai.ApplicationIdentifier | None, int, int, int]]:
    known = gs1_ai.known
    position, size = 0, len(text)
    separated = GS in text
    while position < size:
        if text[position] == GS:
            position += 1
            continue
        entry = known.get(text[position : position + 2]) or gs1_ai.match(text, position)
        if entry is not None:
            start, whole = position + len(entry.ai), entry.whole
        else:
            start, whole = position, gs1_ai.predefined_length(text, position)
        end = size if whole is None or position + whole > size else position + whole
        if separated:
            separator = text.find(GS, position, end)
            if separator >= 0:
                end = separator
        yield entry, position, start, end
        position = end


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
    pairs: list[tuple[str, str]] = []
    findings = _separator_findings(text) if text.startswith(GS) or _DOUBLED in text else []
    suspects = []
    for entry, start, value_start, end in _walk(text):
        if entry is None:
            message = f"no assigned AI begins at position {start + 1}: {end - start} characters were not read"
            findings.append(finding("GS1_UNKNOWN_AI", message))
            continue
        pair = entry.ai, text[value_start:end]
        pairs.append(pair)
        if entry.whole is None and end - start >= gs1_run_on.SHORTEST and gs1_run_on.may_hide(pair[1], 1):
            suspects.append(pair)
    facts, found = interpret(pairs, today)
    findings.extend(found)
    if suspects:
        findings.extend(gs1_run_on.suspicions(suspects, pairs, today))
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
    return _part(facts, pairs, [*findings, *found, *gs1_run_on.mistyped(raw)])


def read_gtin(text: str, today: date) -> Part:
    """Read the bare digits of an EAN, UPC or ITF-14 symbol, already expanded where it was UPC-E.

    >>> read_gtin("4006381333931", date(2026, 11, 21)).facts.device_identifier
    '04006381333931'
    """
    full = text.zfill(_GTIN)
    facts, findings = interpret([("01", full)], today)
    return Part(issuer=_ISSUER, facts=facts, elements=(("01", text),), hri=f"(01){full}", findings=tuple(findings))


def read_trade_symbol(text: str, lengths: Iterable[int], today: date) -> Part:
    """Read an EAN, UPC or ITF-14 symbol, with the composite component behind it if there is one.

    `lengths` are the numbers of digits the symbology can hold; 6 and 8 digits of a UPC-E are expanded.
    """
    digits, composite, component = text.partition(COMPOSITE)
    if not is_digits(digits) or len(digits) not in lengths:
        wanted = " or ".join(map(str, sorted(lengths)))
        code = "GS1_GTIN_FORM"
        return Part(
            issuer=_ISSUER,
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
    """Return whether the text begins with a bracket, as typed elements do."""
    return text.lstrip(" ").startswith("(")


def is_bare_gtin(text: str) -> bool:
    """Return whether the text is exactly a GTIN with its right check digit."""
    return len(text) in GTIN_LENGTHS and has_gs1_check_digit(text)


def is_sound_element_string(text: str, today: date) -> bool:
    """Return whether the text can be read as elements from end to end without any error."""
    spans = element_spans(text)
    return bool(spans) and all(gs1_checks.is_right(ai, text[start:end], today) for ai, _, start, end in spans)


def interpret(pairs: Sequence[tuple[str, str]], today: date) -> tuple[Facts, list[Finding]]:
    """Check each element and gather what it says; a bad one hides no other."""
    findings: list[Finding] = []
    usable: dict[str, str] = {}
    for ai, value in pairs:
        if gs1_checks.is_right(ai, value, today):
            usable.setdefault(ai, value)
        elif (entry := gs1_ai.lookup(ai)) is None:
            findings.append(finding("GS1_UNKNOWN_AI", f"AI {ai} is not assigned", ai))
        else:
            wrong = list(gs1_checks.problems(entry, value, today))
            findings.extend(finding(code, f"AI {ai} {clause}", ai) for code, clause in wrong)
            if all(code != "GS1_LENGTH" for code, _ in wrong):
                usable.setdefault(ai, value)
    identifier = _device_identifier(usable)
    expiry, made, quantity = usable.get("17"), usable.get("11"), usable.get("30")
    expiration = dates.yymmdd(expiry, today, day_may_be_zero=True) if expiry else None
    if "7003" in usable:
        expiration, disagreement = _exact_expiration(usable["7003"], expiration, today)
        findings.extend(disagreement)
    findings.extend(_remarks(usable, identifier))
    return Facts(
        device_identifier=identifier,
        lot_number=usable.get("10"),
        serial_number=usable.get("21"),
        expiration=expiration,
        manufacture=dates.yymmdd(made, today, day_may_be_zero=True) if made else None,
        software_version=usable.get("8012"),
        quantity=int(quantity) if quantity and is_digits(quantity) else None,
        package_level=int(identifier[0]) or None if identifier else None,
    ), findings


def normalised(ai: str, value: str) -> tuple[str, str]:
    """Return an element with its GTIN in 14 digits, where a symbol gave fewer."""
    if ai == "01" and len(value) in GTIN_LENGTHS and is_digits(value):
        return ai, value.zfill(_GTIN)
    return ai, value


def hri(pairs: Iterable[tuple[str, str]]) -> str:
    """Write elements as they are printed under a symbol."""
    return "".join([f"({ai}){value}" for ai, value in pairs])


def _part(facts: Facts, pairs: Sequence[tuple[str, str]], findings: Sequence[Finding]) -> Part:
    return Part(issuer=_ISSUER, facts=facts, elements=tuple(pairs), hri=hri(pairs), findings=tuple(findings))


def _device_identifier(usable: dict[str, str]) -> str | None:
    # 02 and 8026 name the content of a logistic unit and 00, 8003, 8004 a unit or an asset: none is a UDI-DI.
    # 03 is the GTIN of a made-to-order item; the first 14 digits of 8006 are the GTIN the piece belongs to.
    for ai in ("01", "03", "8006"):
        number = usable.get(ai)
        if number is not None and is_digits(number := number[:_GTIN]):
            return number
    return None


def _exact_expiration(
    text: str, day: dates.LabelDate | None, today: date
) -> tuple[dates.LabelDate | None, list[Finding]]:
    with_time = dates.yymmdd(text[:6], today, day_may_be_zero=False)
    exact = dates.at_time(with_time, text[6:8], text[8:10]) if with_time else None
    if day is None or exact is None:
        return day or exact, []
    if exact.text.startswith(day.text):
        return exact, []
    return day, [finding("GS1_DATES_DISAGREE", f"AI 17 gives {day.text} and AI 7003 gives {exact.text}", "7003")]


def _remarks(usable: dict[str, str], identifier: str | None) -> list[Finding]:
    remarks: list[Finding] = []
    if not _REMARKABLE.isdisjoint(usable):
        remarks.extend(
            finding("GS1_LOGISTIC_CONTENT", f"AI {ai} tells what a logistic unit contains", ai)
            for ai in ("02", "8026")
            if ai in usable
        )
        if "03" in usable:
            remarks.append(finding("GS1_MADE_TO_ORDER", "AI 03 identifies a made-to-order item", "03"))
        piece = usable.get("8006", "")
        if is_digits(piece):
            remarks.append(
                finding("GS1_PIECE", f"AI 8006 is piece {int(piece[14:16])} of {int(piece[16:])}", "8006")
            )
    if identifier is not None and _is_restricted(identifier):
        remarks.append(finding("GS1_RESTRICTED_CIRCULATION", "the GTIN is from a range for restricted circulation"))
    return remarks


def _is_restricted(gtin: str) -> bool:
    # GS1 General Specifications 1.4: prefixes 02, 04 and 2 of GTIN-12 and GTIN-13, and 0 and 2 of GTIN-8.
    if gtin[1] not in "02":
        return False
    if gtin.startswith("000000"):
        return gtin[6] in "02"
    return gtin[1] == "2" or gtin[2] in "24"


def _separator_findings(text: str) -> list[Finding]:
    findings = []
    if text.startswith(GS):
        findings.append(finding("GS1_SEPARATOR", "a separator stands in front of the first element"))
    doubled = text.count(_DOUBLED)
    if doubled:
        findings.append(finding("GS1_SEPARATOR", f"a separator is doubled in {doubled} places"))
    return findings


def _must_begin(text: str, before: Span | None, position: int) -> bool:
    """Return whether to believe an unassigned AI: at the very start, or where the value before is full."""
    if before is None:
        return not text[:position].strip(" ")
    entry = gs1_ai.lookup(before.ai)
    if entry is None:
        return True
    return entry.shortest == entry.longest == len(text[before.value_start : position].strip(" "))


def _looks_like_ai(ai: str) -> bool:
    return is_digits(ai) and gs1_ai.SHORTEST_AI <= len(ai) <= gs1_ai.LONGEST_AI

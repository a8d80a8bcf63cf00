"""Taking the data of persons out of what was scanned, before anything of it is stored, logged or sent."""

import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from gateway.model import Decoded, Issuer
from gateway.udi import gs1, gs1_ai, gs1_checks, gs1_link
from gateway.udi.checks import has_gs1_check_digit, is_digits
from gateway.udi.dispatch import Form, classify
from gateway.udi.gs1 import COMPOSITE

PERSONAL_AIS = frozenset(
    (
        "8017",  # GSRN of a provider: a member of staff
        "8018",  # GSRN of a recipient: a patient
        "8019",  # service relation instance: the visit or admission of that recipient
        "7250",  # date of birth
        "7251",  # date and time of birth
        "7252",  # biological sex
        "7253",  # family name
        "7254",  # given name
        "7255",  # suffix of a name
        "7256",  # full name
        "7257",  # address
        "7258",  # birth sequence of twins
        "7259",  # name of a baby's family
        "4300",  # ship-to company, often a person's name where goods go to a home
        "4301",  # ship-to contact
        "4302",  # ship-to address
        "4303",  # ship-to address, second line
        "4304",  # ship-to suburb
        "4305",  # ship-to locality
        "4306",  # ship-to region
        "4308",  # ship-to telephone number
        "4309",  # ship-to place on earth
        "4310",  # return-to company
        "4311",  # return-to contact
        "4312",  # return-to address
        "4313",  # return-to address, second line
        "4314",  # return-to suburb
        "4315",  # return-to locality
        "4316",  # return-to region
        "4318",  # return-to postal code
        "4319",  # return-to telephone number
        "420",  # ship-to postal code
        "421",  # ship-to postal code with country
    )
)
"""AIs that say who somebody is or where somebody lives (GS1 General Specifications 3). The countries 4307 and 4317,
the media type 7241 and the version 7242 single nobody out and stay."""

FREE_AIS = frozenset(("240", "241", "400", "403", "7240", "8200", *map(str, range(90, 100))))
"""AIs whose values a trading partner or a hospital fills as it likes (GS1 General Specifications 3.5, 3.9)."""

_ISBT_128_PERSONS = re.compile(r"(?:=[;'#]|&#)[^=&]*")
"""Structures of ISBT 128 that name a donor, a member of staff or a patient (ICCBBA ST-001). No data holds `=` or
`&`, which begin the next structure."""
_PERSON_FIELD = re.compile(r"\.?[0-9]{0,2}H")
"""Data identifiers of category H (ANSI MH10.8.2, human resources): names, identities, telephone numbers."""
_TYPED_PERSON = re.compile(r"\([0-9]{0,2}H\)[^(]*")
_ENVELOPE_END = re.compile("\x1e\x04?$")
_GSRN_AIS = ("8017", "8018")
_GSRN_BEGINNING = "801"
_GSRN_LENGTH = 18
_AI_LENGTH = 4
_GAPS = ")=/ "
"""What may stand between a GSRN's AI and its digits in text that is no sound element string."""
_ANY_DATE = date(2000, 1, 1)
"""Only to tell sound elements from broken ones: the century of a date does not matter."""


class Persons(NamedTuple):
    """What names a person: two questions about the value of one element."""

    may_name: Callable[[str], bool]
    """Return whether it holds what may be a person's number: asked of FREE_AIS."""
    names: Callable[[str], bool]
    """Return whether it holds what is written like a person's number: asked of every other element."""


NOBODY = Persons(lambda _value: False, lambda _value: False)
"""Takes no text for a person's number."""


def redact(text: str, symbology: str | None, persons: Persons = NOBODY) -> tuple[str, bool]:
    """Return a symbol's text without the elements of PERSONAL_AIS, and whether anything was taken out.

    Works on element strings, their typed form and Digital Links, as `decode` tells them apart. A malformed
    element goes up to the next separator. A GSRN with a right check digit that is hidden in another element,
    because a separator was lost, goes as well, with what follows it there. Of a label with other elements those go
    too of which `persons` says that they name one, and what has no AI: it may be a name. Of a Digital Link scheme,
    host, GS1 path and the assigned AIs of the query stay; a message of ISO/IEC 15434 loses the data identifiers of
    persons. Redacting twice changes nothing.

    >>> redact("01087176482002748018123456789012345675", "]d2")
    ('0108717648200274', True)
    """
    cleaned = text
    # Taking an element out may lay another one bare; each pass takes something out, so that this ends.
    while len(shorter := _redact_once(cleaned, symbology, persons)) < len(cleaned):
        cleaned = shorter
    return cleaned, cleaned != text


def is_free_of_persons(text: str, decoded: Decoded, persons: Persons = NOBODY) -> bool:
    """Return True where `redact` would leave a symbol's text as it is; False where it may not.

    The quick answer for most labels, from what was read of them already: `decoded` is `decode(text)`.
    """
    if not decoded.ok or _GSRN_BEGINNING in text or COMPOSITE in text or text.startswith(("(", *gs1_link.SCHEMES)):
        return False
    if decoded.issuer is Issuer.HIBCC:
        return True
    if decoded.issuer is not Issuer.GS1 or not decoded.elements:
        return False
    return not any(_names_somebody(ai, value, persons) for ai, value in decoded.elements)


def _redact_once(text: str, symbology: str | None, persons: Persons) -> str:
    form, _, body = classify(text, symbology)
    match form:
        case Form.GS1_ELEMENTS | Form.UNKNOWN:
            kept = _without_elements(body, persons)
        case Form.GS1_HRI:
            kept = _without_bracketed(body, persons)
        case Form.GS1_LINK:
            kept = _without_link_parts(body, persons)
        case Form.GS1_TRADE:
            digits, composite, component = body.partition(COMPOSITE)
            kept = digits + composite + _without_elements(component, persons)
        case Form.ISBT_128:
            kept = _ISBT_128_PERSONS.sub("", body)
            kept = _cut(kept, hidden_gsrn(kept))
        case Form.IFA:
            kept = _without_fields(body, persons)
            kept = _cut(kept, hidden_gsrn(kept))
        case Form.OTHER | Form.HIBC:
            kept = _cut(body, hidden_gsrn(body))
        case _:
            kept = body
    return text[: len(text) - len(body)] + kept


def hidden_gsrn(text: str) -> int:
    """Return where an AI 8017 or 8018 with 18 digits and a right check digit begins in a text, or -1.

    >>> hidden_gsrn("ABC8018123456789012345675"), hidden_gsrn("ABC8018123456789012345670")
    (3, -1)
    """
    place = text.find(_GSRN_BEGINNING)
    while place >= 0:
        if text[place : place + _AI_LENGTH] in _GSRN_AIS:
            start = place + _AI_LENGTH
            if text[start : start + 1] in tuple(_GAPS):
                start += 1
            digits = text[start : start + _GSRN_LENGTH]
            if len(digits) == _GSRN_LENGTH and has_gs1_check_digit(digits):
                return place
        place = text.find(_GSRN_BEGINNING, place + 1)
    return -1


def _cut(text: str, place: int) -> str:
    return text if place < 0 else text[:place]


def _without_elements(text: str, persons: Persons) -> str:
    spans = gs1.element_spans(text)
    if len(spans) == 1:
        persons = NOBODY  # no whole label: whoever looks at what it is withholds it as it stands
    kept: list[str] = []
    position = 0
    for segment in _segments(spans):
        kept.append(text[position : segment[0].start])
        rest = _without_spans(text, segment, persons)
        kept.append(rest)
        # A segment that is gone takes its separator along.
        position = segment[-1].end if rest else segment[-1].end + 1
    kept.append(text[position:])
    return "".join(kept)


def _segments(spans: list[gs1.Span]) -> list[list[gs1.Span]]:
    """Group the elements that follow each other without a separator."""
    segments: list[list[gs1.Span]] = []
    for span in spans:
        if segments and segments[-1][-1].end == span.start:
            segments[-1].append(span)
        else:
            segments.append([span])
    return segments


def _without_spans(text: str, segment: list[gs1.Span], persons: Persons) -> str:
    # Each of PERSONAL_AIS and FREE_AIS is without predefined length, hence the last of its segment.
    last = segment[-1]
    rest = segment[:-1] if _goes(last, text, persons) else segment
    if all(_is_sound(text, span) for span in rest):
        return "".join(_cut_value(text, span) for span in rest)
    # The elements may be out of step with the label: search the segment as one string.
    start, end = segment[0].start, segment[-1].end
    place = hidden_gsrn(text[start:end])
    kept = rest[-1].end if rest else start
    return text[start : kept if place < 0 else min(kept, start + place)]


def _goes(span: gs1.Span, text: str, persons: Persons) -> bool:
    value = text[span.value_start : span.end]
    if span.ai or persons is NOBODY:
        return _names_somebody(span.ai, value, persons)
    return not is_digits(value[: gs1_ai.SHORTEST_AI]) or persons.may_name(value)  # no AI, or an unassigned one


def _is_sound(text: str, span: gs1.Span) -> bool:
    entry = gs1_ai.lookup(span.ai)
    if entry is None or not entry.predefined:
        return entry is not None
    return gs1_checks.is_right(span.ai, text[span.value_start : span.end], _ANY_DATE)


def _cut_value(text: str, span: gs1.Span) -> str:
    entry = gs1_ai.lookup(span.ai)
    element = text[span.start : span.end]
    if entry is None or entry.predefined:
        return element
    place = hidden_gsrn(text[span.value_start : span.end])
    return element if place < 0 else text[span.start : span.value_start + place]


def _without_bracketed(text: str, persons: Persons) -> str:
    spans = gs1.bracketed_spans(text)
    first = spans[0].start if spans else len(text)
    kept = [_cut(text[:first], hidden_gsrn(text[:first]))]
    for span in spans:
        value = text[span.value_start : span.end]
        if not _names_somebody(span.ai, value, persons):
            kept.append(text[span.start : span.value_start] + _cut(value, hidden_gsrn(value)))
    return "".join(kept)


def _without_link_parts(text: str, persons: Persons) -> str:
    address = gs1_link.split(text)
    segments = _kept_segments(address.segments, persons)
    place = gs1_link.key_place(tuple(segments))
    query = [part for part in address.query if not _is_personal(part.name, part.value, persons)]
    origin, fragment = address.origin, text.partition("#")[2]
    if place is None:  # a web address of some other kind
        if _is_personal(*_key_and_value(fragment), persons):
            fragment = ""
    else:  # whatever is not of GS1 in it may be anything, a name too
        scheme, slashes, host = origin.partition("://")
        origin = scheme + slashes + host.rpartition("@")[2]
        segments, fragment = segments[place:], ""
        query = [part for part in query if gs1_ai.lookup(part.name) is not None]
    is_whole = len(segments) == len(address.segments) and len(query) == len(address.query)
    if is_whole and origin == address.origin and fragment == text.partition("#")[2]:
        return _cut(text, hidden_gsrn(address.origin))
    rebuilt = "/".join((origin, *segments))
    if query:
        rebuilt += "?" + "&".join(part.raw for part in query)
    return f"{rebuilt}#{fragment}" if fragment else rebuilt


def _kept_segments(segments: tuple[str, ...], persons: Persons) -> list[str]:
    place = gs1_link.key_place(segments)
    dropped: set[int] = set()
    values = set(range(place + 1, len(segments), 2)) if place is not None else set()
    for index in range(len(segments)):
        if index in values:
            continue
        following = segments[index + 1] if index + 1 < len(segments) else ""
        if _is_personal(gs1_link.unquote(segments[index]), following, persons):
            dropped.update((index, index + 1))
    return [segment for index, segment in enumerate(segments) if index not in dropped]


def _is_personal(key: str, value: str, persons: Persons) -> bool:
    text = gs1_link.unquote(value)
    return _names_somebody(key, text, persons) or hidden_gsrn(text) >= 0 or hidden_gsrn(key) >= 0


def _names_somebody(ai: str, value: str, persons: Persons) -> bool:
    return ai in PERSONAL_AIS or (persons.may_name(value) if ai in FREE_AIS else persons.names(value))


def _without_fields(text: str, persons: Persons) -> str:
    """Take the fields about persons out of a message of ISO/IEC 15434, in any of the forms that `ifa` reads."""
    if text.startswith("("):
        return _TYPED_PERSON.sub("", text)
    separator = "^" if text.startswith(".") else gs1.GS
    fields = text.split(separator)
    kept = [field for field in fields if not (_PERSON_FIELD.match(field) or persons.names(field))]
    if len(kept) == len(fields):
        return text
    end = _ENVELOPE_END.search(text)  # it stands behind the last field, which may be gone
    joined = separator.join(kept)
    return joined if end is None or joined.endswith(end[0]) else joined + end[0]


def _key_and_value(fragment: str) -> tuple[str, str]:
    key = fragment.strip("/").replace("=", "/").partition("/")[0]
    return gs1_link.unquote(key), fragment

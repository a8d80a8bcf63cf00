"""GS1 Digital Link URIs in their uncompressed form (GS1 Digital Link: URI syntax, from release 1.2)."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from gateway.model import Finding, Issuer
from gateway.udi import gs1, gs1_ai
from gateway.udi.checks import GS1_CSET_64, is_digits
from gateway.udi.findings import finding
from gateway.udi.label import Part

SCHEMES = ("https://", "http://", "HTTPS://", "HTTP://")
"""Other mixtures of case are not written by encoders, and refused."""
_URI = frozenset("!#$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~")
"""What a URI may hold (RFC 3986 appendix A)."""
_HOST = frozenset("-.0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz")
_HEX = frozenset("0123456789ABCDEFabcdef")
_ASCII = 128
_GTIN_KEYS = ("01", "02")
_GTIN = 14
_SHORTEST_COMPRESSED = 10
"""A compressed GTIN alone takes 10 base64url characters."""


class Query(NamedTuple):
    """One `name=value` of a query, as written."""

    name: str
    value: str
    raw: str


class WebAddress(NamedTuple):
    """The parts of a web address that a Digital Link uses."""

    origin: str
    """Scheme and host, as written."""
    segments: tuple[str, ...]
    """Path segments as written, without the leading slash."""
    query: tuple[Query, ...]


def is_link(text: str) -> bool:
    """Return whether the text is a web address."""
    return text.startswith(SCHEMES)


def split(text: str) -> WebAddress:
    """Divide a web address; whether it is well-formed is not judged here."""
    scheme, slashes, rest = text.partition("://")
    rest, _, _ = rest.partition("#")
    before, _, query = rest.partition("?")
    host, slash, path = before.partition("/")
    parameters = []
    for raw in query.split("&"):
        name, _, value = raw.partition("=")
        if raw:
            parameters.append(Query(unquote(name), value, raw))
    segments = tuple(path.split("/")) if slash else ()
    if segments and not segments[-1] and key_place(segments) is None:
        segments = segments[:-1]  # a slash at the end is no empty value: resolvers and browsers add it
    return WebAddress(scheme + slashes + host, segments, tuple(parameters))


def key_place(segments: tuple[str, ...]) -> int | None:
    """Return the index of the segment that is the primary key: the last one that pairs of AI and value follow."""
    for place in range(len(segments) - 2, -1, -2):
        entry = gs1_ai.lookup(unquote(segments[place]))
        if entry is None:
            return None
        if entry.qualifiers is not None:
            return place
    return None


def unquote(text: str) -> str:
    """Undo percent-encoding; what is no two hexadecimal digits stays, and bytes that are no ASCII become U+FFFD.

    >>> unquote("32a%2Fb"), unquote("100%")
    ('32a/b', '100%')
    """
    first, *rest = text.split("%")
    parts = [first]
    for part in rest:
        digits = part[:2]
        if len(digits) == len("2F") and _HEX.issuperset(digits):
            code = int(digits, 16)
            parts.append(chr(code) if code < _ASCII else "\ufffd")
            parts.append(part[2:])
        else:
            parts.append("%" + part)
    return "".join(parts)


def read_link(text: str, today: date) -> Part:
    """Read a Digital Link; its path gives the key and its qualifiers, its query the other elements.

    >>> part = read_link("https://id.gs1.org/01/09520123456788/10/ABC1/21/12345?17=280426", date(2026, 11, 21))
    >>> part.hri
    '(01)09520123456788(10)ABC1(21)12345(17)280426'
    """
    address = split(text)
    findings = [finding("GS1_LINK_FORM", problem) for problem in _malformed(text, address)]
    place = key_place(address.segments)
    if place is None:
        return Part(findings=(*findings, _no_key(address)))
    path = address.segments[place:]
    pairs = [(unquote(path[i]), unquote(path[i + 1])) for i in range(0, len(path), 2)]
    findings.extend(_order_findings([ai for ai, _ in pairs]))
    path_ais = {ai for ai, _ in pairs}
    key = gs1_ai.lookup(pairs[0][0])
    in_path_only = _in_path_only(key, [ai for ai, _ in pairs[1:]]) if key else frozenset()
    extensions = 0
    for name, value, _ in address.query:
        if not (is_digits(name) and gs1_ai.SHORTEST_AI <= len(name) <= gs1_ai.LONGEST_AI):
            extensions += 1  # digits of another length may be anything, a person's number too
            continue
        if name in path_ais:
            findings.append(finding("GS1_LINK_REPEATED", f"AI {name} is given twice", name))
        path_ais.add(name)
        entry = gs1_ai.lookup(name)
        if entry is not None and (not entry.attribute or name in in_path_only):
            findings.append(finding("GS1_LINK_ATTRIBUTE", f"AI {name} may not stand in the query", name))
        pairs.append((name, unquote(value.replace("+", " "))))
    if extensions:
        findings.append(finding("GS1_LINK_EXTENSION", f"{extensions} parameters of the query are no AIs"))
    padded = [_full_gtin(ai, value) for ai, value in pairs]
    findings.extend(
        finding("GS1_LINK_SHORT_GTIN", f"AI {ai} has {len(value)} digits", ai)
        for (ai, value), (_, full) in zip(pairs, padded, strict=True)
        if value != full
    )
    facts, found = gs1.interpret(padded, today)
    return Part(
        issuer=Issuer.GS1,
        facts=facts,
        elements=tuple(padded),
        hri=gs1.hri(padded),
        findings=(*findings, *found),
    )


def _malformed(text: str, address: WebAddress) -> Iterator[str]:
    for place, character in enumerate(text, 1):
        if character not in _URI:
            yield f"{character!a} at position {place} may not stand in a web address"
            break
    if any(not _HEX.issuperset(part[:2]) or len(part) < len("2F") for part in text.split("%")[1:]):
        yield "a percent sign stands without two hexadecimal digits"
    host = address.origin.partition("://")[2]
    if not host or not _HOST.issuperset(host):
        yield "the host is missing or not well-formed"


def _no_key(address: WebAddress) -> Finding:
    last = address.segments[-1] if address.segments else ""
    mixed = last != last.lower() and last != last.upper()
    if len(last) >= _SHORTEST_COMPRESSED and mixed and set(last) <= set(GS1_CSET_64):
        return finding("GS1_LINK_COMPRESSED", "the last part of the path looks like a compressed Digital Link")
    return finding("GS1_LINK_NO_KEY", "the path ends with no primary key and its value")


def _order_findings(ais: list[str]) -> list[Finding]:
    key, *qualifiers = ais
    entry = gs1_ai.lookup(key)
    sequences = entry.qualifiers if entry and entry.qualifiers else ()
    if not qualifiers or any(_is_subsequence(qualifiers, sequence) for sequence in sequences):
        return []
    return [
        finding("GS1_LINK_ORDER", f"AI {', '.join(qualifiers)} may not follow AI {key} in the path", qualifiers[0])
    ]


def _in_path_only(key: gs1_ai.ApplicationIdentifier, given: list[str]) -> frozenset[str]:
    # A qualifier belongs into the path; of alternative sequences only the one the path has chosen counts.
    chosen = [sequence for sequence in key.qualifiers or () if _is_subsequence(given, sequence)]
    return frozenset(ai for sequence in chosen for ai in sequence)


def _is_subsequence(ais: list[str], sequence: tuple[str, ...]) -> bool:
    remaining = iter(sequence)
    return all(ai in remaining for ai in ais)


def _full_gtin(ai: str, value: str) -> tuple[str, str]:
    if ai in _GTIN_KEYS and len(value) in gs1.GTIN_LENGTHS and is_digits(value):
        return ai, value.zfill(_GTIN)
    return ai, value

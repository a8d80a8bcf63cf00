"""Keyed entry: a label that no scanner reads is typed, from a keypad or from a printed sheet of characters. Pure.

Theory of operation. What is typed is put into the form that the agency's symbol would have had, one text for each
field, and goes the way of every symbol: journalled, judged, published. Two things are different. It is proved before
it is taken: an article number by its check digits (GS1 modulus 10, HIBC modulus 43, PPN modulus 97, PZN modulus 11),
a date by the calendar, and lot, serial and donation number, which have no check digit, by being typed twice. And it
is never joined to a label by time: a control code begins keyed entry and closes what was open, another one ends it.

    code "label damaged"    the open label goes out as it stands; keyed entry begins
    code "article", 0 9 5 2 0 0 0 1 0 0 0 5 0 8
    code "expiry", 4 5 1 2 3 1      -> (01)09520001000508 is proved by its check digit, and journalled
    code "lot", K 7                 -> (17)451231
    code "lot", K 7                 -> (10)K7
    code "end"                      -> (10)K7 the second time: the label is an event, `entry` = "keyed"

A field is finished by the next code, or by the end of a line from a keypad. A lot that is typed otherwise the
second time is refused, and the newer one is to be typed again. Bracketed text (`(01)...(10)...`) typed without any
code is taken in the same way, and waits for its lot and serial number to be typed again.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

from msgspec.structs import replace

from gateway.model import Decoded, Issuer, Severity
from gateway.station.binding import context_of
from gateway.station.label import PIECE, Statements, contradict, statements
from gateway.station.label_part import own_fault
from gateway.station.persons import names_person
from gateway.station.values import MAX_REFUSED, MAX_TYPED, KeyedEnded, KeyedEntry, Station, Symbol
from gateway.station.workflow import Input
from gateway.udi import decode
from gateway.udi.checks import (
    hibc_check_character,
    ifa_check_digits,
    is_digits,
    is_pzn,
    iso7064_mod37_2,
)

ARTICLE, EXPIRY, LOT, SERIAL = "01", "17", "10", "21"
"""The fields, by their GS1 Application Identifiers."""
TWICE: Final = PIECE | {"8003", "8004", "software"}
"""What no check digit proves. Of a GRAI the check digit does not cover the serial component."""
PERSON: Final = "person-number"
"""Why something typed is refused: it has the form of a person's number."""
NOT_UNDERSTOOD: Final = "not-understood"
OTHER_LABEL: Final = "other-label"
"""It is not of the label that is being typed."""
_ENDS: Final = frozenset(
    {
        *(Input.WHOLE, Input.COMPLETES, Input.UNLABELLED),
        *(Input.LEFT, Input.CANCEL, Input.ELAPSED),
    }
)
_GTIN_LENGTHS: Final = frozenset({8, 12, 13, 14})
_GTIN: Final = 14
_PZN: Final = re.compile(r"(?:PZN[ :-]*|-)([0-9]{8})", re.ASCII | re.IGNORECASE)
_DIN: Final = re.compile(r"([A-NP-Z1-9][A-NP-Z0-9][0-9]{11})([0-9A-Z*])", re.ASCII)
"""Donation identification number as it is printed, with its check character in a box (ST-001, 2.4.1 and appendix A)."""
_CHECKS_OF_DIN: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_DATE: Final = re.compile(r"(?:20)?([0-9]{2})-?([0-9]{2})-?([0-9]{2})|20([0-9]{2})-([0-9]{2})", re.ASCII)
"""YYMMDD, YYYYMMDD, YYYY-MM-DD and, without a day, YYYY-MM (ISO 15223-1, 5.1.4)."""
_IFA_FIELDS: Final = {EXPIRY: "D", LOT: "1T", SERIAL: "S"}
_HIBC_FIELDS: Final = {EXPIRY: "+$$3", LOT: "+$", SERIAL: "+$+"}


def with_character(entry: KeyedEntry, character: str) -> KeyedEntry | None:
    """Return the entry with one more character; None for a field that is too long."""
    if len(entry.text) >= MAX_TYPED:
        return None
    return replace(entry, text=entry.text + (character.lower() if entry.small else character), small=False)


def refused(entry: KeyedEntry, code: str) -> KeyedEntry:
    """Return the entry after something typed was refused: the field is typed anew."""
    return replace(entry, text="", small=False, refused=(*entry.refused, code)[-MAX_REFUSED:])


def moved(
    station: Station, what: Input, scanner: str, entry: KeyedEntry | None, at_ns: int, keyed_ns: int
) -> tuple[Station, KeyedEnded | None]:
    """Return the station behind an input of the region `keyed`, and what is to be published where nothing came of it.

    `entry`: as a code leaves it. The label that is typed stays open as long as somebody types.
    """
    keyed = dict(station.keyed)
    present, until_ns = keyed.get(scanner), at_ns + keyed_ns
    ended = None
    if what in {Input.KEYED, Input.KEY, Input.MISTYPED} and entry is not None:
        keyed[scanner] = replace(entry, until_ns=until_ns)
    elif what in _ENDS:
        keyed.pop(scanner, None)
    elif present is not None:  # one more symbol: the field is finished
        begun = scanner in station.open_items
        keyed[scanner] = replace(present, field="", text="", small=False, begun=begun, until_ns=until_ns)
    if what is Input.ELAPSED and present is not None and not present.begun:
        context = context_of(station, scanner)
        ended = KeyedEnded(id=present.id, scanner=scanner, at_ns=present.until_ns, entry=present, context=context)
    items = station.open_items
    if scanner in items and scanner in keyed:
        item = items[scanner]
        items = {**items, scanner: replace(item, until_ns=max(item.until_ns, until_ns))}
    return replace(station, keyed=keyed, open_items=items), ended


def label_text(field: str, typed: str, begun: Decoded | None) -> str | None:
    """Return what was typed in the form of its agency's symbol; None where it is none. `begun`: what is known.

    >>> label_text("01", "9520001000508", None), label_text("17", "2045-12", None), label_text("", "K7", None)
    ('(01)09520001000508', '(17)451200', None)
    """
    typed = typed.strip(" ") if not typed.startswith(("+", "*+")) else typed
    if not typed or not typed.isascii() or not typed.isprintable():
        return None
    if field in {"", ARTICLE}:
        return _whole_text(typed)
    value = _yymmdd(typed) if field == EXPIRY else typed
    if value is None:
        return None
    issuer = None if begun is None else begun.issuer
    if issuer is Issuer.IFA:
        return f"[)>\x1e06\x1d{_IFA_FIELDS[field]}{value}\x1e\x04"
    if issuer is Issuer.HIBCC and begun is not None and begun.device_identifier is not None:
        secondary = f"{_HIBC_FIELDS[field]}{value.upper()}{hibc_check_character(f'+{begun.device_identifier}')}"
        check = hibc_check_character(secondary)
        return None if check is None else secondary + check
    return f"({field}){value}"


def _whole_text(typed: str) -> str | None:
    if is_digits(typed):
        return f"({ARTICLE}){typed.zfill(_GTIN)}" if len(typed) in _GTIN_LENGTHS else None
    if typed.startswith("*+") and typed.endswith("*"):
        typed = typed[1:-1]  # the asterisks of the print (ANSI/HIBC 2.6, 2.1)
    if typed.startswith("+"):
        return typed[:-1] + " " if typed.endswith("_") else typed  # a check character that is a space
    if typed.startswith(("(", "=", "&")):
        return typed
    pzn = _PZN.fullmatch(typed)
    if pzn is not None:
        ppn = f"11{pzn[1]}"
        return f"9N{ppn}{ifa_check_digits(ppn)}" if is_pzn(pzn[1]) else None
    din = _DIN.fullmatch(typed.replace(" ", ""))
    if din is not None:
        check = iso7064_mod37_2(din[1])
        return f"={din[1]}00" if check is not None and _CHECKS_OF_DIN[check] == din[2] else None
    return typed if typed[:2] in {"01", "9N", "[)"} else None  # a scanner that does not say what it has read


def _yymmdd(typed: str) -> str | None:
    found = _DATE.fullmatch(typed)
    if found is None:
        return None
    year, month, day, year_of_month, month_alone = found.groups()
    return f"{year}{month}{day}" if year is not None else f"{year_of_month}{month_alone}00"


def fault_of(typed: str, decoded: Decoded) -> str | None:
    """Return why something typed cannot be taken; None for what can. A lot without its article is half a label."""
    if names_person(typed) or any(names_person(value) for _, value in decoded.elements):
        return PERSON
    errors = [
        found.code
        for found in decoded.findings
        if found.severity is Severity.ERROR and not (decoded.device_identifier is None and own_fault(found))
    ]
    if errors:
        return errors[0]
    return None if decoded.elements else NOT_UNDERSTOOD


def is_to_be_typed_again(symbols: Iterable[Symbol], today: date) -> bool:
    """Return whether something in a label was typed once only, and nothing else proves it."""
    seen: dict[tuple[str, str], int] = {}
    for symbol in symbols:
        for said in _unproved(decode(symbol.text, symbol.symbology, today=today)):
            seen[said] = seen.get(said, 0) + (1 if symbol.typed else 2)
    return any(times < 2 for times in seen.values())  # noqa: PLR2004 - typed twice, or read once


def _unproved(decoded: Decoded) -> Iterator[tuple[str, str]]:
    for name, value in statements(decoded).items():
        if name in TWICE:
            yield name, value
    if decoded.issuer is Issuer.ICCBBA and decoded.device_identifier is not None:  # has no check character
        yield "DI", decoded.device_identifier


def without_disputed(
    symbols: Sequence[Symbol], new: Decoded, today: date, *, article: bool
) -> tuple[Symbol, ...] | None:
    """Return the symbols of a label without what was typed and is said otherwise now.

    None where a symbol that was read says otherwise: that stands. `article`: another article number replaces the
    one typed before, too.
    """
    said = statements(new)
    kept: list[Symbol] = []
    for symbol in symbols:
        decoded = decode(symbol.text, symbol.symbology, today=today)
        if not _is_disputed(decoded, new, said, article=article):
            kept.append(symbol)
        elif not symbol.typed:
            return None
        elif decoded.issuer is Issuer.GS1:
            parts = [f"({identifier}){value}" for identifier, value in decoded.elements]
            rest = "".join(
                part for part in parts if not _is_disputed(decode(part, today=today), new, said, article=article)
            )
            if rest:
                kept.append(replace(symbol, text=rest, raw=rest.encode()))
    return tuple(kept)


def _is_disputed(decoded: Decoded, new: Decoded, said: Statements, *, article: bool) -> bool:
    mine, its = new.device_identifier, decoded.device_identifier
    other = article and mine is not None and its is not None and mine != its
    return other or contradict(said, statements(decoded))

"""The GS1 Application Identifiers: format, association rules and Digital Link role of each, as one compact table.

Facts: GS1 Barcode Syntax Dictionary (GS1 AISBL), which itself restates GS1 General Specifications section 3.

One line a group of AIs: `AIs components [fixed] [link] [key[=qualifiers]] [needs=...] [not=...]`.

- AIs: `13,15-16` are three; `310-316n5` are 3100 ... 3165, every last digit from 0 to 5.
- components, parted by `/`: a character set (N digits, X CSET 82, Y CSET 39, Z base64url), a length (`-20` is
  1 to 20, only in the last component), then the names of further checks; `?` before it: may be absent.
- fixed: has a predefined length and needs no separator. link: may be a query attribute of a Digital Link.
- key: primary key of a Digital Link, with the qualifiers its path may carry, in order; `|` parts alternatives.
- needs: one of these groups must be on the same item; not: none of these may be. `n` is any digit, `~` stands
  for the AI's own first three digits with any fourth.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from msgspec import Struct

_TABLE = """
00 N18:csum:gcp2 fixed link key
01 N14:csum:gcp2 fixed link key=22,10,21|235 not=255,37
02 N14:csum:gcp2 fixed link needs=37 not=01,03
03 N14:csum:gcp2 fixed not=01,02,37,235
10 X-20 link needs=01,02,03,8006,8026
11 N6:yymmd0 fixed link needs=01,02,03,8006,8026
12 N6:yymmd0 fixed link needs=8020
13,15-16 N6:yymmd0 fixed link needs=01,02,03,8006,8026
17 N6:yymmd0 fixed link needs=01,02,03,255,8006,8026
20 N2 fixed link needs=01,02,03,8006,8026
21 X-20 needs=01,03,8006 not=235
22 X-20 needs=01
235 X-28 needs=01
240-241 X-30 link needs=01,02,03,8006,8026
242 N-6 link needs=01,02,8006,8026
243 X-20 link needs=01,03
250 X-30 link needs=01+21,03+21,8006+21
251 X-30 link needs=01,03,8006
253 N13:csum:gcp1/?X-17 link key
254 X-20 needs=414
255 N13:csum:gcp1/?N-12 link key not=01,02,415,8006,8020,8026
30 N-8 link needs=01,02
310-316n5,320-329n5 N6 fixed link needs=01,02 not=~
330-336n5 N6 fixed link needs=00,01 not=~
337n5 N6 fixed link needs=01 not=~
340-349n5 N6 fixed link needs=00,01 not=~
350-352n5 N6 fixed link needs=01,02 not=~
353-355n5 N6 fixed link needs=00,01 not=~
356-357n5,360-361n5 N6 fixed link needs=01,02 not=~
362-363n5 N6 fixed link needs=00,01 not=~
364-366n5 N6 fixed link needs=01,02 not=~
367-369n5 N6 fixed link needs=00,01 not=~
37 N-8 link needs=00+02,00+8026
390n9 N-15 link needs=255,8020 not=~,391n,394n,8111
391n9 N3:iso4217/N-15 link needs=8020 not=~
392n9 N-15 link needs=01+30,01+31nn,01+32nn,01+35nn,01+36nn not=~,393n
393n9 N3:iso4217/N-15 link needs=30,31nn,32nn,35nn,36nn not=~
394n3 N4 link needs=255 not=~,8111
395n5 N6 link needs=30,31nn,32nn,35nn,36nn not=392n,393n,~,8005
400 X-30 link
401 X-30:gcp1 link key
402 N17:csum:gcp1 link key
403 X-30 link needs=00
410-413 N13:csum:gcp1 fixed link
414 N13:csum:gcp1 fixed link key=254|7040
415 N13:csum:gcp1 fixed link key=8020 needs=8020
416 N13:csum:gcp1 fixed link
417 N13:csum:gcp1 fixed link key=7040
420 X-20 link not=421
421 N3:iso3166/X-9 link not=4307
422 N3:iso3166 link needs=01,02,03,8006,8026 not=426
423 N3:iso3166/?N3:iso3166/?N3:iso3166/?N3:iso3166/?N3:iso3166 link needs=01,02,03 not=426
424 N3:iso3166 link needs=01,02,03 not=426
425 N3:iso3166/?N3:iso3166/?N3:iso3166/?N3:iso3166/?N3:iso3166 link needs=01,02,03 not=426
426 N3:iso3166 link needs=01,02,03
427 X-3 link needs=01+422,02+422,03+422
4300-4301 X-35:pcenc link needs=00
4302 X-70:pcenc link needs=00
4303 X-70:pcenc link needs=4302
4304-4306 X-70:pcenc link needs=00
4307 X2:iso3166alpha2 link needs=00
4308 X-30 link needs=00
4309 N10:latitude/N10:longitude link needs=00
4310-4311 X-35:pcenc link needs=00
4312 X-70:pcenc link needs=00
4313 X-70:pcenc link needs=4312
4314-4316 X-70:pcenc link needs=00
4317 X2:iso3166alpha2 link needs=00
4318 X-20 link needs=00
4319 X-30 link needs=00
4320 X-35:pcenc link needs=00
4321-4323 N1:yesno link needs=00
4324-4325 N6:yymmd0/N4:hhmi link needs=00
4326 N6:yymmdd link needs=00
4330 N6/?X1:hyphen link needs=00 not=4331
4331 N6/?X1:hyphen link needs=00 not=4330
4332 N6/?X1:hyphen link needs=00 not=4333
4333 N6/?X1:hyphen link needs=00 not=4332
7001 N13 link needs=01,02,8006,8026
7002 X-30 link needs=01,02
7003 N6:yymmdd/N4:hhmi link needs=01,02,03
7004 N-4 link needs=01+10,03+10
7005 X-12 link needs=01,02
7006 N6:yymmdd link needs=01,02
7007 N6:yymmdd/?N6:yymmdd link needs=01,02
7008 X-3 link needs=01,02
7009 X-10 link needs=01,02
7010 X-2 link needs=01,02,03
7011 N6:yymmdd/?N4:hhmi link needs=01,02,03
7020 X-20 link needs=01+416,03+416,8006+416
7021 X-20 link needs=01,03,8006
7022 X-20 link needs=01+7021,03+7021,8006+7021
7023 X-30:gcp1 link
7030-7039 N3:iso3166999/X-27 link needs=01,02
7040 N1/X1/X1/X1:importeridx
7041 X-4:packagetype needs=00
710-717 X-20 link needs=01
7230-7239 X2/X-28 link needs=01,8004
7240 X-20 link needs=01,8006 not=03
7241 N2:mediatype link needs=8017,8018
7242 X-25 link needs=8017,8018
7250 N8:yyyymmdd link needs=8018 not=7251
7251 N8:yyyymmdd/N4:hhmi link needs=8018 not=7250
7252 N1:iso5218 link needs=8018
7253-7254 X-40:pcenc link needs=8017,8018 not=7256,7259
7255 X-10 link needs=8017,8018 not=7256,7259
7256 X-90:pcenc link needs=8017,8018
7257 X-70:pcenc link needs=8018
7258 X3:posinseqslash link needs=8018+7259
7259 X-40:pcenc link needs=8018 not=7256
8001 N4:nonzero/N5:nonzero/N3:nonzero/N1:winding/N1 link needs=01
8002 X-20 link
8003 N1:zero/N13:csum:gcp1/?X-16 link key
8004 X-30:gcp1 link key=7040
8005 N6 link needs=01,02
8006 N14:csum:gcp2/N4:pieceoftotal link key=22,10,21 not=01,03,37
8007 X-34:iban link needs=415
8008 N6:yymmdd/N2:hh/?N2:mi/?N2:ss link needs=01,02,03
8009 X-50 link needs=00,01,03
8010 Y-30:gcp1 link key=8011
8011 N-12:nozeroprefix needs=8010
8012 X-20 link needs=01,03,8006
8013 X-25:csumalpha:gcp1 link key
8014 X-25:csumalpha:gcp1:hasnondigit needs=01
8017 N18:csum:gcp1 link key=8019 not=8018
8018 N18:csum:gcp1 link key=8019 not=8017
8019 N-10 needs=8017,8018
8020 X-25 needs=415
8026 N14:csum:gcp2/N4:pieceoftotal link needs=37 not=02,03,8006
8030 Z-90 link needs=00,01+21,03+21,253,255,8003,8004,8006+21,8010+8011,8017,8018
8040 N15 needs=01+21
8041 N15 needs=01+21+8040
8042 N32 needs=01+21+8040
8043 N18/?N-2 needs=01+21+8040
8110 X-70:couponcode link
8111 N4 link needs=255
8112 X-70:couponposoffer link
8200 X-70 needs=01
90 X-30 link
91-99 X-90 link
"""

_WILD_DIGITS = 2
"""The most `n` that a pattern of the table ends with."""
SHORTEST_AI = 2
LONGEST_AI = 4

_PREDEFINED_LENGTHS = {
    "04": 18,
    "14": 8,
    "18": 8,
    "19": 8,
    "31": 10,
    "32": 10,
    "33": 10,
    "34": 10,
    "35": 10,
    "36": 10,
    "41": 16,
}
"""Whole length, AI included, of element strings whose AI begins so, even where the AI itself is not assigned
(GS1 General Specifications 7.8.5, "element strings with predefined length")."""


class Component(Struct, frozen=True):
    """One part of an AI's data field."""

    charset: str
    """N, X, Y or Z."""
    shortest: int
    longest: int
    optional: bool
    checks: tuple[str, ...]
    """Names of the checks in gs1_checks that apply beyond the character set."""


class ApplicationIdentifier(Struct, frozen=True, kw_only=True):
    """What the table says of one AI."""

    ai: str
    components: tuple[Component, ...]
    attribute: bool
    """May stand in the query of a GS1 Digital Link URI."""
    qualifiers: tuple[tuple[str, ...], ...] | None
    """For a primary key of a GS1 Digital Link: the allowed sequences of qualifiers; None: not a primary key."""
    requires: tuple[tuple[str, ...], ...]
    """One of these groups of AI patterns must be on the same item; empty: no condition."""
    excludes: tuple[str, ...]
    """AI patterns that may not be on the same item."""
    shortest: int
    """Least number of characters in the data field."""
    longest: int
    """Greatest number of characters in the data field."""
    whole: int | None
    """Length of the whole element, AI included, where it is predefined; None: it ends at a separator."""

    @property
    def predefined(self) -> bool:
        """Return whether the AI fixes its length, so that no separator is needed behind it."""
        return self.whole is not None


known: dict[str, ApplicationIdentifier] = {}
"""The entries that have been asked for: what `lookup` returns, without a call. Only `lookup` adds to it."""


def lookup(ai: str) -> ApplicationIdentifier | None:
    """Return what the table says of an AI, or None when it is not assigned.

    >>> lookup("10").longest
    20
    >>> lookup("3100").predefined
    True
    >>> lookup("05") is None
    True
    """
    entry = known.get(ai)
    if entry is None and ai in _lines():
        entry = known[ai] = _parse(ai, _lines()[ai])
    return entry


def match(text: str, position: int) -> ApplicationIdentifier | None:
    """Return the AI that begins at this position; no assigned AI is the beginning of another.

    >>> match("0108717648200274", 0).ai
    '01'
    """
    length = _lengths().get(text[position : position + SHORTEST_AI])
    return None if length is None else lookup(text[position : position + length])


def predefined_length(text: str, position: int) -> int | None:
    """Return how long the element string at this position is, AI included, when its first two digits fix that."""
    return _PREDEFINED_LENGTHS.get(text[position : position + 2])


def by_pattern(ais: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Index AIs by every pattern of the table that fits them, where `n` at the end stands for any digit.

    >>> by_pattern(["3103", "01"])["31nn"]
    ['3103']
    """
    index: dict[str, list[str]] = {}
    for ai in ais:
        for wild in range(_WILD_DIGITS + 1):
            index.setdefault(ai[: len(ai) - wild] + "n" * wild, []).append(ai)
    return index


def assigned() -> tuple[str, ...]:
    """Return every assigned AI."""
    return tuple(_lines())


@cache
def _lines() -> dict[str, str]:
    lines: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        group, _, rest = line.partition(" ")
        for part in group.split(","):
            span, _, last_digit = part.partition("n")
            low, _, high = span.partition("-")
            for number in range(int(low), int(high or low) + 1):
                stem = f"{number:0{len(low)}d}"
                ais = [f"{stem}{digit}" for digit in range(int(last_digit) + 1)] if last_digit else [stem]
                for ai in ais:
                    lines[ai] = rest
    return lines


@cache
def _lengths() -> dict[str, int]:
    """Map the first two digits of each assigned AI to its length, which they fix."""
    return {ai[:SHORTEST_AI]: len(ai) for ai in _lines()}


def _parse(ai: str, line: str) -> ApplicationIdentifier:
    specification, *options = line.split(" ")
    flags = {name: value for name, _, value in (option.partition("=") for option in options)}
    excludes = flags.get("not", "").replace("~", f"{ai[:3]}n")
    qualifiers = None
    if "key" in flags:
        qualifiers = tuple(tuple(sequence.split(",")) for sequence in flags["key"].split("|") if sequence)
    components = tuple(_component(part) for part in specification.split("/"))
    longest = sum(component.longest for component in components)
    return ApplicationIdentifier(
        ai=ai,
        components=components,
        attribute="link" in flags,
        qualifiers=qualifiers,
        requires=tuple(tuple(group.split("+")) for group in flags.get("needs", "").split(",") if group),
        excludes=tuple(pattern for pattern in excludes.split(",") if pattern),
        shortest=sum(component.shortest for component in components if not component.optional),
        longest=longest,
        whole=len(ai) + longest if "fixed" in flags else None,
    )


def _component(text: str) -> Component:
    form, *checks = text.removeprefix("?").split(":")
    length = form[1:]
    variable = length.startswith("-")
    longest = int(length.removeprefix("-"))
    return Component(
        charset=form[0],
        shortest=1 if variable else longest,
        longest=longest,
        optional=text.startswith("?"),
        checks=tuple(checks),
    )

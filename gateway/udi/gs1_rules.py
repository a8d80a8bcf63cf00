"""GS1 association rules: which AIs must, may or may not be together on one item.

They are judged over the elements of all symbols of an item, never over one symbol of several
(GS1 General Specifications 4.13 and 4.14; the rules themselves are in gs1_ai's table).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from gateway.model import Finding
from gateway.udi import gs1, gs1_ai
from gateway.udi.findings import finding

_KEYS_WITH_SERIAL = {"253": 13, "255": 13, "8003": 14}
"""Keys that are serialised only by what stands behind so many characters."""
_COMBINATIONS = 256
"""The labels of a hospital carry some dozens of combinations of AIs; the rules depend on nothing else."""
_MOST_REMEMBERED = 16
"""AIs of a combination: far more than a label has. Those of garbage are judged anew, and take no memory."""


def judge(pairs: Sequence[tuple[str, str]], *, whole: bool) -> tuple[Finding, ...]:
    """Find repeats with different values, pairs that exclude each other, and missing partners.

    `whole`: all symbols of the item are there. Otherwise missing partners are not judged.
    """
    first = dict(pairs)
    associated = _remembered if len(first) <= _MOST_REMEMBERED else _association
    excluded, missing = associated(tuple(first))
    findings = excluded + missing if whole else excluded
    if len(first) < len(pairs):
        findings = (*_repeats(pairs), *findings)
    if whole and "8030" in first:
        findings = (*findings, *_unserialised(pairs))
    return findings


def _repeats(pairs: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    values: dict[str, list[str]] = {}
    for ai, value in pairs:
        # An EAN-13 and a GS1-128 may give the same GTIN with 13 and with 14 digits.
        values.setdefault(ai, []).append(gs1.normalised(ai, value)[1])
    for ai, given in values.items():
        if len(set(given)) > 1:
            yield finding("GS1_AI_REPEATED", f"AI {ai} occurs {len(given)} times with different values", ai)


def _association(ais: tuple[str, ...]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    present = gs1_ai.by_pattern(ais)
    return tuple(_excluded(ais, present)), tuple(_missing(ais, present))


_remembered = lru_cache(maxsize=_COMBINATIONS)(_association)


def _excluded(ais: Sequence[str], present: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    reported: set[frozenset[str]] = set()
    for ai in ais:
        entry = gs1_ai.lookup(ai)
        for pattern in entry.excludes if entry else ():
            for other in present.get(pattern, ()):
                pair = frozenset((ai, other))
                if other != ai and pair not in reported:
                    reported.add(pair)
                    yield finding("GS1_AI_EXCLUDED", f"AI {ai} and AI {other} may not be on the same item", ai)


def _missing(ais: Sequence[str], present: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    for ai in ais:
        entry = gs1_ai.lookup(ai)
        if entry is None or not entry.requires:
            continue
        if not any(all(pattern in present for pattern in group) for group in entry.requires):
            wanted = " or ".join("+".join(group) for group in entry.requires)
            yield finding("GS1_AI_REQUIRED", f"AI {ai} requires AI {wanted}", ai)


def _unserialised(pairs: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    for ai, value in pairs:
        if ai in _KEYS_WITH_SERIAL and len(value) <= _KEYS_WITH_SERIAL[ai]:
            yield finding("GS1_AI_REQUIRED", f"AI 8030 requires a serial component in AI {ai}", "8030")

"""The table of Application Identifiers, beside GS1's own dictionary where that is at hand."""

import itertools
from pathlib import Path

import pytest

from gateway.udi import gs1_ai

DICTIONARY = Path(__file__).parents[3] / "shared" / "reference" / "gs1-syntax-dictionary.txt"


@pytest.mark.parametrize(
    ("ai", "shortest", "longest", "predefined"),
    [
        ("00", 18, 18, True),
        ("01", 14, 14, True),
        ("10", 1, 20, False),
        ("17", 6, 6, True),
        ("253", 13, 30, False),
        ("3103", 6, 6, True),
        ("7003", 10, 10, False),
        ("7007", 6, 12, False),
        ("8003", 14, 30, False),
        ("8017", 18, 18, False),
        ("99", 1, 90, False),
    ],
)
def test_length(ai: str, shortest: int, longest: int, predefined: bool) -> None:  # noqa: FBT001 - a column of the table
    entry = gs1_ai.lookup(ai)
    assert entry is not None
    assert (entry.shortest, entry.longest, entry.predefined) == (shortest, longest, predefined)


def test_no_ai_begins_another() -> None:
    ais = sorted(gs1_ai.assigned())
    assert not [(a, b) for a, b in itertools.pairwise(ais) if b.startswith(a)]


@pytest.mark.skipif(not DICTIONARY.exists(), reason="the GS1 Barcode Syntax Dictionary is not here")
def test_table_says_what_the_dictionary_says() -> None:
    lines = [line for line in DICTIONARY.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    expected = dict(entry for line in lines for entry in _dictionary_entries(line))
    ours = {ai: _described(ai) for ai in gs1_ai.assigned()}
    assert ours.keys() == expected.keys()
    for ai, description in expected.items():
        assert ours[ai] == description, ai


def _described(ai: str) -> dict[str, object]:
    entry = gs1_ai.lookup(ai)
    assert entry is not None
    return {
        "components": [
            (part.charset, part.shortest, part.longest, part.optional, list(part.checks))
            for part in entry.components
        ],
        "predefined": entry.predefined,
        "attribute": entry.attribute,
        "qualifiers": None if entry.qualifiers is None else [list(sequence) for sequence in entry.qualifiers],
        "requires": [list(group) for group in entry.requires],
        "excludes": set(entry.excludes),
    }


def _dictionary_entries(line: str) -> list[tuple[str, dict[str, object]]]:
    span, *words = line.partition("#")[0].split()
    flags = words.pop(0) if set(words[0]) <= set("*?") else ""
    components: list[tuple[str, int, int, bool, list[str]]] = []
    description: dict[str, object] = {"qualifiers": None, "requires": [], "excludes": set()}
    for word in words:
        name, _, value = word.partition("=")
        match name:
            case "dlpkey":
                description["qualifiers"] = [part.split(",") for part in value.split("|") if part]
            case "req":
                description["requires"] = [part.split("+") for part in value.split(",")]
            case "ex":
                description["excludes"] = set(value.split(","))
            case _:
                components.append(_dictionary_component(word))
    description |= {"components": components, "predefined": "*" in flags, "attribute": "?" in flags}
    low, _, high = span.partition("-")
    return [(str(ai).zfill(len(low)), description) for ai in range(int(low), int(high or low) + 1)]


def _dictionary_component(word: str) -> tuple[str, int, int, bool, list[str]]:
    form, *checks = word.replace("[", "").replace("]", "").split(",")
    low, dots, high = form[1:].partition("..")
    longest = int(high or low)
    names = [check.replace("gcppos", "gcp") for check in checks]
    return form[0], 1 if dots else longest, longest, word.startswith("["), names

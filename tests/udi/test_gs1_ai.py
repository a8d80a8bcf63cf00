"""The table of Application Identifiers, beside GS1's own dictionary where that is at hand."""

import itertools
from pathlib import Path

import pytest

from gateway.udi import gs1_ai
from tests.udi import dictionary

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


SAMPLE = """
# AIs 01 to 17 as the dictionary writes them
01         *?  N14,csum,gcppos2               dlpkey=22,10,21|235 ex=255,37   # GTIN
10          ?  X..20                          req=01,02,03,8006,8026          # BATCH/LOT
253         ?  N13,csum,gcppos1 [X..17]       dlpkey                          # GDTI
"""


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        ("X..20", "X..21", "10: components"),
        ("*?  N14", "?  N14", "01: predefined"),
        ("dlpkey=22,10,21|235", "dlpkey=22,10,21", "01: qualifiers"),
        ("ex=255,37", "ex=255", "01: excludes"),
        ("req=01,02,03,8006,8026", "req=01", "10: requires"),
        ("10          ?", "10           ", "10: attribute"),
        ("253 ", "05 ", "05: not in the project's table"),
    ],
)
def test_comparison_finds_each_kind_of_difference(theirs: str, ours: str, told: str) -> None:
    compared = {"01", "10", "253"}
    changed = SAMPLE.replace(theirs, ours)
    assert changed != SAMPLE
    assert not [line for line in dictionary.differences(SAMPLE) if line.partition(":")[0] in compared]
    assert any(line.startswith(told) for line in dictionary.differences(changed))


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dictionary.txt"
    path.write_text(SAMPLE)
    assert dictionary.main([str(path)]) == 1
    assert "00: not in the dictionary" in capsys.readouterr().out


@pytest.mark.skipif(not DICTIONARY.exists(), reason="the GS1 Barcode Syntax Dictionary is not here")
def test_table_says_what_the_dictionary_says() -> None:
    assert dictionary.differences(DICTIONARY.read_text("utf-8")) == []

"""Labels of the corpus: inputs of other implementations and of real packages, each with its source."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.udi import decode, decode_symbols

CORPUS = Path(__file__).parents[1] / "corpus"
TODAY = date(2026, 11, 21)
Case = dict[str, Any]
"""`symbol` (or `symbols` of one item): text and AIM identifier; `expect`: what is not null, as the JSON names it;
`findings` are codes and elements."""


def corpus() -> list[Case]:
    return [case for path in sorted(CORPUS.glob("udi_*.json")) for case in json.loads(path.read_text("utf-8"))]


@pytest.mark.parametrize("case", corpus(), ids=lambda case: ascii(case.get("symbol") or case["symbols"]))
def test_corpus(case: Case) -> None:
    if "symbols" in case:
        decoded = decode_symbols([(text, symbology) for text, symbology in case["symbols"]], today=TODAY)
    else:
        decoded = decode(*case["symbol"], today=TODAY)
    found = json.loads(msgspec.json.encode(decoded))
    found["findings"] = [[finding["code"], finding["element"]] for finding in found["findings"]]
    told = {
        key: value for key, value in found.items() if value not in (None, []) and key not in ("hri", "complete")
    }
    assert told == case["expect"]


def test_every_label_has_its_source_and_none_is_there_twice() -> None:
    cases = corpus()
    assert all(case["source"].strip() for case in cases)
    given = [json.dumps(case.get("symbol") or case["symbols"]) for case in cases]
    assert len(given) == len(set(given))

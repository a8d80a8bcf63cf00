"""What other implementations and the standards' own examples say of a label: we say the same.

Each case has its source. `valid` is what the source says; `differs` says why we say otherwise. `elements`, `caret`
(elements with `^` for FNC1) and `expect` are what the source reads in the label, as far as it says so.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model import Decoded
from gateway.udi import decode, decode_symbols, gs1_ai

CORPUS = Path(__file__).parents[1] / "corpus"
TODAY = date(2026, 11, 21)
Case = dict[str, Any]


def cases(name: str) -> list[Any]:
    """Return the cases of one file, each under its own text."""
    return [
        pytest.param(case, id=ascii([text for text, _ in case["symbols"]]))
        for case in json.loads((CORPUS / f"verdicts_{name}.json").read_text("utf-8"))
    ]


def read(case: Case) -> Decoded:
    symbols = [(text, aim_id) for text, aim_id in case["symbols"]]
    return decode(*symbols[0], today=TODAY) if len(symbols) == 1 else decode_symbols(symbols, today=TODAY)


def caret(elements: tuple[tuple[str, str], ...]) -> str:
    """Write elements with `^` for FNC1, as GS1's syntax engine does."""
    written, separated = "", True
    for ai, value in elements:
        entry = gs1_ai.lookup(ai)
        written += ("^" if separated else "") + ai + value
        separated = entry is None or not entry.predefined
    return written


@pytest.mark.parametrize("case", cases("gs1") + cases("hibc") + cases("isbt128") + cases("ifa"))
def test_we_say_the_same(case: Case) -> None:
    decoded = read(case)
    assert decoded.ok is (case["valid"] is not ("differs" in case)), decoded.findings
    if decoded.ok and "elements" in case:
        assert [list(element) for element in decoded.elements] == case["elements"]
    if decoded.ok and "caret" in case:
        assert caret(decoded.elements) == case["caret"]
    expected = dict(case.get("expect", {}))
    found = msgspec.to_builtins(decoded)
    # Of a month some give the first day, some none: ours is the last, and what they agree on is the beginning.
    expiry = expected.pop("expirationDate", "")
    assert (found["expirationDate"] or "").startswith(expiry)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("case", cases("gs1_associations"))
def test_gs1_associations(case: Case) -> None:
    """Which AIs exclude, require and repeat each other (GS1 General Specifications, 4.13 and 4.14)."""
    decoded = decode_symbols([(text, aim_id) for text, aim_id in case["symbols"]], today=TODAY)
    assert (case["finding"] in {found.code for found in decoded.findings}) is case["broken"]


def test_every_case_has_its_source() -> None:
    every = [case for path in CORPUS.glob("verdicts_*.json") for case in json.loads(path.read_text("utf-8"))]
    assert [case for case in every if not case["source"].strip()] == []
    assert len(every) > 750

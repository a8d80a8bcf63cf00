"""Every conformance vector, where the vectors are at hand: inputs and verdicts of other implementations.

Where our result differs on purpose, the reason stands in a table below.
"""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Decoded, Precision
from gateway.udi import decode, decode_symbols, gs1_ai

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
TODAY = date(2026, 11, 21)
Case = dict[str, Any]

pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="the conformance vectors are not here")

ACCEPTED_HERE = {
    "]E0123456789012": "scanners transmit UPC-A with 12 digits too",
    "https://a/01/2112345678900": "shorter GTINs are legal in older releases: the engine has an option",
    "https://a/01/416000336108": "as above",
    "https://a/01/02345673": "as above",
    "https://a/8004/9520614141234567?01=2112345678900": "as above",
    "https://a/8004/9520614141234567?01=02345673": "as above",
    "https://a/stem/00/006141411234567890/": "a slash at the end of the path adds nothing to it",
    "[)>\x1e06\x1d9N111234568408": "a missing end of the envelope is a warning",
}
REFUSED_HERE = {
    "]Q1": "there is no text",
    "]d1": "there is no text",
    "]J0": "there is no text",
    "https://a/gtin/12312312312333": "aliases are gone since release 1.2: the engine has an option",
    "https://a/gtin/12312312312333/ser/ABC123": "as above",
    "https://a/sscc/006141411234567890": "as above",
    "https://example.com/01/09520123456788?99=XYZ&89=ABC123": "unassigned AIs are errors: the engine has an option",
}


def cases(name: str, *kinds: str, key: str | None = None) -> list[Case]:
    path = VECTORS / name
    if not path.exists():
        return []
    loaded = json.loads(path.read_text("utf-8"))
    return [case for case in (loaded[key] if key else loaded) if not kinds or case.get("kind") in kinds]


def label(case: Case) -> str:
    return ascii(case["input"])


def run(case: Case) -> Decoded:
    if isinstance(case["input"], list):
        return decode_symbols([(text, None) for text in case["input"]], today=TODAY)
    if "payload" in case:
        return decode(case["payload"], case["aim_id"], today=TODAY)
    return decode(case["input"], None if case.get("kind") == "scan" else case.get("aim_id"), today=TODAY)


def caret(elements: tuple[tuple[str, str], ...]) -> str:
    """Write elements with `^` for FNC1, as the engine does."""
    written, separated = "", True
    for ai, value in elements:
        entry = gs1_ai.lookup(ai)
        written += ("^" if separated else "") + ai + value
        separated = entry is None or not entry.predefined
    return written


@pytest.mark.parametrize(
    "case",
    cases("gs1_syntax_engine.json", "element_string", "bracketed_hri", "scan", "digital_link")
    + cases("gs1_real_world.json"),
    ids=label,
)
def test_gs1(case: Case) -> None:
    decoded = run(case)
    if case.get("error"):
        assert not decoded.ok or case["input"] in ACCEPTED_HERE
        return
    if case["input"] in REFUSED_HERE:
        assert not decoded.ok or case["input"].startswith("https://a/01")
        return
    assert decoded.ok, decoded.findings
    if "caret" in case["expect"]:
        assert caret(decoded.elements) == case["expect"]["caret"]
    if "ais" in case["expect"]:
        # The engine does not count the GTIN of an EAN or UPC symbol among the elements.
        bare = case.get("kind") == "scan" and case["input"].startswith("]E")
        assert [list(element) for element in decoded.elements[bare:]] == case["expect"]["ais"]


@pytest.mark.parametrize("case", cases("gs1_syntax_engine.json", "association_rule"), ids=label)
def test_gs1_association_rules(case: Case) -> None:
    decoded = decode_symbols([(case["input"], None)], today=TODAY)
    broken = {found.code for found in decoded.findings}
    rule = {
        "validateAIrepeats": {"GS1_AI_REPEATED"},
        # 3338 is no assigned AI: that is the error we find
        "validateAImutex": {"GS1_AI_EXCLUDED", "GS1_UNKNOWN_AI"},
    }.get(case["rule"], {"GS1_AI_REQUIRED"})
    assert bool(broken & rule) is (not case.get("expect", {}).get("rule_ok", False))


def expectations(case: Case, decoded: Decoded) -> Iterator[tuple[str, object, object]]:
    expect = case["expect"]
    if "lic" in expect and "disputed" not in case:
        yield "DI", f"{expect['lic']}{expect['pcn']}{expect['uom']}", decoded.device_identifier
        yield "level", expect["uom"], decoded.package_level
    for name, value in {
        "di": decoded.device_identifier,
        "lot": decoded.lot_number,
        "serial": decoded.serial_number,
        "quantity": decoded.quantity,
        "mfg": decoded.manufacture_date,
        "din": decoded.donation_identification_number,
        "pli": decoded.package_level,
    }.items():
        if name in expect and not (name == "lot" and "disputed" in case):
            yield name, expect[name], value
    if "expiry" in expect:
        assert decoded.expiration_date is not None
        # Of a month some sources give the first day, some none: ours is the last.
        shown = len("YYYY-MM") if decoded.expiration_precision is Precision.MONTH else len(expect["expiry"])
        yield "expiry", expect["expiry"][:shown], decoded.expiration_date[:shown]


@pytest.mark.parametrize("case", cases("hibc.json"), ids=label)
def test_hibc(case: Case) -> None:
    decoded = run(case)
    if case.get("error"):
        assert not decoded.ok
        return
    codes = {found.code for found in decoded.findings}
    placeholder = "format-only" in case.get("note", "")
    if placeholder and not case["check_char_ok"]:
        codes -= {"HIBC_CHECK"}
    assert codes == ({"HIBC_CHECK"} if case.get("strict_error") else set())
    for name, expected, found in expectations(case, decoded):
        assert found == expected, name


@pytest.mark.parametrize(
    "case", cases("isbt128.json", key="parse") + cases("ifa.json", key="parse"), ids=label
)  # fmt: skip
def test_isbt_and_ifa(case: Case) -> None:
    decoded = run(case)
    if case.get("error"):
        assert not decoded.ok or case["input"] in ACCEPTED_HERE
        return
    assert decoded.ok is (case["expect"].get("flag_check_ok") is not False)
    for name, expected, found in expectations(case, decoded):
        assert found == expected, name

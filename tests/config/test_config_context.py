"""The `[context]` section and its expressions: an error names key, value and what is allowed."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config.loader import ConfigError, parse
from gateway.config.warnings import warnings

SMALLEST: dict[str, Any] = {
    "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
    "scanner": [{"name": "front", "device": "/dev/null"}],
}
BADGE = {"scheme": "hsa-id", "pattern": "SE[0-9]{10}-[A-Z0-9]{4,10}"}


def test_by_default_everybody_is_sealed() -> None:
    context = parse(SMALLEST, "test").context
    assert (context.case_mode, context.person_mode) == ("sealed", "sealed")
    assert [code.scheme for code in context.patient] == ["personnummer", "vgr-reservnummer"]


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"case_mode": "open"}, ["context.case_mode", "'open'", "clear, sealed, hmac"]),
        ({"patients": []}, ["context.patients", "did you mean 'patient'"]),
        ({"performer": [{**BADGE, "chck": "luhn"}]}, ["context.performer[0].chck", "did you mean 'check'"]),
        ({"performer": [{**BADGE, "scheme": "HSA ID"}]}, ["context.performer[0].scheme"]),
        ({"performer": [BADGE, {**BADGE, "pattern": "(a+)+"}]}, ["context.performer[1].pattern", "for ever"]),
        ({"case": [{**BADGE, "pattern": "("}]}, ["context.case[0].pattern", "no regular expression"]),
        ({"seconds": 5}, ["context.seconds", "60"]),
    ],
)
def test_errors(context: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        parse({**SMALLEST, "context": context}, "test")
    assert [word for word in words if word not in str(raised.value)] == []


def test_an_endless_item_pattern_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"station\.item_patterns\[0\]: .*for ever"):
        parse({**SMALLEST, "station": {"item_patterns": ["([a-z]+)*x"]}}, "test")


def test_what_keys_lack(tmp_path: Path) -> None:
    config = parse(
        {
            **SMALLEST,
            "station": {"code_key_file": str(tmp_path / "absent")},
            "context": {"person_mode": "hmac"},
        },
        "test",
    )
    told = list(warnings(config))
    assert any("[station] code_key_file" in line and "No such file" in line for line in told)
    assert any("scangate station key hmac" in line for line in told)


@pytest.mark.parametrize(
    ("pattern", "warned"),
    [("[0-9]{10}", True), (".{1,40}", True), ("[0-9]{8}[KMX][0-9]{3}", True), ("VGR-[0-9]{6}", False)],
)
def test_a_pattern_that_lets_numbers_of_persons_pass_is_told(pattern: str, warned: bool) -> None:  # noqa: FBT001 - a column
    """They are withheld whatever the pattern says; an article with such a number would be, too."""
    config = parse({**SMALLEST, "station": {"item_patterns": ["A[0-9]", pattern]}}, "test")
    told = [line for line in warnings(config) if line.startswith("station.item_patterns")]
    assert [line.partition(":")[0] for line in told] == ["station.item_patterns[1]"] * warned

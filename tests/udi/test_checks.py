"""Check characters: the agencies' own examples, and texts for which there are none."""

from collections.abc import Callable

import pytest

from gateway.udi import checks

EXAMPLES: list[tuple[Callable[[str], object], str, object]] = [
    # ISO 7064 mod 37-2: ICCBBA ST-001 appendix A.1, ST-017 appendix 1, a printed number (IDAutomation)
    (checks.iso7064_mod37_2, "G123417654321", 10),
    (checks.iso7064_mod37_2, "A9990ABC123T0480", 8),
    (checks.iso7064_mod37_2, "P000206019063", 33),
    # IFA Coding System, specification UDI 2.5: figures 2, 3, 4, 7 and 9, sections 6.2, 7.1, 7.3 and 8.1; a PZN
    (checks.ifa_check_digits, "1112345678", "42"),
    (checks.ifa_check_digits, "1312345MAX180", "76"),
    (checks.ifa_check_digits, "1312345ABCD123456780", "56"),
    (checks.ifa_check_digits, "MA12345ABCD.12345", "63"),
    (checks.ifa_check_digits, "PP12345ABCD.12345678.90", "04"),
    (checks.ifa_check_digits, "13123451704000", "33"),
    (checks.ifa_check_digits, "1312345MED7770", "94"),
    (checks.ifa_check_digits, "1312345MED7772", "27"),
    (checks.ifa_check_digits, "MA12345MAX19", "00"),
    (checks.ifa_check_digits, "1103752864", "14"),
    (checks.is_pzn, "03752864", True),
    # ANSI/HIBC 2.6 appendix B
    (checks.hibc_check_character, "+A123BJC5D6E71", "G"),
    # GS1 General Specifications 7.9
    (checks.gs1_check_digit, "37610425002123456", 9),
    (checks.gs1_check_pair, "1987654Ad4X4bL5ttr2310c", "2K"),
]


@pytest.mark.parametrize(("check", "text", "expected"), EXAMPLES)
def test_documented_examples(check: Callable[[str], object], text: str, expected: object) -> None:
    assert check(text) == expected


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (checks.gs1_check_pair, "A~"),
        (checks.gs1_check_pair, "A" * 24),
        (checks.hibc_check_character, "+a"),
        (checks.hibc_check_character, "+\u0660"),
        (checks.iso7064_mod37_2, "g"),
        (checks.ifa_check_digits, "11\u0661"),
        (checks.iban_remainder, "DE89-3704"),
        (checks.iban_remainder, "de89370400440532013000"),
    ],
)
def test_no_check_for_a_character_out_of_the_set(check: Callable[[str], object], text: str) -> None:
    assert check(text) is None

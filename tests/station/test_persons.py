"""Numbers of persons: Swedish person numbers with and without their century."""

import pytest

from gateway.station.persons import (
    has_luhn_check_digit,
    is_reserve_number_of_digits,
    is_short_person_number,
    person_number,
    vgr_reserve_number,
)

PERSONS = (
    "191212121212",  # the Swedish Tax Agency's test number of Tolvan Tolvansson
    # made for this table, by the rule below
    "189001019802",
    "199001012385",
    "200001012384",
    "200002299998",  # a leap day
    "197010632391",  # a samordningsnummer: day of birth 3 + 60
    "199003919991",  # and one of the last day: 31 + 60
)


def check_digit(nine: str) -> str:
    """Modulus 10 with weights 2 and 1 over YYMMDDNNN (SKV 704, section 3), written anew for the test."""
    total = sum(sum(divmod(int(digit) * (2, 1)[index % 2], 10)) for index, digit in enumerate(nine))
    return str(-total % 10)


@pytest.mark.parametrize("number", PERSONS)
def test_person_numbers(number: str) -> None:
    assert number[-1] == check_digit(number[2:11]), "the table itself"
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    for sign in ("", "-", "+"):
        assert person_number(number[:8] + sign + number[8:]) == number
        assert person_number(wrong[:8] + sign + wrong[8:]) is None
        assert is_short_person_number(number[2:8] + sign + number[8:])
        assert not is_short_person_number(wrong[2:8] + sign + wrong[8:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1912121212",
        "191213121212",  # there is no 13th month
        "191202301212",  # no 30 February
        "191212921212",  # 32 + 60
        "184912121212",  # before any living person
        "1912121212123",
        "19121212--1212",
        "19121212 1212",
        "191212121212\n",
        "\u0661" * 12,  # Arabic digits are digits to Python
        "19121212121A",
    ],
)
def test_no_person_numbers(text: str) -> None:
    assert person_number(text) is None


# examples of Inera's page on local reserve identities


@pytest.mark.parametrize("text", ["19810829M071", "19450829K088", "19930829X802"])
def test_reserve_numbers_of_vgr(text: str) -> None:
    assert vgr_reserve_number(text) == text
    wrong = text[:-1] + str((int(text[-1]) + 1) % 10)
    for other in (
        wrong,
        text.lower(),
        text[:4] + "13" + text[6:],
        text.replace(text[8], "A"),
        text[2:],
        text + "1",
    ):
        assert vgr_reserve_number(other) is None


@pytest.mark.parametrize("text", ["991981000010", "991945000023", "991993000032", "198108320014"])
def test_reserve_numbers_of_digits(text: str) -> None:
    assert is_reserve_number_of_digits(text)
    assert not is_reserve_number_of_digits(text[:-1] + str((int(text[-1]) + 1) % 10))
    assert not is_reserve_number_of_digits(text[1:])


@pytest.mark.parametrize("text", ["", "121213-1212", "1213121212", "121212-121", "121212.1212", "121212-1212\n"])
def test_no_short_person_numbers(text: str) -> None:
    assert not is_short_person_number(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [("79927398713", True), ("79927398710", False), ("0", True), ("", False), ("7992739871x", False)],
)
def test_modulus_10(text: str, right: bool) -> None:  # noqa: FBT001 - a column
    """The example of ISO/IEC 7812-1's method that is in common use."""
    assert has_luhn_check_digit(text) is right

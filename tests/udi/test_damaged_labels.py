"""One damaged character is found wherever the agency's check can find it; where it cannot, that is stated."""

from datetime import date
from string import digits

from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.udi import decode
from tests.udi.encoders import (
    ALPHANUMERIC,
    CSET_82,
    HIBC_VALUES,
    donations,
    gtins,
    hibc_primaries,
    hpcs,
    pzns,
    texts,
    with_flags,
    with_hibc_check,
    with_ppn_check,
)

TODAY = date(2026, 11, 21)
ANY_PLACE = st.integers(0, 10_000)
MODEL_NUMBER = "1987654Ad4X4bL5ttr2310c2K"
"""GenSpecs 7.9.5: a Global Model Number with its check character pair."""


def codes(text: str, symbology: str | None = None) -> list[str]:
    return [found.code for found in decode(text, symbology, today=TODAY).findings]


def damaged(text: str, place: int, by: str) -> str:
    """The text with another character at a place; no example where it is the same."""
    place %= len(text)
    assume(text[place] != by)
    return text[:place] + by + text[place + 1 :]


def swapped(text: str, place: int) -> str:
    """The text with two neighbours that differ in each other's place."""
    place %= len(text) - 1
    first, second = text[place], text[place + 1]
    assume(first != second)
    return text[:place] + second + first + text[place + 2 :]


@given(gtins(), ANY_PLACE, st.sampled_from(digits))
def test_gtin_any_digit(gtin: str, place: int, by: str) -> None:
    assert "GS1_CHECK_DIGIT" in codes(f"01{damaged(gtin, place, by)}", "]d2")


@given(gtins(), ANY_PLACE)
@example("05000000000005", 0)
def test_gtin_neighbours(gtin: str, place: int) -> None:
    """Weights 3 and 1 differ by 2: digits that differ by 5 change the sum by 10, which modulo 10 is nothing."""
    place %= len(gtin) - 1
    difference = abs(int(gtin[place]) - int(gtin[place + 1]))
    assert ("GS1_CHECK_DIGIT" in codes(f"01{swapped(gtin, place)}", "]d2")) is (difference != 5)


@given(ANY_PLACE, st.sampled_from(CSET_82))
def test_check_pair_any_character(place: int, by: str) -> None:
    assert "GS1_CHECK_PAIR" in codes(f"8013{damaged(MODEL_NUMBER, place, by)}", "]d2")


@given(ANY_PLACE)
def test_check_pair_neighbours(place: int) -> None:
    assert "GS1_CHECK_PAIR" in codes(f"8013{swapped(MODEL_NUMBER, place)}", "]d2")


@given(hibc_primaries(), texts(ALPHANUMERIC, 18), ANY_PLACE, st.sampled_from(list(HIBC_VALUES)))
def test_hibc_any_character(primary: str, lot: str, place: int, by: str) -> None:
    """All but the flag in front, without which it is no HIBC symbol. `+/` is told as another standard's."""
    body = with_hibc_check(f"+{primary}/$$7{lot}")
    found = codes(f"+{damaged(body[1:], place, by)}")
    assert "HIBC_CHECK" in found or found == ["HIBC_PROVIDER"]


@given(hibc_primaries(), ANY_PLACE)
def test_hibc_neighbours(primary: str, place: int) -> None:
    """The check is a sum without weights: it cannot see that characters changed places."""
    body = with_hibc_check(f"+{primary}")[1:-1]
    assert "HIBC_CHECK" not in codes(with_hibc_check(f"+{swapped(body, place)}"))
    assert "HIBC_CHECK" not in codes(f"+{swapped(body, place)}{with_hibc_check(f'+{body}')[-1]}")


@given(pzns(), ANY_PLACE, st.sampled_from(digits))
def test_ppn_any_digit(code: str, place: int, by: str) -> None:
    assert "IFA_CHECK" in codes(f"9N{damaged(code, place, by)}")


@given(hpcs(), ANY_PLACE, st.sampled_from(ALPHANUMERIC + "-._"))
def test_hpc_any_character(code: str, place: int, by: str) -> None:
    wrong = damaged(code, place, by)
    found = codes(f"9N{wrong}")
    assert "IFA_CHECK" in found or (wrong.startswith("11") and found[0] in ("IFA_LENGTH", "IFA_CHARACTER"))


@given(pzns() | hpcs(), ANY_PLACE)
def test_ifa_neighbours(code: str, place: int) -> None:
    wrong = swapped(code, place)
    found = codes(f"9N{wrong}")
    assert "IFA_CHECK" in found or (wrong.startswith("11") and found[0] in ("IFA_LENGTH", "IFA_CHARACTER"))


@given(pzns(), st.integers(0, 7), st.sampled_from(digits))
def test_pzn_has_a_check_digit_of_its_own(code: str, place: int, by: str) -> None:
    """Right check digits of the PPN around a wrong PZN."""
    pzn = code[2:-2]
    assert codes(f"9N{with_ppn_check(f'11{damaged(pzn, place, by)}')}") == ["IFA_CHECK"]


@given(donations(), ANY_PLACE, st.sampled_from(ALPHANUMERIC))
def test_donation_number_any_character(donation: str, place: int, by: str) -> None:
    flags = with_flags(donation)[-2:]
    assert "ISBT_FLAG" in codes(f"={damaged(donation, place, by)}{flags}")


@given(donations(), ANY_PLACE)
def test_donation_number_neighbours(donation: str, place: int) -> None:
    wrong = swapped(donation, place)
    assert "ISBT_FLAG" in codes(f"={wrong}{with_flags(donation)[-2:]}")


@given(donations(), st.integers(0, 99))
def test_donation_number_flags(donation: str, flags: int) -> None:
    """Flags from 60 to 96 are the check value; others mean something else, and nothing can be checked by them."""
    right = with_flags(donation)
    text = f"{donation}{flags:02d}"
    assert codes(f"={text}") == (["ISBT_FLAG"] if 60 <= flags <= 96 and text != right else [])

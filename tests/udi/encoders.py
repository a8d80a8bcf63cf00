"""Labels made by the rules of the four agencies, for the decoder to read back.

Nothing here comes from gateway.udi: character tables and check characters are computed in another way, so that
an error there does not cancel itself.
"""

import calendar
from datetime import date
from functools import reduce
from string import ascii_letters, ascii_uppercase, digits

from hypothesis import strategies as st

ALPHANUMERIC = digits + ascii_uppercase
CSET_82 = ascii_letters + digits + "!\"%&'()*+,-./:;<=>?_"
DAYS = st.dates(date(2000, 1, 1), date(2049, 12, 31))
"""Days that a label of today can name with two digits of the year (2026: 1977 to 2076)."""
HIBC_VALUES = {**{character: int(character, 36) for character in ALPHANUMERIC}}
HIBC_VALUES |= {"-": 36, ".": 37, " ": 38, "$": 39, "/": 40, "+": 41, "%": 42}
HIBC_CHARACTERS = {value: character for character, value in HIBC_VALUES.items()}
DATE_FORMS = {
    "": "%m%y",
    "2": "%m%d%y",
    "3": "%y%m%d",
    "4": "%y%m%d23",
    "5": "%y%j",
    "6": "%y%j07",
}
"""HIBC date flag -> form; 23 and 07 are hours."""


def month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def with_gs1_check_digit(number: str) -> str:
    """GenSpecs 7.9.1: multiply by 3 and 1 in turn from the right, and fill up to the next ten."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        total += int(digit) * (1, 3)[place % 2 == 0]
    return f"{number}{(10 - total % 10) % 10}"


def with_hibc_check(text: str) -> str:
    """ANSI/HIBC 2.6 appendix B: the sum of the values, modulo 43."""
    return text + HIBC_CHARACTERS[sum(HIBC_VALUES[character] for character in text) % 43]


def with_ppn_check(text: str) -> str:
    """IFA 3.1: weights from 2 on, modulo 97."""
    weighted = sum(weight * byte for weight, byte in zip(range(2, 99), text.encode("ascii"), strict=False))
    return f"{text}{weighted % 97:0>2}"


def with_pzn_check(seven: str) -> str | None:
    """IFA: weights 1 to 7, modulo 11; a number whose remainder is 10 is not given out."""
    remainder = sum(map(int.__mul__, range(1, 8), map(int, seven))) % 11
    return None if remainder == len("0123456789") else f"{seven}{remainder}"


def with_flags(donation: str) -> str:
    """ST-001 appendix A: 60 plus the value that makes the ISO 7064 mod 37-2 sum 1."""
    sum_without = reduce(lambda total, character: (total + int(character, 36)) * 2 % 37, donation, 0)
    value = next(value for value in range(37) if (sum_without + value) % 37 == 1)
    return f"{donation}{60 + value}"


def texts(alphabet: str, longest: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=longest)


@st.composite
def gtins(draw: st.DrawFn) -> str:
    """A GTIN-14 from no range of restricted circulation."""
    return with_gs1_check_digit(
        draw(st.sampled_from(digits)) + "7" + draw(st.text(digits, min_size=11, max_size=11))
    )


@st.composite
def pzns(draw: st.DrawFn) -> str:
    found = draw(st.text(digits, min_size=7, max_size=7).map(with_pzn_check).filter(bool))
    return with_ppn_check(f"11{found}")


@st.composite
def hpcs(draw: st.DrawFn) -> str:
    company = draw(st.text(ALPHANUMERIC, min_size=5, max_size=5))
    reference = draw(texts(ALPHANUMERIC + "-._", 18))
    return with_ppn_check(f"13{company}{reference}{draw(st.sampled_from('012345678'))}")


@st.composite
def hibc_primaries(draw: st.DrawFn) -> str:
    """LIC, PCN and unit of measure, without flag and check character."""
    labeler = draw(st.sampled_from(ascii_uppercase)) + draw(st.text(ALPHANUMERIC, min_size=3, max_size=3))
    return labeler + draw(texts(ALPHANUMERIC, 18)) + draw(st.sampled_from(digits))


@st.composite
def donations(draw: st.DrawFn) -> str:
    """A donation identification number: facility, year, serial number."""
    facility = draw(st.sampled_from(ascii_uppercase.replace("O", ""))) + draw(
        st.text(ALPHANUMERIC.replace("O", ""), min_size=4, max_size=4)
    )
    return facility + draw(st.text(digits, min_size=8, max_size=8))


@st.composite
def processor_products(draw: st.DrawFn) -> str:
    """An ISBT 128 device identifier."""
    facility = draw(st.text(ALPHANUMERIC.replace("O", ""), min_size=5, max_size=5))
    return facility + draw(st.text(ALPHANUMERIC, min_size=11, max_size=11))

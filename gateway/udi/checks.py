"""Character sets and check digits of the issuing agencies. Pure functions over strings; none raises on any text."""

DIGITS = "0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = "abcdefghijklmnopqrstuvwxyz"

GS1_CSET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
"""GS1 General Specifications figure 7.11-1 (ISO/IEC 646 subset), in the order of the check character pair."""
GS1_CSET_39 = "#-/" + DIGITS + UPPER
"""GS1 General Specifications figure 7.11-2."""
GS1_CSET_64 = UPPER + LOWER + DIGITS + "-_="
"""File-safe, URI-safe base64 with its pad character, GS1 General Specifications figure 7.11-3."""
_GS1_CHECK_PAIR = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_GS1_PAIR_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)

HIBC_CSET = DIGITS + UPPER + "-. $/+%"
"""ANSI/HIBC 2.6 table of check character values: the place in this string is the value."""
_HIBC_VALUES = {character: value for value, character in enumerate(HIBC_CSET)}
_ISO7064 = DIGITS + UPPER + "*"
"""Check characters of ISO 7064 mod 37-2: the place is the value."""


def is_digits(text: str) -> bool:
    """Return whether the text is one or more of 0-9, which `str.isdigit` alone does not.

    >>> is_digits("0123"), is_digits("٣"), is_digits("")
    (True, False, False)
    """
    return text.isascii() and text.isdigit()


def gs1_check_digit(digits: str) -> int:
    """Return the check digit that belongs behind these digits (GS1 General Specifications 7.9).

    >>> gs1_check_digit("0871764820027")
    4
    """
    return gs1_remainder(digits + "0")


def has_gs1_check_digit(text: str) -> bool:
    """Return whether the text is digits of which the last is the right check digit.

    >>> has_gs1_check_digit("08717648200274"), has_gs1_check_digit("08717648200275"), has_gs1_check_digit("A")
    (True, False, False)
    """
    return is_digits(text) and len(text) > 1 and gs1_remainder(text) == 0


def gs1_remainder(digits: str) -> int:
    """Return minus the weighted sum of digits with their check digit, modulo 10: 0 when it is right (GenSpecs 7.9).

    >>> gs1_remainder("08717648200274")
    0
    """
    # The code of a digit is the digit plus the code of 0.
    codes = digits.encode()
    size = len(codes)
    weights = size + size // 2 * 2
    return (ord("0") * weights - sum(codes) - 2 * sum(codes[-2::-2])) % 10


def gs1_check_pair(text: str) -> str | None:
    """Return the pair of check characters that belongs behind a GMN or Master UDI-DI (GenSpecs 7.9.5).

    None when the text is too long for the method or holds a character outside CSET 82.

    >>> gs1_check_pair("1987654Ad4X4bL5ttr2310c")
    '2K'
    """
    values = [GS1_CSET_82.find(character) for character in text]
    if len(values) > len(_GS1_PAIR_PRIMES) or -1 in values:
        return None
    total = sum(value * prime for value, prime in zip(reversed(values), _GS1_PAIR_PRIMES, strict=False)) % 1021
    return _GS1_CHECK_PAIR[total >> 5] + _GS1_CHECK_PAIR[total & 31]


def hibc_check_character(text: str) -> str | None:
    """Return the HIBC check character for a text with its leading `+` (ANSI/HIBC 2.6, mod 43); None: bad character.

    >>> hibc_check_character("+A123BJC5D6E71")
    'G'
    """
    try:
        return HIBC_CSET[sum(map(_HIBC_VALUES.__getitem__, text)) % 43]
    except KeyError:
        return None


def iso7064_mod37_2(text: str) -> int | None:
    """Return the check value 0-36 for digits and capital letters (ISO 7064 mod 37-2, ICCBBA ST-001 appendix A).

    >>> iso7064_mod37_2("G123417654321")
    10
    """
    total = 0
    for character in text:
        value = _ISO7064.find(character)
        if value < 0:
            return None
        total = (total + value) * 2 % 37
    return (38 - total) % 37


def ifa_check_digits(text: str) -> str | None:
    """Return the two check digits behind a PPN or HPC (IFA Coding System, UDI specification 2.5, section 3.1).

    >>> ifa_check_digits("1112345678")
    '42'
    """
    if not text.isascii():
        return None
    return f"{sum(ord(character) * place for place, character in enumerate(text, 2)) % 97:02d}"


def is_pzn(digits: str) -> bool:
    """Return whether 8 digits end with the check digit of a PZN (IFA, technical hints on check digits of the PZN).

    >>> is_pzn("12345678"), is_pzn("12345679")
    (True, False)
    """
    return sum(int(digit) * place for place, digit in enumerate(digits[:-1], 1)) % 11 == int(digits[-1])


def iban_remainder(text: str) -> int | None:
    """Return the IBAN's remainder mod 97, 1 when it is right (ISO 13616); None: a character is not allowed.

    >>> iban_remainder("DE89370400440532013000")
    1
    """
    rearranged = text[4:] + text[:4]
    if not (rearranged.isascii() and rearranged.isalnum() and rearranged == rearranged.upper()):
        return None
    return int("".join(str(int(character, 36)) for character in rearranged)) % 97

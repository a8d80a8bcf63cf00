"""PPN and HPC labels: IFA Coding System, specification UDI 2.5, with the examples of that document."""

from datetime import date

import pytest

from gateway.model import Issuer, Precision
from gateway.udi import decode

TODAY = date(2026, 11, 21)
GS, RS, EOT = "\x1d", "\x1e", "\x04"


def enveloped(*fields: str) -> str:
    return f"[)>{RS}06{GS}{GS.join(fields)}{RS}{EOT}"


@pytest.mark.parametrize(
    ("text", "di", "lot", "level"),
    [
        (enveloped("9N111234567842", "1TABC12345", "D241231"), "111234567842", "ABC12345", None),  # 6.1
        (enveloped("9N1312345MED777094", "1TABC12345", "D241231"), "1312345MED777094", "ABC12345", 0),  # 7.1
        (enveloped("9N1312345MED777227", "1TABC12345", "D241231"), "1312345MED777227", "ABC12345", 2),  # 7.3
        (".9N1312345MED777094^1TABC12345^D241231", "1312345MED777094", "ABC12345", 0),  # 7.2
        ("(9N)111234567842(1T)ABC12345(D)241231", "111234567842", "ABC12345", None),  # 4.2.5
        # an unknown bracket is part of the value
        ("(9N)111234567842(1T)A(B)C(D)241231", "111234567842", "A(B)C", None),
        (f"9N111234567842{GS}1TABC12345{GS}D241231", "111234567842", "ABC12345", None),
        # 9N twice: the Master UDI-DI is no device identifier (8.2)
        (enveloped("9NMA12345MAX1900", "9N1312345MAX18076", "1TA123", "D241231"), "1312345MAX18076", "A123", 0),
    ],
)
def test_reads(text: str, di: str, lot: str, level: int | None) -> None:
    decoded = decode(text, today=TODAY)
    assert decoded.findings == ()
    assert (decoded.issuer, decoded.device_identifier, decoded.lot_number) == (Issuer.IFA, di, lot)
    assert decoded.expiration_date == "2024-12-31"
    assert decoded.package_level == level


def test_day_00_and_extra_fields() -> None:
    """Section 6.6."""
    decoded = decode(enveloped("9N111234567842", "D240600", "33Lhttp://Produkthinweis.de", "Q12"), today=TODAY)
    assert decoded.findings == ()
    assert (decoded.expiration_date, decoded.expiration_precision) == ("2024-06-30", Precision.MONTH)
    assert decoded.elements[2] == ("33L", "http://Produkthinweis.de")
    assert decoded.quantity == 12


def test_gtin_in_8p_is_of_gs1() -> None:
    decoded = decode(enveloped("8P03574661451947", "27Q9915489"), today=TODAY)
    assert (decoded.ok, decoded.issuer, decoded.device_identifier) == (True, Issuer.GS1, "03574661451947")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (enveloped("9N111234568415"), ["IFA_CHECK"]),
        # the PPN's check digits are right, that of the PZN 12345679 inside is not
        ("9N111234567951", ["IFA_CHECK"]),
        (enveloped("9N111"), ["IFA_LENGTH"]),
        (enveloped("9N111234568408", "SHAHASERIAL12385\x03"), ["IFA_CHARACTER"]),
        (enveloped("9N111234568408", "D0BOGUS"), ["IFA_DATE"]),
        (enveloped("9N111234568408", "16D202BOGUS"), ["IFA_DATE"]),
        (enveloped("9N111234568408", "1TA#NDSOME"), ["IFA_CHARACTER"]),
        (enveloped("9N111234568408", "1TANDSOMEBatchNumber023"), ["IFA_LENGTH"]),
        (enveloped("9N111234568408", "XYZ"), ["IFA_UNKNOWN"]),
        (enveloped("9N111234568408", "12", "x"), ["IFA_UNKNOWN", "IFA_UNKNOWN"]),
        (enveloped("9N111234568408", "16D20240229"), []),
        (enveloped("9N111234568408", "QABC"), ["IFA_LENGTH"]),
        (enveloped("8P03574661451940"), ["IFA_CHECK"]),
        (f"[)>{RS}06{GS}9N111234568408", ["IFA_TRAILER"]),
        (f"[)>9N111234568408{RS}{EOT}", ["IFA_HEADER"]),
    ],
)
def test_findings(text: str, codes: list[str]) -> None:
    decoded = decode(text, today=TODAY)
    assert [found.code for found in decoded.findings] == codes

"""What is said of a scanner's settings."""

import pytest

from drivers.base import ScannerSettings
from gateway.devices.firmware_report import readable, unlike
from gateway.devices.lease_terms import terms_of


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x16M\rSUFBK2990D.", "<16>M<0D>SUFBK2990D."),
        (b"$S,CLFSU0D,Ar\r", "$S,CLFSU0D,Ar<0D>"),
        (b"\x07\xc6\x04\x08\xff\x2d\x01\xfd\xfa", "<07><C6><04><08><FF>-<01><FD><FA>"),
        (b"", ""),
    ],
)
def test_bytes_that_can_be_read(data: bytes, said: str) -> None:
    assert readable(data) == said


def test_what_the_configuration_should_say() -> None:
    settings = ScannerSettings(name="front", device="/dev/ttyACM0")
    assert list(unlike(settings, {"dialect": "plain", "terminator": "CR"})) == []
    assert list(unlike(settings, {"dialect": "honeywell"})) == [
        'front: set dialect = "honeywell" in its [[scanner]], which has "plain"'
    ]


@pytest.mark.parametrize(
    ("vendor", "held", "words"),
    [
        ("zebra", False, b""),
        ("honeywell", True, b""),
        ("datalogic", True, b"$s\r"),
        ("newland", True, b""),
    ],
)
def test_how_a_vendor_is_lent(vendor: str, held: bool, words: bytes) -> None:  # noqa: FBT001 - a column of the table
    terms = terms_of(vendor)
    assert (terms.hold, terms.last_words) == (held, words)

"""One row of texts to an Article: what is taken, what is refused and why."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.articles.fields import MAX_NAME, MAX_NUMBER, MAX_TEXT, BadRow, read_article
from gateway.articles.settings import Field
from gateway.model import Article, ArticleStatus, Issuer

GTIN = "09520001000102"
"""GS1 prefix 952 is set aside for demonstrations."""


def read(**texts: str) -> Article | BadRow:
    return read_article(msgspec.convert({"articleNumber": "VGR-1", **texts}, dict[Field, str]))


def test_fields_are_those_of_the_article() -> None:
    assert set(get_args(Field)) == {field.encode_name for field in msgspec.structs.fields(Article)}


@pytest.mark.parametrize(
    ("texts", "issuer", "identifier"),
    [
        # GTIN in its four lengths, GS1 General Specifications 3.3.2
        ({"deviceIdentifier": "09520001000102"}, Issuer.GS1, GTIN),
        ({"deviceIdentifier": "9520001000102"}, Issuer.GS1, GTIN),
        ({"deviceIdentifier": "614141000036"}, Issuer.GS1, "00614141000036"),
        ({"deviceIdentifier": "95200002"}, Issuer.GS1, "00000095200002"),
        ({"deviceIdentifier": "19520001000109"}, Issuer.GS1, "19520001000109"),
        ({"deviceIdentifier": " 09520001000102 ", "issuer": "gs1"}, Issuer.GS1, GTIN),
        # ANSI/HIBC 2.6: LIC A999, PCN 1234, unit of measure 5
        ({"deviceIdentifier": "A99912345"}, Issuer.HIBCC, "A99912345"),
        ({"deviceIdentifier": "A99912345", "issuer": "HIBC"}, Issuer.HIBCC, "A99912345"),
        # ISBT 128 ST-001, device identifier
        ({"deviceIdentifier": "A9999XYZ100T0479", "issuer": "ICCBBA"}, Issuer.ICCBBA, "A9999XYZ100T0479"),
        # IFA UDI specification 2.5: PZN 12345678
        ({"deviceIdentifier": "111234567842"}, Issuer.IFA, "111234567842"),
        ({"deviceIdentifier": "111234567842", "issuer": "IFA"}, Issuer.IFA, "111234567842"),
        ({}, None, None),
    ],
)
def test_device_identifier(texts: dict[str, str], issuer: Issuer | None, identifier: str | None) -> None:
    article = read(**texts)
    assert isinstance(article, Article)
    assert (article.issuer, article.device_identifier) == (issuer, identifier)


@pytest.mark.parametrize(
    ("texts", "field", "words"),
    [
        ({"deviceIdentifier": "09520001000103"}, "deviceIdentifier", "check digit 2 expected, got 3"),
        ({"deviceIdentifier": "520001000102"}, "deviceIdentifier", "check digit"),
        ({"deviceIdentifier": "20001000102"}, "deviceIdentifier", "a leading zero of 12"),
        ({"deviceIdentifier": "9,52E+12"}, "deviceIdentifier", "as a spreadsheet writes it"),
        ({"deviceIdentifier": "٠٩٥٢٠٠٠١٠٠٠١٠٢"}, "deviceIdentifier", "no device identifier"),
        ({"deviceIdentifier": "00000000000000"}, "deviceIdentifier", "zeros"),
        ({"deviceIdentifier": "+A99912345"}, "deviceIdentifier", "check character is wrong"),
        ({"deviceIdentifier": "+A99912345", "issuer": "HIBCC"}, "deviceIdentifier", "check character is wrong"),
        ({"deviceIdentifier": "A9999XYZ100T0479"}, "deviceIdentifier", "the issuer must be given"),
        ({"deviceIdentifier": "111234567843", "issuer": "IFA"}, "deviceIdentifier", "check digits 42"),
        ({"deviceIdentifier": "1" * 31}, "deviceIdentifier", "longer than 28"),
        ({"issuer": "FDA"}, "issuer", "no issuer"),
        ({"implant": "kanske"}, "implant", "neither yes nor no"),
        ({"status": "pausad"}, "status", "expected one of active"),
        ({"packageLevel": "pall"}, "packageLevel", "expected one of"),
        ({"riskClass": "IV"}, "riskClass", "expected one of"),
        ({"statusFrom": "2025-02-30"}, "statusFrom", "YYYY-MM-DD"),
        ({"statusFrom": "1/2/25"}, "statusFrom", "YYYY-MM-DD"),
        ({"baseQuantity": "0"}, "baseQuantity", "out of range"),
        ({"baseQuantity": "9" * 5000}, "baseQuantity", "out of range"),
        ({"baseQuantity": "1,5"}, "baseQuantity", "no whole number"),
        ({"baseQuantity": "1,000"}, "baseQuantity", "thousands"),
        ({"baseQuantity": "-2"}, "baseQuantity", "no whole number"),
        ({"packageLevel": "package"}, "baseQuantity", "needs its quantity"),
        ({"deviceIdentifier": GTIN, "baseDeviceIdentifier": GTIN}, "baseDeviceIdentifier", "its own base"),
        ({"articleNumber": ""}, None, "nothing could find"),
        ({"articleNumber": "VGR\x1d1"}, "articleNumber", "U+001D"),
        ({"articleNumber": "VGR-1\n2"}, "articleNumber", "U+000A"),
        ({"tradeName": "a\x00b"}, "tradeName", "U+0000"),
        ({"articleNumber": "x" * (MAX_NUMBER + 1)}, "articleNumber", "at most 64"),
        ({"tradeName": "x" * (MAX_NAME + 1)}, "tradeName", "at most 256"),
        ({"statusReason": "x" * (MAX_TEXT + 1)}, "statusReason", "at most 2000"),
    ],
)
def test_refused(texts: dict[str, str], field: str | None, words: str) -> None:
    bad = read(**texts)
    assert isinstance(bad, BadRow)
    assert bad.field == field
    assert words in bad.reason


@pytest.mark.parametrize("word", ["1", "true", "TRUE", "sant", "ja", "Ja", "J", "yes", "x", "X"])
def test_true(word: str) -> None:
    article = read(implant=word)
    assert isinstance(article, Article)
    assert article.implant


@pytest.mark.parametrize("word", ["", "0", "false", "falskt", "nej", "NEJ", "n", "no"])
def test_false(word: str) -> None:
    article = read(implant=word)
    assert isinstance(article, Article)
    assert not article.implant


@pytest.mark.parametrize(
    ("text", "quantity"),
    [("", 1), ("50", 50), ("50,0", 50), ("50.00", 50), ("10,000000", 10), ("1 000", 1000), ("1\u00a0000", 1000)],
)
def test_quantity_with_a_decimal_comma(text: str, quantity: int) -> None:
    article = read(baseQuantity=text)
    assert isinstance(article, Article)
    assert article.base_quantity == quantity


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", ArticleStatus.ACTIVE),
        ("Aktiv", ArticleStatus.ACTIVE),
        ("blocked", ArticleStatus.BLOCKED),
        ("SPÄRRAD", ArticleStatus.BLOCKED),
        ("recalled", ArticleStatus.RECALLED),
        ("Återkallad", ArticleStatus.RECALLED),
    ],
)
def test_status(text: str, status: ArticleStatus) -> None:
    article = read(status=text)
    assert isinstance(article, Article)
    assert article.status is status


def test_prose_is_folded_and_numbers_keep_their_leading_zeros() -> None:
    article = read(
        description="två\r\nrader\u00a0och\tflik", catalogNumber="00417", riskClass="iia", statusFrom="20250602"
    )
    assert isinstance(article, Article)
    assert article.description == "två rader och flik"
    assert (article.catalog_number, article.risk_class, article.status_from) == ("00417", "IIa", "2025-06-02")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(get_args(Field)), st.text(max_size=40)))
def test_any_row_is_an_article_or_a_reason(texts: dict[Field, str]) -> None:
    article = read_article(texts)
    if isinstance(article, BadRow):
        assert 0 < len(article.reason) <= 300
    else:
        assert article.device_identifier or article.article_number

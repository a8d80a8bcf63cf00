"""Peppol catalogues: the parts of a line, and XML that is meant to hurt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.articles.errors import SourceFileError
from gateway.articles.importers.xml_reader import MAX_DEPTH, MAX_TEXT_CHARACTERS, MAX_TOKEN_BYTES
from gateway.model import Article
from tests.articles.reading import SAMPLES, judged, rows

SAMPLE = (SAMPLES / "peppol_catalogue.xml").read_bytes()
BEGIN = SAMPLE[: SAMPLE.index(b"  <cac:CatalogueLine>")]
CUP, BOX = "09520001001000", "19520001001007"


def catalogue(*lines: str) -> bytes:
    return (
        BEGIN
        + "".join(f"<cac:CatalogueLine>{line}</cac:CatalogueLine>\n" for line in lines).encode()
        + b"</Catalogue>"
    )


def item(gtin: str = CUP, scheme: str = "0160", more: str = "") -> str:
    number = f'<cbc:ID schemeID="{scheme}">{gtin}</cbc:ID>'
    standard = f"<cac:StandardItemIdentification>{number}</cac:StandardItemIdentification>"
    seller = "<cac:SellersItemIdentification><cbc:ID>S-1</cbc:ID></cac:SellersItemIdentification>"
    return f"<cac:Item><cbc:Name>Cup</cbc:Name>{seller}{standard}{more}</cac:Item>"


def one(*lines: str) -> Article:
    articles, rejected = judged(rows("peppol", catalogue(*lines)))
    assert rejected == []
    (article,) = articles.values()
    return article


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        (item(), "device_identifier", CUP),
        (item(scheme="GTIN"), "device_identifier", CUP),
        (item(scheme="0088"), "device_identifier", None),
        (item("9520001001000"), "device_identifier", CUP),
        (item(), "article_number", "S-1"),
        (item(), "status", "active"),
        ("<cbc:ActionCode>Delete</cbc:ActionCode>" + item(), "status", "discontinued"),
        ("<cbc:ActionCode>Update</cbc:ActionCode>" + item(), "status", "active"),
        ("<cbc:PackLevelCode>CU</cbc:PackLevelCode>" + item(), "package_level", None),
        # a component of a set is no base, nor is a seller's own number
        (
            "<cac:ComponentRelatedItem><cbc:ID>09520001001017</cbc:ID></cac:ComponentRelatedItem>" + item(),
            "base_device_identifier",
            None,
        ),
        # an element of the same name elsewhere is another one
        (
            item(more="<cac:Certificate><cbc:ID>9</cbc:ID><cbc:Name>CE</cbc:Name></cac:Certificate>"),
            "trade_name",
            "Cup",
        ),
        ("<cbc:Name>no</cbc:Name>" + item(), "trade_name", "Cup"),
        (item(more="<cbc:Description><![CDATA[a <b> & c]]></cbc:Description>"), "description", "a <b> & c"),
        (item(more="<cbc:Description>&#229;&lt;</cbc:Description>"), "description", "å<"),
    ],
)
def test_a_line(line: str, field: str, value: object) -> None:
    assert getattr(one(line), field) == value


@pytest.mark.parametrize("level", ["TU", "DU", "HN", "hn"])
def test_packages(level: str) -> None:
    content = '<cbc:ContentUnitQuantity unitCode="EA">50</cbc:ContentUnitQuantity>'
    head = f"{content}<cbc:PackLevelCode>{level}</cbc:PackLevelCode>"
    component = f"<cbc:ID>{CUP}</cbc:ID><cbc:Quantity>40</cbc:Quantity>"
    base = f"<cac:ComponentRelatedItem>{component}</cac:ComponentRelatedItem>"
    alone, based = one(head + item(BOX)), one(head + base + item(BOX))
    assert (alone.package_level, alone.base_quantity, alone.base_device_identifier) == ("package", 50, None)
    assert (based.package_level, based.base_quantity, based.base_device_identifier) == ("package", 40, CUP)


def test_a_catalogue_deleted_as_a_whole() -> None:
    content = catalogue(item(), "<cbc:ActionCode>Add</cbc:ActionCode>" + item(BOX)).replace(
        b">Add<", b">Delete<", 1
    )
    articles, _ = judged(rows("peppol", content))
    assert [articles[key].status for key in (CUP, BOX)] == ["discontinued", "active"]


def test_rejected_lines_are_named_by_their_line() -> None:
    _, rejected = judged(rows("peppol", catalogue(item(), item("09520001001001"), "<cbc:ID>3</cbc:ID>")))
    first = BEGIN.count(b"\n") + 1
    assert [(row.line, row.column) for row in rejected] == [(first + 1, "deviceIdentifier"), (first + 2, None)]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_encodings(encoding: str) -> None:
    text = SAMPLE.decode().replace('encoding="UTF-8"', f'encoding="{encoding}"')
    articles, _ = judged(rows("peppol", text.encode(encoding)))
    assert articles[CUP].trade_name == "Höftskål 44 mm"


LAUGHS = b'<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
REMOTE = b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no element found"),
        (b"PK\x03\x04", "not well-formed"),
        (b"<Invoice/>", "expected a Catalogue, got 'Invoice'"),
        (SAMPLE[:-30], "line"),
        (SAMPLE.replace(b"<cbc:Name>", b"<cbc:Nome>", 1), "mismatched tag"),
        (b'<?xml version="1.0" encoding="UTF-0"?><Catalogue/>', "unknown encoding"),
        (b'<?xml version="1.0" encoding="shift_jis"?><Catalogue/>', "multi-byte"),
        (LAUGHS + b"<Catalogue/>", "document type declaration"),
        (EXTERNAL + b"<Catalogue/>", "document type declaration"),
        (REMOTE + b"<Catalogue/>", "document type declaration"),
        (catalogue(item(more="<cbc:Description>&a;</cbc:Description>")), "undefined entity"),
        (BEGIN + b"<a>" * (MAX_DEPTH + 1), "inside each other"),
        (BEGIN + b"<a b='" + b"x" * 3 * MAX_TOKEN_BYTES, "a tag is longer than"),
        (BEGIN + b"<!--" + b"x" * 3 * MAX_TOKEN_BYTES, "a tag is longer than"),
        (
            catalogue(item(more=f"<cbc:Description>{'x' * (MAX_TEXT_CHARACTERS + 1)}</cbc:Description>")),
            "a text is longer",
        ),
    ],
)
def test_refused(content: bytes, words: str) -> None:
    with pytest.raises(SourceFileError) as raised:
        rows("peppol", content)
    assert words in str(raised.value)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=40), st.integers(0, len(SAMPLE)))
def test_any_bytes_anywhere(content: bytes, place: int) -> None:
    try:
        rows("peppol", SAMPLE[:place] + content + SAMPLE[place:])
    except SourceFileError as error:
        assert "miv" in str(error)  # noqa: PT017 - some places take some bytes

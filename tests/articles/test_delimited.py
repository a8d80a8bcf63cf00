"""Delimited text to records: encodings, quotes, ragged and broken lines."""

import csv
import io
from contextlib import suppress
from typing import Literal

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.articles.errors import SourceFileError
from gateway.articles.importers import IMPORTERS, SourceRecord
from gateway.articles.importers.delimited import (
    MAX_COLUMNS,
    MAX_LINE_BYTES,
    MAX_RECORD_LINES,
    read_delimited,
)
from gateway.articles.reports import Rejection
from gateway.articles.settings import Field, SourceSettings


def read(content: bytes, **settings: object) -> list[SourceRecord | Rejection]:
    source = msgspec.convert({"name": "miv", **settings}, SourceSettings)
    return list(read_delimited(io.BytesIO(content), source))


def rows(content: bytes, **settings: object) -> list[tuple[int, dict[Field, str]]]:
    return [(row.line, {**row.texts}) for row in read(content, **settings) if isinstance(row, SourceRecord)]


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ("articleNumber;tradeName\n0042;Åäö\n".encode(), {}),
        ("\ufeffarticleNumber;tradeName\n0042;Åäö\n".encode(), {}),
        ("\ufeffarticleNumber;tradeName\n0042;Åäö\n".encode(), {"encoding": "cp1252"}),
        ("articleNumber;tradeName\r\n0042;Åäö\r\n".encode("cp1252"), {"encoding": "cp1252"}),
        ("articleNumber;tradeName\r\n0042;Åäö".encode("cp1252"), {"encoding": "cp1252"}),
        ("ARTICLENUMBER,TradeName\n0042,Åäö\n".encode(), {"delimiter": ","}),
        ("articleNumber\ttradeName\n0042\tÅäö\n".encode(), {"delimiter": "\t"}),
        ('"articleNumber"|"tradeName"\n"0042"|"Åäö"\n'.encode(), {"delimiter": "|"}),
        ("sep=;\narticleNumber;tradeName\n0042;Åäö\n".encode(), {}),
        ("articleNumber;tradeName;\n 0042 ; Åäö ;\n\n;;\n".encode(), {}),
        ("articleNumber;tradeName\n0042;Åäö;;\n".encode(), {}),
        ("Artnr;Namn\n0042;Åäö\n".encode(), {"columns": {"articleNumber": "artnr", "tradeName": "NAMN"}}),
        ("lager;articleNumber;tradeName\n7;0042;Åäö\n".encode(), {}),
    ],
)
def test_the_same_row_in_many_dresses(content: bytes, settings: dict[str, object]) -> None:
    (row,) = rows(content, **settings)
    assert row[1] == {"articleNumber": "0042", "tradeName": "Åäö"}


def test_quotes() -> None:
    content = b'articleNumber;tradeName\n1;"semi;colon ""quoted"""\n2;"two\nlines"\n3;pin 3" long\n'
    assert rows(content) == [
        (2, {"articleNumber": "1", "tradeName": 'semi;colon "quoted"'}),
        (3, {"articleNumber": "2", "tradeName": "two\nlines"}),
        (5, {"articleNumber": "3", "tradeName": 'pin 3" long'}),
    ]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"1", "1 fields: the header has 2"),
        (b"1;2;3", "3 fields: the header has 2"),
        (b"1;\xe5\xe4", "byte 0xE5 at 3 of the line is not utf-8"),
        (b'1;"a"b', "expected after"),
        (b'1;"never closed', "unexpected end of data"),
        (b"1;a\rb", "new-line character"),
        (b"1;" + b"x" * MAX_LINE_BYTES, f"longer than {MAX_LINE_BYTES} bytes"),
        (b"1;" + b"x" * 3 * MAX_LINE_BYTES, f"longer than {MAX_LINE_BYTES} bytes"),
    ],
)
def test_a_bad_line_costs_itself_only(bad: bytes, words: str) -> None:
    before, wrong, after = read(b"articleNumber;tradeName\n0;good\n" + bad + b"\n2;good\n")
    assert isinstance(before, SourceRecord)
    assert isinstance(wrong, Rejection)
    assert wrong.line == 3
    assert words in wrong.reason
    assert after == SourceRecord(4, {"articleNumber": "2", "tradeName": "good"})


def test_a_quote_never_closed_does_not_swallow_the_file() -> None:
    content = b'articleNumber;tradeName\n1;"open\n' + b"".join(b"%d;good\n" % n for n in range(2, 100))
    found = read(content)
    assert isinstance(found[0], Rejection)
    assert str(MAX_RECORD_LINES) in found[0].reason
    assert [row.line for row in found] == list(range(2, 101))
    assert all(isinstance(row, SourceRecord) for row in found[1:])


def test_a_bad_line_inside_a_quoted_row_is_named_with_its_own_number() -> None:
    found = read(b'articleNumber;tradeName\n1;"open\n2;\xff\n3;good\n')
    assert [(type(row), row.line) for row in found] == [(Rejection, 2), (Rejection, 3), (SourceRecord, 4)]


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        (b"", {}, "it is empty"),
        (b"\n\n", {}, "it is empty"),
        (b"tradeName;description\n", {}, "no column for deviceIdentifier or articleNumber"),
        (b"articleNumber,tradeName\n1,x\n", {}, "no column for"),
        (b"articleNumber;articlenumber\n1;2\n", {}, "2 columns named 'articleNumber'"),
        (b"articleNumber\n1\n", {"columns": {"tradeName": "Namn"}}, "no column 'Namn'"),
        ("articleNumber\n1\n".encode("utf-16"), {}, "UTF-16"),
        ("articleNumber;Pris \xa4\n".encode("latin-1"), {}, "byte 0xA4"),
        (b"articleNumber" + b";x" * MAX_COLUMNS, {}, f"{MAX_COLUMNS + 1} columns"),
        (b"articleNumber\r1\r2\r", {}, "new-line character"),
        (b"\x00" * 3 * MAX_LINE_BYTES, {}, "longer than"),
        (b"SQLite format 3\x00\x10\x00\x01\x01", {}, "no column for"),
    ],
)
def test_a_file_that_is_not_this_table(content: bytes, settings: dict[str, object], words: str) -> None:
    with pytest.raises(SourceFileError) as raised:
        read(content, **settings)
    assert words in str(raised.value)
    assert "miv" in str(raised.value)


def misread(text: str) -> bool:
    """Whether the bytes of Windows-1252 are UTF-8, or of code page 850 by their look."""
    data = text.encode("cp1252", "ignore")
    if any(byte in b"\x84\x86\x94\x8e\x8f\x99" for byte in data):
        return True
    try:
        return not data.isascii() and bool(data.decode())
    except UnicodeDecodeError:
        return False


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["utf-8", "cp1252"]), st.sampled_from([";", ",", "\t", "|"]))
def test_any_bytes(content: bytes, encoding: str, delimiter: str) -> None:
    for stream in (content, b"articleNumber" + content, b"articleNumber\n" + content):
        with suppress(SourceFileError):
            read(stream, encoding=encoding, delimiter=delimiter)


@settings(deadline=None)
@given(st.lists(st.text(alphabet='a;"\n\r \x00å', max_size=12), max_size=30))
def test_any_lines_below_a_header(lines: list[str]) -> None:
    content = "\n".join(["articleNumber;tradeName", *lines]).encode()
    found = read(content)
    numbers = [row.line for row in found]
    assert numbers == sorted(set(numbers))
    assert all(2 <= number <= content.count(b"\n") + 1 for number in numbers)


def test_every_format_of_the_settings_has_an_importer() -> None:
    (field,) = (field for field in msgspec.structs.fields(SourceSettings) if field.name == "format")
    assert set(IMPORTERS) == set(field.type.__args__)


CELL = st.text(
    st.characters(codec="cp1252", exclude_categories=["Cc"]),
    max_size=12,
)
"""What both encodings can hold, on one line."""


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6),
    st.sampled_from([";", ",", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_any_dialect_is_read_as_it_was_written(
    cells: list[tuple[str, str]],
    delimiter: str,
    codec: str,
    end: str,
    quoting: Literal[0, 1, 2],
) -> None:
    """RFC 4180 in all the dresses that programs give it: cells come back, stripped of spaces around them."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([("articleNumber", "tradeName"), *cells])
    # what is UTF-8 as well is refused as such, and so is what reads like UTF-8 misread
    assume(not any(misread(f"{first}{delimiter}{second}") for first, second in cells))
    found = read(
        written.getvalue().encode(codec), delimiter=delimiter, encoding="cp1252" if codec == "cp1252" else "utf-8"
    )
    expected = [(first.strip(), second.strip()) for first, second in cells if first.strip() or second.strip()]
    assert [tuple(row.texts.values()) for row in found if isinstance(row, SourceRecord)] == expected
    assert len(found) == len(expected)

"""Excel workbooks, written by another library (XlsxWriter): the same rules as for CSV, and what numbers have lost."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from gateway.articles.errors import SourceFileError
from gateway.articles.importers import workbook as reader
from gateway.articles.importers.base import SourceRecord
from gateway.articles.importers.profile import profile
from gateway.articles.lookup.master import ArticleMaster
from tests.articles.conftest import Importing
from tests.articles.reading import judged, rows

GTIN = "09520001000102"


def workbook(*table: list[Any], formats: dict[int, str] | None = None, **sheets: list[list[Any]]) -> bytes:
    """A workbook with one sheet, `formats` the number format of columns; more sheets by name."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True, "remove_timezone": True}) as book:
        for name, lines in {"Artiklar": list(table), **sheets}.items():
            sheet = book.add_worksheet(name)
            for column, number_format in (formats or {}).items():
                sheet.set_column(column, column, 20, book.add_format({"num_format": number_format}))
            for line, cells in enumerate(lines):
                for column, value in enumerate(cells):
                    wanted = {"num_format": formats[column]} if formats and column in formats and line else None
                    style = [book.add_format(wanted)] if wanted else []
                    if isinstance(value, datetime):
                        sheet.write_datetime(
                            line, column, value, *(style or [book.add_format({"num_format": "yyyy-mm-dd"})])
                        )
                    else:
                        sheet.write(line, column, value, *style)
    return content.getvalue()


HEADER = ["deviceIdentifier", "articleNumber", "tradeName", "statusFrom", "implant"]


def test_a_workbook_is_read_as_its_csv_would_be(importing: Importing, directory: Path) -> None:
    day = datetime(2026, 12, 1, tzinfo=UTC)
    content = workbook(HEADER, [GTIN, "000123", "Höftskål", day, True], [], ["", "VGR-2", "Skruv"])
    report = importing(content)
    assert (report.accepted, report.rejected) == (2, 0)
    with ArticleMaster(directory) as master:
        first, second = master.look_up("", GTIN).article, master.look_up("VGR-2", None).article
    assert first is not None
    assert (first.article_number, first.trade_name, first.status_from, first.implant) == (
        *("000123", "Höftskål", "2026-12-01"),
        True,
    )
    assert second is not None
    assert second.trade_name == "Skruv"


@pytest.mark.parametrize(
    ("value", "number_format", "expected"),
    [
        (
            9520001000102,
            "0",
            GTIN,
        ),  # all digits are there: a GTIN is a number of up to fourteen (GS1 Gen. Spec. 3.3.2)
        (9520001000102, "General", GTIN),
        (10000000000016, "0", None),  # a wrong check digit
        (95200010, "00000000", None),
        (96385074, "00000000", "00000096385074"),
        (1234565, "00000000", "00000001234565"),  # the column's own format shows the zero
        (1234565, "0", None),  # a leading zero may be gone
        (12345678901, "0", None),
    ],
)
def test_identifiers_in_cells_of_numbers(value: int, number_format: str, expected: str | None) -> None:
    content = workbook(["deviceIdentifier", "tradeName"], [value, "x"], formats={0: number_format})
    articles, rejected = judged(rows("csv", content))
    assert list(articles) == ([] if expected is None else [expected])
    assert len(rejected) == (expected is None)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (95200010001020304, "a number as a spreadsheet writes it"),  # Excel keeps fifteen digits
        (1234565, "a leading zero of 8 may be gone"),
        (12345678901, "a leading zero of 12 may be gone"),
        (9520001000102.5, "is no device identifier"),
        ("9,52E+12", "a number as a spreadsheet writes it"),
        ("#SAKNAS!", "no device identifier"),
    ],
)
def test_numbers_that_excel_has_spoilt_are_named(value: object, words: str) -> None:
    articles, (rejected,) = judged(rows("csv", workbook(["deviceIdentifier", "tradeName"], [value, "x"])))
    assert articles == {}
    assert rejected.line == 2
    assert words in rejected.reason


def test_a_formula_that_went_wrong_costs_its_row() -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["articleNumber", "tradeName"])
        sheet.write_row(1, 0, ["A-1", "x"])
        sheet.write_formula(2, 0, "=1/0", None, "#DIV/0!")
        sheet.write_formula(3, 0, '="A-"&3', None, "A-3")
    articles, (rejected,) = judged(rows("csv", content.getvalue()))
    assert list(articles) == ["A-1", "A-3"]
    assert (rejected.line, "#DIV/0!" in rejected.reason) == (3, True)


def test_which_sheet() -> None:
    table = [["articleNumber"], ["B-1"]]
    content = workbook(["articleNumber"], ["A-1"], Andra=table)
    assert [one.texts["articleNumber"] for one in rows("csv", content) if isinstance(one, SourceRecord)] == ["A-1"]
    chosen = [one for one in rows("csv", content, sheet="andra") if isinstance(one, SourceRecord)]
    assert [one.texts["articleNumber"] for one in chosen] == ["B-1"]
    with pytest.raises(SourceFileError, match=r"without a sheet 'Tredje': it has 'Artiklar', 'Andra'"):
        rows("csv", content, sheet="Tredje")


def changed(content: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """A workbook with its parts changed, or left out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return made.getvalue()


GOOD = workbook(["articleNumber"], ["A-1"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(GOOD, lambda name, data: None if name.endswith("workbook.xml") else data), "binary one"),
        (changed(GOOD, lambda name, data: data[:40] if "sheet1" in name else data), "cannot be read"),
        (changed(GOOD, lambda name, data: None if "sheet1" in name else data), "cannot be read|without a sheet"),
        (changed(GOOD, lambda name, data: b"<!DOCTYPE x>" + data if "sheet1" in name else data), "document type"),
        (
            changed(GOOD, lambda name, data: data if "sheet1" not in name else data + b" " * 40_000_000),
            "times its size",
        ),
        (GOOD[:-200], "no zip archive"),
        (workbook([]), "it is empty"),
        (workbook(["a", "b"]), "no column for"),
    ],
    ids=["xlsb", "cut", "no sheet", "doctype", "bomb", "half", "empty", "other columns"],
)
def test_what_is_no_workbook_with_articles_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(SourceFileError, match=words):
        rows("csv", content)


def test_texts_that_would_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_SHARED_BYTES", 10)
    with pytest.raises(SourceFileError, match="more than 10 bytes of text; save it as CSV"):
        rows("csv", GOOD)


def test_a_profile_of_a_workbook(tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(workbook(["Streckkod", "Artikelnr", "Benämning"], [9520001000102, "1", "Skål"]))
    found = profile(file)
    assert (found.format, found.columns) == (
        "csv",
        {"deviceIdentifier": "Streckkod", "articleNumber": "Artikelnr", "tradeName": "Benämning"},
    )

"""An Excel workbook (.xlsx, .xlsm) as rows of texts, as they would stand in a CSV file: read row by row by openpyxl.

A workbook holds numbers as numbers, and what was lost when they became numbers stays lost: digits beyond fifteen, and
leading zeros unless the column's own format shows them ("00000000"). Digits that are all there become text as they
are; a number that is too long becomes text in powers of ten, which no identifier is, so that whoever judges the row
names it.
"""

import re
import warnings
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from gateway.articles.importers.archive import DAMAGE, Archive, ArchiveError
from gateway.articles.reports import Rejection

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

CONTENT_TYPES: Final = "[content_types].xml"
"""The member by which a zip archive is an Office document."""
MAX_SHARED_BYTES: Final = 32 * 1024 * 1024
"""Of the texts that are kept once for all cells, which are held whole: those of a master of 100,000 articles."""
MAX_COLUMNS: Final = 512
EXACT: Final = 10**15
"""Excel keeps fifteen digits of a number; what is longer has lost the rest."""
_ZEROS: Final = re.compile(r"0+")
"""The number format of a column that shows leading zeros."""
_ERROR: Final = "e"


class Cells(NamedTuple):
    """One row that is not empty."""

    line: int
    cells: list[str]


def is_workbook(archive: Archive) -> bool:
    """Return whether an archive is an Office document."""
    return archive.has(CONTENT_TYPES)


def workbook_rows(stream: BinaryIO, archive: Archive, sheet: str | None) -> Iterator[Cells | Rejection]:
    """Yield the rows of a sheet, None for the first that is shown. Raises ArchiveError: it cannot be read."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    _check(archive)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            try:
                yield from _rows(_sheet(book.worksheets, sheet))
            finally:
                book.close()
    except (*DAMAGE, InvalidFileException, SyntaxError, LookupError, TypeError, ValueError) as error:
        raise ArchiveError(f"it is an Excel workbook that cannot be read: {error}") from error


def _check(archive: Archive) -> None:
    names = archive.names()
    if "workbook.xml" not in names:
        raise ArchiveError("it is an Office document without a workbook, or a binary one (.xlsb)")
    for name in names:
        member = archive.open(name) if name.endswith(".xml") else None
        if member is not None and b"<!DOCTYPE" in member.read(1024):
            raise ArchiveError(f"{name} in it has a document type declaration, which may hide anything")
    if archive.size("sharedstrings.xml") > MAX_SHARED_BYTES:
        raise ArchiveError(f"it is an Excel workbook with more than {MAX_SHARED_BYTES} bytes of text")


def _sheet(sheets: "list[ReadOnlyWorksheet]", name: str | None) -> "ReadOnlyWorksheet":
    shown = [one for one in sheets if one.sheet_state == "visible" and hasattr(one, "iter_rows")]
    found = next((one for one in shown if name is None or one.title.casefold() == name.casefold()), None)
    if found is None:
        titles = ", ".join(repr(one.title) for one in shown) or "none"
        raise ArchiveError(f"it is an Excel workbook without a sheet {name or ''!r}: it has {titles}")
    return found


def _rows(sheet: "ReadOnlyWorksheet") -> Iterator[Cells | Rejection]:
    sheet.reset_dimensions()  # what a file says of its size may be wrong
    width = 0
    for line, row in enumerate(sheet.iter_rows(), 1):
        cells: list[str] = []
        problem: Rejection | None = None
        for cell in islice(row, MAX_COLUMNS + 1):
            if cell.data_type == _ERROR:
                problem = Rejection(
                    line=line, reason=f"a cell holds the error {cell.value}: its formula went wrong"
                )
            cells.append(_text(cell.value, cell.number_format if isinstance(cell.value, int | float) else ""))
        if not any(cells):
            continue
        width = width or len(cells)
        cells += [""] * (width - len(cells))  # empty cells at the end of a row are not in the file
        yield problem or Cells(line, cells)


def _text(value: object, number_format: str) -> str:
    """Return a cell's value as a CSV file would have it.

    >>> _text(7350000000016.0, "General"), _text(123, "00000000"), _text(1.5, "General"), _text(10**17, "0")
    ('7350000000016', '00000123', '1.5', '1E+17')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int | float):
        return _number(value, number_format)
    return str(value).strip()


def _number(value: float, number_format: str) -> str:
    if value != int(value):
        return repr(value)
    if abs(value) >= EXACT:
        return f"{value:.14G}"
    digits = str(int(value))
    return digits.zfill(len(number_format)) if _ZEROS.fullmatch(number_format) else digits

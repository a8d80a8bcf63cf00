"""Rows as a workbook (ECMA-376) whose cells are what was read: every text is a text cell.

A spreadsheet that opens a CSV file takes `1E5` for a number, `3-12` for a date, and the zeros in front of a GTIN
and what stands behind the fifteenth digit away. A text cell is left as it is.
"""

import re
from collections.abc import Iterable
from typing import BinaryIO, Final

MAX_CELL: Final = 32_767
"""Characters of one cell (ECMA-376); what is longer is cut."""
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""No characters of XML 1.0."""
_NAMED: Final = {"\x1d": "{GS}", "\x1e": "{RS}", "\x04": "{EOT}"}


def write(rows: Iterable[Iterable[str | float | None]], stream: BinaryIO, *, title: str) -> int:
    """Write a workbook of one sheet, its first row the heading; return how many rows are below it.

    Works in constant memory: rows go to a temporary file.
    """
    import xlsxwriter  # the exporter alone needs it

    book = xlsxwriter.Workbook(stream, {"constant_memory": True, "strings_to_formulas": False})
    try:
        sheet = book.add_worksheet(title[:31])
        as_text = book.add_format({"num_format": "@"})
        heading = book.add_format({"bold": True, "num_format": "@"})
        sheet.freeze_panes(1, 0)
        row = -1
        for row, cells in enumerate(rows):
            for column, value in enumerate(cells):
                if value is None:
                    continue
                if isinstance(value, bool) or not isinstance(value, int | float):
                    sheet.write_string(row, column, text(value), heading if row == 0 else as_text)
                else:
                    sheet.write_number(row, column, value)
    finally:
        book.close()
    return max(0, row)


def text(value: object) -> str:
    r"""Return the text of one cell.

    >>> text("10A\x1d21B"), text(True), text("00123")
    ('10A{GS}21B', 'true', '00123')
    """
    said = str(value).lower() if isinstance(value, bool) else str(value)
    visible = _FORBIDDEN.sub(lambda one: _NAMED.get(one[0], f"{{x{ord(one[0]):02X}}}"), said)
    return visible[:MAX_CELL]

"""Tables with a header row and a map of columns: CSV, TSV and the like (RFC 4180), and Excel's workbooks.

Every cell is text: leading zeros stay. Bad lines are given back one by one, so that an unclosed quote or a
wrong byte costs its own row and not the rest of the file.
"""

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, get_args

from gateway.articles.importers.archive import Archive, ArchiveError, is_archive
from gateway.articles.importers.base import SourceRecord, unusable
from gateway.articles.importers.workbook import Cells, is_workbook, workbook_rows
from gateway.articles.reports import Rejection
from gateway.articles.settings import Field, SourceSettings

MAX_LINE_BYTES = 65_536
"""A longer line is no row: the longest legal one, all fields full, is a tenth of it."""
MAX_COLUMNS = 512
"""Columns of a file; exports of whole item registers have some 300."""
MAX_RECORD_LINES = 16
"""Lines one row may span by quoted line breaks. Beyond it, the quote was never closed."""

_FIELDS: tuple[Field, ...] = get_args(Field)
_KEYS = ("deviceIdentifier", "articleNumber")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_delimited(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Rejection]:
    """Yield the rows below the header; an empty line is no row. SourceFileError: the header will not do."""
    try:
        yield from _read(_rows_of(stream, source), source)
    except _HeaderError as error:
        raise unusable(stream, source, error.cause, error.hint) from error
    except ArchiveError as error:
        raise unusable(stream, source, str(error), "save it as CSV, in UTF-8") from error


def _read(rows: Iterator[Cells | Rejection], source: SourceSettings) -> Iterator[SourceRecord | Rejection]:
    header = _read_header(rows)
    places = _places(header, source)
    values = {
        field: {cell.casefold(): meaning for cell, meaning in meanings.items()}
        for field, meanings in source.values.items()
    }
    for row in rows:
        if isinstance(row, Rejection):
            yield row
        elif len(row.cells) < len(header) or any(row.cells[len(header) :]):
            yield Rejection(
                line=row.line,
                reason=f"{len(row.cells)} fields: the header has {len(header)}, so cells may have moved",
            )
        else:
            spoilt = next((cell for cell in row.cells if _is_misread(cell)), None)
            if spoilt is not None:
                shown = spoilt[:_LISTED_LENGTH]
                yield Rejection(
                    line=row.line, reason=f"{shown!r} is UTF-8 that was taken for Windows-1252: export again"
                )
                continue
            texts = {field: row.cells[place] for field, place in places.items()}
            for field, meanings in values.items():
                cell = texts.get(field, "")
                texts[field] = meanings.get(cell.casefold(), cell)
            yield SourceRecord(row.line, {field: text for field, text in texts.items() if field in places})


def _rows_of(stream: BinaryIO, source: SourceSettings) -> Iterator[Cells | Rejection]:
    """Return the rows of a table, of the one in a zip archive, or of a workbook. Raises ArchiveError."""
    beginning = stream.read(len(_OLD_WORKBOOK))
    stream.seek(0)
    if beginning == _OLD_WORKBOOK:
        raise ArchiveError("it is an Excel workbook of before 2007 (.xls)")
    if not is_archive(stream):
        return _Rows(_Lines(stream, source.encoding), source.delimiter)
    archive = Archive(stream)
    if is_workbook(archive):
        return workbook_rows(stream, archive, source.sheet)
    tables = [name for name in archive.names() if name.endswith(_TABLES)]
    if len(tables) != 1:
        raise ArchiveError(f"the archive has {len(tables)} tables ({', '.join(_TABLES)}): expected one")
    table = archive.open(tables[0])
    if table is None:
        raise ArchiveError(f"{tables[0]} in the archive cannot be opened")
    return _Rows(_Lines(table, source.encoding), source.delimiter)


_OLD_WORKBOOK = bytes.fromhex("d0cf11e0a1b11ae1")
"""Compound File Binary Format ([MS-CFB], 2.2), which .xls is."""
_TABLES = (".csv", ".tsv", ".txt")
_DOS_LETTER = re.compile(
    rb"[A-Za-z ;,][\x84\x86\x94\x8e\x8f\x99][A-Za-z]|[A-Za-z][\x84\x86\x94\x8e\x8f\x99][ ;,\r\n]"
)
"""Swedish letters of code page 850, beside other letters."""
_WINDOWS_LETTER = re.compile(rb"[\xc4\xc5\xd6\xe4\xe5\xf6]")
"""The same of Windows-1252."""


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_misread(cell: str) -> bool:
    """Return whether a text is UTF-8 that was read as Windows-1252: then it makes UTF-8 again."""
    if not _MISREAD.search(cell):
        return False
    try:
        return _decodes(cell.encode("cp1252"), "utf-8")
    except UnicodeEncodeError:
        return False


_MISREAD = re.compile(
    "[A-Za-z\xc3]\xc3[\x80-\xff\u20ac\u0160\u2013-\u2030\u017d\u017e\u0152\u0153]|\xc3[\x80-\xff\u20ac\u0160\u2013-\u2030][A-Za-z]"
)
"""UTF-8's first byte of the letters of Latin-1, and a second one, beside a letter."""


class _Line(NamedTuple):
    number: int
    text: str
    problem: str | None
    """Why the line cannot be read; its text is empty then."""


class _BadLineError(Exception):
    """The message is the reason of a Rejection."""


class _HeaderError(Exception):
    """The file's beginning tells that its rows cannot be read."""

    def __init__(self, cause: str, hint: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.hint = hint


class _Lines:
    """The decoded lines of a stream, which can take back all but the first line of a row that failed."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._number = 0
        self._waiting: deque[_Line] = deque()
        self._row: list[_Line] = []

    @property
    def row_line(self) -> int:
        """Line where the present row begins."""
        return self._row[0].number if self._row else self._number

    def begin_row(self) -> None:
        self._row.clear()

    def give_back(self) -> None:
        """Read the present row's lines again, except its first."""
        self._waiting.extendleft(reversed(self._row[1:]))
        self._row.clear()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._row) == MAX_RECORD_LINES:
            raise _BadLineError(f"a quote is not closed within {MAX_RECORD_LINES} lines")
        line = self._waiting.popleft() if self._waiting else self._read()
        self._row.append(line)
        if line.problem is not None:
            raise _BadLineError(line.problem)
        return line.text

    def _read(self) -> _Line:
        data = self._stream.readline(MAX_LINE_BYTES + 1)
        if not data:
            raise StopIteration
        self._number += 1
        if len(data) > MAX_LINE_BYTES:
            while not data.endswith(b"\n") and (data := self._stream.readline(MAX_LINE_BYTES)):
                pass
            return _Line(self._number, "", f"the line is longer than {MAX_LINE_BYTES} bytes")
        if self._number == 1:
            data = self._without_mark(data)
        if self._encoding != "utf-8" and not data.isascii() and _decodes(data, "utf-8"):
            return _Line(self._number, "", "the line is UTF-8: set encoding = 'utf-8'")
        if self._encoding == "cp1252" and _DOS_LETTER.search(data) and not _WINDOWS_LETTER.search(data):
            return _Line(self._number, "", "the line is cp850, of a DOS program: set encoding = 'cp850'")
        try:
            return _Line(self._number, data.decode(self._encoding), None)
        except UnicodeDecodeError as error:
            wrong = f"byte 0x{data[error.start]:02X} at {error.start + 1}"
            instead = "cp850" if _DOS_LETTER.search(data) and not _WINDOWS_LETTER.search(data) else "cp1252"
            hint = f": set encoding = {instead!r}, if that reads it right" if self._encoding == "utf-8" else ""
            return _Line(self._number, "", f"{wrong} of the line is not {self._encoding}{hint}")

    def _without_mark(self, data: bytes) -> bytes:
        if data.startswith(_UTF16_MARKS):
            raise _HeaderError("the file is UTF-16", "save it as UTF-8")
        if data.startswith(codecs.BOM_UTF8):
            self._encoding = "utf-8"
            return data.removeprefix(codecs.BOM_UTF8)
        return data


class _Rows:
    """The rows of a file: cells, or the reason why there are none."""

    def __init__(self, lines: _Lines, delimiter: str) -> None:
        self._lines = lines
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[Cells | Rejection]:
        return self

    def __next__(self) -> Cells | Rejection:
        while True:
            self._lines.begin_row()
            try:
                cells = [cell.strip() for cell in next(self._reader)]
            except (csv.Error, _BadLineError) as error:
                rejection = Rejection(line=self._lines.row_line, reason=str(error))
                self._lines.give_back()
                return rejection
            if any(cells):
                return Cells(self._lines.row_line, cells)


def _read_header(rows: Iterator[Cells | Rejection]) -> list[str]:
    for row in rows:
        if isinstance(row, Rejection):
            raise _HeaderError(f"its header, line {row.line}: {row.reason}", "check encoding and delimiter")
        if row.cells[0].casefold().startswith("sep="):  # a line some spreadsheets put first, for themselves
            continue
        if len(row.cells) > MAX_COLUMNS:
            raise _HeaderError(
                f"it has {len(row.cells)} columns, at most {MAX_COLUMNS} are read", "check the delimiter"
            )
        return row.cells
    raise _HeaderError("it is empty", "export it again")


def _places(header: list[str], source: SourceSettings) -> dict[Field, int]:
    """Return the column of each field. Names count without regard to case; the column map's must be there."""
    names = [name.casefold() for name in header]
    places: dict[Field, int] = {}
    for field in _FIELDS:
        wanted = source.columns.get(field)
        name = (wanted or field).strip().casefold()
        count = names.count(name)
        if count > 1:
            raise _HeaderError(f"it has {count} columns named {wanted or field!r}", "rename or drop all but one")
        if count == 1:
            places[field] = names.index(name)
        elif wanted is not None:
            raise _HeaderError(
                f"it has no column {wanted!r}, which `columns` names for {field}; it has {_listed(header)}",
                "correct `columns` or the delimiter",
            )
    if not any(key in places for key in _KEYS):
        raise _HeaderError(
            f"it has no column for {' or '.join(_KEYS)}; it has {_listed(header)}", "set `columns` or the delimiter"
        )
    return places


_LISTED = 12
"""Column names an error quotes."""
_LISTED_LENGTH = 40
"""Characters of each."""


def _listed(header: list[str]) -> str:
    shown = ", ".join(repr(name[:_LISTED_LENGTH]) for name in header[:_LISTED])
    return shown if len(header) <= _LISTED else f"{shown} and {len(header) - _LISTED} more"

"""Events as CSV (RFC 4180, UTF-8): a header with the names of `FlatEvent`'s fields, then a row for each event.

A cell is made safe for spreadsheets: one that begins with a character they take for a formula (OWASP, "CSV
Injection") gets an apostrophe in front. So does one that begins with an apostrophe itself: a program gets every
value back by taking one leading apostrophe off. What does not show stands as `{GS}`, `{RS}`, `{EOT}` or `{x0A}`.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.events.exports.flat import FlatEvent, flat
from gateway.events.stored_event import StoredEvent
from gateway.events.visible_text import shows

COLUMNS: Final = FlatEvent.__struct_encode_fields__
GUARDED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
"""What makes a spreadsheet compute, full-width forms included; and the mark itself."""
_NAMED: Final = {"\x1d": "{GS}", "\x1e": "{RS}", "\x04": "{EOT}"}
"""The control characters that labels hold (GS1, ISO/IEC 15434), as `scangate parse` takes them."""
_BOM: Final = b"\xef\xbb\xbf"


class _Echo:
    """What csv writes to: hands the text back."""

    def write(self, text: str) -> str:
        return text


def lines(events: Iterable[StoredEvent], *, excel: bool = False) -> Iterator[bytes]:
    """Yield the file piece by piece. `excel`: byte order mark and semicolons, as Excel expects them in Europe."""
    writer = csv.writer(_Echo(), delimiter=";" if excel else ",")
    header: str = writer.writerow(COLUMNS)
    yield (_BOM if excel else b"") + header.encode()
    for stored in events:
        event = flat(stored)
        row: str = writer.writerow(cell(getattr(event, name)) for name in FlatEvent.__struct_fields__)
        yield row.encode()


def table(rows: Iterable[Iterable[str | float | None]], *, excel: bool = False) -> Iterator[bytes]:
    """Yield a table piece by piece, its heading among the rows."""
    writer = csv.writer(_Echo(), delimiter=";" if excel else ",")
    if excel:
        yield _BOM
    for row in rows:
        text: str = writer.writerow(cell(value) for value in row)
        yield text.encode()


def cell(value: str | float | None) -> str:
    r"""Return the text of one cell.

    >>> cell("+A99912345/$$5"), cell("10\x1d21"), cell(None), cell(True)
    ("'+A99912345/$$5", '10{GS}21', '', 'true')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    guard = "'" if value.startswith(GUARDED) else ""
    return guard + "".join(_visible(character) for character in value)


def _visible(character: str) -> str:
    if shows(character):
        return character
    return _NAMED.get(character, f"{{x{ord(character):02X}}}")

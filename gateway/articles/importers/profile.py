"""What an unknown file of articles looks like: its format, encoding, delimiter, and what its columns hold.

A proposal for whoever sets a source up, made from the beginning of the file: from the names of the columns, and
from what stands in them (a column whose cells check as GTINs is one, whatever its name).
"""

import codecs
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.articles.fields import STATUS_WORDS
from gateway.articles.identifiers import IdentifierError, read_identifier
from gateway.articles.importers.archive import Archive, is_archive
from gateway.articles.importers.workbook import Cells, is_workbook, workbook_rows
from gateway.articles.settings import Field

LOOKED_AT_BYTES: Final = 1024 * 1024
ROWS: Final = 2000
"""Rows that are looked at."""
MAX_WORDS: Final = 12
"""Different cells of a column that is a list of words, such as a status."""
ENOUGH: Final = 0.8
"""Of a column's cells that must be of a kind to call the column so."""
DELIMITERS: Final = (";", ",", "\t", "|")
NAMES: Final[Mapping[Field, tuple[str, ...]]] = {
    "deviceIdentifier": (
        "deviceidentifier",
        "udidi",
        "primarydi",
        "di",
        "gtin",
        "ean",
        "eankod",
        "streckkod",
        "barcode",
    ),
    "articleNumber": (
        *(
            "articlenumber",
            "artikelnummer",
            "artikelnr",
            "artnr",
            "itemno",
            "itemnumber",
            "itemid",
            "materialnummer",
        ),
        *("varunummer", "vgrnr"),
    ),
    "tradeName": ("tradename", "brandname", "benamning", "artikelnamn", "namn", "name", "produktnamn"),
    "description": ("description", "beskrivning", "text", "itemdescription", "benamning2"),
    "manufacturerName": ("manufacturername", "manufacturer", "tillverkare", "companyname"),
    "catalogNumber": (
        "catalognumber",
        "ref",
        "refnr",
        "levartnr",
        "leverantorensartikelnummer",
        "tillverkarensartnr",
    ),
    "riskClass": ("riskclass", "riskklass"),
    "implant": ("implant", "implantat", "implantfl"),
    "consignment": ("consignment", "konsignation", "kommission", "consignmentfl"),
    "owner": ("owner", "agare", "leverantor", "supplier"),
    "packageLevel": ("packagelevel", "forpackningsniva"),
    "baseDeviceIdentifier": ("basedeviceidentifier", "basgtin", "basegtin"),
    "baseQuantity": ("basequantity", "antal", "antaliforpackning", "quantity", "pkgquantity"),
    "sterile": ("sterile", "steril"),
    "singleUse": ("singleuse", "engang", "engangsbruk"),
    "status": ("status", "artikelstatus", "itemstatus"),
    "statusReason": ("statusreason", "sparrorsak", "orsak"),
    "statusFrom": ("statusfrom", "sparrdatum", "utgangsdatum"),
}
"""What columns are called, without regard to case, accents, spaces and signs."""


class FileProfile(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was found."""

    format: str
    encoding: str = "utf-8"
    delimiter: str = ";"
    columns: dict[Field, str] = {}
    values: dict[str, str | None] = {}
    """Words of the status column that are not known -> what they may mean; None: it must be said."""
    unused: tuple[str, ...] = ()
    """Columns that no field was found for."""
    remarks: tuple[str, ...] = ()
    """What to look at."""


def profile(path: Path) -> FileProfile:
    """Look at a file. Raises OSError, ArchiveError for a workbook that cannot be read."""
    with path.open("rb") as file:
        if is_archive(file):
            archive = Archive(file)
            if archive.has("device.txt"):
                return FileProfile(format="gudid")
            if is_workbook(archive):
                rows = islice(workbook_rows(file, archive, None), ROWS + 1)
                return _of_rows([row.cells for row in rows if isinstance(row, Cells)], "utf-8", ";")
            table = next((name for name in archive.names() if name.endswith((".csv", ".tsv", ".txt"))), None)
            member = None if table is None else archive.open(table)
            data = b"" if member is None else member.read(LOOKED_AT_BYTES)
        else:
            data = file.read(LOOKED_AT_BYTES)
    other = _other_format(data.removeprefix(codecs.BOM_UTF8).lstrip())
    return _table(data) if other is None else FileProfile(format=other)


def _other_format(data: bytes) -> str | None:
    """Return the format of what is no table."""
    if data.startswith((b"MSH", b"FHS", b"BHS", b"\x0b")):
        return "hl7-mfn"
    if data.startswith(b"<"):
        return "gs1-cin" if b"catalogueItemNotificationMessage" in data else "peppol"
    if not data.startswith((b"{", b"[")):
        return None
    if b'"resourceType"' in data:
        return "fhir"
    if b'"TradeItem"' in data:
        return "gs1-firstbase"
    return "eudamed" if b'"primaryDi"' in data else "accessgudid"


def _table(data: bytes) -> FileProfile:
    encoding = _encoding(data)
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    lines = text.splitlines()[: ROWS + 1]
    delimiter = max(DELIMITERS, key=lambda one: (_columns(lines, one), -DELIMITERS.index(one)))
    table = islice(csv.reader(lines, delimiter=delimiter), ROWS + 1)
    return _of_rows([[cell.strip() for cell in row] for row in table if row], encoding, delimiter)


def _of_rows(table: list[list[str]], encoding: str, delimiter: str) -> FileProfile:
    header, *cells = table or [[]]
    rows = [row for row in cells if len(row) == len(header)]
    held = {name: [row[place] for row in rows if row[place]] for place, name in enumerate(header)}
    columns = _fields(held)
    remarks = []
    if len(rows) < len(cells):
        remarks.append(f"{len(cells) - len(rows)} rows have other columns than the header")
    if "deviceIdentifier" not in columns and "articleNumber" not in columns:
        remarks.append("no column was found that names an article: set deviceIdentifier or articleNumber yourself")
    words = Counter(word.casefold() for word in held.get(columns.get("status", ""), ()))
    values = {word: None for word, _ in words.most_common(MAX_WORDS) if word not in STATUS_WORDS}
    if values:
        remarks.append("say what the words of the status mean: active, discontinued, blocked or recalled")
    return FileProfile(
        format="csv",
        encoding=encoding,
        delimiter=delimiter,
        columns=columns,
        values=dict(values),
        unused=tuple(name for name in header if name and name not in columns.values()),
        remarks=tuple(remarks),
    )


def _encoding(data: bytes) -> str:
    """Return the encoding of a text: UTF-8 where it can be, else that of which there are more Swedish letters."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)  # the last character may be cut off
    except UnicodeDecodeError:
        dos, windows = (sum(map(data.count, (bytes([one]) for one in letters))) for letters in _LETTERS)
        return "cp850" if dos > windows else "cp1252"
    return "utf-8"


_LETTERS: Final = (b"\x84\x86\x94\x8e\x8f\x99", b"\xe4\xe5\xf6\xc4\xc5\xd6")
"""The letters that Swedish has beyond ASCII: code page 850, Windows-1252."""


def _columns(lines: Sequence[str], delimiter: str) -> int:
    """Return how many columns a delimiter makes of the first lines, 0 where they do not agree."""
    counts = {len(row) for row in csv.reader(lines[:20], delimiter=delimiter) if row}
    return counts.pop() if len(counts) == 1 else 0


def _fields(held: Mapping[str, Sequence[str]]) -> dict[Field, str]:
    """Return the column of each field, by its name, or by what it holds."""
    plain = {"".join(filter(str.isalnum, _without_accents(name))): name for name in held}
    columns: dict[Field, str] = {}
    for field, names in NAMES.items():
        named = next((plain[name] for name in names if name in plain and plain[name] not in columns.values()), None)
        if named is not None:
            columns[field] = named
    if "deviceIdentifier" not in columns:
        free = [name for name in held if name not in columns.values()]
        best = max(free, key=lambda name: _share_of_identifiers(held[name]), default=None)
        if best is not None and _share_of_identifiers(held[best]) >= ENOUGH:
            columns["deviceIdentifier"] = best
    return columns


def _share_of_identifiers(cells: Sequence[str]) -> float:
    return sum(map(_is_identifier, cells)) / len(cells) if cells else 0.0


def _is_identifier(cell: str) -> bool:
    try:
        read_identifier(cell, None)
    except IdentifierError:
        return False
    return True


def _without_accents(name: str) -> str:
    return name.casefold().translate(str.maketrans("åäöéü", "aaoeu"))


def as_toml(found: FileProfile, name: str) -> str:
    """Return the block for the configuration."""
    lines = ["[[articles.source]]", f'name = "{name}"', f'format = "{found.format}"']
    if found.format == "csv":
        lines.append(f'encoding = "{found.encoding}"')
        lines.append(f"delimiter = {_quoted(found.delimiter)}")
    if found.columns:
        pairs = ", ".join(f"{field} = {_quoted(column)}" for field, column in found.columns.items())
        lines.append(f"columns = {{ {pairs} }}")
    if found.values:
        pairs = ", ".join(f"{_quoted(word)} = {_quoted(meaning or '?')}" for word, meaning in found.values.items())
        lines.append(f"values = {{ status = {{ {pairs} }} }}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'

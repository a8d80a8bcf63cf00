r"""HL7 v2 MFN^M16, the master file of material items, in its delimited encoding (ER7): one message or many.

HL7 v2.9: chapter 8.12.2 (the message), 17.4 (segments ITM, VND, PKG, IVT), 2.7 (escape sequences), 8.5.2 (MFE). A
file may hold them in a batch (FHS, BHS) or in MLLP frames. Segments end with CR; LF and CR LF are taken, too.

A GTIN stands in PKG-8, one for each package: the smallest one's is the article's own. PKG-4 counts what is in a
package of the next smaller one, which stands behind it; PKG-10, where given, the pieces themselves.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from gateway.articles.fields import MAX_QUANTITY
from gateway.articles.importers.base import Changes, SourceRecord, unusable
from gateway.articles.reports import Rejection
from gateway.articles.settings import Field, SourceSettings

READ_BYTES: Final = 64 * 1024
MAX_SEGMENT_BYTES: Final = 65_536
"""A longer segment is none: ITM with every field full takes a tenth."""
MAX_ITEM_SEGMENTS: Final = 1000
"""Segments of one item; more vendors and packages than any item has."""
_ENDS: Final = re.compile(rb"[\r\n]+")
_FRAME: Final = b"\x0b\x1c \t"
"""MLLP's block characters, and spaces."""
_HEADER_BYTES: Final = 8
"""`MSH` with its five encoding characters."""
_CHARSETS: Final = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "UTF8": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UNICODE": "utf-8",
    "LATIN1": "latin-1",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
}
"""MSH-18 without spaces and signs (HL7 table 0211, and words that senders use for them) -> codec."""
_ISO_8859: Final = re.compile(r"(?:ISO)?8859([1-9]|1[0-6])")
_CHARSET_NAMES: Final = "ASCII, 8859/1 to 8859/15, UNICODE UTF-8"
_EVENTS: Final = {
    "MAD": "",
    "MUP": "",
    "MAC": "",
    "MDC": "deactivated in the item master",
    "MDL": "deleted from the item master",
}
"""MFE-1 (HL7 table 0180) -> reason of the status discontinued, "" for active."""
_INACTIVE: Final = "I"
"""ITM-3 (HL7 table 0776); an item that is only pending inactive is still in use."""
_IMPLANT: Final = "IMP"
"""ITM-4 (HL7 table 0778)."""
_OTHERS: Final = frozenset({"FHS", "BHS", "BTS", "FTS", "SFT", "UAC", "MFI", "NTE", "PCE", "STZ", "ILT", "ARV"})
"""Segments with nothing the master keeps; the first six also end an item."""
_ENDING: Final = frozenset({"MSH", "MFE", "FHS", "BHS", "BTS", "FTS"})


_SINGLE: Final = frozenset({"", "1"})
"""PKG-4 of the article itself."""
_REPLACE: Final = "REP"
_UPDATE: Final = "UPD"
"""MFI-3 (HL7 table 0178): change the records; REP replaces the file."""


class _SegmentError(ValueError):
    """The message is the reason of a rejection."""


class _MessageError(ValueError):
    """The file cannot be read on; the message says why."""


class _Encoding(NamedTuple):
    """What a message says of itself in MSH."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    charset: str

    def first(self, segment: list[str], number: int) -> str:
        """Return a field's first component, without its escape sequences; "" where there is none."""
        if number >= len(segment):
            return ""
        text = segment[number].split(self.repetition, 1)[0].split(self.component, 1)[0]
        text = text.split(self.subcomponent, 1)[0]
        return "" if text == '""' else self._plain(text)

    def _plain(self, text: str) -> str:
        if self.escape not in text:
            return text
        parts = text.split(self.escape)
        meant = {
            "F": self.field,
            "S": self.component,
            "R": self.repetition,
            "E": self.escape,
            "T": self.subcomponent,
        }
        # every second part stood between two escape characters; highlighting and line breaks count as a space
        return "".join(part if place % 2 == 0 else meant.get(part, " ") for place, part in enumerate(parts))


class _Package(NamedTuple):
    gtin: str
    inside: str
    """Of the next smaller package."""
    pieces: str


class _Item:
    """The segments of one item, from its MFE on."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.texts: dict[Field, str] = {}
        if reason:
            self.discontinue(reason)
        self.vendors: list[list[_Package]] = []
        self.vendor = ""
        self.segments = 0

    def discontinue(self, reason: str) -> None:
        """Note that it is bought no more."""
        self.texts["status"] = "discontinued"
        self.texts["statusReason"] = reason

    def records(self) -> Iterator[SourceRecord]:
        """Yield the item and its packages."""
        chains = [_counted(packages) for packages in self.vendors]
        singles = [gtin for chain in chains for gtin, pieces in chain if pieces == "1" and gtin]
        own: dict[Field, str] = {}
        if singles:
            own = {"deviceIdentifier": singles[0], "issuer": "GS1"}
        yield SourceRecord(self.line, {**self.texts, **own})
        seen = {singles[0]} if singles else set()
        for gtin, pieces in (package for chain in chains for package in chain):
            if gtin in seen or not gtin:
                continue
            seen.add(gtin)
            more: dict[Field, str] = {
                "deviceIdentifier": gtin,
                "issuer": "GS1",
                "packageLevel": "primary" if pieces == "1" else "package",
                "baseDeviceIdentifier": own.get("deviceIdentifier", ""),
                "baseQuantity": pieces,
            }
            yield SourceRecord(self.line, {**self.texts, **more})


def _counted(packages: list[_Package]) -> list[tuple[str, str]]:
    """Return GTIN and pieces of one vendor's packages, which come with the largest first, or with the smallest."""
    if len(packages) > 1 and packages[0].inside in _SINGLE and packages[-1].inside not in _SINGLE:
        return _counted([*packages][::-1])
    counted: list[tuple[str, str]] = []
    smaller: str | None = "1"
    for package in reversed(packages):
        if package.pieces:
            smaller = package.pieces
        elif package.inside.isdecimal() and smaller is not None and smaller.isdecimal():
            smaller = str(min(int(package.inside) * int(smaller), MAX_QUANTITY + 1))
        else:
            smaller = package.inside or None
        counted.append((package.gtin, smaller or ""))
    return counted[::-1]


def read_hl7_mfn(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Rejection | Changes]:
    """Yield the items and their packages; lines count segments. SourceFileError: it is no MFN^M16."""
    try:
        yield from _items(stream, source.encoding)
    except _MessageError as error:
        raise unusable(stream, source, str(error), "have it sent again") from error


def _items(  # noqa: C901 - one branch for each kind of segment
    stream: BinaryIO, encoding: str
) -> Iterator[SourceRecord | Rejection | Changes]:
    message: _Encoding | None = None
    item: _Item | None = None
    changes: bool | None = None
    for number, data in _segments(stream):
        name = data[:3].decode("ascii", "replace")
        if item is not None and name in _ENDING:
            yield from item.records()
            item = None
        if name == "MSH":
            message = _read_header(data, encoding)
        elif message is None:
            if name not in _OTHERS:
                raise _MessageError(f"segment {number}: expected MSH, got {name!r}")
        elif name == "MFI":
            event = message.first(data.decode(message.charset, "replace").split(message.field), 3)
            if event not in {_UPDATE, _REPLACE}:
                raise _MessageError(f"segment {number}: MFI-3 {event[:20]!r} is unknown: expected REP or UPD")
            update = event == _UPDATE
            yield from _changes(number, update, changes)
            changes = update
        elif name not in _OTHERS and not name.startswith("Z"):
            try:
                item = _take(item, number, message, data.decode(message.charset).split(message.field))
            except (_SegmentError, UnicodeDecodeError) as error:
                reason = f"it is not {message.charset}" if isinstance(error, UnicodeDecodeError) else str(error)
                yield Rejection(line=number, column=name, reason=reason)
                item = None  # without this segment it would not be the item that was meant
    if item is not None:
        yield from item.records()
    if message is None:
        raise _MessageError("it has no MSH segment")


def _changes(number: int, update: bool, before: bool | None) -> Iterator[Changes]:  # noqa: FBT001 - of MFI-3
    """Yield that the file changes records, where its first message says so. Raises _MessageError: they disagree."""
    if before is not None and before is not update:
        raise _MessageError(f"segment {number}: some messages replace the item master, others change it")
    if update and before is None:
        yield Changes()


def _segments(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the segments that are not empty, numbered from 1."""
    number = 0
    rest = b""
    while data := stream.read(READ_BYTES):
        data = data.removeprefix(codecs.BOM_UTF8) if not number and not rest else data
        *whole, rest = _ENDS.split(rest + data)
        if len(rest) > MAX_SEGMENT_BYTES:
            raise _MessageError(f"segment {number + len(whole) + 1} is longer than {MAX_SEGMENT_BYTES} bytes")
        for segment in filter(None, (one.strip(_FRAME) for one in whole)):
            number += 1
            yield number, segment
    if rest := rest.strip(_FRAME):
        yield number + 1, rest


def _read_header(data: bytes, encoding: str) -> _Encoding:
    if len(data) < _HEADER_BYTES:
        raise _MessageError("MSH has no encoding characters")
    text = data.decode("latin-1")  # only ASCII fields are looked at
    cells = text.split(text[3])
    kind = cells[8].split(text[4]) if len(cells) > 8 else []  # noqa: PLR2004 - MSH-9
    if kind[:2] != ["MFN", "M16"]:
        raise _MessageError(f"expected a message MFN^M16, got {'^'.join(kind)[:20]!r}")
    named = cells[17].split(text[5])[0] if len(cells) > 17 else ""  # noqa: PLR2004 - MSH-18
    return _Encoding(text[3], text[4], text[5], text[6], text[7], _codec(named) if named else encoding)


def _codec(named: str) -> str:
    """Return the codec of a character set by its name in MSH-18. Raises _MessageError."""
    word = "".join(filter(str.isalnum, named)).upper()
    part = _ISO_8859.fullmatch(word)
    codec = _CHARSETS.get(word) if part is None else f"iso8859-{part[1]}"
    if codec is None or codec == "iso8859-12":  # there is no part 12
        raise _MessageError(f"character set {named[:20]!r} is not read: expected {_CHARSET_NAMES}")
    return codec


def _begin(number: int, message: _Encoding, cells: list[str]) -> _Item:
    event = message.first(cells, 1)
    if event not in _EVENTS:
        raise _SegmentError(f"MFE-1 {event[:20]!r} is unknown: expected {', '.join(_EVENTS)}")
    return _Item(number, _EVENTS[event])


def _take(item: _Item | None, number: int, message: _Encoding, cells: list[str]) -> _Item | None:
    """Take one segment; return the item it belongs to, None where that one was rejected."""
    if cells[0] == "MFE":
        return _begin(number, message, cells)
    if item is None:
        return None
    item.segments += 1
    if item.segments > MAX_ITEM_SEGMENTS:
        raise _SegmentError(f"more than {MAX_ITEM_SEGMENTS} segments for one item")

    def first(number: int) -> str:
        return message.first(cells, number)

    match cells[0]:
        case "ITM":
            _take_material(item, first)
        case "VND":
            item.vendors.append([])
            item.vendor = item.vendor or first(3)
        case "PKG":
            item.vendors = item.vendors or [[]]
            item.vendors[-1].append(_Package(first(8), first(4), first(10)))
        case "IVT":
            consignment = first(16) == "Y"
            item.texts |= {"consignment": "1", "owner": item.vendor} if consignment else {}
        case other:
            raise _SegmentError(f"segment {other[:20]!r} does not belong to MFN^M16")
    return item


def _take_material(item: _Item, first: Callable[[int], str]) -> None:
    item.texts |= {
        "articleNumber": first(1),
        "description": first(2),
        "implant": "1" if first(4) == _IMPLANT else "",
        "expiryRequired": "1" if first(6) == "Y" else "",
        "manufacturerName": first(8),
        "catalogNumber": first(9),
        "sterile": "1" if first(31) == "Y" else "",
    }
    if first(3) == _INACTIVE and "status" not in item.texts:
        item.discontinue("inactive in the item master")

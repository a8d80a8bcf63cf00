"""Report descriptors of HID point-of-sale scanners: where a report holds the code. Pure.

Sources: USB HID 1.11, 5.2 to 6.2.2 (items), and HID Point of Sale Usage Tables 1.02, usage page 0x8C, with the page
Generic Desktop for the length. Makers order and size the fields differently; what is not described is not read.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

BAR_CODE_SCANNER: Final = 0x8C
BYTE: Final = 8
"""Bits."""
MAX_DESCRIPTOR_BYTES: Final = 4096
"""HID_MAX_DESCRIPTOR_SIZE of Linux (include/uapi/linux/hid.h)."""

_BYTE_COUNT: Final = (0x01, 0x3B)
_AIM_ID: Final = tuple((BAR_CODE_SCANNER, usage) for usage in (0xFB, 0xFC, 0xFD))
"""Symbology Identifier 1 to 3: the three characters of the AIM identifier."""
_DATA: Final = (BAR_CODE_SCANNER, 0xFE)
"""Decoded Data."""
_CONTINUED: Final = (BAR_CODE_SCANNER, 0xFF)
"""Decode Data Continued."""

_INPUT, _COLLECTION, _END_COLLECTION = 0x80, 0xA0, 0xC0
_MAIN: Final = {_INPUT, 0x90, _COLLECTION, 0xB0, _END_COLLECTION}
_USAGE, _USAGE_MINIMUM, _USAGE_MAXIMUM = 0x08, 0x18, 0x28
_LOCAL: Final = {_USAGE, _USAGE_MINIMUM, _USAGE_MAXIMUM}
_GLOBAL: Final = {0x04: "page", 0x74: "size", 0x84: "report_id", 0x94: "count"}
_PUSH, _POP = 0xA4, 0xB4
_LONG_ITEM: Final = 0xFE
_EXTENDED: Final = 4
"""Bytes of a usage that names its page itself."""
_CONSTANT, _VARIABLE = 0x01, 0x02
_MAX_RANGE: Final = 255
"""Usages of one range that are looked at; the page has some 300."""
_MAX_REPORT_BITS: Final = 8 * 4096
"""More than any USB report; a descriptor that claims more is broken."""

Usage = tuple[int, int]


class DescriptorError(ValueError):
    """A descriptor that is broken, or describes no scanned data that can be read. Its words say what was found."""


class ReportLayout(Struct, frozen=True, kw_only=True):
    """The report that carries a code. Positions count bytes from its beginning, the report id included."""

    report_id: int | None
    """First byte of the report, or None where the device has one report and no ids."""
    others: frozenset[int]
    """Ids of the device's other input reports, which are none of ours."""
    size: int
    """Bytes of the whole report."""
    data: int
    capacity: int
    """Bytes for data in one report."""
    length: int | None
    """The byte that says how many of them hold data; None: the data ends before the padding of NULs."""
    aim_id: tuple[int, int, int] | None
    continued: tuple[int, int] | None
    """Byte and bit that say that the next report goes on with this code; None: there is no such flag."""


class _Field(Struct, frozen=True):
    usage: Usage
    bit: int
    size: int
    """Bits of one."""
    count: int


class _Report(Struct):
    bits: int
    fields: list[_Field] = []


class _Globals(Struct, frozen=True):
    """Global items in force (6.2.2.7)."""

    page: int = 0
    size: int = 0
    count: int = 0
    report_id: int | None = None


def report_layout(descriptor: bytes) -> ReportLayout:
    """Return where the device's reports hold codes. Raises DescriptorError."""
    parser = _Parser()
    for item in _items(descriptor):
        parser.take(*item)
    if not parser.scanner:
        raise DescriptorError("it has no collection of usage page 0x8C (Bar Code Scanner)")
    carrying = {
        number: report for number, report in parser.reports.items() if any(f.usage == _DATA for f in report.fields)
    }
    if len(carrying) != 1:
        raise DescriptorError(f"Decoded Data (usage 0xFE) is in {len(carrying)} of its input reports, not in one")
    report_id, report = next(iter(carrying.items()))
    if report.bits % BYTE:
        raise DescriptorError(f"its report of {report.bits} bits does not fill whole bytes")
    fields = report.fields
    data = _only(fields, _DATA)
    length = _only(fields, _BYTE_COUNT)
    flag = _only(fields, _CONTINUED)
    if data is None or data.size != BYTE:
        raise DescriptorError("its Decoded Data is not made of bytes")
    if length is not None and (length.size, length.count) != (BYTE, 1):
        raise DescriptorError(f"its Byte Count has {length.size * length.count} bits, not 8")
    if flag is not None and flag.size != 1:
        raise DescriptorError(f"its Decode Data Continued has {flag.size} bits, not 1")
    return ReportLayout(
        report_id=report_id,
        others=frozenset(other for other in parser.reports if other is not None and other != report_id),
        size=report.bits // BYTE,
        data=_byte(data),
        capacity=data.count,
        length=None if length is None else _byte(length),
        aim_id=_aim_id(fields),
        continued=None if flag is None else divmod(flag.bit, BYTE),
    )


def _aim_id(fields: list[_Field]) -> tuple[int, int, int] | None:
    found = [_only(fields, usage) for usage in _AIM_ID]
    first, second, third = found
    if first is None and second is None and third is None:
        return None
    if first is not None and second is None and third is None and (first.size, first.count) == (BYTE, 3):
        return _byte(first), _byte(first) + 1, _byte(first) + 2
    if first is None or second is None or third is None or any(f and (f.size, f.count) != (BYTE, 1) for f in found):
        raise DescriptorError("its Symbology Identifiers 1 to 3 (usages 0xFB to 0xFD) are not three bytes")
    return _byte(first), _byte(second), _byte(third)


def _only(fields: list[_Field], usage: Usage) -> _Field | None:
    found = [one for one in fields if one.usage == usage]
    if len(found) > 1:
        raise DescriptorError(f"it describes usage 0x{usage[1]:02X} of page 0x{usage[0]:02X} twice in one report")
    return found[0] if found else None


def _byte(field: _Field) -> int:
    if field.bit % BYTE:
        raise DescriptorError(f"usage 0x{field.usage[1]:02X} does not begin at a byte")
    return field.bit // BYTE


def _items(descriptor: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (tag and type, value, bytes of the value) of each short item (HID 1.11, 6.2.2.2)."""
    at = 0
    while at < len(descriptor):
        prefix = descriptor[at]
        if prefix == _LONG_ITEM:
            at += 3 + (descriptor[at + 1] if at + 1 < len(descriptor) else 0)
            continue
        width = (0, 1, 2, 4)[prefix & 0x03]
        value = descriptor[at + 1 : at + 1 + width]
        if len(value) < width:
            raise DescriptorError("its report descriptor breaks off")
        yield prefix & 0xFC, int.from_bytes(value, "little"), width
        at += 1 + width


class _Parser:
    """Reads items one after the other and gathers the fields of the input reports."""

    def __init__(self) -> None:
        self.reports: dict[int | None, _Report] = {}
        self.scanner = False
        """A collection of the Bar Code Scanner page stands at the top."""
        self._state = _Globals()
        self._saved: list[_Globals] = []
        self._usages: list[Usage] = []
        self._minimum: Usage = (0, 0)
        self._depth = 0

    def take(self, tag: int, value: int, width: int) -> None:
        if tag in _LOCAL:
            self._local(tag, (value >> 16, value & 0xFFFF) if width == _EXTENDED else (self._state.page, value))
        elif tag in _MAIN:
            self._main(tag, value)
            self._usages = []
        else:
            self._global(tag, value)

    def _local(self, tag: int, usage: Usage) -> None:
        if tag == _USAGE:
            self._usages.append(usage)
        elif tag == _USAGE_MINIMUM:
            self._minimum = usage
        else:
            last = min(usage[1], self._minimum[1] + _MAX_RANGE)
            self._usages += [(usage[0], number) for number in range(self._minimum[1], last + 1)]

    def _main(self, tag: int, value: int) -> None:
        if tag == _COLLECTION:
            self.scanner |= self._depth == 0 and self._usages[:1] != [] and self._usages[0][0] == BAR_CODE_SCANNER
            self._depth += 1
        elif tag == _END_COLLECTION:
            self._depth -= 1
        elif tag == _INPUT:
            self._input(value)

    def _input(self, flags: int) -> None:
        """Add fields. Where there are fewer usages than fields, the last one holds for the rest (6.2.2.8)."""
        state = self._state
        report = self.reports.setdefault(state.report_id, _Report(bits=0 if state.report_id is None else BYTE))
        if report.bits + state.size * state.count > _MAX_REPORT_BITS:
            raise DescriptorError("it describes a report longer than any that USB carries")
        if not flags & _CONSTANT and state.count:
            usages = self._usages[: state.count] if flags & _VARIABLE else self._usages[:1]
            for place, usage in enumerate(usages):
                count = state.count - place if place == len(usages) - 1 else 1
                report.fields.append(_Field(usage, report.bits + place * state.size, state.size, count))
        report.bits += state.size * state.count

    def _global(self, tag: int, value: int) -> None:
        state = self._state
        if tag in _GLOBAL:
            self._state = replace(state, **{_GLOBAL[tag]: value})
        elif tag == _PUSH:
            self._saved.append(state)
        elif tag == _POP:
            if not self._saved:
                raise DescriptorError("its report descriptor pops what was not pushed")
            self._state = self._saved.pop()

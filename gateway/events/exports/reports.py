"""Reports for a place without a central system: what was used for whom, and which implants. Pure.

Both are made from the events alone, netted (`gateway.events.exports.netting`): what was read twice, taken back,
thrown away or returned is no use.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from gateway.events import cloudevent
from gateway.events.exports.netting import InForce
from gateway.model import Decoded

Language = Literal["sv", "en"]
Words = tuple[str, str]
"""Swedish, English."""
Cell = str | int | None
Open = Callable[[Mapping[str, str]], str | None]
"""Opens a sealed identity; None: it cannot."""


class Column(Struct, frozen=True, kw_only=True):
    """One column of a report."""

    heading: Words
    value: Callable[["Line"], Cell]


class Line(Struct, frozen=True, kw_only=True):
    """What a row is made of."""

    used: InForce
    case: str | None
    patient: str | None
    performer: str | None

    @property
    def data(self) -> cloudevent.ScanData:
        """The event's."""
        return self.used.event.data

    @property
    def udi(self) -> Decoded:
        """What the label says."""
        return self.data.udi or Decoded(ok=False)

    def of_article(self, name: str) -> Cell:
        """Return a field of the article as the master had it."""
        value = None if self.data.article is None else getattr(self.data.article, name)
        return str(value).lower() if isinstance(value, bool) else value


def _text(line: Line) -> str:
    return " ".join(symbol.text for symbol in line.data.symbols)


WHOSE: Final = (
    Column(heading=("Ärende", "Case"), value=lambda line: line.case),
    Column(heading=("Patient", "Patient"), value=lambda line: line.patient),
)
WHAT: Final = (
    Column(heading=("Tid", "Time"), value=lambda line: line.used.event.time),
    Column(heading=("Artikelnummer", "Article number"), value=lambda line: line.of_article("article_number")),
    Column(heading=("Benämning", "Trade name"), value=lambda line: line.of_article("trade_name")),
    Column(heading=("Tillverkare", "Manufacturer"), value=lambda line: line.of_article("manufacturer_name")),
    Column(heading=("UDI-DI", "UDI-DI"), value=lambda line: line.udi.device_identifier),
    Column(heading=("Lot", "Lot"), value=lambda line: line.udi.lot_number),
    Column(heading=("Serienummer", "Serial number"), value=lambda line: line.udi.serial_number),
    Column(heading=("Utgångsdatum", "Expiry date"), value=lambda line: line.udi.expiration_date),
    Column(heading=("Antal", "Quantity"), value=lambda line: line.used.quantity),
    Column(heading=("Basantal", "Base quantity"), value=lambda line: line.of_article("base_quantity")),
    Column(heading=("Implantat", "Implant"), value=lambda line: line.of_article("implant")),
    Column(heading=("Riskklass", "Risk class"), value=lambda line: line.of_article("risk_class")),
    Column(heading=("Ägare", "Owner"), value=lambda line: line.of_article("owner")),
    Column(heading=("Plats", "Place"), value=lambda line: line.data.context.location),
    Column(heading=("Utförare", "Performer"), value=lambda line: line.performer),
    Column(heading=("Avläst text", "Text as read"), value=_text),
    Column(heading=("Händelse", "Event"), value=lambda line: line.used.event.id),
)
TAKEN_OUT: Final = Column(
    heading=("Uttaget", "Taken out"),
    value=lambda line: line.used.explanted.time if line.used.explanted else None,
)


def consumption(used: Iterable[InForce], open_: Open, language: Language) -> Iterator[list[Cell]]:
    """Yield the heading and a row for each use, by patient and case."""
    lines = [_line(one, open_) for one in used if one.event.data.action == "consume" and one.quantity]
    lines.sort(key=lambda line: (line.case or "", line.patient or "", line.used.event.sequence))
    yield from _rows((*WHOSE, *WHAT), lines, language)


def implants(used: Iterable[InForce], open_: Open, language: Language) -> Iterator[list[Cell]]:
    """Yield the heading and a row for each implant, in the order of their use (MDR Art. 27(9))."""
    lines = [
        _line(one, open_)
        for one in used
        if one.event.data.action == "consume"
        and one.quantity
        and one.event.data.article is not None
        and one.event.data.article.implant
    ]
    yield from _rows((*WHOSE, *WHAT, TAKEN_OUT), lines, language)


def _rows(columns: Iterable[Column], lines: Iterable[Line], language: Language) -> Iterator[list[Cell]]:
    yield [column.heading[0 if language == "sv" else 1] for column in columns]
    for line in lines:
        yield [column.value(line) for column in columns]


def _line(one: InForce, open_: Open) -> Line:
    context = one.event.data.context
    return Line(
        used=one,
        case=_identity(context.case, open_),
        patient=_identity(context.patient, open_),
        performer=_identity(context.performer, open_),
    )


def _identity(value: str | dict[str, str] | None, open_: Open) -> str | None:
    """Return an identity: opened, where the key is there; else by the parts of its reference."""
    if value is None or isinstance(value, str):
        return value
    return open_(value) or ":".join(value.values())

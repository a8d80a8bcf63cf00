"""From the texts of one row to an Article: the judgement every import format shares. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, TypeVar

from msgspec import Struct

from gateway.articles.identifiers import MAX_IDENTIFIER, IdentifierError, read_identifier, read_issuer
from gateway.articles.precedence import BARRED
from gateway.articles.settings import Field
from gateway.model import Article, ArticleStatus, Issuer

MAX_NUMBER = 64
"""Characters of an article or catalogue number: what the look-up takes for a key at most."""
MAX_NAME = 256
"""Characters of a trade name, a manufacturer or an owner: one line on a display, with room to spare."""
MAX_TEXT = 2000
"""Characters of a description or reason: GUDID's own limit for a device description."""
MAX_QUANTITY = 1_000_000
"""Pieces in one package; more is a slip of the decimal mark."""
_SHOWN = 40
"""Characters of a wrong value that a reason quotes."""

_MAX_REASON = 300
"""Characters of a reason: it may quote a cell."""

_TRUE = frozenset({"1", "true", "sant", "yes", "y", "ja", "j", "x"})
_FALSE = frozenset({"0", "false", "falskt", "no", "n", "nej"})
STATUS_WORDS = {
    "active": ArticleStatus.ACTIVE,
    "aktiv": ArticleStatus.ACTIVE,
    "discontinued": ArticleStatus.DISCONTINUED,
    "utgått": ArticleStatus.DISCONTINUED,
    "utgår": ArticleStatus.DISCONTINUED,
    "inaktiv": ArticleStatus.DISCONTINUED,
    "inactive": ArticleStatus.DISCONTINUED,
    "blocked": ArticleStatus.BLOCKED,
    "blockerad": ArticleStatus.BLOCKED,
    "spärrad": ArticleStatus.BLOCKED,
    "recalled": ArticleStatus.RECALLED,
    "återkallad": ArticleStatus.RECALLED,
    "indragen": ArticleStatus.RECALLED,
}
_LEVELS = {
    "primary": "primary",
    "bas": "primary",
    "package": "package",
    "förpackning": "package",
    "unitofuse": "unitOfUse",
    "unit of use": "unitOfUse",
    "brukarenhet": "unitOfUse",
}
_RISK_CLASSES = {name.casefold(): name for name in ("I", "Is", "Im", "Ir", "IIa", "IIb", "III", "A", "B", "C", "D")}
"""MDR Annex VIII with the three kinds of class I that a notified body sees, and IVDR Annex VIII."""
_WHOLE = re.compile(r"([0-9]+|[0-9]{1,3}(?: [0-9]{3})+)(?:[.,](0*))?")
_THOUSANDS_ZEROS = 3
_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")


_MIDNIGHT = re.compile(r"[ T]00:00(:00(\.0+)?)?")
"""Behind a date that a spreadsheet or a database took for a moment."""
_AS_TEXT = re.compile(r"""="(.*)"|'(.*)|\(01\)([0-9]{14})""")
"""How a spreadsheet knows that a number is text, and a GTIN as it stands below a symbol (GS1 Gen. Spec. 4.14)."""


class BadRow(Struct, frozen=True, kw_only=True):
    """Why a row gives no article."""

    field: Field | None
    """None: the row as a whole."""
    reason: str


class _BadCellError(ValueError):
    """The message is the reason, for a BadRow."""


_T = TypeVar("_T")


class _Row:
    """Reads one row's texts by field, and remembers which field is being read, for the reason."""

    def __init__(self, texts: Mapping[Field, str]) -> None:
        self.texts = texts
        """Those that are not empty, without white space around them."""
        self.reading: Field | None = None

    def text(self, field: Field) -> str:
        self.reading = field
        return self.texts[field]

    def number(self, field: Field) -> str | None:
        return _printable(without_wrapping(self.text(field)), MAX_NUMBER)

    def prose(self, field: Field, limit: int) -> str | None:
        """Running text: line breaks, tabs and no-break spaces count as a space."""
        return _printable(" ".join(self.text(field).split()), limit)

    def flag(self, field: Field) -> bool:
        word = self.text(field).casefold()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise _BadCellError(f"{_quoted(word)} is neither yes nor no: expected 1/0, true/false, ja/nej or x")

    def word(self, field: Field, words: Mapping[str, _T]) -> _T:
        word = self.text(field).casefold()
        if word not in words:
            raise _BadCellError(f"{_quoted(word)} is unknown: expected one of {', '.join(words)}")
        return words[word]

    def identifier(self, field: Field, issuer: Issuer | None) -> tuple[Issuer, str]:
        text = without_wrapping(self.text(field))
        if len(text) > MAX_IDENTIFIER + len("+C"):
            raise _BadCellError(f"{_quoted(text)} is longer than {MAX_IDENTIFIER} characters")
        return read_identifier(text, issuer)

    def issuer(self) -> Issuer:
        return read_issuer(self.text("issuer"))

    def quantity(self, field: Field) -> int:
        text = " ".join(self.text(field).split())
        whole = _WHOLE.fullmatch(text)
        if whole is None or len(whole[2] or "") == _THOUSANDS_ZEROS:
            raise _BadCellError(f"{_quoted(text)} is no whole number, or may be meant as thousands")
        digits = whole[1].replace(" ", "")
        if len(digits) > len(str(MAX_QUANTITY)) or not 1 <= int(digits) <= MAX_QUANTITY:
            raise _BadCellError(f"{_quoted(text)} is out of range: expected 1 to {MAX_QUANTITY}")
        return int(digits)

    def day(self, field: Field) -> str:
        text = _MIDNIGHT.sub("", self.text(field))
        parts = _DATE.fullmatch(text)
        try:
            return date.fromisoformat("-".join(parts.groups() if parts else ())).isoformat()
        except ValueError as error:
            raise _BadCellError(f"{_quoted(text)} is no date: expected YYYY-MM-DD") from error


def read_article(texts: Mapping[Field, str]) -> Article | BadRow:
    """Judge one row. Fields left out count as empty; the first thing wrong is the reason."""
    row = _Row({field: stripped for field, text in texts.items() if (stripped := text.strip())})
    try:
        return _read(row)
    except (_BadCellError, IdentifierError) as error:
        return BadRow(field=row.reading, reason=str(error)[:_MAX_REASON])


def read_bar(texts: Mapping[Field, str]) -> Article | None:
    """Return what a row bars, where the row as a whole is no good: only its name, status, reason and date.

    None where it bars nothing, or does not say what. A reason or date that cannot be read is left out.
    """
    named: dict[Field, str] = {
        field: texts[field] for field in ("deviceIdentifier", "issuer", "articleNumber", "status") if field in texts
    }
    by_number: dict[Field, str] = {field: named[field] for field in ("articleNumber", "status") if field in named}
    for name in (named, by_number):
        for more in (("statusReason", "statusFrom"), ("statusReason",), ("statusFrom",), ()):
            article = read_article(name | {field: texts[field] for field in more if field in texts})
            if isinstance(article, Article):
                return article if article.status in BARRED else None
    return None


_READERS: Final[tuple[tuple[Field, str, Callable[[_Row, Field], object]], ...]] = (
    ("packageLevel", "package_level", lambda row, field: row.word(field, _LEVELS)),
    ("baseDeviceIdentifier", "base_device_identifier", lambda row, field: row.identifier(field, None)[1]),
    ("baseQuantity", "base_quantity", lambda row, field: row.quantity(field)),
    ("tradeName", "trade_name", lambda row, field: row.prose(field, MAX_NAME)),
    ("description", "description", lambda row, field: row.prose(field, MAX_TEXT)),
    ("manufacturerName", "manufacturer_name", lambda row, field: row.prose(field, MAX_NAME)),
    ("catalogNumber", "catalog_number", lambda row, field: row.number(field)),
    ("riskClass", "risk_class", lambda row, field: row.word(field, _RISK_CLASSES)),
    ("implant", "implant", lambda row, field: row.flag(field)),
    ("consignment", "consignment", lambda row, field: row.flag(field)),
    ("owner", "owner", lambda row, field: row.prose(field, MAX_NAME)),
    ("sterile", "sterile", lambda row, field: row.flag(field)),
    ("singleUse", "single_use", lambda row, field: row.flag(field)),
    ("lotRequired", "lot_required", lambda row, field: row.flag(field)),
    ("serialRequired", "serial_required", lambda row, field: row.flag(field)),
    ("expiryRequired", "expiry_required", lambda row, field: row.flag(field)),
    ("status", "status", lambda row, field: row.word(field, STATUS_WORDS)),
    ("statusReason", "status_reason", lambda row, field: row.prose(field, MAX_TEXT)),
    ("statusFrom", "status_from", lambda row, field: row.day(field)),
)
"""Field, its attribute of Article, how it is read: in the order in which they are judged, if the row has them."""


def _read(row: _Row) -> Article:
    texts = row.texts
    issuer = row.issuer() if "issuer" in texts else None
    identifier = number = None
    if "deviceIdentifier" in texts:
        issuer, identifier = row.identifier("deviceIdentifier", issuer)
    if "articleNumber" in texts:
        number = row.number("articleNumber")
    values: dict[str, Any] = {attribute: read(row, field) for field, attribute, read in _READERS if field in texts}
    if values.get("package_level") == "package" and "base_quantity" not in values:
        row.reading = "baseQuantity"
        raise _BadCellError("a package needs its quantity: counted as one piece it would falsify the stock")
    if identifier is not None and values.get("base_device_identifier") == identifier:
        row.reading = "baseDeviceIdentifier"
        raise _BadCellError("an article cannot be its own base")
    if identifier is None and number is None:
        row.reading = None
        raise _BadCellError("neither deviceIdentifier nor articleNumber: nothing could find this article")
    return Article(
        device_identifier=identifier,
        issuer=None if identifier is None else issuer,
        article_number=number,
        **values,
    )


def without_wrapping(text: str) -> str:
    """Return a number without what says that it is one."""
    parts = _AS_TEXT.fullmatch(text)
    return text if parts is None else next((part for part in parts.groups() if part is not None), "")


def _without_format(text: str) -> str:
    """Return a text without characters that are never seen: soft hyphens, zero-width spaces, marks of direction."""
    if text.isascii() or text.isprintable():
        return text
    return "".join(character for character in text if unicodedata.category(character) != "Cf")


def _printable(text: str, limit: int) -> str | None:
    """Return the text, or None for an empty one."""
    text = _without_format(text).strip()
    if len(text) > limit:
        raise _BadCellError(f"{len(text)} characters: at most {limit} are kept")
    if not text.isprintable():
        wrong = next(character for character in text if not character.isprintable())
        raise _BadCellError(f"control or invisible character U+{ord(wrong):04X}")
    return text or None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")

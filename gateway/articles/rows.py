"""How an Article becomes a row of a generation and back. Pure.

What a row has in common with many others is kept small: yes/no fields and words of a fixed list share one number
(`traits`), and what few rows have (owner, reason and date of a status) shares one column (`rest`).
"""

from typing import Any, Final, NamedTuple

import msgspec

from gateway.articles.identifiers import gtin_number, gtin_text
from gateway.model import Article, ArticleStatus, Issuer

SOURCE_BITS: Final = 8
MAX_SOURCES: Final = (1 << SOURCE_BITS) - 1
"""Sources of one master: what fits below the GTIN in a 64-bit key. 0 is no source."""

SqlValue = str | int | bytes | None

_LEVELS: Final = (None, "primary", "package", "unitOfUse")
_STATUSES: Final = (
    ArticleStatus.ACTIVE,
    ArticleStatus.BLOCKED,
    ArticleStatus.RECALLED,
    ArticleStatus.DISCONTINUED,
)
_ISSUERS: Final = (None, Issuer.GS1, Issuer.HIBCC, Issuer.ICCBBA, Issuer.IFA)
_RISK_CLASSES: Final = (None, "I", "Is", "Im", "Ir", "IIa", "IIb", "III", "A", "B", "C", "D")
_LEVEL, _STATUS, _ISSUER, _RISK, _DELISTED = 7, 9, 11, 14, 18
"""Places in `traits`, in bits: below them one bit for each flag, then two, two, three, four and two of one."""
STATUS_PLACE: Final = _STATUS
"""Of the status, two bits: 1 is blocked, 2 recalled."""
DELISTED: Final = 1 << _DELISTED
"""The source's file lists the article no longer; the row is left because it bars the article."""
MAX_TRAITS_REMEMBERED: Final = 1000
"""Combinations of flags and words that look-ups keep in memory, some 0.3 MB. Beyond, start afresh."""
_LEVEL_OF: Final = {value: number << _LEVEL for number, value in enumerate(_LEVELS)}
_STATUS_OF: Final = {value: number << _STATUS for number, value in enumerate(_STATUSES)}
_ISSUER_OF: Final = {value: number << _ISSUER for number, value in enumerate(_ISSUERS)}
_RISK_OF: Final = {value: number << _RISK for number, value in enumerate(_RISK_CLASSES)}


class Rest(NamedTuple):
    """What few rows have."""

    owner: str | None
    status_reason: str | None
    status_from: str | None


_TEXTS: Final = frozenset({str, type(None)})

_rest_encoder = msgspec.msgpack.Encoder()
_rest_decoder = msgspec.msgpack.Decoder(Rest)


class ArticleRow(NamedTuple):
    """The columns of `article`, in their order. `key` is described in `gateway.articles.schema`."""

    key: int
    traits: int
    manufacturer: SqlValue
    """Row of `manufacturer`; its name, as it is selected."""
    trade_name: SqlValue
    """The text, or the row of `phrase` that holds it; as it is selected, the text. `description` likewise."""
    description: SqlValue
    article_number: str | None
    catalog_number: str | None
    identifier: str | None
    """Device identifier that is no GTIN."""
    base: SqlValue
    """Base article's device identifier, a GTIN as a number."""
    base_quantity: int | None
    """None for 1."""
    rest: bytes | None


def gtin_keys(gtin: int) -> tuple[int, int]:
    """Return the least and the greatest key a GTIN's rows can have."""
    return gtin << SOURCE_BITS, gtin << SOURCE_BITS | MAX_SOURCES


def source_of(key: int) -> int:
    """Return the id of the source a row belongs to."""
    return key & MAX_SOURCES


FURTHER: Final = 1 << _DELISTED + 1
"""A further article number of an article that its source has under another one, too."""


def is_further(traits: int) -> bool:
    """Return whether a row is only a further article number of an article."""
    return traits & FURTHER != 0


def is_delisted(traits: int) -> bool:
    """Return whether a row only bars an article that its source's file lists no longer."""
    return traits & DELISTED != 0


def status_of(traits: int) -> ArticleStatus:
    """Return the status among a row's traits."""
    return _STATUSES[traits >> _STATUS & 3]


def with_status(traits: int, status: ArticleStatus) -> int:
    """Return traits with another status."""
    return traits & ~(3 << _STATUS) | _STATUS_OF[status]


def rest_with_status(rest: bytes | None, of: bytes | None) -> bytes | None:
    """Return `rest` with reason and date of the status of another row."""
    own = Rest(None, None, None) if rest is None else _rest_decoder.decode(rest)
    other = Rest(None, None, None) if of is None else _rest_decoder.decode(of)
    changed = Rest(own.owner, other.status_reason, other.status_from)
    return None if changed == (None, None, None) else _rest_encoder.encode(changed)


def traits_of(article: Article) -> int:
    """Return the number of an article's flags and words. Raises KeyError for a word no import gives."""
    return (
        article.implant
        | article.consignment << 1
        | article.sterile << 2
        | article.single_use << 3
        | article.lot_required << 4
        | article.serial_required << 5
        | article.expiry_required << 6
        | _LEVEL_OF[article.package_level]
        | _STATUS_OF[article.status]
        | _ISSUER_OF[article.issuer]
        | _RISK_OF[article.risk_class]
    )


def base_of(base: str | None) -> SqlValue:
    """Return a base article's identifier as it is stored."""
    if base is None:
        return None
    number = gtin_number(base) if len(base) == len(gtin_text(0)) else None
    return base if number is None else number


def rest_of(article: Article) -> bytes | None:
    """Return what few rows have, or None where this one has nothing of it."""
    if article.owner is None and article.status_reason is None and article.status_from is None:
        return None
    return _rest_encoder.encode(Rest(article.owner, article.status_reason, article.status_from))


def key_of(article: Article, ordinal: int, source: int) -> int:
    """Return the key of a source's row; `ordinal` (1, 2, ...) tells its articles without a GTIN apart."""
    gtin = gtin_number(article.device_identifier or "") if article.issuer is Issuer.GS1 else None
    return (-ordinal if gtin is None else gtin) << SOURCE_BITS | source


def to_row(article: Article, key: int) -> ArticleRow:
    """Return the row of an article, its texts in place. Raises KeyError for a word no import gives."""
    return ArticleRow(
        key,
        traits_of(article),
        article.manufacturer_name,
        article.trade_name,
        article.description,
        article.article_number,
        article.catalog_number,
        article.device_identifier if key < 0 else None,
        base_of(article.base_device_identifier),
        None if article.base_quantity == 1 else article.base_quantity,
        rest_of(article),
    )


def to_article(row: tuple[Any, ...]) -> Article:
    """Return the article of a selected row. Raises what `schema.DAMAGE` lists for a damaged one."""
    key, traits, manufacturer, trade_name, description, number, catalog, identifier, base, quantity, rest = row
    if not _TEXTS.issuperset(map(type, row[2:8])):
        raise TypeError("a text is no text")
    article = _replace(
        _of_traits.get(traits) or _learn(traits),
        device_identifier=f"{key >> SOURCE_BITS:014d}" if key > 0 else identifier,
        article_number=number,
        trade_name=trade_name,
        description=description,
        manufacturer_name=manufacturer,
        catalog_number=catalog,
    )
    if base is None and quantity is None and rest is None:
        return article
    owner, reason, since = (None, None, None) if rest is None else _rest_decoder.decode(rest)
    if quantity is not None and not isinstance(quantity, int):
        raise TypeError("a quantity is no number")
    return _replace(
        article,
        owner=owner,
        base_device_identifier=gtin_text(base) if isinstance(base, int) else base,
        base_quantity=quantity or 1,
        status_reason=reason,
        status_from=since,
    )


_replace: Final = msgspec.structs.replace
_of_traits: Final[dict[int, Article]] = {}
"""Articles of which only the flags and words are known: to fill in the rest of one takes a fifth of making one."""


def _learn(traits: int) -> Article:
    if len(_of_traits) == MAX_TRAITS_REMEMBERED:
        _of_traits.clear()
    if traits >> _DELISTED + 2:
        raise ValueError(f"traits {traits} are none")
    article = Article(
        issuer=_ISSUERS[traits >> _ISSUER & 7],
        risk_class=_RISK_CLASSES[traits >> _RISK & 15],
        implant=traits & 1 != 0,
        consignment=traits & 2 != 0,
        package_level=_LEVELS[traits >> _LEVEL & 3],
        sterile=traits & 4 != 0,
        single_use=traits & 8 != 0,
        lot_required=traits & 16 != 0,
        serial_required=traits & 32 != 0,
        expiry_required=traits & 64 != 0,
        status=_STATUSES[traits >> _STATUS & 3],
    )
    _of_traits[traits] = article
    return article

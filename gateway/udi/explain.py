"""What a decoded label says, in plain words for a person. Pure."""

from calendar import month_name
from collections.abc import Mapping
from datetime import date
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from gateway.model import Decoded, Issuer, Precision

MAX_DAYS: Final = 60
"""Up to so many days a distance is given in days: a store keeper counts them."""
MAX_MONTHS: Final = 36
"""Up to so many months it is given in months; beyond, in years."""
_MONTHS_IN_YEAR: Final = 12


class Explained(Struct, frozen=True, kw_only=True):
    """One element of a label."""

    element: str
    """As in `Decoded.elements`."""
    value: str
    means: str
    """Plain words; empty where this element has no name here."""


class _Role(Enum):
    """Elements whose meaning stands in a field of Decoded."""

    DEVICE = auto()
    EXPIRY = auto()
    MADE = auto()


_ROLES: Final[Mapping[Issuer, Mapping[str, _Role]]] = MappingProxyType(
    {
        Issuer.GS1: {"01": _Role.DEVICE, "17": _Role.EXPIRY, "7003": _Role.EXPIRY, "11": _Role.MADE},
        Issuer.HIBCC: {"DI": _Role.DEVICE, "expiry": _Role.EXPIRY, "manufacture": _Role.MADE},
        Issuer.ICCBBA: {
            **dict.fromkeys(("=/", "=)"), _Role.DEVICE),
            **dict.fromkeys(("=>", "&>"), _Role.EXPIRY),
            **dict.fromkeys(("=}", "&}"), _Role.MADE),
        },
        Issuer.IFA: {"9N": _Role.DEVICE, "D": _Role.EXPIRY, "16D": _Role.MADE},
    }
)
_NAMES: Final[Mapping[Issuer, Mapping[str, str]]] = MappingProxyType(
    {
        # GS1 General Specifications, 3.2: the AIs that a label in a hospital may carry
        Issuer.GS1: {
            "00": "logistic unit (SSCC)",
            "02": "article contained in a logistic unit (GTIN)",
            "10": "lot",
            "12": "payment due, YYMMDD",
            "13": "packed, YYMMDD",
            "15": "best before, YYMMDD",
            "16": "sell by, YYMMDD",
            "20": "variant",
            "21": "serial number",
            "22": "consumer product variant",
            "30": "pieces",
            "37": "pieces contained in a logistic unit",
            "235": "serial number given by a third party",
            "240": "further product number of the manufacturer",
            "241": "product number of the customer",
            "242": "made-to-order variation",
            "243": "packaging component",
            "250": "serial number of a part",
            "251": "serial number of what it was made from",
            "400": "order number of the customer",
            "401": "consignment",
            "402": "shipment",
            "410": "ship to",
            "412": "purchased from",
            "414": "place",
            "422": "country of origin",
            **dict.fromkeys(map(str, range(710, 718)), "national healthcare number"),
            "7240": "study protocol",
            "8003": "returnable asset",
            "8004": "asset",
            "8006": "piece of an article (GTIN, piece, of how many)",
            "8008": "made, YYMMDDhh with minutes and seconds",
            "8012": "software version",
            "8013": "model (GMN)",
            "8014": "Master UDI-DI",
            "8017": "provider of a service: a person or place (GSRN)",
            "8018": "recipient of a service: a person (GSRN)",
            "8200": "web address of the product",
            **dict.fromkeys(map(str, range(90, 100)), "internal to a company"),
        },
        # ANSI/HIBC 2.6, 2.2 and 2.3
        Issuer.HIBCC: {"lot": "lot", "serial": "serial number", "quantity": "pieces", "link": "joins two symbols"},
        # ISBT 128 ST-001, data structures
        Issuer.ICCBBA: {
            "=": "donation",
            "=,": "serial number",
            "&,1": "lot",
            "&)": "lot",
            "=+": "several structures in one symbol",
            "=%": "blood group",
            "=<": "product code",
            "=*": "collected, cyyjjj",
            "&*": "collected, cyyjjjhhmm",
        },
        # UDI specification of IFA 2.5
        Issuer.IFA: {
            "1T": "lot",
            "S": "serial number",
            "Q": "pieces",
            "27Q": "price",
            "33L": "web address",
            "8P": "article (GTIN)",
        },
    }
)


def explain(decoded: Decoded, today: date) -> list[Explained]:
    """Explain each element of a label, in its order."""
    return [
        Explained(element=element, value=value, means=_meaning(decoded, element, today))
        for element, value in decoded.elements
    ]


def headline(decoded: Decoded) -> str:
    """Say in a line what the text is."""
    if decoded.issuer is None:
        return "not the label of an article: it has the form of no issuing agency"
    if not decoded.complete:
        return f"{decoded.issuer}, without device identifier: part of a label, or no label of an article"
    return f"{decoded.issuer} label of article {decoded.device_identifier}"


def distance(day: date, today: date) -> str:
    """Say how far away a day is.

    >>> distance(date(2028, 6, 30), date(2026, 11, 21)), distance(date(2026, 11, 20), date(2026, 11, 21))
    ('in 19 months', 'yesterday')
    """
    days = (day - today).days
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}
    if days in near:
        return near[days]
    earlier, later = sorted((day, today))
    months = (later.year - earlier.year) * _MONTHS_IN_YEAR + later.month - earlier.month
    months -= later.day < earlier.day
    if abs(days) <= MAX_DAYS:
        amount = f"{abs(days)} days"
    elif months <= MAX_MONTHS:
        amount = f"{months} months"
    else:
        amount = f"{months // _MONTHS_IN_YEAR} years"
    return f"in {amount}" if days > 0 else f"{amount} ago"


def _meaning(decoded: Decoded, element: str, today: date) -> str:
    if decoded.issuer is None:
        return ""
    role = _ROLES[decoded.issuer].get(element)
    if role is _Role.DEVICE:
        return _device(decoded)
    if role is _Role.EXPIRY:
        return _expiry(decoded, today)
    if role is _Role.MADE:
        if decoded.manufacture_date is None:
            return "date of manufacture, not readable"
        return f"made {_when(decoded.manufacture_date, decoded.manufacture_precision, today)}"
    return _NAMES[decoded.issuer].get(element, "")


def _device(decoded: Decoded) -> str:
    if decoded.device_identifier is None:
        return "article, not readable"
    level = f", packaging level {decoded.package_level}" if decoded.package_level else ""
    return f"article {decoded.device_identifier}{level}"


def _expiry(decoded: Decoded, today: date) -> str:
    if decoded.expiration_date is None:
        return "date of expiry, not readable"
    past = date.fromisoformat(decoded.expiration_date[:10]) < today
    return (
        f"{'expired' if past else 'expires'} {_when(decoded.expiration_date, decoded.expiration_precision, today)}"
    )


def _when(text: str, precision: Precision | None, today: date) -> str:
    day = date.fromisoformat(text[:10])
    words = f"{day.day} {month_name[day.month]} {day.year}"
    if precision is Precision.MONTH:
        words += " (the label gives the month only)"
    elif precision in {Precision.HOUR, Precision.MINUTE}:
        words += f" at {text[11:]}"
    return f"{words}, {distance(day, today)}"

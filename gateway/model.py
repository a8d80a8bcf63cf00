"""The values that pass between the stages of the gateway: frozen, and free of any I/O.

The field names are the camelCase names of the JSON that leaves the box (events, `scangate parse --ndjson`),
written in snake_case here; msgspec renames them.
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct


class Severity(StrEnum):
    """How much a finding matters to what happens next."""

    INFO = "info"
    """Worth knowing; the scan is accepted without further ado."""
    WARNING = "warning"
    """The scan is accepted, and the operator is warned that something is odd."""
    ERROR = "error"
    """The scan is recorded and published as refused."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing noticed about a scan. Bad input is a finding, never an exception."""

    code: str
    """Stable name in upper case, such as GS1_CHECK_DIGIT: scripts and site settings refer to it."""
    severity: Severity
    element: str | None = None
    """The part of the label it is about (a GS1 AI, a HIBC field, an ISBT structure), or None for the whole."""
    message: str
    """One sentence for a person: what was found and what was expected. Never the identity of a person."""


class Issuer(StrEnum):
    """Who issued the device identifier: the four issuing entities of the UDI system."""

    GS1 = "GS1"
    HIBCC = "HIBCC"
    ICCBBA = "ICCBBA"
    IFA = "IFA"


class Precision(StrEnum):
    """How exactly the label gives a date. A month's date is stored as the month's last day."""

    MONTH = "month"
    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"


class Decoded(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one label says, after decoding. Exactly the object that `scangate parse --ndjson` prints."""

    ok: bool
    """No finding of severity error."""
    issuer: Issuer | None = None
    device_identifier: str | None = None
    """The UDI-DI as an article master keys it: a GTIN as 14 digits; HIBC without `+` and check character."""
    lot_number: str | None = None
    serial_number: str | None = None
    expiration_date: str | None = None
    """`YYYY-MM-DD`, or `YYYY-MM-DDTHH:MM` where the label gives hours."""
    expiration_precision: Precision | None = None
    manufacture_date: str | None = None
    """Same form as `expiration_date`."""
    manufacture_precision: Precision | None = None
    donation_identification_number: str | None = None
    software_version: str | None = None
    quantity: int | None = None
    """Pieces, where the label itself says how many."""
    package_level: int | None = None
    """The level the identifier itself carries (GTIN indicator 1-9, HIBC unit of measure, HPC level)."""
    complete: bool = False
    """A device identifier is there."""
    elements: tuple[tuple[str, str], ...] = ()
    """(identifier, value) in the order and with the text of the label."""
    hri: str = ""
    """Human readable interpretation, as printed under a symbol: `(01)...(17)...(10)...`."""
    findings: tuple[Finding, ...] = ()


class Disposition(StrEnum):
    """What the gateway decided. Every scan of a label is recorded and published, refused ones too."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """It was recorded; do not act on it."""


class Verdict(Struct, frozen=True, kw_only=True):
    """The judgement on one scanned item."""

    disposition: Disposition
    findings: tuple[Finding, ...] = ()

    @property
    def warned(self) -> bool:
        """Accepted, with something the operator should look at."""
        return (
            bool(self.findings)
            and self.disposition is Disposition.ACCEPTED
            and any(finding.severity is Severity.WARNING for finding in self.findings)
        )


class ArticleStatus(StrEnum):
    """Whether the article may be used, as its master says."""

    ACTIVE = "active"
    DISCONTINUED = "discontinued"
    """No longer sold or bought; what is on the shelf may be used."""
    BLOCKED = "blocked"
    """Not to be used here (contract ended, replaced, local decision)."""
    RECALLED = "recalled"
    """Withdrawn by the manufacturer or an authority."""


class Match(StrEnum):
    """How the text of a scan was found in the article master."""

    DI = "di"
    PACKAGE = "package"
    UNIT_OF_USE = "unitOfUse"
    ARTICLE_NUMBER = "articleNumber"
    CATALOG_NUMBER = "catalogNumber"
    NONE = "none"


class Article(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One row of the article master. Names follow GUDID and FHIR DeviceDefinition where they have one."""

    device_identifier: str | None = None
    """UDI-DI (GTIN as 14 digits); None for an article that has only its owner's number."""
    issuer: Issuer | None = None
    article_number: str | None = None
    trade_name: str | None = None
    description: str | None = None
    manufacturer_name: str | None = None
    catalog_number: str | None = None
    risk_class: str | None = None
    """EU class: I, IIa, IIb, III."""
    implant: bool = False
    consignment: bool = False
    """Stock in the hospital that belongs to the supplier until it is used."""
    owner: str | None = None
    package_level: str | None = None
    """primary, package or unitOfUse."""
    base_device_identifier: str | None = None
    base_quantity: int = 1
    """Pieces of the base article in one of these."""
    sterile: bool = False
    single_use: bool = False
    lot_required: bool = False
    """The label must carry a lot number; serial and expiry likewise."""
    serial_required: bool = False
    expiry_required: bool = False
    status: ArticleStatus = ArticleStatus.ACTIVE
    status_reason: str | None = None
    status_from: str | None = None
    """`YYYY-MM-DD` from which the status holds; None: at once."""


class NumberRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lot or serial numbers that follow one another: the same letters before, a number between two others behind.

    >>> NumberRange(first="SN0998", last="SN1002").holds("SN1000")
    True
    >>> NumberRange(first="SN0998", last="SN1002").holds("sn1000") is None
    True
    """

    first: str = msgspec.field(name="from")
    last: str = msgspec.field(name="to")

    def holds(self, number: str) -> bool | None:
        """Return whether a number lies in the range; None: only without regard to case, spaces, leading zeros."""
        exact = _within_range(self.first, self.last, number)
        if exact and len(self.first) <= len(number) <= len(self.last):
            return True
        return None if _within_range(*map(_unspaced, (self.first, self.last, number))) else False


class Recall(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A recall of an article, or of some of its devices, or for some time.

    A device is meant when its lot or serial number is listed or in a range (where any are given), and its dates lie
    within the days given. Dates are `YYYY-MM-DD`, first and last day included; None leaves that side open.
    """

    source: str
    """Who recalls: the source of the message."""
    id: str | None = None
    """What a release names it by, such as the number of the manufacturer's field safety notice."""
    reason: str | None = None
    """For the operator; one line."""
    starts: str | None = None
    """First day the recall is in force (FHIR DeviceDefinition.correctiveAction.period)."""
    ends: str | None = None
    """Its last day in force."""
    lots: tuple[str, ...] = ()
    lot_ranges: tuple[NumberRange, ...] = ()
    serials: tuple[str, ...] = ()
    serial_ranges: tuple[NumberRange, ...] = ()
    manufactured_from: str | None = None
    manufactured_to: str | None = None
    expires_from: str | None = None
    expires_to: str | None = None

    def in_force(self, day: str) -> bool:
        """Return whether the recall holds on a day, `YYYY-MM-DD`."""
        return (self.starts or day) <= day <= (self.ends or day)

    def is_whole(self) -> bool:
        """Return whether it recalls every device of the article, without end: then it is the article's status."""
        some = (self.ends, self.manufactured_from, self.manufactured_to, self.expires_from, self.expires_to)
        return not any((self.lots, self.lot_ranges, self.serials, self.serial_ranges, *some))

    def means(self, label: Decoded) -> bool | None:
        """Return whether the device of a label is meant; None: possibly.

        Possibly, where the label lacks what would tell, or its lot or serial number is a listed one only without
        regard to case, spaces and leading zeros: notices are typed by hand.

        >>> Recall(source="x", lots=("A1",)).means(Decoded(ok=True, lot_number="A1"))
        True
        >>> Recall(source="x", lots=("A1",)).means(Decoded(ok=True, lot_number="a1")) is None
        True
        >>> Recall(source="x", lots=("A1",)).means(Decoded(ok=True)) is None
        True
        """
        numbers = [
            _listed(listed, ranges, number)
            for listed, ranges, number in (
                (self.lots, self.lot_ranges, label.lot_number),
                (self.serials, self.serial_ranges, label.serial_number),
            )
            if listed or ranges
        ]
        answers = (
            True if True in numbers or not numbers else None if None in numbers else False,
            _within(label.manufacture_date, self.manufactured_from, self.manufactured_to),
            _within(label.expiration_date, self.expires_from, self.expires_to),
        )
        if False in answers:
            return False
        return None if None in answers else True


def folded(number: str) -> str:
    """Return a lot or serial number without regard to case, spaces and leading zeros.

    >>> folded(" 00l2a 0417")
    'L2A0417'
    """
    return _unspaced(number).lstrip("0") or "0"


def _unspaced(number: str) -> str:
    return "".join(number.split()).upper()


@lru_cache(maxsize=64)
def _all_folded(numbers: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(folded, numbers))


def _listed(listed: tuple[str, ...], ranges: tuple[NumberRange, ...], number: str | None) -> bool | None:
    if number is None:
        return None
    if number in listed:
        return True
    answers = {one.holds(number) for one in ranges}
    if True in answers:
        return True
    return None if None in answers or (listed and folded(number) in _all_folded(listed)) else False


_COUNTED: Final = re.compile(r"(.*?)([0-9]+)", re.DOTALL)


def split_number(number: str) -> tuple[str, int] | None:
    """Return what stands before a number's last digits, and their value; None where it does not end in digits."""
    parts = _COUNTED.fullmatch(number)
    return None if parts is None or len(parts[2]) > MAX_COUNTED_DIGITS else (parts[1], int(parts[2]))


MAX_COUNTED_DIGITS: Final = 64
"""Digits at the end of a lot or serial number; GS1 and HIBC permit at most 20."""


def _within_range(first: str, last: str, number: str) -> bool:
    low, high, found = map(split_number, (first, last, number))
    if low is None or high is None or found is None:
        return number in {first, last}
    return low[0] == high[0] == found[0] and low[1] <= found[1] <= high[1]


def _within(moment: str | None, first: str | None, last: str | None) -> bool | None:
    if first is None and last is None:
        return True
    if moment is None:
        return None
    day = moment[:10]
    return (first or day) <= day <= (last or day)


class LookUp(Struct, frozen=True, kw_only=True):
    """What the article master says of one scan."""

    match: Match
    article: Article | None = None
    """None when `match` is NONE."""
    source: str | None = None
    """Name of the `[[articles.source]]` the row came from."""
    recalls: tuple[Recall, ...] = ()
    """Recalls of some of the article's devices: ask each whether it is `in_force` and `means` the label."""
    master_version: str | None = None
    """When the generation was built, RFC 3339 UTC; None when this box has no article master."""
    master_built_ns: int | None = None
    """The same moment in nanoseconds since 1970 UTC."""

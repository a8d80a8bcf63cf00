"""The judgement on one item. Pure: the label, the master's word and the clock in, a verdict out.

A finding of severity error refuses the scan, a warning accepts it with a remark, an info is only recorded. How much
a rule matters depends on the kind of place (`gateway.station.rules`); a site can weigh it otherwise
(`[station] severity`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

from msgspec import Struct

from drivers.model import InputQuality
from gateway.model import (
    Article,
    ArticleStatus,
    Decoded,
    Disposition,
    Finding,
    LookUp,
    Match,
    Recall,
    Severity,
    Verdict,
)
from gateway.station.assets import Asset, asset_of
from gateway.station.occasion import NO_STORY, PLAIN, Made, Story, remarks
from gateway.station.rules import weight
from gateway.station.settings import StationSettings
from gateway.station.values import Meaning
from gateway.system.clock import NS, ClockReading

SHELF_LABELS: Final = frozenset({Match.ARTICLE_NUMBER, Match.CATALOG_NUMBER})
"""A shelf label stands for the article and carries no production identifiers."""
LOWER_TRUST: Final = frozenset(
    {
        InputQuality.UNTERMINATED,
        InputQuality.NOT_UTF8,
        InputQuality.UNCALIBRATED,
        InputQuality.DROPPED_BEFORE,
    }
)
"""What puts the characters of this scan in doubt; a missing AIM identifier alone does not. A scanner that has never
sent a GS (GS_NEVER_SEEN) is one alarm of the box: said of each label, it would be said of all of them."""
TRACED_CLASSES: Final = frozenset({"III"})
"""Whose single devices must be traceable, implant or not."""
PACKAGES: Final = range(1, 9)
"""GTIN indicator and HIBC unit of measure of a package; 0 is the single unit, 9 a variable measure."""
DAY_SECONDS: Final = 86_400
_ERROR: Final = Severity.ERROR
_NONE: Final = Match.NONE
_UNIT_OF_USE: Final = Match.UNIT_OF_USE
_PACKAGE: Final = Match.PACKAGE
_BLOCKED: Final = ArticleStatus.BLOCKED
_DISCONTINUED: Final = ArticleStatus.DISCONTINUED
_RECALLED: Final = ArticleStatus.RECALLED


class MissingPart(Struct, frozen=True, kw_only=True):
    """What a label lacks whose further symbol was not scanned in time."""

    what: str
    """For a person: `the lot number`, `the device identifier`."""
    element: str | None = None
    """The element it stands in (a GS1 AI, a HIBC field, an ISBT structure) where one can be named."""


class Circumstances(Struct, frozen=True, kw_only=True):
    """What a verdict takes into account beside the label, the master and the clock."""

    redacted: bool = False
    """Something about a person was taken out of the label."""
    quality: frozenset[InputQuality] = frozenset()
    """Of all symbols of the item together."""
    missing: MissingPart | None = None
    interleaved: bool = False
    """Another label was under way when its symbols were joined."""
    entry: Literal["scanned", "keyed", "unlabelled"] = "scanned"
    typed_once: bool = False
    """Lot, serial or donation number was typed, and not typed again."""
    max_age_days: int | None = None
    """`[articles] max_age_days`; None: a master is never too old."""
    meaning: Meaning = PLAIN
    story: Story = NO_STORY


_PLAIN: Final = Circumstances()
CLEAN: Final = Verdict(disposition=Disposition.ACCEPTED)
"""Accepted without a remark."""


def judge(
    decoded: Decoded,
    look_up: LookUp,
    clock: ClockReading,
    settings: StationSettings,
    circumstances: Circumstances = _PLAIN,
) -> Verdict:
    """Judge one item.

    What decoding found counts for a label, whole or half: of a shelf label's text it merely says that it is no UDI.
    """
    is_label = decoded.complete or circumstances.missing is not None
    asset = asset_of(decoded)
    weighed = [_weigh(finding, settings) for finding in (decoded.findings if is_label else ())]
    made = (
        *_expiry(decoded, clock, settings),
        *(
            _article(decoded, look_up, clock, half=circumstances.missing is not None)
            if asset is None and circumstances.entry != "unlabelled"
            else _unit(asset)
            if asset is not None
            else ()
        ),
        *_reading(circumstances),
        *_master(look_up, clock, circumstances.max_age_days),
        *remarks(circumstances.meaning, circumstances.story, decoded, look_up),
    )
    for code, message, element in made:
        severity = weight(code, settings, circumstances.meaning.action)
        if severity is not None:
            weighed.append(Finding(code=code, severity=severity, element=element, message=message))
    if not weighed:
        return CLEAN
    refused = any(finding.severity is _ERROR for finding in weighed)
    return Verdict(disposition=Disposition.REFUSED if refused else Disposition.ACCEPTED, findings=tuple(weighed))


def _weigh(finding: Finding, settings: StationSettings) -> Finding:
    severity = settings.severity.get(finding.code, finding.severity)
    if severity is finding.severity:
        return finding
    return Finding(code=finding.code, severity=severity, element=finding.element, message=finding.message)


def _expiry(decoded: Decoded, clock: ClockReading, settings: StationSettings) -> Iterator[Made]:
    """An article may be used until the end of its expiry date."""
    if decoded.expiration_date is None:
        return
    expires = date.fromisoformat(decoded.expiration_date[:10])
    if expires < clock.certain_date():
        yield "EXPIRED", f"expired on {expires}", None
        return
    if not clock.synchronised:
        yield "CLOCK_UNTRUSTED", "the clock is not synchronised: whether it has expired is not certain", None
    if settings.near_expiry_days and 0 <= (days := (expires - clock.today()).days) <= settings.near_expiry_days:
        yield "EXPIRES_SOON", f"expires on {expires}, in {days} days", None


def _unit(asset: Asset) -> Iterator[Made]:
    if asset.scheme == "SSCC":
        yield "LOGISTIC_UNIT", "the label of a delivery: the articles in it are scanned one by one", "00"


def _article(decoded: Decoded, look_up: LookUp, clock: ClockReading, *, half: bool) -> Iterator[Made]:
    yield from _recalls(decoded, look_up, clock)
    article = look_up.article
    if look_up.match is _NONE or article is None:
        if decoded.complete or not half:  # half a label without a device identifier does not say which article
            yield "ARTICLE_UNKNOWN", "the article is not in the article master; the scan is recorded", None
        return
    if article.status is _BLOCKED and _in_force(article.status_from, clock):
        yield "ARTICLE_BLOCKED", _with_reason("blocked", article.status_reason), None
    if article.status is _DISCONTINUED:
        yield "ARTICLE_DISCONTINUED", _with_reason("no longer sold", article.status_reason), None
    if look_up.match not in SHELF_LABELS:
        yield from _required(decoded, article)
    if look_up.match is _UNIT_OF_USE or article.package_level == "unitOfUse":
        yield "UNIT_OF_USE", "the identifier of one piece inside a package", None
    elif _is_package(decoded, look_up, article):
        pieces = f" of {article.base_quantity}" if article.base_quantity > 1 else ""
        yield "WRONG_PACKAGE_LEVEL", f"the label of a package{pieces}: scan the single article", None
    if article.consignment:
        yield "CONSIGNMENT", f"on consignment: belongs to {article.owner or 'its supplier'}", None


def _recalls(decoded: Decoded, look_up: LookUp, clock: ClockReading) -> Iterator[Made]:
    article = look_up.article
    if article is not None and article.status is _RECALLED and _in_force(article.status_from, clock):
        yield "ARTICLE_RECALLED", _with_reason("recalled", article.status_reason), None
        return
    if not look_up.recalls:
        return
    in_force = [recall for recall in look_up.recalls if _is_on(recall, clock)]
    meant = [(recall, recall.means(decoded)) for recall in in_force]
    for certain, code, message in (
        (True, "ARTICLE_RECALLED", "this one is recalled"),
        (None, "RECALL_POSSIBLE", "some are recalled, and the label does not say whether this is one"),
    ):
        reasons = [recall for recall, whether in meant if whether is certain]
        if reasons:
            yield code, _with_reason(message, reasons[0].reason), None
            return


def _required(decoded: Decoded, article: Article) -> Iterator[Made]:
    """What the master or the law demands on the label."""
    must = "the label of this article must carry"
    if article.lot_required and decoded.lot_number is None:
        yield "LOT_MISSING", f"{must} a lot number", None
    if article.serial_required and decoded.serial_number is None:
        yield "SERIAL_MISSING", f"{must} a serial number", None
    if article.expiry_required and decoded.expiration_date is None:
        yield "EXPIRY_MISSING", f"{must} an expiry date", None
    traced = article.implant or article.risk_class in TRACED_CLASSES
    identified = decoded.lot_number or decoded.serial_number or decoded.donation_identification_number
    if traced and not identified:
        what = "an implant" if article.implant else f"a device of class {article.risk_class}"
        yield "IMPLANT_NOT_TRACEABLE", f"the label of {what} must carry a lot or serial number", None


def _is_package(decoded: Decoded, look_up: LookUp, article: Article) -> bool:
    """The master knows best; where it does not say, the identifier itself."""
    if look_up.match is _PACKAGE:
        return True
    if article.package_level is not None:
        return article.package_level == "package"
    return decoded.package_level in PACKAGES


def _reading(circumstances: Circumstances) -> Iterator[Made]:
    missing = circumstances.missing
    if missing is not None:
        message = f"the label is incomplete, {missing.what} is missing: no further symbol came in time"
        yield "INCOMPLETE_LABEL", message, missing.element
    if circumstances.entry == "unlabelled":
        yield "UNLABELLED", "the item has no label: what it is is not known", None
    if circumstances.entry == "keyed":
        yield "LABEL_KEYED", "the label could not be read, and was typed", None
    if circumstances.typed_once:
        yield "KEYED_ONCE", "lot or serial number was typed once, and not again: read it on the label", None
    if circumstances.interleaved:
        yield "LABELS_INTERLEAVED", "lot or serial number may be another label's: two were begun at once", None
    if circumstances.quality and (doubts := sorted(circumstances.quality & LOWER_TRUST)):
        yield "LOWER_TRUST", f"characters may be missing or be others: {', '.join(doubts)}", None
    if circumstances.redacted:
        yield "PERSON_DATA_REMOVED", "identifiers of a person were removed from the label", None


def _master(look_up: LookUp, clock: ClockReading, max_age_days: int | None) -> Iterator[Made]:
    """With a clock in doubt the age is at least that: the lower bound of now is not before the master's date."""
    if max_age_days is None or look_up.master_built_ns is None:
        return
    now_ns = clock.wall_ns if clock.synchronised else clock.lower_bound_ns
    days = (now_ns - look_up.master_built_ns) // NS // DAY_SECONDS
    if days > max_age_days:
        yield "MASTER_OLD", f"the article master is {days} days old, at most {max_age_days} are wanted", None


def _with_reason(message: str, reason: str | None) -> str:
    return f"{message}: {reason}" if reason else message


def _in_force(starts: str | None, clock: ClockReading) -> bool:
    """A block counts from its date; with a clock that cannot be believed, at once."""
    if starts is None or not clock.synchronised:
        return True
    return date.fromisoformat(starts) <= clock.today()


def _is_on(recall: Recall, clock: ClockReading) -> bool:
    """A recall that has ended counts for as long as the end may not have come."""
    over = recall.ends is not None and date.fromisoformat(recall.ends) < clock.certain_date()
    return _in_force(recall.starts, clock) and not over

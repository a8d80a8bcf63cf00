"""The rules on what is accepted. Pure: the label, the master's word and the clock in, a verdict out.

A finding of severity error refuses the scan, a warning accepts it with a remark, an info is only recorded. A site
can give a finding another severity (`[station] severity`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from gateway.clock import ClockReading
from gateway.model import (
    Article,
    ArticleStatus,
    Decoded,
    Disposition,
    Finding,
    LookUp,
    Match,
    Severity,
    Verdict,
)
from gateway.station.settings import StationSettings

RULES: Final[dict[str, tuple[Severity, str]]] = {
    "ARTICLE_UNKNOWN": (Severity.WARNING, "The article is not in the article master of this box."),
    "ARTICLE_BLOCKED": (Severity.ERROR, "The article master says that the article must not be used."),
    "ARTICLE_RECALLED": (Severity.ERROR, "The article has been recalled."),
    "EXPIRED": (Severity.ERROR, "The expiry date has passed."),
    "EXPIRES_SOON": (Severity.WARNING, "The expiry date is near (`near_expiry_days`)."),
    "CLOCK_UNTRUSTED": (Severity.INFO, "Whether the expiry date has passed is not certain: the clock is not set."),
    "LOT_MISSING": (Severity.WARNING, "The article's label must carry a lot number, and this one does not."),
    "SERIAL_MISSING": (Severity.WARNING, "The article's label must carry a serial number, and this one does not."),
    "EXPIRY_MISSING": (Severity.WARNING, "The article's label must carry an expiry date, and this one does not."),
    "PERSON_DATA_REMOVED": (Severity.WARNING, "The label held identifiers of a person; they were removed."),
}
"""Every finding made here, its severity and meaning. Those of the label's own faults come from decoding."""


def judge(
    decoded: Decoded,
    look_up: LookUp,
    clock: ClockReading,
    settings: StationSettings,
    *,
    redacted: bool = False,
) -> Verdict:
    """Judge one item. `redacted`: something about a person was taken out of it.

    What decoding found counts only for a label: of a shelf label's text it merely says that it is no UDI.
    """
    faults = decoded.findings if decoded.complete else ()
    findings = [*faults, *_expiry(decoded, clock, settings), *_article(decoded, look_up, clock)]
    if redacted:
        findings.append(_finding("PERSON_DATA_REMOVED", "identifiers of a person were removed from the label"))
    weighed = tuple(_weigh(finding, settings) for finding in findings)
    refused = any(finding.severity is Severity.ERROR for finding in weighed)
    return Verdict(disposition=Disposition.REFUSED if refused else Disposition.ACCEPTED, findings=weighed)


def _finding(code: str, message: str, element: str | None = None) -> Finding:
    return Finding(code=code, severity=RULES[code][0], element=element, message=message)


def _weigh(finding: Finding, settings: StationSettings) -> Finding:
    severity = settings.severity.get(finding.code, finding.severity)
    if severity is finding.severity:
        return finding
    return Finding(code=finding.code, severity=severity, element=finding.element, message=finding.message)


def _expiry(decoded: Decoded, clock: ClockReading, settings: StationSettings) -> Iterator[Finding]:
    """An article may be used until the end of its expiry date."""
    if decoded.expiration_date is None:
        return
    expires = date.fromisoformat(decoded.expiration_date[:10])
    if expires < clock.certain_date():
        yield _finding("EXPIRED", f"expired on {expires}")
        return
    if not clock.synchronised:
        yield _finding("CLOCK_UNTRUSTED", "the clock is not synchronised: whether it has expired is not certain")
    days = (expires - clock.today()).days
    if 0 <= days <= settings.near_expiry_days and settings.near_expiry_days:
        yield _finding("EXPIRES_SOON", f"expires on {expires}, in {days} days")


def _article(decoded: Decoded, look_up: LookUp, clock: ClockReading) -> Iterator[Finding]:
    article = look_up.article
    if look_up.match is Match.NONE or article is None:
        yield _finding("ARTICLE_UNKNOWN", "the article is not in the article master; the scan is recorded")
        return
    if article.status is not ArticleStatus.ACTIVE and _in_force(article, clock):
        code = "ARTICLE_RECALLED" if article.status is ArticleStatus.RECALLED else "ARTICLE_BLOCKED"
        reason = f": {article.status_reason}" if article.status_reason else ""
        yield _finding(code, f"{article.status.value}{reason}")
    if look_up.match in {Match.ARTICLE_NUMBER, Match.CATALOG_NUMBER}:
        return  # a shelf label stands for the article and carries no production identifiers
    for required, value, code, what in (
        (article.lot_required, decoded.lot_number, "LOT_MISSING", "a lot number"),
        (article.serial_required, decoded.serial_number, "SERIAL_MISSING", "a serial number"),
        (article.expiry_required, decoded.expiration_date, "EXPIRY_MISSING", "an expiry date"),
    ):
        if required and value is None:
            yield _finding(code, f"the label of this article must carry {what}")


def _in_force(article: Article, clock: ClockReading) -> bool:
    """A block counts from its date; with a clock that cannot be believed, at once."""
    if article.status_from is None or not clock.synchronised:
        return True
    return date.fromisoformat(article.status_from) <= clock.today()

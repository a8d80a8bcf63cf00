"""Every rule on what is accepted, at its boundaries. The clock of these tests runs in Europe/Stockholm."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pytest

from gateway.model import Article, ArticleStatus, Decoded, Disposition, Finding, LookUp, Match, Recall, Severity
from gateway.station.rules import RULES
from gateway.station.settings import StationSettings
from gateway.station.verdict import judge
from gateway.system.clock import ClockReading
from tests.outbox.events import BOOT


@pytest.fixture(autouse=True)
def stockholm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Stockholm")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000


def clock(
    now: str = "2026-11-21T12:00:00+01:00", *, sure: bool = True, at_least: str | None = None
) -> ClockReading:
    return ClockReading(
        wall_ns=ns(now), monotonic_ns=1, boot_id=BOOT, synchronised=sure, lower_bound_ns=ns(at_least or now)
    )


LABEL = Decoded(ok=True, device_identifier="09520001000102", complete=True)
KNOWN = LookUp(match=Match.DI, article=Article(), master_version="v")
UNKNOWN = LookUp(match=Match.NONE, master_version="v")
DEFAULTS = StationSettings()
UNSET_1970 = clock("1970-01-01T01:00:10+01:00", sure=False, at_least="2026-11-20T00:00:00+01:00")


def label(**fields: Any) -> Decoded:  # noqa: ANN401 - fields of Decoded
    return msgspec.structs.replace(LABEL, **fields)


def article(match: Match = Match.DI, **fields: Any) -> LookUp:  # noqa: ANN401 - fields of Article
    return msgspec.structs.replace(KNOWN, match=match, article=Article(**fields))


def expires(day: str) -> Decoded:
    return label(expiration_date=day)


FAULT = Finding(code="GS1_CHECK_DIGIT", severity=Severity.ERROR, element="01", message="m")
ODD = Finding(code="GS1_DATE", severity=Severity.WARNING, message="m")
SOON = StationSettings(near_expiry_days=30)
ALL_REQUIRED: dict[str, Any] = {"lot_required": True, "serial_required": True, "expiry_required": True}
BLOCKED: dict[str, Any] = {"status": ArticleStatus.BLOCKED}
RECALLED: dict[str, Any] = {"status": ArticleStatus.RECALLED}

Case = tuple[str, Decoded, LookUp, ClockReading, StationSettings, list[str], str]
"""What it is, label, master, clock, settings; the codes found in order, and the disposition."""
CASES: list[Case] = [
    ("nothing to remark", LABEL, KNOWN, clock(), DEFAULTS, [], "accepted"),
    ("a fault of the label", label(findings=(FAULT,)), KNOWN, clock(), DEFAULTS, ["GS1_CHECK_DIGIT"], "refused"),
    ("an oddity", label(findings=(ODD,)), KNOWN, clock(), DEFAULTS, ["GS1_DATE"], "accepted"),
    (
        "a shelf label is no faulty UDI",
        Decoded(ok=False, findings=(FAULT,)),
        article(Match.ARTICLE_NUMBER),
        clock(),
        DEFAULTS,
        [],
        "accepted",
    ),
    # the master
    ("unknown", LABEL, UNKNOWN, clock(), DEFAULTS, ["ARTICLE_UNKNOWN"], "accepted"),
    ("blocked", LABEL, article(**BLOCKED), clock(), DEFAULTS, ["ARTICLE_BLOCKED"], "refused"),
    ("recalled", LABEL, article(**RECALLED), clock(), DEFAULTS, ["ARTICLE_RECALLED"], "refused"),
    (
        "from today",
        LABEL,
        article(**BLOCKED, status_from="2026-11-21"),
        clock(),
        DEFAULTS,
        ["ARTICLE_BLOCKED"],
        "refused",
    ),
    ("from tomorrow", LABEL, article(**BLOCKED, status_from="2026-11-22"), clock(), DEFAULTS, [], "accepted"),
    (
        "from tomorrow, by a clock that is not set",
        LABEL,
        article(**RECALLED, status_from="2026-11-22"),
        clock(sure=False),
        DEFAULTS,
        ["ARTICLE_RECALLED"],
        "refused",
    ),
    (
        "what must be on the label",
        LABEL,
        article(**ALL_REQUIRED),
        clock(),
        DEFAULTS,
        ["LOT_MISSING", "SERIAL_MISSING", "EXPIRY_MISSING"],
        "accepted",
    ),
    (
        "and is",
        label(lot_number="L", serial_number="S", expiration_date="2030-01-01"),
        article(**ALL_REQUIRED),
        clock(),
        DEFAULTS,
        [],
        "accepted",
    ),
    (
        "a shelf label carries none",
        LABEL,
        article(Match.CATALOG_NUMBER, **ALL_REQUIRED),
        clock(),
        DEFAULTS,
        [],
        "accepted",
    ),
    (
        "a package does",
        LABEL,
        article(Match.PACKAGE, lot_required=True),
        clock(),
        DEFAULTS,
        ["LOT_MISSING"],
        "accepted",
    ),
    # the expiry date: usable until its end, local time
    ("yesterday", expires("2026-11-20"), KNOWN, clock(), DEFAULTS, ["EXPIRED"], "refused"),
    ("today", expires("2026-11-21"), KNOWN, clock("2026-11-21T23:59:59+01:00"), DEFAULTS, [], "accepted"),
    (
        "midnight",
        expires("2026-11-21"),
        KNOWN,
        clock("2026-11-22T00:00:00+01:00"),
        DEFAULTS,
        ["EXPIRED"],
        "refused",
    ),
    ("with hours", expires("2026-11-20T23:00"), KNOWN, clock(), DEFAULTS, ["EXPIRED"], "refused"),
    ("in 31 days", expires("2026-12-22"), KNOWN, clock(), SOON, [], "accepted"),
    ("in 30 days", expires("2026-12-21"), KNOWN, clock(), SOON, ["EXPIRES_SOON"], "accepted"),
    ("today, soon", expires("2026-11-21"), KNOWN, clock(), SOON, ["EXPIRES_SOON"], "accepted"),
    ("soon is not asked for", expires("2026-11-21"), KNOWN, clock(), DEFAULTS, [], "accepted"),
    # a clock that is not set: expired only against what is certain
    ("certainly expired", expires("2026-11-19"), KNOWN, UNSET_1970, DEFAULTS, ["EXPIRED"], "refused"),
    ("perhaps expired", expires("2026-11-20"), KNOWN, UNSET_1970, DEFAULTS, ["CLOCK_UNTRUSTED"], "accepted"),
    (
        "a clock far in the future proves nothing",
        expires("2026-11-25"),
        KNOWN,
        clock("2036-01-01T00:00:00+01:00", sure=False, at_least="2026-11-20T00:00:00+01:00"),
        DEFAULTS,
        ["CLOCK_UNTRUSTED"],
        "accepted",
    ),
    (
        "perhaps, and soon",
        expires("2026-11-25"),
        KNOWN,
        UNSET_1970,
        SOON,
        ["CLOCK_UNTRUSTED", "EXPIRES_SOON"],
        "accepted",
    ),
    # the site's own weights
    (
        "unknown is refused here",
        LABEL,
        UNKNOWN,
        clock(),
        StationSettings(severity={"ARTICLE_UNKNOWN": Severity.ERROR}),
        ["ARTICLE_UNKNOWN"],
        "refused",
    ),
    (
        "expired is only noted here",
        expires("2026-11-20"),
        KNOWN,
        clock(),
        StationSettings(severity={"EXPIRED": Severity.INFO}),
        ["EXPIRED"],
        "accepted",
    ),
    (
        "a fault of the label is let pass here",
        label(findings=(FAULT,)),
        KNOWN,
        clock(),
        StationSettings(severity={"GS1_CHECK_DIGIT": Severity.WARNING}),
        ["GS1_CHECK_DIGIT"],
        "accepted",
    ),
]


@pytest.mark.parametrize(
    ("decoded", "look_up", "now", "settings", "codes", "disposition"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_rule(
    decoded: Decoded,
    look_up: LookUp,
    now: ClockReading,
    settings: StationSettings,
    codes: list[str],
    disposition: str,
) -> None:
    verdict = judge(decoded, look_up, now, settings)
    assert [finding.code for finding in verdict.findings] == codes
    assert verdict.disposition == disposition
    for finding in verdict.findings:
        rule = RULES.get(finding.code)
        own = finding.severity if rule is None else rule.severity(settings.profile)
        assert finding.severity is settings.severity.get(finding.code, own)
        assert finding.message


AHEAD = clock("2026-12-24T12:00:00+01:00", sure=False, at_least="2026-11-20T00:00:00+01:00")
"""A clock that is not set, and a month ahead of what is certain."""


def test_a_recall_counts_until_its_end_is_certain() -> None:
    recall = Recall(source="s", ends="2026-12-01")
    recalled = msgspec.structs.replace(KNOWN, recalls=(recall,))
    found = [
        {one.code for one in judge(LABEL, recalled, now, DEFAULTS).findings} & {"ARTICLE_RECALLED"}
        for now in (clock("2026-12-01T23:00:00+01:00"), clock("2026-12-02T01:00:00+01:00"), AHEAD)
    ]
    assert found == [{"ARTICLE_RECALLED"}, set(), {"ARTICLE_RECALLED"}]


def test_what_may_have_expired_does_not_expire_soon() -> None:
    codes = [one.code for one in judge(expires("2026-12-01"), KNOWN, AHEAD, SOON).findings]
    assert codes == ["CLOCK_UNTRUSTED"]


@pytest.mark.parametrize(
    ("severity", "warned"), [(Severity.INFO, False), (Severity.WARNING, True), (Severity.ERROR, False)]
)
def test_warned_is_accepted_with_a_remark(severity: Severity, warned: bool) -> None:  # noqa: FBT001 - a column
    verdict = judge(LABEL, UNKNOWN, clock(), StationSettings(severity={"ARTICLE_UNKNOWN": severity}))
    assert verdict.warned is warned
    assert verdict.disposition is (Disposition.REFUSED if severity is Severity.ERROR else Disposition.ACCEPTED)

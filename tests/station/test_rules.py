"""Every rule in every kind of place: when it speaks, when it is silent, and how much it matters."""

import time
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import msgspec
import pytest

from drivers.model import InputQuality
from gateway.model import Article, ArticleStatus, Decoded, Finding, Issuer, LookUp, Match, Recall, Severity
from gateway.station.context import ContextItem, ContextKind
from gateway.station.occasion import Story
from gateway.station.rules import PROFILES, RULES, ProfileName, weight
from gateway.station.settings import Action, StationSettings
from gateway.station.values import Meaning
from gateway.station.verdict import LOWER_TRUST, Circumstances, MissingPart, judge
from gateway.system.clock import NS, ClockReading
from tests.outbox.events import BOOT

NOON = 1_795_258_800 * NS
"""2026-11-21T12:00:00 in UTC + 1 h, the zone of this test."""
DAY = 86_400 * NS


@pytest.fixture(autouse=True)
def one_hour_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


CLOCK = ClockReading(wall_ns=NOON, monotonic_ns=1, boot_id=BOOT, synchronised=True, lower_bound_ns=NOON)
UNSET = msgspec.structs.replace(CLOCK, wall_ns=0, synchronised=False, lower_bound_ns=NOON - 30 * DAY)
LABEL = Decoded(ok=True, issuer=Issuer.GS1, device_identifier="09520001000102", lot_number="L1", complete=True)
BARE = msgspec.structs.replace(LABEL, lot_number=None)


def label(**fields: Any) -> Decoded:  # noqa: ANN401 - fields of Decoded
    return msgspec.structs.replace(LABEL, **fields)


def known(match: Match = Match.DI, recalls: tuple[Recall, ...] = (), **fields: Any) -> LookUp:  # noqa: ANN401
    return LookUp(match=match, article=Article(**fields), recalls=recalls, master_version="v")


def recall(**fields: Any) -> LookUp:  # noqa: ANN401 - fields of Recall
    return known(recalls=(Recall(source="supplier", reason="cracks", **fields),))


class Case(NamedTuple):
    code: str
    what: str
    speaks: bool
    decoded: Decoded = LABEL
    look_up: LookUp = known()
    clock: ClockReading = CLOCK
    circumstances: Circumstances = Circumstances()


def built(days_ago: int) -> LookUp:
    return msgspec.structs.replace(known(), master_built_ns=NOON - days_ago * DAY)


def trust(quality: InputQuality) -> Circumstances:
    return Circumstances(quality=frozenset({quality}))


def meant(**fields: Any) -> Circumstances:  # noqa: ANN401 - fields of Meaning
    return Circumstances(meaning=Meaning(**{"action": "consume", **fields}))


def lacking(kind: ContextKind) -> Circumstances:
    return meant(lacks=frozenset({kind}))


IMPLANT = known(implant=True)
SOME_CASE = ContextItem(kind="case", value="orbit:OP-1")
RECALLED: dict[str, Any] = {"status": ArticleStatus.RECALLED}
BLOCKED: dict[str, Any] = {"status": ArticleStatus.BLOCKED}
UNKNOWN = LookUp(match=Match.NONE, master_version="v")
CASES = [
    Case("ARTICLE_UNKNOWN", "the master has no such article", True, look_up=UNKNOWN),
    Case("ARTICLE_UNKNOWN", "there is no master", True, look_up=LookUp(match=Match.NONE)),
    Case("ARTICLE_UNKNOWN", "it knows it", False),
    Case("ARTICLE_UNKNOWN", "half a label does not say which", False, Decoded(ok=True, lot_number="L1"), UNKNOWN,
         circumstances=Circumstances(missing=MissingPart(what="the device identifier"))),
    Case("ARTICLE_BLOCKED", "at once", True, look_up=known(**BLOCKED)),
    Case("ARTICLE_BLOCKED", "from today", True, look_up=known(**BLOCKED, status_from="2026-11-21")),
    Case("ARTICLE_BLOCKED", "from tomorrow", False, look_up=known(**BLOCKED, status_from="2026-11-22")),
    Case("ARTICLE_BLOCKED", "a recalled one is that", False, look_up=known(**RECALLED)),
    Case("ARTICLE_DISCONTINUED", "no longer sold", True, look_up=known(status=ArticleStatus.DISCONTINUED)),
    Case("ARTICLE_DISCONTINUED", "a blocked one is that", False, look_up=known(**BLOCKED)),
    Case("ARTICLE_RECALLED", "all of the article", True, look_up=known(**RECALLED)),
    Case("ARTICLE_RECALLED", "from tomorrow", False, look_up=known(**RECALLED, status_from="2026-11-22")),
    Case("ARTICLE_RECALLED", "this lot", True, look_up=recall(lots=("L0", "L1"))),
    Case("ARTICLE_RECALLED", "this serial", True, label(serial_number="S1"), recall(serials=("S1",))),
    Case("ARTICLE_RECALLED", "another lot", False, look_up=recall(lots=("L0",))),
    Case("ARTICLE_RECALLED", "every one of these days", True, look_up=recall(starts="2026-11-01")),
    Case("ARTICLE_RECALLED", "its last day", True, look_up=recall(lots=("L1",), ends="2026-11-21")),
    Case("ARTICLE_RECALLED", "over", False, look_up=recall(lots=("L1",), ends="2026-11-20")),
    Case("ARTICLE_RECALLED", "over, by a clock not set", True, LABEL, recall(ends="2026-11-20"), UNSET),
    Case("ARTICLE_RECALLED", "not yet begun", False, look_up=recall(lots=("L1",), starts="2026-11-22")),
    Case("ARTICLE_RECALLED", "the label does not say the lot", False, BARE, recall(lots=("L1",))),
    Case("RECALL_POSSIBLE", "the label does not say the lot", True, BARE, recall(lots=("L1",))),
    Case("RECALL_POSSIBLE", "a shelf label never does", True, BARE, recall(serials=("S1",))),
    Case("RECALL_POSSIBLE", "the label says another lot", False, LABEL, recall(lots=("L0",))),
    Case("RECALL_POSSIBLE", "it is certain", False, LABEL, recall(lots=("L1",))),
    Case("EXPIRED", "yesterday", True, label(expiration_date="2026-11-20")),
    Case("EXPIRED", "today is its last day", False, label(expiration_date="2026-11-21")),
    Case("EXPIRED", "certain without a clock", True, label(expiration_date="2026-10-21"), clock=UNSET),
    Case("EXPIRED", "perhaps", False, label(expiration_date="2026-10-22"), clock=UNSET),
    Case("EXPIRES_SOON", "in 30 days", True, label(expiration_date="2026-12-21")),
    Case("EXPIRES_SOON", "in 31 days", False, label(expiration_date="2026-12-22")),
    Case("CLOCK_UNTRUSTED", "the clock is not set", True, label(expiration_date="2027-01-01"), clock=UNSET),
    Case("CLOCK_UNTRUSTED", "nothing to be judged by it", False, clock=UNSET),
    Case("LOT_MISSING", "the master demands it", True, BARE, known(lot_required=True)),
    Case("LOT_MISSING", "there it is", False, LABEL, known(lot_required=True)),
    Case("LOT_MISSING", "not demanded", False, BARE),
    Case("LOT_MISSING", "a shelf label", False, BARE, known(Match.ARTICLE_NUMBER, lot_required=True)),
    Case("LOT_MISSING", "a package's label", True, BARE, known(Match.PACKAGE, lot_required=True)),
    Case("SERIAL_MISSING", "the master demands it", True, LABEL, known(serial_required=True)),
    Case("SERIAL_MISSING", "there it is", False, label(serial_number="S"), known(serial_required=True)),
    Case("EXPIRY_MISSING", "the master demands it", True, LABEL, known(expiry_required=True)),
    Case("EXPIRY_MISSING", "it is", False, label(expiration_date="2030-01-01"), known(expiry_required=True)),
    Case("IMPLANT_NOT_TRACEABLE", "an implant without both", True, BARE, known(implant=True)),
    Case("IMPLANT_NOT_TRACEABLE", "of class IIb", True, BARE, known(implant=True, risk_class="IIb")),
    Case("IMPLANT_NOT_TRACEABLE", "a device of class III", True, BARE, known(risk_class="III")),
    Case("IMPLANT_NOT_TRACEABLE", "a device of class IIb", False, BARE, known(risk_class="IIb")),
    Case("IMPLANT_NOT_TRACEABLE", "with a lot", False, LABEL, known(implant=True)),
    Case("IMPLANT_NOT_TRACEABLE", "a graft's donation number", False,
         label(lot_number=None, donation_identification_number="G123417654321"), known(implant=True)),
    Case("IMPLANT_NOT_TRACEABLE", "a shelf label", False, BARE, known(Match.CATALOG_NUMBER, implant=True)),
    Case("WRONG_PACKAGE_LEVEL", "the master's package", True, look_up=known(Match.PACKAGE, base_quantity=10)),
    Case("WRONG_PACKAGE_LEVEL", "so marked", True, look_up=known(package_level="package")),
    Case("WRONG_PACKAGE_LEVEL", "GTIN indicator 1", True, label(package_level=1)),
    Case("WRONG_PACKAGE_LEVEL", "HIBC unit of measure 0", False, label(package_level=0)),
    Case("WRONG_PACKAGE_LEVEL", "a variable measure", False, label(package_level=9)),
    Case("WRONG_PACKAGE_LEVEL", "but primary", False, label(package_level=1), known(package_level="primary")),
    Case("UNIT_OF_USE", "found as that", True, look_up=known(Match.UNIT_OF_USE)),
    Case("UNIT_OF_USE", "so marked", True, look_up=known(package_level="unitOfUse")),
    Case("UNIT_OF_USE", "a primary package", False, look_up=known(package_level="primary")),
    Case("CONSIGNMENT", "with an owner", True, look_up=known(consignment=True, owner="Implant AB")),
    Case("CONSIGNMENT", "owned", False, look_up=known(owner="Implant AB")),
    Case("INCOMPLETE_LABEL", "the lot did not come", True, BARE,
         circumstances=Circumstances(missing=MissingPart(what="the lot number", element="10"))),
    Case("INCOMPLETE_LABEL", "all is there", False),
    Case("LABELS_INTERLEAVED", "another label was under way", True, circumstances=Circumstances(interleaved=True)),
    Case("LABELS_INTERLEAVED", "none was", False),
    Case("LABEL_KEYED", "a part was typed", True, circumstances=Circumstances(entry="keyed")),
    Case("LABEL_KEYED", "it was scanned", False),
    Case("KEYED_ONCE", "not typed again", True, circumstances=Circumstances(entry="keyed", typed_once=True)),
    Case("KEYED_ONCE", "typed twice", False, circumstances=Circumstances(entry="keyed")),
    Case("UNLABELLED", "no label", True, circumstances=Circumstances(entry="unlabelled")),
    Case("UNLABELLED", "a label", False),
    Case("LOGISTIC_UNIT", "an SSCC", True, Decoded(ok=True, issuer=Issuer.GS1, elements=(("00", "3" * 18),))),
    Case("LOGISTIC_UNIT", "an article", False),
    *(Case("LOWER_TRUST", quality.value, quality in LOWER_TRUST, circumstances=trust(quality))
      for quality in InputQuality),
    Case("MASTER_OLD", "8 days, 7 allowed", True, look_up=built(8), circumstances=Circumstances(max_age_days=7)),
    Case("MASTER_OLD", "7 days", False, look_up=built(7), circumstances=Circumstances(max_age_days=7)),
    Case("MASTER_OLD", "no age is set", False, look_up=built(1000)),
    Case("MASTER_OLD", "no master", False, circumstances=Circumstances(max_age_days=7)),
    Case("NO_PATIENT", "one was set, and has ended", True, look_up=IMPLANT, circumstances=lacking("patient")),
    Case("NO_PATIENT", "no implant", False, circumstances=lacking("patient")),
    Case("NO_PATIENT", "the case has ended", False, look_up=IMPLANT, circumstances=lacking("case")),
    Case("NO_PATIENT", "it is thrown away", False, look_up=IMPLANT,
         circumstances=meant(action="discard", lacks=frozenset({"patient"}))),
    Case("NO_CASE", "one was set, and has ended", True, look_up=IMPLANT, circumstances=lacking("case")),
    Case("NO_CASE", "none was ever set", False, look_up=IMPLANT),
    Case("CONTEXT_RESTORED", "nobody has confirmed it", True,
         circumstances=meant(restored=True, context=(SOME_CASE,))),
    Case("CONTEXT_RESTORED", "it was scanned", False, circumstances=meant(context=(SOME_CASE,))),
    Case("ACTION_ENDED", "receiving ended", True, circumstances=meant(fell_back="receive")),
    Case("ACTION_ENDED", "and was chosen again", False, circumstances=meant(action="receive", fell_back="receive")),
    Case("QUANTITY_ENDED", "a quantity ended", True, circumstances=meant(quantity_ended=True)),
    Case("QUANTITY_ENDED", "and was given again", False,
         circumstances=meant(quantity_ended=True, quantity=3, quantity_given=True)),
    Case("IMPLANT_NOT_USED", "discarded", True, look_up=IMPLANT, circumstances=meant(action="discard")),
    Case("IMPLANT_NOT_USED", "returned", True, look_up=IMPLANT, circumstances=meant(action="return")),
    Case("IMPLANT_NOT_USED", "taken out: it was used", False, look_up=IMPLANT,
         circumstances=meant(action="explant")),
    Case("QUANTITY_OF_SERIAL", "six of a serial number", True, label(serial_number="S"),
         circumstances=meant(quantity=6)),
    Case("QUANTITY_OF_SERIAL", "one of it", False, label(serial_number="S")),
    Case("QUANTITY_OF_SERIAL", "six of a lot", False, circumstances=meant(quantity=6)),
    Case("QUANTITY_ZERO", "none consumed", True, circumstances=meant(quantity=0)),
    Case("QUANTITY_ZERO", "none counted", False, circumstances=meant(action="inventory", quantity=0)),
    Case("SERIAL_USED", "by another event", True, circumstances=Circumstances(story=Story(used_before="e1"))),
    Case("SERIAL_USED", "a repeat within its time", False, circumstances=Circumstances(story=Story(repeats="e1"))),
    Case("NO_DESTINATION", "a transfer to nowhere", True, circumstances=meant(action="transfer")),
    Case("NO_DESTINATION", "to a place", False, circumstances=meant(action="transfer", destination="ward:7")),
    Case("CARTON_AGAIN", "at once", True, circumstances=Circumstances(story=Story(carton_again=True))),
    Case("CARTON_AGAIN", "a first one", False),
    Case("COUNTED_BEFORE", "by another", True, circumstances=Circumstances(story=Story(counted_by_another=True))),
    Case("COUNTED_BEFORE", "by nobody", False),
    Case("PERSON_DATA_REMOVED", "some was", True, circumstances=Circumstances(redacted=True)),
]  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("case", CASES, ids=[f"{case.code}: {case.what}" for case in CASES])
def test_rule(case: Case, profile: ProfileName) -> None:
    settings = StationSettings(profile=profile, near_expiry_days=30)
    verdict = judge(case.decoded, case.look_up, case.clock, settings, case.circumstances)
    severity = weight(case.code, settings, case.circumstances.meaning.action)
    found = {finding.code: finding for finding in verdict.findings}
    assert (case.code in found) is (case.speaks and severity is not None)
    if case.code in found:
        assert found[case.code].severity is severity
        assert found[case.code].message
        assert (verdict.disposition == "refused") is ("error" in {one.severity for one in verdict.findings})


def test_every_rule_speaks_and_is_silent() -> None:
    always = {"PERSON_DATA_REMOVED"}
    assert {case.code for case in CASES if case.speaks} == set(RULES)
    assert {case.code for case in CASES if not case.speaks} == set(RULES) - always


SEVERITIES = {
    # code: operating-room, supply-room, clinic; what is not listed weighs the same everywhere
    "EXPIRED": ("warning", "error", "error"),
    "EXPIRES_SOON": ("info", "warning", "warning"),
    "RECALL_POSSIBLE": ("warning", "error", "error"),
    "IMPLANT_NOT_TRACEABLE": ("warning", "error", "error"),
    "WRONG_PACKAGE_LEVEL": ("warning", None, "warning"),
    "LOGISTIC_UNIT": ("warning", "info", "warning"),
    "NO_PATIENT": ("warning", None, "warning"),
    "NO_CASE": ("warning", None, "warning"),
    "CONTEXT_RESTORED": ("warning", None, "warning"),
}


@pytest.mark.parametrize("code", RULES)
def test_severity_of_each_profile(code: str) -> None:
    """Frozen here, so that a change of the table is seen twice."""
    weights = tuple(RULES[code].severity(profile) for profile in PROFILES)
    assert weights == SEVERITIES.get(code, (weights[0],) * 3)
    assert RULES[code].meaning.endswith(".")
    assert RULES[code].source


WEIGHTS = [
    # moment, action, code, operating-room, supply-room
    (None, "consume", "EXPIRED", "warning", "error"),
    (None, "consume", "ARTICLE_RECALLED", "error", "error"),
    ("before", "consume", "EXPIRED", "error", "error"),
    ("before", "consume", "RECALL_POSSIBLE", "error", "error"),
    ("before", "consume", "EXPIRES_SOON", "info", "warning"),
    ("after", "consume", "ARTICLE_RECALLED", "warning", "error"),
    ("after", "consume", "ARTICLE_BLOCKED", "warning", "error"),
    *((moment, action, code, "info", "info")
      for moment in (None, "before", "after")
      for action in ("discard", "return", "explant")
      for code in ("EXPIRED", "ARTICLE_RECALLED", "ARTICLE_BLOCKED", "RECALL_POSSIBLE", "IMPLANT_NOT_TRACEABLE")),
    *((moment, action, code, "warning", "warning")
      for moment in (None, "before", "after")
      for action in ("receive", "inventory", "order", "transfer")
      for code in ("EXPIRED", "ARTICLE_RECALLED", "ARTICLE_BLOCKED")),
    (None, "discard", "LOWER_TRUST", "warning", "warning"),
]  # fmt: skip


@pytest.mark.parametrize(("moment", "action", "code", "theatre", "store"), WEIGHTS)
def test_what_may_not_be_used_may_be_thrown_away_and_counted(
    moment: Literal["before", "after"] | None,
    action: Action,
    code: str,
    theatre: str,
    store: str,
) -> None:
    """MDR Art. 27(9): what is in the patient is recorded; before that, what must not be used stops the hand."""
    in_theatre = StationSettings(profile="operating-room", moment=moment)
    in_store = StationSettings(profile="supply-room", moment=moment)
    assert (weight(code, in_theatre, action), weight(code, in_store, action)) == (theatre, store)


def test_a_sites_own_severity_does_not_keep_expired_articles_from_being_thrown_away() -> None:
    strict = StationSettings(severity={"EXPIRED": Severity.ERROR})
    assert weight("EXPIRED", strict, "consume") is Severity.ERROR
    assert weight("EXPIRED", strict, "discard") is Severity.INFO


@pytest.mark.parametrize(
    ("look_up", "decoded", "words"),
    [
        (recall(lots=("L1",)), LABEL, "this one is recalled: cracks"),
        (known(**BLOCKED, status_reason="contract ended"), LABEL, "blocked: contract ended"),
        (known(consignment=True, owner="Implant AB"), LABEL, "on consignment: belongs to Implant AB"),
        (known(consignment=True), LABEL, "on consignment: belongs to its supplier"),
        (known(Match.PACKAGE, base_quantity=10), LABEL, "the label of a package of 10: scan the single article"),
    ],
)
def test_what_the_operator_is_told(look_up: LookUp, decoded: Decoded, words: str) -> None:
    verdict = judge(decoded, look_up, CLOCK, StationSettings(profile="operating-room"))
    assert words in [finding.message for finding in verdict.findings]


def test_the_missing_part_is_named() -> None:
    missing = MissingPart(what="the lot number", element="10")
    verdict = judge(BARE, known(), CLOCK, StationSettings(), Circumstances(missing=missing))
    (finding,) = verdict.findings
    assert finding.element == "10"
    assert "the lot number" in finding.message


def test_half_a_label_keeps_its_faults() -> None:
    """A second symbol that was left alone: what decoding found of it still counts."""
    fault = Finding(code="GS1_DATE", severity=Severity.ERROR, message="m")
    half = Decoded(ok=False, issuer=Issuer.GS1, lot_number="L1", findings=(fault,))
    missing = MissingPart(what="the device identifier", element="01")
    verdict = judge(half, UNKNOWN, CLOCK, StationSettings(), Circumstances(missing=missing))
    assert [one.code for one in verdict.findings] == ["GS1_DATE", "INCOMPLETE_LABEL"]
    assert verdict.disposition == "refused"


def test_recalled_once_only() -> None:
    """A recall of the article and one of its lot are one finding."""
    both = msgspec.structs.replace(known(**RECALLED), recalls=(Recall(source="s", lots=("L1",)),))
    assert [one.code for one in judge(LABEL, both, CLOCK, StationSettings()).findings] == ["ARTICLE_RECALLED"]

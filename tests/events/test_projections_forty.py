"""Every kind of event through each projection of `outbox export`, judged by code that is not ours."""

import json
from typing import Any, get_args

import msgspec
import pytest

from gateway.events.cloudevent import CASE_TYPE, EventAction
from gateway.events.exports import epcis, fhir, fhir_transaction, hl7v2
from gateway.events.exports.acts import Acts
from tests.events.forty import JOURNAL, judge_epcis, judge_fhir, judge_hl7v2, stored

CREATED = "2026-11-28T02:00:00Z"


def test_every_kind_of_event_is_among_them() -> None:
    found = [msgspec.json.decode(body) for body in JOURNAL]
    data = [one["data"] for one in found]
    assert len(found) >= 40
    assert {one.get("action") for one in data} >= set(get_args(EventAction))
    for name in ("corrects", "usedDespite", "repeats", "undoes", "count", "destination", "asset", "logisticUnit"):
        assert any(one.get(name) for one in data), name
    assert "label-completed" in {one.get("reason") for one in data}
    assert CASE_TYPE in {one["type"] for one in found}


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_fhir(release: fhir_transaction.Release) -> None:
    acts = Acts(stored())
    bundles = [bundle for act in acts if (bundle := fhir_transaction.bundle(act, release)) is not None]
    assert len(bundles) >= 40
    for bundle in bundles:
        judge_fhir(bundle, release)
    kinds = {one["resource"]["resourceType"] for bundle in bundles for one in bundle["entry"]}
    assert kinds == {"Device", "SupplyDelivery", "DeviceUsage" if release == "R5" else "DeviceUseStatement"}
    statuses = {one["resource"].get("status") for bundle in bundles for one in bundle["entry"]}
    assert statuses >= {"active", "completed", "stopped", "entered-in-error"}


def test_fhir_as_one_collection() -> None:
    judge_fhir(json.loads(b"".join(fhir.lines(Acts(stored()), CREATED))), "R5")


def test_hl7v2() -> None:
    messages = [one.decode() for one in hl7v2.lines(Acts(stored()))]
    assert len(messages) >= 40
    for message in messages:
        judge_hl7v2(message)


def test_epcis() -> None:
    acts = Acts(stored())
    document: dict[str, Any] = json.loads(b"".join(epcis.lines(acts, CREATED)))
    judge_epcis(document)
    made = document["epcisBody"]["eventList"]
    assert len(made) >= 40
    named = {name for one in made for name in one.get("errorDeclaration", {}).get("correctiveEventIDs", ())}
    assert named <= {one["eventID"] for one in made}, "what stands in the place of another is there"


def test_what_is_left_out_is_counted() -> None:
    acts = Acts(stored())
    known = sum(1 for _ in acts)
    assert known + sum(acts.left_out.values()) >= len(JOURNAL)
    assert acts.left_out == {"no scan": 3, "refused": 1, "repeat": 1}

"""What counts of a journal, said four times: netted, in FHIR, in EPCIS and by the reference consumer's view.

The rules are those of docs/integration.md, "What is in force".
"""

import importlib.util
import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from fhir.resources.bundle import Bundle

from gateway.events import cloudevent
from gateway.events.exports import epcis, fhir
from gateway.events.exports.acts import Acts
from gateway.events.exports.netting import in_force
from gateway.events.stored_event import StoredEvent
from gateway.model import Decoded, Issuer
from tests.events.test_epcis_fhir import CREATED, PATIENT, REFUSED, identity, scan, undo

REFERENCE = Path(__file__).parents[2] / "docs" / "reference_consumer.py"
SCREW = Decoded(
    ok=True,
    issuer=Issuer.GS1,
    device_identifier="09520001000409",
    lot_number="S1",
    complete=True,
    hri="(01)09520001000409(10)S1",
)
FOR_HER = cloudevent.Context(patient=PATIENT, case="orbit:OP-1", location="ward:7")


def use(number: int, quantity: int = 1, **changes: Any) -> StoredEvent:  # noqa: ANN401 - fields of ScanData
    return scan(number, udi=SCREW, context=FOR_HER, quantity=quantity, **changes)


def away(number: int, of: int, quantity: int = 1, action: str = "discard") -> StoredEvent:
    return use(number, quantity, action=action, corrects=identity(of))


DESPITE = cloudevent.Refused(event=identity(1), findings=("ARTICLE_RECALLED",))
JOURNALS: list[tuple[str, list[StoredEvent], dict[int, int]]] = [
    # what happened, the journal, event -> pieces used
    ("one screw", [use(1)], {1: 1}),
    ("six of a lot", [use(1, 6)], {1: 6}),
    ("read twice", [use(1), use(2, repeats=identity(1)), use(3, repeats=identity(1))], {1: 1}),
    ("taken back", [use(1), undo(2, 1)], {}),
    ("read twice, the second taken back", [use(1), use(2, repeats=identity(1)), undo(3, 2)], {1: 1}),
    ("read twice, the first taken back", [use(1), use(2, repeats=identity(1)), undo(3, 1)], {2: 1}),
    ("refused", [use(1, verdict=REFUSED)], {}),
    ("used despite", [use(1, verdict=REFUSED), use(2, used_despite=DESPITE)], {2: 1}),
    ("thrown away again", [use(1), away(2, 1)], {1: 0}),
    ("one of six returned", [use(1, 6), away(2, 1, action="return")], {1: 5}),
    (
        "thrown away, and that read twice",
        [use(1, 6), away(2, 1), use(3, action="discard", corrects=identity(1), repeats=identity(2))],
        {1: 5},
    ),
    (
        "thrown away, read twice, the first taken back",
        [use(1, 6), away(2, 1), use(3, action="discard", corrects=identity(1), repeats=identity(2)), undo(4, 2)],
        {1: 5},
    ),
    ("thrown away, and that taken back", [use(1, 6), away(2, 1), undo(3, 2)], {1: 6}),
    ("more thrown away than were used", [use(1), away(2, 1, 5)], {1: 0}),
    ("taken out later: it was used", [use(1), away(2, 1, action="explant")], {1: 1}),
    ("a use whose repeat names one of long ago", [use(2, repeats=identity(77))], {}),
]
NAMES = [one[0] for one in JOURNALS]


@pytest.mark.parametrize(("journal", "used"), [one[1:] for one in JOURNALS], ids=NAMES)
def test_netted(journal: list[StoredEvent], used: dict[int, int]) -> None:
    found = {one.event.id: one.quantity for one in in_force(journal) if one.event.data.action == "consume"}
    assert found == {identity(number): quantity for number, quantity in used.items()}


@pytest.mark.parametrize(("journal", "used"), [one[1:] for one in JOURNALS], ids=NAMES)
def test_fhir_has_one_usage_for_each_piece(journal: list[StoredEvent], used: dict[int, int]) -> None:
    document = json.loads(b"".join(fhir.lines(Acts(journal), CREATED)))
    Bundle.model_validate(document)
    newest = {one["resource"]["id"]: one["resource"] for one in document["entry"]}
    usages = [one for one in newest.values() if one["resourceType"] == "DeviceUsage"]
    counted = [one for one in usages if one["status"] != "entered-in-error"]
    assert len(counted) == sum(used.values())
    for one in counted:
        assert one["context"]["identifier"] == {"system": "urn:scangate:case:orbit", "value": "OP-1"}
        assert one["extension"][0]["valueUri"] == "ward:7"


@pytest.mark.parametrize(("journal", "used"), [one[1:] for one in JOURNALS], ids=NAMES)
def test_epcis_dispenses_each_piece_once(journal: list[StoredEvent], used: dict[int, int]) -> None:
    events = json.loads(b"".join(epcis.lines(Acts(journal), CREATED)))["epcisBody"]["eventList"]
    declared = {one["eventID"] for one in events if "errorDeclaration" in one}
    dispensed: Counter[str] = Counter()
    for one in events:
        if one.get("bizStep") == "dispensing" and "errorDeclaration" not in one and one["eventID"] not in declared:
            dispensed[one["eventID"]] = one["quantityList"][0]["quantity"]
    assert sum(dispensed.values()) == sum(used.values())


@pytest.mark.parametrize(("journal", "used"), [one[1:] for one in JOURNALS], ids=NAMES)
def test_the_reference_consumer_counts_the_same(journal: list[StoredEvent], used: dict[int, int]) -> None:
    spec = importlib.util.spec_from_file_location("reference_consumer", REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    db = sqlite3.connect(":memory:")
    db.executescript(cast("str", module.TABLES))
    for stored in journal:
        event = msgspec.json.decode(stored.body)
        data = event["data"]
        refused = data["verdict"]["disposition"] == "refused"
        row = (event["id"], "s", "e", stored.sequence, data.get("undoes"), refused, stored.body.decode())
        db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    rows = dict(db.execute("SELECT id, booked FROM in_force WHERE action = 'consume'").fetchall())
    db.close()
    expected = {identity(number): quantity for number, quantity in used.items()}
    if 2 in used or journal[0].sequence != 2:  # a consumer has all events: what a repeat names is there
        assert rows == expected

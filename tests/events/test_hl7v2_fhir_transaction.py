"""HL7 v2 messages and FHIR transactions, judged by parsers that are not ours."""

import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.bundle import Bundle
from fhir.resources.R4B.bundle import Bundle as R4Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from gateway.events import cloudevent
from gateway.events.exports import fhir_transaction, hl7v2
from gateway.events.exports.acts import Act, Acts
from gateway.events.stored_event import StoredEvent

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs/events").glob("*.json"))
USES = [path.stem for path in EXAMPLES if b'"action": "consume"' in path.read_bytes()]
SCANS = [*USES, "undo"]
PATIENT = {"scheme": "personnummer", "kid": "sealed-0123456789abcdef", "value": "c2VhbGVk|^~\\&"}
CASES: tuple[Any, ...] = (None, "orbit:OP-20261121-0317", {"scheme": "orbit", "kid": "hmac-1", "value": "aGFzaA=="})


def scan(name: str = "accepted", **context: Any) -> cloudevent.ScanEvent:  # noqa: ANN401 - JSON
    made = json.loads((ROOT / f"docs/events/{name}.json").read_text())
    made["data"]["context"] |= context
    return cloudevent.decode_scan(json.dumps(made).encode())


def parsed(message: str) -> Any:  # noqa: ANN401 - hl7apy is not typed
    """Parse strictly: the message structure and every field of version 2.8.2."""
    read = parse_message(message, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    read.validate()
    return read


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("patient", [None, PATIENT])
def test_a_charge_passes_a_strict_parser(case: Any, patient: dict[str, str] | None) -> None:  # noqa: ANN401 - JSON
    made = hl7v2.message(Act(event=scan(case=case, patient=patient, performer=patient, location="ward 3")))
    if case is None and patient is None:
        assert made is None, "there is no account to post it to"
        return
    assert made is not None
    read = parsed(made)
    finance = read.dft_p03_financial
    assert finance.ft1.ft1_6.value == "CG"
    assert finance.ft1.ft1_7.ft1_7_1.value == "VGR-104233"
    assert finance.ft1.ft1_10.value == "1"
    prt = finance.prt
    assert [prt.prt_16.prt_16_1.value, prt.prt_18.value, prt.prt_19.value, prt.prt_20.value] == [
        *("09520001000102", "20451231", "L2A0417", "NS700312")
    ]


def test_an_undo_is_a_credit_of_that_charge() -> None:
    charge = scan(case="orbit:OP-1")
    undo = scan("undo", case="orbit:OP-1")
    made = hl7v2.message(Act(event=undo, undone=charge, before=1))
    assert made is not None
    finance = parsed(made).dft_p03_financial
    assert finance.ft1.ft1_6.value == "CR"
    assert finance.ft1.ft1_23.ft1_23_1.value == charge.id
    assert finance.ft1.ft1_2.value == undo.id


@pytest.mark.parametrize("value", ["a|b", "a^b", "a~b", "a\\b", "a&b", "a\rMSH|x", "a\x1db", "å\U0001f600"])
def test_no_text_breaks_out_of_its_field(value: str) -> None:
    """HL7 v2.8.2, 2.7: the delimiters within a text are escaped."""
    made = hl7v2.message(Act(event=scan(case=f"orbit:{value}")))
    assert made is not None
    assert [segment[:3] for segment in made.split("\r")[:-1]] == ["MSH", "EVN", "PID", "FT1", "PRT"]
    parsed(made)


def test_every_example_is_a_message_or_counted() -> None:
    stored = [StoredEvent(sequence=n, body=path.read_bytes(), state="delivered") for n, path in enumerate(EXAMPLES)]
    acts = Acts(stored)
    made = list(hl7v2.lines(acts))
    assert len(made) + sum(acts.left_out.values()) == len(stored)


@pytest.mark.parametrize("release", ["R4", "R5"])
@pytest.mark.parametrize("patient", [None, PATIENT])
@pytest.mark.parametrize("name", SCANS)
def test_every_example_is_a_valid_transaction(
    name: str,
    patient: dict[str, str] | None,
    release: fhir_transaction.Release,
) -> None:
    event = scan(name, patient=patient, performer=patient, location="https://id.gs1.org/414/7300009001037")
    undone = scan(patient=patient) if event.data.action == "undo" else None
    made = fhir_transaction.bundle(Act(event=event, undone=undone), release)
    assert made is not None
    validate = R4Bundle if release == "R4" else Bundle
    validate.model_validate(made)
    kinds = [entry["resource"]["resourceType"] for entry in made["entry"]]
    use = {"R4": "DeviceUseStatement", "R5": "DeviceUsage"}[release]
    assert kinds == [*(["Device"] if undone is None else []), use if patient else "SupplyDelivery"]
    for entry in made["entry"]:
        assert entry["request"]["url"].endswith(f"identifier=urn:ietf:rfc:3986|{entry['fullUrl']}")
    if undone is not None:
        assert made["entry"][0]["resource"]["status"] == "entered-in-error"
        assert "Device?identifier=urn:ietf:rfc:3986|urn:uuid:" in json.dumps(made)


def test_what_was_received_has_no_transaction() -> None:
    event = scan()
    received = cloudevent.decode_scan(
        json.dumps(json.loads((ROOT / "docs/events/accepted.json").read_text()))
        .replace("consume", "receive")
        .encode()
    )
    assert fhir_transaction.bundle(Act(event=received), "R4") is None
    assert fhir_transaction.bundle(Act(event=event), "R4") is not None


def journal(*changes: dict[str, Any]) -> Acts:
    """Acts of a row of events: each a use of 3 pieces for a case, changed so."""
    stored = []
    for number, change in enumerate(changes, 1):
        made = json.loads((ROOT / "docs/events/accepted.json").read_text())
        made["id"] = f"00000000-0000-4000-8000-{number:012d}"
        made["data"] |= {"quantity": 3} | change
        made["data"]["context"] |= {"case": "orbit:OP-1"}
        stored.append(StoredEvent(sequence=number, body=json.dumps(made).encode(), state="delivered"))
    return Acts(stored)


USE = "00000000-0000-4000-8000-000000000001"
SECOND = "00000000-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("changes", "charged"),
    [
        ([{}], ["CG 3"]),
        ([{}, {"action": "discard", "corrects": USE, "quantity": 1}], ["CG 3", "CR 1"]),
        (
            [
                *({}, {"action": "return", "corrects": USE, "quantity": 2}),
                {"action": "undo", "undoes": SECOND, "symbols": []},
            ],
            ["CG 3", "CR 2", "CG 2"],
        ),
        (
            [
                *({}, {"action": "discard", "corrects": USE, "quantity": 1}),
                {"action": "undo", "undoes": USE, "symbols": []},
            ],
            ["CG 3", "CR 1", "CR 2"],
        ),
        ([{}, {"action": "explant", "corrects": USE, "quantity": 1}], ["CG 3"]),
        ([{}, {"repeats": USE}], ["CG 3"]),
        ([{"action": "discard"}], []),
    ],
)
def test_the_account_adds_up(changes: list[dict[str, Any]], charged: list[str]) -> None:
    """What is charged less what is credited is what was used."""
    finances = [parsed(made.decode()).dft_p03_financial for made in hl7v2.lines(journal(*changes)) if made]
    assert [f"{one.ft1.ft1_6.value} {one.ft1.ft1_10.value}" for one in finances] == charged
    assert {one.ft1.ft1_23.ft1_23_1.value for one in finances[1:]} <= {USE}


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_a_discarded_piece_is_entered_in_error(release: fhir_transaction.Release) -> None:
    acts = journal({}, {"action": "discard", "corrects": USE, "quantity": 3})
    made = [fhir_transaction.bundle(act, release) for act in acts]
    (R4Bundle if release == "R4" else Bundle).model_validate(made[1])
    assert made[1] is not None
    assert {entry["resource"]["status"] for entry in made[1]["entry"]} == {"entered-in-error"}

"""Forty events of every issuer, action and context through each projection, judged by code that is not ours."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import jsonschema
import pytest
from fhir.resources.bundle import Bundle
from fhir.resources.R4B.bundle import Bundle as R4Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from msgspec.structs import replace

from gateway.events import cloudevent
from gateway.events.exports import epcis, fhir_transaction, hl7v2
from gateway.events.exports.acts import Act, Acts
from gateway.events.stored_event import StoredEvent
from gateway.udi import decode

ROOT: Final = Path(__file__).parents[2]
TODAY: Final = date(2026, 11, 28)
EXAMPLE: Final = cloudevent.decode_scan((ROOT / "docs/events/accepted.json").read_bytes())
SCHEMA: Final = json.loads((Path(__file__).parent / "epcis/EPCISDocument.schema.json").read_text())
LABELS: Final = (
    ("]d2", "01095200010001021745123110L2A0417\x1d21NS700312"),
    ("]E0", "9520005000108"),
    ("]C1", "0109520008000105174608311010IA-2209"),
    ("]Q1", "https://id.gs1.org/01/09520006000107/10/KAD1688?17=450331"),
    ("]C0", "+A123BJC5D6E71G"),
    ("]d1", "+A99912345/$$52001510X3/16D20111231/S77DEFG457"),
    ("]d1", "=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032"),
    ("]d1", "9N110375286414^1TABC^".replace("^", "\x1d")),
)
ACTIONS: Final = ("consume", "consume", "receive", "return", "discard")
CONTEXTS: Final = (
    cloudevent.Context(),
    cloudevent.Context(case="orbit:OP-1", location="https://id.gs1.org/414/7300009001037"),
    cloudevent.Context(patient={"scheme": "gsrn", "kid": "sealed-00ff00ff00ff00ff", "value": "AAAA"}),
    cloudevent.Context(
        case={"scheme": "orbit", "kid": "hmac-1", "value": "BBBB"},
        patient={"scheme": "gsrn", "kid": "hmac-1", "value": "CCCC"},
        performer={"scheme": "gsrn", "kid": "hmac-1", "value": "DDDD"},
    ),
)


def forty() -> Iterator[cloudevent.ScanEvent]:
    for number in range(40):
        symbology, text = LABELS[number % len(LABELS)]
        udi = decode(text, symbology, today=TODAY)
        assert udi.device_identifier, (text, udi.findings)
        data = replace(
            EXAMPLE.data,
            action=ACTIONS[number % len(ACTIONS)],
            quantity=1 + number % 3,
            udi=udi,
            article=EXAMPLE.data.article if number % 4 else None,
            context=CONTEXTS[number // 5 % len(CONTEXTS)],
            symbols=(cloudevent.symbol(text.encode(), symbology, text, frozenset()),),
        )
        identity = str(uuid5(UUID(int=0), str(number)))
        yield replace(EXAMPLE, id=identity, sequence=str(number + 1).zfill(16), data=data)


EVENTS: Final = tuple(forty())


def encoded() -> list[StoredEvent]:
    import msgspec

    return [
        StoredEvent(sequence=number, body=msgspec.json.encode(event), state="delivered")
        for number, event in enumerate(EVENTS, 1)
    ]


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_fhir(release: fhir_transaction.Release) -> None:
    made = [
        bundle for event in EVENTS if (bundle := fhir_transaction.bundle(Act(event=event), release)) is not None
    ]
    assert len(made) == sum(event.data.action == "consume" for event in EVENTS)
    for bundle in made:
        (R4Bundle if release == "R4" else Bundle).model_validate(bundle)


def test_hl7v2() -> None:
    made = [message for event in EVENTS if (message := hl7v2.message(Act(event=event))) is not None]
    assert len(made) >= 10
    for message in made:
        parse_message(message, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True).validate()


def test_epcis() -> None:
    acts = Acts(encoded())
    document: dict[str, Any] = json.loads(b"".join(epcis.lines(acts, "2026-11-28T02:00:00Z")))
    assert len(document["epcisBody"]["eventList"]) + sum(acts.left_out.values()) == 40
    validator = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
    assert [error.message[:300] for error in validator.iter_errors(document)] == []

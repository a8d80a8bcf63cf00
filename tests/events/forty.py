"""Sample events of every issuer, action, context and correction, and judges of their projections that are not ours.

The journal of one box: what each kind of event looks like, then short histories (a use that is thrown away in part,
and so on), and what is no scan.
"""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import jsonschema
import msgspec
from fhir.resources.bundle import Bundle
from fhir.resources.R4B.bundle import Bundle as R4Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from msgspec.structs import replace

from gateway.events import cloudevent
from gateway.events.stored_event import StoredEvent
from gateway.model import Disposition
from gateway.udi import decode

ROOT: Final = Path(__file__).parents[2]
TODAY: Final = date(2026, 11, 28)
EXAMPLE: Final = cloudevent.decode_scan((ROOT / "docs/events/accepted.json").read_bytes())
SCHEMA: Final = json.loads((Path(__file__).parent / "epcis/EPCISDocument.schema.json").read_text())
EPCIS: Final = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
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
ACTIONS: Final[tuple[cloudevent.EventAction, ...]] = (
    *("consume", "consume", "receive", "return", "discard", "inventory", "order", "transfer", "explant"),
)
PROTECTED: Final = {"scheme": "gsrn", "kid": "hmac-1", "value": "CCCC|^~\\&"}
CONTEXTS: Final = (
    cloudevent.Context(),
    cloudevent.Context(case="orbit:OP-1", location="https://id.gs1.org/414/7300009001037"),
    cloudevent.Context(patient=PROTECTED | {"kid": "sealed-00ff00ff00ff00ff"}),
    cloudevent.Context(
        case={"scheme": "orbit", "kid": "hmac-1", "value": "BBBB"}, patient=PROTECTED, performer=PROTECTED
    ),
)
OPERATION: Final = CONTEXTS[3]


class Journal:
    """Events of one box in their order."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def scan(self, label: int = 0, **changes: Any) -> str:  # noqa: ANN401 - fields of ScanData
        """Add a scan; return its id."""
        symbology, text = LABELS[label % len(LABELS)]
        udi = decode(text, symbology, today=TODAY)
        assert udi.device_identifier, (text, udi.findings)
        given: dict[str, Any] = {
            "quantity": 1,
            "udi": udi,
            "context": OPERATION,
            "symbols": (cloudevent.symbol(text.encode(), symbology, text, frozenset()),),
        }
        if changes.get("action") == "undo":
            given["symbols"] = ()
        number = len(self.bodies) + 1
        identity = str(uuid5(UUID(int=0), str(number)))
        data = replace(EXAMPLE.data, **(given | changes))
        made = replace(EXAMPLE, id=identity, sequence=str(number).zfill(16), data=data)
        self.bodies.append(msgspec.json.encode(made))
        return identity

    def other(self, name: str) -> None:
        """Add an event that is no scan, of the published examples."""
        made = json.loads((ROOT / f"docs/events/{name}.json").read_bytes())
        number = len(self.bodies) + 1
        made |= {
            "id": str(uuid5(UUID(int=0), str(number))),
            "sequence": str(number).zfill(16),
            "epoch": EXAMPLE.epoch,
        }
        self.bodies.append(json.dumps(made).encode())


def journal() -> tuple[bytes, ...]:
    """Return the sample events."""
    one = Journal()
    for number in range(36):
        one.scan(
            number,
            action=ACTIONS[number % len(ACTIONS)],
            quantity=1 + number % 3,
            article=EXAMPLE.data.article if number % 4 else None,
            context=CONTEXTS[number // len(ACTIONS)],
        )
    for label in range(len(LABELS)):
        one.scan(label, action="consume", quantity=2)
    for context in CONTEXTS:
        _corrected(one, context)
    _the_rest(one)
    for name in ("case", "clock", "parked"):
        one.other(name)
    return tuple(one.bodies)


def _corrected(one: Journal, context: cloudevent.Context) -> None:
    """Uses, and what becomes of them afterwards."""
    screws = one.scan(2, action="consume", quantity=3, context=context)
    dropped = one.scan(2, action="discard", reason="dropped", quantity=1, corrects=screws, context=context)
    one.scan(2, action="undo", undoes=dropped, context=context)
    one.scan(2, action="return", quantity=3, corrects=screws, context=context)
    hip = one.scan(0, action="consume", context=context)
    out = one.scan(0, action="explant", corrects=hip, context=context)
    one.scan(0, action="undo", undoes=out, context=context)
    one.scan(0, action="undo", undoes=hip, context=context)


def _the_rest(one: Journal) -> None:
    first = one.scan(1, action="consume")
    one.scan(1, action="consume", repeats=first)
    one.scan(1, action="undo", undoes=first)  # the repeat stands in its place
    half = one.scan(6, action="consume", udi=replace(decode(LABELS[5][1], "]d1", today=TODAY), complete=False))
    one.scan(6, action="undo", undoes=half, reason="label-completed")
    one.scan(5, action="consume")
    refused = replace(EXAMPLE.data.verdict, disposition=Disposition.REFUSED)
    expired = one.scan(3, action="consume", verdict=refused)
    one.scan(3, action="consume", used_despite=cloudevent.Refused(event=expired, findings=("EXPIRED",)))
    one.scan(4, action="consume", entry="keyed")
    one.scan(0, action="inventory", count=cloudevent.CountSession(session="count-1", mode="replace"))
    one.scan(0, action="transfer", destination="https://id.gs1.org/414/7300009001037")
    one.scan(0, action="consume", udi=None)
    one.scan(0, action="receive", udi=None, logistic_unit="395200000000000014")
    tray = cloudevent.EventAsset(scheme="GRAI", identifier="09520000000015TRAY7")
    one.scan(0, action="receive", udi=None, asset=tray)


JOURNAL: Final = journal()


def stored() -> Iterator[StoredEvent]:
    """Yield the journal as an outbox has it."""
    for number, body in enumerate(JOURNAL, 1):
        yield StoredEvent(sequence=number, body=body, state="delivered")


def judge_fhir(bundle: Any, release: str) -> None:  # noqa: ANN401 - JSON
    """Judge a bundle by fhir.resources. Raises ValidationError."""
    (R4Bundle if release == "R4" else Bundle).model_validate(bundle)


def judge_hl7v2(message: str) -> None:
    """Judge a message by hl7apy: its structure and every field of version 2.8.2. Raises HL7apyException."""
    parse_message(message, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True).validate()


def judge_epcis(document: Any) -> None:  # noqa: ANN401 - JSON
    """Judge a document by GS1's JSON schema of EPCIS 2.0."""
    assert [error.message[:300] for error in EPCIS.iter_errors(document)] == []

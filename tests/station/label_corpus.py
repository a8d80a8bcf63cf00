"""The corpus of labels of several symbols (tests/corpus/labels), and a station on which they are scanned.

A label of the corpus has the texts of its symbols with their AIM identifiers, where they come from or the rule they
are made by, and what the label says as a whole. `numberLast`: an article's own number that no master knows, or an
IFA symbol without 9N, which are read only beside the label they are of, so that the first symbol must come first.
"""

import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from gateway.outbox.entry import NewEvent
from gateway.station.values import LABEL_COMPLETED
from tests.scanning.stage import Stage

FOLDER = Path(__file__).parents[1] / "corpus" / "labels"
PROFILES = ("operating-room", "supply-room", "clinic")
FIELDS = ("deviceIdentifier", "lotNumber", "serialNumber", "expirationDate")
CorpusLabel = dict[str, Any]


def corpus() -> list[CorpusLabel]:
    return [label for path in sorted(FOLDER.glob("*.json")) for label in json.loads(path.read_text("utf-8"))]


def orders(label: CorpusLabel) -> list[tuple[str, ...]]:
    """Every order in which the symbols of a label may be scanned."""
    every = permutations(label["symbols"])
    return [order for order in every if not label.get("numberLast") or order[0] == label["symbols"][0]]


def scanned(directory: Path, profile: str, scans: Sequence[tuple[float, str]]) -> Stage:
    """Scan codes at their seconds, and then let the last label's time run out."""
    stage = Stage(directory, profile)
    now = 0.0
    for now, code in scans:
        stage.wait(now)
        stage.scan(now, code)
    stage.wait(now + 20)
    return stage


def in_force(stage: Stage) -> list[NewEvent]:
    """The events that count: not undone, and no undo."""
    undone = {event.data.undoes for event in stage.drafts}
    assert all(event.data.reason == LABEL_COMPLETED for event in stage.drafts if event.data.undoes)
    return [event for event in stage.drafts if event.id not in undone and event.data.undoes is None]


def said(event: NewEvent) -> dict[str, str]:
    """What an event says of its label, of the fields that the corpus names."""
    udi = event.data.udi
    values = (
        (None,) * len(FIELDS)
        if udi is None
        else (udi.device_identifier, udi.lot_number, udi.serial_number, udi.expiration_date)
    )
    return {field: value for field, value in zip(FIELDS, values, strict=True) if value is not None}

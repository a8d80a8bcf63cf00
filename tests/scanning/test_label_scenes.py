"""A station through the scenes of tests/scanning/label_scenes.py, and a label completed after a power cut."""

from pathlib import Path

import pytest

from gateway.outbox.entry import NewEvent
from gateway.outbox.writer import Outbox
from gateway.station.values import LABEL_COMPLETED
from tests.outbox.events import BOX, ROOMY
from tests.scanning.label_scenes import SCENES, TAPE_MATRIX, LabelScene
from tests.scanning.scenes import ACCEPTED, STORE, WAIT
from tests.scanning.stage import TAPE, Stage, words


def in_force(stage: Stage) -> list[str]:
    """The events that count, in words."""
    undone = {draft.data.undoes for draft in stage.drafts}
    return [in_words(draft) for draft in stage.drafts if draft.id not in undone and draft.data.undoes is None]


def in_words(draft: NewEvent) -> str:
    data = draft.data
    said = words(draft)
    if data.asset is not None:
        said = said.replace(data.symbols[0].text, f"{data.asset.scheme} {data.asset.identifier}")
    if data.logistic_unit is not None:
        said = said.replace(data.symbols[0].text, f"SSCC {data.logistic_unit}")
    interleaved = any(finding.code == "LABELS_INTERLEAVED" for finding in data.verdict.findings)
    return f"{said} interleaved" if interleaved else said


@pytest.mark.parametrize("scene", SCENES, ids=[f"{one[1]}: {one[0]}" for one in SCENES])
def test_scenes(tmp_path: Path, scene: LabelScene) -> None:
    _, profile, scans, expected = scene
    stage = Stage(tmp_path, profile)
    for second, code, signal in scans:
        if code == WAIT:
            assert stage.wait(second) == [signal], second
        else:
            stage.wait(second)
            assert signal in {None, stage.scan(second, code)}, (second, code)
    stage.wait(scans[-1][0] + 20)
    found = in_force(stage)
    stage.close()
    assert found == expected


def test_the_earlier_event_is_undone_and_the_whole_one_stored_in_one_transaction(tmp_path: Path) -> None:
    stage = Stage(tmp_path, STORE)
    stage.outbox = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    assert stage.scan(0, TAPE) is ACCEPTED
    assert stage.scan(1, TAPE_MATRIX) is ACCEPTED
    undo, whole = stage.outcomes[-1].writes
    assert isinstance(undo, NewEvent)
    assert isinstance(whole, NewEvent)
    assert (undo.data.action, undo.data.reason, undo.data.undoes) == ("undo", LABEL_COMPLETED, "id-1")
    assert whole.data.udi is not None
    assert whole.data.udi.lot_number == "X1"
    assert [symbol.text for symbol in whole.data.symbols] == [TAPE[3:], TAPE_MATRIX[3:]]
    assert list(stage.outcomes[-1].tally()) == ["completed", "accepted"]
    stage.close()

"""What was chosen at a station before a reload is still chosen behind it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import Config, parse
from gateway.scanning.carry_over import CarryOver
from gateway.scanning.pipeline import Pipeline
from gateway.scanning.station_state import StationState
from gateway.station.values import Station
from tests.scanning.stage import CASE, KEYS, PATIENT, PLATE, STEM, Stage, control


def config(**sections: dict[str, Any]) -> Config:
    document = {
        "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
        "station": {"profile": "operating-room"},
        "context": {"case_mode": "clear"},
        "scanner": [{"name": "front", "device": "/dev/null"}],
    }
    return parse({**document, **sections}, "test")


@pytest.fixture
def busy(tmp_path: Path) -> Station:
    """A station in the middle of a delivery: five received, for a case and a patient, half a label scanned."""
    stage = Stage(tmp_path, "operating-room")
    for second, code in enumerate(
        (control("RECEIVE"), STEM, CASE, PATIENT, control("QTY5"), PLATE, control("QTY5"))
    ):
        stage.scan(second, code)
    station = stage.pipeline.memory.station
    stage.close()
    return station


def test_what_is_chosen_goes_on(busy: Station) -> None:
    carried = CarryOver()
    assert carried.restore(config()) == Station()
    carried.save(config(), busy)
    given = carried.restore(config(broker={"urls": ["mqtt://127.0.0.1"]}))
    assert (given.chosen, given.counted, given.context) == (busy.chosen, busy.counted, busy.context)
    assert set(given.chosen) == set(given.counted) == {"front"}
    assert set(given.context) == {"case", "patient"}
    assert not given.open_items, "a label that was half scanned is an event by then"
    assert not given.done, "what can be taken back is read from the journal"


@pytest.mark.parametrize(
    "sections",
    [
        {"context": {"case_mode": "sealed"}},
        {"station": {"profile": "clinic"}},
        {"gateway": {"tenant": "vgr", "site": "other", "id": "gw01"}},
    ],
    ids=["other protection", "other place", "other site"],
)
def test_nothing_goes_on_under_other_settings(busy: Station, sections: dict[str, dict[str, Any]]) -> None:
    carried = CarryOver()
    carried.save(config(), busy)
    assert carried.restore(config(**sections)) == Station()


def test_its_time_goes_on_too(busy: Station, tmp_path: Path) -> None:
    stage = Stage(tmp_path, "operating-room")
    pipeline = Pipeline(config(), ArticleMaster(tmp_path / "articles"), KEYS)
    for second, chosen, context in ((60, True, True), (400, False, True), (20_000, False, False)):
        pipeline.memory = StationState(station=replace(busy, open_items={}, done=()))
        pipeline.resume([], stage.clock(second))
        station = pipeline.memory.station
        assert (bool(station.chosen), bool(station.context)) == (chosen, context)
    pipeline.close()
    stage.close()

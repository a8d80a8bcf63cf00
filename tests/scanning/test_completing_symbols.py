"""Which symbol completes a label: learned by article, bounded, kept in the registry."""

from pathlib import Path

import pytest

from gateway.devices.station_registry import StationRegistry
from gateway.scanning.completing_symbols import LEAST, MAX_ARTICLES, CompletingSymbols, kind_of
from tests.scanning.scenes import MORE, THEATRE
from tests.scanning.stage import PLATE, PLATE_LOT, STEM, Stage

PLATE_MATRIX = "]d201095200010005081745123110K{}"


@pytest.mark.parametrize(
    ("symbology", "kind"),
    [("]d2", "square"), ("]Q3", "square"), ("]C1", "linear"), ("]E0", "linear"), ("]A0", "linear"), (None, None)],
)
def test_kinds(symbology: str | None, kind: str | None) -> None:
    assert kind_of(symbology) == kind


def learned(directory: Path, *codes: str) -> tuple[Stage, CompletingSymbols]:
    stage = Stage(directory, THEATRE)
    for number, code in enumerate(codes):
        stage.scan(number, code)
    for draft in stage.drafts:
        stage.pipeline.completing.count(draft.data)
    return stage, stage.pipeline.completing


def test_the_station_asks_for_the_symbol_that_completed_the_last_labels(tmp_path: Path) -> None:
    stage, learnt = learned(tmp_path, *(PLATE_MATRIX.format(number) for number in range(LEAST)))
    assert learnt.suggested("09520001000508") == "square"
    assert learnt.suggested("09520001000102") is None
    assert stage.scan(90, PLATE) is MORE
    (waiting,) = stage.pipeline.view(stage.clock(90)).waiting
    assert (waiting.missing, waiting.suggested) == (("lot",), "square")
    stage.close()


def test_two_linear_symbols(tmp_path: Path) -> None:
    stage, learnt = learned(tmp_path, PLATE, PLATE_LOT, PLATE, "]C11745123110K8")
    assert learnt.suggested("09520001000508") == "linear"
    stage.close()


def test_what_was_learned_outlives_the_daemon(tmp_path: Path) -> None:
    stage, learnt = learned(tmp_path, STEM, STEM.replace("NS700312", "NS700313"))
    stage.close()
    counts = learnt.to_keep()
    assert counts == {"09520001000102": {"square": 2, "linear": 0}}
    assert learnt.to_keep() is None, "nothing new"
    registry = StationRegistry(tmp_path / "station.json")
    assert registry.completing_symbols() == {}
    registry.note_completing_symbols(counts)
    registry.note_completing_symbols(counts)
    registry.close()
    again = CompletingSymbols()
    registry = StationRegistry(tmp_path / "station.json")
    again.restore(registry.completing_symbols())
    registry.close()
    assert again.suggested("09520001000102") == "square"


def test_articles_are_bounded() -> None:
    learnt = CompletingSymbols()
    learnt.restore({str(number): {"square": LEAST} for number in range(MAX_ARTICLES + 5)})
    assert learnt.suggested("4") is None
    assert learnt.suggested("5") == "square"

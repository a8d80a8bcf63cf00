"""How well labels are read: figures of scanners and articles, bounded, and of no person."""

from pathlib import Path

import msgspec
import pytest

from gateway.scanning.label_quality import MAX_ARTICLES, LabelQuality, QualityRow
from tests.scanning.label_scenes import SCREW, SCREW_LOT, TAPE_MATRIX, UNKNOWN
from tests.scanning.scenes import STORE, THEATRE
from tests.scanning.stage import PLATE, PLATE_LOT, STEM, TAPE, Stage


def counted(directory: Path, profile: str, *codes: str) -> LabelQuality:
    quality = LabelQuality()
    stage = Stage(directory, profile)
    for second, code in enumerate(codes):
        stage.scan(second, code)
    stage.wait(len(codes) + 20)
    for outcome in stage.outcomes:
        quality.count(outcome.writes)
    stage.close()
    return quality


@pytest.mark.parametrize(
    ("profile", "codes", "row"),
    [
        (THEATRE, (STEM,), QualityRow(labels=1, first_try=1)),
        (THEATRE, (PLATE, PLATE_LOT), QualityRow(labels=1, first_try=1)),
        (THEATRE, (PLATE,), QualityRow(labels=1, incomplete=1)),
        (STORE, (TAPE, TAPE_MATRIX), QualityRow(labels=1, completed=1)),
        (THEATRE, ("]d20109520001000103",), QualityRow(labels=1, unreadable=1, unknown=1)),
        (THEATRE, (f"]d201{UNKNOWN}10A",), QualityRow(labels=1, first_try=1, unknown=1)),
        (
            THEATRE,
            ("(01)09520001000102(17)451231(10)L2(21)N1", "(10)L2(21)N1"),
            QualityRow(labels=1, keyed=1),
        ),
        (THEATRE, (STEM, STEM), QualityRow(labels=1, first_try=1)),
        (
            THEATRE,
            (PLATE, SCREW, PLATE_LOT, SCREW_LOT),
            QualityRow(labels=2, incomplete=1, completed=1, interleaved=2),
        ),
    ],
)
def test_a_scanners_figures(tmp_path: Path, profile: str, codes: tuple[str, ...], row: QualityRow) -> None:
    assert counted(tmp_path, profile, *codes).report().scanners == {"front": row}


def test_an_articles_figures(tmp_path: Path) -> None:
    report = counted(tmp_path, THEATRE, STEM, PLATE, PLATE_LOT).report()
    assert list(report.articles) == ["09520001000102", "09520001000508"]
    assert msgspec.json.encode(report)


def test_articles_are_bounded(tmp_path: Path) -> None:
    quality = LabelQuality()
    stage = Stage(tmp_path, THEATRE)
    stage.scan(0, STEM)
    (event,) = stage.drafts
    assert event.data.udi is not None
    for number in range(MAX_ARTICLES + 3):
        udi = msgspec.structs.replace(event.data.udi, device_identifier=str(number))
        data = msgspec.structs.replace(event.data, udi=udi)
        quality.count((msgspec.structs.replace(event, data=data),))
    stage.close()
    articles = quality.report().articles
    assert (len(articles), next(iter(articles))) == (MAX_ARTICLES, "3")

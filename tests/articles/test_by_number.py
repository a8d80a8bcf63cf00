"""What is recalled by an article number stays on the articles that have it, whatever a file says next."""

from pathlib import Path

import pytest

from gateway.articles.build.import_job import rollback
from tests.articles.conftest import Box, Importing, delta
from tests.articles.test_overlay import BLOCK, CASE, FILE, GTIN, HEADER, OTHER, PALLET, RELEASE, WHOLE


@pytest.fixture
def filled(importing: Importing, box: Box) -> Box:
    importing(FILE)
    return box


def test_a_recall_by_a_number_that_comes_before_the_article_stays_on_it(box: Box, importing: Importing) -> None:
    """The next file gives the number to another: what was recalled is the article that had it."""
    importing(f"{HEADER}{OTHER};VGR-2;Enhet;;;;\n")
    outcome = box.apply(delta(1, {"op": "recall", "articleNumber": "VGR-1", "id": "FSN-A"}))
    assert outcome.unmatched == ("VGR-1",)
    importing(FILE.replace(";blocked", ";"))
    assert [box.refuses(piece) for piece in (GTIN, PALLET, OTHER)] == ["recalled", "recalled", "free"]
    importing(FILE.replace(";blocked", ";").replace("VGR-1", "VGR-100"))
    assert [box.refuses(piece) for piece in (GTIN, PALLET, OTHER)] == ["recalled", "recalled", "free"]
    assert box.apply(delta(2, {"op": "release", "id": "FSN-A"})).applied
    assert [box.refuses(piece) for piece in (GTIN, PALLET, OTHER)] == ["free", "free", "free"]


def test_an_earlier_generation_gives_a_number_back_and_the_recall_stays(
    box: Box, importing: Importing, directory: Path
) -> None:
    importing(FILE.replace("VGR-1;", "VGR-100;"))
    box.apply(delta(1, {"op": "recall", "articleNumber": "VGR-1"}))
    importing(FILE)
    assert box.refuses(GTIN) == "recalled"
    rollback(directory)
    assert box.refuses(GTIN) == "recalled"


@pytest.mark.parametrize("named", [{}, {"id": "FSN-A"}])
def test_a_release_by_identifier_holds_against_a_recall_by_number(filled: Box, named: dict[str, str]) -> None:
    """Also when what both say has been compacted; the number itself stays recalled until it is released."""
    filled.apply(delta(1, {"op": "recall", "articleNumber": "VGR-1", **named}))
    assert [filled.refuses(piece) for piece in (GTIN, CASE)] == ["recalled", "recalled"]
    assert filled.apply(delta(2, {**RELEASE, **named})).applied
    for number in (3, 5):
        assert [filled.refuses(piece) for piece in (GTIN, CASE)] == ["free", "free"]
        filled.apply(delta(number, BLOCK))
        filled.apply(delta(number + 1, RELEASE))
    filled.apply(delta(7, {"op": "release", "articleNumber": "VGR-1", **named}))
    assert filled.refuses("VGR-1") == "free"


@pytest.mark.parametrize("spelt", [f" {GTIN} ", f"(01){GTIN}", GTIN[1:]])
def test_an_identifier_as_people_paste_it(filled: Box, spelt: str) -> None:
    assert filled.apply(delta(1, {**WHOLE, "deviceIdentifier": spelt})).applied
    assert filled.refuses(PALLET) == "recalled"

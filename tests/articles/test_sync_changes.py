"""Files that change an item master, several of them dropped between two looks: every one counts, in its order.

Peppol BIS Catalogue 3, use cases 1 and 2: a catalogue is sent once, and then updated by messages of a few lines each.
HL7 v2 8.5.1 (MFI-3): REP replaces the file, UPD changes records in it.
"""

import os
from itertools import islice
from pathlib import Path

import pytest

from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.sync.job import SETTLE_SECONDS
from gateway.articles.sync.state import RETRY_SECONDS, SyncResult, read_state
from tests.articles.test_import_peppol import BEGIN
from tests.articles.test_sync import NOW, Box, settings

R = SyncResult
CUP, BOX, STEM = "09520001001000", "19520001001007", "09520001001017"
WHOLE, CHANGE = "Add", "Update"


@pytest.fixture
def box(directory: Path) -> Box:
    return Box(directory)


def catalogue(action: str, *lines: tuple[str, str]) -> bytes:
    """A catalogue with lines of GTIN and name."""
    made = "".join(
        f"<cac:CatalogueLine><cac:Item><cbc:Name>{name}</cbc:Name><cac:StandardItemIdentification>"
        f'<cbc:ID schemeID="0160">{gtin}</cbc:ID></cac:StandardItemIdentification></cac:Item></cac:CatalogueLine>\n'
        for gtin, name in lines
    )
    head = BEGIN.replace(b">Add<", f">{action}<".encode(), 1)
    return head + made.encode() + b"</Catalogue>"


def drop(folder: Path, content: bytes, name: str, age: float) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(content)
    os.utime(file, (NOW.timestamp() - age,) * 2)
    return file


def names(box: Box) -> dict[str, str | None]:
    with ArticleMaster(box.directory) as master:
        found = {gtin: master.look_up("", gtin).article for gtin in (CUP, BOX, STEM)}
    return {gtin: article.trade_name for gtin, article in found.items() if article is not None}


def test_every_file_of_changes_counts_in_its_order(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    source = settings(path=str(folder), format="peppol")
    drop(folder, catalogue(WHOLE, (CUP, "old"), (BOX, "of an earlier catalogue")), "0.xml", 9000)
    drop(folder, catalogue(CHANGE, (CUP, "before the whole")), "1.xml", 8000)
    drop(folder, catalogue(WHOLE, (CUP, "Cup"), (STEM, "Stem")), "2.xml", 7000)
    drop(folder, catalogue(CHANGE, (CUP, "Cup 2"), (BOX, "Box")), "3.xml", 6000)
    drop(folder, catalogue(CHANGE, (CUP, "Cup 3")), "4.xml", 5000)
    assert box.results(source) == [R.IMPORTED] * 3
    assert names(box) == {CUP: "Cup 3", BOX: "Box", STEM: "Stem"}
    box.later(days=1)
    assert box.results(source) == [R.UNCHANGED]

    # the next ones alone are read, two at once; of files of one time the names give the order
    drop(folder, catalogue(CHANGE, (CUP, "Cup 5")), "6.xml", 4000)
    drop(folder, catalogue(CHANGE, (CUP, "Cup 4"), (STEM, "Stem 2")), "5.xml", 4000)
    box.later(days=1)
    assert box.results(source) == [R.IMPORTED] * 2
    assert names(box) == {CUP: "Cup 5", BOX: "Box", STEM: "Stem 2"}


def test_one_that_comes_late_is_taken_in_its_turn(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    source = settings(path=str(folder), format="peppol")
    drop(folder, catalogue(WHOLE, (CUP, "Cup")), "1.xml", 9000)
    drop(folder, catalogue(CHANGE, (CUP, "Cup 3")), "3.xml", 7000)
    assert box.results(source) == [R.IMPORTED] * 2
    drop(folder, catalogue(CHANGE, (CUP, "Cup 2"), (STEM, "Stem")), "2.xml", 8000)
    assert box.results(source, names=["miv"]) == [R.IMPORTED] * 2
    assert names(box) == {CUP: "Cup 3", STEM: "Stem"}


def test_one_that_comes_after_its_successors_are_gone_is_refused(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    source = settings(path=str(folder), format="peppol")
    drop(folder, catalogue(WHOLE, (CUP, "Cup")), "1.xml", 9000)
    newer = drop(folder, catalogue(CHANGE, (CUP, "Cup 3")), "3.xml", 7000)
    box.sync(source)
    newer.unlink()
    drop(folder, catalogue(CHANGE, (CUP, "Cup 2")), "2.xml", 8000)
    (outcome,) = box.sync(source, names=["miv"])
    assert outcome.state.result is R.REFUSED
    assert "2.xml is older than files of changes that were taken and are gone" in outcome.state.message
    assert names(box) == {CUP: "Cup 3"}
    assert box.results(source, names=["miv"]) == [R.REFUSED]
    assert box.results(source, names=["miv"], force=True) == [R.IMPORTED] * 2
    assert names(box) == {CUP: "Cup 2"}


def test_a_copy_of_an_old_one_is_no_news(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    source = settings(path=str(folder), format="peppol")
    content = catalogue(CHANGE, (CUP, "Cup 2"))
    drop(folder, catalogue(WHOLE, (CUP, "Cup")), "1.xml", 9000)
    drop(folder, content, "2.xml", 8000)
    drop(folder, catalogue(CHANGE, (CUP, "Cup 3")), "3.xml", 7000)
    box.sync(source)
    drop(folder, content, "2 (copy).xml", 600)
    assert box.results(source, names=["miv"]) == [R.UNCHANGED]
    assert names(box) == {CUP: "Cup 3"}


@pytest.mark.parametrize(
    ("wrong", "result", "words"),
    [
        (b"<html>no catalogue</html>", R.FAILED, "expected a Catalogue"),
        (catalogue(CHANGE, ("09520001001001", "a wrong check digit")), R.REFUSED, "is good"),
    ],
    ids=["no catalogue", "no good row"],
)
def test_one_that_is_no_good_does_not_keep_the_later_ones(
    box: Box, tmp_path: Path, wrong: bytes, result: SyncResult, words: str
) -> None:
    folder = tmp_path / "drop"
    source = settings(path=str(folder), format="peppol")
    drop(folder, catalogue(WHOLE, (CUP, "Cup")), "1.xml", 9000)
    bad = drop(folder, wrong, "2.xml", 8000)
    drop(folder, catalogue(CHANGE, (CUP, "Cup 3")), "3.xml", 7000)
    assert box.results(source) == [R.IMPORTED, result, result]  # and the source is not well before that is mended
    assert names(box) == {CUP: "Cup 3"}
    box.later(seconds=RETRY_SECONDS)
    (outcome,) = box.sync(source)
    assert (outcome.state.result, outcome.report) == (result, None)
    assert words in outcome.state.message
    drop(folder, catalogue(CHANGE, (CUP, "Cup 2"), (STEM, "Stem")), "2.xml", 8000)
    box.later(seconds=RETRY_SECONDS)
    assert box.results(source) == [R.IMPORTED] * 2
    assert names(box) == {CUP: "Cup 3", STEM: "Stem"}
    bad.unlink()
    box.later(days=1)
    assert box.results(source) == [R.UNCHANGED]


def test_the_first_that_is_still_written_to_holds_the_later_ones(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    source = settings(path=str(folder), format="peppol")
    drop(folder, catalogue(WHOLE, (CUP, "Cup")), "1.xml", 9000)
    drop(folder, catalogue(CHANGE, (CUP, "Cup 2")), "2.xml", SETTLE_SECONDS - 1)
    drop(folder, catalogue(CHANGE, (CUP, "Cup 3")), "3.xml", SETTLE_SECONDS - 2)
    assert box.results(source) == [R.IMPORTED, R.WAITING]
    assert names(box) == {CUP: "Cup"}
    box.later(seconds=RETRY_SECONDS)
    assert box.results(source) == [R.IMPORTED] * 2
    assert names(box) == {CUP: "Cup 3"}


def test_a_kill_between_two_files_loses_none(box: Box, tmp_path: Path) -> None:
    """The state is on the disk after each: the next run goes on behind the last that was taken."""
    folder = tmp_path / "drop"
    source = settings(path=str(folder), format="peppol")
    for number in range(1, 5):
        drop(
            folder, catalogue(WHOLE if number == 1 else CHANGE, (CUP, f"Cup {number}")), f"{number}", 9000 - number
        )
    assert len(list(islice(box.running(source), 2))) == 2
    assert [one.result for one in read_state(box.directory).sources["miv"].files.values()] == [R.IMPORTED] * 2
    assert box.results(source, names=["miv"]) == [R.IMPORTED] * 2
    assert names(box) == {CUP: "Cup 4"}


def test_hl7_updates_are_files_of_changes_too(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    source = settings(path=str(folder), format="hl7-mfn")

    def message(event: str, number: str, name: str) -> bytes:
        return (
            f"MSH|^~\\&|||||20261101||MFN^M16|1|P|2.9\rMFI|INV||{event}|||NE\rMFE|MAD|1||{number}|ST\r"
            f"ITM|{number}|{name}\r"
        ).encode()

    drop(folder, message("REP", "A1", "Cup"), "1.hl7", 9000)
    for number in range(2, 6):
        drop(folder, message("UPD", f"A{number}", f"Item {number}"), f"{number}.hl7", 9000 - number)
    assert box.results(source) == [R.IMPORTED] * 5
    assert all(box.knows(f"A{number}") for number in range(1, 6))

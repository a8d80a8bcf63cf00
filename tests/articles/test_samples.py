"""The shipped samples: they import without a column map, and the scans find what their notes say."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from drivers.replay import RecordedScan, load_recording
from gateway.articles.build.import_job import import_file
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.settings import SourceSettings
from gateway.model import ArticleStatus, Match
from gateway.samples import articles_csv, scans
from gateway.udi import decode
from tests.articles.conftest import NOW

RECORDING = load_recording(scans())

EXPECTED = [
    # beginning of the note -> how it is found, and the article's status
    ("accepted", {Match.DI}, ArticleStatus.ACTIVE),
    ("package", {Match.PACKAGE}, ArticleStatus.ACTIVE),
    ("expired", {Match.DI}, ArticleStatus.ACTIVE),
    ("the label lacks", {Match.DI}, ArticleStatus.ACTIVE),
    ("recalled", {Match.DI}, ArticleStatus.RECALLED),
    ("blocked", {Match.DI}, ArticleStatus.BLOCKED),
    ("shelf label", {Match.ARTICLE_NUMBER}, ArticleStatus.ACTIVE),
    ("supplier item label", {Match.CATALOG_NUMBER}, ArticleStatus.ACTIVE),
    ("unknown article", {Match.NONE}, None),
    ("no label", {Match.NONE}, None),
    ("wrong check digit", {Match.NONE}, None),
]


@pytest.fixture
def master(directory: Path) -> Iterator[ArticleMaster]:
    report = import_file(directory, SourceSettings(name="sample"), articles_csv(), now=NOW)
    assert (report.rejected, report.duplicates, report.swapped) == (0, 0, True)
    assert report.accepted >= 50
    with ArticleMaster(directory) as opened:
        yield opened


def test_the_scans_show_what_matters_first() -> None:
    assert RECORDING.loop
    early = {scan.note.split(":")[0].split(" ")[0] for scan in RECORDING.scans[:8]}
    assert {"accepted", "unknown", "expired", "recalled"} <= early


@pytest.mark.parametrize("scan", RECORDING.scans, ids=lambda scan: scan.note[:30])
def test_scan(master: ArticleMaster, scan: RecordedScan) -> None:
    ((matches, status),) = [(found, state) for start, found, state in EXPECTED if scan.note.startswith(start)]
    symbology, text = scan.text[:3], scan.text[3:]
    decoded = decode(text, symbology, today=date(2042, 12, 31))
    with master:
        found = master.look_up(text, decoded.device_identifier)
    assert found.match in matches
    assert (found.article and found.article.status) == status
    expired = decoded.expiration_date is not None and decoded.expiration_date < "2042-12-31"
    assert expired is scan.note.startswith("expired")

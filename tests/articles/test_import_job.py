"""Imports: reports, thresholds, the swap under a reader, and a crash at any point."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.articles import schema
from gateway.articles.build import generation
from gateway.articles.build import import_job as staging
from gateway.articles.build.generation import ImportStage
from gateway.articles.build.import_job import MAX_SHRINK, ROWS_PER_PROGRESS, import_file
from gateway.articles.errors import (
    ImportBusyError,
    ImportFailedError,
    MasterDamagedError,
    MasterOlderError,
    MasterWriteError,
    SourceFileError,
)
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.reports import MAX_REJECTIONS_KEPT, ImportProgress, Rejection
from gateway.articles.settings import SourceSettings
from tests.articles.conftest import NOW, Importing

ROOT = Path(__file__).parents[2]


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_rejected_rows_are_named_and_the_good_ones_go_in(importing: Importing, directory: Path) -> None:
    report = importing(
        "DI;Artnr;Namn\n9520001000102;A-1;ett\n9520001000103;A-2;två\n;A-3\n;A-4;\x07\n",
        columns={"deviceIdentifier": "DI", "articleNumber": "Artnr", "tradeName": "Namn"},
        max_rejected=0.8,
    )
    assert (report.rows_read, report.accepted, report.rejected, report.swapped) == (4, 1, 3, True)
    assert report.rejections == (
        Rejection(line=3, column="DI", reason="GTIN 9520001000103: check digit 2 expected, got 3"),
        Rejection(line=4, reason="2 fields: the header has 3, so cells may have moved"),
        Rejection(line=5, column="Namn", reason="control or invisible character U+0007"),
    )
    assert report.version == "2026-11-21T03:00:00Z"
    assert names(directory) == {schema.CURRENT, staging.LOCK}


@pytest.mark.parametrize(
    ("good", "bad", "swapped"), [(95, 5, True), (94, 6, False), (1, 0, True), (0, 1, False), (0, 0, False)]
)
def test_threshold(importing: Importing, directory: Path, good: int, bad: int, swapped: bool) -> None:  # noqa: FBT001
    importing("articleNumber\nOLD\n")
    rows = [f"NEW-{n}" for n in range(good)] + ["tab\x01"] * bad
    report = importing("\n".join(["articleNumber", *rows]) + "\n")
    assert report.swapped is swapped
    assert (report.refusal is None) is swapped
    with ArticleMaster(directory) as master:
        assert (master.look_up("OLD", None).article is None) is swapped
        assert master.look_up("NEW-0", None).article is not None or not swapped
    assert not names(directory) & {generation.BUILDING, "previous.new"}


def test_rejections_kept_are_bounded(importing: Importing) -> None:
    report = importing("articleNumber\n" + "bad\x01\n" * (MAX_REJECTIONS_KEPT + 50))
    assert report.rejected == MAX_REJECTIONS_KEPT + 50
    assert len(report.rejections) == MAX_REJECTIONS_KEPT
    assert not report.swapped


@pytest.mark.parametrize(
    ("first", "second", "duplicates", "column"),
    [
        ("9520001000102;A-1;x", "09520001000102;A-1;x", 1, None),
        ("9520001000102;A-1;x", "09520001000102;A-1;y", 0, "deviceIdentifier"),
        ("A99912345;A-1;x", "A99912345;A-1;x", 1, None),
        (";A-1;x", ";A-1;x", 1, None),
        (";A-1;x", ";A-1;y", 0, "articleNumber"),
    ],
)
def test_duplicates(
    importing: Importing, directory: Path, first: str, second: str, duplicates: int, column: str | None
) -> None:
    header = "deviceIdentifier;articleNumber;manufacturerName"
    report = importing(f"{header}\n{first}\n{second}\n;A-9;z\n", max_rejected=0.5)
    assert (report.accepted, report.duplicates, report.rejected) == (2, duplicates, 1 - duplicates)
    assert [(one.line, one.column) for one in report.rejections] == ([(3, column)] if column else [])
    with ArticleMaster(directory) as master:
        article = master.look_up("A-1", None).article
        assert article is not None
        assert article.manufacturer_name == "x"


@pytest.mark.parametrize("identifier", ["09520001000102", "A99912345"])
@pytest.mark.parametrize(
    ("rows", "number", "status"),
    [
        (["A-1;", "A-2;"], "A-1", "active"),
        (["A-1;discontinued", "A-2;"], "A-2", "active"),  # listed anew under another number
        (["A-1;blocked", "A-2;"], "A-2", "active"),
        (["A-1;", "A-2;blocked"], "A-1", "active"),
        (["A-1;blocked", "A-2;blocked"], "A-1", "blocked"),
        (["A-1;", "A-2;recalled"], "A-1", "recalled"),  # the article is, whatever its number
        (["A-1;recalled", "A-2;"], "A-2", "recalled"),
        (["A-1;", "A-2;", "A-3;"], "A-1", "active"),
    ],
)
def test_one_identifier_with_several_article_numbers(
    importing: Importing, directory: Path, identifier: str, rows: list[str], number: str, status: str
) -> None:
    """Stock and consignment, or listed anew: all numbers are known, and the one in use is the article's."""
    text = "".join(f"{identifier};{row}\n" for row in rows)
    report = importing(f"deviceIdentifier;articleNumber;status\n{text}")
    assert (report.accepted, report.rejected) == (len(rows), 0)
    with ArticleMaster(directory) as master:
        article = master.look_up("x", identifier).article
        assert article is not None
        assert (article.article_number, article.status.value) == (number, status)
        for row in rows:
            named, _, said = row.partition(";")
            by_number = master.look_up(named, None).article
            assert by_number is not None
            assert (by_number.device_identifier, by_number.article_number) == (identifier, named)
            if said == "blocked":
                assert by_number.status.value == "blocked"


@pytest.mark.parametrize("order", [("active", "recalled"), ("recalled", "active"), ("blocked", "recalled")])
@pytest.mark.parametrize("identifier", ["09520001000102", "A99912345", ""])
def test_the_strictest_of_several_rows_counts(
    importing: Importing, directory: Path, identifier: str, order: tuple[str, str]
) -> None:
    rows = "".join(f"{identifier};A-1;{status};{status}\n" for status in order)
    report = importing(f"deviceIdentifier;articleNumber;status;statusReason\n{rows};A-9;;\n", max_rejected=0.0)
    assert (report.accepted, report.duplicates, report.rejected) == (2, 1, 0)
    with ArticleMaster(directory) as master:
        article = master.look_up(identifier or "A-1", None).article
    assert article is not None
    assert (article.status.value, article.status_reason) == ("recalled", "recalled")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("9520001000102;A-1;a\ab;recalled;FSN 17", "09520001000102"),
        ("9520001000102;A-1;x;blocked;a\ab", "09520001000102"),
        ("9520001000103;A-1;x;recalled;", "A-1"),
        (";A-1;a\ab;återkallad;", "A-1"),
    ],
)
def test_a_rejected_row_bars_all_the_same(importing: Importing, directory: Path, row: str, text: str) -> None:
    header = "deviceIdentifier;articleNumber;tradeName;status;statusReason\n"
    report = importing(f"{header}{row}\n;A-9;z;;\n", max_rejected=0.5)
    assert (report.accepted, report.rejected) == (1, 1)
    with ArticleMaster(directory) as master:
        article = master.look_up(text, None).article
    assert article is not None
    assert article.status.value in {"blocked", "recalled"}


@pytest.mark.parametrize(
    ("former", "now", "taken"),
    [(100, 80, True), (100, 79, False), (30_000, 109, False), (3, 1, True), (4, 1, False)],
)
def test_a_file_that_was_cut_short_is_refused(
    importing: Importing, directory: Path, former: int, now: int, *, taken: bool
) -> None:
    def rows(count: int) -> str:
        return "articleNumber\n" + "".join(f"A-{n}\n" for n in range(count))

    importing(rows(former))
    report = importing(rows(now), max_shrink=MAX_SHRINK)
    assert report.swapped is taken
    assert taken or "fewer" in str(report.refusal)
    with ArticleMaster(directory) as master:
        assert (master.look_up(f"A-{former - 1}", None).article is None) is taken
    assert importing(rows(now), max_shrink=1.0).swapped


def test_an_article_number_may_stand_with_and_without_an_identifier(importing: Importing) -> None:
    report = importing("deviceIdentifier;articleNumber\n9520001000102;A-1\n9520001000119;A-1\n;A-1\n")
    assert (report.accepted, report.rejected) == (3, 0)


def test_progress(tmp_path: Path, directory: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("articleNumber\n" + "".join(f"A-{n}\n" for n in range(ROWS_PER_PROGRESS * 2 + 5)))
    seen: list[ImportProgress] = []
    import_file(directory, SourceSettings(name="miv"), file, now=NOW, progress=seen.append)
    assert [one.rows_read for one in seen] == [ROWS_PER_PROGRESS, ROWS_PER_PROGRESS * 2, ROWS_PER_PROGRESS * 2 + 5]
    assert seen[-1].bytes_read == seen[-1].bytes_total == file.stat().st_size


def test_errors_name_what_to_do(tmp_path: Path, directory: Path, importing: Importing) -> None:
    source = SourceSettings(name="miv")
    with pytest.raises(SourceFileError, match=r"gone\.csv"):
        import_file(directory, source, tmp_path / "gone.csv", now=NOW)
    with pytest.raises(SourceFileError, match="Is a directory"):
        import_file(directory, source, tmp_path, now=NOW)
    with pytest.raises(SourceFileError, match="export it again"):
        importing("")
    with pytest.raises(ValueError, match="time zone"):
        import_file(directory, source, tmp_path / "rows.csv", now=datetime(2026, 1, 1))  # noqa: DTZ001 - the case
    (tmp_path / "file").write_text("")
    with pytest.raises(MasterWriteError, match="permissions"):
        import_file(tmp_path / "file" / "articles", source, tmp_path / "rows.csv", now=NOW)
    assert names(directory) == {staging.LOCK}


@pytest.mark.parametrize("bytes_left", [0, 100_000, 1_000_000, 3_000_000, 3_400_000])
def test_a_full_disk_leaves_the_master(
    importing: Importing, directory: Path, tmp_path: Path, bytes_left: int
) -> None:
    importing("articleNumber\nOLD\n")
    rows = "".join(f"A-{n};{n} {'x' * 1000}\n" for n in range(3000))
    (tmp_path / "big.csv").write_text("articleNumber;description\n" + rows)
    child = _child(
        directory,
        tmp_path / "big.csv",
        # the kernel refuses to let any file grow beyond this: writing fails as on a full disk
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes_left}, {bytes_left}))",
    )
    assert child.returncode == 1
    assert "MasterWriteError" in child.stderr
    assert "the master in force is as it was" in child.stderr
    assert names(directory) == {schema.CURRENT, staging.LOCK}
    with ArticleMaster(directory) as master:
        assert master.look_up("OLD", None).article is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_disk_that_is_full_leaves_the_master(importing: Importing, directory: Path) -> None:
    directory.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory))
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        importing("articleNumber\nOLD\n")
        with pytest.raises(MasterWriteError, match=r"disk is full.*four times"):
            importing("articleNumber;description\n" + "".join(f"A-{n};{n} {'x' * 1000}\n" for n in range(3000)))
        assert names(directory) == {schema.CURRENT, staging.LOCK}
        with ArticleMaster(directory) as master:
            assert master.look_up("OLD", None).article is not None
        assert importing("articleNumber\nNEW\n").swapped
    finally:
        subprocess.run(("umount", "-l", str(directory)), check=True)


def test_a_damaged_master_is_not_built_upon(importing: Importing, directory: Path) -> None:
    importing("articleNumber\nOLD\n")
    current = directory / schema.CURRENT
    os.truncate(current, current.stat().st_size - 4096)
    with pytest.raises(MasterDamagedError):
        importing("articleNumber\nNEW\n")
    assert generation.BUILDING not in names(directory)


def test_the_last_free_source(importing: Importing, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "MAX_SOURCES", 2)
    importing("articleNumber\nA\n", name="a")
    importing("articleNumber\nB\n", name="b")
    importing("articleNumber\nA2\n", name="a")
    with pytest.raises(ImportFailedError, match="2 sources already"):
        importing("articleNumber\nC\n", name="c")
    with ArticleMaster(directory) as master:
        assert [source.name for source in master.info().sources] == ["a", "b"]


def test_two_imports_at_once(importing: Importing, directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("articleNumber\nFIRST\n")
    source = SourceSettings(name="miv")

    def meanwhile(_: ImportProgress) -> None:
        with pytest.raises(ImportBusyError, match="wait for it"):
            import_file(directory, source, file, now=NOW)

    assert import_file(directory, source, file, now=NOW, progress=meanwhile).swapped
    assert importing("articleNumber\nSECOND\n").swapped


def test_a_reader_sees_whole_generations_only(importing: Importing, directory: Path) -> None:
    rows = 200
    generations = 25

    def content(number: int) -> str:
        return "articleNumber;tradeName\n" + "".join(f"A-{row};{number}\n" for row in range(rows))

    importing(content(0))
    seen: list[int] = []
    wrong: list[object] = []
    done = threading.Event()

    def look() -> None:
        with ArticleMaster(directory) as master:
            row = 0
            while not done.is_set() or seen[-1:] != [generations]:
                row = (row + 7) % rows
                try:
                    found = master.look_up(f"A-{row}", None)
                    assert found.article is not None
                    assert found.article.trade_name is not None
                    number = int(found.article.trade_name)
                    expected = NOW + timedelta(seconds=number)
                    assert found.master_version == generation.version_of(expected)
                except Exception as error:  # noqa: BLE001 - told to the test's own thread
                    wrong.append(error)
                    return
                if not seen or seen[-1] != number:
                    seen.append(number)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, generations + 1):
        importing(content(number), now=NOW + timedelta(seconds=number))
    done.set()
    reader.join(60)
    assert not reader.is_alive()
    assert wrong == []
    assert seen == sorted(seen)
    assert seen[-1] == generations


_CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.articles.settings import SourceSettings
from gateway.articles.build.import_job import MAX_SHRINK, import_file

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def die_at(event, nth):
    left = [nth]
    def hook(name, args):
        if name == event:
            left[0] -= 1
            if left[0] == 0:
                die()
    sys.addaudithook(hook)

progress = None
reached = lambda step: None
{prelude}
import_file(
    Path(sys.argv[1]), SourceSettings(name="miv"), Path(sys.argv[2]),
    now=datetime(2026, 11, 22, tzinfo=UTC), progress=progress, reached=reached,
)
"""


def _child(directory: Path, file: Path, prelude: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _CHILD.format(prelude=prelude), str(directory), str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SWAPPED = {ImportStage.SWAPPED, ImportStage.FLUSHED}


@pytest.mark.parametrize(
    ("prelude", "swapped"),
    [
        ("progress = lambda p: die()", False),
        ("progress = lambda p: die() if p.rows_read >= 2500 else None", False),
        ("progress = lambda p: die() if p.bytes_read == p.bytes_total else None", False),
        *(
            (f"reached = lambda step: die() if step == {step.value!r} else None", step in SWAPPED)
            for step in ImportStage
        ),
        # Python's own audit events, raised before the call they name
        ("die_at('sqlite3.connect', 1)", False),
        ("die_at('sqlite3.connect', 2)", False),
        ("die_at('os.link', 1)", False),
        ("die_at('os.rename', 1)", False),
        ("die_at('os.rename', 2)", False),
    ],
)
def test_a_killed_import_leaves_a_whole_master(
    importing: Importing,
    directory: Path,
    tmp_path: Path,
    prelude: str,
    swapped: bool,  # noqa: FBT001 - a case
) -> None:
    importing("articleNumber\nOLDER\n")
    importing("articleNumber\nOLD\n")
    importing("articleNumber\nOTHER\n", name="other")
    file = tmp_path / "new.csv"
    file.write_text("articleNumber\n" + "".join(f"NEW-{n}\n" for n in range(3000)))
    child = _child(directory, file, prelude)
    assert child.returncode == -signal.SIGKILL, child.stderr
    with ArticleMaster(directory) as master:
        assert (master.look_up("OLD", None).article is None) is swapped
        assert (master.look_up("NEW-2999", None).article is not None) is swapped
        assert master.look_up("OTHER", None).article is not None
        assert importing("articleNumber\nNEXT\n").swapped
        assert master.look_up("NEXT", None).article is not None
        assert master.look_up("OTHER", None).article is not None
    assert names(directory) == {schema.CURRENT, schema.PREVIOUS, staging.LOCK}


def test_the_steps_are_told_in_their_order(importing: Importing, directory: Path, tmp_path: Path) -> None:
    importing("articleNumber\nOLD\n")
    file = tmp_path / "rows.csv"
    file.write_text("articleNumber\nNEW\n")
    steps: list[ImportStage] = []
    import_file(directory, SourceSettings(name="miv"), file, now=NOW, reached=steps.append)
    assert steps == list(ImportStage)


def test_a_master_of_an_earlier_format_is_replaced_by_an_import(importing: Importing, directory: Path) -> None:
    importing("articleNumber\nOLD\n")
    connection = sqlite3.connect(directory / schema.CURRENT)
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with ArticleMaster(directory) as master, pytest.raises(MasterOlderError, match="import every source again"):
        master.look_up("OLD", None)
    assert importing("articleNumber\nNEW\n").swapped
    with ArticleMaster(directory) as master:
        assert master.look_up("NEW", None).article is not None

"""Sync: what is due, what changed, what is refused, and what is remembered of it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.articles.build.import_job import import_file
from gateway.articles.errors import ImportBusyError
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.reports import ImportProgress, ImportReport
from gateway.articles.settings import SourceSettings
from gateway.articles.sync.job import (
    SETTLE_SECONDS,
    UNDATED_HOURS,
    SourceOutcome,
    Watch,
    published_sha256,
    rejected_file,
    sync,
)
from gateway.articles.sync.request import WANTED, request_sync, take_requests
from gateway.articles.sync.state import RETRY_SECONDS, STATE, SyncResult, next_due, read_state
from gateway.articles.sync.transfer import Pace
from tests.articles.reading import SAMPLES
from tests.articles.servers import content, cut_short, serving, status

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
STEADY = Pace(attempts=2)
GOOD = "articleNumber;tradeName\nVGR-1;Cup\n"
NEWER = "articleNumber;tradeName\nVGR-1;Cup\nVGR-2;Stem\n"
BAD = "articleNumber;tradeName\nVGR-1;Cup\nVGR-2;\x07\n"
R = SyncResult


def settings(**more: object) -> SourceSettings:
    return msgspec.convert({"name": "miv", "allow_http": True, **more}, SourceSettings)


class Box:
    """A box whose clock stands still until it is moved."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = NOW

    def sync(
        self, *sources: SourceSettings, names: Sequence[str] = (), force: bool = False, watch: Watch | None = None
    ) -> list[SourceOutcome]:
        return list(self.running(*sources, names=names, force=force, watch=watch))

    def running(
        self, *sources: SourceSettings, names: Sequence[str] = (), force: bool = False, watch: Watch | None = None
    ) -> Iterator[SourceOutcome]:
        watch = watch or Watch(pace=STEADY, wait=lambda _: None)
        return sync(self.directory, sources, now=lambda: self.now, names=names, force=force, watch=watch)

    def results(self, *sources: SourceSettings, names: Sequence[str] = (), force: bool = False) -> list[SyncResult]:
        return [outcome.state.result for outcome in self.sync(*sources, names=names, force=force)]

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def knows(self, number: str) -> bool:
        with ArticleMaster(self.directory) as master:
            return master.look_up(number, None).article is not None


@pytest.fixture
def box(directory: Path) -> Box:
    return Box(directory)


def drop(folder: Path, text: str, name: str = "articles.csv", age: float = 3600) -> Path:
    """Put a file into a folder, as if so many seconds before NOW."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(text)
    os.utime(file, (NOW.timestamp() - age,) * 2)
    return file


def test_a_dropped_file_is_imported_once(box: Box, tmp_path: Path) -> None:
    source = settings(path=str(drop(tmp_path, GOOD)))
    assert box.results(source) == [R.IMPORTED]
    assert box.knows("VGR-1")
    assert box.results(source) == []  # not due
    box.later(days=1)
    assert box.results(source) == [R.UNCHANGED]
    drop(tmp_path, NEWER, age=60)
    assert box.results(source, names=["miv"]) == [R.IMPORTED]
    assert box.knows("VGR-2")
    box.later(days=1)
    drop(tmp_path, NEWER, age=30)  # copied again: other times, the same content
    assert box.results(source) == [R.UNCHANGED]
    assert box.results(source, names=["miv"], force=True) == [R.IMPORTED]


@pytest.mark.parametrize(
    ("files", "pattern", "taken"),
    [
        ({"a.csv": 60, "b.csv": 50}, "", "b.csv"),
        ({"a.csv": 50, "b.csv": 60}, "", "a.csv"),
        ({"a.csv": 60, "b.csv.part": 50, ".c.csv": 40, "d.csv~": 30, "e.tmp": 20}, "", "a.csv"),
        ({"a.csv": 60, "b.txt": 50}, "*.csv", "a.csv"),
        (
            {"a.csv": 60, "~$a.xlsx": 50, "Thumbs.db": 40, "a.csv.md5sum": 30, "a.ok": 20, "a.csv.bak": 10},
            "",
            "a.csv",
        ),
        ({"a.csv": 60, "b.csv": 50}, "[a]*.csv", "a.csv"),
        ({"a.csv": 60}, "b*.csv", None),
        ({"a.csv": 60}, "b.csv", None),
        ({}, "", None),
    ],
)
def test_which_file_counts(
    box: Box, tmp_path: Path, files: dict[str, float], pattern: str, taken: str | None
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    for name, age in files.items():
        drop(folder, GOOD, name, age)
    (outcome,) = box.sync(settings(path=str(folder / pattern)))
    assert outcome.state.result is (R.IMPORTED if taken else R.NOTHING)
    assert (outcome.report and Path(outcome.report.file).name) == taken


def test_links_and_folders_are_not_followed(box: Box, tmp_path: Path) -> None:
    secret = drop(tmp_path / "elsewhere", GOOD)
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "a.csv").symlink_to(secret)
    (tmp_path / "drop" / "b.csv").mkdir()
    (tmp_path / "drop" / "c.csv").symlink_to("/dev/zero")
    assert box.results(settings(path=str(tmp_path / "drop"))) == [R.NOTHING]


def test_a_file_that_may_still_be_written_to_waits(box: Box, tmp_path: Path) -> None:
    source = settings(path=str(drop(tmp_path, GOOD, age=SETTLE_SECONDS - 1)))
    assert box.results(source) == [R.WAITING]
    box.later(seconds=RETRY_SECONDS)
    assert box.results(source) == [R.IMPORTED]


def test_a_named_source_does_not_wait(box: Box, tmp_path: Path) -> None:
    source = settings(path=str(drop(tmp_path, GOOD, age=0)))
    assert box.results(source, names=["miv"]) == [R.IMPORTED]


def test_a_file_written_to_during_its_import_is_read_again(box: Box, tmp_path: Path) -> None:
    file = drop(tmp_path, GOOD)
    source = settings(path=str(file))

    def grow(_: ImportProgress) -> None:
        if file.read_text() != NEWER:
            drop(tmp_path, NEWER, age=1)

    grown = Watch(imported=grow)
    assert [one.state.result for one in box.sync(source, watch=grown)] == [R.IMPORTED]
    box.later(days=1)
    assert box.results(source) == [R.IMPORTED]
    assert box.knows("VGR-2")


def test_a_release_in_a_folder_and_its_parts(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    for name in ("device.txt", "identifiers.txt"):
        drop(folder, (SAMPLES / "gudid" / name).read_text(), name)
    source = settings(path=str(folder), format="gudid")
    assert box.results(source) == [R.IMPORTED]
    with ArticleMaster(box.directory) as master:
        assert master.look_up("", "19520001001007").article is not None
    box.later(days=1)
    assert box.results(source) == [R.UNCHANGED]
    drop(
        folder, (SAMPLES / "gudid" / "identifiers.txt").read_text().rpartition("A9999")[0] + "\n", "identifiers.txt"
    )
    os.utime(folder / "identifiers.txt", (NOW.timestamp() - 40,) * 2)
    assert box.results(source, names=["miv"]) != [R.UNCHANGED]


def test_too_many_bad_rows(box: Box, tmp_path: Path) -> None:
    source = settings(path=str(drop(tmp_path, GOOD)))
    box.sync(source)
    drop(tmp_path, BAD, age=60)
    (outcome,) = box.sync(source, names=["miv"])
    assert outcome.state.result is R.REFUSED
    assert str(rejected_file(box.directory, "miv")) in outcome.state.message
    (row,) = map(json.loads, rejected_file(box.directory, "miv").read_text().splitlines())
    assert (row["line"], row["column"]) == (3, "tradeName")
    assert not box.knows("VGR-2")
    box.later(days=1)
    (again,) = box.sync(source)  # not read again, and still not well
    assert (again.state.result, again.report) == (R.REFUSED, None)
    assert again.state.message == outcome.state.message
    columns = {"tradeName": "articleNumber"}
    corrected = settings(path=source.path, columns=columns)  # the file is the same, its reading is not
    assert box.results(corrected, names=["miv"]) == [R.IMPORTED]


@pytest.mark.parametrize(
    ("make", "result", "words"),
    [
        (lambda tmp: {"path": str(tmp / "no folder" / "x.csv")}, R.UNREACHABLE, "there is no such folder"),
        (lambda tmp: {"path": str(drop(tmp, "a,b\n1,2\n"))}, R.FAILED, "no column for"),
        (lambda tmp: {"path": str(drop(tmp, GOOD)), "format": "peppol"}, R.FAILED, "not well-formed"),
        (lambda tmp: {"path": str(drop(tmp, GOOD)), "sha256": "0" * 64}, R.FAILED, "not " + "0" * 64),
        (lambda _: {"url": "http://127.0.0.1:9/x"}, R.UNREACHABLE, "Could not connect"),
    ],
    ids=["no folder", "other columns", "other format", "other sum", "no server"],
)
def test_failures_are_told_and_tried_again_soon(
    box: Box, tmp_path: Path, make: Callable[[Path], dict[str, object]], result: SyncResult, words: str
) -> None:
    other = settings(path=str(drop(tmp_path / "other", GOOD)), name="other")
    bad = settings(**make(tmp_path))
    outcomes = box.sync(bad, other)
    assert [outcome.state.result for outcome in outcomes] == [result, R.IMPORTED]  # one does not keep the other
    assert words in outcomes[0].state.message
    box.later(seconds=RETRY_SECONDS - 1)
    assert box.results(bad, other) == []
    box.later(seconds=1)
    assert box.results(bad, other) == [result]


def test_what_is_due(box: Box, tmp_path: Path) -> None:
    hourly = settings(name="hourly", path=str(drop(tmp_path, GOOD)), interval=3600)
    daily = settings(name="daily", path=str(drop(tmp_path, GOOD, "b.csv")))
    by_hand = settings(name="by-hand")

    def looked_at(*names: str) -> list[str]:
        return [outcome.source for outcome in box.sync(hourly, daily, by_hand, names=names)]

    assert looked_at() == ["hourly", "daily"]
    assert looked_at() == []
    box.later(hours=1)
    assert looked_at() == ["hourly"]
    assert looked_at("daily") == ["daily"]
    assert looked_at("by-hand") == []
    box.later(hours=-48)  # the clock was wrong
    assert looked_at() == ["hourly", "daily"]


def test_corrected_settings_are_tried_at_once(box: Box, tmp_path: Path) -> None:
    wrong = settings(path=str(tmp_path / "no folder" / "x.csv"))
    right = settings(path=str(drop(tmp_path, GOOD)))
    assert box.results(wrong) == [R.UNREACHABLE]
    assert next_due(wrong, read_state(box.directory).sources["miv"]) > NOW.timestamp()
    assert next_due(right, read_state(box.directory).sources["miv"]) == 0
    assert box.results(right) == [R.IMPORTED]
    assert box.results(right) == []


def test_a_request_makes_a_source_due_once(box: Box, tmp_path: Path) -> None:
    one = settings(name="one", path=str(drop(tmp_path, GOOD)))
    two = settings(name="two", path=str(drop(tmp_path, GOOD, "b.csv")))
    box.sync(one, two)
    request_sync(box.directory, "two")
    request_sync(box.directory, "two")
    request_sync(box.directory, "gone")
    assert [outcome.source for outcome in box.sync(one, two)] == ["two"]
    assert list((box.directory / WANTED).iterdir()) == []
    assert box.sync(one, two) == []
    assert take_requests(box.directory / "elsewhere") == frozenset()
    for name in ("", "../x", "a/b", "x" * 65):
        with pytest.raises(ValueError, match="no name of a source"):
            request_sync(box.directory, name)


def test_over_http(box: Box) -> None:
    with serving(content(GOOD.encode())) as server:
        source = settings(url=server.url())
        (outcome,) = box.sync(source)
        assert (outcome.state.result, outcome.report and outcome.report.file) == (R.IMPORTED, server.url())
        box.later(days=1)
        assert box.results(source) == [R.UNCHANGED]
        assert server.asked[-1].headers["if-none-match"] == '"1"'
        server.answers = [content(GOOD.encode(), '"2"')]  # another tag, the same bytes
        assert box.results(source, names=["miv"]) == [R.UNCHANGED]
        server.answers = [content(NEWER.encode(), '"3"')]
        assert box.results(source, names=["miv"]) == [R.IMPORTED]
        assert box.results(settings(url=server.url(), delimiter=","), names=["miv"]) == [R.FAILED]
        assert "if-none-match" not in server.asked[-1].headers  # read in another way, it is another file
    assert box.knows("VGR-2")
    assert not list(box.directory.glob("download-*"))


def test_a_broken_download_goes_on_in_the_next_run(box: Box) -> None:
    rows = NEWER + "".join(f"VGR-{number};x\n" for number in range(3, 3000))
    with serving(cut_short(rows.encode(), 1000), status(503), status(503), content(rows.encode())) as server:
        source = settings(url=server.url())
        assert box.results(source) == [R.UNREACHABLE]
        assert not box.knows("VGR-2")
        assert box.results(source, names=["miv"]) == [R.IMPORTED]
        assert server.asked[-1].headers["range"] == "bytes=1000-"
    assert box.knows("VGR-2999")


SUM = hashlib.sha256(GOOD.encode()).hexdigest()


@pytest.mark.parametrize(
    ("page", "result"),
    [
        (SUM, R.IMPORTED),
        (f"{SUM}  articles.csv\n", R.IMPORTED),
        (f"{'0' * 64}  other.csv\n{SUM} *folder/articles.csv\n", R.IMPORTED),
        (f"{'0' * 64}  articles.csv\n", R.FAILED),
        (f"{SUM}  one.csv\n{SUM}  two.csv\n", R.FAILED),
        ("<html>not found</html>", R.FAILED),
    ],
)
def test_a_published_checksum(box: Box, page: str, result: SyncResult) -> None:
    with serving(content(page.encode(), etag=None)) as sums, serving(content(GOOD.encode())) as server:
        source = settings(url=server.url(), sha256_url=sums.url("/SHA256SUMS"))
        assert box.results(source) == [result]
        assert box.knows("VGR-1") is (result is R.IMPORTED)
        asked = len(server.asked)
        if result is R.IMPORTED:
            box.later(days=1)
            assert box.results(source) == [R.UNCHANGED]
            assert len(server.asked) == asked  # the sum alone says so
    assert not list(box.directory.glob("download-*"))


def test_sums_as_programs_write_them() -> None:
    page = f"# sums\n{SUM.upper()}  a b.csv\r\n{'1' * 64}\t./x.csv\n".encode()
    assert published_sha256(page, "a b.csv") == SUM
    assert published_sha256(page, "x.csv") == "1" * 64
    assert published_sha256(page, "y.csv") is None
    assert published_sha256(b"\xff\xfe", "y.csv") is None


@pytest.mark.parametrize(
    ("modified", "expected"),
    [
        ("Fri, 20 Nov 2026 22:00:00 GMT", datetime(2026, 11, 20, 22, 0, tzinfo=UTC)),
        (None, NOW - timedelta(hours=UNDATED_HOURS)),
        ("yesterday", NOW - timedelta(hours=UNDATED_HOURS)),
    ],
)
def test_until_when_a_fetched_file_speaks(
    box: Box, monkeypatch: pytest.MonkeyPatch, modified: str | None, expected: datetime
) -> None:
    told: list[object] = []

    def noting(*arguments: Any, **more: Any) -> ImportReport:  # noqa: ANN401 - as it was called
        told.append(more["as_of"])
        return import_file(*arguments, **more)

    monkeypatch.setattr("gateway.articles.sync.job.import_file", noting)
    with serving(content(GOOD.encode(), modified=modified)) as server:
        assert box.results(settings(url=server.url())) == [R.IMPORTED]
    assert told == [expected]


def test_the_state_is_written_after_each_source(box: Box, tmp_path: Path) -> None:
    sources = [settings(name=name, path=str(drop(tmp_path, GOOD, f"{name}.csv"))) for name in ("one", "two")]
    running: Iterator[SourceOutcome] = sync(box.directory, sources, now=lambda: NOW)
    next(running)
    assert set(read_state(box.directory).sources) == {"one"}
    with pytest.raises(ImportBusyError, match="another sync is running"):
        box.sync(*sources)
    list(running)
    state = read_state(box.directory).sources["two"]
    assert (state.imported, state.succeeded, state.rows, state.taken) == (*(int(NOW.timestamp()),) * 2, 1, True)
    box.later(days=1)
    box.sync(sources[0])
    assert set(read_state(box.directory).sources) == {"one"}  # what is configured no more is forgotten


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"sources":{"miv":7}}', b"\xff"])
def test_a_damaged_state_costs_one_import(box: Box, tmp_path: Path, damage: bytes) -> None:
    source = settings(path=str(drop(tmp_path, GOOD)))
    box.sync(source)
    (box.directory / STATE).write_bytes(damage)
    assert box.results(source) == [R.IMPORTED]


def test_nothing_heavy_is_loaded_by_who_only_asks() -> None:
    """The daemon asks for a sync and reads its state; TLS and HTTP stay in the process that syncs."""
    code = (
        "import sys, gateway.articles.sync.request, gateway.articles.sync.state\n"
        "print({'http.client', 'ssl', 'pycurl', 'zipfile', 'pyexpat', 'sqlite3'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

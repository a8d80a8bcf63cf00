"""Deltas over the files: in force at once, after a restart, and until a newer file of their source comes."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.articles.build.import_job import rollback
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.overlay import writer as applying
from gateway.articles.overlay.merge import FileState
from gateway.articles.overlay.store import DAMAGED, OVERLAY
from gateway.model import Match
from tests.articles.conftest import NOW, Importing, applied

ROOT = Path(__file__).parents[2]
GTIN, CASE, OTHER = "09520001000102", "19520001000109", "09520001000119"
HEADER = "deviceIdentifier;articleNumber;tradeName;packageLevel;baseDeviceIdentifier;baseQuantity;status\n"
FILE = (
    f"{HEADER}{GTIN};VGR-1;Stam;;;;\n{CASE};;Ask;package;{GTIN};10;\n"
    f"{OTHER};VGR-2;Enhet;;;;blocked\n;VGR-3;Hylla;;;;\n"
)
BLOCK = {"op": "block", "deviceIdentifier": GTIN, "reason": "avtal"}
RECALL = {"op": "recall", "deviceIdentifier": GTIN, "reason": "FSN 17", "lots": ["L1"]}
WHOLE = {"op": "recall", "deviceIdentifier": GTIN, "reason": "FSN 18"}
UPSERT = {"op": "upsert", "article": {"deviceIdentifier": GTIN, "articleNumber": "VGR-9", "tradeName": "Ny"}}
DELETE = {"op": "delete", "deviceIdentifier": GTIN}
RELEASE = {"op": "release", "deviceIdentifier": GTIN}


def delta(number: int, *changes: dict[str, Any], source: str = "miv", issued: datetime | None = None) -> bytes:
    at = issued or NOW + timedelta(minutes=number)
    whole = {"source": source, "number": number, "issuedAt": at.isoformat(), "changes": changes}
    return json.dumps(whole).encode()


@pytest.fixture
def master(importing: Importing, directory: Path) -> Iterator[ArticleMaster]:
    """A master whose file is as new as NOW."""
    report = importing(FILE, as_of=NOW)
    assert (report.accepted, report.rejected) == (4, 0)
    with ArticleMaster(directory) as opened:
        yield opened


def told(master: ArticleMaster, text: str) -> tuple[str | None, str, str | None, int]:
    """Name, status, article number and count of recalls, after a look-up."""
    identifier = text if text.isdigit() else None
    found = master.look_up(text, identifier)
    article = found.article
    if article is None:
        return None, "none", None, len(found.recalls)
    return article.trade_name, article.status.value, article.article_number, len(found.recalls)


@pytest.mark.parametrize(
    ("changes", "text", "expected"),
    [
        ([BLOCK], GTIN, ("Stam", "blocked", "VGR-1", 0)),
        ([BLOCK], "VGR-1", ("Stam", "blocked", "VGR-1", 0)),
        ([BLOCK], CASE, ("Ask", "blocked", "VGR-1", 0)),  # a package with its base
        ([BLOCK], OTHER, ("Enhet", "blocked", "VGR-2", 0)),  # as its file says
        ([RECALL], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([RECALL], CASE, ("Ask", "active", "VGR-1", 1)),
        ([RECALL], "VGR-1", ("Stam", "active", "VGR-1", 1)),
        ([RECALL, {**RECALL, "lots": ["L2"]}], GTIN, ("Stam", "active", "VGR-1", 2)),
        ([{**RECALL, "lots": []}], GTIN, ("Stam", "recalled", "VGR-1", 0)),
        ([{"op": "block", "articleNumber": "VGR-1"}], GTIN, ("Stam", "blocked", "VGR-1", 0)),
        ([{"op": "block", "articleNumber": "VGR-3"}], "VGR-3", ("Hylla", "blocked", "VGR-3", 0)),
        ([{"op": "recall", "articleNumber": "VGR-1", "lots": ["L1"]}], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([UPSERT], GTIN, ("Ny", "active", "VGR-9", 0)),
        ([UPSERT], "VGR-9", ("Ny", "active", "VGR-9", 0)),
        ([UPSERT], "VGR-1", (None, "none", None, 0)),
        ([BLOCK, UPSERT], GTIN, ("Ny", "active", "VGR-9", 0)),  # the row anew, its status too
        ([RECALL, UPSERT], GTIN, ("Ny", "active", "VGR-9", 1)),  # a recall of some devices goes on
        ([UPSERT, BLOCK], GTIN, ("Ny", "blocked", "VGR-9", 0)),
        ([DELETE], GTIN, (None, "none", None, 0)),
        ([DELETE], "VGR-1", (None, "none", None, 0)),
        ([BLOCK, DELETE], GTIN, (None, "none", None, 0)),
        # what is recalled is commonly taken out of the range the same day: only a release ends a recall
        ([BLOCK, RECALL, DELETE], GTIN, (None, "active", "VGR-1", 1)),
        ([RECALL, DELETE], CASE, ("Ask", "active", "VGR-1", 1)),
        ([RECALL, DELETE], "VGR-1", (None, "active", "VGR-1", 1)),
        ([WHOLE, DELETE], GTIN, (None, "recalled", "VGR-1", 0)),
        ([WHOLE, UPSERT], GTIN, ("Ny", "recalled", "VGR-9", 0)),
        ([WHOLE, BLOCK], GTIN, ("Stam", "recalled", "VGR-1", 0)),
        (
            [WHOLE, {**BLOCK, "deviceIdentifier": None, "articleNumber": "VGR-1"}],
            GTIN,
            ("Stam", "recalled", "VGR-1", 0),
        ),
        ([WHOLE, UPSERT, RELEASE], GTIN, ("Ny", "active", "VGR-9", 0)),
        ([WHOLE, DELETE, RELEASE], GTIN, (None, "none", None, 0)),
        ([RECALL, DELETE, UPSERT], GTIN, ("Ny", "active", "VGR-9", 1)),
        ([RELEASE, RECALL], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([{"op": "recall", "articleNumber": "VGR-1"}, DELETE], GTIN, (None, "recalled", "VGR-1", 0)),
        ([{"op": "recall", "articleNumber": "VGR-1"}, UPSERT], GTIN, ("Ny", "recalled", "VGR-9", 0)),
        (
            [{"op": "recall", "articleNumber": "VGR-1"}, UPSERT, {"op": "release", "articleNumber": "VGR-1"}],
            GTIN,
            ("Ny", "active", "VGR-9", 0),
        ),
        ([{"op": "delete", "articleNumber": "VGR-3"}], "VGR-3", (None, "none", None, 0)),
        ([BLOCK, RELEASE], GTIN, ("Stam", "active", "VGR-1", 0)),
        ([RECALL, RELEASE], GTIN, ("Stam", "active", "VGR-1", 0)),
        ([{"op": "release", "deviceIdentifier": OTHER}], OTHER, ("Enhet", "active", "VGR-2", 0)),
        # what no file knows
        ([{**BLOCK, "deviceIdentifier": "9520003000100"}], "09520003000100", (None, "blocked", None, 0)),
        ([{**RECALL, "deviceIdentifier": "9520003000100"}], "09520003000100", (None, "active", None, 1)),
        ([{**RELEASE, "deviceIdentifier": "9520003000100"}], "09520003000100", (None, "none", None, 0)),
        ([{**BLOCK, "deviceIdentifier": "A99912345"}], "A99912345", (None, "blocked", None, 0)),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["one-message", "one-each"])
@pytest.mark.parametrize("again", [False, True], ids=["at-once", "after-a-restart"])
def test_changes(
    master: ArticleMaster,
    directory: Path,
    changes: list[dict[str, Any]],
    text: str,
    expected: tuple[object, ...],
    together: bool,  # noqa: FBT001 - a case
    again: bool,  # noqa: FBT001 - a case
) -> None:
    messages = [delta(1, *changes)] if together else [delta(n, one) for n, one in enumerate(changes, 1)]
    with master:
        told(master, text)
        for message in messages:
            assert master.apply(message).applied
        if again:
            master.close()
            with ArticleMaster(directory) as other:
                assert told(other, text) == expected
        assert told(master, text) == expected


def test_what_a_recall_says_reaches_the_verdict(master: ArticleMaster) -> None:
    with master:
        outcome = master.apply(delta(1, {**RECALL, "serials": ["S1"], "from": "2026-11-01", "to": "2026-12-31"}))
        (recall,) = master.look_up("x", GTIN).recalls
    assert outcome.recalls[0].identity == GTIN
    assert outcome.recalls[0].recall == recall
    assert (recall.source, recall.reason) == ("miv", "FSN 17")
    assert [recall.in_force(day) for day in ("2026-10-31", "2026-11-01", "2026-12-31", "2027-01-01")] == [
        False,
        True,
        True,
        False,
    ]


def test_another_source_keeps_what_it_says(importing: Importing, master: ArticleMaster) -> None:
    importing(f"{HEADER}{GTIN};;Namn;;;;\n", name="gudid", priority=200, as_of=NOW)
    with master:
        master.apply(delta(1, DELETE))
        assert told(master, GTIN) == ("Namn", "active", None, 0)
        master.apply(delta(1, BLOCK, source="konsignation"))
        assert told(master, GTIN) == ("Namn", "blocked", None, 0)
        assert master.look_up("x", GTIN).source == "gudid", "who only blocks does not speak"


@pytest.mark.parametrize(
    ("as_of", "swallowed"), [(timedelta(minutes=-1), False), (timedelta(0), True), (timedelta(hours=1), True)]
)
def test_a_newer_file_swallows_a_delta(
    importing: Importing,
    master: ArticleMaster,
    directory: Path,
    as_of: timedelta,
    swallowed: bool,  # noqa: FBT001
) -> None:
    issued = NOW + timedelta(hours=2)
    with master:
        master.apply(delta(1, BLOCK, issued=issued))
        importing(FILE, name="miv", now=NOW + timedelta(hours=5), as_of=issued + as_of)
        assert (told(master, GTIN)[1] == "active") is swallowed
        importing(FILE.replace("Stam", "Annan"), name="other", now=NOW + timedelta(hours=6))
        assert (told(master, GTIN)[1] == "active") is swallowed, "another source's file swallows nothing"
        rollback(directory)
        rollback(directory)
        assert (told(master, GTIN)[1] == "active") is swallowed


def test_a_rollback_brings_a_swallowed_delta_back(
    importing: Importing, master: ArticleMaster, directory: Path
) -> None:
    with master:
        master.apply(delta(1, BLOCK))
        importing(FILE, as_of=NOW + timedelta(hours=1), now=NOW + timedelta(hours=1))
        assert told(master, GTIN)[1] == "active"
        rollback(directory)
        assert told(master, GTIN)[1] == "blocked"


@pytest.mark.parametrize(
    ("numbers", "applied", "gaps"),
    [
        ([1, 2, 3], [True, True, True], [False, False, False]),
        ([1, 1], [True, False], [False, False]),
        ([1, 3], [True, True], [False, True]),
        ([2], [True], [True]),  # the first one is missing
        ([1, 3, 4], [True, True, True], [False, True, True]),
        ([1, 3, 2], [True, True, True], [False, True, True]),  # late: taken, but the gap needs a file
        ([1, 3, 3], [True, True, False], [False, True, False]),
        ([2000, 5], [True, False], [True, False]),  # too old to be remembered: a repeat
    ],
)
def test_numbers(master: ArticleMaster, numbers: list[int], applied: list[bool], gaps: list[bool]) -> None:
    with master:
        outcomes = [master.apply(delta(number, BLOCK)) for number in numbers]
    assert [outcome.applied for outcome in outcomes] == applied
    assert [outcome.gap for outcome in outcomes] == gaps
    assert all(outcome.refused is None for outcome in outcomes)


def test_a_gap_is_told_until_a_file_as_new_comes(importing: Importing, master: ArticleMaster) -> None:
    issued = NOW + timedelta(hours=2)
    with master:
        master.apply(delta(5, BLOCK, issued=issued))
        assert master.info().gaps == ("miv",)
        importing(FILE, as_of=issued - timedelta(minutes=1), now=NOW + timedelta(hours=3))
        assert master.info().gaps == ("miv",)
        importing(FILE, as_of=issued, now=NOW + timedelta(hours=4))
        assert master.info().gaps == ()
        assert not master.apply(delta(6, BLOCK, issued=issued + timedelta(hours=3))).gap


def test_a_source_that_counts_anew(master: ArticleMaster) -> None:
    with master:
        master.apply(delta(1, BLOCK))
        master.apply(delta(2, BLOCK))
        outcome = master.apply(delta(1, RELEASE, issued=NOW + timedelta(days=1)))
        assert (outcome.applied, outcome.gap) == (True, True)
        assert told(master, GTIN)[1] == "active"
        assert not master.apply(delta(1, BLOCK, issued=NOW + timedelta(days=1))).applied


def test_of_two_changes_the_one_issued_later_counts(master: ArticleMaster) -> None:
    with master:
        master.apply(delta(1, RELEASE, issued=NOW + timedelta(hours=2)))
        master.apply(delta(2, BLOCK, issued=NOW + timedelta(hours=1)))
        master.apply(delta(3, RECALL, issued=NOW + timedelta(hours=1)))
        assert told(master, GTIN) == ("Stam", "active", "VGR-1", 0)


def test_refusals_change_nothing(master: ArticleMaster, directory: Path) -> None:
    with master:
        for payload in (b"", b"{}", delta(1, BLOCK, {"op": "block"}), delta(1, BLOCK, source="a b")):
            outcome = master.apply(payload)
            assert not outcome.applied
            assert outcome.refused
        future = master.apply(delta(1, BLOCK, issued=NOW + timedelta(days=3)), now_ns=int(NOW.timestamp()) * 10**9)
        assert future.refused == "issuedAt lies in the future"
        unsigned = master.apply(delta(1, BLOCK), bytes(32))
        assert unsigned.refused is not None
        assert "not signed" in unsigned.refused
        assert told(master, GTIN)[1] == "active"
        assert not (directory / OVERLAY).exists()


def test_more_than_there_is_room_for(master: ArticleMaster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "MAX_CHANGES_KEPT", 3)
    changes = [{**BLOCK, "deviceIdentifier": None, "articleNumber": f"A-{n}"} for n in range(4)]
    with master:
        assert master.apply(delta(1, *changes[:3])).applied
        refused = master.apply(delta(2, changes[3])).refused
        assert refused is not None
        assert "sync" in refused
        old = delta(3, changes[3], source="gudid", issued=NOW - timedelta(days=1))
        assert master.apply(old).refused
        # as many as a file has swallowed make room
        as_of = {"miv": int((NOW + timedelta(days=1)).timestamp()) * 10**9}
        assert applied(master._path.parent, delta(2, changes[3]), FileState(as_of)).applied


def test_another_process_s_delta_is_followed(master: ArticleMaster, directory: Path) -> None:
    with master:
        assert told(master, GTIN)[1] == "active"
        assert applied(directory, delta(1, BLOCK)).applied
        master._overlay._look_at = 0.0  # as after FOLLOW_SECONDS
        assert told(master, GTIN)[1] == "blocked"


def test_deltas_without_any_file(directory: Path) -> None:
    with ArticleMaster(directory) as master:
        assert master.apply(delta(1, UPSERT)).applied
        found = master.look_up("x", GTIN)
    assert (found.match, found.source, found.master_version) == (Match.DI, "miv", None)


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_overlay_is_told_and_begun_anew(master: ArticleMaster, directory: Path, content: bytes) -> None:
    with master:
        master.apply(delta(1, BLOCK))
        (directory / OVERLAY).write_bytes(content)
        master._overlay._look_at = 0.0
        assert told(master, GTIN)[1] == "active", "the file's own word goes on"
        problem = master.info().overlay_problem
        assert problem is not None
        assert OVERLAY in problem
        outcome = master.apply(delta(2, BLOCK))
        assert (outcome.applied, outcome.gap) == (True, True)
        assert told(master, GTIN)[1] == "blocked"
        assert master.info().overlay_problem is None
        (directory / OVERLAY).write_bytes(content)
        assert applied(directory, delta(3, BLOCK)).gap, "by who only applies, too"
        assert (directory / DAMAGED).read_bytes() == content


def test_an_overlay_of_a_newer_version_is_left_alone(master: ArticleMaster, directory: Path) -> None:
    with master:
        master.apply(delta(1, BLOCK))
        with closing(sqlite3.connect(directory / OVERLAY)) as db:
            db.execute("PRAGMA user_version = 9")
        before = (directory / OVERLAY).read_bytes()
        refused = master.apply(delta(2, RELEASE)).refused
        assert refused is not None
        assert "newer scangate" in refused
        assert (directory / OVERLAY).read_bytes() == before
        assert told(master, GTIN)[1] == "active"


def test_damage_inside_is_told(master: ArticleMaster, directory: Path) -> None:
    with master:
        master.apply(delta(1, BLOCK))
        with closing(sqlite3.connect(directory / OVERLAY, isolation_level=None)) as db:
            db.execute("UPDATE change SET body = x'00', issued_ns = 9e18")
        master._overlay._look_at = 0.0
        assert told(master, GTIN)[1] == "active"
        assert master.info().overlay_problem


def test_a_full_disk_refuses_the_delta_and_changes_nothing(master: ArticleMaster, directory: Path) -> None:
    with master:
        master.apply(delta(1, BLOCK))
    script = f"""
import resource, signal, sys
from pathlib import Path
from gateway.articles.overlay.store import Overlay
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
outcome = Overlay(Path(sys.argv[1])).apply({delta(2, RELEASE)!r})
print(outcome.applied, outcome.refused)
"""
    child = subprocess.run(
        [sys.executable, "-c", script, str(directory)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert child.stdout.startswith("False cannot write")
    with ArticleMaster(directory) as after:
        assert told(after, GTIN)[1] == "blocked"
        assert after.apply(delta(2, RELEASE)).applied


@pytest.mark.usefixtures("master")
@pytest.mark.parametrize("nth", range(1, 40, 3))
def test_a_killed_apply_is_whole_or_not_there(directory: Path, nth: int) -> None:
    """Killed at the n-th statement of SQLite, as its own trace tells them."""
    script = f"""
import os, signal, sqlite3, sys
from pathlib import Path
from gateway.articles.overlay import store as overlay
left = {nth}
def statement(_text):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
connect = sqlite3.connect
def traced(*arguments, **keywords):
    connection = connect(*arguments, **keywords)
    connection.set_trace_callback(statement)
    return connection
sqlite3.connect = traced
overlay.Overlay(Path(sys.argv[1])).apply({delta(1, BLOCK, RECALL)!r})
"""
    child = subprocess.run([sys.executable, "-c", script, str(directory)], cwd=ROOT, check=False)
    assert child.returncode in {0, -signal.SIGKILL}
    with ArticleMaster(directory) as after:
        found = told(after, GTIN)
        assert found in {("Stam", "active", "VGR-1", 0), ("Stam", "blocked", "VGR-1", 1)}
        assert after.apply(delta(2, RELEASE)).applied
        assert told(after, GTIN) == ("Stam", "active", "VGR-1", 0)
        assert after.info().overlay_problem is None


def test_priority_of_the_configuration_counts_at_once(importing: Importing, directory: Path) -> None:
    importing(f"{HEADER}{GTIN};A;Ett;;;;\n", name="a", priority=1)
    importing(f"{HEADER}{GTIN};B;Två;;;;\n", name="b", priority=2)
    with ArticleMaster(directory) as stored, ArticleMaster(directory, {"a": 9, "c": 1}) as configured:
        assert told(stored, GTIN)[0] == "Ett"
        assert told(configured, GTIN)[0] == "Två"
        assert [source.name for source in configured.info().sources] == ["b", "a"]

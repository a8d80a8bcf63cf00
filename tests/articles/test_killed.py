"""Killed (kill -9) at every stage of what lies over the files.

Deltas applied, compacted, made room for and announced, an overlay brought forward, a file swapped in below it, a series
of files half taken. After each, what was in force is in force: a recalled piece is refused on every level of its
packages, a free one is not; and what was begun can be done again.
"""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.articles.build.generation import ImportStage
from gateway.articles.overlay.store import OVERLAY, Overlay
from tests.articles.conftest import NOW, Box, Importing, delta
from tests.articles.test_overlay import (
    BLOCK,
    CASE,
    FILE,
    FSN_A,
    FSN_B,
    GTIN,
    OTHER,
    PALLET,
    RELEASE,
    ROOT,
    WHOLE,
    upsert,
)
from tests.articles.test_overlay_versions import VERSION_1
from tests.articles.test_sync_changes import CHANGE, CUP, STEM, catalogue, drop
from tests.articles.test_sync_changes import WHOLE as WHOLE_FILE

_CHILD = """
import os, signal, sqlite3, sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.articles.build.import_job import import_file
from gateway.articles.overlay import schema, writer
from gateway.articles.overlay.applier import DeltaApplier
from gateway.articles.overlay.store import Overlay
from gateway.articles.settings import SourceSettings
from gateway.articles.sync.job import sync

directory = Path(sys.argv[1])
left = int(sys.argv[2])

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def count(_statement=None):
    global left
    left -= 1
    if left == 0:
        die()

def traced(connect):
    def connected(*arguments, **keywords):
        connection = connect(*arguments, **keywords)
        connection.set_trace_callback(count)
        return connection
    return connected

def at_statements():
    schema.sqlite3.connect = traced(sqlite3.connect)

"""


def child(directory: Path, nth: int, action: str) -> bool:
    """Run an action in a process that is killed at its n-th statement or step; return whether it was."""
    command = [sys.executable, "-c", _CHILD + action, str(directory), str(nth)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def killed_everywhere(directory: Path, action: str, check: Callable[[], None], step: int = 1) -> int:
    """Kill an action at its first statement, at its second ... until it lives; return at how many it died."""
    most = 400
    for died, nth in enumerate(range(1, most, step)):
        lived = not child(directory, nth, action)
        check()
        if lived:
            return died
    raise AssertionError(f"more than {most} statements")


@pytest.fixture
def recalled(importing: Importing, box: Box) -> Box:
    """FSN-A recalls lot L1 of the each, FSN-B lot L2; OTHER is blocked by its file."""
    assert importing(FILE).swapped
    assert box.apply(delta(1, FSN_A)).applied
    assert box.apply(delta(2, FSN_B)).applied
    return box


def refused(box: Box) -> dict[str, list[str]]:
    box.restart()
    return {lot: [box.refuses(piece, lot) for piece in (GTIN, CASE, PALLET)] for lot in ("L1", "L2", "L3")}


BOTH = {"L1": ["recalled"] * 3, "L2": ["recalled"] * 3, "L3": ["free"] * 3}


@pytest.mark.parametrize("step", list(ImportStage))
def test_a_file_that_is_swapped_in_below_the_deltas(
    recalled: Box, importing: Importing, directory: Path, tmp_path: Path, step: ImportStage
) -> None:
    recalled.apply(delta(3, upsert(tradeName="Ny"), {"op": "block", "articleNumber": "VGR-3"}))
    file = tmp_path / "new.csv"
    file.write_text(FILE.replace("Stam", "Stam 2"))
    action = f"""
import_file(
    directory, SourceSettings(name="miv"), Path({str(file)!r}), now=datetime(2026, 11, 22, tzinfo=UTC),
    reached=lambda step: die() if step == {step.value!r} else None,
)
"""
    assert child(directory, 0, action)
    assert refused(recalled) == BOTH
    assert (recalled.refuses("VGR-3"), recalled.refuses(OTHER)) == ("blocked", "blocked")
    assert importing(FILE.replace("Stam", "Stam 3"), now=NOW + timedelta(days=2)).swapped
    assert refused(recalled) == BOTH
    assert recalled.refuses("VGR-3") == "blocked"
    assert recalled.shows(GTIN)[0] == "Stam 3"


def test_deltas_that_end_and_compact_others(recalled: Box, directory: Path) -> None:
    """One message: a release by id, another recall, a row anew, a block that a release ends: whole, or not there."""
    message = delta(
        3, {**RELEASE, "id": "FSN-A"}, {**WHOLE, "deviceIdentifier": OTHER}, upsert(tradeName="Ny"), BLOCK
    )
    after = {"L1": ["blocked"] * 3, "L2": ["blocked"] * 3, "L3": ["blocked"] * 3}
    stored: list[bool] = []

    def check() -> None:
        now = refused(recalled)
        stored.append(now == after)
        assert now in (BOTH, after)
        assert recalled.refuses(OTHER) == ("recalled" if stored[-1] else "blocked")

    action = f"at_statements()\nDeltaApplier(directory).apply({message!r})\n"
    assert killed_everywhere(directory, action, check, step=3) > 5
    assert stored == sorted(stored)
    assert recalled.apply(message).repeated
    assert recalled.apply(delta(4, RELEASE, {**RELEASE, "id": "FSN-B"})).refused is None
    assert refused(recalled) == {lot: ["free"] * 3 for lot in BOTH}


def test_room_that_is_made(recalled: Box, directory: Path) -> None:
    recalled.apply(delta(3, *({"op": "upsert", "article": {"articleNumber": f"N-{n}"}} for n in range(8))))
    ended = {"op": "recall", "deviceIdentifier": OTHER, "lots": ["L9"], "to": "2020-01-01"}
    recalled.apply(delta(4, *({**ended, "id": f"OLD-{n}"} for n in range(8))))
    message = delta(5, {"op": "recall", "deviceIdentifier": GTIN, "id": "FSN-C", "lots": ["L3"]})
    after = {lot: ["recalled"] * 3 for lot in BOTH}
    action = f"""
from datetime import date
at_statements()
writer.MAX_ROWS = writer.ENDED_BARS_KEPT = 5
DeltaApplier(directory).apply({message!r}, today=date(2026, 1, 1))
"""

    def check() -> None:
        assert refused(recalled) in (BOTH, after)

    assert killed_everywhere(directory, action, check, step=4) > 5
    assert refused(recalled) == after
    assert "OLD-1" not in {one.recall.id for one in Overlay(directory).recalls()}


@pytest.mark.parametrize("what", ["announced('miv', 7)", "settle('miv', 7)"])
def test_numbers_that_are_noted(recalled: Box, directory: Path, what: str) -> None:
    def check() -> None:
        assert refused(recalled) == BOTH
        (source,) = recalled.master.info().deltas
        assert (source.announced, source.missing) in {(2, ()), (7, () if "settle" in what else ((3, 7),))}

    assert killed_everywhere(directory, f"at_statements()\nDeltaApplier(directory).{what}\n", check, step=2) > 2
    assert recalled.master.info().deltas[0].announced == 7


def test_an_overlay_that_is_brought_forward(recalled: Box, directory: Path) -> None:
    recalled.close()
    (directory / OVERLAY).unlink()
    with closing(sqlite3.connect(directory / OVERLAY)) as db:
        db.executescript(VERSION_1)
        body = json.dumps({"source": "miv", "reason": "FSN 1", "lots": ["L1"]}).encode()
        db.execute("INSERT INTO source VALUES ('miv', 9, 0, 0)")
        db.execute("INSERT INTO change VALUES ('miv', ?, 'recall 9.0', 5, 'recall', ?, NULL, NULL)", (GTIN, body))
        db.commit()

    def check() -> None:
        with closing(sqlite3.connect(directory / OVERLAY)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
        assert version in {1, 2}

    assert killed_everywhere(directory, "at_statements()\nOverlay(directory).follow()\n", check) > 10
    assert refused(recalled) == {**BOTH, "L2": ["free"] * 3}


def test_a_series_of_files_that_is_half_taken(recalled: Box, directory: Path, tmp_path: Path) -> None:
    """Killed before, within and behind each of four files of changes: each is taken, in its order."""
    folder = tmp_path / "drop"
    drop(folder, catalogue(WHOLE_FILE, (CUP, "Cup 1")), "1.xml", 9000)
    for number in range(2, 5):
        drop(
            folder,
            catalogue(CHANGE, (CUP, f"Cup {number}"), (STEM, f"Stem {number}")),
            f"{number}.xml",
            9000 - number,
        )
    action = f"""
from gateway.articles.sync import job
for name in ("write_state", "import_file"):
    def counted(*arguments, name=name, run=getattr(job, name), **more):
        count()
        done = run(*arguments, **more)
        count()
        return done
    setattr(job, name, counted)
source = SourceSettings(name="supplier", format="peppol", path={str(folder)!r})
for outcome in sync(directory, [source], now=lambda: datetime(2026, 11, 22, tzinfo=UTC), names=["supplier"]):
    assert outcome.state.result in ("imported", "unchanged"), outcome
"""
    for nth in range(1, 20):
        if not child(directory, nth, action):
            break
        assert refused(recalled) == BOTH
        known = recalled.shows(CUP)[0], recalled.shows(STEM)[0]
        assert known in {(None, None), ("Cup 1", None), *((f"Cup {n}", f"Stem {n}") for n in (2, 3, 4))}
    recalled.restart()
    assert (recalled.shows(CUP)[0], recalled.shows(STEM)[0]) == ("Cup 4", "Stem 4")

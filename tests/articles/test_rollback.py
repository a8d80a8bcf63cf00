"""Back to the previous generation, and back again; killed on the way."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.articles import schema
from gateway.articles.build import import_job as staging
from gateway.articles.build.import_job import rollback
from gateway.articles.errors import MasterDamagedError, NoPreviousError
from gateway.articles.lookup.master import ArticleMaster
from tests.articles.conftest import NOW, Importing

ROOT = Path(__file__).parents[2]


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def number_in_force(directory: Path) -> str | None:
    with ArticleMaster(directory) as master:
        found = [number for number in ("ONE", "TWO") if master.look_up(number, None).article is not None]
    assert len(found) == 1
    return found[0]


def test_rollback_and_back_again(importing: Importing, directory: Path) -> None:
    importing("articleNumber\nONE\n")
    with pytest.raises(NoPreviousError, match="there is no previous generation"):
        rollback(directory)
    importing("articleNumber\nTWO\n")
    with ArticleMaster(directory) as master:
        assert master.look_up("TWO", None).article is not None
        rollback(directory)
        assert master.look_up("TWO", None).article is None, "a running reader follows"
        assert master.look_up("ONE", None).article is not None
    rollback(directory)
    assert number_in_force(directory) == "TWO"
    assert names(directory) == {schema.CURRENT, schema.PREVIOUS, staging.LOCK}


def test_rollback_without_a_present_master(importing: Importing, directory: Path) -> None:
    importing("articleNumber\nONE\n")
    importing("articleNumber\nTWO\n")
    (directory / schema.CURRENT).write_bytes(b"damaged")
    rollback(directory)
    assert number_in_force(directory) == "ONE"


def test_rollback_to_a_damaged_one_is_refused(importing: Importing, directory: Path) -> None:
    importing("articleNumber\nONE\n")
    importing("articleNumber\nTWO\n")
    previous = directory / schema.PREVIOUS
    os.truncate(previous, previous.stat().st_size - 4096)
    with pytest.raises(MasterDamagedError):
        rollback(directory)
    assert number_in_force(directory) == "TWO"


@pytest.mark.parametrize(
    ("event", "nth", "expected"),
    [("os.link", 1, "TWO"), ("os.link", 2, "TWO"), ("os.rename", 1, "TWO"), ("os.rename", 2, "ONE")],
)
def test_a_killed_rollback_leaves_a_whole_master(
    importing: Importing, directory: Path, event: str, nth: int, expected: str
) -> None:
    importing("articleNumber\nONE\n")
    importing("articleNumber\nTWO\n")
    script = f"""
import os, signal, sys
from pathlib import Path
from gateway.articles.build.import_job import rollback
left = {nth}
def hook(name, args):
    global left
    if name == {event!r}:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
rollback(Path(sys.argv[1]))
"""
    child = subprocess.run([sys.executable, "-c", script, str(directory)], cwd=ROOT, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL
    assert number_in_force(directory) == expected
    assert importing("articleNumber\nONE\n", now=NOW + timedelta(hours=1)).swapped
    assert number_in_force(directory) == "ONE"
    assert names(directory) == {schema.CURRENT, schema.PREVIOUS, staging.LOCK}

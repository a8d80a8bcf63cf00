"""`scangate demo --intake`: the chain to its end, on this machine."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.intake.boxes import ROOT
from tests.intake.running import environment


def test_the_demo_ends_in_a_database(tmp_path: Path) -> None:
    database = tmp_path / "demo.db"
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--count", "5", "--intake", str(database)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "used, by article" in done.stdout
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone()[0] >= 5
        assert connection.execute("SELECT max(frontier) FROM stream").fetchone()[0] >= 5
    connection.close()

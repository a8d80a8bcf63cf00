"""Threads that meet as they never do on a quiet machine: the promise holds, and nothing is left behind.

A short form of tests/faults/chaos.py, which `make faults` runs for minutes; in a process of its own, because it delays
every lock.
"""

import subprocess
import sys

from tests.end_to_end.plant import ROOT


def test_a_few_rounds() -> None:
    command = [sys.executable, "-m", "tests.faults.chaos", "--rounds", "4", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "all well" in done.stdout

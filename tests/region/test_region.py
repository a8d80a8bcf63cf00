"""A small region, with all that happens to the large one."""

from pathlib import Path

import pytest

from tests.region.run import Plan, run


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_accepted_scan_is_in_the_database(tmp_path: Path) -> None:
    outcome = run(tmp_path, Plan(boxes=8, scans=30, seconds=25.0), print)
    assert outcome.good, outcome
    assert outcome.accepted >= 8

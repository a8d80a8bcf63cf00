"""The systemd units of the central side: valid, and confined as the gateway's is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.intake.boxes import ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
MAX_EXPOSURE = 15
"""`systemd-analyze security` in tenths: 1.5 of 10."""


def analyze(*arguments: str) -> str:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not on this machine")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    """Only the programs' paths are replaced: they are not installed where the tests run."""
    name = unit.name.replace("@.", "@epj.")
    text = re.sub(
        r"/opt/scangate-intake/bin/scangate-intake|/usr/local/bin/nats-server", "/bin/true", unit.read_text()
    )
    (tmp_path / name).write_text(text)
    assert analyze("verify", "--man=no", str(tmp_path / name)) == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_it_is_confined(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@.", "@epj.")
    copy.write_text(unit.read_text())
    analyze("security", "--offline=true", "--no-pager", f"--threshold={MAX_EXPOSURE}", str(copy))

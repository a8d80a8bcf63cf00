"""The arm64 package, unpacked and run by qemu-user: it was built without any emulation."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.install.guest import DEBS, ROOT
from tests.install.packages import PYTHONS, package_of

QEMU = shutil.which("qemu-aarch64-static")


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_it_decodes_imports_and_runs_the_scan_path(suite: str, tmp_path: Path) -> None:
    sysroot = ROOT / "build" / "sysroots" / f"{suite}-arm64"
    if QEMU is None or not list(DEBS.glob(f"scangate_*~{suite}_arm64.deb")):
        pytest.skip("needs qemu-user-static and the arm64 packages: make deb")
    subprocess.run(["dpkg-deb", "-x", package_of(suite, DEBS, "arm64"), tmp_path], check=True)
    (version,) = (path for path in (tmp_path / "usr/lib/scangate").iterdir() if path.is_dir())
    python = [QEMU, "-L", str(sysroot), str(sysroot / f"usr/bin/python{PYTHONS[suite]}"), "-sSP"]

    def scangate(*arguments: str | Path, stdin: str = "") -> str:
        command = [*python, str(version / "bin/scangate"), *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    line = scangate("parse", "--ndjson", stdin='{"symbology":"]d2","text":"010871764820027417280630101234567A"}\n')
    assert json.loads(line)["lotNumber"] == "1234567A"
    articles = tmp_path / "articles.csv"
    shutil.copyfile(ROOT / "gateway/samples/articles.csv", articles)
    scangate("articles", "import", "--state", tmp_path / "state", "--source", "sample", articles)
    found = json.loads(scangate("articles", "status", "--state", tmp_path / "state", "--json"))
    assert found["version"]
    table = "import evdev, msgspec, nacl.bindings; print(evdev.ecodes.KEY_A)"
    code = f"import sys; sys.path.insert(0, {str(version / 'lib')!r}); {table}"
    assert subprocess.run([*python, "-c", code], capture_output=True, text=True, check=True).stdout == "30\n"

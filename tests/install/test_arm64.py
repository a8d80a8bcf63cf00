"""The arm64 package, unpacked and run by qemu-user: it was built without any emulation."""

import json
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from gateway.outbox.reader import OutboxReader
from gateway.outbox.schema import OutboxError
from tests.brokers import wait_for
from tests.install.guest import DEBS, ROOT
from tests.install.packages import PYTHONS, package_of

CONFIGURATION = """
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[state]
directory = "{state}"
[outbox]
min_free_bytes = 0
[[scanner]]
name = "front"
driver = "replay"
device = "{scans}"
"""
QEMU = shutil.which("qemu-aarch64-static")


def ids(outbox: Path) -> list[str]:
    """Return the ids of what an outbox holds; nothing before it is one."""
    try:
        with closing(OutboxReader(outbox)) as reader:
            return [json.loads(one.body)["id"] for one in reader.journal()]
    except OutboxError:
        return []


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
    config, scans = tmp_path / "scangate.toml", tmp_path / "scans.ndjson"
    scans.write_text('{"text": "01095200010001021745123110L2A0417"}\n')
    config.write_text(CONFIGURATION.format(state=tmp_path / "state", scans=scans))
    daemon = [
        *python,
        str(version / "bin/scangate"),
        "run",
        "-c",
        str(config),
        "--socket",
        str(tmp_path / "control"),
    ]
    with subprocess.Popen(daemon, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(lambda: len(ids(tmp_path / "state/outbox.db")) == 1, "the replayed scan is stored", 300)
        finally:
            running.terminate()
        assert running.wait(120) == 0, "an ordered stop"
    listed = json.loads(scangate("outbox", "list", "--json", "-c", config))
    assert [one["id"] for one in listed] == ids(tmp_path / "state/outbox.db")
    assert (listed[0]["lotNumber"], listed[0]["deviceIdentifier"]) == ("L2A0417", "09520001000102")
    table = "import evdev, msgspec, nacl.bindings; print(evdev.ecodes.KEY_A)"
    code = f"import sys; sys.path.insert(0, {str(version / 'lib')!r}); {table}"
    assert subprocess.run([*python, "-c", code], capture_output=True, text=True, check=True).stdout == "30\n"

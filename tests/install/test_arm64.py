"""The arm64 package, unpacked and run by qemu-user: it was built without any emulation."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.outbox.reader import OutboxReader
from gateway.outbox.schema import OutboxError
from tests.brokers import wait_for
from tests.install.conftest import SUITES
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
SYSROOTS = ROOT / "build" / "sysroots"
QEMU = shutil.which("qemu-aarch64-static")


def ids(outbox: Path) -> list[str]:
    """Return the ids of what an outbox holds; nothing before it is one."""
    try:
        with closing(OutboxReader(outbox)) as reader:
            return [json.loads(one.body)["id"] for one in reader.journal()]
    except OutboxError:
        return []


@pytest.fixture(params=SUITES)
def unpacked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str], Path]:
    """Python of the package's Debian under qemu-user, and the folder of the unpacked version."""
    suite = request.param
    if QEMU is None or not list(DEBS.glob(f"scangate_*~{suite}_arm64.deb")):
        pytest.skip("needs qemu-user-static and the arm64 packages: make deb")
    sysroot = SYSROOTS / f"{suite}-arm64"
    subprocess.run(["dpkg-deb", "-x", package_of(suite, DEBS, "arm64"), tmp_path], check=True)
    (version,) = (path for path in (tmp_path / "usr/lib/scangate").iterdir() if path.is_dir())
    return [QEMU, "-L", str(sysroot), str(sysroot / f"usr/bin/python{PYTHONS[suite]}"), "-sSP"], version


def test_it_decodes_imports_and_runs_the_scan_path(unpacked: tuple[list[str], Path], tmp_path: Path) -> None:
    python, version = unpacked

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


PURE = (
    *("udi/test_gs1.py", "udi/test_gs1_ai.py", "udi/test_gs1_checks.py", "udi/test_hibcc.py", "udi/test_iccbba.py"),
    *("udi/test_ifa.py", "station/test_workflow.py", "station/test_verdict.py", "station/test_label_engine.py"),
    *("drivers/test_framing.py", "drivers/test_keymap.py", "drivers/test_separators.py"),
)
"""Tests of what decides, and speaks to no device."""
RUN_TESTS = """
import sys
lib, native, root, pure, *tests = sys.argv[1:]
sys.path[:0] = [lib, native]
sys.path += [root, pure]
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={root}", *tests]))
"""


def test_what_decides_does_so_on_aarch64(unpacked: tuple[list[str], Path], tmp_path: Path) -> None:
    """With the package's own libraries; pytest is this machine's, hypothesis the wheel for AArch64."""
    python, version = unpacked
    native = tmp_path / "native"
    lock = (ROOT / "requirements/dev.txt").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^ *#.*\n", "", lock))
    (tmp_path / "wanted.txt").write_text("\n".join(one for one in entries if one.startswith("hypothesis==")))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet", "install"]
    target = ["--only-binary", ":all:", "--python-version", Path(python[3]).name.removeprefix("python")]
    for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28"):
        target += ["--platform", f"{tag}_aarch64"]
    wanted = ["--no-deps", "--require-hashes", "-r", str(tmp_path / "wanted.txt"), "--target", str(native)]
    subprocess.run([*pip, *target, *wanted], check=True)
    folders = [version / "lib", native, ROOT, Path(pytest.__file__).parents[1]]
    tests = [ROOT / "tests" / name for name in PURE]
    command = [*python, "-c", RUN_TESTS, *map(str, folders), *map(str, tests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]

"""scripts/install.sh: what is wrong with a wheelhouse is said before anything is touched.

A wheelhouse comes on a stick, and pip would take the newest file of a name, whoever put it there (pip's own
documentation of --find-links); hash-checking mode (pip, "Secure installs") and a signature take only what was listed.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "install.sh"
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
"""One that a service could see: install.sh takes none out of a home directory."""
HERE = subprocess.run(
    [PYTHON, "-c", "import platform, sys; print('%d.%d' % sys.version_info[:2], platform.machine())"],
    capture_output=True,
    text=True,
    check=True,
).stdout.strip()


def listed(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir() if path.name not in {"SHA256SUMS", "SHA256SUMS.gpg"})
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    """A wheelhouse as scripts/wheelhouse.sh makes it, of one wheel that holds nothing."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    wheel = folder / "scangate-1.0-py3-none-any.whl"
    wheel.write_bytes(b"no zip")
    (folder / "requirements.txt").write_text(
        f"scangate==1.0 --hash=sha256:{hashlib.sha256(b'other').hexdigest()}\n"
    )
    (folder / "target").write_text(f"{HERE}\n")
    listed(folder)
    return folder


def install(wheelhouse: Path, root: Path, python: str = PYTHON) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DESTDIR": str(root), "PYTHON": python}
    return subprocess.run(
        ["sh", SCRIPT, wheelhouse], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def added(folder: Path) -> None:
    (folder / "tinydb-4.99.0-py3-none-any.whl").write_bytes(b"somebody's")


def altered(folder: Path) -> None:
    (folder / "scangate-1.0-py3-none-any.whl").write_bytes(b"another")


def of_another_python(folder: Path) -> None:
    (folder / "target").write_text(f"3.9 {platform.machine()}\n")
    listed(folder)


def of_another_machine(folder: Path) -> None:
    (folder / "target").write_text(f"{HERE.split()[0]} riscv64\n")
    listed(folder)


def no_list(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (added, "tinydb-4.99.0-py3-none-any.whl is not listed in SHA256SUMS: somebody put it there"),
        (altered, "is damaged: copy it again"),
        (of_another_python, "this wheelhouse is for Python 3.9"),
        (of_another_machine, f"riscv64, {PYTHON} is Python {HERE}"),
        (no_list, "it has no SHA256SUMS"),
    ],
)
def test_it_is_named_and_nothing_is_touched(
    wheelhouse: Path, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    change(wheelhouse)
    root = tmp_path / "root"
    done = install(wheelhouse, root)
    assert (done.returncode, words in done.stderr) == (1, True), done.stderr
    assert list(root.rglob("*")) == []


def test_a_wheel_that_is_not_the_hashed_one_leaves_nothing_half_made(wheelhouse: Path, tmp_path: Path) -> None:
    if subprocess.run([PYTHON, "-c", "import ensurepip"], capture_output=True, check=False).returncode:
        pytest.skip(f"{PYTHON} cannot make environments")
    root = tmp_path / "root"
    done = install(wheelhouse, root)
    assert done.returncode != 0
    assert [path.name for path in (root / "opt/scangate").iterdir()] == []


def test_where_a_key_is_there_nothing_unsigned_is_taken(wheelhouse: Path, tmp_path: Path) -> None:
    if shutil.which("gpgv") is None and shutil.which("sqv") is None:
        pytest.skip("neither gpgv nor sqv is on this machine")
    root = tmp_path / "root"
    key = root / "etc/scangate/release.gpg"
    key.parent.mkdir(parents=True)
    key.write_bytes(b"no key")
    done = install(wheelhouse, root)
    assert "is not signed: there is no SHA256SUMS.gpg" in done.stderr
    (wheelhouse / "SHA256SUMS.gpg").write_bytes(b"no signature")
    done = install(wheelhouse, root)
    assert "is not signed by" in done.stderr
    assert not (root / "opt").exists()

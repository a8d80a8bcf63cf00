"""From nothing to a saved machine with scangate on it; each step is done again only when what it stands on changed.

image (tests/vm/image.sh) -> booted -> installed (scripts/wheelhouse.sh, scripts/install.sh) -> updated sources
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from tests.vm import machine as machine_module
from tests.vm.box import STORE
from tests.vm.machine import Machine

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "build" / "vm"
HERE: Final = Path(__file__).parent
PYTHONS: Final = {"bookworm": "3.11", "trixie": "3.13"}
"""Each Debian's own Python: the wheels are made for it."""
PACKAGES: Final = ("gateway", "drivers", "firmware_config")
INSTALL_SECONDS: Final = 900.0
BOOTED: Final = "booted"
READY_WHEELHOUSE: Final = (
    Path(os.environ["SCANGATE_VM_WHEELHOUSE"]) if "SCANGATE_VM_WHEELHOUSE" in os.environ else None
)
"""A wheelhouse that is there already, such as the one to be released."""
UPDATE: Final = r"""set -e
site=$(echo /opt/scangate/lib/python3*/site-packages)
rm -rf "$site"/gateway "$site"/drivers "$site"/firmware_config /root/new
mkdir /root/new
tar -C /root/new -xf /root/new.tar
mv /root/new/gateway /root/new/drivers /root/new/firmware_config "$site"
/opt/scangate/bin/python -m compileall -q -j 2 "$site"/gateway "$site"/drivers "$site"/firmware_config
cd /root/new/systemd
install -m 0644 scangate.service /usr/local/lib/systemd/system/
install -m 0644 60-scangate.rules /usr/local/lib/udev/rules.d/
install -m 0644 sysusers.d/scangate.conf /usr/local/lib/sysusers.d/
install -m 0644 tmpfiles.d/scangate.conf /usr/local/lib/tmpfiles.d/
systemd-sysusers /usr/local/lib/sysusers.d/scangate.conf
systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/scangate.conf
udevadm control --reload
systemctl daemon-reload
rm -rf /root/new /root/new.tar
"""
"""What scripts/install.sh does with our own files, without making the environment anew (a minute in the guest)."""


def say(text: str) -> None:
    """Show progress (pytest -s)."""
    sys.stderr.write(f"vm: {text}\n")
    sys.stderr.flush()


def prepare(suite: str) -> tuple[Machine, str]:
    """Return a machine that is off, and its saved state with scangate installed and not running."""
    began = time.monotonic()
    BUILD.mkdir(parents=True, exist_ok=True)
    image = BUILD / f"image-{suite}"
    subprocess.run([HERE / "image.sh", image, suite], check=True)
    devices = _digest([Path(machine_module.__file__)], (image / "key").read_text())
    work = BUILD / f"machine-{suite}-{devices}"
    for old in BUILD.glob(f"machine-{suite}-*"):
        if old != work:
            shutil.rmtree(old)
    machine = Machine(image, work)
    base = f"installed-{_digest(*_installer())}"
    current = f"{base}-{_digest(_ours())}"
    states = machine.saved()
    for state in states:
        if state.startswith("installed-") and state not in {base, current}:
            machine.forget(state)
    try:
        _make_states(machine, suite, base, current, states)
    finally:
        machine.power_cut()
    say(f"ready with {current} after {time.monotonic() - began:.0f} s")
    return machine, current


def _make_states(machine: Machine, suite: str, base: str, current: str, states: Collection[str]) -> None:
    if BOOTED not in states:
        say(f"booting Debian {suite}")
        seconds = machine.start()
        _save(machine, BOOTED)
        say(f"booted in {seconds:.0f} s")
    if base not in states:
        _install(machine, suite)
        _save(machine, base)
    if current not in states:
        _update(machine, base)
        _save(machine, current)


def _install(machine: Machine, suite: str) -> None:
    """Install as the README says for a box without a network."""
    wheelhouse = READY_WHEELHOUSE or BUILD / f"wheelhouse-{suite}"
    if READY_WHEELHOUSE is None:
        environment = {**os.environ, "PYTHON": _python(PYTHONS[suite])}
        command = [ROOT / "scripts/wheelhouse.sh", wheelhouse]
        subprocess.run(command, check=True, cwd=ROOT, env=environment)
    say("installing scangate in the guest (a minute)")
    machine.start(BOOTED)
    machine.agent.write("/root/wheelhouse.tar", _tar(wheelhouse.iterdir(), wheelhouse))
    machine.agent.run("mkdir /root/wheelhouse && tar -C /root/wheelhouse -xf /root/wheelhouse.tar")
    machine.agent.run("sh /root/wheelhouse/install.sh && rm -rf /root/wheelhouse*", seconds=INSTALL_SECONDS)


def _python(version: str) -> str:
    """Return an interpreter of this machine that makes wheels for the guest."""
    ask = ("-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    for name in ("python3", f"python{version}"):
        path = shutil.which(name)
        if (
            path
            and subprocess.run([path, *ask], capture_output=True, text=True, check=True).stdout.strip() == version
        ):
            return path
    raise RuntimeError(
        f"cannot make wheels for the guest: there is no Python {version} on this machine; install it, or name a "
        "wheelhouse that was made with it in SCANGATE_VM_WHEELHOUSE"
    )


def _update(machine: Machine, base: str) -> None:
    """Replace scangate's own files by those of the checkout, and bring the bench's along."""
    say("taking over the sources")
    machine.start(base)
    machine.agent.write("/root/new.tar", _tar(_ours(), ROOT))
    machine.agent.run(UPDATE, seconds=INSTALL_SECONDS)
    machine.agent.run(f"mkdir -p {STORE}")
    for script in sorted((HERE / "guest").glob("*.py")):
        machine.agent.write(f"{STORE}/{script.name}", script.read_text())


def _save(machine: Machine, state: str) -> None:
    machine.save(state)
    machine.power_cut()


def _installer() -> tuple[list[Path], str]:
    """Files and text that the installed environment depends on: not our own modules, which `_update` replaces."""
    if READY_WHEELHOUSE is not None:
        others = [
            line for line in (READY_WHEELHOUSE / "SHA256SUMS").read_text().splitlines() if "scangate" not in line
        ]
        return [], "\n".join(others)
    files = [ROOT / "requirements/run.txt", ROOT / "scripts/install.sh", ROOT / "scripts/wheelhouse.sh"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return files, repr((project.get("version"), project["dependencies"], project["scripts"]))


def _ours() -> list[Path]:
    """Every file of ours that the guest gets."""
    found = [path for name in (*PACKAGES, "systemd") for path in (ROOT / name).rglob("*") if path.is_file()]
    found += (HERE / "guest").glob("*.py")
    return sorted(path for path in found if "__pycache__" not in path.parts)


def _digest(files: Iterable[Path], more: str = "") -> str:
    total = hashlib.sha256(more.encode())
    for path in files:
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:12]


def _tar(files: Iterable[Path], top: Path) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in files:
            tar.add(path, str(path.relative_to(top)))
    return archive.getvalue()

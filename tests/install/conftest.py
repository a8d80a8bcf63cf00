"""The package in booted Debians: opt-in, because it needs root, systemd-nspawn and a minute for each Debian's root.

`make install-test` sets it up and runs it. The environment steers it:

    SCANGATE_INSTALL=1        run it; else every test here is skipped
    SCANGATE_INSTALL_SUITES   "bookworm trixie" (default), or one of them
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.guest import DEBS, Guest
from tests.install.packages import package_of

PROGRAMS = ("mmdebstrap", "systemd-nspawn", "nsenter", "dpkg-deb", "mosquitto")
SUITES = os.environ.get("SCANGATE_INSTALL_SUITES", "bookworm trixie").split()
CONFIGURATION = """
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[outbox]
min_free_bytes = 0
[[scanner]]
name = "front"
driver = "replay"
device = "/srv/scans.ndjson"
"""
SCANS = """
{"text": "01095200010001021745123110L2A0417"}
"""
QUICK = """
[Service]
RestartSec=0.1
"""
"""A trial in seconds instead of minutes."""
QUICK_TIMER = "[Timer]\nOnActiveSec=\nOnActiveSec=1\nOnUnitInactiveSec=1\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs booted guests, unless it was asked for."""
    here = Path(__file__).parent
    reason = _why_not()
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(1200))
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


def _why_not() -> str | None:
    """Return why the guests are not booted; None when they are."""
    if os.environ.get("SCANGATE_INSTALL", "") in {"", "0"}:
        return "needs root, systemd-nspawn and some minutes: make install-test"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing or os.geteuid() != 0:
        pytest.exit(
            f"needs root and {', '.join(missing) or 'no more'}: make install-test installs it", returncode=3
        )
    return None


@pytest.fixture(params=SUITES)
def bare(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A fresh Debian without scangate."""
    with Guest(request.param) as guest:
        yield guest


@pytest.fixture
def box(bare: Guest) -> Guest:
    """A Debian on which scangate is installed, configured and reading."""
    package = package_of(bare.suite, DEBS)
    bare.run(f"dpkg -i {bare.hand_over(package)}", seconds=300)
    bare.put("/etc/scangate/scangate.toml", CONFIGURATION)
    bare.run("chgrp scangate /etc/scangate/scangate.toml && chmod 0640 /etc/scangate/scangate.toml")
    bare.put("/srv/scans.ndjson", SCANS)
    bare.put("/etc/systemd/system/scangate.service.d/quick.conf", QUICK)
    bare.put("/etc/systemd/system/scangate-trial.timer.d/quick.conf", QUICK_TIMER)
    bare.run("systemctl daemon-reload && systemctl enable --now scangate")
    bare.wait(lambda: bare.stored() >= 1, "the scan is stored")
    return bare

"""A bad release gives its place back, whatever is bad about it, and no scan is lost by it."""

import contextlib
import hashlib
import os
import select
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.outbox.schema import SCHEMA_VERSION, connect
from tests.install.guest import DEBS, Guest
from tests.install.packages import changed, package_of, replace, version_of

RETURN_SECONDS = 300.0
"""Three starts and three stops that are waited for, on a busy machine."""
HANGING = "[Service]\nTimeoutStartSec=20\nTimeoutStopSec=2\n"
"""The unit's own 90 and 30 seconds, three times over, would be six minutes."""


class Bad(NamedTuple):
    """A kind of bad release, and what it changes in the good one."""

    change: Callable[[Path], None]
    said: str
    """Part of why it is taken back or not tried."""


def raises_at_import(lib: Path) -> None:
    replace(lib / "gateway/app.py", r"^", "raise RuntimeError('bad release')\n")


def raises_at_start(lib: Path) -> None:
    replace(
        lib / "gateway/app.py",
        r"    life, carry_over = life or",
        "    raise RuntimeError('bad release')\n    life, carry_over = life or",
    )


def hangs(lib: Path) -> None:
    replace(
        lib / "gateway/app.py",
        r"    life, carry_over = life or",
        "    time.sleep(1e6)\n    life, carried = life or",
    )


def never_ready(lib: Path) -> None:
    replace(lib / "gateway/app.py", r"        service_manager\.ready\([^)]*\)\n", "")


def cannot_open_the_outbox(lib: Path) -> None:
    replace(
        lib / "gateway/app.py",
        r"        outbox = open_outbox\(",
        "        raise AppError('no')\n        outbox = open_outbox(",
    )


def refuses_the_configuration(lib: Path) -> None:
    replace(lib / "gateway/cli/daemon.py", r"    set_up\(\)\n", "    return 2\n")


def migrates_and_is_not_well(lib: Path) -> None:
    replace(
        lib / "gateway/outbox/migrations.py",
        r"    \"\"\",\n\)\n",
        '    """,\n    "CREATE TABLE later (x INTEGER)",\n)\n',
    )
    replace(
        lib / "gateway/cli/upgrade.py",
        r"    why = upgrade\.well\(",
        "    print('never well', file=sys.stderr)\n    return 1\n    why = upgrade.well(",
    )


def cannot_take_over_the_outbox(lib: Path) -> None:
    replace(
        lib / "gateway/outbox/migrations.py",
        r"    \"\"\",\n\)\n",
        '    """,\n    "ALTER TABLE nowhere ADD COLUMN x INTEGER",\n)\n',
    )


BAD = {
    "raises at import": Bad(raises_at_import, "bad release"),
    "raises at start": Bad(raises_at_start, "ended or was not ready 3 times"),
    "hangs": Bad(hangs, "ended or was not ready 3 times"),
    "never ready": Bad(never_ready, "ended or was not ready 3 times"),
    "cannot open the outbox": Bad(cannot_open_the_outbox, "ended or was not ready 3 times"),
    "refuses the configuration": Bad(refuses_the_configuration, "not started again"),
    "migrates and is not well": Bad(migrates_and_is_not_well, "never well"),
    "cannot take over the outbox": Bad(cannot_take_over_the_outbox, "no such table"),
}


def form_of_outbox(box: Guest) -> int:
    with contextlib.closing(connect(box.root / "var/lib/scangate/outbox.db", read_only=True)) as db:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_release_is_taken_back(box: Guest, tmp_path: Path, kind: str) -> None:
    good = package_of(box.suite, DEBS)
    bad = changed(good, "9.0.0", tmp_path, BAD[kind].change)
    before = version_of(good)
    looks = 4 if kind == "migrates and is not well" else 1000
    if kind in {"hangs", "never ready"}:
        box.put("/etc/systemd/system/scangate.service.d/hanging.conf", HANGING)
    limit = f"[Service]\nEnvironment=SCANGATE_TRIAL_LIMIT={looks}\n"
    box.put("/etc/systemd/system/scangate-trial.service.d/quick.conf", limit)
    box.run("systemctl daemon-reload")
    box.run(f"dpkg -i {box.hand_over(bad)}", seconds=300)
    if kind == "migrates and is not well":
        box.wait(lambda: form_of_outbox(box) == SCHEMA_VERSION + 1, "the outbox has the newer form")
    scanned = box.events()
    returned = box.root / "var/lib/scangate-upgrade/returned"
    box.wait(returned.exists, "it is taken back", RETURN_SECONDS)
    box.wait(lambda: box.running_version() == before, "the former version runs")
    assert BAD[kind].said in returned.read_text()
    assert not (box.root / "var/lib/scangate-upgrade/trial").exists()
    assert scanned
    assert scanned <= box.events()
    alarm = "version 9.0.0 was taken back, this is the former one"
    box.wait(lambda: alarm in box.try_run("scangate status --json").stdout, "the alarm says so")
    # The next good one is taken, with all the looks it needs on a busy machine.
    box.run("rm -f /etc/systemd/system/scangate-trial.service.d/quick.conf")
    box.run("rm -f /etc/systemd/system/scangate.service.d/hanging.conf && systemctl daemon-reload")
    better = changed(good, "9.0.1", tmp_path)
    box.run(f"dpkg -i {box.hand_over(better)}", seconds=300)
    box.wait(lambda: not (box.root / "var/lib/scangate-upgrade/trial").exists(), "it is over", RETURN_SECONDS)
    box.wait(lambda: box.running_version() == "9.0.1", "the better one runs")
    assert "taken back" not in box.try_run("scangate status --json").stdout
    assert scanned <= box.events()


def test_upgrade_and_rollback(box: Guest, tmp_path: Path) -> None:
    good = package_of(box.suite, DEBS)
    newer, first = changed(good, "9.0.0", tmp_path), box.first()
    done = box.run(f"scangate upgrade {box.hand_over(newer)} 2>&1", seconds=300)
    assert "scangate_9.0.0_amd64.deb is installed and well" in done
    assert box.running_version() == "9.0.0"
    assert (box.root / "var/lib/scangate-upgrade/packages/scangate_9.0.0_amd64.deb").exists()
    box.run("scangate rollback")
    assert box.running_version() == version_of(good)
    assert box.first() == first
    # An installed one that is installed again repairs.
    box.run(f"dpkg -i /var/lib/scangate-upgrade/packages/{newer.name}", seconds=300)
    box.wait(lambda: box.running_version() == "9.0.0", "the newer version runs")


def test_what_is_refused_before_anything_is_touched(box: Guest, tmp_path: Path) -> None:
    good = package_of(box.suite, DEBS)
    before = version_of(good)
    newer = changed(good, "9.0.0", tmp_path)
    whole = newer.read_bytes()
    cases = {
        "truncated": (whole[: len(whole) // 2], None, "damaged or cut off"),
        "no package": (b"nothing", None, "is no Debian package"),
        "listed hash wrong": (whole, "0" * 64, "is not what /root/x/SHA256SUMS lists"),
        "not listed": (whole, "", "does not stand in"),
    }
    for content, digest, words in cases.values():
        box.run("rm -rf /root/x")
        box.put("/root/x/scangate_9.0.0_amd64.deb", content)
        if digest is not None:
            box.put("/root/x/SHA256SUMS", f"{digest}  scangate_9.0.0_amd64.deb\n" if digest else "")
        done = box.try_run("scangate upgrade /root/x/scangate_9.0.0_amd64.deb")
        assert (done.returncode, words in done.stderr) == (1, True), done.stderr
        assert done.stderr.count("\n") <= 2
    wrong = changed(
        good, "9.0.1", tmp_path, lambda lib: replace(lib.parents[4] / "DEBIAN/control", "amd64", "arm64")
    )
    done = box.try_run(f"scangate upgrade {box.hand_over(wrong)}")
    assert "is for arm64, this box is amd64" in done.stderr
    assert box.try_run(f"dpkg -i /root/{wrong.name}").returncode != 0
    # With a key there, only what it has signed is taken.
    box.put("/etc/scangate/release.gpg", b"some key")
    digest = hashlib.sha256(whole).hexdigest()
    box.put("/root/x/scangate_9.0.0_amd64.deb", whole)
    box.put("/root/x/SHA256SUMS", f"{digest}  scangate_9.0.0_amd64.deb\n")
    done = box.try_run("scangate upgrade /root/x/scangate_9.0.0_amd64.deb")
    assert "is not signed" in done.stderr
    box.put("/root/x/SHA256SUMS.gpg", b"no signature")
    done = box.try_run("scangate upgrade /root/x/scangate_9.0.0_amd64.deb")
    assert "the signature of /root/x/SHA256SUMS is not by /etc/scangate/release.gpg" in done.stderr
    assert box.running_version() == before


@pytest.mark.parametrize("cut", range(int(os.environ.get("SCANGATE_INSTALL_CUTS", "4"))))
def test_a_power_cut_in_an_upgrade_leaves_a_box_that_scans(box: Guest, tmp_path: Path, cut: int) -> None:
    """At moments spread over dpkg's work; either version runs, and dpkg of either repairs."""
    good = package_of(box.suite, DEBS)
    newer, first = changed(good, "9.0.0", tmp_path), box.first()
    file = box.hand_over(newer)
    cuts = int(os.environ.get("SCANGATE_INSTALL_CUTS", "4"))
    with subprocess.Popen(
        box.command("dpkg", "-i", file), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as upgrade:
        assert upgrade.stdout is not None
        upgrade.stdout.readline()  # it has begun
        select.select([], [], [], 6.0 * cut / cuts)
        box.pull_the_plug()
    box.boot()
    box.wait(lambda: box.running_version() in {"9.0.0", version_of(good)}, "one of both runs")
    assert box.first() == first
    box.run(f"dpkg --configure -a; dpkg -i {file}", seconds=300)
    box.wait(lambda: box.running_version() == "9.0.0", "the newer version runs")
    assert box.first() == first

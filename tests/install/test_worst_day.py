"""Credentials that change, a box that dies, a helper far away: on Debians that are booted."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import MOSQUITTO
from tests.install.conftest import CONFIGURATION
from tests.install.guest import DEBS, Guest
from tests.install.packages import package_of

PASSPHRASE = "correct horse battery"  # noqa: S105 - of nothing
MQTT = """
[broker]
urls = ["mqtt://127.0.0.1:1883"]
username = "gw01"
password_file = "mqtt-password"
no_subscribers = "delivered"
"""


class GuestBroker:
    """A mosquitto of this machine in the network of a guest."""

    def __init__(self, guest: Guest, folder: Path) -> None:
        self._guest, self._folder = guest, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, password: str) -> None:
        """Start it, or start it again with another password."""
        self.stop()
        file = self._folder / "passwords"
        file.write_text(f"gw01:{password}\n")
        subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True)
        config = self._folder / "mosquitto.conf"
        config.write_text(f"listener 1883 127.0.0.1\nuser root\nallow_anonymous false\npassword_file {file}\n")
        self._process = subprocess.Popen(
            ["nsenter", "-t", str(self._guest.pid), "-n", MOSQUITTO, "-c", str(config)]
        )

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


@pytest.fixture
def broker(box: Guest, tmp_path: Path) -> Iterator[GuestBroker]:
    made = GuestBroker(box, tmp_path)
    yield made
    made.stop()


def delivered(box: Guest) -> bool:
    return '"waiting": 0' in box.run("scangate outbox status --json")


def test_changed_credentials_are_taken_by_a_reload(box: Guest, broker: GuestBroker) -> None:
    """An ExecReload= of systemd 252 has none, and systemd up to 257 loads them at the start only."""
    broker.start("first")
    box.put("/etc/scangate/credentials/mqtt-password", "first\n", 0o600)
    box.put("/etc/scangate/scangate.toml", CONFIGURATION + MQTT)
    box.run("systemctl restart scangate")
    pid = box.run("systemctl show -p MainPID --value scangate")
    box.wait(lambda: delivered(box), "the scan is delivered")
    broker.start("second")
    box.put("/etc/scangate/credentials/mqtt-password", "second\n", 0o600)
    box.run("systemctl reload scangate")
    box.wait(lambda: '"url": "mqtt' in box.try_run("scangate status --json").stdout, "it is connected again")
    assert box.run("systemctl show -p MainPID --value scangate") == pid
    # Only the daemon's user reads them.
    found = box.run("stat -c '%U %a' /run/scangate-credentials /run/scangate-credentials/mqtt-password")
    assert found.splitlines() == ["root 711", "scangate 400"]
    # A wrong file changes nothing.
    box.put("/etc/scangate/scangate.toml", CONFIGURATION + "[brokr]\n")
    assert box.try_run("systemctl reload scangate").returncode != 0
    assert box.run("systemctl is-active scangate") == "active"


def test_a_dead_box_is_replaced(box: Guest) -> None:
    """Three commands on the new box, which may be of the other Debian."""
    box.put("/etc/scangate/credentials/mqtt-password", "secret\n", 0o600)
    box.put("/root/phrase", PASSPHRASE)
    first = box.first()
    box.run("scangate backup /root/box.scangate --with-secrets --passphrase-file /root/phrase")
    assert box.run("stat -c '%U %a' /root/box.scangate") == "root 600"
    other = "trixie" if "trixie" in os.environ.get("SCANGATE_INSTALL_SUITES", "trixie") else box.suite
    package = package_of(other, DEBS)
    with Guest(other) as new:
        new.hand_over(box.root / "root/box.scangate")
        new.put("/root/phrase", PASSPHRASE)
        new.put("/srv/scans.ndjson", "")
        new.run(f"dpkg -i {new.hand_over(package)}", seconds=300)
        new.run("scangate restore /root/box.scangate --passphrase-file /root/phrase")
        new.run("systemctl enable --now scangate")
        assert new.first() == first
        assert new.run("cat /etc/scangate/credentials/mqtt-password") == "secret"
        assert new.run("find /var/lib/scangate ! -user scangate") == ""
        assert new.run("stat -c '%U:%G %a' /etc/scangate/scangate.toml") == "root:scangate 640"
        assert new.try_run("scangate status --json").returncode in {0, 1}


def test_support_with_the_daemon_and_without(box: Guest) -> None:
    box.put("/etc/scangate/credentials/mqtt-password", "plantedsecret\n", 0o600)
    box.run("logger -t scangate plantedsecret")
    box.run("systemd-run --wait -q --unit scangate-x echo plantedsecret 19121212-1212")
    for command in ("true", "systemctl stop scangate"):
        box.run(command)
        box.run("scangate support -o /root/s.tar.gz")
        text = box.run("tar -xzOf /root/s.tar.gz")
        assert "plantedsecret" not in text
        assert "19121212-1212" not in text
        assert "L2A0417" not in text, "no scan's content"
        assert "Debian GNU/Linux" in text


def test_removing_keeps_the_scans_and_purging_the_configuration_not(box: Guest) -> None:
    box.run("dpkg --remove scangate")
    assert box.try_run("command -v scangate").returncode != 0
    assert box.run("ls /var/lib/scangate/outbox.db /etc/scangate/scangate.toml").count("\n") == 1
    box.run("dpkg --purge scangate")
    assert not (box.root / "etc/scangate").exists()
    assert (box.root / "var/lib/scangate/outbox.db").exists()
    assert not (box.root / "usr/lib/scangate").exists()

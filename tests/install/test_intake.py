"""The central side's package: installed, confined, and events from a box in its database."""

import subprocess
from pathlib import Path

from tests.brokers import MOSQUITTO
from tests.install.conftest import CONFIGURATION
from tests.install.guest import DEBS, Guest
from tests.install.packages import package_of

SETTINGS = """
tenant = "vgr"
broker = "mqtt://127.0.0.1:1883"
database = "sqlite:////var/lib/scangate-intake/events.db"
listen = "127.0.0.1:8090"
"""
BROKER = """
[broker]
urls = ["mqtt://127.0.0.1:1883"]
"""
COUNT = (
    "import sqlite3; db = sqlite3.connect('file:/var/lib/scangate-intake/events.db?mode=ro', uri=True); "
    "print(db.execute('SELECT count(*) FROM in_force').fetchone()[0])"
)


def test_it_is_installed_takes_events_and_is_removed(box: Guest, tmp_path: Path) -> None:
    """A box and its intake on one machine: the smallest site."""
    config = tmp_path / "mosquitto.conf"
    config.write_text("listener 1883 127.0.0.1\nuser root\nallow_anonymous true\n")
    package = package_of(box.suite, DEBS, name="scangate-intake")
    said = box.run(f"dpkg -i {box.hand_over(package)}", seconds=300)
    assert "next: cp /usr/share/doc/scangate-intake/examples/intake.toml" in said
    assert box.run("scangate-intake --version").startswith("scangate-intake ")
    box.put("/etc/scangate-intake/intake.toml", SETTINGS)
    with subprocess.Popen(
        ["nsenter", "-t", str(box.pid), "-n", MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL
    ) as broker:
        try:
            box.run("systemctl enable --now scangate-intake")
            box.put("/etc/scangate/scangate.toml", CONFIGURATION + BROKER)
            box.run("systemctl restart scangate")
            box.wait(
                lambda: box.try_run(f'python3 -c "{COUNT}"').stdout.strip() not in {"", "0"}, "an event arrives"
            )
            box.wait(lambda: '"waiting": 0' in box.run("scangate outbox status --json"), "and is acknowledged")
            owner = box.run("stat -c %U:%a /var/lib/private/scangate-intake")
            assert owner.endswith(":700")
            box.run("systemd-analyze security --threshold=30 scangate-intake")
            # An upgrade goes on where it was.
            box.run(f"dpkg -i {box.hand_over(package)}", seconds=300)
            box.wait(lambda: box.run("systemctl is-active scangate-intake || true") == "active", "it runs again")
        finally:
            broker.terminate()
    box.run("dpkg --purge scangate-intake")
    assert not (box.root / "usr/lib/scangate-intake").exists()
    assert not (box.root / "etc/scangate-intake").exists()
    assert (box.root / "var/lib/private/scangate-intake/events.db").exists()
    assert (box.root / "etc/scangate/scangate.toml").exists(), "the box beside it is as it was"

"""The roll-out by real ansible-core over real SSH, to a Debian 12 and a Debian 13 that have no network."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.conftest import SUITES
from tests.install.guest import DEBS, ROOT, Guest
from tests.install.packages import changed, package_of, replace, version_of

PLAYBOOK = ROOT / "build/rollout/bin/ansible-playbook"
ROLE = ROOT / "deploy/ansible"


class Fleet:
    """Booted boxes, and an inventory that leads to them."""

    def __init__(self, guests: list[Guest], folder: Path) -> None:
        self.guests, self.folder = guests, folder
        self.packages = folder / "packages"
        self.packages.mkdir()
        key = folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        ca = ["-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt"), "-subj", "/CN=site"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *ca], check=True, capture_output=True
        )
        hosts = ""
        for number, guest in enumerate(guests, 1):
            guest.put("/root/.ssh/authorized_keys", key.with_suffix(".pub").read_text(), 0o600)
            guest.run("mkdir -p /run/sshd")
            proxy = f"nsenter -t {guest.pid} -a /usr/sbin/sshd -i"
            hosts += f"    op{number}:\n      ansible_ssh_common_args: -o ProxyCommand='{proxy}'\n"
        (folder / "inventory.yml").write_text(
            f"""\
scangate:
  vars:
    ansible_user: root
    ansible_ssh_private_key_file: {key}
    ansible_python_interpreter: /usr/bin/python3
    scangate_packages: {self.packages}
    scangate_tenant: vgr
    scangate_site: su
    scangate_ca_certificate: {folder}/ca.crt
    scangate_ca_key: {folder}/ca.key
    scangate_site_configuration: |
      [outbox]
      min_free_bytes = 0
    scangate_credentials: {{mqtt-password: "planted"}}
  hosts:
{hosts}"""
        )

    def publish(self, *packages: Path) -> None:
        """Put packages into the folder that the roll-out takes them from."""
        for package in packages:
            (self.packages / package.name).write_bytes(package.read_bytes())
        sums = [
            f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in self.packages.glob("*.deb")
        ]
        (self.packages / "SHA256SUMS").write_text("".join(sums))

    def play(self, name: str = "rollout.yml", *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook."""
        environment = {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.folder),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_ROLES_PATH": str(ROLE / "roles"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_NOCOLOR": "1",
            # A connection that is kept would hold processes of a guest that is shut down.
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o ControlPersist=no",
            "LC_ALL": "C.UTF-8",
        }
        command = [str(PLAYBOOK), "-i", str(self.folder / "inventory.yml"), str(ROLE / name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    if not PLAYBOOK.exists():
        pytest.skip("ansible-core is not in build/rollout: make install-test puts it there")
    suites = SUITES if len(SUITES) > 1 else SUITES * 2
    guests = [Guest(suite) for suite in suites]
    with guests[0], guests[1]:
        yield Fleet(guests, tmp_path)


def recap(output: str) -> dict[str, dict[str, int]]:
    lines = re.findall(r"^(op\d)\s+:(.*)$", output, re.MULTILINE)
    return {host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines}


def test_two_bare_debians_become_boxes_and_a_bad_release_stops_at_the_first(fleet: Fleet, tmp_path: Path) -> None:
    good = {guest.suite: package_of(guest.suite, DEBS) for guest in fleet.guests}
    fleet.publish(*good.values())
    done = fleet.play()
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "planted" not in done.stdout, "no secret in a roll-out's log"
    for guest in fleet.guests:
        assert guest.running_version() == version_of(good[guest.suite])
        guest.run("openssl verify -CAfile /dev/stdin /etc/scangate/credentials/gateway.crt", stdin=_ca(fleet))
        assert guest.run("stat -c %a /etc/scangate/credentials/mqtt-password") == "600"
    again = fleet.play()
    assert {host: counts["changed"] for host, counts in recap(again.stdout).items()} == {"op1": 0, "op2": 0}, (
        again.stdout
    )

    # A release that does not start: the first box goes back by itself, and the roll-out ends there.
    def bad(lib: Path) -> None:
        replace(lib / "gateway/app.py", r"^", "raise RuntimeError('bad release')\n")

    fleet.publish(*(changed(package, f"9.0.0~{suite}", tmp_path, bad) for suite, package in good.items()))
    stopped = fleet.play()
    assert stopped.returncode != 0
    assert "the version was taken back" in stopped.stdout
    assert [guest.running_version() for guest in fleet.guests] == [
        version_of(good[one.suite]) for one in fleet.guests
    ]
    assert not (fleet.guests[1].root / "var/cache/scangate/scangate_9.0.0~trixie_amd64.deb").exists()
    assert "op2" not in recap(stopped.stdout)


def _ca(fleet: Fleet) -> str:
    return (fleet.folder / "ca.crt").read_text()

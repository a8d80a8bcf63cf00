"""The page of the station on a booted Debian: its own user reads what the daemon says, and nothing else."""

from tests.install.guest import Guest

FETCH = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/').status)"


def test_the_page_is_served_and_reaches_nothing_but_what_it_shows(box: Guest) -> None:
    box.run("systemctl enable --now scangate-display")
    assert box.run(f'python3 -c "{FETCH}"') == "200"
    pid = box.run("systemctl show -p MainPID --value scangate-display")
    user = box.run(f"stat -c %u /proc/{pid}")
    assert user not in {"0", box.run("id -u scangate")}

    def as_the_display(command: str) -> int:
        same = f"--reuid {user} --regid {user} --groups $(getent group scangate-display | cut -d: -f3)"
        return box.try_run(f"setpriv {same} {command}").returncode

    asked = "scangate status --socket /run/scangate-display/read.sock"
    assert as_the_display(asked) in {0, 1}
    for file in ("/run/scangate/control.sock", "/etc/scangate/scangate.toml", "/var/lib/scangate/outbox.db"):
        assert as_the_display(f"test -r {file}") != 0, file
    # Without the daemon it is served all the same.
    box.run("systemctl stop scangate")
    assert box.run(f'python3 -c "{FETCH}"') == "200"

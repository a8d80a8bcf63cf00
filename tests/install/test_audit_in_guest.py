"""The audit trail on a booted Debian: what is noted, where it goes, and that root's own rewriting is seen."""

import json

from tests.install.conftest import CONFIGURATION
from tests.install.guest import Guest


def operations(box: Guest) -> list[tuple[str, str, str]]:
    rows = json.loads(box.run("scangate audit list --json"))
    return [(row["who"], row["through"], row["operation"]) for row in rows]


def test_what_people_do_is_noted_and_goes_to_the_journal(box: Guest) -> None:
    box.run("SUDO_USER=anna scangate outbox backup /root/copy.db")
    box.put("/etc/scangate/scangate.toml", f"{CONFIGURATION}\n[health]\ninterval = 30\n")
    box.run("systemctl reload scangate")
    box.wait(lambda: ("?", "files", "configuration") in operations(box)[2:], "the changed configuration is noted")
    rows = json.loads(box.run("scangate audit list --json"))
    assert operations(box)[:2] == [
        ("?", "files", "configuration"),
        ("anna as root", "command line", "outbox backup"),
    ]
    assert rows[2]["detail"] == {"changed": "health.interval"}
    assert box.run("stat -c '%U %a' /var/lib/scangate/audit.log") == "scangate 640"

    def forwarded() -> bool:
        lines = box.run("journalctl -q -o cat -t scangate-audit").splitlines()
        return [line.split()[0] for line in lines] == ["number=1", "number=2", "number=3"]

    box.wait(forwarded, "the daemon's and the command's entries are in the journal")
    assert "whole; compared with 3 elsewhere" in box.run("scangate audit verify")


def test_a_trail_that_root_writes_anew_is_seen(box: Guest) -> None:
    box.run("scangate outbox backup /root/copy.db")
    box.wait(lambda: len(box.run("journalctl -q -o cat -t scangate-audit").splitlines()) == 2, "both are forwarded")
    box.run("rm /var/lib/scangate/audit.log /var/lib/scangate/audit.head")
    for _ in range(2):
        box.run("scangate support -o /root/s.tar.gz")
    done = box.try_run("scangate audit verify")
    assert (done.returncode, "entry 1 stands in the journal twice" in done.stderr) == (1, True), done.stderr

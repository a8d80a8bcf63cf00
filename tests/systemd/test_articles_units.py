"""The units that sync the articles: what systemd's own tools say of them, and what scangate relies on."""

import re
from pathlib import Path

import pytest

from gateway.articles.sync.request import WANTED
from gateway.articles.sync.state import RETRY_SECONDS
from tests.systemd.test_units import MAX_EXPOSURE, UNITS, program, run

SERVICE = UNITS / "scangate-articles.service"
TIMER = UNITS / "scangate-articles.timer"
PATH = UNITS / "scangate-articles.path"
DAEMON = UNITS / "scangate.service"


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    """Only the program's path is replaced: it is not installed where the tests run."""
    copies = []
    for unit in (SERVICE, TIMER, PATH):
        copies.append(tmp_path / unit.name)
        copies[-1].write_text(unit.read_text().replace("/opt/scangate/bin/scangate", "/bin/true"))
    assert run(program("systemd-analyze"), "verify", "--man=no", *copies) == ""


def test_the_sync_is_confined() -> None:
    run(
        program("systemd-analyze"),
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={MAX_EXPOSURE}",
        SERVICE,
    )


@pytest.mark.parametrize(
    ("unit", "key", "expected"),
    [
        (SERVICE, "ExecStart", ["/opt/scangate/bin/scangate articles sync"]),
        (SERVICE, "Type", ["oneshot"]),
        (SERVICE, "User", ["scangate"]),
        (SERVICE, "StateDirectory", ["scangate/articles"]),  # and not the scans beside it
        (SERVICE, "SupplementaryGroups", []),  # no scanner is its business
        (SERVICE, "PrivateDevices", ["yes"]),
        (SERVICE, "LoadCredential", ["scangate:/etc/scangate/credentials"]),  # client certificates
        (SERVICE, "SetCredential", ["scangate:none"]),
        (TIMER, "OnUnitInactiveSec", [f"{RETRY_SECONDS // 60}min"]),  # a failure is due again as soon
        (TIMER, "WantedBy", ["timers.target"]),
        (PATH, "DirectoryNotEmpty", [f"/var/lib/scangate/articles/{WANTED}"]),
        (PATH, "WantedBy", ["paths.target"]),
    ],
)
def test_what_others_rely_on(unit: Path, key: str, expected: list[str]) -> None:
    assert values(unit, key) == expected


def test_it_takes_what_the_scans_leave() -> None:
    for key, least in (("Nice", 1), ("OOMScoreAdjust", 1)):
        (value,) = values(SERVICE, key)
        assert int(value) >= least
    assert values(SERVICE, "IOSchedulingClass") == ["idle"]
    (scans,) = values(DAEMON, "OOMScoreAdjust")
    assert int(scans) < 0


def test_it_is_confined_as_the_daemon_is() -> None:
    """Whatever the daemon does without, the sync does without, too."""
    keys = r"^((?:Protect|Restrict|Private|NoNew|Lock|Memory|Remove|System|Keyring|Capability|Ambient)\w*=.*)$"
    own = set(re.findall(keys, SERVICE.read_text(), re.MULTILINE))
    its = set(re.findall(keys, DAEMON.read_text(), re.MULTILINE))
    assert {one.split("=")[0] for one in its - own} == {"RestrictAddressFamilies", "MemoryMax"}
    assert values(SERVICE, "RestrictAddressFamilies") == ["AF_UNIX AF_INET AF_INET6"]

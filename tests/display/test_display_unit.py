"""The display's unit: confined, without reach to scans and credentials, and off until somebody enables it."""

import re
from pathlib import Path

import pytest

from tests.systemd.test_units import MAX_EXPOSURE, ROOT, SERVICE, program, run

UNIT = ROOT / "systemd" / "scangate-display.service"


def values(key: str, unit: Path = UNIT) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """Only the program's path is replaced: it is not installed where the tests run."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/scangate/bin/scangate", "/bin/true"))
    assert run(program("systemd-analyze"), "verify", "--man=no", unit) == ""


def test_the_unit_is_confined() -> None:
    tool = program("systemd-analyze")
    run(tool, "security", "--offline=true", "--no-pager", f"--threshold={MAX_EXPOSURE}", UNIT)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            "ExecStart",
            ["/opt/scangate/bin/scangate display -c %d/scangate.toml --socket /run/scangate-display/read.sock"],
        ),
        ("Type", ["notify"]),
        ("DynamicUser", ["yes"]),  # not the daemon's user, who owns the scans
        ("User", ["scangate-page"]),  # of DynamicUser; the unit's own name is the group's
        ("SupplementaryGroups", ["scangate-display"]),  # never scangate, which operates the daemon
        ("StateDirectory", []),
        ("LoadCredential", ["scangate.toml:/etc/scangate/scangate.toml", "site.toml:/etc/scangate/site.toml"]),
        ("SetCredential", ["site.toml:#"]),
        ("BindsTo", []),  # it stays when the daemon goes, to say so
        ("Requires", []),
        ("After", ["scangate.service"]),
        ("RestartPreventExitStatus", ["2"]),
        ("CapabilityBoundingSet", [""]),
    ],
)
def test_what_it_may_and_what_not(key: str, expected: list[str]) -> None:
    assert values(key) == expected


def test_nothing_starts_it_by_itself() -> None:
    """The daemon's unit does not pull it in, and installing does not enable it."""
    assert UNIT.name not in SERVICE.read_text()
    script = (ROOT / "scripts" / "install.sh").read_text()
    assert not re.search(rf"enable.*{re.escape(UNIT.name)}", script)


def test_it_is_as_confined_as_the_daemon() -> None:
    """Every restriction of the daemon's unit holds here, too."""
    names = "Protect|Private|Restrict(?!Address|Prevent)|Lock|NoNew|MemoryDeny|Proc|Remove|Keyring|SystemCall"
    restrictions = re.compile(rf"^((?:{names})\w+=.+)$", re.MULTILINE)
    assert set(restrictions.findall(SERVICE.read_text())) <= set(restrictions.findall(UNIT.read_text()))

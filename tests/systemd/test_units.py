"""The files of systemd/: what systemd's own tools say of them, and what the rest of scangate relies on."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.system.credentials import RELOADED

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
SERVICE = UNITS / "scangate.service"
RULES = UNITS / "60-scangate.rules"
MAX_EXPOSURE = 15
"""`systemd-analyze security` in tenths: 1.5 of 10."""
UDEVADM_VERIFY_SINCE = 254
RULE_ITEM = re.compile(r'[A-Z]+(\{[A-Za-z_/.]+\})?(==|!=|\+=|:=|=)"[^"]*"')


def program(name: str) -> str:
    """Find a program; where CI runs it must be there, elsewhere its test is skipped."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        reason = f"{name} is not on this machine"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def run(*arguments: str | Path) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def service_values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", SERVICE.read_text(), re.MULTILINE)


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """Only the program's path is replaced: it is not installed where the tests run."""
    unit = tmp_path / SERVICE.name
    unit.write_text(SERVICE.read_text().replace("/opt/scangate/bin/scangate", "/bin/true"))
    assert run(program("systemd-analyze"), "verify", "--man=no", unit) == ""


def test_the_unit_is_confined() -> None:
    tool = program("systemd-analyze")
    run(tool, "security", "--offline=true", "--no-pager", f"--threshold={MAX_EXPOSURE}", SERVICE)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        (  # where scripts/install.sh puts it; the folder is made by systemd/tmpfiles.d
            "ExecStart",
            ["/opt/scangate/bin/scangate run --reading-socket /run/scangate-display/read.sock"],
        ),
        ("ReadWritePaths", ["-/run/scangate-display"]),
        ("Type", ["notify"]),
        ("NotifyAccess", ["main"]),
        ("User", ["scangate"]),
        ("SupplementaryGroups", ["dialout"]),  # never input: that is everybody's keyboard
        ("StateDirectoryMode", ["0700"]),
        ("RuntimeDirectoryMode", ["0750"]),  # the group reaches the control socket
        ("LoadCredential", ["scangate:/etc/scangate/credentials"]),  # systemd/tmpfiles.d makes the folder
        ("SetCredential", ["scangate:none"]),  # without it a missing folder ends the start: 243/CREDENTIALS
        ("RestartPreventExitStatus", ["2"]),  # exit code 2: wrong configuration
        ("StartLimitIntervalSec", ["0"]),  # it is never given up
    ],
)
def test_what_others_rely_on(key: str, values: list[str]) -> None:
    assert service_values(key) == values


def test_a_reload_checks_before_it_changes_anything() -> None:
    check, *_, hang_up = service_values("ExecReload")
    assert check == "/opt/scangate/bin/scangate config check"
    assert hang_up == '/bin/sh -c "kill -HUP ${MAINPID}"'
    assert str(RELOADED) in SERVICE.read_text(), "where the daemon looks for them"


def test_the_watchdog_leaves_a_slow_disk_its_time() -> None:
    (seconds,) = service_values("WatchdogSec")
    assert int(seconds) >= 60


def test_device_drivers_are_loaded_before_the_device_groups_are_resolved() -> None:
    text = SERVICE.read_text()
    modules = set(re.findall(r"modprobe@(\w+)\.service", text))
    assert modules == {"usbserial", "cdc_acm", "hid", "evdev"}
    for kind in ("Wants", "After"):
        assert all(f"modprobe@{m}.service" in " ".join(service_values(kind)) for m in modules)


def test_every_setting_is_known_to_debian_12() -> None:
    """Debian 12 has systemd 252, which warns of settings that are younger, such as RestartSteps=."""
    assert service_values("RestartSteps") == []
    assert service_values("RestartMaxDelaySec") == []


def rule_lines() -> list[str]:
    return [line for line in RULES.read_text().splitlines() if line and not line.startswith("#")]


def test_udev_rules_are_well_formed() -> None:
    for line in rule_lines():
        for item in line.split(", "):
            assert RULE_ITEM.fullmatch(item), item
    labels = {item for line in rule_lines() for item in re.findall(r'(?:GOTO|LABEL)="(\w+)"', line)}
    assert labels == {"scangate_end"}
    assert rule_lines()[-1].startswith("LABEL=")


def test_udev_itself_accepts_the_rules() -> None:
    tool = shutil.which("udevadm", path=f"{os.environ['PATH']}:/usr/bin:/usr/sbin:/sbin")
    if tool is None:
        pytest.skip("udevadm is not on this machine")
    version = int(run(tool, "--version").split()[0].split(".")[0])
    if version < UDEVADM_VERIFY_SINCE:
        pytest.skip(f"udevadm {version} cannot verify")
    run(tool, "verify", "--resolve-names=never", RULES)


def test_scanners_that_are_no_ports_belong_to_the_daemons_own_group() -> None:
    owners = {
        subsystem: group
        for line in rule_lines()
        if (found := re.search(r'SUBSYSTEM=="(\w+)".*GROUP="(\w+)"', line))
        for subsystem, group in [found.groups()]
    }
    assert owners == {"tty": "dialout", "input": "scangate", "hidraw": "scangate", "gpio": "gpio"}
    assert service_values("Group") == ["scangate"]


@pytest.mark.parametrize("kind", ["char-input", "char-hidraw", "char-ttyUSB", "char-ttyACM"])
def test_every_kind_of_scanner_may_be_opened(kind: str) -> None:
    assert f"{kind} rw" in service_values("DeviceAllow")


def test_news_of_udev_may_be_heard() -> None:
    (families,) = service_values("RestrictAddressFamilies")
    assert "AF_NETLINK" in families.split()


def test_every_rule_speaks_of_the_same_vendors() -> None:
    named = set(re.findall(r"\b[0-9a-f]{4}(?= [A-Z])", RULES.read_text()))
    matched = {frozenset(v.split("|")) for v in re.findall(r'idVendor\}=="([^"]+)"', "\n".join(rule_lines()))}
    assert matched == {frozenset(named)}


def test_the_user_and_its_folders(tmp_path: Path) -> None:
    """Both files run against an empty root; without root rights the folders' owners cannot be set."""
    (tmp_path / "etc").mkdir()
    run(program("systemd-sysusers"), f"--root={tmp_path}", UNITS / "sysusers.d/scangate.conf")
    user = next(line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("scangate:"))
    assert user.split(":")[5:] == ["/var/lib/scangate", "/usr/sbin/nologin"]
    groups = {line.split(":")[0]: line.split(":")[3] for line in (tmp_path / "etc/group").read_text().splitlines()}
    assert groups["dialout"] == "scangate"
    assert "scangate" in groups
    assert groups.get("input", "") == ""

    if os.geteuid() != 0:
        pytest.skip("owners of folders are set by root only")
    run(program("systemd-tmpfiles"), "--create", f"--root={tmp_path}", UNITS / "tmpfiles.d/scangate.conf")
    uid = int(user.split(":")[2])
    expected = {
        "etc/scangate": (0o750, 0),
        "etc/scangate/credentials": (0o700, 0),
        "var/lib/scangate": (0o700, uid),
        "run/scangate-display": (0o2750, uid),
    }
    found = {
        name: ((tmp_path / name).stat().st_mode & 0o7777, (tmp_path / name).stat().st_uid) for name in expected
    }
    assert found == expected

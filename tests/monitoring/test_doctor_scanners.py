"""What `scangate doctor` says of scanners, from what the daemon tells of them and from what is plugged in."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config.loader import Config, parse
from gateway.monitoring import doctor
from gateway.monitoring.doctor import CheckState

BOX = {"tenant": "vgr", "site": "su", "id": "gw01"}
KNOWN: dict[str, Any] = {
    "name": "front",
    "link": "connected",
    "detail": None,
    "failure": None,
    "calibrated": None,
    "replaced": None,
    "settings": None,
}


def config(**scanner: object) -> Config:
    return parse({"gateway": BOX, "scanner": [{"name": "front", **scanner}]}, "scangate.toml")


@pytest.mark.parametrize(
    ("told", "health", "words"),
    [
        ({}, [CheckState.GOOD], "connected"),
        ({"calibrated": True}, [CheckState.GOOD], "connected"),
        ({"calibrated": False}, [CheckState.WARNING], "scangate scanners calibrate front"),
        (
            {"replaced": "0c2e:0b61 serial OLD"},
            [CheckState.WARNING, CheckState.GOOD],
            "another one than 0c2e:0b61 serial OLD",
        ),
        (
            {"settings": "its settings have changed"},
            [CheckState.WARNING, CheckState.GOOD],
            "scangate firmware check front",
        ),
        ({"link": "missing", "detail": "plug it in"}, [CheckState.BAD], "missing plug it in"),
        ({"link": "busy"}, [CheckState.BAD], "busy see the daemon's log"),
        ({"failure": "the driver failed"}, [CheckState.BAD], "the driver failed"),
    ],
)
def test_what_the_daemon_tells(told: dict[str, Any], health: list[CheckState], words: str) -> None:
    found = list(doctor._scanners(config(device="/dev/ttyACM0"), {"scanners": [KNOWN | told]}))
    assert [one.health for one in found] == health
    assert any(words in f"{one.found} {one.do}" for one in found)


def test_without_a_daemon_the_device_is_looked_at(tmp_path: Path) -> None:
    there = tmp_path / "scanner"
    for driver in ("serial", "replay"):
        (missing,) = doctor._scanners(config(driver=driver, device=str(there)), None)
        assert (missing.health, str(there) in missing.found) == (CheckState.BAD, True)
        assert missing.do
        there.touch()
        (good,) = doctor._scanners(config(driver=driver, device=str(there)), None)
        assert good.health is CheckState.GOOD
        there.unlink()


def test_a_match_is_named() -> None:
    (one,) = doctor._scanners(config(match={"vendor": "ffff"}), None)
    assert one.health is CheckState.BAD
    assert "ffff" in one.found
    assert "no serial port with vendor ffff is plugged in" in one.do

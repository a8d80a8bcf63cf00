"""A site's own udev rules, and what a box needs for Bluetooth."""

import os
from pathlib import Path

import pytest

from drivers import hardware
from drivers.base import DeviceMatch, ScannerSettings
from drivers.udev_rules import allowed_in, site
from gateway.cli import main
from gateway.devices import bluetooth, site_rules


def test_devices_are_allowed_one_after_the_other_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "rules.d/61-scangate-site.rules"
    assert site_rules.allowed(path) == set()
    assert site_rules.change([("11fa", "0215")], (), path) == {("11fa", "0215")}
    assert site_rules.change([("1234", "abcd")], (), path) == {("11fa", "0215"), ("1234", "abcd")}
    assert path.read_text() == site([("11fa", "0215"), ("1234", "abcd")])
    assert oct(path.stat().st_mode & 0o777) == "0o644"
    site_rules.change((), [("11fa", "0215")], path)
    assert site_rules.allowed(path) == {("1234", "abcd")}


def test_rules_made_by_hand_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "61-scangate-site.rules"
    path.write_text('SUBSYSTEM=="hidraw", ATTRS{idVendor}=="1234", GROUP="scangate"\n')
    site_rules.change([("11fa", "0215")], (), path)
    assert "hidraw" in (tmp_path / "60-61-scangate-site.rules").read_text()
    assert allowed_in(path.read_text()) == {("11fa", "0215")}


@pytest.mark.parametrize("text", ["11fa", "11fa:21", "11fa:02155", "0x11fa:0215", "11fa-0215", ""])
def test_what_is_no_device(text: str) -> None:
    with pytest.raises(ValueError, match="expected VENDOR:PRODUCT, four hex digits each"):
        site_rules.parse(text)
    assert site_rules.parse("11FA:02AB") == ("11fa", "02ab")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "site.rules"
    monkeypatch.setattr(site_rules, "reload", lambda: True)  # no udev answers in a container
    assert main(["scanners", "allow", "--file", str(path), "11fa:0215"]) == 0
    assert "Code Corporation" in capsys.readouterr().out
    assert main(["scanners", "allow", "--file", str(path), "--json"]) == 0
    assert '"device": "11fa:0215"' in capsys.readouterr().out
    assert main(["scanners", "allow", "--file", str(path), "--remove", "11fa:0215"]) == 0
    assert site_rules.allowed(path) == set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_without_the_right_to_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(site_rules.SiteRulesError, match="run it as root"):
        site_rules.change([("11fa", "0215")], (), tmp_path / "site.rules")


def test_what_bluetooth_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanners = [
        ScannerSettings(name="ring", driver="hid-keyboard", match=DeviceMatch(serial="00:11:22:33:44:55")),
        ScannerSettings(name="gun", device="/dev/rfcomm0"),
        ScannerSettings(name="desk", device="/dev/ttyACM0"),
    ]
    assert bluetooth.wanted(scanners) == ["ring", "gun"]
    monkeypatch.setattr(hardware, "SYSFS", tmp_path)
    monkeypatch.setattr("shutil.which", lambda *_args, **_named: None)
    assert bluetooth.missing() == ("BlueZ is not installed", "apt install bluez")
    monkeypatch.setattr("shutil.which", lambda *_args, **_named: "/usr/bin/bluetoothctl")
    found = bluetooth.missing()
    assert found is not None
    assert "rfkill" in found[1]
    (tmp_path / "bluetooth/hci0").mkdir(parents=True)
    assert bluetooth.missing() is None

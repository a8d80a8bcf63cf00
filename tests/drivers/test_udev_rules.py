"""The rules that are made from the table of vendors."""

from pathlib import Path

import pytest

from drivers import udev_rules
from drivers.vendors import VENDORS, maker, mode_of, to_serial

RULES = Path(__file__).parents[2] / "systemd/60-scangate.rules"


def test_the_packages_rules_are_those_of_the_table() -> None:
    assert RULES.read_text() == udev_rules.packaged(), "python -m drivers.udev_rules > systemd/60-scangate.rules"


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("subsystem", ["usb", "tty", "input", "hidraw"])
def test_every_vendor_is_in_every_rule(vendor: str, subsystem: str) -> None:
    lines = [line for line in udev_rules.packaged().splitlines() if line.startswith(f'SUBSYSTEM=="{subsystem}"')]
    assert lines
    assert all(vendor in line or vendor.upper() in line for line in lines)


def test_a_sites_own_rules_name_one_device_and_keep_modemmanager_away() -> None:
    rules = udev_rules.site([("11fa", "0215"), ("1234", "00ab"), ("11fa", "0215")])
    assert udev_rules.allowed_in(rules) == {("11fa", "0215"), ("1234", "00ab")}
    assert udev_rules.site(udev_rules.allowed_in(rules)) == rules
    lines = [line for line in rules.splitlines() if line.startswith("SUBSYSTEM")]
    assert len(lines) == 2 * 6
    assert all("0215" in line or "00ab" in line or "00AB" in line for line in lines)
    assert sum('ID_MM_DEVICE_IGNORE}="1"' in line for line in lines) == 2 * 2
    assert 'KERNELS=="0005:1234:00AB.*"' in rules


def test_what_is_known_of_vendors() -> None:
    assert (maker("11fa"), maker("ffff"), maker(None)) == ("Code Corporation", "", "")
    assert mode_of("05e0", "1900").startswith("SNAPI")
    assert mode_of("05e0", "ffff") == ""
    assert "guide" in to_serial(None)

"""Which driver and dialect a configuration names, and what importing the catalogue may load."""

import subprocess
import sys
from typing import get_args, get_type_hints

import msgspec
import pytest

from drivers import catalogue
from drivers.base import Dialect, Scanner, ScannerSettings, UnknownDriverError


def test_the_catalogue_knows_exactly_what_the_configuration_allows() -> None:
    hints = get_type_hints(ScannerSettings)
    assert set(catalogue.DRIVERS) == set(get_args(hints["driver"]))
    assert set(catalogue.DIALECTS) == set(get_args(hints["dialect"]))


def test_every_entry_is_there() -> None:
    for driver in catalogue.DRIVERS:
        for dialect in catalogue.DIALECTS:
            settings = msgspec.convert(
                {"name": "desk", "device": "/dev/null", "driver": driver, "dialect": dialect}, ScannerSettings
            )
            scanner = catalogue.open_scanner(settings)
            assert isinstance(scanner, Scanner)
            assert isinstance(scanner.dialect, Dialect)
            scanner.close()


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("driver", "seral", 'cannot use scanner \'desk\': there is no driver "seral"; did you mean "serial"?'),
        (
            "driver",
            "xyz",
            'there is no driver "xyz"; driver is one of "hid-keyboard", "hid-pos", "replay", "serial"',
        ),
        ("dialect", "plan", 'there is no dialect "plan"; did you mean "plain"?'),
    ],
)
def test_a_name_that_does_not_exist(key: str, name: str, message: str) -> None:
    settings = msgspec.structs.replace(ScannerSettings(name="desk", device="/dev/null"), **{key: name})
    with pytest.raises(UnknownDriverError) as caught:
        catalogue.open_scanner(settings)
    assert message in str(caught.value)
    assert isinstance(caught.value, LookupError)
    assert not caught.value.recoverable


def test_importing_the_catalogue_loads_no_hardware_library() -> None:
    code = (
        "import sys, drivers.catalogue;"
        "print(sorted(set(sys.modules) & {'serial', 'evdev', 'termios', 'drivers.serial_port', 'gateway'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("bad", [{"idle_ms": 0}, {"idle_ms": 60_000}, {"baud": 0}, {"terminator": "cr"}])
def test_settings_that_would_cut_codes_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "desk", "device": "/dev/null"} | bad, ScannerSettings)

"""Which device a scanner is: settings that leave it open are refused."""

import msgspec
import pytest

from drivers.base import DeviceMatch, ScannerSettings
from drivers.settings_check import without_effect, wrong

XENON = {"vendor": "0c2e", "product": "0b61"}


def scanner(
    driver: str = "serial", device: str | None = None, match: dict[str, str] | None = None
) -> ScannerSettings:
    document = {"name": "desk", "driver": driver, "device": device, "match": match}
    return msgspec.convert(document, ScannerSettings)


@pytest.mark.parametrize(
    "settings",
    [
        scanner(device="/dev/ttyACM0"),
        scanner(match={"serial": "S1"}),
        scanner(match={"vendor": "0c2e"}),
        scanner("replay", device="scans.ndjson"),
        scanner("hid-pos", match={"vendor": "0c2e"}),
        scanner("hid-keyboard", match=XENON),
        scanner("hid-keyboard", match={"port": "usb-0:1.2:1.0"}),
        scanner("hid-keyboard", match={**XENON, "serial": "S1"}),
        scanner("hid-keyboard", device="/dev/input/by-id/usb-scanner-event-kbd"),
    ],
)
def test_one_that_says_which_device_it_is(settings: ScannerSettings) -> None:
    assert list(wrong([settings])) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (scanner(), "scanner[0].device: missing, and there is no `match`"),
        (scanner(device="/dev/ttyACM0", match=XENON), "scanner[0].match: give `device` or `match`, not both"),
        (scanner(match={}), "scanner[0].match: empty, it would fit every device"),
        (scanner("hid-keyboard", match={}), "scanner[0].match: empty, it would fit every device"),
        (scanner("hid-keyboard", match={"vendor": "0c2e"}), "scanner[0].match: would fit other keyboards, too"),
        (scanner("hid-keyboard", match={"product": "0b61"}), "scanner[0].match: would fit other keyboards, too"),
        (scanner("hid-keyboard", match={"serial": "S1"}), "scanner[0].match: would fit other keyboards, too"),
        (scanner("replay", match=XENON), "scanner[0].match: a recording is no device"),
    ],
)
def test_one_that_does_not(settings: ScannerSettings, words: str) -> None:
    (problem,) = wrong([settings])
    assert problem.startswith(words)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (XENON, XENON, True),
        (XENON, {**XENON, "port": "usb-0:1:1.0"}, True),
        ({**XENON, "serial": "S1"}, {**XENON, "port": "usb-0:1:1.0"}, True),
        ({**XENON, "port": "usb-0:1:1.0"}, {**XENON, "port": "usb-0:2:1.0"}, False),
        ({**XENON, "serial": "S1"}, {**XENON, "serial": "S2"}, False),
        (XENON, {"vendor": "05e0", "product": "1200"}, False),
    ],
)
def test_two_that_could_be_the_same_device(first: dict[str, str], second: dict[str, str], same: bool) -> None:  # noqa: FBT001 - a column of the table
    one, other = (scanner("hid-keyboard", match=match) for match in (first, second))
    problems = list(wrong([one, other]))
    assert [problem.startswith("scanner[1].match: could be the same device") for problem in problems] == [
        True
    ] * same
    assert list(wrong([one, scanner("hid-pos", match=second)])) == []


def test_two_scanners_on_one_path() -> None:
    desk = scanner(device="/dev/ttyACM0")
    assert list(wrong([desk, desk])) == ["scanner[1].device = '/dev/ttyACM0': desk reads it already"]
    assert list(wrong([scanner("replay", device="a"), scanner("replay", device="a")])) == []


def test_a_match_without_anything_is_the_empty_one() -> None:
    assert scanner(match={}).match == DeviceMatch()


@pytest.mark.parametrize(
    ("driver", "given", "named"),
    [
        ("hid-pos", {"baud": 115_200, "layout": "se", "gs": ["f8"]}, ["baud", "layout", "gs"]),
        ("hid-pos", {"terminator": "TAB", "idle_ms": 50}, []),
        (
            "hid-keyboard",
            {"baud": 115_200, "dialect": "honeywell", "feedback": "none"},
            ["baud", "dialect", "feedback"],
        ),
        ("hid-keyboard", {"layout": "de", "gs": ["f8"], "terminator": "TAB"}, []),
        ("serial", {"layout": "de", "gs": []}, ["layout", "gs"]),
        ("serial", {"baud": 115_200, "dialect": "datalogic", "feedback": "cordless"}, []),
        ("replay", {"baud": 115_200, "firmware_profile": "zebra"}, ["baud", "firmware_profile"]),
    ],
)
def test_settings_without_effect(driver: str, given: dict[str, object], named: list[str]) -> None:
    settings = msgspec.convert({"name": "desk", "device": "x", "driver": driver, **given}, ScannerSettings)
    assert [words.partition(" ")[0] for words in without_effect(settings)] == named
    assert all(f"driver = {driver!r} does not use it" in words for words in without_effect(settings))

"""The page for scanners that cannot be told: every setting with its source, and no code but the proof."""

import pytest

from firmware_config.profiles import load, names
from gateway.devices.calibration import TEXT
from gateway.printing import sheet
from gateway.printing.firmware_page import entries, title
from gateway.printing.sheet import Cell, Note
from tests.printing.printed import symbols_of_pdf, symbols_of_svg, text_of_pdf


@pytest.mark.parametrize("name", names())
def test_every_setting_is_named_with_its_source(name: str) -> None:
    profile = load(name)
    said = [" ".join(one.lines) for one in entries(profile) if isinstance(one, Note)]
    for setting in profile.settings:
        (place,) = [one for one in said if f"Setting {setting.name}, value {setting.value}." in one]
        assert f"Code: {setting.source}" in place
        assert ("Not confirmed: " in place) is not setting.verified
    if profile.refused:
        assert any(profile.refused in one for one in said)


@pytest.mark.parametrize("name", names())
def test_no_code_is_made_up(name: str) -> None:
    """The only symbols are the text of gateway.devices.calibration, which sets nothing."""
    assert {one.text for one in entries(load(name)) if isinstance(one, Cell)} == {TEXT}


def test_printed() -> None:
    profile = load("honeywell")
    page = list(entries(profile))
    drawn = sheet.pdf(title(profile), page)
    assert {text for text, _ in symbols_of_pdf(drawn)} == {TEXT.encode()}
    assert {text for text, _ in symbols_of_svg(sheet.svg(title(profile), page))} == {TEXT.encode()}
    text = " ".join(text_of_pdf(drawn).split())
    assert "Honeywell scanners: settings" in text
    assert "Setting SUFBK2, value 990D." in text
    assert "Keyboard Country Layout" in text

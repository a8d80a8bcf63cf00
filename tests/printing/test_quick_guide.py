"""The quick guide: one page in every language, on every paper, for every place; its codes are read back."""

import re
from pathlib import Path

import pypdfium2
import pytest

from drivers.model import Signal
from gateway.languages import LANGUAGES, vocabulary
from gateway.printing import sheet
from gateway.printing.quick_guide import COLOURS, MAX_CODES, OFTEN, entries
from gateway.printing.shapes import SHAPES
from gateway.printing.sheet import PAPERS
from gateway.printing.station_sheet import GROUPS
from gateway.station.control_codes import COMMANDS, ControlCodes
from gateway.station.profiles import ProfileName
from tests.printing.printed import symbols_of_pdf, symbols_of_svg, text_of_pdf

CODES = ControlCodes("su", bytes(range(32)))
PAGE = Path(__file__).parents[2] / "gateway/display/page"


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("profile", GROUPS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_one_page_says_everything_and_its_codes_are_read(language: str, profile: ProfileName, paper: str) -> None:
    words = vocabulary(language)
    guide = list(entries(words, CODES, profile))
    drawn = sheet.pdf(f"{words.guide_title}: su", guide, PAPERS[paper])
    document = pypdfium2.PdfDocument(drawn)
    assert len(document) == 1
    size = [round(one * 25.4 / 72) for one in document[0].get_size()]
    document.close()
    assert size == {"A4": [210, 297], "A5": [148, 210]}[paper]
    read = [CODES.read(one.data.decode()) for one in symbols_of_pdf(drawn)]
    assert len(read) == MAX_CODES
    assert all(one in COMMANDS.values() for one in read)
    assert CODES.read(CODES.write("UNDO")) in read
    text = " ".join(text_of_pdf(drawn).split())
    for signal in Signal:
        for said in (words.headlines[signal], words.signals[signal].meaning, words.signals[signal].deed):
            assert said in text
    for note in words.guide_notes:
        assert note in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_written_over_the_edge_or_out_of_its_box(language: str) -> None:
    words = vocabulary(language)
    document = pypdfium2.PdfDocument(sheet.pdf("Sida", list(entries(words, CODES, "operating-room"))))
    page = document[0].get_textpage()
    right = (sheet.MARGIN + sheet.SIGNAL_BOX) / 25.4 * 72
    edge = (sheet.PAGE_WIDTH - sheet.MARGIN) / 25.4 * 72
    rects = [page.get_rect(index) for index in range(page.count_rects())]
    texts = [(page.get_text_bounded(*rect), rect) for rect in rects]
    document.close()
    assert max(rect[2] for _, rect in texts) <= edge
    headlines = {words.headlines[signal] for signal in Signal}
    boxed = [rect[2] for text, rect in texts if text.strip() in headlines]
    assert len(boxed) == len(Signal)
    assert max(boxed) <= right - 5


def test_a_site_without_a_key_gets_a_guide_without_codes() -> None:
    drawn = sheet.pdf("Sida", list(entries(vocabulary("sv"), None, "clinic")))
    assert symbols_of_pdf(drawn) == []
    assert "Godkänd" in text_of_pdf(drawn)


def test_the_svg_says_the_same() -> None:
    guide = list(entries(vocabulary("en"), CODES, "supply-room"))
    drawn = sheet.svg("Page", guide, PAPERS["A5"])
    assert len(symbols_of_svg(drawn)) == MAX_CODES
    assert 'width="148mm"' in drawn
    assert "Do not use" in drawn


def test_colours_are_those_of_the_screen() -> None:
    """Who has learnt the guide knows the screen."""
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", (PAGE / "page.css").read_text())
    for signal, (ground, ink) in COLOURS.items():
        (body,) = [
            body for selector, body in rules if f'[data-state="{signal}"]' in selector and "--ground" in body
        ]
        assert dict(re.findall(r"--(ground|ink): (#[0-9a-f]{6})", body)) == {"ground": ground, "ink": ink}


def test_every_signal_has_a_shape_and_a_colour() -> None:
    assert set(SHAPES) == set(Signal) == set(COLOURS)
    for strokes in SHAPES.values():
        assert all(0 <= coordinate <= 100 for stroke in strokes for point in stroke for coordinate in point)


def test_codes_that_are_needed_often_are_codes() -> None:
    assert set(OFTEN) <= set(COMMANDS)

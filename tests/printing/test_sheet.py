"""Printed pages: what was printed is read back, from the picture of the page."""

import pytest

from gateway.printing import sheet
from gateway.printing.sheet import Cell, SheetError
from gateway.printing.station_sheet import GROUPS, cells, title
from gateway.station.control_codes import ControlCodes
from gateway.station.profiles import ProfileName
from tests.printing.printed import symbol_of_terminal, symbols_of_pdf, symbols_of_svg, text_of_pdf

CELLS = (
    Cell(text="QZSG1ABC", symbology="datamatrix", captions=("Förbruka", "Consume"), group="Första"),
    Cell(text="01" + "9" * 14 + "10A\x1d21B", symbology="datamatrix", captions=("with GS",), group="Första"),
    Cell(text="\x00\x1d\x1e\x04~ !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}", symbology="datamatrix", captions=("signs",)),
    Cell(text="10A\x1d21B", symbology="qr", captions=("a QR symbol",)),
    Cell(text="(01)09520001000102(10)A(21)B", symbology="datamatrix", captions=("GS1",), gs1=True),
    Cell(text="(01)09520001000102(10)A(21)B", symbology="qr", captions=("GS1 QR",), gs1=True),
)
EXPECTED = {
    (CELLS[0].text.encode(), "]d1"),
    (CELLS[1].text.encode(), "]d1"),
    (CELLS[2].text.encode(), "]d1"),
    (CELLS[3].text.encode(), "]Q1"),
    (b"010952000100010210A\x1d21B", "]d2"),
    (b"010952000100010210A\x1d21B", "]Q3"),
}


def test_a_printed_pdf_is_read() -> None:
    found = symbols_of_pdf(sheet.pdf("Sida", CELLS))
    assert len(found) == len(CELLS)
    assert set(found) == EXPECTED


def test_a_drawn_svg_is_read() -> None:
    found = symbols_of_svg(sheet.svg("Sida", CELLS))
    assert len(found) == len(CELLS)
    assert set(found) == EXPECTED


def test_captions_and_headings_are_written() -> None:
    text = text_of_pdf(sheet.pdf("Sidan heter så", CELLS))
    drawn = sheet.svg("Sidan heter så", CELLS)
    for words in ("Sidan heter så", "Första", "Förbruka", "Consume", "with GS"):
        assert words in text
        assert words in drawn


def test_markup_is_escaped() -> None:
    drawn = sheet.svg("<&>", [Cell(text="A", symbology="qr", captions=("<script>&",))])
    assert "<script>" not in drawn
    assert "&lt;&amp;&gt;" in drawn


@pytest.mark.parametrize("count", [0, 1, 4, 5, 20, 90])
def test_any_number_of_cells_fits_on_pages(count: int) -> None:
    cells = [
        Cell(
            text=f"CODE{number}", symbology="datamatrix", captions=("a caption that is so long that it is wrapped",)
        )
        for number in range(count)
    ]
    for index, page in enumerate(sheet._pages("T", cells)):
        for item in page:
            size = item.size if isinstance(item, sheet._Symbol) else 0
            bottom = item.y + size if isinstance(item, sheet._Symbol) else item.baseline
            assert sheet.MARGIN <= item.x <= sheet.PAGE_WIDTH - sheet.MARGIN - size, (index, item)
            assert sheet.MARGIN <= bottom <= sheet.PAGE_HEIGHT - sheet.MARGIN + 0.01, (index, item)
    if count:
        assert len(symbols_of_pdf(sheet.pdf("T", cells))) == count


def test_symbols_stand_far_apart() -> None:
    """A hand-held scanner's field is some 20 mm wide at the distance where it reads such a symbol."""
    cells = [Cell(text="A", symbology="datamatrix", captions=("a",)) for _ in range(8)]
    places = [(item.x, item.y) for item in sheet._pages("T", cells)[0] if isinstance(item, sheet._Symbol)]
    gaps = [
        max(abs(x - other_x), abs(y - other_y)) - sheet.SYMBOL_SIZE
        for index, (x, y) in enumerate(places)
        for other_x, other_y in places[:index]
    ]
    assert min(gaps) > 16


@pytest.mark.parametrize("text", ["SCANGATE-LAYOUT-1", "10A\x1d21B", "A"])
def test_a_terminal_shows_it(text: str) -> None:
    for symbology, identifier in (("datamatrix", "]d1"), ("qr", "]Q1")):
        drawn = sheet.terminal(text, "qr" if symbology == "qr" else "datamatrix")
        assert symbol_of_terminal(drawn) == (text.encode(), identifier)
        assert len({len(line) for line in drawn.splitlines()}) == 1


@pytest.mark.parametrize(
    "cell",
    [
        Cell(text="", symbology="qr", captions=("nothing",)),
        Cell(text="A" * 5000, symbology="datamatrix", captions=("too long",)),
        Cell(text="10A\x1d21B", symbology="datamatrix", captions=("not the typed form",), gs1=True),
    ],
)
def test_what_no_symbol_holds(cell: Cell) -> None:
    with pytest.raises(SheetError, match=cell.captions[0]):
        sheet.svg("T", [cell])


@pytest.mark.parametrize("paper", sheet.PAPERS)
def test_a_page_of_any_size_is_read(paper: str) -> None:
    """200 dots an inch: a third of what an office printer prints."""
    found = symbols_of_pdf(sheet.pdf("Sida", CELLS, sheet.PAPERS[paper]))
    assert len(found) == len(CELLS)
    assert set(found) == EXPECTED


def test_symbols_stand_far_apart_on_the_smallest_paper() -> None:
    """A smaller symbol is read from nearer, where the field is as much smaller: its own width stays white."""
    cells = [Cell(text="A", symbology="datamatrix", captions=("a",)) for _ in range(8)]
    left, right = [item for item in sheet._pages("T", cells)[0] if isinstance(item, sheet._Symbol)][:2]
    scale = sheet.PAPERS["A5"].scale
    assert (right.x - left.x - sheet.SYMBOL_SIZE) * scale > sheet.SYMBOL_SIZE * scale


@pytest.mark.parametrize("languages", [("sv", "en"), ("sv",), ("en",)], ids="-".join)
@pytest.mark.parametrize("profile", GROUPS)
def test_all_codes_of_a_kind_of_place_are_on_one_page(profile: ProfileName, languages: tuple[str, ...]) -> None:
    """Nobody turns a page over with bloody gloves."""
    page = list(cells(ControlCodes("su", bytes(16)), languages, profile))
    assert len(sheet._pages(title("su", languages), page)) == 1
    assert len(symbols_of_pdf(sheet.pdf(title("su", languages), page))) == len(page)

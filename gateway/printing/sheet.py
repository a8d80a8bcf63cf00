"""Pages of printed codes: as SVG, as PDF, and one code on a terminal. Pure.

A page is laid out on A4; on A5 it is the same page, smaller by the root of two (ISO 216). The symbols stand far
apart, so that a scanner held in a gloved hand meets one at a time, and each has its captions beneath. What draws
symbols (zxing-cpp) and writes PDF (pydyf) is imported when a page is made.
"""

import textwrap
from collections.abc import Iterator, Sequence
from html import escape
from io import BytesIO
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.printing.shapes import Stroke

Symbology = Literal["datamatrix", "qr"]
Matrix = tuple[tuple[bool, ...], ...]
"""Rows of modules, True for dark; without quiet zone."""

PAGE_WIDTH: Final = 210.0
"""Millimetres, like all lengths here: ISO 216 A4."""
PAGE_HEIGHT: Final = 297.0
MARGIN: Final = 10.0
"""What office printers leave white is 5 mm at most."""
COLUMNS: Final = 5
CELL_WIDTH: Final = (PAGE_WIDTH - 2 * MARGIN) / COLUMNS
SYMBOL_SIZE: Final = 18.0
"""A module of a control code is then some 0.75 mm wide, on A5 0.5 mm: what a hospital scanner reads at arm's length.
Beside it as much again stays white. All codes of a kind of place fit on one page so."""
ROW_PITCH: Final = 34.4
"""From one row of symbols to the next, at least: a scanner's field is some 16 mm wide where it reads such a one."""
CAPTION_GAP: Final = 1.6
"""Between a symbol and its captions, beside the line's own: the quiet zone of a QR symbol."""
ROW_GAP: Final = 2.0
TITLE_SIZE: Final = 5.0
HEADING_SIZE: Final = 3.8
CAPTION_SIZE: Final = 2.9
LINE_HEIGHT: Final = 3.4
NOTE_GAP: Final = 2.0
SIGNAL_HEIGHT: Final = 13.0
SIGNAL_GAP: Final = 1.5
SIGNAL_BOX: Final = 62.0
"""Width of a signal's coloured box: the longest word in it is `Samma patient?`."""
SIGNAL_SIZE: Final = 5.2
TONE: Final = 2.2
"""Side of a short tone as it is drawn."""
NOTE_CHARACTERS: Final = 120
"""A line of a note is wrapped there: so many characters of CAPTION_SIZE fill the page's width."""
CAPTION_CHARACTERS: Final = 22
"""A caption is wrapped there: so many characters of CAPTION_SIZE fill a cell."""
POINTS: Final = 72 / 25.4
"""PDF counts in points."""
QUIET_MODULES: Final = {"datamatrix": 2, "qr": 4}
"""Around a symbol on a terminal: ISO/IEC 16022 asks for 1, ISO/IEC 18004 for 4."""


class Cell(Struct, frozen=True, kw_only=True):
    """One code on a page."""

    text: str
    """What the symbol says; control characters such as GS stand in it as they are."""
    symbology: Symbology
    captions: tuple[str, ...]
    """Lines beneath it; the first one is bold."""
    group: str = ""
    """Heading above the first of several cells of the same group."""
    gs1: bool = False
    """`text` is an element string with its AIs in brackets, encoded with FNC1, so that it reads as GS1 data."""


class Note(Struct, frozen=True, kw_only=True):
    """Lines of text over the width of the page."""

    lines: tuple[str, ...]
    """The first one is bold."""
    group: str = ""
    """As of a cell."""


class SignalLine(Struct, frozen=True, kw_only=True):
    """One signal over the width of the page: colour, shape and word, rhythm, what it means and what to do."""

    colour: str
    """Of the screen, `#rrggbb`."""
    ink: str
    """Of shape and word on it."""
    strokes: tuple[Stroke, ...]
    """The shape, on a square of 100 by 100."""
    word: str
    rhythm: str
    """`.` short, `-` long."""
    lines: tuple[str, str]
    """What it means; what to do, which is bold."""
    group: str = ""
    """As of a cell."""


Entry = Cell | Note | SignalLine


class Paper(Struct, frozen=True, kw_only=True):
    """A size of paper, millimetres."""

    width: float
    height: float

    @property
    def scale(self) -> float:
        """Of what is laid out on A4."""
        return min(self.width / PAGE_WIDTH, self.height / PAGE_HEIGHT)


PAPERS: Final = {
    "A4": Paper(width=PAGE_WIDTH, height=PAGE_HEIGHT),
    "A5": Paper(width=148.0, height=210.0),
}
"""ISO 216."""


class _Text(Struct, frozen=True):
    x: float
    baseline: float
    size: float
    bold: bool
    text: str
    colour: str = "#000000"


class _Box(Struct, frozen=True):
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


class _Line(Struct, frozen=True):
    """Points joined by a line."""

    points: Stroke
    width: float
    colour: str


class _Symbol(Struct, frozen=True):
    x: float
    y: float
    size: float
    matrix: Matrix


_Item = _Text | _Symbol | _Box | _Line
_Page = list[_Item]


class SheetError(ValueError):
    """A text cannot be put in a symbol. The message says which caption it is and why."""


def matrix(cell: Cell) -> Matrix:
    """Return the modules of a cell's symbol. Raises SheetError when the text does not fit."""
    import zxingcpp

    if cell.symbology == "datamatrix":
        form, options = zxingcpp.BarcodeFormat.DataMatrix, {"force_square": True}
    else:
        form, options = zxingcpp.BarcodeFormat.QRCode, {}
    try:
        made = zxingcpp.create_barcode(cell.text, form, **options, gs1=cell.gs1)
    except ValueError as error:
        name = cell.captions[0] if cell.captions else "a code without caption"
        raise SheetError(f"{name}: no {cell.symbology} symbol can be made: {error}") from error
    image: Any = made.to_image(scale=1, add_quiet_zones=False)  # a buffer, which its annotations do not say
    rows: Any = memoryview(image).tolist()
    return tuple(tuple(module == 0 for module in row) for row in rows)


def svg(title: str, cells: Sequence[Entry], paper: Paper = PAPERS["A4"]) -> str:
    """Draw the pages as one SVG, one below the other. Raises SheetError."""
    pages = _pages(title, cells)
    height = PAGE_HEIGHT * len(pages)
    printed = f'width="{PAGE_WIDTH * paper.scale:g}mm" height="{height * paper.scale:g}mm"'
    size = f'{printed} viewBox="0 0 {PAGE_WIDTH:g} {height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Helvetica, Arial, sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{PAGE_WIDTH:g}" height="{height:g}" fill="#fff"/>',
    ]
    for index, page in enumerate(pages):
        lines.append(f'<g transform="translate(0 {PAGE_HEIGHT * index:g})">')
        lines.extend(_svg_of(item) for item in page)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def pdf(title: str, cells: Sequence[Entry], paper: Paper = PAPERS["A4"]) -> bytes:
    """Draw the pages as a PDF. Raises SheetError."""
    import pydyf

    document = pydyf.PDF()
    document.info["Title"] = pydyf.String(title)
    fonts = pydyf.Dictionary()
    for name, base in (("F0", "Helvetica"), ("F1", "Helvetica-Bold")):  # every reader has them
        font = pydyf.Dictionary(
            {"Type": "/Font", "Subtype": "/Type1", "BaseFont": f"/{base}", "Encoding": "/WinAnsiEncoding"}
        )
        document.add_object(font)
        fonts[name] = font.reference
    box = pydyf.Array([0, 0, round(paper.width * POINTS, 2), round(paper.height * POINTS, 2)])
    for page in _pages(title, cells):
        stream = pydyf.Stream(compress=True)
        raised = (paper.height - PAGE_HEIGHT * paper.scale) * POINTS  # the page's top stays the paper's
        stream.stream.append(f"{paper.scale:.6f} 0 0 {paper.scale:.6f} 0 {raised:.3f} cm".encode())
        for item in page:
            stream.stream.extend(_pdf_of(item))
        document.add_object(stream)
        document.add_page(
            pydyf.Dictionary(
                {
                    "Type": "/Page",
                    "Parent": document.pages.reference,
                    "MediaBox": box,
                    "Contents": stream.reference,
                    "Resources": pydyf.Dictionary({"Font": fonts}),
                }
            )
        )
    out = BytesIO()
    document.write(out)
    return out.getvalue()


def terminal(text: str, symbology: Symbology) -> str:
    """Draw one symbol with half-block characters, black on white whatever the terminal's colours are."""
    modules = matrix(Cell(text=text, symbology=symbology, captions=("the code",)))
    quiet = QUIET_MODULES[symbology]
    width = len(modules[0]) + 2 * quiet
    rows: list[tuple[bool, ...]] = [(False,) * width] * quiet
    rows += [(*(False,) * quiet, *row, *(False,) * quiet) for row in modules]
    rows += [(False,) * width] * (quiet + len(rows) % 2 + quiet % 2)
    halves = {(False, False): " ", (True, False): "\u2580", (False, True): "\u2584", (True, True): "\u2588"}
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=False):
        drawn = "".join(halves[pair] for pair in zip(upper, lower, strict=True))
        lines.append(f"\x1b[30;107m{drawn}\x1b[0m")
    return "\n".join([*lines, ""])


def _pages(title: str, entries: Sequence[Entry]) -> list[_Page]:
    """Place everything: rows from the top, a heading where a group begins, a new page when one is full."""
    pages: list[_Page] = []
    y = PAGE_HEIGHT
    group = ""
    for row in _rows(entries):
        heading = row[0].group if row[0].group != group else ""
        group = row[0].group
        placed, height, gap = _row(row)
        if y + (HEADING_SIZE + NOTE_GAP if heading else 0) + height > PAGE_HEIGHT - MARGIN:
            pages.append([_Text(MARGIN, MARGIN + TITLE_SIZE, TITLE_SIZE, True, title)])
            y = MARGIN + 1.6 * TITLE_SIZE
        if heading:
            y += HEADING_SIZE
            pages[-1].append(_Text(MARGIN, y, HEADING_SIZE, True, heading))
            y += NOTE_GAP
        pages[-1].extend(_moved(item, y) for item in placed)
        y += height + gap
    return pages


def _rows(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield cells side by side, and everything else alone."""
    row: list[Cell] = []
    for entry in entries:
        if row and (len(row) == COLUMNS or not isinstance(entry, Cell) or row[-1].group != entry.group):
            yield row
            row = []
        if isinstance(entry, Cell):
            row.append(entry)
        else:
            yield [entry]
    if row:
        yield row


def _row(row: Sequence[Entry]) -> tuple[_Page, float, float]:
    """Return a row placed at the top, its height, and what stays white below it."""
    if isinstance(row[0], SignalLine):
        return _signal_line(row[0]), SIGNAL_HEIGHT, SIGNAL_GAP
    placed: _Page = []
    depth = 0
    for column, entry in enumerate(row):
        x = MARGIN + column * CELL_WIDTH
        if isinstance(entry, Cell):
            top, texts, width = SYMBOL_SIZE + CAPTION_GAP, entry.captions, CAPTION_CHARACTERS
            placed.append(_Symbol(x, 0.0, SYMBOL_SIZE, matrix(entry)))
        else:
            top, texts, width = 0.0, tuple(entry.lines), NOTE_CHARACTERS
        lines = [(line, text is texts[0]) for text in texts for line in _wrapped(text, width)]
        depth = max(depth, len(lines))
        placed.extend(
            _Text(x, top + LINE_HEIGHT * place, CAPTION_SIZE, bold, line)
            for place, (line, bold) in enumerate(lines, 1)
        )
    cells = isinstance(row[0], Cell)
    height = LINE_HEIGHT * depth + (SYMBOL_SIZE + CAPTION_GAP if cells else 0.0)
    return placed, height, max(ROW_GAP, ROW_PITCH - height) if cells else NOTE_GAP


def _signal_line(line: SignalLine) -> _Page:
    """Place a signal's box with shape and word, its rhythm, and the two lines of text."""
    middle, side = SIGNAL_HEIGHT / 2, SIGNAL_HEIGHT * 0.66
    left, top = MARGIN + 2.0, middle - side / 2
    placed: _Page = [_Box(MARGIN, 0.0, SIGNAL_BOX, SIGNAL_HEIGHT, line.colour)]
    for stroke in line.strokes:
        points = tuple((left + x * side / 100, top + y * side / 100) for x, y in stroke)
        placed.append(_Line(points, side * 0.09, line.ink))
    placed.append(_Text(left + side + 3.0, middle + 1.9, SIGNAL_SIZE, True, line.word, line.ink))
    x = MARGIN + SIGNAL_BOX + 5.0
    for element in line.rhythm:
        width = TONE * (3 if element == "-" else 1)
        placed.append(_Box(x, middle - TONE / 2, width, TONE, "#000000"))
        x += width + TONE
    x = MARGIN + SIGNAL_BOX + 43.0
    for place, text in enumerate(line.lines):
        baseline = middle - 1.2 + place * LINE_HEIGHT * 1.25
        placed.append(_Text(x, baseline, CAPTION_SIZE, place > 0, text))
    return placed


def _moved(item: _Item, down: float) -> _Item:
    match item:
        case _Text():
            return _Text(item.x, item.baseline + down, item.size, item.bold, item.text, item.colour)
        case _Box():
            return _Box(item.x, item.y + down, item.width, item.height, item.colour)
        case _Line():
            return _Line(tuple((x, y + down) for x, y in item.points), item.width, item.colour)
        case _Symbol():
            return _Symbol(item.x, item.y + down, item.size, item.matrix)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]


def _runs(modules: Matrix) -> Iterator[tuple[int, int, int]]:
    """Yield (row, first column, length) of every horizontal run of dark modules."""
    for y, row in enumerate(modules):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                yield y, x, end - x
            x = end + 1


def _svg_of(item: _Item) -> str:
    match item:
        case _Text():
            look = (' font-weight="bold"' if item.bold else "") + _svg_fill(item.colour)
            place = f'x="{item.x:g}" y="{item.baseline:g}" font-size="{item.size:g}"'
            return f"<text {place}{look}>{escape(item.text)}</text>"
        case _Box():
            size = f'x="{item.x:g}" y="{item.y:g}" width="{item.width:g}" height="{item.height:g}"'
            return f"<rect {size}{_svg_fill(item.colour)}/>"
        case _Line():
            points = " ".join(f"{x:.2f},{y:.2f}" for x, y in item.points)
            look = f'fill="none" stroke="{item.colour}" stroke-width="{item.width:g}" stroke-linejoin="round"'
            return f'<polyline points="{points}" {look}/>'
        case _Symbol():
            scale = item.size / len(item.matrix)
            path = "".join(f"M{x} {y}h{length}v1h-{length}z" for y, x, length in _runs(item.matrix))
            place = f"translate({item.x:g} {item.y:g}) scale({scale:.6g})"
            return f'<path transform="{place}" shape-rendering="crispEdges" d="{path}"/>'


def _svg_fill(colour: str) -> str:
    return "" if colour == "#000000" else f' fill="{colour}"'


def _pdf_of(item: _Item) -> Iterator[bytes]:
    """Yield PDF operators; its y axis points up."""
    match item:
        case _Text():
            x, y = item.x * POINTS, (PAGE_HEIGHT - item.baseline) * POINTS
            font = f"{_pdf_colour(item.colour)} rg BT /F{int(item.bold)} {item.size * POINTS:.2f} Tf {x:.2f} {y:.2f} Td"
            yield f"{font} <{item.text.encode('cp1252', 'replace').hex()}> Tj ET 0 g".encode()
        case _Box():
            left, bottom = item.x * POINTS, (PAGE_HEIGHT - item.y - item.height) * POINTS
            size = f"{item.width * POINTS:.2f} {item.height * POINTS:.2f}"
            yield f"{_pdf_colour(item.colour)} rg {left:.2f} {bottom:.2f} {size} re f 0 g".encode()
        case _Line():
            points = [f"{x * POINTS:.2f} {(PAGE_HEIGHT - y) * POINTS:.2f}" for x, y in item.points]
            path = " ".join([f"{points[0]} m", *(f"{one} l" for one in points[1:])])
            yield f"q {_pdf_colour(item.colour)} RG {item.width * POINTS:.2f} w 1 j {path} S Q".encode()
        case _Symbol():
            module = item.size / len(item.matrix) * POINTS
            left, top = item.x * POINTS, (PAGE_HEIGHT - item.y) * POINTS
            yield f"q {module:.6f} 0 0 {-module:.6f} {left:.3f} {top:.3f} cm".encode()
            for y_module, x_module, length in _runs(item.matrix):
                yield f"{x_module} {y_module} {length} 1 re".encode()
            yield b"f Q"


def _pdf_colour(colour: str) -> str:
    """Return `#rrggbb` as the three numbers of DeviceRGB."""
    return " ".join(f"{int(colour[at : at + 2], 16) / 255:.3f}" for at in (1, 3, 5))

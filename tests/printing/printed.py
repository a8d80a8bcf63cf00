"""Reading a printed page back, as a scanner would: draw it, then find the symbols in the picture."""

import re
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pypdfium2
import zxingcpp

DOTS_PER_INCH = 200
"""An office printer makes three times as many."""
PIXELS_PER_MM = 8
_NAMESPACE = "{http://www.w3.org/2000/svg}"
_TRANSFORM = re.compile(r"translate\(([\d.]+) ([\d.]+)\) scale\(([\d.]+)\)")
_RUN = re.compile(r"M(\d+) (\d+)h(\d+)v1h-\d+z")


class Read(NamedTuple):
    """One symbol found."""

    data: bytes
    symbology: str
    """AIM identifier."""


def symbols_of_pdf(document: bytes) -> list[Read]:
    """Every symbol on every page."""
    found: list[Read] = []
    pages = pypdfium2.PdfDocument(document)
    for index in range(len(pages)):
        drawn = pages[index].render(scale=DOTS_PER_INCH / 72, grayscale=True)
        found += _symbols(memoryview(drawn.buffer), drawn.width, drawn.height, drawn.stride)
    pages.close()
    return found


def text_of_pdf(document: bytes) -> str:
    """What is written on the pages."""
    pages = pypdfium2.PdfDocument(document)
    text = "\n".join(pages[index].get_textpage().get_text_range() for index in range(len(pages)))
    pages.close()
    return text


def symbols_of_svg(text: str) -> list[Read]:
    """Every symbol of every page. Draws the paths that a sheet is made of, and nothing else."""
    root = ET.fromstring(text)  # noqa: S314 - the sheet under test
    found: list[Read] = []
    for page in root.iter(f"{_NAMESPACE}g"):
        width, height = 210 * PIXELS_PER_MM, 297 * PIXELS_PER_MM
        picture = bytearray(b"\xff" * (width * height))
        for path in page.iter(f"{_NAMESPACE}path"):
            _draw(picture, width, path.attrib)
        found += _symbols(memoryview(bytes(picture)), width, height, width)
    return found


def symbol_of_terminal(text: str) -> Read:
    """The symbol that half-block characters draw."""
    rows: list[list[bool]] = []
    for line in re.sub("\x1b\\[[0-9;]*m", "", text).splitlines():
        rows.append([character in "\u2580\u2588" for character in line])
        rows.append([character in "\u2584\u2588" for character in line])
    side = 6
    width, height = len(rows[0]) * side, len(rows) * side
    picture = bytes(0 if rows[y // side][x // side] else 255 for y in range(height) for x in range(width))
    (found,) = _symbols(memoryview(picture), width, height, width)
    return found


def _draw(picture: bytearray, width: int, attributes: dict[str, str]) -> None:
    transform = _TRANSFORM.fullmatch(attributes["transform"])
    assert transform is not None
    left, top, scale = (float(number) * PIXELS_PER_MM for number in transform.groups())
    for run in _RUN.finditer(attributes["d"]):
        x, y, length = (int(number) for number in run.groups())
        for row in range(round(top + y * scale), round(top + (y + 1) * scale)):
            start, end = round(left + x * scale), round(left + (x + length) * scale)
            picture[row * width + start : row * width + end] = bytes(end - start)


def _symbols(picture: memoryview, width: int, height: int, stride: int) -> list[Read]:
    pixels: Any = picture  # a buffer, where the annotations ask for numpy's
    view = zxingcpp.ImageView(pixels, width, height, zxingcpp.ImageFormat.Lum, stride)
    return [Read(one.bytes, one.symbology_identifier) for one in zxingcpp.read_barcodes(view)]

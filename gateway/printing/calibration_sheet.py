"""The page with the calibration symbol. Pure."""

from collections.abc import Iterator, Sequence

from gateway.devices.calibration import TEXT
from gateway.languages import vocabulary
from gateway.printing.sheet import Cell


def title(languages: Sequence[str]) -> str:
    """Return the page's heading."""
    return " / ".join(vocabulary(one).calibration_title for one in languages)


def cells(languages: Sequence[str]) -> Iterator[Cell]:
    """Yield the symbols: the same text twice, for scanners of either kind."""
    how = tuple(dict.fromkeys(vocabulary(one).calibration_how for one in languages))
    yield Cell(text=TEXT, symbology="datamatrix", captions=("Data Matrix", *how))
    yield Cell(text=TEXT, symbology="qr", captions=("QR", *how))

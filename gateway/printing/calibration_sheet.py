"""The page with the calibration symbol. Pure."""

from collections.abc import Iterator
from typing import Final

from gateway.devices.calibration import TEXT
from gateway.printing.sheet import Cell

TITLE: Final = "Calibration of scanners"


def cells() -> Iterator[Cell]:
    """Yield the symbols: the same text twice, for scanners of either kind."""
    how = ("scangate scanners", "calibrate NAME")
    yield Cell(text=TEXT, symbology="datamatrix", captions=("Data Matrix", *how))
    yield Cell(text=TEXT, symbology="qr", captions=("QR code", *how))

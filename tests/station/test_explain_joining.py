"""How symbols would be joined, in words."""

from datetime import date

import pytest

from gateway.station.explain_joining import explain_joining
from gateway.udi.dispatch import split_symbology

PLATE, PLATE_LOT, SCREW = "]C10109520001000508", "]C11745123110K7", "]C10109520001000409"
NAIL, NAIL_LOT, WIRE_LOT = "]A0+A123BJC5D6E71G", "]A0+$$34512317K3GC", "]A0+$$34512318L9Z$"
WAITS = "begins a label; still wanted: the symbol with the production identifiers"


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ((PLATE, PLATE_LOT), [(1, WAITS), (1, "adds to label 1: by time only")]),
        (
            (PLATE, SCREW, PLATE_LOT),
            [
                (1, WAITS),
                (2, WAITS),
                (2, "adds to label 2: by time only; another may be meant (LABELS_INTERLEAVED)"),
            ],
        ),
        (
            ("]E09520007000304", "]d20109520007000304" + "10X1", "]E09520007000304"),
            [
                (1, "a label by itself"),
                (1, "completes the event of label 1: the same device identifier"),
                (3, "scanned again: a repeat, in a store one more piece"),
            ],
        ),
        (
            (NAIL, WIRE_LOT, NAIL, NAIL_LOT),
            [
                (1, WAITS),
                (2, "the symbol's link is not that of the label that waits"),
                (1, "the same symbol again: nothing new"),
                (1, "adds to label 1: the HIBC link character"),
            ],
        ),
        (
            ("]d2010952000100050810K7", PLATE_LOT, PLATE, "]C0hello"),
            [
                (1, "a label by itself"),
                (1, "completes the event of label 1: the same lot, serial or donation number"),
                (1, "says nothing that label 1 does not say: no event"),
                (4, "no label: withheld, unless the master knows it"),
            ],
        ),
    ],
)
def test_in_words(codes: tuple[str, ...], told: list[tuple[int, str]]) -> None:
    symbols = [(text, symbology) for symbology, text in map(split_symbology, codes)]
    found = explain_joining(symbols, date(2026, 11, 21))
    assert [(one.label, one.why) for one in found] == told

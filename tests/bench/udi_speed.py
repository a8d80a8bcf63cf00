"""Decoding with every rule, beside biip on the same GS1 labels in the same run; and each agency's cost of a label.

CPU time. Each round measures the two one after the other, so that what else the machine does meets both; the figure
is the median of the rounds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from statistics import median
from typing import Final

import biip

from gateway.udi import decode
from tests.bench.rows import Benchmark, Row, row

TODAY: Final = date(2026, 11, 21)
GS: Final = "\x1d"
ROUNDS: Final = 25
CALLS: Final = 40
"""Of each label in a round."""
GS1: Final = (
    "]d20108717648200274",
    "]d2010871764820027417280630101234567A",
    f"]C10104062234174595112203151725031510K010034{GS}21A1",
    f"]d20108717648200274111811301728063010ABC123{GS}21S00012345",
    f"]d2010871764820027417280630101234567A{GS}240REF-1{GS}3012",
    f"]d2010952012345678817290131104512XA{GS}21000123456789",
    "]E04006381333931",
)
OTHERS: Final = {
    "gs1_link": ("https://id.gs1.org/01/09520123456788/10/ABC1/21/12345?17=280426",),
    "gs1_typed": ("(01)08717648200274(17)280630(10)1234567A",),
    "hibcc": (
        "+A123BJC5D6E71G",
        "+$$52001510X3GD",
        "+A99912345/$$52001510X3/16D20111212/S77DEFG457",
    ),
    "iccbba": ("=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123",),
    "ifa": ("[)>\x1e06\x1d9N111234567842\x1d1TABC12345\x1dD241231\x1e\x04",),
}
"""biip reads none of these, or not as such."""


def run() -> Iterator[Row]:
    """Compare on GS1 labels, then measure the other agencies'."""
    ratios, ours = [], []
    _microseconds(_decode, GS1)
    for _ in range(ROUNDS):
        own, peer = _microseconds(_decode, GS1), _microseconds(biip.parse, GS1)
        ratios.append(peer / own)
        ours.append(own)
    yield row("udi.vs_biip", median(ratios), "x", aim=8, better="higher")
    yield row("udi.gs1_us", median(ours), "us")
    for name, labels in OTHERS.items():
        _microseconds(_decode, labels)
        yield row(f"udi.{name}_us", median(_microseconds(_decode, labels) for _ in range(ROUNDS)), "us")


def _decode(text: str) -> object:
    return decode(text, today=TODAY)


def _microseconds(read: Callable[[str], object], labels: Sequence[str]) -> float:
    """CPU time of one label."""
    began = time.process_time_ns()
    for _ in range(CALLS):
        for label in labels:
            read(label)
    return (time.process_time_ns() - began) / (CALLS * len(labels) * 1000)


BENCHMARK: Final = Benchmark(names=("udi.vs_biip", "udi.gs1_us", *(f"udi.{name}_us" for name in OTHERS)), run=run)
